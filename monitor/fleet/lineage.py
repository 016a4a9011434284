"""What depends on what, to any depth. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from graphlib import TopologicalSorter

from monitor.fleet.fleet import Server
from monitor.identifiers import ServerId

_NOBODY: tuple[ServerId, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """Above and below each server of a fleet, the nearest first. A server that neither depends nor is depended upon stands in neither."""

    above: Mapping[ServerId, tuple[ServerId, ...]] = field(default_factory=dict)
    below: Mapping[ServerId, tuple[ServerId, ...]] = field(default_factory=dict)

    def ancestors(self, server: ServerId) -> tuple[ServerId, ...]:
        """Return everything that a server depends on."""
        return self.above.get(server, _NOBODY)

    def descendants(self, server: ServerId) -> tuple[ServerId, ...]:
        """Return everything that depends on a server."""
        return self.below.get(server, _NOBODY)

    def with_descendants(self, servers: Iterable[ServerId]) -> tuple[ServerId, ...]:
        """Return servers and everything that depends on them, each once."""
        return tuple(
            dict.fromkeys(each for server in servers for each in (server, *self.descendants(server)))
        )


def lineage_of(servers: Iterable[Server]) -> Lineage:
    """Return the lineage of servers; what they depend on and is not among them is left out.

    Raises graphlib.CycleError for servers that depend on each other in a circle, which no configuration has.
    """
    known = {server.id: server for server in servers}
    parents = {
        server.id: tuple(parent for parent in server.depends_on if parent in known)
        for server in known.values()
        if server.depends_on
    }
    children: dict[ServerId, list[ServerId]] = {}
    for child, found in parents.items():
        for parent in found:
            children.setdefault(parent, []).append(child)
    TopologicalSorter(parents).prepare()
    return Lineage(
        above={server: _walk(server, parents) for server in parents},
        below={server: _walk(server, children) for server in children},
    )


def _walk(server: ServerId, steps: Mapping[ServerId, Iterable[ServerId]]) -> tuple[ServerId, ...]:
    """Return what can be come to from a server, the nearest first."""
    found: dict[ServerId, None] = {}
    edge: tuple[ServerId, ...] = tuple(steps.get(server, ()))
    while edge:
        found.update(dict.fromkeys(edge))
        edge = tuple(each for one in edge for each in steps.get(one, ()) if each not in found)
    return tuple(found)
