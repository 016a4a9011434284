"""rebuild: the tables anew from the journal."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click

from monitor.cli.common import config_option, data_directory, data_option, json_option, print_json
from monitor.station.lifeline import only_watch
from monitor.station.names import DATABASE
from monitor.store import journal
from monitor.store.database import Database


@click.command()
@config_option
@data_option
@json_option
def rebuild(config: Path, data: Path | None, *, as_json: bool) -> None:
    """Drop the tables that the journal explains and replay it; sends nothing. watch must be stopped."""
    directory = data_directory(config, data)
    # Opened before the lock is taken, so that a mistyped directory is refused and not made.
    with closing(Database.open(directory / DATABASE, owner=False)) as database, only_watch(directory):
        replayed = journal.rebuild(database)
    if as_json:
        print_json({"entries": replayed})
    else:
        click.echo(f"Replayed {replayed} entries.")
