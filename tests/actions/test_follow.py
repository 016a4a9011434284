"""What people do to tickets at the helpdesk is read, told once, and never obeyed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from monitor.actions.append import append
from monitor.actions.follow import DISPUTED_AFTER, FOLLOWED_FOR, Follower
from monitor.identifiers import IncidentId, ServerId
from monitor.journal.consequences import Channel
from monitor.journal.entries import Kind
from monitor.store import deliveries, journal, readings
from monitor.tickets.port import (
    Case,
    Deed,
    DeliveryError,
    Fate,
    Found,
    Helpdesk,
    Records,
    Word,
    reference_of,
)
from monitor.tickets.webhook import Webhook
from tests.actions.conftest import INSTALLATION, House, webhook
from tests.tickets import builders

REFERENCE = reference_of(INSTALLATION, builders.INCIDENT)
MINUTE = timedelta(minutes=1)


class Read:
    """What people did, as a helpdesk with records tells it."""

    def __init__(self) -> None:
        self.done: list[Word] = []
        self.asked = 0
        self.broken: set[str] = set()
        self.pause: timedelta | None = None
        self.meanwhile: Callable[[], object] = lambda: None

    def cases(self, since: object) -> tuple[Case, ...]:
        del since
        return ()

    def words(self, ticket: str) -> tuple[Word, ...]:
        self.asked += 1
        if self.pause is not None:
            raise DeliveryError(Fate.NOT_SENT, "not so fast", retry_after=self.pause)
        if ticket in self.broken:
            raise DeliveryError(Fate.UNCERTAIN, "500 for this ticket")
        self.meanwhile()
        if ticket == "gone":
            raise DeliveryError(Fate.MISSING, "no such ticket")
        return tuple(self.done)


class ReadableWebhook(Webhook):
    """A webhook whose tickets can be read, and which may know by itself when each was answered."""

    records: Records | None = None
    answered_at: datetime | None = None

    def find(self, reference: str) -> tuple[Found, ...]:
        return tuple(replace(found, answered_at=self.answered_at) for found in super().find(reference))


def follower(house: House, words: Sequence[Word] | None = None, *, reopens: bool = False) -> Follower:
    helpdesk: Helpdesk = webhook(house.helpdesk, house.clock)
    if words is not None:
        helpdesk = readable(house, words)
    return again(house, helpdesk, reopens=reopens)


def readable(house: House, words: Sequence[Word]) -> ReadableWebhook:
    plain = webhook(house.helpdesk, house.clock)
    made = ReadableWebhook(plain._options, house.clock.now)
    made.records = Read()
    made.records.done = list(words)
    return made


def again(house: House, helpdesk: Helpdesk, *, reopens: bool = False) -> Follower:
    return Follower(
        house.database,
        helpdesk,
        lambda tx, entries: append(tx, entries, house.clock.now()),
        reopens=reopens,
    )


def told(house: House, kind: Kind) -> list[str]:
    with house.database.reading() as tx:
        return [numbered.entry.actor for numbered in journal.entries(tx, kinds=[kind])]


def word(key: str, deed: Deed, body: str = "", after: timedelta = MINUTE) -> Word:
    return Word(key=key, deed=deed, author="ana", at=builders.START + after, body=body)


def opened(house: House) -> None:
    house.happen(builders.opened(builders.incident()))


def test_each_word_is_told_once_across_restarts(house: House) -> None:
    opened(house)
    words = [
        word("1", Deed.ANSWER, "Lo miramos"),
        word("2", Deed.ASSIGNED, "ben"),
        word("3", Deed.NOTE, "disco\x1b[2J"),
    ]
    first = follower(house, words)
    assert first.follow(house.clock.now())
    assert not first.follow(house.clock.step(MINUTE))
    assert not follower(house, words).follow(house.clock.step(MINUTE))
    with house.database.reading() as tx:
        notes = readings.notes(tx, REFERENCE)
        row = readings.ticket(tx, REFERENCE)
    assert [(note.deed, note.author) for note in notes] == [
        ("answer", "ana"),
        ("assigned", "ana"),
        ("note", "ana"),
    ]
    assert notes[2].body == "disco\N{REPLACEMENT CHARACTER}[2J"
    assert row is not None
    assert row.first_answer_at == builders.START + MINUTE


def status(house: House) -> str:
    with house.database.reading() as tx:
        row = readings.ticket(tx, REFERENCE)
    assert row is not None
    return row.status


def test_a_ticket_that_a_person_answered_shows_so_once_and_stays_so(house: House) -> None:
    opened(house)
    clerk = follower(house, [word("1", Deed.ANSWER, "Lo miramos")])
    assert clerk.follow(house.clock.step(MINUTE))
    assert status(house) == "answered"
    assert not clerk.follow(house.clock.step(MINUTE))
    house.helpdesk.tickets[0].status = "closed"
    assert clerk.follow(house.clock.step(MINUTE))
    assert status(house) == "closed"
    house.helpdesk.tickets[0].status = "open"
    assert clerk.follow(house.clock.step(MINUTE))
    assert status(house) == "answered"


def test_a_helpdesk_that_knows_of_the_answer_says_whether_another_one_is_owed(house: House) -> None:
    """A customer may have written since: at the desk such a ticket is open again."""
    opened(house)
    helpdesk = readable(house, [word("1", Deed.ANSWER, "Lo miramos")])
    helpdesk.answered_at = builders.START + MINUTE
    assert again(house, helpdesk).follow(house.clock.step(MINUTE))
    assert status(house) == "open"


def test_an_answer_is_enough_where_nothing_can_be_looked_up(house: House) -> None:
    opened(house)
    helpdesk = readable(house, [word("1", Deed.ANSWER, "Lo miramos")])
    house.helpdesk.tickets.clear()
    assert again(house, helpdesk).follow(house.clock.step(MINUTE))
    assert status(house) == "answered"


def test_what_people_do_is_never_taken_for_an_acknowledgement(house: House) -> None:
    opened(house)
    follower(house, [word("1", Deed.ASSIGNED, "ben"), word("2", Deed.ANSWER, "mine")]).follow(
        house.clock.now()
    )
    with house.database.reading() as tx:
        incident = readings.incident(tx, builders.INCIDENT)
    assert incident is not None
    assert incident.acknowledged is None
    assert told(house, Kind.INCIDENT_ACKNOWLEDGED) == []
    assert [row.action for row in house.rows()] == ["create"]


def test_a_ticket_closed_too_early_is_disputed_once(house: House) -> None:
    opened(house)
    clerk = follower(house)
    house.helpdesk.tickets[0].status = "closed"
    assert clerk.follow(house.clock.step(MINUTE))
    with house.database.reading() as tx:
        row = readings.ticket(tx, REFERENCE)
    assert row is not None
    assert row.status == "closed"
    assert not clerk.follow(house.clock.step(14 * MINUTE))
    assert clerk.follow(house.clock.step(MINUTE))
    house.steps()
    action, words = house.helpdesk.tickets[0].messages[-1]
    assert (action, house.helpdesk.tickets[0].status) == ("comment", "closed")
    assert "gye1.nodored.example" in words
    # Neither again, nor by another process.
    for _ in range(60):
        clerk.follow(house.clock.step(MINUTE))
    follower(house).follow(house.clock.now())
    house.steps()
    assert len(house.helpdesk.tickets[0].messages) == 2
    assert told(house, Kind.TICKET_DISPUTED) == ["vigia"]


def test_it_is_opened_again_where_that_is_configured(house: House) -> None:
    opened(house)
    clerk = follower(house, reopens=True)
    for round_ in (1, 2):
        house.helpdesk.tickets[0].status = "closed"
        clerk.follow(house.clock.step(MINUTE))
        clerk.follow(house.clock.step(DISPUTED_AFTER))
        house.steps()
        assert house.helpdesk.tickets[0].status == "open"
        assert [action for action, _ in house.helpdesk.tickets[0].messages].count("reopen") == round_


def test_what_we_closed_ourselves_is_no_dispute(house: House) -> None:
    whole = builders.incident()
    opened(house)
    house.happen(builders.resolved(whole, builders.START + 10 * MINUTE))
    assert not follower(house).follow(house.clock.step(timedelta(hours=1)))
    # Open again, with the reopening still on its way: how it stands there is our own doing.
    house.helpdesk.modes.extend(["503"] * 50)
    house.happen(builders.reopened(whole, house.clock.now()))
    assert not follower(house).follow(house.clock.step(MINUTE))
    house.wait(20 * MINUTE)
    assert not follower(house).follow(house.clock.now())
    assert told(house, Kind.TICKET_DISPUTED) == []


def test_a_person_who_opens_it_again_is_believed(house: House) -> None:
    opened(house)
    clerk = follower(house)
    house.helpdesk.tickets[0].status = "closed"
    clerk.follow(house.clock.step(MINUTE))
    house.helpdesk.tickets[0].status = "open"
    assert clerk.follow(house.clock.step(MINUTE))
    assert not clerk.follow(house.clock.step(timedelta(hours=1)))
    assert told(house, Kind.TICKET_DISPUTED) == []


def test_a_helpdesk_that_is_away_changes_nothing(house: House) -> None:
    opened(house)
    house.helpdesk.get_modes.append("500")
    with pytest.raises(DeliveryError):
        follower(house).follow(house.clock.step(MINUTE))
    assert told(house, Kind.TICKET_UPDATED) == []


def reading(house: House, words: Sequence[Word]) -> tuple[Follower, Read]:
    """Return who follows a helpdesk that tells these words, and what counts how often it was asked for them."""
    helpdesk = ReadableWebhook(webhook(house.helpdesk, house.clock)._options, house.clock.now)
    helpdesk.records = read = Read()
    read.done = list(words)
    return again(house, helpdesk), read


def over(house: House) -> None:
    house.happen(builders.resolved(builders.incident(), builders.START + 10 * MINUTE))


def test_what_we_do_to_a_ticket_while_it_is_read_is_not_taken_for_somebody_elses_doing(house: House) -> None:
    opened(house)
    clerk, read = reading(house, [word("1", Deed.NOTE, "hm")])
    read.meanwhile = lambda: over(house)
    assert not clerk.follow(house.clock.step(MINUTE))
    assert told(house, Kind.TICKET_UPDATED) == ["vigia"]
    read.meanwhile = lambda: None
    assert clerk.follow(house.clock.step(MINUTE))
    assert told(house, Kind.TICKET_NOTED) == ["ana"]


def test_a_ticket_that_is_gone_is_left_to_who_looks_for_lost_ones(house: House) -> None:
    opened(house)
    clerk, read = reading(house, [])
    with house.database.writing() as tx:
        tx.execute("UPDATE tickets SET ticket = 'gone'")
    assert not clerk.follow(house.clock.step(MINUTE))
    assert read.asked == 1
    assert status(house) == "open"


def test_what_was_written_just_before_the_end_and_after_it_is_told_too(house: House) -> None:
    opened(house)
    clerk, read = reading(house, [])
    clerk.follow(house.clock.step(MINUTE))
    read.done = [
        word("1", Deed.ANSWER, "Lo miramos", 9 * MINUTE),
        word("2", Deed.ASSIGNED, "eva", 9 * MINUTE),
    ]
    over(house)
    assert clerk.follow(house.clock.step(MINUTE))
    read.done.append(word("3", Deed.NOTE, "Era el disco", 30 * MINUTE))
    assert clerk.follow(house.clock.step(5 * MINUTE))
    with house.database.reading() as tx:
        notes, row = readings.notes(tx, REFERENCE), readings.ticket(tx, REFERENCE)
    assert [note.deed for note in notes] == ["answer", "assigned", "note"]
    assert row is not None
    assert (row.status, row.first_answer_at) == ("closed", builders.START + 9 * MINUTE)


def test_what_is_over_is_read_at_once_then_every_five_minutes_and_no_more_after_a_day(house: House) -> None:
    opened(house)
    clerk, read = reading(house, [])
    over(house)
    asked = []
    for _ in range(11):
        clerk.follow(house.clock.now())
        asked.append(read.asked)
        house.clock.step(MINUTE)
    assert asked == [1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 3]
    clerk.follow(house.clock.step(FOLLOWED_FOR))
    assert read.asked == 3


def test_what_people_do_after_the_end_opens_nothing_again_and_is_not_disputed(house: House) -> None:
    opened(house)
    clerk, read = reading(
        house, [word("1", Deed.CLOSED, "", 9 * MINUTE), word("2", Deed.REOPENED, "", 20 * MINUTE)]
    )
    over(house)
    house.helpdesk.tickets[0].status = "open"
    for _ in range(12):
        clerk.follow(house.clock.step(5 * MINUTE))
        house.steps()
    assert read.asked == 12
    with house.database.reading() as tx:
        row, incident = readings.ticket(tx, REFERENCE), readings.incident(tx, builders.INCIDENT)
    assert row is not None
    assert row.status == "closed"
    assert incident is not None
    assert not incident.open
    assert told(house, Kind.TICKET_DISPUTED) == []
    assert [row.action for row in house.rows()] == ["create", "resolve"]


def test_an_end_that_is_still_on_its_way_is_waited_for_without_asking(house: House) -> None:
    opened(house)
    clerk, read = reading(house, [word("1", Deed.NOTE, "hm")])
    house.helpdesk.modes.extend(["503"] * 50)
    over(house)
    assert not clerk.follow(house.clock.step(MINUTE))
    assert read.asked == 0


def test_many_that_are_over_are_read_a_few_at_a_time(house: House) -> None:
    for number in range(40):
        one = builders.incident(IncidentId(f"01JD9ZK3V8QW5R7T2M4N6P8S{number:02}"))
        house.happen(builders.opened(one), builders.resolved(one, builders.START + 10 * MINUTE))
    clerk, read = reading(house, [])
    asked = []
    for _ in range(4):
        clerk.follow(house.clock.step(MINUTE))
        asked.append(read.asked)
    assert asked == [15, 30, 40, 40]


def three(house: House) -> tuple[Follower, Read]:
    """Return who follows the tickets of three servers, and what counts how often it was asked."""
    servers = (builders.GYE1, ServerId("uio1"), ServerId("cue1"))
    house.record(builders.applied(builders.START, *servers))
    names = (builders.INCIDENT, *(IncidentId(f"01JD9ZK3V8QW5R7T2M4N6P8S0{number}") for number in (1, 2)))
    for name, server in zip(names, servers, strict=True):
        house.happen(builders.opened(builders.incident(name, server)))
    return reading(house, [])


def test_a_ticket_that_cannot_be_read_holds_up_no_other_and_is_named_once(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    clerk, read = three(house)
    read.broken = {str(ticket.id) for ticket in house.helpdesk.tickets[:1]}
    house.helpdesk.tickets[1].status = "closed"
    assert clerk.follow(house.clock.step(MINUTE))
    assert told(house, Kind.TICKET_UPDATED) == ["helpdesk"]
    assert not clerk.follow(house.clock.step(MINUTE))
    assert [record.message for record in caplog.records] == [
        f"ticket {house.helpdesk.tickets[0].id} ({REFERENCE}) cannot be read: 500 for this ticket"
    ]
    read.broken.clear()
    house.helpdesk.tickets[0].status = "closed"
    assert clerk.follow(house.clock.step(MINUTE))


def test_a_helpdesk_of_which_no_ticket_can_be_read_is_asked_for_a_few(house: House) -> None:
    clerk, read = three(house)
    read.broken = {str(ticket.id) for ticket in house.helpdesk.tickets}
    with pytest.raises(DeliveryError):
        clerk.follow(house.clock.step(MINUTE))
    assert read.asked == 3


def test_a_helpdesk_that_asks_for_a_pause_is_not_asked_for_the_next_ticket(house: House) -> None:
    clerk, read = three(house)
    read.pause = MINUTE
    with pytest.raises(DeliveryError):
        clerk.follow(house.clock.step(MINUTE))
    assert read.asked == 1


def test_who_is_to_end_reads_no_further_ticket(house: House) -> None:
    clerk, read = three(house)
    clerk._is_over = lambda: read.asked == 1
    clerk.follow(house.clock.step(MINUTE))
    assert read.asked == 1


def test_a_replay_tells_the_same_and_asks_nobody(house: House) -> None:
    opened(house)
    follower(house, [word("1", Deed.NOTE, "hm")]).follow(house.clock.now())
    house.helpdesk.tickets[0].status = "closed"
    clerk = follower(house)
    clerk.follow(house.clock.step(MINUTE))
    clerk.follow(house.clock.step(DISPUTED_AFTER))
    with house.database.reading() as tx:
        before = (readings.ticket(tx, REFERENCE), readings.notes(tx, REFERENCE))
        queued = len(deliveries.of_incident(tx, builders.INCIDENT, Channel.TICKET))
    journal.rebuild(house.database)
    with house.database.reading() as tx:
        assert (readings.ticket(tx, REFERENCE), readings.notes(tx, REFERENCE)) == before
        assert len(deliveries.of_incident(tx, builders.INCIDENT, Channel.TICKET)) == queued
