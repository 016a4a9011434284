"""What the commands share: options, the configuration, tables for people and JSON for programs."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from zoneinfo import ZoneInfo

import click
from rich.console import Console
from rich.table import Table

from monitor.clock import SystemClock
from monitor.language.zones import instant_of
from monitor.station.names import DATABASE
from monitor.store.database import Database, Transaction

if TYPE_CHECKING:
    from monitor.inventory import Configuration

Command = TypeVar("Command", bound=Callable[..., Any])

_LINES = 20
DEFAULT_CONFIG = "config/servers.yaml"

clock = SystemClock()


def config_option(command: Command) -> Command:
    """Add `--config FILE` (`VIGIA_CONFIG`)."""
    return click.option(
        "--config",
        "config",
        type=click.Path(path_type=Path),
        envvar="VIGIA_CONFIG",
        default=DEFAULT_CONFIG,
        show_default=True,
        show_envvar=True,
        help="The configuration file.",
    )(command)


def data_option(command: Command) -> Command:
    """Add `--data DIR` (`VIGIA_DATA`)."""
    return click.option(
        "--data",
        "data",
        type=click.Path(path_type=Path, file_okay=False),
        envvar="VIGIA_DATA",
        default=None,
        show_envvar=True,
        help="The data directory; by default the one that the configuration names.",
    )(command)


def listen_option(command: Command) -> Command:
    """Add `--listen HOST:PORT` (`VIGIA_LISTEN`)."""
    return click.option(
        "--listen",
        "listen",
        metavar="HOST:PORT",
        envvar="VIGIA_LISTEN",
        default=None,
        show_envvar=True,
        help="Where the page is served; port 0 lets the system choose.",
    )(command)


def json_option(command: Command) -> Command:
    """Add `--json`."""
    return click.option("--json", "as_json", is_flag=True, help="One JSON document instead of a table.")(
        command
    )


def configuration(config: Path, *, listen: str | None = None, data: Path | None = None) -> Configuration:
    """Load the configuration with this process's environment; a bad one raises ConfigurationError."""
    # Reading a configuration takes half a second of imports, which a command on a named data directory can do without.
    from monitor.inventory import load  # noqa: PLC0415

    return load(config, environment=os.environ, listen=listen, data=data)


def data_directory(config: Path, data: Path | None) -> Path:
    """Return where the data lies: what was asked for, else what the configuration names."""
    return data if data is not None else configuration(config).settings.data


def open_database(config: Path, data: Path | None) -> Database:
    """Open the database beside a running watch; a missing one raises SchemaError with the remedy."""
    return Database.open(data_directory(config, data) / DATABASE, owner=False)


@contextmanager
def reading(config: Path, data: Path | None) -> Iterator[Transaction]:
    """Read in one unchanging picture of the data."""
    with closing(open_database(config, data)) as database, database.reading() as tx:
        yield tx


@contextmanager
def writing(config: Path, data: Path | None) -> Iterator[Transaction]:
    """Decide and write in one transaction, all or nothing."""
    with closing(open_database(config, data)) as database, database.writing() as tx:
        yield tx


def print_json(document: object) -> None:
    """Print one JSON document."""
    click.echo(json.dumps(document, ensure_ascii=False, indent=2))


def console() -> Console:
    """Return where tables go; outside a terminal they are plain and as wide as they need.

    What stands in a cell is shown as it is: a subject in brackets is no mark-up.
    """
    as_it_is = partial(Console, markup=False, emoji=False, highlight=False)
    plain = as_it_is()
    return plain if plain.is_terminal else as_it_is(width=200, no_color=True)


def print_table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, nothing: str
) -> None:
    """Print a table, or the sentence that says that there is nothing to show."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*("" if cell is None else str(cell) for cell in row))
    if table.row_count:
        console().print(table)
    else:
        click.echo(nothing)


def print_quote(heading: str, quoted: str) -> None:
    """Print what came from outside, or a line to copy, under its heading: at most 20 lines; nothing where there is nothing."""
    lines = quoted.splitlines()[:_LINES]
    if lines:
        click.secho(f"  {heading}", dim=True)
        click.echo("\n".join(f"    {line}" for line in lines))


def moment_of(written: str, zone: str, option: str) -> datetime:
    """Return the instant that a person typed: local time of the site, or RFC 3339 with an offset."""
    try:
        moment = datetime.fromisoformat(written)
        return instant_of(moment, ZoneInfo(zone)) if moment.tzinfo is None else moment.astimezone(UTC)
    # The first and the last day of the calendar have no instant in every zone.
    except (ValueError, OverflowError) as error:
        raise click.BadParameter(
            f"{written!r} is no date and time; write it as '2026-12-01 22:00', in the zone {zone}",
            param_hint=option,
        ) from error


def local(moment: datetime | None, zone: str) -> str:
    """Return `2026-11-22 10:42:05` in the site's zone, or a dash."""
    if moment is None:
        return "–"
    return moment.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M:%S")
