"""probe: look once, now."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path

import click
import uvloop
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn

from monitor.checks import is_passive
from monitor.checks.building import build
from monitor.cli.common import (
    clock,
    config_option,
    configuration,
    data_option,
    json_option,
    local,
    print_json,
    print_quote,
    reading,
)
from monitor.errors import NotFoundError, StoreError
from monitor.fleet import CheckPlan
from monitor.identifiers import ServerId
from monitor.inventory import Configuration
from monitor.observation import Observation, Outcome
from monitor.prober import Prober, open_tools
from monitor.station.heartbeats import standing, unawaited
from monitor.station.opening import resolver_settings
from monitor.station.shapes import observation_shape

_NAMES = 20
_WIDTH = 40


@click.command()
@click.argument("what", metavar="SERVER[/CHECK]")
@config_option
@data_option
@json_option
def probe(what: str, config: Path, data: Path | None, *, as_json: bool) -> int:
    """Look once, now, and show phases and evidence; nothing is recorded."""
    loaded = configuration(config, data=data)
    plans = _chosen(loaded, what)
    looked_at = tuple(plan for plan in plans if not is_passive(plan.kind))
    seen = {each.check: each for each in (*uvloop.run(_look(loaded, looked_at)), *_standing(loaded, plans))}
    observations = [seen[plan.key] for plan in plans]
    targets = {plan.key: build(plan.kind, plan.options, loaded.secrets).target for plan in plans}
    if as_json:
        shapes = [observation_shape(observation, targets[observation.check]) for observation in observations]
        print_json(shapes[0] if "/" in what else {"server": what, "checks": shapes})
    else:
        for observation in observations:
            _show(observation, targets[observation.check])
    return 0 if all(observation.outcome in (Outcome.OK, Outcome.WARN) for observation in observations) else 1


def _standing(loaded: Configuration, plans: tuple[CheckPlan, ...]) -> list[Observation]:
    """Return what is known of the checks that report by themselves: there is nothing to look at."""
    heartbeats = [plan for plan in plans if is_passive(plan.kind)]
    if not heartbeats:
        return []
    now, zone = clock.now(), loaded.fleet.site.timezone
    try:
        with reading(loaded.path, loaded.settings.data) as tx:
            return [standing(tx, plan, zone, now) for plan in heartbeats]
    except StoreError as error:
        return [unawaited(plan, str(error), now) for plan in heartbeats]


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
    """Print one look from the verdict down to the line that repeats it."""
    cause = "" if observation.cause is None else f" · {observation.cause}"
    verdict = click.style(
        f"{observation.check}  {observation.outcome}{cause}", bold=True, fg=_colour(observation.outcome)
    )
    click.echo(f"{verdict}  {_milliseconds(observation.took_ms)}")
    if observation.found:
        click.echo(f"  {observation.found}")
    for name, value in (*_facts(observation, target), *_timeline(observation.phases)):
        click.echo(f"  {name:<{_NAMES}}{value}")
    print_quote("came back", observation.excerpt)
    print_quote("repeat it with", observation.reproduce)


def _facts(observation: Observation, target: str) -> Iterator[tuple[str, str]]:
    yield "target", target
    for place in observation.via:
        yield "led to", place
    if observation.address is not None:
        yield "address", observation.address
    if observation.tls_expires_at is not None:
        days = (observation.tls_expires_at - observation.started_at).days
        yield "certificate until", f"{local(observation.tls_expires_at, 'UTC')} UTC ({days} days)"
    for measure in observation.measures:
        yield measure.name.replace("_", " "), f"{measure.value:g} {measure.unit}".rstrip()


def _timeline(phases: Mapping[str, float]) -> Iterator[tuple[str, str]]:
    """Give each phase a bar that begins where the one before ended."""
    spent = [(name, took) for name, took in phases.items() if name != "total"]
    whole = max(sum(took for _, took in spent), phases.get("total", 0.0)) or 1.0
    begun = 0.0
    for name, took in spent:
        length = max(1, round(_WIDTH * took / whole))
        before = min(round(_WIDTH * begun / whole), _WIDTH - length)
        yield name.replace("_", " "), f"{' ' * before + '█' * length:<{_WIDTH}} {_milliseconds(took):>10}"
        begun += took


def _milliseconds(took: float) -> str:
    return f"{took:.1f} ms" if took < 1000 else f"{took / 1000:.2f} s"


def _colour(outcome: Outcome) -> str:
    return {
        Outcome.OK: "green",
        Outcome.WARN: "yellow",
        Outcome.DOWN: "red",
        Outcome.UNKNOWN: "bright_black",
    }[outcome]
