"""A drill goes the whole way of a fault, is seen by nobody else, ends by itself and leaves a record of how it went."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import pytest

from monitor.actions import drill
from monitor.actions.append import append
from monitor.actions.deliver import Deliverer
from monitor.actions.desk import StoredDesk
from monitor.actions.summarise import summarise
from monitor.errors import NotFoundError, RefusedError
from monitor.identifiers import IncidentId, ServerId
from monitor.incidents.drill import PATIENCE, Step
from monitor.incidents.incident import Audience, Incident, Trouble
from monitor.inventory.settings import DrillPlan
from monitor.journal.consequences import Channel
from monitor.station.drills import Drills
from monitor.store import desk, journal, readings
from monitor.store.database import Database
from monitor.store.readings import DrillRow
from monitor.subscribers.port import Message
from monitor.tickets.desk import Desk, DeskOptions
from monitor.tickets.port import (
    Action,
    DeliveryError,
    Fate,
    Found,
    Helpdesk,
    Priority,
    Receipt,
    TicketStatus,
)
from tests.actions.builders import Lookout
from tests.conftest import SteppingClock

GYE1 = ServerId("gye1")
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
PLAN = DrillPlan(server=GYE1, at=time(6), lasts=5 * MINUTE, warn_after=26 * HOUR, priority=Priority.LOW)


class Told:
    """Operators who hear everything, or nothing."""

    def __init__(self) -> None:
        self.deaf = False
        self.heard: list[Message] = []

    def tell(self, message: Message) -> bool:
        self.heard.append(message)
        return not self.deaf


class Away:
    """A helpdesk that refuses every connection."""

    name = "away"
    search_lag = SECOND
    records = None

    def inspect(self):
        return ()

    def perform(self, order):
        raise DeliveryError(Fate.NOT_SENT, "connection refused")

    def find(self, reference):
        raise DeliveryError(Fate.NOT_SENT, "connection refused")


class Mute(Away):
    """A helpdesk whose answer to a creation is lost, and whose index is far behind as a rule."""

    search_lag = HOUR

    def __init__(self) -> None:
        self.kept: dict[str, Found] = {}

    def perform(self, order):
        status = TicketStatus.CLOSED if order.action is Action.RESOLVE else TicketStatus.OPEN
        self.kept[order.reference] = Found(
            ticket="7", reference=order.reference, url="", status=status, priority=order.priority
        )
        if order.action is Action.CREATE:
            raise DeliveryError(Fate.UNCERTAIN, "no whole answer came in time")
        return Receipt(ticket="7", url="")

    def find(self, reference):
        return tuple(filter(None, [self.kept.get(reference)]))


class Station:
    """The bureau, its drills and whoever delivers, on a clock that only the test moves."""

    def __init__(
        self, lookout: Lookout, helpdesk: Helpdesk | None = None, *others: Told, told: bool = True
    ) -> None:
        self.lookout = lookout
        self.database, self.clock = lookout.database, lookout.bureau.clock
        self.drills = Drills(self.database, self.clock, lambda: lookout.bureau.picture)
        self.told = Told()
        ears = (self.told, *others) if told else ()
        at_home = {Channel.TICKET, Channel.VERIFY} if helpdesk is None else set()
        self.deliverer = Deliverer(
            database=self.database,
            helpdesk=helpdesk
            or Desk(DeskOptions(), StoredDesk(self.database, "https://estado.test"), self.clock.now),
            operators=dict(zip("abc", ears, strict=False)),
            clock=self.clock,
            installation="TESTHAUS",
            append=lambda tx, entries: append(tx, entries, self.clock.now()),
            at_home=frozenset(at_home),
            drill=Priority.LOW,
        )

    def begin(self, lasts: timedelta = 5 * MINUTE) -> Incident:
        with self.database.writing() as tx:
            return drill.begin(tx, GYE1, lasts, self.clock.now(), author="ana")

    def go_on(self, span: timedelta, *, step: timedelta = SECOND) -> None:
        for _ in range(span // step):
            while self.deliverer.step():
                pass
            self.drills.follow()
            self.lookout.bureau.keep_house()
            self.lookout.clock.step(step)

    def row(self, begun: Incident) -> DrillRow | None:
        with self.database.reading() as tx:
            return readings.drill(tx, begun.id)

    def matters(self) -> list[Incident]:
        with self.database.reading() as tx:
            return [one for one in readings.open_incidents(tx) if one.trouble is Trouble.DRILL]


@pytest.fixture
def lookout(tmp_path: Path) -> Iterator[Lookout]:
    clock = SteppingClock(datetime(2026, 11, 22, 11, 0, tzinfo=UTC))
    made = Lookout(Database.open(tmp_path / "vigia.db", owner=True), clock)
    made.all_well()
    yield made
    made.database.close()


@pytest.fixture
def station(lookout: Lookout) -> Station:
    return Station(lookout)


def test_a_drill_takes_every_step_and_ends_by_itself(station: Station):
    begun = station.begin()
    station.go_on(10 * SECOND)
    row = station.row(begun)
    assert row is not None
    assert row.passed
    assert list(row.taken) == list(Step)
    assert sorted(row.taken.values()) == [row.taken[step] for step in Step]
    with station.database.reading() as tx:
        ticket = readings.ticket_of(tx, begun.id)
        kept = desk.find(tx, ticket.reference)
        words = [message.body for message in desk.messages(tx, kept.id)]
    assert (ticket.status, ticket.priority, ticket.department) == ("closed", "low", "soporte")
    assert ticket.subject.endswith("SIMULACRO: gye1.nodored.com")
    assert words[0].startswith(
        "SIMULACRO: nada falló. Nadie tiene que hacer nada; este ticket se cierra solo."
    )
    assert "Nada falló, y los clientes no lo ven." in words[0]
    assert [message.title for message in station.told.heard] == [
        "[Nodored] SIMULACRO: gye1.nodored.com",
        "[Nodored] Terminado: SIMULACRO: gye1.nodored.com",
    ]


def test_customers_see_nothing_of_it(station: Station):
    before = station.lookout.status()
    begun = station.begin()
    station.go_on(2 * SECOND)
    with station.database.reading() as tx:
        page = summarise(tx, station.clock.now(), number=1)
        found = readings.incident(tx, begun.id)
    assert found.audience is Audience.OPERATORS
    assert (page.open_incidents, page.recent_incidents) == ((), ())
    assert station.lookout.status() is before


def test_a_real_fault_during_a_drill_is_an_incident_of_its_own(station: Station):
    station.begin(lasts=HOUR)
    station.deliverer.step()
    station.lookout.see("gye1/http down", times=3)
    with station.database.reading() as tx:
        detected = readings.open_incident_of(tx, GYE1)
    assert detected is not None
    assert not detected.drill
    station.go_on(10 * SECOND)
    with station.database.reading() as tx:
        own = readings.ticket_of(tx, detected.id)
    assert own is not None
    assert (own.status, own.priority) == ("open", "urgent")


def test_a_helpdesk_that_is_away_is_the_step_that_is_missing(lookout: Lookout):
    station = Station(lookout, helpdesk=Away())
    begun = station.begin(lasts=MINUTE)
    station.go_on(MINUTE + PATIENCE + 10 * SECOND)
    row = station.row(begun)
    assert row is not None
    assert not row.passed
    assert set(Step) - set(row.taken) - row.spared == {Step.TICKET_OPENED, Step.READ_BACK, Step.TICKET_CLOSED}
    assert row.taken[Step.RESOLVED] - begun.opened_at >= MINUTE


def test_a_ticket_that_was_looked_up_was_read_back_however_long_others_may_be_hidden(lookout: Lookout):
    station = Station(lookout, helpdesk=Mute())
    begun = station.begin(lasts=5 * MINUTE)
    station.go_on(5 * MINUTE + PATIENCE)
    row = station.row(begun)
    assert row is not None
    assert row.passed
    assert row.taken[Step.READ_BACK] == row.taken[Step.TICKET_OPENED]


def test_operators_who_do_not_hear_are_the_step_that_is_missing(lookout: Lookout):
    station = Station(lookout)
    station.told.deaf = True
    begun = station.begin(lasts=MINUTE)
    station.go_on(MINUTE + PATIENCE + 10 * SECOND)
    row = station.row(begun)
    assert row is not None
    assert set(Step) - set(row.taken) - row.spared == {Step.TOLD, Step.TOLD_OVER}


def test_every_address_of_the_operators_must_have_taken_the_message(lookout: Lookout):
    deaf = Told()
    deaf.deaf = True
    station = Station(lookout, None, deaf)
    begun = station.begin(lasts=MINUTE)
    station.go_on(30 * SECOND)
    with station.database.reading() as tx:
        assert Step.TOLD not in drill.course_of(tx, begun).taken
    deaf.deaf = False
    station.go_on(MINUTE)
    row = station.row(begun)
    assert row is not None
    assert row.passed
    assert row.taken[Step.TOLD] >= begun.opened_at + 30 * SECOND


def test_where_nobody_asked_to_be_told_that_is_not_missed(lookout: Lookout):
    station = Station(lookout, told=False)
    begun = station.begin()
    station.go_on(10 * SECOND)
    row = station.row(begun)
    assert row is not None
    assert row.passed
    assert row.spared == {Step.TOLD, Step.TOLD_OVER}


def test_there_is_one_drill_at_a_time_and_only_about_what_is_watched(station: Station):
    with station.database.writing() as tx, pytest.raises(NotFoundError, match="uio9"):
        drill.begin(tx, ServerId("uio9"), MINUTE, station.clock.now(), author="ana")
    station.begin()
    with pytest.raises(RefusedError, match="under way"):
        station.begin()
    station.go_on(10 * SECOND)
    station.begin()


def test_one_that_was_begun_before_a_restart_is_judged_after_it(station: Station):
    begun = station.begin()
    station.deliverer.step()
    again = Station(station.lookout.restart())
    again.go_on(10 * SECOND)
    row = again.row(begun)
    assert row is not None
    assert row.passed


def test_how_it_went_comes_back_from_the_journal(station: Station):
    begun = station.begin()
    station.go_on(10 * SECOND)
    before = station.row(begun)
    journal.rebuild(station.database)
    assert station.row(begun) == before


def test_the_daily_drill_begins_and_a_second_one_waits(station: Station):
    assert not station.drills.begin()
    station.drills.use(PLAN)
    assert station.drills.begin()
    assert not station.drills.begin()
    station.go_on(10 * SECOND)
    assert station.drills.last_success is not None


def test_the_daily_drill_of_a_server_that_is_gone_is_no_crash(station: Station):
    station.drills.use(replace(PLAN, server=ServerId("uio9")))
    assert not station.drills.begin()


@pytest.fixture
def missing(station: Station) -> Station:
    """A station whose drills are expected and never begin, 26 hours later."""
    station.drills.use(PLAN)
    station.go_on(MINUTE)
    assert station.matters() == []
    station.go_on(26 * HOUR - 2 * MINUTE, step=10 * MINUTE)
    assert station.matters() == []
    station.go_on(10 * MINUTE, step=MINUTE)
    return station


def test_operators_are_told_once_when_no_drill_went_well_for_too_long(missing: Station):
    (matter,) = missing.matters()
    assert matter.audience is Audience.OPERATORS
    assert "vigia drill" in matter.updates[0].text["es"]
    missing.go_on(10 * MINUTE, step=MINUTE)
    assert [one.id for one in missing.matters()] == [matter.id]


def test_the_next_good_drill_ends_the_matter(missing: Station):
    (matter,) = missing.matters()
    missing.begin()
    missing.go_on(70 * SECOND)
    assert missing.matters() == []
    with missing.database.reading() as tx:
        assert readings.incident(tx, IncidentId(matter.id)).resolved_at is not None


def test_a_drill_that_went_wrong_does_not_end_it(missing: Station):
    missing.told.deaf = True
    missing.begin(lasts=MINUTE)
    missing.go_on(MINUTE + PATIENCE + 70 * SECOND)
    assert len(missing.matters()) == 1


def test_a_plan_that_is_taken_back_ends_it_and_a_new_one_begins_anew(missing: Station):
    missing.drills.use(None)
    missing.go_on(2 * SECOND)
    assert missing.matters() == []
    missing.drills.use(PLAN)
    missing.go_on(2 * MINUTE, step=MINUTE)
    assert missing.matters() == []


@pytest.mark.parametrize("restart", [False, True])
def test_a_restart_does_not_begin_the_wait_anew(station: Station, restart: bool):
    station.drills.use(PLAN)
    station.go_on(13 * HOUR, step=10 * MINUTE)
    later = Station(station.lookout.restart()) if restart else station
    later.drills.use(PLAN)
    later.go_on(13 * HOUR + 20 * MINUTE, step=10 * MINUTE)
    assert len(later.matters()) == 1
