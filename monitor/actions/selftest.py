"""One ticket through its whole life at the real helpdesk, marked as a test: the proof that tickets are opened, found, closed and reopened there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import chain, repeat

from monitor.identifiers import IncidentId
from monitor.language import Language, text
from monitor.language.phrases import Phrase
from monitor.tickets.port import (
    Action,
    DeliveryError,
    Fate,
    Found,
    Helpdesk,
    Order,
    Priority,
    Receipt,
    TicketStatus,
    reference_of,
)

_PAUSES_S = (1.0, 2.0, 5.0, 10.0, 30.0)
_PATIENCE = timedelta(minutes=2, seconds=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that was tried; `detail` tells what came of it, with the remedy where it failed or `warns` of what may."""

    name: str
    ok: bool
    detail: str
    warns: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """The helpdesk and how it is spoken to. `name` is a fresh ULID, which makes the reference; `wait` takes seconds."""

    helpdesk: Helpdesk
    installation: str
    name: str
    department: str
    language: Language
    wait: Callable[[float], object] = field(repr=False)

    @property
    def reference(self) -> str:
        """Our name of the test ticket."""
        return reference_of(self.installation, IncidentId(self.name))


def inspected(helpdesk: Helpdesk, language: Language, cautions: Iterable[Phrase]) -> Iterator[Step]:
    """Yield what a helpdesk lacks, each with its remedy, or that it is fit, and what its options let one fear; only reads."""
    yield from _examined(helpdesk, language)
    for caution in cautions:
        yield Step(name="inspect", ok=True, detail=caution.say(language), warns=True)


def unproven(doubts: Iterable[Phrase], language: Language) -> Iterator[Step]:
    """Yield what only a ticket can prove, as failed: better a self-test too many than a ticket that cannot be closed."""
    for doubt in doubts:
        yield Step(name="unproven", ok=False, detail=doubt.say(language))


def _examined(helpdesk: Helpdesk, language: Language) -> Iterator[Step]:
    try:
        flaws = helpdesk.inspect()
    except DeliveryError as error:
        yield Step(name="inspect", ok=False, detail=error.told.say(language))
        return
    for flaw in flaws:
        yield Step(name="inspect", ok=False, detail=flaw.say(language))
    if not flaws:
        yield Step(name="inspect", ok=True, detail=f"{helpdesk.name} is fit")


def written(trial: Trial) -> Iterator[Step]:
    """Yield what came of each action on a test ticket, until one fails: it is closed in the end if that can be done."""
    try:
        receipt = trial.helpdesk.perform(_order(trial, Action.CREATE, "", 1))
    except DeliveryError as error:
        yield Step(name="open", ok=False, detail=error.detail)
        return
    yield Step(name="open", ok=True, detail=f"ticket {receipt.ticket} {receipt.url}".strip())
    yield from _lived(trial, receipt.ticket)


def _lived(trial: Trial, ticket: str) -> Iterator[Step]:
    yield _find(trial, ticket, lambda _found: True, "find")
    for seq, action in enumerate((Action.COMMENT, Action.PRIORITY, Action.RESOLVE), 2):
        yield _acted(trial, _order(trial, action, ticket, seq), action)
    closed = _find(trial, ticket, _is_closed, "closed")
    yield closed
    if not closed.ok:
        return
    reopened = _acted(trial, _order(trial, Action.REOPEN, ticket, 5), Action.REOPEN)
    yield reopened
    if reopened.ok:
        yield _find(trial, ticket, lambda found: not _is_closed(found), "reopened")
    yield _acted(trial, _order(trial, Action.RESOLVE, ticket, 6), "resolve_again")
    yield _find(trial, ticket, _is_closed, "closed_again")


def _is_closed(found: Found) -> bool:
    return found.status is TicketStatus.CLOSED


def _acted(trial: Trial, order: Order, name: str) -> Step:
    try:
        _performed(trial, order)
    except DeliveryError as error:
        return Step(name=name, ok=False, detail=error.detail)
    return Step(name=name, ok=True, detail=f"ticket {order.ticket}")


def _performed(trial: Trial, order: Order) -> Receipt:
    """Perform an action on the ticket, again as long as it surely was not sent: by mail it waits for the ticket's acknowledgement."""
    *pauses, last = _pauses(_PATIENCE)
    for pause in pauses:
        trial.wait(pause)
        try:
            return trial.helpdesk.perform(order)
        except DeliveryError as error:
            if error.fate is not Fate.NOT_SENT:
                raise
    trial.wait(last)
    return trial.helpdesk.perform(order)


def _find(trial: Trial, ticket: str, fits: Callable[[Found], bool], name: str) -> Step:
    """Look the ticket up until it shows as it should, or until nothing can be hidden any more."""
    lag = trial.helpdesk.search_lag
    if lag is None:
        return Step(name=name, ok=True, detail="nothing can be looked up there: see to it yourself")
    waited, detail = 0.0, "the helpdesk does not find it by its reference"
    for pause in _pauses(lag):
        trial.wait(pause)
        waited += pause
        try:
            found = trial.helpdesk.find(trial.reference)
        except DeliveryError as error:
            detail = error.detail
            continue
        if [each.ticket for each in found] == [ticket] and fits(found[0]):
            return Step(name=name, ok=True, detail=f"{trial.reference} leads to it after {waited:.0f} s")
        if found:
            detail = f"it leads to {', '.join(f'{each.ticket} ({each.status})' for each in found)}"
    return Step(name=name, ok=False, detail=detail)


def _pauses(lag: timedelta) -> Iterator[float]:
    """Look at once, then at growing distances until nothing can be hidden any more."""
    waited = 0.0
    yield waited
    for pause in chain(_PAUSES_S, repeat(_PAUSES_S[-1])):
        if waited >= lag.total_seconds():
            return
        waited += pause
        yield pause


def _order(trial: Trial, action: Action, ticket: str, seq: int) -> Order:
    reference = trial.reference
    return Order(
        action=action,
        reference=reference,
        key=f"{reference}-{action}-{seq}",
        ticket=ticket,
        subject=text("ticket.selftest.subject", trial.language, reference=reference),
        body=text("ticket.selftest.body", trial.language, reference=reference),
        priority=Priority.NORMAL if action is Action.PRIORITY else Priority.LOW,
        department=trial.department,
        language=trial.language,
        internal=action is not Action.CREATE,
    )
