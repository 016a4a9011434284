"""What the commands share: options, the configuration, tables for people and JSON for programs."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from zoneinfo import ZoneInfo

import click
from rich.console import Console
from rich.table import Table

from monitor.checks.options.durations import parse_duration
from monitor.clock import SystemClock
from monitor.language.refusals import RefusalError
from monitor.language.zones import instant_of
from monitor.station.listening import read_address
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


def author_option(command: Command) -> Command:
    """Add `--author NAME` (`VIGIA_AUTHOR`)."""
    return click.option(
        "--author",
        "author",
        metavar="NAME",
        envvar="VIGIA_AUTHOR",
        default="operator",
        show_default=True,
        show_envvar=True,
        help="Who says so; the journal keeps it.",
    )(command)


def configuration(config: Path, *, listen: str | None = None, data: Path | None = None) -> Configuration:
    """Load the configuration with this process's environment; a bad one raises ConfigurationError."""
    # Reading a configuration takes half a second of imports, which a command on a named data directory can do without.
    from monitor.inventory import load  # noqa: PLC0415

    return load(config, environment=os.environ, listen=listen, data=data)


def bound_configuration(config: Path, data: Path | None) -> Configuration:
    """Load the configuration with the address that the service bound last, which the file may speak of."""
    loaded = configuration(config, data=data)
    address = read_address(loaded.settings.data)
    return loaded if address is None else configuration(config, listen=address, data=data)


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


def length_of(written: str, option: str) -> timedelta:
    """Return a length of time from what a person typed, as `90m` or `4h`; it is longer than nothing."""
    try:
        length = parse_duration(written)
    except RefusalError as error:
        raise click.BadParameter(str(error), param_hint=option) from error
    if not length:
        raise click.BadParameter("it has to be longer than nothing", param_hint=option)
    return length


def end_of(until: str | None, lasts: str | None, zone: str, start: datetime) -> datetime | None:
    """Return the end that `--until`, or `--for` counted from `start`, names; None without either, wrong usage with both."""
    if until is not None and lasts is not None:
        raise click.UsageError("name an end once: with --until or with --for")
    if until is not None:
        return moment_of(until, zone, "--until")
    return None if lasts is None else start + length_of(lasts, "--for")


def local(moment: datetime | None, zone: str) -> str:
    """Return `2026-11-22 10:42:05` in the site's zone, or a dash."""
    if moment is None:
        return "–"
    return moment.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M:%S")
