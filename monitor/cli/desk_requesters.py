"""desk requester: whose mail the built-in desk takes, and what they have with us."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from monitor.actions import desk_register
from monitor.cli.common import clock, local, print_json, print_table, reading, writing
from monitor.cli.desk_common import where_options
from monitor.errors import RefusedError
from monitor.language import LANGUAGES
from monitor.station.shapes import requester_shape
from monitor.store import readings
from monitor.store.desk_requesters import Requester, requesters

_LARGEST = 50_000_000


@click.group()
def requester() -> None:
    """Who may ask the built-in desk: add, list, disable, import."""


@requester.command()
@click.argument("address", metavar="ADDRESS")
@click.option("--name", metavar="TEXT", default="", help="What they are called.")
@click.option("--plan", metavar="TEXT", default="", help="The plan that they have.")
@click.option("--language", type=click.Choice(LANGUAGES), default=None, help="How they are spoken to.")
@click.option(
    "--place",
    "places",
    metavar="NAME",
    multiple=True,
    help="A server or a domain of theirs; may be repeated.",
)
@where_options
def add(
    address: str,
    name: str,
    plan: str,
    language: str | None,
    places: tuple[str, ...],
    config: Path,
    data: Path | None,
    *,
    as_json: bool,
) -> None:
    """Register an address, or describe a known one anew; one that was disabled is heard again."""
    described = Requester(
        address=address, name=name, plan=plan, language=language or "", places=places, added_at=clock.now()
    )
    with writing(config, data) as tx:
        after = desk_register.register(tx, described)
    _confirm(after, as_json=as_json)


@requester.command("list")
@click.option("--all", "disabled", is_flag=True, help="Disabled ones as well.")
@where_options
def list_(config: Path, data: Path | None, *, disabled: bool, as_json: bool) -> None:
    """List who may ask, by address."""
    with reading(config, data) as tx:
        found = requesters(tx, disabled=disabled)
        zone = readings.zone(tx)
    if as_json:
        print_json([requester_shape(each) for each in found])
        return
    print_table(
        "Requesters",
        ("address", "name", "plan", "language", "places", "added", "disabled"),
        (
            (
                each.address,
                each.name,
                each.plan,
                each.language or "–",
                " ".join(each.places),
                local(each.added_at, zone),
                local(each.disabled_at, zone),
            )
            for each in found
        ),
        nothing="Nobody is registered.",
    )


@requester.command()
@click.argument("address", metavar="ADDRESS")
@where_options
def disable(address: str, config: Path, data: Path | None, *, as_json: bool) -> None:
    """Take no more mail from an address; its tickets stay."""
    with writing(config, data) as tx:
        after = desk_register.disable(tx, address, clock.now())
    _confirm(after, as_json=as_json)


@requester.command("import")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@where_options
def import_(file: Path, config: Path, data: Path | None, *, as_json: bool) -> None:
    """Register every address of a CSV file with the headings address, name, plan, language, places; all or none."""
    if file.stat().st_size > _LARGEST:
        raise RefusedError(f"{file} is larger than {_LARGEST // 1_000_000} MB: import it in parts")
    try:
        # Spreadsheets put a mark in front.
        lines = file.read_text(encoding="utf-8-sig").splitlines(keepends=True)
    except UnicodeDecodeError as error:
        raise RefusedError(f"{file} is not in UTF-8: save it so") from error
    with writing(config, data) as tx:
        done = desk_register.read_table(tx, lines, clock.now())
    if as_json:
        print_json(asdict(done))
    else:
        click.echo(f"{done.added} added, {done.changed} changed, {done.unchanged} as they were")


def _confirm(after: Requester, *, as_json: bool) -> None:
    if as_json:
        print_json(requester_shape(after))
        return
    state = "" if after.disabled_at is None else " · disabled"
    click.echo(f"{after.address}  {after.name} · {after.plan} · {' '.join(after.places)}{state}")
