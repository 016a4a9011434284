"""The built-in desk: a helpdesk that needs nothing but our own database."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

from pydantic import Field

from monitor.checks.options.durations import Duration
from monitor.errors import BusyError, NotFoundError, StoreError
from monitor.language.phrases import Phrase
from monitor.tickets.desk_mail import DeskMailOptions
from monitor.tickets.port import (
    Action,
    Case,
    DeliveryError,
    DeskBook,
    Fate,
    Found,
    HelpdeskKind,
    HelpdeskOptions,
    HelpdeskTools,
    Order,
    Priority,
    Receipt,
    Word,
)

Result = TypeVar("Result")


class DeskOptions(HelpdeskOptions):
    """The desk counts priorities in our own words; `priorities` may still send one to another, `departments` as well.

    A word of a requester opens a ticket again that was closed no longer ago than `reopen_within`; later it is a new one. With `close_linked`
    the tickets that belong to an incident are closed with a word to their requesters when it is resolved. With `mail` requesters write letters and get them.
    """

    departments: Mapping[str, str] = Field(default_factory=dict)
    priorities: Mapping[Priority, Priority] = Field(default_factory=dict)
    reopen_within: Duration = Field(default=timedelta(days=14), ge=timedelta(0))
    close_linked: bool = True
    mail: DeskMailOptions | None = None


class Desk:
    """Tickets beside the journal, in the same file: what it says is true at once, so nothing has to be searched for."""

    name = "desk"
    search_lag = timedelta(0)

    def __init__(self, options: DeskOptions, book: DeskBook, now: Callable[[], datetime]) -> None:
        self._options = options
        self._book = book
        self._now = now

    @property
    def records(self) -> Desk:
        """How its tickets are read: by the functions below."""
        return self

    def perform(self, order: Order) -> Receipt:
        """Record one action; the same order again changes nothing and answers the same."""
        ours = replace(
            order,
            priority=self._options.priorities.get(order.priority, order.priority),
            department=self._options.departments.get(order.department, order.department),
        )
        record = self._book.open if order.action is Action.CREATE else self._book.act
        try:
            return record(ours, self._now())
        except BusyError as error:
            # The database refuses before it begins, so nothing was written.
            raise DeliveryError(Fate.NOT_SENT, "the desk's database is busy") from error
        except NotFoundError as error:
            raise DeliveryError(Fate.MISSING, str(error)) from error
        except StoreError as error:
            raise DeliveryError(Fate.UNCERTAIN, f"the desk's database failed: {error}") from error

    def inspect(self) -> tuple[Phrase, ...]:
        """Nothing can be missing: whatever it needs is made with the database."""
        return ()

    def find(self, reference: str) -> tuple[Found, ...]:
        """Return the ticket of this reference, if there is one."""
        return _read(lambda: self._book.find(reference))

    def cases(self, since: datetime) -> tuple[Case, ...]:
        """Return every ticket that was opened or changed at `since` or later."""
        ours = {theirs: department for department, theirs in self._options.departments.items()}
        found = _read(lambda: self._book.cases(since))
        return tuple(replace(case, department=ours.get(case.department, case.department)) for case in found)

    def words(self, ticket: str) -> tuple[Word, ...]:
        """Return what people of the departments did on one ticket, oldest first."""
        return _read(lambda: self._book.words(ticket))


def _read(read: Callable[[], Result]) -> Result:
    try:
        return read()
    except NotFoundError as error:
        raise DeliveryError(Fate.MISSING, str(error)) from error
    except StoreError as error:
        raise DeliveryError(Fate.NOT_SENT, f"the desk's database cannot be read: {error}") from error


def _build(options: DeskOptions, tools: HelpdeskTools) -> Desk:
    return Desk(options, tools.book, tools.now)


DESK = HelpdeskKind(name="desk", options=DeskOptions, build=_build)
