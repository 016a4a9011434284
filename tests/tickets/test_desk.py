"""The built-in desk: what people do with its tickets, and what its database's troubles mean."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from monitor.actions import desk_deeds
from monitor.actions.append import append
from monitor.actions.desk import StoredDesk
from monitor.actions.desk_deeds import Person
from monitor.errors import BusyError, NotFoundError, RefusedError, StoreError
from monitor.journal.entries import Entry, Kind, TicketOpened
from monitor.store import desk, journal, readings
from monitor.store.database import Database
from monitor.store.desk_values import NewMessage, NewTicket
from monitor.tickets.desk import Desk, DeskOptions
from monitor.tickets.port import Action, DeliveryError, Fate, Order, Priority
from tests.conftest import SteppingClock
from tests.tickets import builders

REFERENCE = f"VG-TESTHAUS-{builders.INCIDENT}"
ORDER = Order(
    action=Action.CREATE,
    reference=REFERENCE,
    key=f"{REFERENCE}-create-1",
    ticket="",
    subject="subject",
    body="body",
    priority=Priority.URGENT,
    department="soporte",
    language="es",
)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database.open(tmp_path / "vigia.db", owner=True, busy_timeout=timedelta(milliseconds=50))
    yield opened
    opened.close()


def add(database: Database, clock: SteppingClock, name: str, priority: str) -> int:
    new = NewTicket(reference=name, subject=name, priority=priority, department="soporte")
    with database.writing() as tx:
        message = NewMessage(author="vigia", body="body", at=clock.now(), action="create", key=name)
        return desk.open_ticket(tx, new, message)


def ana(at: datetime, seen: int | None = None) -> Person:
    return Person(name="ana", at=at, seen=seen)


def test_the_most_urgent_and_oldest_tickets_come_first(database: Database, clock: SteppingClock) -> None:
    for name, priority in (("a", "normal"), ("b", "urgent"), ("c", "urgent"), ("d", "low"), ("e", "high")):
        add(database, clock, name, priority)
        clock.step(timedelta(minutes=1))
    with database.writing() as tx:
        desk_deeds.close(tx, 3, "done", ana(clock.now()))
        assert [ticket.reference for ticket in desk.list_tickets(tx)] == ["b", "e", "a", "d"]
        assert [ticket.reference for ticket in desk.list_tickets(tx, closed=True)] == [
            "b",
            "e",
            "a",
            "d",
            "c",
        ]


def test_only_the_first_word_that_customers_may_read_answers_a_ticket(
    database: Database, clock: SteppingClock
) -> None:
    ticket = add(database, clock, "a", "urgent")
    with database.writing() as tx:
        noted = desk_deeds.reply(tx, ticket, "hm", ana(clock.now()), internal=True)
        first = clock.step(timedelta(minutes=5))
        answered = desk_deeds.reply(tx, ticket, "we are on it", ana(first))
        again = desk_deeds.reply(tx, ticket, "still", ana(clock.step(timedelta(minutes=5))))
        written = [(message.author, message.internal) for message in desk.messages(tx, ticket)]
    assert (noted.status, noted.answered_at) == ("open", None)
    assert (answered.status, answered.answered_at) == ("answered", first)
    assert again.answered_at == first
    assert written == [("vigia", False), ("ana", True), ("ana", False), ("ana", False)]


def test_a_ticket_goes_from_hand_to_hand(database: Database, clock: SteppingClock) -> None:
    ticket = add(database, clock, "a", "urgent")
    with database.writing() as tx:
        assert desk_deeds.assign(tx, ticket, "ana", ana(clock.now())).assignee == "ana"
        assert desk_deeds.assign(tx, ticket, None, ana(clock.now())).assignee is None


def test_a_ticket_that_is_closed_stays_closed_at_its_moment(database: Database, clock: SteppingClock) -> None:
    ticket = add(database, clock, "a", "urgent")
    with database.writing() as tx:
        first = desk_deeds.close(tx, ticket, "done", ana(clock.now()))
        second = desk_deeds.close(tx, ticket, "", ana(clock.step(timedelta(minutes=5))))
        with pytest.raises(RefusedError, match="closed already"):
            desk_deeds.close(tx, ticket, "a word that must not get lost", ana(clock.now()))
    assert first.status == "closed"
    assert second == first


def test_what_does_not_exist_is_not_found(database: Database, clock: SteppingClock) -> None:
    who = ana(clock.now())
    with database.writing() as tx:
        for call in (
            lambda: desk.show(tx, 9),
            lambda: desk_deeds.assign(tx, 9, "ana", who),
            lambda: desk_deeds.close(tx, 9, "x", who),
            lambda: desk_deeds.reply(tx, 9, "x", who),
        ):
            with pytest.raises(NotFoundError):
                call()
        assert desk.messages(tx, 9) == ()


def entered(database: Database, clock: SteppingClock, *also: Entry) -> int:
    """Return the desk's number of the ticket of an incident that the journal knows."""
    ticket = int(StoredDesk(database, "https://estado.example/").open(ORDER, clock.now()).ticket)
    opened = TicketOpened(
        incident=builders.INCIDENT,
        reference=REFERENCE,
        helpdesk="desk",
        ticket=str(ticket),
        url="",
        department="soporte",
        priority="urgent",
        subject="subject",
    )
    entry = Entry(kind=Kind.TICKET_OPENED, moment=clock.now(), subject=builders.INCIDENT, body=opened)
    with database.writing() as tx:
        append(tx, (builders.applied(), builders.opened(builders.incident()), entry, *also), clock.now())
    return ticket


