"""Searching the desk's tickets by words, in their subjects and in what was written on them.

Accents and case are folded by the index. What is searched for is always bound and quoted, so that no letter of it is an operator.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from monitor.errors import RefusedError
from monitor.store import desk
from monitor.store.database import Transaction, Value
from monitor.store.desk_values import DeskTicket, storable

LONGEST = 500
_MOST_TERMS = 20
_WORDS = re.compile(r'(?:(?P<name>[a-z]+):)?(?:"(?P<phrase>[^"]*)"?|(?P<word>[^\s"]+))', re.IGNORECASE)
_STATUSES = ("open", "answered", "closed")
_EQUAL = {"status": "status", "department": "department", "priority": "priority", "incident": "incident"}
_FILTERS = (*_EQUAL, "requester", "assignee")


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What is searched for: terms that all have to stand in a ticket, and what its fields have to be.

    A term is a word or a phrase; one that ends in `*` stands for all that begin with it. `requester` and `assignee` are parts of theirs.
    """

    terms: tuple[str, ...] = ()
    filters: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A ticket that was found, and the words around the newest place where; empty if no words were searched for."""

    ticket: DeskTicket
    excerpt: str


def query_of(written: str) -> Query:
    """Return what a person searches for: words, "phrases", `requester:`, `assignee:`, `status:`, `department:`, `priority:`, `incident:`.

    Raises RefusedError for nothing, for too much, and for a status that does not exist.
    """
    if len(written) > LONGEST:
        raise RefusedError(f"search for at most {LONGEST} letters")
    terms: list[str] = []
    filters: list[tuple[str, str]] = []
    for found in _WORDS.finditer(storable(written).replace("\0", " ")):
        name, value = (found["name"] or "").lower(), found["phrase"] or found["word"] or ""
        if name in _FILTERS:
            filters.append((name, value.lower()))
            continue
        # A prefix that is no filter, as in an address, belongs to what is searched for.
        terms.append(f"{name}:{value}" if name else value)
    asked = Query(terms=tuple(term for term in terms if any(map(str.isalnum, term))), filters=tuple(filters))
    _refuse(asked)
    return asked


def _refuse(asked: Query) -> None:
    if not asked.terms and not asked.filters:
        raise RefusedError("search for at least one word")
    if len(asked.terms) + len(asked.filters) > _MOST_TERMS:
        raise RefusedError(f"search for at most {_MOST_TERMS} words")
    for name, value in asked.filters:
        if name == "status" and value not in _STATUSES:
            raise RefusedError(f"there is no status {value!r}; there are {', '.join(_STATUSES)}")


def search(tx: Transaction, asked: Query, *, limit: int = 50) -> tuple[Hit, ...]:
    """Return the tickets in which all of it is found, those that changed last first; closed and merged ones too."""
    conditions: list[str] = []
    values: list[Value] = []
    for term in asked.terms:
        conditions.append(
            "id IN (SELECT ticket FROM desk_messages WHERE id IN (SELECT rowid FROM desk_words WHERE desk_words MATCH ?))"
        )
        values.append(_quoted(term))
    for name, value in asked.filters:
        conditions.append(
            f"{_EQUAL[name]} = ? COLLATE NOCASE" if name in _EQUAL else f"instr(lower({name}), ?) > 0"
        )
        values.append(value)
    rows = tx.rows(
        f"SELECT id FROM desk_tickets WHERE {' AND '.join(conditions)} ORDER BY changed_ms DESC, id DESC LIMIT ?",  # noqa: S608 - values are bound
        (*values, limit),
    )
    return tuple(
        Hit(ticket=desk.show(tx, row["id"]), excerpt=_excerpt(tx, row["id"], asked.terms)) for row in rows
    )


def _excerpt(tx: Transaction, ticket: int, terms: tuple[str, ...]) -> str:
    if not terms:
        return ""
    row = tx.row(
        "SELECT snippet(desk_words, -1, '', '', '…', 16) AS around FROM desk_words WHERE desk_words MATCH ?"
        " AND rowid IN (SELECT id FROM desk_messages WHERE ticket = ?) ORDER BY rowid DESC LIMIT 1",
        (" OR ".join(map(_quoted, terms)), ticket),
    )
    return "" if row is None else " ".join(str(row["around"]).split())


def _quoted(term: str) -> str:
    """Return a term as a string of the index's language, in which nothing but the doubled quote has a meaning."""
    whole, prefix = (term[:-1], "*") if term.endswith("*") else (term, "")
    doubled = whole.replace('"', '""')
    return f'"{doubled}"{prefix}'
