"""incident: what customers and operators were told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from monitor.actions import word
from monitor.cli import declaring
from monitor.cli.common import (
    author_option,
    clock,
    config_option,
    data_option,
    end_of,
    json_option,
    local,
    print_json,
    print_quote,
    print_table,
    reading,
    writing,
)
from monitor.cli.saying import tell, texts_of
from monitor.cli.unopened import unopened_tickets
from monitor.errors import NotFoundError
from monitor.health.words import Status
from monitor.identifiers import IncidentId
from monitor.incidents.incident import CheckEvidence, Incident
from monitor.station.shapes import evidence_shape, incident_shape, note_shape
from monitor.store import journal, readings
from monitor.store.database import Transaction
from monitor.store.readings import Note
from monitor.tickets.port import Deed
from monitor.tickets.story import evidence_so_far

_NAMES = 20
# What was not written, but done, and to whom or what.
_DEEDS = {Deed.ASSIGNED: "assigned to {}", Deed.PRIORITY: "priority {}", Deed.MERGED: "merged into {}"}
_FAILING = (Status.DEGRADED_PERFORMANCE, Status.PARTIAL_OUTAGE, Status.MAJOR_OUTAGE)
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


@click.group()
def incident() -> None:
    """Incidents: list, show, open, update, acknowledge, resolve, retract."""


incident.add_command(declaring.open_)
incident.add_command(declaring.update)


@incident.command("list")
@click.option("--open", "only_open", is_flag=True, help="Only those that are not resolved.")
@config_option
@data_option
@json_option
def list_(config: Path, data: Path | None, *, only_open: bool, as_json: bool) -> None:
    """List incidents, newest first."""
    with reading(config, data) as tx:
        # A second ahead, so that what opened this very moment is in.
        found = readings.incidents_between(tx, _BEGINNING, clock.now() + timedelta(seconds=1))
        tickets = readings.references(tx)
        zone = readings.zone(tx)
    chosen = [each for each in found if each.open or not only_open]
    if as_json:
        print_json([incident_shape(each, tickets.get(each.id)) for each in chosen])
        return
    print_table(
        "Incidents",
        ("id", "stage", "impact", "audience", "servers", "started", "ended", "ticket", "title"),
        (
            (
                each.id,
                each.stage,
                each.impact,
                each.audience,
                ", ".join(each.servers),
                local(each.started_at, zone),
                local(each.ended_at, zone),
                tickets.get(each.id, "–"),
                each.title["en"],
            )
            for each in chosen
        ),
        nothing="No incidents.",
    )


@incident.command()
@click.argument("incident_id", metavar="INCIDENT")
@config_option
@data_option
@json_option
def show(incident_id: str, config: Path, data: Path | None, *, as_json: bool) -> None:
    """Show one incident with all its updates in both languages, and what was found when its checks failed."""
    with reading(config, data) as tx:
        found = readings.incident(tx, IncidentId(incident_id))
        ticket = readings.ticket_of(tx, IncidentId(incident_id))
        told = tuple(numbered.entry for numbered in journal.entries(tx, subject=incident_id))
        not_yet = [name for name, row in unopened_tickets(tx) if row.incident == incident_id]
        notes = () if ticket is None else readings.notes(tx, ticket.reference)
        zone = readings.zone(tx)
    if found is None:
        raise NotFoundError(f"there is no incident {incident_id!r}; `vigia incident list` shows them")
    reference = None if ticket is None else ticket.reference
    evidence = evidence_so_far(told)
    if as_json:
        print_json(
            {
                **incident_shape(found, reference),
                "evidence": [evidence_shape(each) for each in evidence],
                "notes": [note_shape(each) for each in notes],
            }
        )
        return
    click.secho(found.title["en"], bold=True)
    click.echo(f"  {found.title['es']}")
    click.echo(f"  stage {found.stage} · impact {found.impact} · {found.audience} · {found.origin}")
    click.echo(f"  servers {', '.join(found.servers)} · checks {', '.join(map(str, found.checks))}")
    click.echo(f"  started {local(found.started_at, zone)} · ended {local(found.ended_at, zone)} ({zone})")
    click.echo(f"  ticket {reference or ', '.join(f'{name}, not opened yet' for name in not_yet) or 'none'}")
    _show_words(found, zone)
    for update in found.updates:
        click.echo(f"\n  {local(update.at, zone)}  {update.stage}  ({update.author})")
        for language, words in update.text.items():
            click.echo(f"    {language}: {words}")
    for each in evidence:
        _show(each, zone)
    for note in notes:
        _show_note(note, zone)


def _show_note(note: Note, zone: str) -> None:
    """Print what a person did or wrote on the ticket."""
    told = _DEEDS.get(Deed(note.deed), "") if note.body else ""
    click.echo(f"\n  {local(note.at, zone)}  ticket: {told.format(note.body) or note.deed}  ({note.author})")
    if not told:
        print_quote("wrote", note.body)


def _show_words(found: Incident, zone: str) -> None:
    """Print what operators said of an incident."""
    if found.drill_until is not None:
        click.echo(f"  a drill: customers see nothing of it; it ends by {local(found.drill_until, zone)}")
    if (held := found.acknowledged) is not None:
        until = "its end" if held.until is None else local(held.until, zone)
        expired = "" if held.holds(clock.now()) else " (expired)"
        click.echo(f"  in hand of {held.author} since {local(held.at, zone)}, until {until}{expired}")
    if (withdrawn := found.retracted) is not None:
        click.echo(f"  retracted by {withdrawn.author} at {local(withdrawn.at, zone)}: {withdrawn.reason}")


@incident.command()
@click.argument("incident_id", metavar="INCIDENT")
@click.option("--until", default=None, metavar="'YYYY-MM-DD HH:MM'", help="Until when, in the site's zone.")
@click.option("--for", "lasts", default=None, metavar="DURATION", help="For how long, as 90m or 4h.")
@author_option
@config_option
@data_option
@json_option
def acknowledge(
    incident_id: str,
    until: str | None,
    lasts: str | None,
    author: str,
    config: Path,
    data: Path | None,
    *,
    as_json: bool,
) -> None:
    """Take an incident in hand: operators hear no more of it until then, or until its end. All else goes on."""
    moment = clock.now()
    with writing(config, data) as tx:
        zone = readings.zone(tx)
        end = end_of(until, lasts, zone, moment)
        held = word.acknowledge(tx, IncidentId(incident_id), end, author=author, moment=moment)
        ticket = readings.ticket_of(tx, held.id)
    until_then = "its end" if end is None else local(end, zone)
    tell(held, ticket, f"{incident_id} is in hand of {author} until {until_then}.", as_json=as_json)


@incident.command()
@click.argument("incident_id", metavar="INCIDENT")
@click.option(
    "--text",
    "words",
    multiple=True,
    metavar="LANGUAGE=TEXT",
    help="What customers read, as es=… and en=…; a plain sentence on its own.",
)
@author_option
@config_option
@data_option
@json_option
def resolve(
    incident_id: str,
    words: tuple[str, ...],
    author: str,
    config: Path,
    data: Path | None,
    *,
    as_json: bool,
) -> None:
    """Resolve an incident; it does not reopen by itself, and what still fails is not told again until it recovers."""
    texts = texts_of(words)
    with writing(config, data) as tx:
        over = word.resolve(tx, IncidentId(incident_id), author=author, moment=clock.now(), words=texts)
        ticket = readings.ticket_of(tx, over.id)
        failing = _failing(tx, over)
    tell(over, ticket, f"Resolved {incident_id}.", as_json=as_json)
    _warn(failing)


@incident.command()
@click.argument("incident_id", metavar="INCIDENT")
@click.option(
    "--reason",
    required=True,
    help="Why it was a false alarm, in the site's first language; customers read it.",
)
@click.option("--reason-en", default=None, help="The same in English.")
@author_option
@config_option
@data_option
@json_option
def retract(
    incident_id: str,
    reason: str,
    reason_en: str | None,
    author: str,
    config: Path,
    data: Path | None,
    *,
    as_json: bool,
) -> None:
    """Withdraw an incident that was a false alarm: it is closed, and the availability of its servers is put right."""
    with writing(config, data) as tx:
        withdrawn = word.retract(
            tx,
            IncidentId(incident_id),
            {"es": reason, "en": reason_en or reason},
            author=author,
            moment=clock.now(),
        )
        ticket = readings.ticket_of(tx, withdrawn.id)
        failing = _failing(tx, withdrawn)
    tell(withdrawn, ticket, f"Retracted {incident_id}.", as_json=as_json)
    _warn(failing)


def _failing(tx: Transaction, found: Incident) -> list[str]:
    """Return the servers of an incident that are judged to fail all the same."""
    standing = readings.standing(tx, found.servers)
    return [server for server, held in standing.items() if held.judged.status in _FAILING]


def _warn(failing: Sequence[str]) -> None:
    if failing:
        click.echo(
            f"{', '.join(failing)} still fails; that is not told again until it has recovered. "
            "`vigia force` shows it as you see it.",
            err=True,
        )


def _show(evidence: CheckEvidence, zone: str) -> None:
    """Print what was found when a check failed, as the ticket tells it."""
    cause = "" if evidence.cause is None else f" · {evidence.cause}"
    click.secho(f"\n{evidence.check}  {evidence.outcome}{cause}", bold=True)
    facts = (
        ("found", evidence.found),
        ("failing since", local(evidence.failing_since, zone)),
        ("looked at", local(evidence.looked_at, zone)),
        *(("led to", place) for place in evidence.via),
        ("address", evidence.address or ""),
    )
    for name, value in facts:
        if value:
            click.echo(f"  {name:<{_NAMES}}{value}")
    print_quote("came back", evidence.excerpt)
    print_quote("repeat it with", evidence.reproduce)
