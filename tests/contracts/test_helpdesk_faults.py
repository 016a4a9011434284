"""What no fault between us and a helpdesk may do: make a second ticket, lose one, or hide one from a look-up."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta

import pytest

from monitor.actions.append import append
from monitor.actions.deliver import Deliverer
from monitor.identifiers import IncidentId
from monitor.journal.consequences import Channel, DeliveryState
from monitor.journal.entries import Entry
from monitor.store import deliveries, readings
from monitor.tickets.port import Action, DeliveryError, Fate, Helpdesk, Priority, TicketStatus, reference_of
from tests.actions.conftest import EARS, Listeners
from tests.contracts.benches import Ability
from tests.contracts.conftest import Stand
from tests.servers.meddler import LOST, Meddler
from tests.tickets import builders

# For each answer the fate of a creation that was answered so.
ANSWERS = {
    "401": Fate.FORBIDDEN,
    "403": Fate.FORBIDDEN,
    "302": Fate.FORBIDDEN,
    "404": Fate.REFUSED,
    "422": Fate.REFUSED,
    "409": Fate.CONFLICT,
    "429": Fate.NOT_SENT,
    "503": Fate.NOT_SENT,
    "500_only": Fate.UNCERTAIN,
    "html_only": Fate.UNCERTAIN,
}
UNREADABLE = ("hang", "reset", "500_only", "html_only", "half", "401")
MINUTE = timedelta(minutes=1)


@pytest.fixture
def through(stand: Stand) -> Iterator[tuple[Helpdesk, Meddler]]:
    """The helpdesk, spoken to through somebody who meddles."""
    if reason := stand.lacks(Ability.HTTP):
        pytest.skip(f"{stand.kind}: {reason}")
    meddler = Meddler(stand.bench.options["url"], stand.bench.writes)
    yield stand.built(url=meddler.url, timeout="3s"), meddler
    meddler.close()


@pytest.mark.parametrize("mode", LOST)
def test_a_creation_whose_answer_is_lost_is_uncertain_and_found(
    stand: Stand, through: tuple[Helpdesk, Meddler], mode: str
) -> None:
    helpdesk, meddler = through
    meddler.modes.append(mode)
    with pytest.raises(DeliveryError) as caught:
        helpdesk.perform(stand.order())
    assert caught.value.fate is Fate.UNCERTAIN
    stand.settle()
    assert len(helpdesk.find(stand.reference)) == 1


@pytest.mark.parametrize("mode", sorted(ANSWERS))
def test_what_an_answer_says_of_a_creation(
    stand: Stand, through: tuple[Helpdesk, Meddler], mode: str
) -> None:
    helpdesk, meddler = through
    meddler.modes.append(mode)
    with pytest.raises(DeliveryError) as caught:
        helpdesk.perform(stand.order())
    assert caught.value.fate is ANSWERS[mode]
    if mode == "429":
        assert caught.value.retry_after == timedelta(seconds=7)
    assert not re.search(r"127\.0\.0\.1|secret|password|token", str(caught.value))
    stand.settle()
    assert helpdesk.find(stand.reference) == ()


@pytest.mark.parametrize("mode", UNREADABLE)
def test_an_answer_that_cannot_be_read_never_means_that_there_is_no_ticket(
    stand: Stand, through: tuple[Helpdesk, Meddler], mode: str
) -> None:
    helpdesk, meddler = through
    helpdesk.perform(stand.order())
    stand.settle()
    meddler.read_modes.append(mode)
    with pytest.raises(DeliveryError):
        helpdesk.find(stand.reference)
    assert len(helpdesk.find(stand.reference)) == 1


def test_a_helpdesk_that_is_not_there_was_surely_not_reached(stand: Stand) -> None:
    if reason := stand.lacks(Ability.HTTP):
        pytest.skip(f"{stand.kind}: {reason}")
    meddler = Meddler(stand.bench.options["url"], stand.bench.writes)
    meddler.close()
    away = stand.built(url=meddler.url)
    with pytest.raises(DeliveryError) as caught:
        away.perform(stand.order())
    assert caught.value.fate is Fate.NOT_SENT


class Deliveries:
    """The real deliverer between a journal and this helpdesk, stepped by hand."""

    def __init__(self, stand: Stand, helpdesk: Helpdesk) -> None:
        self.stand = stand
        self.helpdesk = helpdesk
        self.database = stand.ground.database
        now = stand.ground.tools.now
        # Every test has an incident, and so a reference, of its own.
        self.incident = builders.incident(IncidentId(stand.reference.rpartition("-")[2]))
        self.reference = reference_of("TESTHAUS", self.incident.id)
        self.told: Listeners = Listeners()
        self.deliverer = Deliverer(
            database=self.database,
            helpdesk=helpdesk,
            operators={EARS: Listeners()},
            fallback={EARS: self.told},
            clock=stand.ground.clock,
            installation="TESTHAUS",
            append=lambda tx, entries: append(tx, entries, now()),
            chance=lambda: 0.5,
        )
        self.queue(builders.applied(), builders.opened(self.incident))

    def queue(self, *entries: Entry) -> None:
        with self.database.writing() as tx:
            append(tx, entries, self.stand.ground.tools.now())

    def wait(self, span: timedelta) -> None:
        """Let time pass in strides of a minute, doing what falls due."""
        for _ in range(span // MINUTE + 1):
            while self.deliverer.step():
                pass
            self.stand.ground.step(MINUTE)

    def states(self) -> list[tuple[str, DeliveryState]]:
        with self.database.reading() as tx:
            return [
                (row.action, row.state)
                for row in deliveries.of_incident(tx, self.incident.id, Channel.TICKET)
            ]

    def known(self) -> str:
        with self.database.reading() as tx:
            known = readings.ticket(tx, self.reference)
        assert known is not None
        return known.ticket

    def settled(self) -> timedelta:
        return (self.helpdesk.search_lag or timedelta(0)) + 3 * MINUTE


@pytest.mark.parametrize("mode", [*LOST, "500_only", "503", "401"])
def test_a_fault_has_one_ticket_whatever_became_of_the_answer(
    stand: Stand, through: tuple[Helpdesk, Meddler], mode: str
) -> None:
    helpdesk, meddler = through
    house = Deliveries(stand, helpdesk)
    meddler.modes.append(mode)
    house.wait(house.settled() + 5 * MINUTE)
    assert house.states() == [("create", DeliveryState.DONE)]
    [found] = helpdesk.find(house.reference)
    assert found.ticket == house.known()


def test_an_hour_without_the_helpdesk_loses_nothing(stand: Stand, through: tuple[Helpdesk, Meddler]) -> None:
    helpdesk, meddler = through
    house = Deliveries(stand, helpdesk)
    meddler.modes.extend(["503"] * 10_000)
    meddler.read_modes.extend(["503"] * 10_000)
    house.wait(timedelta(hours=1))
    house.queue(builders.resolved(house.incident, builders.START + timedelta(hours=1)))
    house.wait(2 * MINUTE)
    meddler.modes.clear()
    meddler.read_modes.clear()
    house.wait(house.settled() + 15 * MINUTE)
    assert house.states() == [("create", DeliveryState.DONE), ("resolve", DeliveryState.DONE)]
    [found] = helpdesk.find(house.reference)
    assert found.status is TicketStatus.CLOSED


@pytest.mark.parametrize("action", [Action.PRIORITY, Action.RESOLVE, Action.REOPEN])
def test_an_action_whose_answer_is_lost_is_done_in_the_end(
    stand: Stand, through: tuple[Helpdesk, Meddler], action: Action
) -> None:
    helpdesk, meddler = through
    ticket = helpdesk.perform(stand.order()).ticket
    if action is Action.REOPEN:
        helpdesk.perform(stand.order(Action.RESOLVE, ticket, 2))
    meddler.modes.append("reset")
    with pytest.raises(DeliveryError) as caught:
        helpdesk.perform(stand.order(action, ticket, 3, priority=Priority.URGENT))
    assert caught.value.fate is Fate.UNCERTAIN
    helpdesk.perform(stand.order(action, ticket, 3, priority=Priority.URGENT))
    stand.settle()
    [found] = helpdesk.find(stand.reference)
    assert found.status is (TicketStatus.CLOSED if action is Action.RESOLVE else TicketStatus.OPEN)


@pytest.mark.parametrize("internal", [True, False])
def test_what_is_said_stands_once_however_often_the_answer_is_lost(
    stand: Stand, through: tuple[Helpdesk, Meddler], internal: bool
) -> None:
    helpdesk, meddler = through
    ticket = helpdesk.perform(stand.order()).ticket
    said = stand.order(Action.COMMENT, ticket, 2, body="También falla smtp.", internal=internal)
    meddler.modes.append("reset")
    with pytest.raises(DeliveryError) as caught:
        helpdesk.perform(said)
    assert caught.value.fate is Fate.UNCERTAIN
    for mode in ("500", "hang"):
        meddler.modes.append(mode)
        with suppress(DeliveryError):
            # Where it stands already nothing is written, so nothing is lost.
            helpdesk.perform(said)
        meddler.modes.clear()
    stand.helpdesk.perform(said)
    once = [body for _, _, body in stand.bench.messages(ticket) if "También falla smtp." in body]
    assert len(once) == 1
    other = stand.order(Action.COMMENT, ticket, 3, body="Vuelve smtp.", internal=internal)
    again = stand.order(Action.COMMENT, ticket, 4, body="También falla smtp.", internal=internal)
    for each in (other, again):
        stand.helpdesk.perform(each)
    assert len(stand.bench.messages(ticket)) == 4
