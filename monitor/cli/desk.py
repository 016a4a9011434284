"""desk: the helpdesk that is built in. Here is what is read; what people do lies in `desk_deeds`, who may ask in `desk_requesters`."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from pathlib import Path

import click

from monitor.actions.desk_deeds import incidents_of
from monitor.cli import desk_deeds, desk_mail, desk_requesters
from monitor.cli.common import local, print_json, print_table, reading
from monitor.cli.desk_common import TICKET, as_option, name_of, shape_of, where_options
from monitor.identifiers import IncidentId
from monitor.language.phrases import one_line
from monitor.station.shapes import Shape, change_shape, message_shape
from monitor.store import desk as desk_store
from monitor.store import readings
from monitor.store.database import Transaction
from monitor.store.desk_requesters import requester_of
from monitor.store.desk_search import query_of
from monitor.store.desk_search import search as find
from monitor.store.desk_values import DeskChange, DeskMessage, DeskTicket, Wanted

_STATUSES = ("open", "answered", "closed")


@click.group()
def desk() -> None:
    """The built-in helpdesk: what needs somebody, and everything that people do about it."""


@desk.command("list")
@click.option("--all", "closed", is_flag=True, help="Closed tickets as well.")
@click.option("--department", metavar="ID", default=None, help="Only those of one department.")
@click.option("--status", type=click.Choice(_STATUSES), default=None, help="Only those that stand so.")
@click.option("--mine", is_flag=True, help="Only those that are in your hands, or in those of `--as`.")
@click.option("--unanswered", is_flag=True, help="Only those that need an answer.")
@as_option
@where_options
def list_(
    config: Path,
    data: Path | None,
    author: str | None,
    department: str | None,
    status: str | None,
    *,
    closed: bool,
    mine: bool,
    unanswered: bool,
    as_json: bool,
) -> None:
    """List what needs somebody, the most urgent and oldest first; as JSON everything, with its messages."""
    if unanswered and status not in (None, "open"):
        raise click.UsageError("what needs an answer is open: leave out --status or --unanswered")
    wanted = Wanted(
        closed=closed or as_json,
        department=department,
        status="open" if unanswered else status,
        assignee=name_of(author) if mine else None,
    )
    with reading(config, data) as tx:
        found = desk_store.list_tickets(tx, wanted=wanted)
        shapes = [_with_messages(tx, each) for each in found] if as_json else []
        zone = readings.zone(tx)
    if as_json:
        print_json(shapes)
        return
    print_table(
        "Desk",
        ("id", "priority", "status", "department", "assignee", "requester", "opened", "answered", "subject"),
        (
            (
                each.id,
                each.priority,
                each.status,
                each.department,
                each.assignee or "–",
                each.requester or "–",
                local(each.opened_at, zone),
                local(each.answered_at, zone),
                each.subject,
            )
            for each in found
        ),
        nothing="Nothing needs anybody.",
    )


@desk.command()
@click.argument("number", type=TICKET, metavar="TICKET")
@where_options
def show(number: int, config: Path, data: Path | None, *, as_json: bool) -> None:
    """Show one ticket with everything that was written on it and done to it, and on those that were merged into it."""
    with reading(config, data) as tx:
        ticket = desk_store.show(tx, number)
        inside = desk_store.taken_in(tx, number)
        every = (number, *(each.id for each in inside))
        said = [word for each in every for word in desk_store.messages(tx, each)]
        done = [change for each in every for change in desk_store.changes(tx, each)]
        known = requester_of(tx, ticket.requester) if ticket.requester else None
        about = incidents_of(tx, ticket)
        shape = shape_of(tx, ticket)
        zone = readings.zone(tx)
    said.sort(key=attrgetter("at", "id"))
    if as_json:
        print_json(
            {
                **shape,
                "merged": [each.id for each in inside],
                "messages": [message_shape(each) for each in said],
                "history": [change_shape(each) for each in sorted(done, key=attrgetter("at", "id"))],
            }
        )
        return
    _print_head(ticket, about, "" if known is None else f"{known.name} {known.plan}".strip(), zone)
    if inside:
        click.echo(f"  merged into it: {', '.join(str(each.id) for each in inside)}")
    _print_thread(ticket, said, done, zone)


@desk.command()
@click.argument("words", metavar="WORDS", nargs=-1, required=True)
@where_options
def search(words: tuple[str, ...], config: Path, data: Path | None, *, as_json: bool) -> None:
    """Find tickets by words and "phrases" in subjects and messages, by requester:, status:, department: and the like.

    Accents and case do not matter; a word that ends in * stands for all that begin so. Exit status 1 if nothing is found.
    """
    asked = query_of(" ".join(words))
    with reading(config, data) as tx:
        hits = find(tx, asked)
        shapes = [{**shape_of(tx, hit.ticket), "excerpt": hit.excerpt} for hit in hits] if as_json else []
        zone = readings.zone(tx)
    if as_json:
        print_json(shapes)
    else:
        print_table(
            "Found",
            ("id", "status", "department", "requester", "changed", "subject", "around"),
            (
                (
                    hit.ticket.id,
                    hit.ticket.status,
                    hit.ticket.department,
                    hit.ticket.requester or "–",
                    local(hit.ticket.changed_at, zone),
                    hit.ticket.subject,
                    hit.excerpt,
                )
                for hit in hits
            ),
            nothing="Nothing was found.",
        )
    if not hits:
        raise click.exceptions.Exit(1)


def _with_messages(tx: Transaction, ticket: DeskTicket) -> Shape:
    words = desk_store.messages(tx, ticket.id)
    return {**shape_of(tx, ticket), "messages": [message_shape(word) for word in words]}


def _print_head(ticket: DeskTicket, incidents: Sequence[IncidentId], requester: str, zone: str) -> None:
    click.secho(f"#{ticket.id} {one_line(ticket.subject)}", bold=True)
    click.echo(
        f"  {ticket.status} · {ticket.priority} · {ticket.department} · {ticket.assignee or 'nobody'} · revision {ticket.revision}"
    )
    if ticket.requester:
        about = f" ({one_line(requester)})" if requester else ""
        click.echo(f"  from {ticket.requester}{about} by {ticket.channel}")
    if ticket.reference:
        click.echo(f"  {ticket.reference}")
    if incidents:
        click.echo(f"  incident {', '.join(incidents)}")
    if ticket.follows:
        click.echo(f"  goes on from {ticket.follows}, which was closed")
    if ticket.merged_into:
        click.echo(f"  merged into {ticket.merged_into}: it goes on there")
    moments = (("opened", ticket.opened_at), ("answered", ticket.answered_at), ("closed", ticket.closed_at))
    told = " · ".join(f"{name} {local(moment, zone)}" for name, moment in moments)
    click.echo(f"  {told} ({zone})")


def _print_thread(
    ticket: DeskTicket, said: Sequence[DeskMessage], done: Sequence[DeskChange], zone: str
) -> None:
    """Print words and deeds in the order in which they happened; what stands on a merged ticket names it."""
    words = [(each.at, 0, each.id, _word(each, ticket, zone)) for each in said if each.body]
    deeds = [(each.at, 1, each.id, _deed(each, ticket, zone)) for each in done]
    for _, _, _, lines in sorted((*words, *deeds), key=lambda each: each[:3]):
        click.echo(lines)


def _word(message: DeskMessage, ticket: DeskTicket, zone: str) -> str:
    where = "" if message.ticket == ticket.id else f" on #{message.ticket}"
    kind = " (internal)" if message.internal else ""
    head = f"\n  {local(message.at, zone)}  {message.author}{where}{kind}"
    # Whoever writes to us must not write on the terminal.
    lines = (f"    {one_line(line)}".rstrip() for line in message.body.splitlines())
    return "\n".join((click.style(head, bold=True), *lines))


def _deed(change: DeskChange, ticket: DeskTicket, zone: str) -> str:
    where = "" if change.ticket == ticket.id else f" on #{change.ticket}"
    told = f"{change.deed}: {change.before or '–'} → {change.after or '–'}"
    return click.style(f"\n  {local(change.at, zone)}  {change.author}{where}  {one_line(told)}", dim=True)


desk_deeds.join(desk)
desk.add_command(desk_requesters.requester)
desk.add_command(desk_mail.receive)
