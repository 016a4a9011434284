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

from monitor.health.words import Status
from monitor.identifiers import BatchId, IncidentId
from monitor.incidents.drill import Step
from monitor.incidents.incident import Audience, Impact, Origin, Stage
from monitor.journal import entries as j
from monitor.journal.entries import Batch, Entry, Kind
from monitor.store import journal, schema
from monitor.store.database import Database
from tests.store.history import NOON, applied, changed, entry, incident, opened, update

RELEASE = "0.4"
JOURNALS = Path(__file__).parent / "journals"
FIRST, SECOND = IncidentId("01KAM0000000000000000000I1"), IncidentId("01KAM0000000000000000000I2")
DECLARED, DRILL = IncidentId("01KAM0000000000000000000I3"), IncidentId("01KAM0000000000000000000I4")
REFERENCE = f"VG-K7PM2QXA-{FIRST}"


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def said(kind: Kind, body: j.Body, minutes: float, subject: str) -> Entry:
    plain = entry(kind, body, at(minutes), subject)
    return Entry(kind=plain.kind, moment=plain.moment, subject=plain.subject, body=plain.body, actor="ana")


def storm() -> Iterable[tuple[Entry, ...]]:
    """Two incidents that one ticket tells of, what people do to it, and that it is closed too early."""
    yield (applied("gye1", "uio1"), changed("gye1", Status.OPERATIONAL, since=at(0)))
    first, second = (
        replace(incident(name, server, at=at(11)), mass=FIRST)
        for name, server in ((FIRST, "gye1"), (SECOND, "uio1"))
    )
    yield (opened(first), opened(second))
    made = j.TicketOpened(
        incident=FIRST,
        reference=REFERENCE,
        helpdesk="webhook",
        ticket="7",
        url="https://helpdesk.example/tickets/7",
        department="soporte",
        priority="urgent",
        subject=f"[{REFERENCE}] muchas fallas a la vez",
    )
    yield (entry(Kind.TICKET_OPENED, made, at(12), FIRST),)
    noted = j.TicketNoted(
        incident=FIRST,
        reference=REFERENCE,
        key="31",
        deed="assigned",
        author="ana",
        at=at(13),
        body="ben",
    )
    closed = j.TicketUpdated(
        incident=FIRST, reference=REFERENCE, action="follow", priority="urgent", status="closed"
    )
    yield (said(Kind.TICKET_NOTED, noted, 14, FIRST), said(Kind.TICKET_UPDATED, closed, 14, FIRST))
    disputed = j.TicketDisputed(incident=FIRST, reference=REFERENCE, reopen=False)
    yield (entry(Kind.TICKET_DISPUTED, disputed, at(29), FIRST),)


def declared() -> Iterable[tuple[Entry, ...]]:
    """An incident that a person opened with a ticket, and a drill that went well but for one step."""
    wanted = replace(
        incident(DECLARED, "gye1", at=at(40)), origin=Origin.OPERATOR, checks=(), wants_ticket=True
    )
    yield (said(Kind.INCIDENT_OPENED, j.IncidentOpened(incident=wanted), 40, DECLARED),)
    rehearsed = replace(
        incident(DRILL, "gye1", at=at(50)),
        origin=Origin.OPERATOR,
        audience=Audience.OPERATORS,
        impact=Impact.NONE,
        checks=(),
        drill=True,
        drill_until=at(55),
        wants_ticket=True,
    )
    yield (opened(rehearsed),)
    over = j.IncidentResolved(
        incident=DRILL,
        ended_at=at(55),
        update=update("01KAM0000000000000000000U9", Stage.RESOLVED, at(55)),
    )
    yield (entry(Kind.INCIDENT_RESOLVED, over, at(55), DRILL),)
    judged = j.DrillFinished(
        incident=DRILL,
        passed=False,
        taken={Step.CONFIRMED: at(50), Step.TICKET_OPENED: at(50.1), Step.RESOLVED: at(55)},
        spared=(Step.TOLD, Step.TOLD_OVER),
    )
    yield (entry(Kind.DRILL_FINISHED, judged, at(57), DRILL),)


def write(database: Database) -> None:
    for number, entries in enumerate((*storm(), *declared()), 1):
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