def test_the_journal_knows_the_first_answer_and_who_closed(database: Database, clock: SteppingClock) -> None:
    ticket = entered(database, clock)
    answered = clock.step(timedelta(minutes=7))
    with database.writing() as tx:
        desk_deeds.reply(tx, ticket, "hm", ana(clock.now()), internal=True)
        desk_deeds.reply(tx, ticket, "we are on it", ana(clock.now()))
        desk_deeds.close(tx, ticket, "done", ana(clock.now()))
        known = readings.ticket(tx, REFERENCE)
        told = [each.entry for each in journal.entries(tx, subject=builders.INCIDENT)]
    assert known is not None
    assert (known.status, known.first_answer_at) == ("closed", answered)
    assert [(each.actor, each.body.action) for each in told[2:]] == [("ana", "reply"), ("ana", "close")]


def test_what_people_change_on_an_incidents_ticket_is_what_we_count_with(
    database: Database, clock: SteppingClock
) -> None:
    ticket = entered(database, clock)
    with database.writing() as tx:
        desk_deeds.prioritise(tx, ticket, Priority.LOW, ana(clock.now()))
        desk_deeds.close(tx, ticket, "", ana(clock.now()))
        closed = readings.ticket(tx, REFERENCE)
        desk_deeds.reopen(tx, ticket, ana(clock.now()))
        again = readings.ticket(tx, REFERENCE)
    assert closed is not None
    assert again is not None
    assert (closed.priority, closed.status, again.status) == ("low", "closed", "open")


def test_priorities_may_be_sent_to_others_of_ours(database: Database, clock: SteppingClock) -> None:
    options = DeskOptions.model_validate({"priorities": {"urgent": "high"}})
    book = StoredDesk(database, "https://estado.example")
    Desk(options, book, clock.now).perform(ORDER)
    assert book.find(REFERENCE)[0].priority is Priority.HIGH


class BrokenBook:
    """A book whose database is in trouble."""

    def __init__(self, trouble: Exception) -> None:
        self.trouble = trouble

    def open(self, *_args: object) -> None:
        raise self.trouble

    def act(self, *_args: object) -> None:
        raise self.trouble

    def find(self, *_args: object) -> None:
        raise self.trouble

    cases = words = find


@pytest.mark.parametrize(
    ("trouble", "fate"),
    [
        (BusyError("locked"), Fate.NOT_SENT),
        (StoreError("disk full"), Fate.UNCERTAIN),
        (NotFoundError("gone"), Fate.MISSING),
    ],
)
def test_the_databases_troubles_have_a_fate(clock: SteppingClock, trouble: Exception, fate: Fate) -> None:
    broken = Desk(DeskOptions(), BrokenBook(trouble), clock.now)  # type: ignore[arg-type]
    with pytest.raises(DeliveryError) as caught:
        broken.perform(ORDER)
    assert caught.value.fate is fate


def test_a_look_up_that_fails_is_no_empty_answer(clock: SteppingClock) -> None:
    broken = Desk(DeskOptions(), BrokenBook(StoreError("disk")), clock.now)  # type: ignore[arg-type]
    for look in (
        lambda: broken.find(REFERENCE),
        lambda: broken.cases(clock.now()),
        lambda: broken.words("1"),
    ):
        with pytest.raises(DeliveryError):
            look()
