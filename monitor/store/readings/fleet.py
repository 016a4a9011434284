"""The fleet as applied, and what is held of each server."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType

from monitor.fleet import Fleet
from monitor.health.force import Force
from monitor.health.rollup import Held, Judged
from monitor.health.words import Service, Status, Why
from monitor.identifiers import ServerId
from monitor.store.columns import instant
from monitor.store.database import Transaction
from monitor.store.fold import FLEET


def fleet(tx: Transaction) -> Fleet | None:
    """Return the fleet as it was applied last, None before the first time."""
    row = tx.row("SELECT fleet FROM inventory")
    return None if row is None else _fleet(row["fleet"])


@lru_cache(maxsize=2)
def _fleet(column: str) -> Fleet:
    return FLEET.validate_json(column)


def fleet_number(tx: Transaction) -> int:
    """Return the number of the entry that applied the fleet, 0 before the first: cheap to compare."""
    row = tx.row("SELECT number FROM inventory")
    return 0 if row is None else int(row["number"])


def zone(tx: Transaction) -> str:
    """Return the name of the zone in which people read the site's times, UTC before a fleet was applied."""
    row = tx.row("SELECT fleet ->> '$.site.timezone' AS zone FROM inventory")
    return "UTC" if row is None else str(row["zone"])


def is_known(tx: Transaction, server: ServerId) -> bool:
    """Is there a server of that id, or was there one?"""
    return tx.row("SELECT 1 FROM servers WHERE id = ?", (server,)) is not None


def retired_servers(tx: Transaction) -> Mapping[ServerId, str]:
    """Return the names of the servers that are watched no more; incidents of the past still speak of them."""
    rows = tx.rows("SELECT id, name FROM servers WHERE retired_ms IS NOT NULL ORDER BY id")
    return {ServerId(row["id"]): row["name"] for row in rows}


def forces(tx: Transaction, servers: Iterable[ServerId] | None = None) -> Mapping[ServerId, Force]:
    """Return the last word that operators had on each server, or on some, whether it holds or has ended."""
    rows = tx.rows(
        "SELECT * FROM forces ORDER BY server"
        if servers is None
        else "SELECT * FROM forces WHERE server IN (SELECT value FROM json_each(?)) ORDER BY server",
        () if servers is None else (json.dumps(list(servers)),),
    )
    return {
        ServerId(row["server"]): Force(
            server=ServerId(row["server"]),
            status=Status(row["status"]),
            reason=row["reason"],
            author=row["author"],
            since=instant(int(row["since_ms"])),
            until=instant(int(row["until_ms"])),
            released_at=instant(row["released_ms"]),
        )
        for row in rows
    }


def unforced(tx: Transaction) -> tuple[ServerId, ...]:
    """Return the servers of which a forced status is still shown though nobody's word holds any more."""
    rows = tx.rows(
        "SELECT server FROM server_status WHERE because = ?"
        " AND NOT EXISTS (SELECT 1 FROM forces WHERE forces.server = server_status.server AND released_ms IS NULL)",
        (Why.FORCED,),
    )
    return tuple(ServerId(row["server"]) for row in rows)


def standing(tx: Transaction, servers: Iterable[ServerId] | None = None) -> Mapping[ServerId, Held]:
    """Return what stands of every watched server that was judged, or of some."""
    rows = tx.rows(
        "SELECT * FROM server_status ORDER BY server"
        if servers is None
        else "SELECT * FROM server_status WHERE server IN (SELECT value FROM json_each(?)) ORDER BY server",
        () if servers is None else (json.dumps(list(servers)),),
    )
    return {
        ServerId(row["server"]): Held(
            judged=Judged(
                status=Status(row["status"]),
                services=_services(row["services"]),
                because=None if row["because"] is None else Why(row["because"]),
            ),
            since=instant(int(row["since_ms"])),
            last_known=Status(row["last_known"]),
        )
        for row in rows
    }


@lru_cache(maxsize=1024)
def _services(column: str) -> Mapping[Service, Status]:
    found = {Service(service): Status(status) for service, status in json.loads(column).items()}
    return MappingProxyType(found)
