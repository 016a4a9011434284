"""How concrete things are made of the configuration: the resolver's settings, sentinels; a database at hand; and new names and secrets."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from monitor.checks import KINDS as CHECKS
from monitor.checks.contract import Options
from monitor.inventory import Settings
from monitor.inventory.fields import split_listen
from monitor.prober import ResolverSettings, Sentinel
from monitor.prober.name_servers import parse_server
from monitor.store.database import Database

_LETTERS = "ABCDEFGHJKMNPQRSTVWXYZ23456789"


def resolver_settings(settings: Settings) -> ResolverSettings | None:
    """Return the resolver that the configuration names; None for the system's."""
    if settings.resolver is None:
        return None
    return ResolverSettings(servers=settings.resolver.servers, reference=settings.resolver.reference)


def sentinels_of(settings: Settings) -> tuple[Sentinel, ...]:
    """Return the configured sentinels, ready to be looked at."""
    return tuple(_sentinel(*next(iter(one.items()))) for one in settings.sentinels)


def _sentinel(kind: str, value: Any) -> Sentinel:
    match kind:
        case "tcp":
            address, port = split_listen(value)
            options: dict[str, Any] = {"host": address, "port": port}
        case "dns":
            address = parse_server(value["server"]).address
            options = {"query": value["name"], "server": value["server"]}
        case _:
            address = value
            # Two echoes: one lost datagram is no silence, and a round has little time.
            options = {"host": address, "count": 2}
    return Sentinel(address=address, check=CHECKS[kind].build(_options(kind, options)))


def _options(kind: str, options: dict[str, Any]) -> Options:
    return CHECKS[kind].options.model_validate(options)


@contextmanager
def at_hand(path: Path) -> Iterator[Database]:
    """Open the database beside a running watch or, before its first start, an empty one that is thrown away.

    The real one is made by watch alone, for it belongs to whom the service runs as.
    """
    if path.exists():
        with closing(Database.open(path, owner=False)) as database:
            yield database
        return
    with (
        TemporaryDirectory(prefix="vigia-") as folder,
        closing(Database.open(Path(folder) / path.name, owner=True)) as database,
    ):
        yield database


def new_installation() -> str:
    """Return a name of eight letters that tells this installation's tickets from others'."""
    return "".join(secrets.choice(_LETTERS) for _ in range(8))


def new_heartbeat_key() -> str:
    """Return a secret of 256 bits that the addresses of heartbeats are derived from."""
    return secrets.token_hex(32)
