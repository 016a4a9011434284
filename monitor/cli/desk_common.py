"""What the desk's commands share: who acts, what he has seen, and how a ticket is confirmed."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from monitor.actions.desk import page_of
from monitor.actions.desk_deeds import Person, incidents_of
from monitor.cli.common import clock, config_option, data_option, json_option, print_json, reading
from monitor.station.shapes import Shape, desk_shape
from monitor.store import readings
from monitor.store.database import Transaction
from monitor.store.desk_values import DeskTicket

Command = TypeVar("Command", bound=Callable[..., Any])

# As far as the database counts.
TICKET = click.IntRange(min=1, max=2**63 - 1)
PRIORITIES = ("low", "normal", "high", "urgent")


def as_option(command: Command) -> Command:
    """Add `--as NAME` (`VIGIA_AUTHOR`)."""
    return click.option(
        "--as",
        "--author",
        "author",
        metavar="NAME",
        envvar="VIGIA_AUTHOR",
        default=None,
        show_envvar=True,
        help="Who does it; by default the user of this machine.",
    )(command)


def where_options(command: Command) -> Command:
    """Add `--config`, `--data` and `--json`."""
    return config_option(data_option(json_option(command)))


def deed_options(command: Command) -> Command:
    """Add what every deed on a ticket takes: `--as`, `--seen`, and where."""
    seen = click.option(
        "--seen",
        type=click.IntRange(min=1),
        metavar="REVISION",
        default=None,
        help="Only if the ticket is still as `vigia desk show` told it: refused if it has changed since.",
    )
    return as_option(where_options(seen(command)))


def person(author: str | None, seen: int | None = None) -> Person:
    """Return who acts now."""
    return Person(name=name_of(author), at=clock.now(), seen=seen)


def name_of(author: str | None) -> str:
    """Return the name that was given, else that of the user of this machine."""
    if author:
        return author
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # In a container the user may be a number without a name.
        return "operator"


def read_words(written: str) -> str:
    """Return the words of an argument; `-` reads them from standard input."""
    return sys.stdin.read() if written == "-" else written


def shape_of(tx: Transaction, ticket: DeskTicket) -> Shape:
    """Return one ticket as data: whichever way it is asked for, it has the same keys."""
    fleet = readings.fleet(tx)
    root = "" if fleet is None else fleet.site.url
    return desk_shape(ticket, incidents_of(tx, ticket), page_of(root, ticket.id))


def confirm(after: DeskTicket, config: Path, data: Path | None, *, as_json: bool) -> None:
    """Print how a ticket stands after a deed."""
    if as_json:
        with reading(config, data) as tx:
            print_json(shape_of(tx, after))
        return
    click.echo(
        f"{after.id}  {after.status} · {after.priority} · {after.department} · {after.assignee or 'nobody'}  {after.subject}"
    )
