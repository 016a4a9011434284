"""uptime: how much of a period a server was there."""

from __future__ import annotations

import csv
import sys
from datetime import date, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from monitor.actions.reckon import Reckoning, reckon
from monitor.cli.common import (
    clock,
    config_option,
    data_option,
    json_option,
    local,
    moment_of,
    print_json,
    print_table,
    reading,
)
from monitor.health.uptime import Span, StatusSpan, Uptime
from monitor.identifiers import ServerId
from monitor.language.zones import day_of, start_of_day
from monitor.station.shapes import instant
from monitor.store import readings

_DAYS = 90
_DECEMBER = 12


@click.command()
@click.argument("server")
@click.option("--month", metavar="2026-11", default=None, help="A month of the site's calendar.")
@click.option("--day", metavar="2026-11-22", default=None, help="A day of the site's calendar.")
@click.option("--from", "since", metavar="MOMENT", default=None, help="Any period: its first instant.")
@click.option(
    "--until", metavar="MOMENT", default=None, help="Its end, which is not part of it; now if left out."
)
@click.option("--csv", "as_csv", is_flag=True, help="One line a day for spreadsheets.")
@config_option
@data_option
@json_option
def uptime(
    server: str,
    month: str | None,
    day: str | None,
    since: str | None,
    until: str | None,
    config: Path,
    data: Path | None,
    *,
    as_csv: bool,
    as_json: bool,
) -> None:
    """Show the availability of a server: the last 90 days, a month, a day, or any period.

    100 x (1 - down / (period - maintenance - no data)); down is every confirmed outage, in part or whole, from its first failing look to
    its first good one. Degraded time is shown apart, and so is gross, with maintenance counted as down.
    """
    if as_csv and as_json:
        raise click.UsageError("--csv or --json, not both")
    with reading(config, data) as tx:
        zone = readings.zone(tx)
        period = _period(zone, month=month, day=day, since=since, until=until)
        found = reckon(tx, ServerId(server), period, ZoneInfo(zone))
    if as_json:
        print_json(_shape(server, found))
    elif as_csv:
        _print_csv(found)
    else:
        _show(server, found, zone)


def _period(zone: str, *, month: str | None, day: str | None, since: str | None, until: str | None) -> Span:
    """Return the period that was asked for; what was not said counts from now."""
    if sum((month is not None, day is not None, since is not None or until is not None)) > 1:
        raise click.UsageError("one of --month, --day, or --from with --until")
    now, where = clock.now(), ZoneInfo(zone)
    if month is not None:
        first = _date(f"{month}-01", "--month", "2026-11")
        following = date(first.year + first.month // _DECEMBER, first.month % _DECEMBER + 1, 1)
        return Span(start_of_day(first, where), start_of_day(following, where))
    if day is not None:
        first = _date(day, "--day", "2026-11-22")
        return Span(start_of_day(first, where), start_of_day(first + timedelta(days=1), where))
    end = now if until is None else moment_of(until, zone, "--until")
    if since is None:
        return Span(start_of_day(day_of(end, where) - timedelta(days=_DAYS - 1), where), end)
    start = moment_of(since, zone, "--from")
    if start >= end:
        raise click.BadParameter("the period ends before it begins", param_hint="--until")
    return Span(start, end)


def _date(written: str, option: str, example: str) -> date:
    try:
        found = date.fromisoformat(written)
    except ValueError as error:
        raise click.BadParameter(f"write it as {example}", param_hint=option) from error
    # The calendar has a day before and a month after whatever is asked for.
    if not date.min.year < found.year < date.max.year:
        raise click.BadParameter(f"write it as {example}", param_hint=option)
    return found


def _show(server: str, found: Reckoning, zone: str) -> None:
    whole = found.whole
    click.echo(
        f"{server}: {_percent(whole.share)} from {local(found.period.start, zone)} to {local(found.period.end, zone)} ({zone})"
    )
    click.echo(
        f"  down {_long(whole.down)} · degraded {_long(whole.degraded)} · maintenance {_long(whole.maintenance)}"
        f" · no data {_long(whole.no_data)} · gross {_percent(whole.gross)}"
    )
    print_table(
        "Outages",
        ("from", "until", "lasted", "status"),
        (
            (local(one.start, zone), local(one.end, zone), _long(one.end - one.start), one.status)
            for one in found.outages
        ),
        nothing="No outages.",
    )


def _print_csv(found: Reckoning) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(
        ("date", "share", "gross", "down_s", "degraded_s", "maintenance_s", "no_data_s"),
    )
    for day, one in found.days:
        writer.writerow((day.isoformat(), _exact(one.share), _exact(one.gross), *_seconds(one).values()))


def _shape(server: str, found: Reckoning) -> dict[str, object]:
    return {
        "server": server,
        "from": instant(found.period.start),
        "until": instant(found.period.end),
        **_uptime_shape(found.whole),
        "days": [{"date": day.isoformat(), **_uptime_shape(one)} for day, one in found.days],
        "outages": [_outage_shape(one) for one in found.outages],
    }


def _uptime_shape(one: Uptime) -> dict[str, object]:
    return {"share": one.share, "gross": one.gross, **_seconds(one)}


def _outage_shape(one: StatusSpan) -> dict[str, object]:
    return {"status": one.status, "from": instant(one.start), "until": instant(one.end)}


def _seconds(one: Uptime) -> dict[str, int]:
    return {
        "down_s": round(one.down.total_seconds()),
        "degraded_s": round(one.degraded.total_seconds()),
        "maintenance_s": round(one.maintenance.total_seconds()),
        "no_data_s": round(one.no_data.total_seconds()),
    }


def _percent(share: float | None) -> str:
    # Rounded down: 99.9999 is not 100.
    return "no data" if share is None else f"{int(share * 100_000) / 1000:.3f} %"


def _exact(share: float | None) -> str:
    return "" if share is None else f"{share:.6f}"


def _long(length: timedelta) -> str:
    return str(timedelta(seconds=round(length.total_seconds())))
