"""What people do on the built-in desk: open, reply, assign, close, reopen, priority, move, merge, link."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from monitor.actions import desk_deeds
from monitor.actions.desk_asking import Asked, ask, fault_of, ticket_about
from monitor.cli.common import writing
from monitor.cli.desk_common import (
    PRIORITIES,
    TICKET,
    as_option,
    confirm,
    deed_options,
    person,
    read_words,
    where_options,
)
from monitor.identifiers import IncidentId
from monitor.store.desk_requesters import requester_of
from monitor.tickets.port import Priority

_CHANNELS = ("phone", "chat", "mail", "ticket")


@click.command("open")
@click.option("--requester", metavar="ADDRESS", required=True, help="Whose ticket it is.")
@click.option("--subject", metavar="TEXT", required=True, help="What it is about, in one line.")
@click.option("--department", metavar="ID", required=True, help="The department that it is for.")
@click.option(
    "--channel", type=click.Choice(_CHANNELS), default="phone", show_default=True, help="How it reached us."
)
@click.option(
    "--priority", type=click.Choice(PRIORITIES), default="normal", show_default=True, help="How urgent it is."
)
@click.option("--incident", metavar="INCIDENT", default=None, help="The incident that it belongs to.")
@click.argument("words", metavar="[TEXT]", default="-")
@as_option
@where_options
def open_(
    words: str,
    requester: str,
    subject: str,
    department: str,
    channel: Any,
    priority: str,
    incident: str | None,
    author: str | None,
    config: Path,
    data: Path | None,
    *,
    as_json: bool,
) -> None:
    """Open a ticket for a customer who called or wrote; the words stand at the end, or come from standard input."""
    by, body = person(author), read_words(words)
    asked = Asked(
        requester=requester,
        subject=subject,
        body=body,
        department=department,
        channel=channel,
        priority=Priority(priority),
    )
    with writing(config, data) as tx:
        after = ask(tx, asked, by.at, by)
        fault, has_one = None, None
        if incident is None:
            fault = fault_of(tx, after.requester, subject, body)
            has_one = None if fault is None else ticket_about(tx, after.requester, fault, department)
        else:
            after = desk_deeds.link(tx, after.id, IncidentId(incident), by)
        stranger = requester_of(tx, after.requester) is None
    confirm(after, config, data, as_json=as_json)
    if stranger:
        click.echo(f"{after.requester} is not registered: `vigia desk requester add` does that", err=True)
    if fault is not None:
        told = f"the incident {fault.id} seems to be the same problem ({fault.title['en']})"
        click.echo(f"{told}: `vigia desk link {after.id} {fault.id}`", err=True)
    if has_one is not None:
        told = f"its requester has ticket {has_one.id} about that already"
        click.echo(f"{told}: `vigia desk merge {after.id} into {has_one.id}`", err=True)


@click.command()
@click.argument("number", type=TICKET, metavar="TICKET")
@click.argument("words", metavar="TEXT")
@click.option("--internal", is_flag=True, help="For the department alone: it is no answer to the customer.")
@deed_options
def reply(
    number: int,
    words: str,
    author: str | None,
    seen: int | None,
    config: Path,
    data: Path | None,
    *,
    internal: bool,
    as_json: bool,
) -> None:
    """Write on a ticket; with `-` the words come from standard input."""
    by, body = person(author, seen), read_words(words)
    with writing(config, data) as tx:
        after = desk_deeds.reply(tx, number, body, by, internal=internal)
    confirm(after, config, data, as_json=as_json)


@click.command()
@click.argument("number", type=TICKET, metavar="TICKET")
@click.argument("to", metavar="PERSON")
@deed_options
def assign(
    number: int,
    to: str,
    author: str | None,
    seen: int | None,
    config: Path,
    data: Path | None,
    *,
    as_json: bool,
) -> None:
    """Hand a ticket to a person; `-` for nobody."""
    by = person(author, seen)
    with writing(config, data) as tx:
        after = desk_deeds.assign(tx, number, None if to == "-" else to, by)
    confirm(after, config, data, as_json=as_json)


@click.command()
@click.argument("number", type=TICKET, metavar="TICKET")
@click.argument("words", metavar="TEXT", default="")
@deed_options
def close(
    number: int,
    words: str,
    author: str | None,
    seen: int | None,
    config: Path,
    data: Path | None,
    *,
    as_json: bool,
) -> None:
    """Close a ticket, with a last word for the customer if you like."""
    by, body = person(author, seen), read_words(words)
    with writing(config, data) as tx:
        after = desk_deeds.close(tx, number, body, by)
    confirm(after, config, data, as_json=as_json)


@click.command()
@click.argument("number", type=TICKET, metavar="TICKET")
@deed_options
def reopen(
    number: int, author: str | None, seen: int | None, config: Path, data: Path | None, *, as_json: bool
) -> None:
    """Open a closed ticket again."""
    by = person(author, seen)
    with writing(config, data) as tx:
        after = desk_deeds.reopen(tx, number, by)
    confirm(after, config, data, as_json=as_json)


@click.command()
@click.argument("number", type=TICKET, metavar="TICKET")
@click.argument("to", type=click.Choice(PRIORITIES), metavar="PRIORITY")
@deed_options
def priority(
    number: int,
    to: str,
    author: str | None,
    seen: int | None,
    config: Path,
    data: Path | None,
    *,
    as_json: bool,
) -> None:
    """Give a ticket another priority: low, normal, high or urgent."""
    by = person(author, seen)
    with writing(config, data) as tx:
        after = desk_deeds.prioritise(tx, number, Priority(to), by)
    confirm(after, config, data, as_json=as_json)


@click.command()
@click.argument("number", type=TICKET, metavar="TICKET")
@click.argument("department", metavar="DEPARTMENT")
@deed_options
def move(
    number: int,
    department: str,
    author: str | None,
    seen: int | None,
    config: Path,
    data: Path | None,
    *,
    as_json: bool,
) -> None:
    """Hand a ticket to another department."""
    by = person(author, seen)
    with writing(config, data) as tx:
        after = desk_deeds.move(tx, number, department, by)
    confirm(after, config, data, as_json=as_json)


@click.command()
@click.argument("number", type=TICKET, metavar="TICKET")
@click.argument("between", type=click.Choice(("into",)), metavar="into")
@click.argument("into", type=TICKET, metavar="TICKET")
@deed_options
def merge(
    number: int,
    between: str,
    into: int,
    author: str | None,
    seen: int | None,
    config: Path,
    data: Path | None,
    *,
    as_json: bool,
) -> None:
    """Let a ticket go on in another: `vigia desk merge 7 into 3`. What was written on either is read there."""
    del between
    by = person(author, seen)
    with writing(config, data) as tx:
        after = desk_deeds.merge(tx, number, into, by)
    confirm(after, config, data, as_json=as_json)


@click.command()
@click.argument("number", type=TICKET, metavar="TICKET")
@click.argument("incident", metavar="INCIDENT")
@deed_options
def link(
    number: int,
    incident: str,
    author: str | None,
    seen: int | None,
    config: Path,
    data: Path | None,
    *,
    as_json: bool,
) -> None:
    """Let a ticket belong to an incident; `-` for none."""
    by = person(author, seen)
    with writing(config, data) as tx:
        after = desk_deeds.link(tx, number, None if incident == "-" else IncidentId(incident), by)
    confirm(after, config, data, as_json=as_json)


def join(group: click.Group) -> None:
    """Add every command of this file to the desk's."""
    for command in (open_, reply, assign, close, reopen, priority, move, merge, link):
        group.add_command(command)
