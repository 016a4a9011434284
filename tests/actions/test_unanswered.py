"""Tickets that nobody answers: how long answers take, one step up a day, and whoever leads the department hears of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from pydantic import SecretStr

from monitor.actions.answers import TicketReader, waits_of
from monitor.actions.append import append
from monitor.actions.calendars import HolidayKeeper, UnknownHolidaysError, calendar_of
from monitor.actions.deliver import Deliverer
from monitor.fleet import Department
from monitor.journal.entries import Entry, InventoryApplied, Kind, TicketOpened
from monitor.language.phrases import Phrase
from monitor.store import cases, readings
from monitor.store.database import Database
from monitor.subscribers.operators import AppriseMessenger
from monitor.support.escalation import Promise
from monitor.support.hours import Hours
from monitor.support.reach import Support
from monitor.tickets.port import (
    Action,
    Case,
    Deed,
    DeliveryError,
    Fate,
    Found,
    Order,
    Receipt,
    TicketStatus,
    Word,
    reference_of,
)
from monitor.tickets.priorities import Priority
from tests.actions.conftest import EARS, Listeners
from tests.conftest import SteppingClock
from tests.servers.post_office import post_office
from tests.tickets import builders

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
# A Monday at ten in Ecuador.
MONDAY = datetime(2026, 11, 16, 15, 0, tzinfo=UTC)


@dataclass
class Shelf:
    """A helpdesk that keeps what it holds in memory, asked by the same calls as any other."""

    clock: SteppingClock
    tickets: dict[str, Case] = field(default_factory=dict)
    changed: dict[str, datetime] = field(default_factory=dict)
    orders: list[Order] = field(default_factory=list)
    told: dict[str, tuple[Word, ...]] = field(default_factory=dict)
    asked_since: list[datetime] = field(default_factory=list)
    lose_answers: int = 0
    fault: DeliveryError | None = None
    readable: bool = True
    name: str = "shelf"
    search_lag: timedelta | None = timedelta(seconds=10)

    @property
    def records(self) -> Shelf | None:
        return self if self.readable else None

    def opens(self, ticket: str, **changes: object) -> None:
        now = self.clock.now()
        plain = Case(
            ticket=ticket,
            url=f"https://helpdesk.example/{ticket}",
            department="soporte",
            subject=f"No puedo entrar {ticket}",
            requester="cliente@example.com",
            priority=Priority.NORMAL,
            status=TicketStatus.OPEN,
            opened_at=now,
            answered_at=None,
            closed_at=None,
        )
        self.tickets[ticket] = replace(plain, **changes)
        self.changed[ticket] = now

    def change(self, ticket: str, **changes: object) -> None:
        self.tickets[ticket] = replace(self.tickets[ticket], **changes)
        self.changed[ticket] = self.clock.now()

    def answers(self, ticket: str) -> None:
        self.change(ticket, status=TicketStatus.ANSWERED, answered_at=self.clock.now())

    def deletes(self, ticket: str) -> None:
        del self.tickets[ticket]

    def cases(self, since: datetime) -> tuple[Case, ...]:
        self.asked_since.append(since)
        if self.fault is not None:
            raise self.fault
        return tuple(case for name, case in self.tickets.items() if self.changed[name] >= since)

    def words(self, ticket: str) -> tuple[Word, ...]:
        return self.told.get(ticket, ())

    def inspect(self) -> tuple[Phrase, ...]:
        return ()

    def find(self, reference: str) -> tuple[Found, ...]:
        return ()

    def perform(self, order: Order) -> Receipt:
        if self.fault is not None:
            raise self.fault
        if order.ticket not in self.tickets:
            raise DeliveryError(Fate.MISSING, "no such ticket")
        self.orders.append(order)
        self.change(order.ticket, priority=order.priority)
        if self.lose_answers:
            self.lose_answers -= 1
            raise DeliveryError(Fate.UNCERTAIN, "the answer was lost")
        return Receipt(ticket=order.ticket, url="")


class Office:
    """A clerk who reads and a deliverer that raises, over one database; `crash` names the point where the next delivery dies."""

    def __init__(self, path: Path, clock: SteppingClock, shelf: Shelf, head: Listeners) -> None:
        self.clock, self.shelf, self.head = clock, shelf, head
        self.path = path
        self.crash = ""
        self.open()

    def open(self) -> None:
        self.database = Database.open(self.path, owner=True)
        self.reader = TicketReader(self.database, self.shelf)
        self.deliverer = Deliverer(
            database=self.database,
            helpdesk=self.shelf,
            operators={EARS: Listeners()},
            heads={"soporte": self.head},
            clock=self.clock,
            installation="TESTHAUS",
            append=lambda tx, entries: append(tx, entries, self.clock.now()),
            chance=lambda: 0.5,
            checkpoint=self._checkpoint,
        )

    def _checkpoint(self, name: str) -> None:
        if name == self.crash:
            self.crash = ""
            raise KeyboardInterrupt

    def restart(self) -> None:
        self.database.close()
        self.open()
        self.deliverer.recover()

    def apply(self, promise: Promise | None = None, hours: Hours | None = None) -> None:
        fleet = replace(
            builders.fleet(),
            departments=(
                Department(id="soporte", name={"es": "Soporte técnico", "en": "Technical support"}),
                Department(id="pagos", name={"es": "Pagos", "en": "Billing"}),
            ),
            support=Support(hours=hours or Hours(), promise=promise or Promise()),
        )
        entry = Entry(
            kind=Kind.INVENTORY_APPLIED,
            moment=self.clock.now(),
            subject="fleet",
            body=InventoryApplied(fleet=fleet),
        )
        with self.database.writing() as tx:
            append(tx, (entry,), self.clock.now())

    def round(self) -> None:
        """Read, then carry out all that is due."""
        self.reader.read(self.clock.now())
        while self.deliverer.step():
            pass

    def later(self, by: timedelta) -> None:
        self.clock.step(by)
        self.round()

    def raised(self) -> list[tuple[str, str]]:
        return [(order.ticket, order.priority) for order in self.shelf.orders]


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    clock = SteppingClock(MONDAY)
    made = Office(tmp_path / "vigia.db", clock, Shelf(clock), Listeners())
    made.apply()
    yield made
    made.database.close()


def test_a_ticket_that_waits_a_day_rises_one_step_with_an_internal_note_that_says_why(office: Office):
    office.shelf.opens("7")
    office.round()
    office.later(DAY - timedelta(minutes=1))
    assert office.raised() == []

    office.later(timedelta(minutes=1))

    [order] = office.shelf.orders
    assert (order.action, order.ticket, order.priority, order.internal) == (
        Action.PRIORITY,
        "7",
        Priority.HIGH,
        True,
    )
    assert order.reference == ""
    assert order.body == (
        "Nadie ha respondido este ticket desde el 16 de noviembre de 2026, 10:00, hora de Ecuador, es decir desde hace 1 día."
        " Prometemos una respuesta dentro de 24 horas, así que la prioridad sube de normal a alta."
    )


def test_it_rises_again_after_each_further_day_until_it_is_urgent_and_then_rests(office: Office):
    office.shelf.opens("7", priority=Priority.LOW)
    for _ in range(6 * 24):
        office.later(HOUR)

    assert office.raised() == [("7", "normal"), ("7", "high"), ("7", "urgent")]


def test_a_person_s_answer_and_a_closing_end_it(office: Office):
    office.shelf.opens("7")
    office.shelf.opens("8")
    office.shelf.opens("9")
    office.later(HOUR)
    office.shelf.answers("7")
    office.shelf.change("8", status=TicketStatus.CLOSED, closed_at=office.clock.now())
    for _ in range(24):
        office.later(HOUR)

    assert office.raised() == [("9", "high")]


def test_an_answer_that_came_while_the_step_waited_ends_it_too(office: Office):
    office.shelf.opens("7")
    office.round()
    office.clock.step(DAY)
    office.reader.read(office.clock.now())
    office.shelf.answers("7")
    office.reader.read(office.clock.now())
    office.round()

    assert (office.raised(), office.head.heard) == ([], [])


def test_what_a_person_lowered_rests_until_the_next_day_is_over(office: Office):
    office.shelf.opens("7")
    office.later(DAY)
    office.shelf.change("7", priority=Priority.LOW)
    for _ in range(23):
        office.later(HOUR)
    assert office.raised() == [("7", "high")]

    office.later(HOUR)
    assert office.raised() == [("7", "high"), ("7", "normal")]


@pytest.mark.parametrize("point", ["claimed", "recorded", "answered", "committed"])
def test_whatever_crashes_a_step_is_taken_once(office: Office, point: str):
    office.shelf.opens("7")
    office.clock.step(DAY)
    office.crash = point
    with pytest.raises(KeyboardInterrupt):
        office.round()
    office.restart()
    for _ in range(12):
        office.later(timedelta(minutes=5))

    assert office.raised() == [("7", "high")]
    assert len(office.head.heard) == 1


def test_an_answer_of_the_helpdesk_that_is_lost_doubles_nothing(office: Office):
    office.shelf.opens("7")
    office.shelf.lose_answers = 1
    office.clock.step(DAY)
    for _ in range(12):
        office.later(timedelta(minutes=5))

    assert office.raised() == [("7", "high")]
    assert len(office.head.heard) == 1


def test_a_step_whose_answer_was_lost_is_not_taken_again_before_anybody_reads(office: Office):
    office.shelf.opens("7")
    office.shelf.lose_answers = 1
    office.later(DAY)
    office.clock.step(timedelta(minutes=5))
    while office.deliverer.step():
        pass

    assert office.raised() == [("7", "high")]
    assert len(office.head.heard) == 1


@pytest.mark.parametrize("point", ["recorded", "answered"])
def test_what_a_fault_of_ours_left_in_the_middle_goes_on_a_minute_later(office: Office, point: str):
    office.shelf.opens("7")
    office.clock.step(DAY)
    office.crash = point
    with pytest.raises(KeyboardInterrupt):
        office.round()
    # Once more, for in doubt it is looked up before it is done again.
    office.later(timedelta(minutes=1))
    office.later(timedelta(minutes=1))

    assert office.raised() == [("7", "high")]
    assert len(office.head.heard) == 1


def test_who_asks_for_a_pause_gets_no_other_step_meanwhile(office: Office):
    office.shelf.opens("7")
    office.shelf.opens("8")
    office.clock.step(DAY)
    office.reader.read(office.clock.now())
    office.shelf.fault = DeliveryError(Fate.NOT_SENT, "busy", retry_after=timedelta(minutes=2))
    office.deliverer.step()
    office.shelf.fault = None
    office.round()
    assert office.raised() == []

    office.later(timedelta(minutes=2))
    assert sorted(office.raised()) == [("7", "high"), ("8", "high")]


def test_a_helpdesk_that_is_away_gets_the_step_when_it_is_back(office: Office):
    office.shelf.opens("7")
    office.clock.step(DAY)
    office.reader.read(office.clock.now())
    office.shelf.fault = DeliveryError(Fate.NOT_SENT, "away")
    for _ in range(60):
        office.clock.step(timedelta(minutes=1))
        office.deliverer.step()
    office.shelf.fault = None
    office.later(timedelta(minutes=6))

    assert office.raised() == [("7", "high")]


def test_a_ticket_that_is_gone_is_forgotten(office: Office):
    office.shelf.opens("7")
    office.round()
    office.clock.step(DAY)
    office.reader.read(office.clock.now())
    office.shelf.deletes("7")
    while office.deliverer.step():
        pass

    with office.database.reading() as tx:
        assert cases.waiting(tx) == ()
    assert office.head.heard == []


def test_what_was_deleted_is_noticed_in_the_night(office: Office):
    office.shelf.opens("7")
    office.round()
    office.shelf.deletes("7")
    office.later(timedelta(minutes=5))
    with office.database.reading() as tx:
        assert len(cases.waiting(tx)) == 1

    # Seventeen hours later it is three at night.
    office.later(17 * HOUR)
    with office.database.reading() as tx:
        assert cases.waiting(tx) == ()


def test_the_first_look_goes_back_as_far_as_the_average_and_later_ones_overlap(office: Office):
    office.round()
    office.later(timedelta(minutes=5))

    assert office.shelf.asked_since == [MONDAY - 30 * DAY, MONDAY - timedelta(minutes=15)]


def test_a_nightly_look_goes_back_to_the_oldest_that_waits(office: Office):
    office.shelf.opens("7", opened_at=MONDAY - 29 * DAY)
    office.round()
    for _ in range(4):
        office.later(DAY)

    assert office.shelf.asked_since[-1] == MONDAY - 29 * DAY


def test_a_forgotten_past_is_left_alone(office: Office):
    office.shelf.opens("7", opened_at=MONDAY - 40 * DAY)
    office.shelf.opens("8", opened_at=MONDAY - 20 * DAY, priority=Priority.LOW)
    office.round()

    # Twenty days are one step all the same.
    assert office.raised() == [("8", "normal")]


def test_what_was_not_forgotten_when_it_came_goes_on_rising_however_long_that_takes(office: Office):
    office.apply(Promise(after=20 * DAY))
    office.shelf.opens("7", opened_at=MONDAY - 29 * DAY, priority=Priority.LOW)
    office.round()
    for _ in range(4):
        office.later(20 * DAY)

    assert office.raised() == [("7", "normal"), ("7", "high"), ("7", "urgent")]


def test_service_hours_can_be_what_counts(office: Office):
    office.apply(Promise(after=10 * HOUR, in_service=True))
    office.shelf.opens("7")
    # From ten to six, and from eight to nine.
    for _ in range(23):
        office.later(HOUR)
    assert office.raised() == []

    office.later(HOUR)
    assert office.raised() == [("7", "high")]


def test_departments_that_nothing_was_promised_for_are_left_alone(office: Office):
    office.apply(Promise(departments=("pagos",)))
    office.shelf.opens("7")
    office.shelf.opens("8", department="pagos")
    office.later(DAY)

    assert office.raised() == [("8", "high")]


def test_our_own_ticket_rises_as_well_under_its_reference_and_the_journal_knows(office: Office):
    whole = builders.incident()
    reference = reference_of("TESTHAUS", whole.id)
    ticket = TicketOpened(
        incident=whole.id,
        reference=reference,
        helpdesk="shelf",
        ticket="7",
        url="",
        department="soporte",
        priority="normal",
        subject="",
    )
    with office.database.writing() as tx:
        opened = Entry(kind=Kind.TICKET_OPENED, moment=office.clock.now(), subject=whole.id, body=ticket)
        append(tx, (builders.opened(whole, at=office.clock.now()), opened), office.clock.now())
    office.shelf.opens("7", reference=reference)
    office.later(DAY)

    [raised] = [order for order in office.shelf.orders if order.action is Action.PRIORITY]
    assert (raised.reference, raised.priority) == (reference, Priority.HIGH)
    with office.database.reading() as tx:
        known = readings.ticket(tx, reference)
    assert known is not None
    assert (known.priority, known.status) == ("high", "open")


def test_the_head_is_told_once_a_step_with_what_happened(office: Office):
    office.shelf.opens("7")
    office.shelf.told["7"] = (
        Word(
            key="1",
            deed=Deed.ASSIGNED,
            author="ana",
            at=MONDAY + HOUR,
            body="luis",
        ),
        Word(
            key="2",
            deed=Deed.NOTE,
            author="luis",
            at=MONDAY + 2 * HOUR,
            body="Lo veo\nmañana.",
        ),
    )
    office.later(DAY)
    office.later(HOUR)

    [message] = office.head.heard
    assert message.title == "Nodored: nadie responde el ticket 7 (Soporte técnico)"
    assert message.body == (
        "«No puedo entrar 7», de cliente@example.com, espera una respuesta desde el 16 de noviembre de 2026, 10:00, hora de"
        " Ecuador, es decir desde hace 1 día. Prometemos responder dentro de 24 horas.\n"
        "La prioridad subió de normal a alta.\n"
        "\n"
        "Lo que pasó hasta ahora:\n"
        "- 16 nov, 11:00, ana: asignó el ticket: luis\n"
        "- 16 nov, 12:00, luis: anotó: Lo veo mañana.\n"
        "\n"
        "Ticket: https://helpdesk.example/7"
    )


def test_the_head_of_a_ticket_at_the_top_is_told_once(office: Office):
    office.shelf.opens("7", priority=Priority.URGENT)
    for _ in range(4):
        office.later(DAY)

    assert office.raised() == []
    [message] = office.head.heard
    assert "La prioridad ya es urgente: no puede subir más." in message.body


def test_a_head_who_is_away_is_told_later(office: Office):
    office.shelf.opens("7")
    office.head.away = True
    office.later(DAY)
    assert office.head.heard == []

    office.head.away = False
    office.later(10 * timedelta(minutes=1))
    assert len(office.head.heard) == 1


def test_a_head_who_is_away_is_not_told_of_what_was_answered_meanwhile(office: Office):
    office.shelf.opens("7")
    office.head.away = True
    office.later(DAY)
    office.shelf.answers("7")
    office.head.away = False
    office.later(10 * timedelta(minutes=1))

    assert office.raised() == [("7", "high")]
    assert office.head.heard == []


def test_a_step_that_the_helpdesk_refuses_is_told_to_the_head(office: Office):
    office.shelf.opens("7")
    office.clock.step(DAY)
    office.reader.read(office.clock.now())
    office.shelf.fault = DeliveryError(Fate.REFUSED, "no such priority")
    while office.deliverer.step():
        pass

    [message] = office.head.heard
    assert "el helpdesk no lo permitió" in message.body

    office.shelf.fault = None
    assert office.deliverer.appeal() == 1
    while office.deliverer.step():
        pass
    assert office.raised() == [("7", Priority.HIGH)]
    assert len(office.head.heard) == 1


def figures(office: Office) -> dict[str, tuple[timedelta | None, int, int]]:
    with office.database.reading() as tx:
        return {each.department: (each.mean, each.sample, each.waiting) for each in readings.answer_times(tx)}


def test_the_average_follows_the_helpdesk(office: Office):
    office.round()
    assert figures(office) == {"soporte": (None, 0, 0), "pagos": (None, 0, 0)}

    office.shelf.opens("7")
    office.shelf.opens("8", department="ventas")
    office.later(2 * HOUR)
    office.shelf.answers("7")
    office.later(timedelta(minutes=5))

    assert figures(office) == {"soporte": (2 * HOUR, 1, 0), "pagos": (None, 0, 0), "ventas": (None, 0, 1)}


def test_tickets_that_we_opened_are_no_customer_s_question(office: Office):
    office.shelf.opens("7", reference="VG-TESTHAUS-01")
    office.clock.step(HOUR)
    office.shelf.answers("7")
    office.round()

    assert figures(office)["soporte"] == (None, 0, 0)


def test_a_helpdesk_that_cannot_be_read_has_no_figures(office: Office):
    office.shelf.opens("7")
    office.round()
    office.shelf.readable = False
    office.round()

    assert figures(office) == {}
    with office.database.reading() as tx:
        assert cases.waiting(tx) == ()


def test_the_tickets_of_a_helpdesk_that_was_given_up_are_forgotten(office: Office):
    office.shelf.opens("7")
    office.round()
    office.shelf.name = "another"
    office.shelf.deletes("7")
    office.shelf.opens("8")
    office.round()

    with office.database.reading() as tx:
        assert [row.ticket for row in cases.waiting(tx)] == ["8"]
        assert cases.tickets(tx, "shelf") == frozenset()


def test_while_the_helpdesk_is_away_the_figures_stay_and_grow_old(office: Office):
    office.round()
    office.shelf.fault = DeliveryError(Fate.NOT_SENT, "away")
    office.clock.step(HOUR)
    with pytest.raises(DeliveryError):
        office.reader.read(office.clock.now())

    with office.database.reading() as tx:
        assert {each.until for each in readings.answer_times(tx)} == {MONDAY}


def test_the_holidays_of_the_country_are_fetched_once_a_year_and_wait_for_nobody(office: Office):
    office.apply(hours=Hours(country="EC"))
    keeper = HolidayKeeper(office.database)
    friday = datetime(2026, 10, 30, 23, 0, tzinfo=UTC)
    wednesday = datetime(2026, 11, 4, 14, 0, tzinfo=UTC)

    def worked() -> timedelta:
        with office.database.reading() as tx:
            return calendar_of(tx, Hours(country="EC"), "America/Guayaquil").worked(friday, wednesday)

    assert worked() == 21 * HOUR
    assert keeper.note(MONDAY) is True
    assert worked() == HOUR
    assert keeper.note(MONDAY + DAY) is False
    assert keeper.note(MONDAY + 800 * DAY) is True


def test_a_country_whose_holidays_nobody_knows_is_told(office: Office):
    office.apply(hours=Hours(country="EC-ZZ"))
    with pytest.raises(UnknownHolidaysError, match=r"EC-ZZ are not known.*subdivision"):
        HolidayKeeper(office.database).note(MONDAY)


def test_what_waits_is_listed_with_its_time(office: Office):
    office.shelf.opens("7")
    office.round()
    office.later(3 * HOUR)
    with office.database.reading() as tx:
        fleet = readings.fleet(tx)
        assert fleet is not None
        [(row, waited)] = waits_of(tx, fleet, office.clock.now())
    assert (row.ticket, waited) == ("7", 3 * HOUR)


def test_the_head_is_told_by_real_mail(office: Office):
    with post_office() as mail:
        url = f"mailto://127.0.0.1:{mail.port}/?from=vigia@example.com&to=jefa@example.com&mode=insecure"
        office.head = AppriseMessenger(SecretStr(url))
        office.restart()
        office.shelf.opens("7")
        office.later(DAY)

    [letter] = [message_from_bytes(each, policy=policy.default) for each in mail.taken]
    assert letter["To"] == "jefa@example.com"
    assert letter["Subject"] == "Nodored: nadie responde el ticket 7 (Soporte técnico)"
    assert "La prioridad subió de normal a alta." in letter.get_body(("plain",)).get_content()
