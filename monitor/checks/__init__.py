"""Every kind of check, one a file; KINDS is the only registry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module

from monitor.checks.contract import Kind

# In the order in which people are told of them. A kind stands as KIND in the module of its name.
_NAMES = (
    "http",
    "tcp",
    "tls",
    "ping",
    "ntp",
    "host",
    "dns",
    "blocklist",
    "domain",
    "heartbeat",
    "ldap",
    "smtp",
    "imap",
    "pop3",
    "mailflow",
    "mysql",
    "postgresql",
    "redis",
    "memcached",
    "nagios",
    "prometheus",
    "ssh",
    "ftp",
)


class _Kinds(Mapping[str, Kind]):
    """The kinds by name, each read when it is asked for: most fleets need a few, and all of them take ten megabytes."""

    def __getitem__(self, name: str) -> Kind:
        if name not in _NAMES:
            raise KeyError(name)
        return _kind(name)

    def __iter__(self) -> Iterator[str]:
        return iter(_NAMES)

    def __len__(self) -> int:
        return len(_NAMES)

    def __contains__(self, name: object) -> bool:
        return name in _NAMES


@cache
def _kind(name: str) -> Kind:
    kind: Kind = import_module(f"monitor.checks.{name}").KIND
    return kind


KINDS: Mapping[str, Kind] = _Kinds()


def is_passive(kind: str) -> bool:
    """Is it a kind that is never looked at, because what it watches reports by itself?"""
    return kind in KINDS and KINDS[kind].passive


__all__ = ["KINDS", "is_passive"]
