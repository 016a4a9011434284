"""backtest: what other settings would have told of the past."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import click

from monitor.actions.rehearse import rehearse
from monitor.checks.options.durations import parse_duration
from monitor.cli.common import (
    clock,
    config_option,
    configuration,
    data_option,
    json_option,
    local,
    open_database,
    print_json,
    print_table,
)
from monitor.health.uptime import Span
from monitor.identifiers import CheckKey, ServerId
from monitor.incidents.incident import Audience
from monitor.language.moments import short_duration
from monitor.language.refusals import RefusalError
from monitor.rehearsal.alarms import Alarm
from monitor.rehearsal.comparing import Difference, Flapping, Rehearsal, Side
from monitor.station.rehearsals import rehearsal_shape
from monitor.store import readings

_LONGEST = timedelta(days=3650)


@click.command()
@config_option
@data_option
@click.option(
    "--since",
    default="30d",
    show_default=True,
    metavar="DURATION",
    help="How far back to go, as 12h or 30d; looks are kept for as long as `keep` says.",
)
@click.option("--server", default=None, metavar="ID", help="This server alone.")
@json_option
def backtest(config: Path, data: Path | None, since: str, server: str | None, *, as_json: bool) -> int:
    """Judge the stored looks anew by another configuration file, beside the one in force.

    Shows which alarms it would have raised and spared, and how soon it would have known. Nothing is written, and the
    service may run meanwhile.
    """
    now = clock.now()
    period = Span(now - _length(since), now)
    loaded = configuration(config, data=data)
    with closing(open_database(config, loaded.settings.data)) as database:
        told = rehearse(database, loaded.fleet, period, None if server is None else ServerId(server))
        with database.reading() as tx:
            zone = readings.zone(tx)
    if as_json:
        print_json(rehearsal_shape(told))
    else:
        _print(told, zone)
    return 0


def _length(written: str) -> timedelta:
    try:
        length = parse_duration(written)
    except RefusalError as error:
        raise click.BadParameter(
            f"{written!r} is no duration; write it as 12h or 30d", param_hint="--since"
        ) from error
    if not timedelta(0) < length <= _LONGEST:
        raise click.BadParameter(
            "look back for at least a moment, and ten years at most", param_hint="--since"
        )
    return length


def _print(told: Rehearsal, zone: str) -> None:
    click.secho(f"{local(told.since, zone)} – {local(told.until, zone)} ({zone})", bold=True)
    click.echo(f"{told.servers} servers, {told.checks} checks, {told.looks:,} looks\n")
    print_table(
        "",
        ("", "in force", "proposed"),
        zip(_FIGURES, _figures(told.in_force, told), _figures(told.proposed, told), strict=True),
        nothing="",
    )
    click.echo()
    print_table(
        "Differences",
        ("", "server", "checks", "in force", "proposed"),
        (_row(each, zone) for each in told.differences),
        nothing="Both would have told the same.",
    )
    for sentence in _left_out(told):
        click.echo(f"\n{sentence}")


_FIGURES = (
    "incidents",
    "  of which reopened",
    "  time in incidents",
    "warnings for operators",
    "confirmed failures of checks",
    "  time to confirm, median",
    "  time to confirm, worst",
    "phases of flapping",
    "  time of flapping",
)


def _figures(side: Side, told: Rehearsal) -> tuple[object, ...]:
    troubled = (
        (alarm.incident.ended_at or told.until) - alarm.incident.started_at for alarm in side.incidents
    )
    return (
        len(side.incidents),
        sum(alarm.reopened > 0 for alarm in side.incidents),
        _words(sum(troubled, timedelta(0))),
        len(side.warnings),
        len(side.delays),
        _words(side.median_delay),
        _words(side.worst_delay),
        len(side.flapping),
        _words(sum((_lasted(phase, told) for phase in side.flapping), timedelta(0))),
    )


def _lasted(phase: Flapping, told: Rehearsal) -> timedelta:
    return (phase.ended_at or told.until) - phase.started_at


def _row(difference: Difference, zone: str) -> tuple[object, ...]:
    incident = difference.first.incident
    checks = {check.check for alarm in difference.alarms for check in alarm.incident.checks}
    return (
        difference.what,
        incident.servers[0],
        ", ".join(sorted(checks)),
        "\n".join(_alarm(alarm, zone) for alarm in difference.in_force),
        "\n".join(_alarm(alarm, zone) for alarm in difference.proposed),
    )


def _alarm(alarm: Alarm, zone: str) -> str:
    incident = alarm.incident
    lasted = "open" if incident.ended_at is None else _words(incident.ended_at - incident.started_at)
    kind = "warning" if incident.audience is Audience.OPERATORS else alarm.worst
    known = _words(incident.opened_at - incident.started_at)
    again = f", reopened {alarm.reopened} times" if alarm.reopened else ""
    return f"{kind} {local(incident.started_at, zone)}, {lasted}, known after {known}{again}"


def _words(length: timedelta | None) -> str:
    return "–" if length is None else short_duration(length, "en")


def _left_out(told: Rehearsal) -> Iterator[str]:
    unlike = told.unlike
    if unlike.only_in_force:
        yield f"Not judged, since only the settings in force have them: {_listed(unlike.only_in_force)}"
    if unlike.only_proposed:
        yield f"Not judged, since nobody has looked yet: {_listed(unlike.only_proposed)}"
    if unlike.looks:
        ways = (f"{check} ({', '.join(keys)})" for check, keys in unlike.looks.items())
        yield f"Judged by looks that were made otherwise than the file asks for: {', '.join(ways)}"


def _listed(checks: Iterable[CheckKey]) -> str:
    return ", ".join(map(str, checks))
