"""plan and apply: what a changed configuration would do, and doing it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from threading import Event

import click

from monitor.actions import asking
from monitor.cli.common import (
    bound_configuration,
    clock,
    config_option,
    data_option,
    json_option,
    open_database,
    print_json,
)
from monitor.errors import SchemaError
from monitor.fleet import Fleet
from monitor.inventory import Configuration
from monitor.inventory.changes import Change, Detail, What, changes, is_drastic
from monitor.status.snapshot import STALE_AFTER
from monitor.store import readings
from monitor.store.database import Database

_PATIENCE_S = 30.0
_PAUSE_S = 0.1
_SIGNS = {What.ADDED: "+", What.CHANGED: "~", What.RETIRED: "-"}


@click.command()
@click.argument("file", type=click.Path(path_type=Path), required=False)
@config_option
@data_option
@json_option
def plan(file: Path | None, config: Path, data: Path | None, *, as_json: bool) -> int:
    """Show what applying the configuration would change; nothing is changed."""
    wanted, found, applied = _planned(file or config, data)
    if as_json:
        print_json(
            {
                "changes": [_change_shape(change) for change in found],
                "needs_apply": is_drastic(applied, wanted.fleet),
            }
        )
        return 0
    _show(found, wanted.path)
    if is_drastic(applied, wanted.fleet):
        click.echo("So many servers would go that watch waits for `vigia apply`.")
    return 0


@click.command()
@config_option
@data_option
@json_option
def apply(config: Path, data: Path | None, *, as_json: bool) -> int:
    """Put the configuration file in force now, whatever goes with it; exit status 1 if it is not in force in the end."""
    wanted, found, _ = _planned(config, data)
    with closing(open_database(config, wanted.settings.data)) as database:
        answer = _ordered(database, wanted)
    problem = _problem(answer, wanted)
    if as_json:
        print_json(
            {"applied": not problem, "problem": problem, "changes": [_change_shape(each) for each in found]}
        )
    elif problem:
        click.echo(f"vigia: {problem}", err=True)
    else:
        _show(found, wanted.path)
        click.echo("in force")
    return 1 if problem else 0


def _ordered(database: Database, wanted: Configuration) -> asking.Told | None:
    """Leave the order and return what watch made of it, None if it does not say in time."""
    with database.writing() as tx:
        heard = readings.heard_at(tx)
        order = asking.order(tx, wanted.digest, clock.now())
    if heard is None or clock.now() - heard > STALE_AFTER:
        return None
    never, deadline = Event(), clock.monotonic() + _PATIENCE_S
    while clock.monotonic() < deadline:
        never.wait(_PAUSE_S)
        with database.reading() as tx:
            told = asking.told(tx)
        if told is not None and told.order == order.id:
            return told
    return None


def _planned(file: Path, data: Path | None) -> tuple[Configuration, Sequence[Change], Fleet | None]:
    """Return the configuration of a file, what it would change, and what is watched now."""
    wanted = bound_configuration(file, data)
    try:
        with closing(open_database(file, wanted.settings.data)) as database, database.reading() as tx:
            applied = readings.fleet(tx)
    except SchemaError:
        applied = None
    return wanted, changes(applied, wanted.fleet), applied


def _problem(answer: asking.Told | None, wanted: Configuration) -> str:
    if answer is None:
        return "watch does not answer: start it with `vigia run`, which applies the file as it stands then"
    if answer.problem:
        return answer.problem
    if answer.digest != wanted.digest:
        return f"watch follows another file: {answer.path}"
    return ""


def _show(found: Sequence[Change], path: Path) -> None:
    if not found:
        click.echo(f"{path}: nothing changes in what is watched")
    for change in found:
        click.echo(f"{_SIGNS[change.what]} {change.kind} {change.name}".rstrip())
        for detail in change.details:
            click.echo(f"    {detail.field}: {_said(detail.before)} -> {_said(detail.after)}")


def _said(value: str | None) -> str:
    return "(not said)" if value is None else value or "(nothing)"


def _change_shape(change: Change) -> dict[str, object]:
    return {
        "what": change.what,
        "kind": change.kind,
        "name": change.name,
        "details": [_detail_shape(detail) for detail in change.details],
    }


def _detail_shape(detail: Detail) -> dict[str, object]:
    return {"field": detail.field, "before": detail.before, "after": detail.after}
