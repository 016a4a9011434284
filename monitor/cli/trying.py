"""ticket selftest: does the helpdesk take tickets as it should. ticket retry: once more what it refused."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from pathlib import Path

import click

from monitor.actions.selftest import Step, Trial, inspected, unproven, written
from monitor.cli.common import (
    bound_configuration,
    clock,
    config_option,
    data_option,
    json_option,
    print_json,
    writing,
)
from monitor.clock import fresh_ulid
from monitor.errors import NotFoundError
from monitor.identifiers import IncidentId
from monitor.journal.consequences import Channel
from monitor.station.names import DATABASE
from monitor.station.office import helpdesk_of
from monitor.station.opening import at_hand, new_installation
from monitor.store import deliveries, readings
from monitor.store.database import Database, Transaction
from monitor.store.observations import installation_id


@click.command()
@click.option(
    "--write", is_flag=True, help="Open a ticket that is marked as a test, and see it through to its end."
)
@config_option
@data_option
@json_option
def selftest(config: Path, data: Path | None, *, write: bool, as_json: bool) -> int:
    """Examine the helpdesk as it is configured, also before the first start; exit status 1 if a ticket could not be opened and found there."""
    loaded = bound_configuration(config, data)
    with at_hand(loaded.settings.data / DATABASE) as database:
        options = loaded.settings.helpdesk
        helpdesk = helpdesk_of(loaded, database, clock)
        steps = _said(inspected(helpdesk, options.language, options.cautions()), as_json=as_json)
        if write and all(step.ok for step in steps):
            trial = Trial(
                helpdesk=helpdesk,
                installation=_installation(database),
                name=fresh_ulid(clock.now()),
                department=options.department,
                language=options.language,
                wait=threading.Event().wait,
            )
            steps += _said(written(trial), as_json=as_json)
        elif not write:
            steps += _said(unproven(options.doubts(), options.language), as_json=as_json)
    if as_json:
        print_json(
            [{"step": step.name, "ok": step.ok, "warns": step.warns, "detail": step.detail} for step in steps]
        )
    return 0 if all(step.ok for step in steps) else 1


def _said(steps: Iterable[Step], *, as_json: bool) -> list[Step]:
    """Print each step as soon as it is over, for some take as long as the helpdesk's index."""
    told = []
    for step in steps:
        told.append(step)
        if not as_json:
            click.echo(f"{_mark(step):6}  {step.name}: {step.detail}")
    return told


def _mark(step: Step) -> str:
    if not step.ok:
        return "FAILED"
    return "warn" if step.warns else "ok"


def _installation(database: Database) -> str:
    with database.writing() as tx:
        return installation_id(tx, new_installation)


@click.command()
@click.argument("reference", metavar="REFERENCE", required=False)
@click.option("--all", "every", is_flag=True, help="Everything that was refused, of every ticket.")
@config_option
@data_option
@json_option
def retry(reference: str | None, config: Path, data: Path | None, *, every: bool, as_json: bool) -> None:
    """Try again what the helpdesk refused, of one ticket or of all; watch sends it within a second."""
    if every == (reference is not None):
        raise click.UsageError("name one REFERENCE, or --all")
    with writing(config, data) as tx:
        incident = None if reference is None else incident_of(tx, reference)
        found = deliveries.appeal(tx, clock.now(), incident)
    if as_json:
        print_json({"retried": found})
    else:
        click.echo(f"{found} refused {'delivery is' if found == 1 else 'deliveries are'} tried again.")


def incident_of(tx: Transaction, reference: str) -> IncidentId:
    """Return whose ticket bears a reference, whether it was opened yet or not; raises NotFoundError if it is nobody's."""
    known = readings.ticket(tx, reference)
    if known is not None:
        return known.incident
    incident = IncidentId(reference.rpartition("-")[2])
    queued = deliveries.of_incident(tx, incident, Channel.TICKET)
    if not queued or readings.ticket_of(tx, incident) is not None:
        raise NotFoundError(f"there is no ticket {reference!r}; `vigia ticket list` shows them")
    return incident
