"""force: an operator overrules what is shown of a server."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from monitor.actions import force as forcing
from monitor.cli.common import (
    author_option,
    clock,
    config_option,
    data_option,
    end_of,
    json_option,
    local,
    print_json,
    writing,
)
from monitor.health.force import Force
from monitor.health.words import Status
from monitor.identifiers import ServerId
from monitor.maintenance.due import quiet
from monitor.station.shapes import force_shape
from monitor.store import readings
from monitor.store.database import Transaction


@click.command()
@click.argument("server_id", metavar="SERVER")
@click.argument("status", metavar="STATUS", type=click.Choice([one.value for one in Status]), required=False)
@click.option("--reason", default=None, help="Why; operators read it, customers do not.")
@click.option(
    "--until",
    default=None,
    metavar="'YYYY-MM-DD HH:MM'",
    help="Until when, in the site's zone; 24 hours at most.",
)
@click.option("--for", "lasts", default=None, metavar="DURATION", help="For how long, as 90m or 4h.")
@click.option("--release", is_flag=True, help="Take the word back; what the checks say is shown again.")
@author_option
@config_option
@data_option
@json_option
def force(
    server_id: str,
    status: str | None,
    reason: str | None,
    until: str | None,
    lasts: str | None,
    author: str,
    config: Path,
    data: Path | None,
    *,
    release: bool,
    as_json: bool,
) -> None:
    """Show a server with STATUS, whatever its checks say, until the word expires or is released.

    STATUS is operational, degraded_performance, partial_outage, major_outage, under_maintenance or unknown. While a server is
    forced to be operational, its failures open no incident; any other status opens none by itself.
    """
    server, moment = ServerId(server_id), clock.now()
    if release and (status or reason or until or lasts):
        raise click.UsageError("--release takes no status, reason or end")
    with writing(config, data) as tx:
        zone = readings.zone(tx)
        if release:
            told = forcing.release(tx, server, author=author, moment=moment)
        else:
            end = end_of(until, lasts, zone, moment)
            if status is None or reason is None or end is None:
                raise click.UsageError(
                    "name a STATUS, --reason, and an end with --until or --for; or --release"
                )
            wanted = Force(
                server=server, status=Status(status), reason=reason, author=author, since=moment, until=end
            )
            told = forcing.force(tx, wanted)
        hidden = _maintenance(tx, told, moment, zone)
    if as_json:
        print_json(force_shape(told))
    elif release:
        click.echo(f"Released {server_id}: what its checks say is shown again.")
    else:
        click.echo(f"{server_id} is shown as {told.status} until {local(told.until, zone)} ({zone}).{hidden}")


def _maintenance(tx: Transaction, told: Force, moment: datetime, zone: str) -> str:
    """Return what else is to know: a window comes before what is forced."""
    window = quiet(readings.windows(tx, ending_after=moment), told.server, moment)
    if window is None:
        return ""
    return f" Until {local(window.ends_at, zone)} the page says that it is under maintenance."
