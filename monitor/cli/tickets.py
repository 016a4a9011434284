"""ticket: the tickets of incidents, at whichever helpdesk."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from pathlib import Path

import click

from monitor.cli.common import (
    config_option,
    data_option,
    json_option,
    local,
    print_json,
    print_table,
    reading,
)
from monitor.cli.trying import incident_of, retry, selftest
from monitor.cli.unanswered import unanswered
from monitor.cli.unopened import unopened_tickets
from monitor.identifiers import ServerId
from monitor.journal.consequences import DeliveryState
from monitor.station.shapes import delivery_shape, ticket_shape, unopened_shape
from monitor.store import deliveries, readings
from monitor.store.deliveries import DeliveryRow
from monitor.store.readings import TicketRow

_STATES = {
    DeliveryState.READY: "waits for its turn",
    DeliveryState.CLAIMED: "is being prepared",
    DeliveryState.SENDING: "is under way",
    DeliveryState.RETRY: "surely not done, tried again at {due}",
    DeliveryState.AMBIGUOUS: "perhaps done, looked up at {due}",
    DeliveryState.LOOKUP: "is being looked up",
    DeliveryState.DONE: "confirmed, or nothing was left to do",
    DeliveryState.REJECTED: "refused, `vigia ticket retry` tries it again",
}


def _show_head(row: TicketRow | None, reference: str, zone: str) -> None:
    if row is None:
        click.secho(f"{reference}: not opened yet", bold=True)
        return
    click.secho(row.subject, bold=True)
    click.echo(
        f"  {row.reference} · {row.helpdesk} {row.ticket} · {row.department} · {row.priority} · {row.status}"
    )
    click.echo(f"  {row.url}")
    click.echo(f"  opened {local(row.opened_at, zone)} · closed {local(row.closed_at, zone)} ({zone})")


def _state(row: DeliveryRow, zone: str) -> str:
    return f"{row.state}: {_STATES[row.state].format(due=local(row.due_at, zone))}"


def _named(lists: Iterable[tuple[ServerId, ...]]) -> list[ServerId]:
    return list(dict.fromkeys(chain.from_iterable(lists)))


@click.group()
def ticket() -> None:
    """Tickets at whichever helpdesk: list, show, unanswered, retry, selftest."""


ticket.add_command(unanswered)
ticket.add_command(retry)
ticket.add_command(selftest)


@ticket.command("list")
@config_option
@data_option
@json_option
def list_(config: Path, data: Path | None, *, as_json: bool) -> None:
    """List tickets, newest first: those that are not opened yet, with what keeps them, and those that are."""
    with reading(config, data) as tx:
        rows = readings.tickets(tx)
        unopened = unopened_tickets(tx)
        zone = readings.zone(tx)
    if as_json:
        not_yet = [
            {**unopened_shape(reference, (row.incident,)), "delivery": row.state}
            for reference, row in unopened
        ]
        print_json([*not_yet, *(ticket_shape(row) for row in rows)])
        return
    not_yet_opened = [
        (reference, "", "", "", "", "not opened yet", "", f"{_state(row, zone)}  {row.detail}".rstrip())
        for reference, row in unopened
    ]
    print_table(
        "Tickets",
        ("reference", "helpdesk", "id", "department", "priority", "status", "opened", "subject"),
        not_yet_opened
        + [
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
        ],
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
        incident = incident_of(tx, reference)
        names = (incident,) if row is None else row.incidents
        about = [one for name in names if (one := readings.incident(tx, name)) is not None]
        sent = deliveries.of_incident(tx, incident)
        tries = {each.id: deliveries.attempts_of(tx, each.id) for each in sent}
        zone = readings.zone(tx)
    if as_json:
        print_json(
            {
                **(unopened_shape(reference, names) if row is None else ticket_shape(row)),
                "servers": _named(one.servers for one in about),
                "unreachable": _named(one.unreachable for one in about),
                "deliveries": [delivery_shape(each, tries[each.id]) for each in sent],
            }
        )
        return
    _show_head(row, reference, zone)
    for one in about:
        click.echo(f"  incident {one.id}, {one.stage}: {', '.join(one.servers)}")
        if one.unreachable:
            click.echo(f"  behind them: {', '.join(one.unreachable)}")
    for each in sent:
        click.echo(f"\n  {each.channel} {each.action}  {_state(each, zone)}  {each.detail}".rstrip())
        for attempt in tries[each.id]:
            began, ended = local(attempt.started_at, zone), local(attempt.ended_at, zone)
            click.echo(
                f"    {attempt.number}. {began} – {ended}  {attempt.outcome or 'under way'}  {attempt.detail}"
            )
