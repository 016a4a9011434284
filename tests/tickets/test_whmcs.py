"""WHMCS and its traps: errors that look like successes, a search that finds what is alike, local times, no history."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from monitor.tickets.port import Action, Deed, DeliveryError, Fate, Priority, TicketStatus
from monitor.tickets.whmcs import Whmcs, WhmcsOptions
from monitor.tickets.whmcs_api import Ticket
from monitor.tickets.whmcs_records import in_order
from tests.conftest import SteppingClock
from tests.servers import whmcs as fake
from tests.tickets.ordering import OTHER, REFERENCE, fate_of, order

MINUTE = timedelta(minutes=1)


@pytest.fixture
def server(clock: SteppingClock) -> Iterator[fake.Whmcs]:
    whmcs = fake.Whmcs(clock.now)
    yield whmcs
    whmcs.close()


def built(server: fake.Whmcs, clock: SteppingClock, **changes: object) -> Whmcs:
    options = {
        "url": server.url,
        "identifier": fake.IDENTIFIER,
        "secret": fake.SECRET,
        "department_id": 2,
        "time_zone": fake.ZONE,
        "admin_username": "vigia",
        **changes,
    }
    return Whmcs(WhmcsOptions.model_validate(options), clock.now)


@pytest.fixture
def whmcs(server: fake.Whmcs, clock: SteppingClock) -> Whmcs:
    return built(server, clock)


def strangers(server: fake.Whmcs, count: int, subject: str = "[VG-TESTHAUS-{}] consulta") -> None:
    for number in range(count):
        fields = {"deptid": "2", "subject": subject.format(number), "message": "x", "name": "Luz"}
        server.on_openticket({**fields, "email": "luz@example.com"})


def calls(server: fake.Whmcs, action: str) -> int:
    return sum(called == action for called, _ in server.calls)


def test_ours_is_found_on_the_third_page_of_what_is_alike(
    server: fake.Whmcs, whmcs: Whmcs, clock: SteppingClock
) -> None:
    ticket = whmcs.perform(order()).ticket
    clock.step(MINUTE)
    strangers(server, 60)
    assert [found.ticket for found in whmcs.find(REFERENCE)] == [ticket]
    assert whmcs.find(OTHER) == ()


def test_who_quotes_our_mark_in_a_subject_gets_none_of_our_words(server: fake.Whmcs, whmcs: Whmcs) -> None:
    strangers(server, 1, f"Fwd: [{REFERENCE}] gye1")
    assert whmcs.find(REFERENCE) == ()
    ticket = whmcs.perform(order()).ticket
    assert [found.ticket for found in whmcs.find(REFERENCE)] == [ticket]


def test_no_mail_goes_to_who_stands_as_the_requester(server: fake.Whmcs, whmcs: Whmcs) -> None:
    whmcs.perform(order())
    [opened] = [fields for called, fields in server.calls if called == "OpenTicket"]
    assert (opened["email"], opened["noemail"]) == ("vigia@vigia.invalid", "true")


def test_a_ticket_that_somebody_renamed_is_still_found(server: fake.Whmcs, whmcs: Whmcs) -> None:
    ticket = whmcs.perform(order()).ticket
    strangers(server, 1, f"Fwd: [{REFERENCE}] gye1")
    server.ticket(ticket).subject = "Disco roto en gye1"
    assert [found.ticket for found in whmcs.find(REFERENCE)] == [ticket]
    assert whmcs.perform(order()).ticket == ticket


def test_no_change_of_ours_renames_a_ticket(server: fake.Whmcs, whmcs: Whmcs) -> None:
    ticket = whmcs.perform(order(priority=Priority.NORMAL)).ticket
    for seq, action in enumerate((Action.PRIORITY, Action.RESOLVE, Action.REOPEN), 2):
        whmcs.perform(order(action, ticket, seq))
    changes = [fields.keys() - fake._COMMON for action, fields in server.calls if action == "UpdateTicket"]
    assert changes == [{"ticketid", "priority"}, {"ticketid", "status"}, {"ticketid", "status"}]


@pytest.mark.parametrize(
    ("ours", "theirs", "back"),
    [
        (Priority.LOW, "Low", Priority.LOW),
        (Priority.NORMAL, "Medium", Priority.NORMAL),
        (Priority.HIGH, "High", Priority.URGENT),
        (Priority.URGENT, "High", Priority.URGENT),
    ],
)
def test_four_priorities_become_three(
    server: fake.Whmcs, whmcs: Whmcs, ours: Priority, theirs: str, back: Priority
) -> None:
    ticket = whmcs.perform(order(priority=ours)).ticket
    assert server.ticket(ticket).priority == theirs
    assert whmcs.find(REFERENCE)[0].priority is back


def test_our_public_word_leaves_the_status_alone_and_answers_nothing(
    server: fake.Whmcs, whmcs: Whmcs, clock: SteppingClock
) -> None:
    ticket = whmcs.perform(order()).ticket
    whmcs.perform(order(Action.COMMENT, ticket, 2, internal=False))
    assert server.ticket(ticket).status == "Open"
    [found] = whmcs.find(REFERENCE)
    assert (found.status, found.answered_at) == (TicketStatus.OPEN, None)
    assert whmcs.records.words(ticket) == ()


def test_without_a_login_of_ours_public_words_are_notes(server: fake.Whmcs, clock: SteppingClock) -> None:
    whmcs = built(server, clock, admin_username="")
    ticket = whmcs.perform(order()).ticket
    whmcs.perform(order(Action.COMMENT, ticket, 2, internal=False))
    assert [said.internal for said in server.ticket(ticket).said] == [False, True]


def test_a_resolution_that_broke_off_is_completed_and_says_its_words_once(
    server: fake.Whmcs, whmcs: Whmcs
) -> None:
    ticket = whmcs.perform(order()).ticket
    server.forbidden.add("AddTicketNote")
    assert fate_of(whmcs, order(Action.RESOLVE, ticket, 2)) is Fate.UNCERTAIN
    assert server.ticket(ticket).status == "Closed"
    server.forbidden.clear()
    for _ in range(3):
        whmcs.perform(order(Action.RESOLVE, ticket, 2))
    assert [said.message for said in server.ticket(ticket).said[1:]] == ["Palabras de resolve 2."]


def test_a_change_that_is_accepted_and_not_made_is_told(server: fake.Whmcs, whmcs: Whmcs) -> None:
    ticket = whmcs.perform(order()).ticket
    server.ignores_updates = True
    assert fate_of(whmcs, order(Action.RESOLVE, ticket, 2)) is Fate.REFUSED
    assert len(server.ticket(ticket).said) == 1


def test_what_was_merged_is_missing_and_not_found(server: fake.Whmcs, whmcs: Whmcs) -> None:
    ticket = whmcs.perform(order()).ticket
    kept = whmcs.perform(order(reference=OTHER)).ticket
    server.ticket(ticket).merged = kept
    assert whmcs.find(REFERENCE) == ()
    assert fate_of(whmcs, order(Action.REOPEN, ticket, 2)) is Fate.MISSING
    assert [(word.deed, word.body) for word in whmcs.records.words(ticket)] == [(Deed.MERGED, kept)]


@pytest.mark.parametrize(
    "action", ["GetSupportDepartments", "GetSupportStatuses", "GetTickets", "GetAdminDetails"]
)
def test_a_role_that_forbids_a_call_is_told_and_opens_nothing(
    server: fake.Whmcs, whmcs: Whmcs, action: str
) -> None:
    server.forbidden.add(action)
    [flaw] = whmcs.inspect()
    assert flaw.key == "helpdesk.whmcs.credentials"
    assert fate_of(whmcs, order()) is Fate.FORBIDDEN
    assert server.tickets == []
    server.forbidden.clear()
    assert whmcs.perform(order()).ticket == "1"


@pytest.mark.parametrize(
    ("message", "fate"),
    [
        ("Ticket ID not found", Fate.MISSING),
        ("Ticket ID Not Found", Fate.MISSING),
        ("Authentication Failed", Fate.FORBIDDEN),
        ("Invalid IP 192.0.2.7", Fate.FORBIDDEN),
        ('Invalid Permissions: API action "addticketnote" is not allowed', Fate.FORBIDDEN),
        ("Message is required", Fate.REFUSED),
    ],
)
def test_an_error_that_comes_as_a_success_is_read(
    server: fake.Whmcs, whmcs: Whmcs, message: str, fate: Fate, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket = whmcs.perform(order()).ticket

    def refuse(_fields: object) -> dict[str, object]:
        raise fake.RefusedError(message)

    monkeypatch.setattr(server, "on_addticketnote", refuse)
    assert fate_of(whmcs, order(Action.COMMENT, ticket, 2)) is fate


def test_no_error_quotes_our_secret(
    server: fake.Whmcs, whmcs: Whmcs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_fields: object) -> dict[str, object]:
        raise fake.RefusedError(f"nobody knows {fake.SECRET} of {fake.IDENTIFIER}\r\nSet-Cookie: a=b")

    monkeypatch.setattr(server, "on_gettickets", refuse)
    with pytest.raises(DeliveryError) as caught:
        whmcs.find(REFERENCE)
    assert str(caught.value) == "the helpdesk refuses GetTickets: nobody knows *** of ***\\nSet-Cookie: a=b"


def test_the_key_that_lets_us_in_from_anywhere_is_sent(server: fake.Whmcs, clock: SteppingClock) -> None:
    whmcs = built(server, clock, access_key="a key of ours")
    assert whmcs.inspect() == ()
    assert {fields["accesskey"] for _, fields in server.calls} == {"a key of ours"}


@pytest.mark.parametrize("none", ["", [], {}, None, {"reply": []}])
def test_a_list_of_none_may_be_written_in_any_way(none: object) -> None:
    found = {
        "ticketid": 7,
        "deptid": 2,
        "subject": "x &amp; y",
        "status": "Open",
        "priority": "High",
        "date": "2026-11-22 10:00:00",
        "replies": none,
        "notes": none,
    }
    ticket = Ticket.model_validate_json(json.dumps(found))
    assert (ticket.id, ticket.subject, ticket.replies, ticket.notes) == ("7", "x & y", [], [])


@pytest.mark.parametrize(
    ("zone", "locals_", "instants"),
    [
        # Ecuador has one offset.
        ("America/Guayaquil", ["2026-11-22 10:00:00"], ["2026-11-22T15:00:00"]),
        # 02:00 to 03:00 come twice in Madrid on that day: only what came before tells the second time.
        (
            "Europe/Madrid",
            ["2026-10-25 02:10:00", "2026-10-25 02:50:00", "2026-10-25 02:20:00", "2026-10-25 03:05:00"],
            ["2026-10-25T00:10:00", "2026-10-25T00:50:00", "2026-10-25T01:20:00", "2026-10-25T02:05:00"],
        ),
        # An hour that clocks skipped: nobody wrote then, but a server set wrongly may say so.
        ("Europe/Madrid", ["2026-03-29 02:30:00"], ["2026-03-29T01:00:00"]),
    ],
)
def test_local_times_are_read_in_the_order_in_which_they_were_written(
    zone: str, locals_: list[str], instants: list[str]
) -> None:
    read = in_order([datetime.fromisoformat(local) for local in locals_], ZoneInfo(zone))
    assert read == [datetime.fromisoformat(instant).replace(tzinfo=UTC) for instant in instants]


def test_moments_of_cases_are_in_utc(server: fake.Whmcs, whmcs: Whmcs, clock: SteppingClock) -> None:
    opened = clock.now()
    ticket = whmcs.perform(order()).ticket
    answered = clock.step(timedelta(hours=3))
    server.say(server.ticket(ticket), "Lo miramos", admin="Ana Paz")
    [case] = whmcs.records.cases(opened)
    assert (case.opened_at, case.answered_at) == (opened, answered)
    assert case.reference == REFERENCE
    assert whmcs.find(REFERENCE)[0].status is TicketStatus.ANSWERED


def test_who_opens_a_ticket_for_a_customer_has_not_answered_it(
    server: fake.Whmcs, whmcs: Whmcs, clock: SteppingClock
) -> None:
    strangers(server, 1)
    server.ticket("1").said[0].admin = "Ana Paz"
    assert [case.answered_at for case in whmcs.records.cases(clock.now())] == [None]
    assert whmcs.records.words("1") == ()


def test_conversations_are_not_asked_for_anew(server: fake.Whmcs, whmcs: Whmcs, clock: SteppingClock) -> None:
    strangers(server, 40)
    since = clock.now()
    clock.step(timedelta(minutes=5))
    assert len(whmcs.records.cases(since)) == 40
    asked = calls(server, "GetTicket")
    server.say(server.ticket("7"), "Lo miramos", admin="Ana Paz")
    answered = {case.ticket: case.answered_at for case in whmcs.records.cases(since)}
    assert calls(server, "GetTicket") == asked + 1
    assert [ticket for ticket, at in answered.items() if at is not None] == ["7"]


def test_reading_ends_with_the_page_that_lies_too_far_back(
    server: fake.Whmcs, whmcs: Whmcs, clock: SteppingClock
) -> None:
    strangers(server, 80)
    clock.step(timedelta(days=30))
    strangers(server, 3)
    found = whmcs.records.cases(clock.now() - MINUTE)
    assert (len(found), calls(server, "GetTickets")) == (3, 1)


def test_tickets_of_other_departments_are_none_of_our_business(server: fake.Whmcs, whmcs: Whmcs) -> None:
    fields = {"subject": "Quiero comprar", "message": "x", "name": "Luz", "email": "luz@example.com"}
    server.on_openticket({**fields, "deptid": "1"})
    assert whmcs.records.cases(datetime(2026, 1, 1, tzinfo=UTC)) == ()


def test_a_mapped_department_goes_to_its_number_and_is_read_back(
    server: fake.Whmcs, clock: SteppingClock
) -> None:
    whmcs = built(server, clock, departments={"comercial": 1})
    ticket = whmcs.perform(order(department="comercial")).ticket
    assert server.ticket(ticket).deptid == "1"
    assert [case.department for case in whmcs.records.cases(clock.now())] == ["comercial"]


def test_who_may_not_read_names_still_reads_that_it_is_assigned(
    server: fake.Whmcs, whmcs: Whmcs, clock: SteppingClock
) -> None:
    ticket = whmcs.perform(order()).ticket
    server.forbidden.add("GetAdminUsers")
    server.ticket(ticket).flag = "2"
    [word] = whmcs.records.words(ticket)
    clock.step(MINUTE)
    assert (word.deed, word.body) == (Deed.ASSIGNED, "admin 2")
    assert whmcs.records.words(ticket) == (word,)


def test_what_we_closed_ourselves_nobody_else_closed(server: fake.Whmcs, whmcs: Whmcs) -> None:
    ticket = whmcs.perform(order()).ticket
    whmcs.perform(order(Action.RESOLVE, ticket, 2))
    assert whmcs.records.words(ticket) == ()
    whmcs.perform(order(Action.REOPEN, ticket, 3))
    server.ticket(ticket).status = "Closed"
    assert [word.deed for word in whmcs.records.words(ticket)] == [Deed.CLOSED]
