"""Which entries ask for which deliveries."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.incidents.incident import Acknowledgement, Audience, Impact, Origin, Stage
from monitor.journal.consequences import consequences
from monitor.journal.entries import Entry, Kind, Reason, TicketRejected
from tests.tickets import builders

LATER = builders.START + timedelta(minutes=10)
WHOLE = builders.incident()


def asked(entry: Entry, **changes: object) -> list[str]:
    found = consequences(entry, builders.incident(**changes))
    assert all(delivery.incident == WHOLE.id for delivery in found)
    return [f"{delivery.channel} {delivery.action}" for delivery in found]


def test_a_fault_asks_for_a_ticket_and_a_message() -> None:
    assert asked(builders.opened(WHOLE)) == ["ticket create", "operators opened"]


@pytest.mark.parametrize(
    ("reason", "impact", "wanted"),
    [
        (Reason.JOINED, Impact.MINOR, ["ticket comment", "ticket priority"]),
        (Reason.JOINED, Impact.MAJOR, ["ticket comment", "ticket priority"]),
        (Reason.WORSENED, Impact.CRITICAL, ["ticket comment", "ticket priority", "operators worsened"]),
        (Reason.EASED, Impact.MAJOR, ["ticket comment"]),
        (Reason.RECOVERING, Impact.CRITICAL, ["ticket comment"]),
        (Reason.RELAPSED, Impact.CRITICAL, ["ticket comment", "ticket priority"]),
        (Reason.WINDOW_BEGAN, Impact.CRITICAL, ["ticket comment"]),
        (Reason.OPERATOR, Impact.CRITICAL, ["ticket comment", "ticket priority"]),
    ],
)
def test_each_reason_for_an_update_asks_for_its_own(
    reason: Reason, impact: Impact, wanted: list[str]
) -> None:
    assert asked(builders.updated(WHOLE, reason, LATER, impact=impact)) == wanted


def test_the_end_and_a_return_are_told_to_both() -> None:
    assert asked(builders.resolved(WHOLE, LATER)) == ["ticket resolve", "operators resolved"]
    assert asked(builders.reopened(WHOLE, LATER)) == ["ticket reopen", "operators reopened"]


def test_our_own_troubles_reach_operators_alone() -> None:
    own = {"audience": Audience.OPERATORS, "servers": ()}
    assert asked(builders.opened(WHOLE), **own) == ["operators opened"]
    assert asked(builders.resolved(WHOLE, LATER), **own) == ["operators resolved"]
    assert asked(builders.updated(WHOLE, Reason.WORSENED, LATER), **own) == []


def test_a_matter_of_the_staff_asks_for_a_ticket_of_its_class_as_well() -> None:
    staff = {"audience": Audience.OPERATORS}
    assert asked(builders.opened(WHOLE), **staff) == ["ticket create", "operators opened"]
    assert asked(builders.resolved(WHOLE, LATER), **staff) == ["ticket resolve", "operators resolved"]
    assert asked(builders.acknowledged(WHOLE, LATER), **staff) == ["ticket comment"]


def test_a_rejected_action_is_told_to_operators() -> None:
    body = TicketRejected(incident=WHOLE.id, reference="VG-X", action="create", detail="422")
    entry = Entry(kind=Kind.TICKET_REJECTED, moment=LATER, subject=WHOLE.id, body=body)
    assert asked(entry) == ["operators rejected"]


def test_what_a_person_opened_asks_for_a_ticket_if_they_did() -> None:
    assert asked(builders.opened(WHOLE), origin=Origin.OPERATOR) == ["operators opened"]
    wished = {"origin": Origin.OPERATOR, "wants_ticket": True}
    assert asked(builders.opened(WHOLE), **wished) == ["ticket create", "operators opened"]
    assert asked(builders.updated(WHOLE, Reason.OPERATOR, LATER), **wished) == [
        "ticket comment",
        "ticket priority",
    ]
    assert asked(builders.resolved(WHOLE, LATER), **wished) == ["ticket resolve", "operators resolved"]
    assert consequences(builders.opened(WHOLE), None) == ()


def test_a_postmortem_leaves_a_closed_ticket_alone() -> None:
    assert asked(builders.updated(WHOLE, Reason.OPERATOR, LATER, stage=Stage.POSTMORTEM)) == []


def test_a_drill_goes_the_whole_way() -> None:
    drill = {"drill": True, "origin": Origin.OPERATOR, "audience": Audience.OPERATORS, "wants_ticket": True}
    assert asked(builders.opened(WHOLE), **drill) == ["ticket create", "operators opened"]
    assert asked(builders.resolved(WHOLE, LATER), **drill) == ["ticket resolve", "operators resolved"]


def test_an_inventory_asks_for_nothing() -> None:
    assert asked(builders.applied()) == []


HELD = Acknowledgement(author="ana", at=builders.START, until=None)


def test_who_has_it_in_hand_is_told_to_the_ticket_alone() -> None:
    assert asked(builders.acknowledged(WHOLE, LATER)) == ["ticket comment"]
    assert asked(builders.acknowledged(WHOLE, LATER), audience=Audience.OPERATORS, servers=()) == []


@pytest.mark.parametrize(
    ("until", "told"),
    [
        (None, False),
        (LATER + timedelta(seconds=1), False),
        (LATER, True),
        (LATER - timedelta(minutes=1), True),
    ],
)
def test_operators_hear_nothing_while_it_is_in_hand(until, told: bool) -> None:
    held = replace(HELD, until=until)
    worse = asked(builders.updated(WHOLE, Reason.WORSENED, LATER), acknowledged=held)
    assert worse == ["ticket comment", "ticket priority", *(["operators worsened"] if told else [])]


def test_a_refused_ticket_is_told_although_it_is_in_hand() -> None:
    body = TicketRejected(incident=WHOLE.id, reference="VG-1", action="comment", detail="no")
    entry = Entry(kind=Kind.TICKET_REJECTED, moment=LATER, subject=WHOLE.id, body=body)
    assert asked(entry, acknowledged=HELD) == ["operators rejected"]


@pytest.mark.parametrize(
    ("was_open", "changes", "wanted"),
    [
        (True, {}, ["ticket resolve", "operators retracted"]),
        (False, {}, ["ticket comment", "operators retracted"]),
        (True, {"audience": Audience.OPERATORS, "servers": ()}, ["operators retracted"]),
        (True, {"origin": Origin.OPERATOR}, ["operators retracted"]),
    ],
)
def test_a_false_alarm_is_told_to_whoever_was_alarmed(was_open: bool, changes, wanted) -> None:
    assert asked(builders.retracted(WHOLE, LATER, was_open=was_open), **changes) == wanted
