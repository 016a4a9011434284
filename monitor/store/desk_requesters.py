"""Who may ask the built-in desk: registered addresses, what their owners are called, and what they have with us."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from monitor.identifiers import milliseconds
from monitor.store.columns import instant, ms_of
from monitor.store.database import Row, Transaction

_REQUESTERS = (
    "SELECT address, name, plan, language, added_ms, disabled_ms,"
    " (SELECT group_concat(place, ' ') FROM (SELECT place FROM desk_places WHERE requester = address ORDER BY place)) AS places"
    " FROM desk_requesters "
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Requester:
    """A registered address, in lower case. `places` are ids of servers and names of domains; `language` may be empty.

    One that is disabled is not heard any more; its tickets stay.
    """

    address: str
    added_at: datetime
    name: str = ""
    plan: str = ""
    language: str = ""
    places: tuple[str, ...] = ()
    disabled_at: datetime | None = None


def put(tx: Transaction, requester: Requester) -> bool:
    """Add a requester, or let one be as he is described now; False if he was known. The moment of his addition stays."""
    known = requester_of(tx, requester.address)
    added = requester.added_at if known is None else known.added_at
    tx.execute(
        "INSERT INTO desk_requesters (address, name, plan, language, added_ms, disabled_ms) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (address) DO UPDATE SET name = excluded.name, plan = excluded.plan, language = excluded.language,"
        " disabled_ms = excluded.disabled_ms",
        (
            requester.address,
            requester.name,
            requester.plan,
            requester.language,
            milliseconds(added),
            ms_of(requester.disabled_at),
        ),
    )
    tx.execute("DELETE FROM desk_places WHERE requester = ?", (requester.address,))
    tx.executemany(
        "INSERT INTO desk_places (requester, place) VALUES (?, ?)",
        [(requester.address, place) for place in dict.fromkeys(requester.places)],
    )
    return known is None


def requester_of(tx: Transaction, address: str) -> Requester | None:
    """Return who has an address, however its letters are written; None if nobody registered it."""
    row = tx.row(f"{_REQUESTERS} WHERE address = ?", (address.strip().lower(),))
    return None if row is None else _requester(row)


def requesters(tx: Transaction, *, disabled: bool = False) -> tuple[Requester, ...]:
    """Return everybody who may ask, by address; with `disabled` also those who may no longer."""
    rows = tx.rows(f"{_REQUESTERS} WHERE disabled_ms IS NULL OR ? ORDER BY address", (disabled,))
    return tuple(map(_requester, rows))


def _requester(row: Row) -> Requester:
    return Requester(
        address=row["address"],
        name=row["name"],
        plan=row["plan"],
        language=row["language"],
        places=tuple((row["places"] or "").split()),
        added_at=instant(int(row["added_ms"])),
        disabled_at=instant(row["disabled_ms"]),
    )
