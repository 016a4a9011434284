"""ticket unanswered: whose question waits, and how much is left of what was promised."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

import click

from monitor.actions.answers import left_of, waits_of
from monitor.cli.common import (
    clock,
    config_option,
    data_option,
    json_option,
    local,
    print_json,
    print_table,
    reading,
)
from monitor.errors import NotFoundError
from monitor.language.moments import short_duration
from monitor.station.shapes import waiting_shape
from monitor.store import cases, readings
from monitor.support.answers import hours_and_minutes


@click.command()
@config_option
@data_option
@json_option
def unanswered(config: Path, data: Path | None, *, as_json: bool) -> None:
    """List tickets that nobody answered yet, whoever opened them, the oldest first, with the time that is left."""
    with reading(config, data) as tx:
        fleet = readings.fleet(tx)
        if fleet is None:
            raise NotFoundError("no configuration was applied yet: start the service first")
        read_at = cases.last_read(tx)
        if read_at is None:
            raise NotFoundError(
                "nobody knows who waits: the tickets of the helpdesk were not read yet, or it is one that cannot be read"
                " (vigia doctor tells)"
            )
        rows = waits_of(tx, fleet, clock.now())
    promise, zone = fleet.support.promise, fleet.site.timezone
    if as_json:
        print_json([waiting_shape(row, waited, left_of(promise, row, waited)) for row, waited in rows])
        return
    # A day of service is shorter than a day.
    told = partial(hours_and_minutes if promise.in_service else short_duration, language="en")
    print_table(
        "Unanswered tickets",
        ("id", "department", "priority", "opened", "waits", "left", "requester", "subject"),
        (
            (
                row.ticket,
                row.department,
                row.priority,
                local(row.opened_at, zone),
                told(waited),
                _left(left_of(promise, row, waited), told),
                row.requester,
                row.subject,
            )
            for row, waited in rows
        ),
        nothing="No ticket waits for an answer.",
    )
    click.echo(f"As of {local(read_at, zone)}.")


def _left(left: timedelta | None, told: Callable[[timedelta], str]) -> str:
    if left is None:
        return "–"
    return f"{told(-left)} over" if left < timedelta(0) else told(left)
