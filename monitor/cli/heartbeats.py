"""heartbeat: where jobs report to, and what they reported."""

from __future__ import annotations

from pathlib import Path

import click

from monitor.cli.common import (
    config_option,
    configuration,
    data_option,
    json_option,
    local,
    print_json,
    print_table,
    reading,
)
from monitor.errors import NotFoundError
from monitor.station.heartbeats import awaited, tokens
from monitor.station.shapes import heartbeat_shape
from monitor.store.heartbeats import heartbeat_key


@click.group()
def heartbeat() -> None:
    """Jobs that report by themselves."""


@heartbeat.command("list")
@config_option
@data_option
@json_option
def list_(config: Path, data: Path | None, *, as_json: bool) -> int:
    """Show where every heartbeat reports to, when it last did, and when it is expected next.

    The addresses are secrets: whoever knows one can report for that job.
    """
    loaded = configuration(config, data=data)
    with reading(config, loaded.settings.data) as tx:
        key = heartbeat_key(tx)
        if key is None:
            raise NotFoundError("no addresses have been made yet: start the service once with `vigia run`")
        found = awaited(tx, loaded.fleet, tokens(loaded.fleet.checks(), loaded.secrets, key))
    if as_json:
        print_json([heartbeat_shape(each) for each in found])
        return 0
    zone = loaded.fleet.site.timezone
    print_table(
        "Heartbeats",
        ("check", "state", "last report", "next expected", "address"),
        (
            (
                each.check,
                each.state,
                local(each.beat.heard_at if each.beat else None, zone),
                local(each.beat.expected if each.beat else None, zone),
                each.address,
            )
            for each in found
        ),
        nothing="No heartbeats: add a check `- heartbeat: 24h` to a server.",
    )
    return 0
