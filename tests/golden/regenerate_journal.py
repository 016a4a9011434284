"""Write the golden journal of the release that is under way: `python -m tests.golden.regenerate_journal`.

It holds the kinds of entries that the releases before did not know. Once the release is out, its file is never written again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from monitor.health.view import AddressFamily
from monitor.health.words import Status
from monitor.identifiers import BatchId, IncidentId, ServerId, WindowId
from monitor.incidents.incident import Audience, Impact, Stage, Trouble
from monitor.journal import entries as j
from monitor.journal.entries import Batch, Entry, Kind
from monitor.store import journal, schema
from monitor.store.database import Database
from tests.store.history import NOON, applied, changed, entry, incident, opened, update, window

RELEASE = "0.3"
JOURNALS = Path(__file__).parent / "journals"
GYE1, UIO1 = ServerId("gye1"), ServerId("uio1")
OWN = IncidentId("01KAM0000000000000000000I2")
FIRST, WORK = IncidentId("01KAM0000000000000000000I1"), WindowId("01KAM0000000000000000000W1")


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def said(kind: Kind, body: j.Body, minutes: float, subject: str) -> Entry:
    plain = entry(kind, body, at(minutes), subject)
    return Entry(kind=plain.kind, moment=plain.moment, subject=plain.subject, body=plain.body, actor="ana")


def words() -> Iterable[tuple[Entry, ...]]:
    """An operator's words: on an incident that was a false alarm, on a server, on a window."""
    yield (applied("gye1", "uio1"), changed("gye1", Status.OPERATIONAL, since=at(0)))
    yield (
        changed("gye1", Status.MAJOR_OUTAGE, since=at(10), at=at(11)),
        opened(incident(FIRST, "gye1", at=at(11))),
    )
    held = j.IncidentAcknowledged(incident=FIRST, until=at(240))
    yield (said(Kind.INCIDENT_ACKNOWLEDGED, held, 12, FIRST),)
    yield (changed("gye1", Status.OPERATIONAL, since=at(20), at=at(21)),)
    withdrawn = j.IncidentRetracted(
        incident=FIRST,
        reason="Our own line was cut.",
        servers=(GYE1,),
        since=at(10.25),
        until=at(30),
        was_open=True,
        update=update("01KAM0000000000000000000U2", Stage.RESOLVED, at(30)),
    )
    yield (said(Kind.INCIDENT_RETRACTED, withdrawn, 30, FIRST),)
    forced = j.ServerForced(
        server=UIO1, status=Status.PARTIAL_OUTAGE, reason="Customers report it.", until=at(400)
    )
    yield (said(Kind.SERVER_FORCED, forced, 40, UIO1),)
    yield (said(Kind.SERVER_RELEASED, j.ServerReleased(server=UIO1), 50, UIO1),)
    planned = j.WindowPlanned(window=window(WORK, "gye1", starts=at(60)), zone_data="2026a")
    yield (said(Kind.WINDOW_PLANNED, planned, 55, WORK),)
    yield (said(Kind.WINDOW_EXTENDED, j.WindowExtended(window=WORK, ends_at=at(300)), 70, WORK),)


def sight() -> Iterable[tuple[Entry, ...]]:
    """Our own view by one family is blocked, and clear again; operators are told once."""
    family = AddressFamily.IPV4
    blocked = j.ViewBlocked(
        family=family, since=at(500), families=2, found="192.0.2.1:53 (no answer within 2 s)"
    )
    matter = replace(
        incident(OWN, at=at(500)), audience=Audience.OPERATORS, impact=Impact.NONE, trouble=Trouble.ISOLATED
    )
    yield (entry(Kind.VIEW_BLOCKED, blocked, at(500.1), family), opened(matter))
    body = j.ViewCleared(family=family, ended_at=at(510))
    over = j.IncidentResolved(
        incident=OWN, ended_at=at(510), update=update("01KAM0000000000000000000U3", Stage.RESOLVED, at(511))
    )
    yield (
        entry(Kind.VIEW_CLEARED, body, at(511), family),
        entry(Kind.INCIDENT_RESOLVED, over, at(511), OWN),
    )


def write(database: Database) -> None:
    for number, entries in enumerate((*words(), *sight()), 1):
        with database.writing() as tx:
            batch = Batch(id=BatchId(f"B{number:025}"), after=journal.head(tx), entries=entries)
            journal.append(tx, batch)


def main() -> None:
    with TemporaryDirectory() as folder:
        database = Database.open(Path(folder) / "vigia.db", owner=True)
        write(database)
        with database.reading() as tx:
            tables = {
                table: [dict(row) for row in tx.rows(f"SELECT * FROM {table}")]  # noqa: S608 - names of ours
                for table in (*schema.JOURNAL, *schema.FOLDED)
            }
        database.close()
    written = {table: [list(row.values()) for row in tables.pop(table)] for table in schema.JOURNAL}
    _put(f"{RELEASE}.json", written)
    _put(f"{RELEASE}.tables.json", {table: rows for table, rows in tables.items() if rows})


def _put(name: str, document: object) -> None:
    (JOURNALS / name).write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
