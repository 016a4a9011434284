"""drill: a rehearsed fault through the whole way."""

from __future__ import annotations

import threading
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import click

from monitor.actions import drill as drills
from monitor.actions import people
from monitor.cli.common import (
    author_option,
    clock,
    config_option,
    data_option,
    json_option,
    length_of,
    open_database,
    print_json,
    print_table,
)
from monitor.errors import RefusedError
from monitor.identifiers import IncidentId, ServerId
from monitor.incidents.drill import PATIENCE, Step
from monitor.station.shapes import instant
from monitor.store import readings
from monitor.store.database import Database
from monitor.store.readings import DrillRow

_ALIVE = timedelta(seconds=30)
_PAUSE_S = 0.2
_SPARE = timedelta(seconds=30)


@click.command()
@click.argument("server", metavar="SERVER")
@click.option(
    "--for",
    "lasts",
    default="5m",
    show_default=True,
    metavar="DURATION",
    help="After how long it ends at the latest; it ends as soon as ticket and message are seen.",
)
@author_option
@config_option
@data_option
@json_option
def drill(server: str, lasts: str, author: str, config: Path, data: Path | None, *, as_json: bool) -> int:
    """Pretend a fault of SERVER and see whether it reaches helpdesk and operators; customers see nothing of it.

    Exit status 1 if a step is missing.
    """
    length = length_of(lasts, "--for")
    with closing(open_database(config, data)) as database:
        begun = _begin(database, ServerId(server), length, people.author(author))
        row = _wait(database, begun, length)
    if row is None:
        raise RefusedError(
            f"the drill {begun} was not judged: is `vigia run` still running? `vigia incident show` tells"
        )
    if as_json:
        print_json(_shape(row))
    else:
        _print(row, server)
    return 0 if row.passed else 1


def _begin(database: Database, server: ServerId, length: timedelta, author: str) -> IncidentId:
    """Begin it where somebody watches who can carry it out."""
    with database.writing() as tx:
        moment = clock.now()
        heard = readings.heard_at(tx)
        if heard is None or abs(moment - heard) > _ALIVE:
            raise RefusedError("nobody watches, so nothing would go out: start `vigia run` first")
        return drills.begin(tx, server, length, moment, author=author).id


def _wait(database: Database, begun: IncidentId, length: timedelta) -> DrillRow | None:
    pause = threading.Event()
    until = clock.monotonic() + (length + PATIENCE + _SPARE).total_seconds()
    while clock.monotonic() < until:
        with database.reading() as tx:
            row = readings.drill(tx, begun)
        if row is not None:
            return row
        pause.wait(_PAUSE_S)
    return None


def _print(row: DrillRow, server: str) -> None:
    begun = row.taken[Step.CONFIRMED]
    lines = []
    for step in Step:
        if step in row.taken:
            lines.append((step, f"{(row.taken[step] - begun).total_seconds():.1f} s", ""))
        else:
            lines.append((step, "–", "not configured" if step in row.spared else "MISSING"))
    click.echo(f"Drill {row.incident} of {server}")
    print_table("", ("step", "after", ""), lines, nothing="")
    click.echo("The drill went well." if row.passed else "The drill went wrong: a fault might not be told.")


def _shape(row: DrillRow) -> dict[str, object]:
    begun = row.taken[Step.CONFIRMED]
    return {
        "incident": row.incident,
        "passed": row.passed,
        "finished_at": instant(row.finished_at),
        "steps": [
            {
                "step": step,
                "at": instant(row.taken.get(step)),
                "after_s": round((row.taken[step] - begun).total_seconds(), 3) if step in row.taken else None,
                "needed": step not in row.spared,
            }
            for step in Step
        ],
    }
