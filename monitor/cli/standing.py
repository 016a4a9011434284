"""status: how everything stands, at a glance."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click

from monitor.cli.common import (
    clock,
    config_option,
    data_option,
    json_option,
    local,
    open_database,
    print_json,
    print_table,
)
from monitor.cli.unopened import unopened_tickets
from monitor.health.words import Status
from monitor.language import text
from monitor.station.reader import present, present_measures
from monitor.station.shapes import status_shape

_BAD = frozenset({Status.PARTIAL_OUTAGE, Status.MAJOR_OUTAGE})


@click.command()
@config_option
@data_option
@json_option
def status(config: Path, data: Path | None, *, as_json: bool) -> int:
    """Show servers, checks, incidents and windows at a glance; exit status 1 if anything is down."""
    with closing(open_database(config, data)) as database:
        snapshot, tickets = present(database, clock.now())
        measures = present_measures(database) if as_json else {}
        with database.reading() as tx:
            waiting = {
                row.incident: f"{reference}, not opened yet" for reference, row in unopened_tickets(tx)
            }
    if as_json:
        print_json(status_shape(snapshot, tickets, measures))
    else:
        zone = snapshot.site.timezone
        print_table(
            f"{snapshot.site.name} · {snapshot.indicator} · {snapshot.freshness}",
            ("server", "status", "since", "checks"),
            (
                (
                    server.id,
                    text(f"status.{server.status}", "en"),
                    local(server.since, zone),
                    " ".join(f"{check.id}:{check.state}" for check in server.checks),
                )
                for server in snapshot.servers()
            ),
            nothing="No servers yet: start the service once with `vigia run`.",
        )
        if snapshot.blocked_since is not None:
            since = local(snapshot.blocked_since, zone)
            click.echo(
                f"our own view has been blocked since {since}: what is unknown is shown with its last known state"
            )
        for incident in snapshot.open_incidents:
            ticket = tickets.get(incident.id) or waiting.get(incident.id, "not yet")
            click.echo(
                f"incident {incident.id}  {incident.stage} · {incident.impact} · {incident.title['en']}"
                f"  (since {local(incident.started_at, zone)}, ticket {ticket})"
            )
        for window in (*snapshot.active_windows, *snapshot.upcoming_windows):
            click.echo(
                f"window {window.id}  {window.stage} · {', '.join(sorted(window.servers))}"
                f"  {local(window.starts_at, zone)} – {local(window.ends_at, zone)}"
            )
    return 1 if any(server.last_known in _BAD for server in snapshot.servers()) else 0
