"""incident: what customers and operators were told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from monitor.cli.common import (
    clock,
    config_option,
    data_option,
    json_option,
    local,
    print_json,
    print_quote,
    print_table,
    reading,
)
from monitor.errors import NotFoundError
from monitor.identifiers import IncidentId
from monitor.incidents.incident import CheckEvidence
from monitor.station.shapes import evidence_shape, incident_shape
from monitor.store import journal, readings
from monitor.tickets.wording import evidence_so_far

_NAMES = 20
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


@click.group()
def incident() -> None:
    """Incidents: list, show."""


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
        tickets = {row.incident: row.reference for row in readings.tickets(tx)}
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
            }
        )
        return
    click.secho(found.title["en"], bold=True)
    click.echo(f"  {found.title['es']}")
    click.echo(f"  stage {found.stage} · impact {found.impact} · {found.audience} · {found.origin}")
    click.echo(f"  servers {', '.join(found.servers)} · checks {', '.join(map(str, found.checks))}")
    click.echo(f"  started {local(found.started_at, zone)} · ended {local(found.ended_at, zone)} ({zone})")
    click.echo(f"  ticket {reference or 'none'}")
    for update in found.updates:
        click.echo(f"\n  {local(update.at, zone)}  {update.stage}  ({update.author})")
        for language, words in update.text.items():
            click.echo(f"    {language}: {words}")
    for each in evidence:
        _show(each, zone)


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
