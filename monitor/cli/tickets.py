"""ticket: the tickets of incidents. desk: the helpdesk that is built in."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Any

import click

from monitor.actions import desk as desk_actions
from monitor.actions.append import append
from monitor.cli.common import (
    clock,
    config_option,
    data_option,
    json_option,
    local,
    print_json,
    print_table,
    reading,
    writing,
)
from monitor.errors import NotFoundError
from monitor.station.shapes import delivery_shape, desk_shape, message_shape, ticket_shape
from monitor.store import deliveries, readings
from monitor.store import desk as desk_store
from monitor.store.desk import DeskTicket, NewMessage

# As far as the database counts.
TICKET = click.IntRange(min=1, max=2**63 - 1)


@click.group()
def ticket() -> None:
    """Tickets of incidents, at whichever helpdesk: list, show."""


@ticket.command("list")
@config_option
@data_option
@json_option
def list_(config: Path, data: Path | None, *, as_json: bool) -> None:
    """List tickets, newest first."""
    with reading(config, data) as tx:
        rows = readings.tickets(tx)
        zone = readings.zone(tx)
    if as_json:
        print_json([ticket_shape(row) for row in rows])
        return
    print_table(
        "Tickets",
        ("reference", "helpdesk", "id", "department", "priority", "status", "opened", "subject"),
        (
            (
                row.reference,
                row.helpdesk,
                row.ticket,
                row.department,
                row.priority,
                row.status,
                local(row.opened_at, zone),
                row.subject,
            )
            for row in rows
        ),
        nothing="No tickets.",
    )


@ticket.command("show")
@click.argument("reference", metavar="REFERENCE")
@config_option
@data_option
@json_option
def show_ticket(reference: str, config: Path, data: Path | None, *, as_json: bool) -> None:
    """Show one ticket with every delivery and every attempt at it."""
    with reading(config, data) as tx:
        row = readings.ticket(tx, reference)
        if row is None:
            raise NotFoundError(f"there is no ticket {reference!r}; `vigia ticket list` shows them")
        about = readings.incident(tx, row.incident)
        sent = deliveries.of_incident(tx, row.incident)
        tries = {each.id: deliveries.attempts_of(tx, each.id) for each in sent}
        zone = readings.zone(tx)
    if as_json:
        print_json(
            {
                **ticket_shape(row),
                "servers": [] if about is None else list(about.servers),
                "unreachable": [] if about is None else list(about.unreachable),
                "deliveries": [delivery_shape(each, tries[each.id]) for each in sent],
            }
        )
        return
    click.secho(row.subject, bold=True)
    click.echo(
        f"  {row.reference} · {row.helpdesk} {row.ticket} · {row.department} · {row.priority} · {row.status}"
    )
    click.echo(f"  {row.url}")
    click.echo(f"  opened {local(row.opened_at, zone)} · closed {local(row.closed_at, zone)} ({zone})")
    if about is not None:
        click.echo(f"  servers: {', '.join(about.servers)}")
        if about.unreachable:
            click.echo(f"  behind them: {', '.join(about.unreachable)}")
    for each in sent:
        click.echo(f"\n  {each.channel} {each.action}  {each.state}  {each.detail}")
        for attempt in tries[each.id]:
            began, ended = local(attempt.started_at, zone), local(attempt.ended_at, zone)
            click.echo(
                f"    {attempt.number}. {began} – {ended}  {attempt.outcome or 'under way'}  {attempt.detail}"
            )


@click.group()
def desk() -> None:
    """The built-in helpdesk: list, reply, assign, close."""


@desk.command("list")
@click.option("--all", "closed", is_flag=True, help="Closed tickets as well.")
@config_option
@data_option
@json_option
def list_desk(config: Path, data: Path | None, *, closed: bool, as_json: bool) -> None:
    """List what needs somebody, the most urgent and oldest first; as JSON everything."""
    with reading(config, data) as tx:
        found = desk_store.list_tickets(tx, closed=closed or as_json)
        messages = {each.id: desk_store.messages(tx, each.id) for each in found} if as_json else {}
        zone = readings.zone(tx)
    if as_json:
        print_json(
            [
                {**desk_shape(each), "messages": [message_shape(word) for word in messages[each.id]]}
                for each in found
            ]
        )
        return
    print_table(
        "Desk",
        ("id", "priority", "status", "assignee", "opened", "answered", "subject"),
        (
            (
                each.id,
                each.priority,
                each.status,
                each.assignee or "–",
                local(each.opened_at, zone),
                local(each.answered_at, zone),
                each.subject,
            )
            for each in found
        ),
        nothing="Nothing needs anybody.",
    )


def _author(name: str | None) -> str:
    if name:
        return name
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # In a container the user may be a number without a name.
        return "operator"


@desk.command()
@click.argument("number", type=TICKET, metavar="TICKET")
@click.argument("words", metavar="TEXT")
@click.option("--internal", is_flag=True, help="For the department alone: it is no answer to the customer.")
@click.option("--as", "author", default=None, help="Who writes; by default the user of this machine.")
@config_option
@data_option
@json_option
def reply(
    number: int,
    words: str,
    author: str | None,
    config: Path,
    data: Path | None,
    *,
    internal: bool,
    as_json: bool,
) -> None:
    """Write on a ticket."""
    moment = clock.now()
    message = NewMessage(author=_author(author), body=words, at=moment, action="reply", internal=internal)
    with writing(config, data) as tx:
        after = desk_actions.reply(tx, lambda tx, entries: append(tx, entries, moment), number, message)
    _confirm(after, as_json=as_json)


@desk.command()
@click.argument("number", type=TICKET, metavar="TICKET")
@click.argument("person", metavar="PERSON")
@config_option
@data_option
@json_option
def assign(number: int, person: str, config: Path, data: Path | None, *, as_json: bool) -> None:
    """Hand a ticket to a person; `-` for nobody."""
    with writing(config, data) as tx:
        after = desk_store.assign(tx, number, None if person == "-" else person)
    _confirm(after, as_json=as_json)


@desk.command()
@click.argument("number", type=TICKET, metavar="TICKET")
@click.argument("words", metavar="TEXT", default="")
@click.option("--as", "author", default=None, help="Who closes; by default the user of this machine.")
@config_option
@data_option
@json_option
def close(
    number: int, words: str, author: str | None, config: Path, data: Path | None, *, as_json: bool
) -> None:
    """Close a ticket, with a last word if you like."""
    moment = clock.now()
    message = NewMessage(author=_author(author), body=words, at=moment, action="close")
    with writing(config, data) as tx:
        after = desk_actions.close(tx, lambda tx, entries: append(tx, entries, moment), number, message)
    _confirm(after, as_json=as_json)


def _confirm(after: DeskTicket, *, as_json: bool) -> None:
    shape: dict[str, Any] = desk_shape(after)
    if as_json:
        print_json(shape)
    else:
        click.echo(
            f"{after.id}  {after.status} · {after.priority} · {after.assignee or 'nobody'}  {after.subject}"
        )
