"""Who may ask the built-in desk: addresses that are added one by one, or read from a table."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from monitor.actions.desk_asking import address_of
from monitor.errors import NotFoundError, RefusedError
from monitor.language import LANGUAGES
from monitor.language.phrases import listed
from monitor.store import readings
from monitor.store.database import Transaction
from monitor.store.desk_requesters import Requester, put, requester_of

COLUMNS = ("address", "name", "plan", "language", "places")
_LONGEST = 200
_MOST_PLACES = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """How many addresses a table added, changed, and left as they were."""

    added: int
    changed: int
    unchanged: int


def register(tx: Transaction, requester: Requester) -> Requester:
    """Add a requester, or let a known one be as he is described now, and return him.

    Raises RefusedError for an address that is none, a language that we do not speak, a place that is neither a server nor a domain.
    """
    checked = _checked(tx, requester)
    put(tx, checked)
    return _known(tx, checked.address)


def disable(tx: Transaction, address: str, at: datetime) -> Requester:
    """Let an address be heard no more, and return whose it was; NotFoundError for one that nobody registered."""
    known = _known(tx, address)
    if known.disabled_at is None:
        put(tx, replace(known, disabled_at=at))
    return _known(tx, address)


def read_table(tx: Transaction, lines: Sequence[str], at: datetime) -> Imported:
    """Add or change every requester of a table with a line of headings; all of them, or none.

    The separator is a comma, a semicolon or a tab, as the headings have it. `places` are separated by blanks. A column that is missing leaves
    what is known. Raises RefusedError with the number of the line.
    """
    reader = csv.DictReader(lines, delimiter=_separator(lines))
    headings = [(heading or "").strip().lower() for heading in reader.fieldnames or ()]
    if "address" not in headings or (unknown := [each for each in headings if each not in COLUMNS]):
        named = "" if "address" not in headings else f", not {listed(unknown)}"
        raise RefusedError(
            f"line 1: the headings have to be {listed(COLUMNS)} or some of them, address among them{named}"
        )
    reader.fieldnames = headings
    counts = {"added": 0, "changed": 0, "unchanged": 0}
    for row in reader:
        try:
            counts[_taken(tx, row, at)] += 1
        except RefusedError as error:
            raise RefusedError(f"line {reader.line_num}: {error}; nothing was imported") from error
    return Imported(**counts)


def _taken(tx: Transaction, row: Mapping[str | None, str | None], at: datetime) -> str:
    if None in row:
        raise RefusedError("there are more cells than headings")
    cells = {str(name): (cell or "").strip() for name, cell in row.items()}
    known = requester_of(tx, address_of(cells["address"]))
    before = known or Requester(address=cells["address"], added_at=at)
    places = tuple(cells["places"].split()) if "places" in cells else before.places
    described = replace(
        before,
        name=cells.get("name", before.name),
        plan=cells.get("plan", before.plan),
        language=cells.get("language", before.language),
        places=places,
    )
    after = _checked(tx, described)
    if known is not None and after == _checked(tx, known):
        return "unchanged"
    return "added" if put(tx, after) else "changed"


def _separator(lines: Sequence[str]) -> str:
    first = lines[0] if lines else ""
    return max(",;\t", key=first.count)


def _checked(tx: Transaction, requester: Requester) -> Requester:
    for told in (requester.name, requester.plan):
        if len(told) > _LONGEST or not told.isprintable():
            raise RefusedError(f"{told[:40]!r} is too long, or holds what cannot be printed")
    if requester.language and requester.language not in LANGUAGES:
        raise RefusedError(f"there is no language {requester.language!r}; there are {listed(LANGUAGES)}")
    if len(requester.places) > _MOST_PLACES:
        raise RefusedError(f"a requester has at most {_MOST_PLACES} servers and domains")
    fleet = readings.fleet(tx)
    servers = frozenset() if fleet is None else frozenset(str(server.id) for server in fleet.servers)
    places = tuple(sorted({_place(place, servers) for place in requester.places}))
    return replace(requester, address=address_of(requester.address), places=places)


def _place(place: str, servers: frozenset[str]) -> str:
    name = place.lower().rstrip(".")
    if name in servers:
        return name
    if "." not in name or not name.replace(".", "").replace("-", "").isalnum():
        raise RefusedError(f"{place!r} is neither the id of a server nor the name of a domain")
    return name


def _known(tx: Transaction, address: str) -> Requester:
    found = requester_of(tx, address)
    if found is None:
        raise NotFoundError(f"nobody registered {address!r}; `vigia desk requester list` shows who did")
    return found
