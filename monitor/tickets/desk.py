"""The built-in desk: a helpdesk that needs nothing but our own database."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from pydantic import Field

from monitor.errors import BusyError, NotFoundError, StoreError
from monitor.language.phrases import Phrase
from monitor.tickets.port import (
    Action,
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
)


class DeskOptions(HelpdeskOptions):
    """The desk counts priorities in our own words; `priorities` may still send one to another, `departments` as well."""

    departments: Mapping[str, str] = Field(default_factory=dict)
    priorities: Mapping[Priority, Priority] = Field(default_factory=dict)


class Desk:
    """Tickets beside the journal, in the same file: what it says is true at once, so nothing has to be searched for."""

    name = "desk"
    search_lag = timedelta(0)
    records = None

    def __init__(self, options: DeskOptions, book: DeskBook, now: Callable[[], datetime]) -> None:
        self._options = options
        self._book = book
        self._now = now

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
        try:
            return self._book.find(reference)
        except StoreError as error:
            raise DeliveryError(Fate.NOT_SENT, f"the desk's database cannot be read: {error}") from error


def _build(options: DeskOptions, tools: HelpdeskTools) -> Desk:
    return Desk(options, tools.book, tools.now)


DESK = HelpdeskKind(name="desk", options=DeskOptions, build=_build)
