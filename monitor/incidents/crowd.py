"""Several servers of one incident in few words: whole groups first, then names, then how many more there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from monitor.fleet import Fleet, Server
from monitor.health.words import Status
from monitor.language import Language, text
from monitor.language.moments import listed

# A text names so many groups and servers, or one more, before it only counts the others.
_NAMED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """The servers of an incident that has several, and how those are that fail now, in the order in which they joined."""

    fleet: Fleet
    servers: tuple[Server, ...]
    hit: tuple[tuple[Server, Status], ...]

    @property
    def back(self) -> int:
        """How many of them do not fail now."""
        return len(self.servers) - len(self.hit)

    @property
    def watch(self) -> timedelta:
        """How long all of them have to be well before it is over: as long as the most patient one wants."""
        return max(server.resolve_after for server in self.servers)

    def of(self, status: Status) -> tuple[Server, ...]:
        """Return the servers that are so now."""
        return tuple(server for server, held in self.hit if held is status)


def some(names: Sequence[str], language: Language) -> str:
    """Return a short list of names: the first few, and how many more there are."""
    return _shortened([(name, 1) for name in names], language)


def named(servers: Sequence[Server], fleet: Fleet, language: Language) -> str:
    """Return servers in few words; a group all of whose servers are among them goes by its own name."""
    chosen = {server.id for server in servers}
    pieces: list[tuple[str, int]] = []
    for group in fleet.groups:
        whole = {server.id for server in fleet.servers if server.group == group.id}
        if len(whole) > 1 and whole <= chosen:
            name = group.name.get(language) or next(iter(group.name.values()), group.id)
            pieces.append((text("incident.group", language, group=name, total=len(whole)), len(whole)))
            chosen -= whole
    pieces += [(server.name, 1) for server in servers if server.id in chosen]
    return _shortened(pieces, language)


def _shortened(pieces: Sequence[tuple[str, int]], language: Language) -> str:
    """Return a list of pieces, each of which stands for so many servers."""
    words = [words for words, _ in pieces]
    if len(pieces) > _NAMED + 1:
        more = sum(count for _, count in pieces[_NAMED:])
        words[_NAMED:] = [text("incident.more", language, count=more)]
    return listed(words, language)
