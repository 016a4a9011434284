"""window: planned maintenance."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from monitor.actions import maintain
from monitor.cli.common import (
    clock,
    config_option,
    data_option,
    json_option,
    local,
    print_json,
    print_table,
    reading,
    writing,
)
from monitor.identifiers import ServerId, WindowId
from monitor.language.zones import instant_of
from monitor.maintenance.window import Window, WindowStage
from monitor.station.shapes import window_shape
from monitor.store import readings

_SHOWN = timedelta(days=90)
_OVER = (WindowStage.COMPLETED, WindowStage.CANCELLED)


@click.group()
def window() -> None:
    """Maintenance windows: plan, list, cancel."""


@window.command()
@click.option(
    "--server", "servers", multiple=True, required=True, help="A server under maintenance; may be repeated."
)
@click.option(
    "--from", "starts", required=True, metavar="'YYYY-MM-DD HH:MM'", help="Start, in the site's zone."
)
@click.option("--until", "ends", required=True, metavar="'YYYY-MM-DD HH:MM'", help="End, in the site's zone.")
@click.option("--title", required=True, help="What customers read, in the site's first language.")
@click.option("--title-en", default=None, help="The same in English.")
@config_option
@data_option
@json_option
def plan(
    servers: tuple[str, ...],
    starts: str,
    ends: str,
    title: str,
    title_en: str | None,
    config: Path,
    data: Path | None,
    *,
    as_json: bool,
) -> None:
    """Plan a window. Its servers open no incident while it lasts; it starts and ends by itself."""
    with writing(config, data) as tx:
        zone = readings.zone(tx)
        planned = maintain.plan(
            tx,
            servers=tuple(ServerId(server) for server in servers),
            starts_at=_moment(starts, zone, "--from"),
            ends_at=_moment(ends, zone, "--until"),
            title={"es": title, "en": title_en or title},
            actor="operator",
            moment=clock.now(),
        )
    if as_json:
        print_json(window_shape(planned))
    else:
        click.echo(
            f"Planned {planned.id}: {local(planned.starts_at, zone)} – {local(planned.ends_at, zone)} ({zone})"
        )


def _moment(written: str, zone: str, option: str) -> datetime:
    """Return an instant from what a person typed: local time of the site, or RFC 3339 with an offset."""
    try:
        moment = datetime.fromisoformat(written)
        return instant_of(moment, ZoneInfo(zone)) if moment.tzinfo is None else moment.astimezone(UTC)
    # The first and the last day of the calendar have no instant in every zone.
    except (ValueError, OverflowError) as error:
        raise click.BadParameter(
            f"{written!r} is no date and time; write it as '2026-12-01 22:00', in the zone {zone}",
            param_hint=option,
        ) from error


@window.command("list")
@config_option
@data_option
@json_option
def list_(config: Path, data: Path | None, *, as_json: bool) -> None:
    """List windows, the next first, those of the last 90 days after them."""
    now = clock.now()
    with reading(config, data) as tx:
        found = _in_order(readings.windows(tx, ending_after=now - _SHOWN), now)
        zone = readings.zone(tx)
    if as_json:
        print_json([window_shape(each) for each in found])
        return
    print_table(
        "Windows",
        ("id", "status", "servers", "from", "until", "title"),
        (
            (
                each.id,
                each.stage,
                ", ".join(sorted(each.servers)),
                local(each.starts_at, zone),
                local(each.ends_at, zone),
                each.title["en"],
            )
            for each in found
        ),
        nothing="No windows.",
    )


def _in_order(windows: Sequence[Window], now: datetime) -> list[Window]:
    """Return what is under way or to come, the next first, and then what is over, the newest first."""
    ahead = [each for each in windows if each.stage not in _OVER and each.ends_at > now]
    past = [each for each in windows if each not in ahead]
    return [*ahead, *reversed(past)]


@window.command()
@click.argument("window_id", metavar="WINDOW")
@config_option
@data_option
@json_option
def cancel(window_id: str, config: Path, data: Path | None, *, as_json: bool) -> None:
    """Cancel a window; one that has begun ends now."""
    with writing(config, data) as tx:
        cancelled = maintain.cancel(tx, WindowId(window_id), actor="operator", moment=clock.now())
    if as_json:
        print_json(window_shape(cancelled))
    else:
        click.echo(f"Cancelled {window_id}.")
