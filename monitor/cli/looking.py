"""probe: look once, now."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path

import click
import uvloop
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn

from monitor.checks.building import build
from monitor.cli.common import (
    clock,
    config_option,
    configuration,
    data_option,
    json_option,
    local,
    print_json,
)
from monitor.errors import NotFoundError
from monitor.fleet import CheckPlan
from monitor.identifiers import ServerId
from monitor.inventory import Configuration
from monitor.observation import Measure, Observation, Outcome
from monitor.prober import Prober, open_tools
from monitor.station.opening import resolver_settings
from monitor.station.shapes import observation_shape


@click.command()
@click.argument("what", metavar="SERVER[/CHECK]")
@config_option
@data_option
@json_option
def probe(what: str, config: Path, data: Path | None, *, as_json: bool) -> int:
    """Look once, now, and show phases and evidence; nothing is recorded."""
    loaded = configuration(config, data=data)
    plans = _chosen(loaded, what)
    observations = uvloop.run(_look(loaded, plans))
    targets = {plan.key: build(plan.kind, plan.options, loaded.secrets).target for plan in plans}
    if as_json:
        shapes = [observation_shape(observation, targets[observation.check]) for observation in observations]
        print_json(shapes[0] if "/" in what else {"server": what, "checks": shapes})
    else:
        for observation in observations:
            _show(observation, targets[observation.check])
    return 0 if all(observation.outcome in (Outcome.OK, Outcome.WARN) for observation in observations) else 1


def _chosen(loaded: Configuration, what: str) -> tuple[CheckPlan, ...]:
    server_id, _, check_id = what.partition("/")
    known_servers = [server.id for server in loaded.fleet.servers]
    if server_id not in known_servers:
        near = get_close_matches(server_id, known_servers) or known_servers[:5]
        raise NotFoundError(f"there is no server {server_id!r}; did you mean {' or '.join(near)}?")
    server = loaded.fleet.server(ServerId(server_id))
    plans = tuple(plan for plan in server.checks if check_id in ("", plan.key.check))
    if not plans:
        known = ", ".join(plan.key.check for plan in server.checks)
        raise NotFoundError(f"the server {server_id!r} has no check {check_id!r}; it has: {known}")
    return plans


async def _look(loaded: Configuration, plans: tuple[CheckPlan, ...]) -> list[Observation]:
    settings = loaded.settings
    async with open_tools(resolver_settings(settings), clock, policy=settings.targets) as tools:
        prober = Prober(tools=tools, clock=clock, deliver=lambda _observation: None)
        try:
            with _spinner() as progress:
                progress.add_task(f"looking at {', '.join(str(plan.key) for plan in plans)} …")
                looks = (
                    prober.look_once(plan, build(plan.kind, plan.options, loaded.secrets), whole=True)
                    for plan in plans
                )
                return list(await asyncio.gather(*looks))
        finally:
            await prober.close()


def _spinner() -> Progress:
    """Return what turns while a person waits; on standard error, for the answer may go into a pipe."""
    person = Console(stderr=True, markup=False, highlight=False)
    columns = SpinnerColumn(), TextColumn("{task.description}", markup=False)
    return Progress(*columns, console=person, transient=True, disable=not person.is_terminal)


def _show(observation: Observation, target: str) -> None:
    cause = "" if observation.cause is None else f" · {observation.cause}"
    click.secho(
        f"{observation.check}  {observation.outcome}{cause}", bold=True, fg=_colour(observation.outcome)
    )
    rows: list[tuple[str, str]] = [("target", target)]
    if observation.address is not None:
        rows.append(("address", observation.address))
    if observation.found:
        rows.append(("found", observation.found))
    rows.append(("took", f"{observation.took_ms:.1f} ms{_phases(observation.phases)}"))
    if observation.measures:
        rows.append(("measures", " · ".join(map(_measure, observation.measures))))
    if observation.tls_expires_at is not None:
        rows.append(("certificate until", local(observation.tls_expires_at, "UTC") + " UTC"))
    if observation.reproduce:
        rows.append(("reproduce", observation.reproduce))
    for name, value in rows:
        click.echo(f"  {name:<18}{value}")
    if observation.excerpt:
        click.echo("  excerpt")
        click.echo("\n".join(f"    {line}" for line in observation.excerpt.splitlines()[:20]))


def _phases(phases: Mapping[str, float]) -> str:
    spent = " · ".join(f"{name} {took:.1f}" for name, took in phases.items() if name != "total")
    return f"  ({spent})" if spent else ""


def _measure(measure: Measure) -> str:
    return f"{measure.name} {measure.value:g} {measure.unit}".rstrip()


def _colour(outcome: Outcome) -> str:
    return {
        Outcome.OK: "green",
        Outcome.WARN: "yellow",
        Outcome.DOWN: "red",
        Outcome.UNKNOWN: "bright_black",
    }[outcome]
