"""window: planned maintenance."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import click

from monitor.actions import maintain, people, windows
from monitor.cli.common import (
    author_option,
    clock,
    config_option,
    data_option,
    json_option,
    length_of,
    local,
    moment_of,
    print_json,
    print_table,
    reading,
    writing,
)
from monitor.identifiers import ServerId, WindowId
from monitor.maintenance.window import Window, WindowStage
from monitor.station.shapes import window_shape
from monitor.store import readings

_SHOWN = timedelta(days=90)
_LONGER = click.option(
    "--yes-longer-than-a-day",
    "longer",
    is_flag=True,
    help="Confirm a window of more than 24 hours; a person at a terminal is asked instead.",
)
_OVER = (WindowStage.COMPLETED, WindowStage.CANCELLED)


@click.group()
def window() -> None:
    """Maintenance windows: plan, start, extend, complete, cancel, list."""


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
@_LONGER
@author_option
@config_option
@data_option
@json_option
def plan(
    servers: tuple[str, ...],
    starts: str,
    ends: str,
    title: str,
    title_en: str | None,
    author: str,
    config: Path,
    data: Path | None,
    *,
    longer: bool,
    as_json: bool,
) -> None:
    """Plan a window. Its servers, and those that depend on them, open no incident while it lasts; it starts and ends by itself."""
    actor = people.author(author)
    with reading(config, data) as tx:
        zone = readings.zone(tx)
    starts_at, ends_at = moment_of(starts, zone, "--from"), moment_of(ends, zone, "--until")
    confirmed = longer or _confirmed(ends_at - starts_at)
    with writing(config, data) as tx:
        planned = maintain.plan(
            tx,
            servers=tuple(ServerId(server) for server in servers),
            starts_at=starts_at,
            ends_at=ends_at,
            title={"es": title, "en": title_en or title},
            actor=actor,
            moment=clock.now(),
            confirmed=confirmed,
        )
    _show(planned, f"Planned {planned.id}: {_span(planned, zone)}", as_json=as_json)


def _confirmed(length: timedelta) -> bool:
    """Ask whoever sits there whether a window of more than 24 hours is meant (rule M9)."""
    if length <= maintain.LONGEST or not sys.stdin.isatty():
        return False
    question = f"The window lasts {length / timedelta(hours=1):.0f} hours, and no failure is told all that time. Is that meant?"
    return click.confirm(question, abort=True)


def _show(told: Window, sentence: str, *, as_json: bool) -> None:
    if as_json:
        print_json(window_shape(told))
    else:
        click.echo(sentence)


def _span(told: Window, zone: str) -> str:
    behind = f", with {', '.join(sorted(told.children))}" if told.children else ""
    return f"{local(told.starts_at, zone)} – {local(told.ends_at, zone)} ({zone}){behind}"


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


def _in_order(known: Sequence[Window], now: datetime) -> list[Window]:
    """Return what is under way or to come, the next first, and then what is over, the newest first."""
    ahead = [each for each in known if each.stage not in _OVER and each.ends_at > now]
    past = [each for each in known if each not in ahead]
    return [*ahead, *reversed(past)]


@window.command()
@click.argument("window_id", metavar="WINDOW")
@author_option
@config_option
@data_option
@json_option
def start(window_id: str, author: str, config: Path, data: Path | None, *, as_json: bool) -> None:
    """Let a planned window begin now; its end stays."""
    with writing(config, data) as tx:
        zone = readings.zone(tx)
        begun = windows.begin(tx, WindowId(window_id), actor=people.author(author), moment=clock.now())
    _show(begun, f"Started {window_id}: it ends {local(begun.ends_at, zone)} ({zone})", as_json=as_json)


@window.command()
@click.argument("window_id", metavar="WINDOW")
@click.option("--until", default=None, metavar="'YYYY-MM-DD HH:MM'", help="The new end, in the site's zone.")
@click.option("--by", default=None, metavar="DURATION", help="How much longer than planned, as 30m or 2h.")
@_LONGER
@author_option
@config_option
@data_option
@json_option
def extend(
    window_id: str,
    until: str | None,
    by: str | None,
    author: str,
    config: Path,
    data: Path | None,
    *,
    longer: bool,
    as_json: bool,
) -> None:
    """Give a window that is not over a later end; it keeps its notice."""
    if (until is None) == (by is None):
        raise click.UsageError("name the new end: with --until or with --by")
    identity, actor = WindowId(window_id), people.author(author)
    with reading(config, data) as tx:
        zone, present = readings.zone(tx), maintain.unfinished(tx, identity)
    ends_at = present.ends_at + length_of(by, "--by") if by else moment_of(until or "", zone, "--until")
    confirmed = longer or _confirmed(ends_at - (present.started_at or present.starts_at))
    with writing(config, data) as tx:
        extended = windows.extend(tx, identity, ends_at, actor=actor, moment=clock.now(), confirmed=confirmed)
    _show(extended, f"Extended {window_id}: {_span(extended, zone)}", as_json=as_json)


@window.command()
@click.argument("window_id", metavar="WINDOW")
@author_option
@config_option
@data_option
@json_option
def complete(window_id: str, author: str, config: Path, data: Path | None, *, as_json: bool) -> None:
    """End a window that has begun: the work is done early."""
    with writing(config, data) as tx:
        ended = windows.complete(tx, WindowId(window_id), actor=people.author(author), moment=clock.now())
    _show(ended, f"Completed {window_id}.", as_json=as_json)


@window.command()
@click.argument("window_id", metavar="WINDOW")
@author_option
@config_option
@data_option
@json_option
def cancel(window_id: str, author: str, config: Path, data: Path | None, *, as_json: bool) -> None:
    """Cancel a window; one that has begun ends now."""
    with writing(config, data) as tx:
        cancelled = maintain.cancel(tx, WindowId(window_id), actor=people.author(author), moment=clock.now())
    _show(cancelled, f"Cancelled {window_id}.", as_json=as_json)
