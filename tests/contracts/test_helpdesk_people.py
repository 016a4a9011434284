"""What people do at a helpdesk, as every kind must show it to us."""

from __future__ import annotations

from datetime import timedelta

import pytest

from monitor.tickets.port import Action, Case, Deed, DeliveryError, Fate, Records, TicketStatus, Word
from tests.contracts.benches import Ability
from tests.contracts.conftest import Stand

HOUR = timedelta(hours=1)


def opened(stand: Stand) -> str:
    return stand.helpdesk.perform(stand.order()).ticket


def records_of(stand: Stand) -> Records:
    """Return what can be read there; a kind that can be read of nothing has said so, and what is asked here is not for it."""
    if reason := stand.lacks(Ability.RECORDS):
        assert stand.helpdesk.records is None
        pytest.skip(f"{stand.kind}: {reason}")
    assert stand.helpdesk.records is not None
    return stand.helpdesk.records


def words(stand: Stand, ticket: str, deed: Deed) -> list[Word]:
    return [word for word in records_of(stand).words(ticket) if word.deed is deed]


def case(stand: Stand, ticket: str) -> Case:
    since = stand.ground.tools.now() - HOUR
    found = {each.ticket: each for each in records_of(stand).cases(since)}
    return found[ticket]


def test_a_ticket_that_a_person_closed_is_found_closed(stand: Stand) -> None:
    ticket = opened(stand)
    if reason := stand.lacks(Ability.FIND):
        pytest.skip(f"{stand.kind}: {reason}")
    stand.bench.human_closes(ticket)
    stand.settle()
    [found] = stand.helpdesk.find(stand.reference)
    assert (found.ticket, found.status) == (ticket, TicketStatus.CLOSED)


def test_what_a_person_closed_may_be_resolved_and_reopened_by_us(stand: Stand) -> None:
    ticket = opened(stand)
    if reason := stand.lacks(Ability.FIND):
        pytest.skip(f"{stand.kind}: {reason}")
    stand.bench.human_closes(ticket)
    stand.helpdesk.perform(stand.order(Action.RESOLVE, ticket, 2))
    stand.helpdesk.perform(stand.order(Action.REOPEN, ticket, 3))
    stand.settle()
    [found] = stand.helpdesk.find(stand.reference)
    assert (found.ticket, found.status) == (ticket, TicketStatus.OPEN)


def test_a_ticket_that_a_person_deleted_is_gone(stand: Stand) -> None:
    ticket = opened(stand)
    if reason := stand.lacks(Ability.DELETE) or stand.lacks(Ability.FIND):
        pytest.skip(f"{stand.kind}: {reason}")
    stand.bench.human_deletes(ticket)
    stand.settle()
    assert stand.helpdesk.find(stand.reference) == ()
    with pytest.raises(DeliveryError) as caught:
        stand.helpdesk.perform(stand.order(Action.COMMENT, ticket, 2))
    assert caught.value.fate is Fate.MISSING


def test_a_ticket_that_was_merged_away_is_not_found_under_its_own_id(stand: Stand) -> None:
    ticket = opened(stand)
    if reason := stand.lacks(Ability.MERGE) or stand.lacks(Ability.FIND):
        pytest.skip(f"{stand.kind}: {reason}")
    other = stand.another()
    kept = stand.helpdesk.perform(stand.order(reference=other)).ticket
    stand.bench.human_merges(ticket, kept)
    stand.settle()
    assert ticket not in [each.ticket for each in stand.helpdesk.find(stand.reference)]
    assert [each.ticket for each in stand.helpdesk.find(other)] == [kept]


def test_an_answer_is_read_with_its_author_and_answers_the_ticket(stand: Stand) -> None:
    ticket = opened(stand)
    records_of(stand)
    stand.bench.human_answers(ticket, "Reiniciamos el servicio: ¿funciona ya?")
    [answer] = words(stand, ticket, Deed.ANSWER)
    assert "Reiniciamos el servicio: ¿funciona ya?" in answer.body
    assert answer.author
    found = case(stand, ticket)
    assert found.answered_at is not None
    assert abs(found.answered_at - answer.at) <= timedelta(seconds=1)
    assert found.opened_at <= found.answered_at + timedelta(seconds=1)


def test_a_note_is_no_answer(stand: Stand) -> None:
    ticket = opened(stand)
    records_of(stand)
    stand.bench.human_notes(ticket, "Disco por cambiar")
    noted = ["Disco por cambiar" in word.body for word in words(stand, ticket, Deed.NOTE)]
    assert noted == ([] if stand.lacks(Ability.DEEDS) else [True])
    assert words(stand, ticket, Deed.ANSWER) == []
    assert case(stand, ticket).answered_at is None


def test_nothing_of_ours_is_a_word_nor_an_answer(stand: Stand) -> None:
    ticket = opened(stand)
    records = records_of(stand)
    for seq, action in enumerate((Action.COMMENT, Action.PRIORITY, Action.RESOLVE, Action.REOPEN), 2):
        stand.helpdesk.perform(stand.order(action, ticket, seq))
    assert records.words(ticket) == ()
    assert case(stand, ticket).answered_at is None


def test_who_has_a_ticket_assigned_is_read(stand: Stand) -> None:
    ticket = opened(stand)
    records_of(stand)
    stand.bench.human_assigns(ticket, "ana")
    to = ["ana" in word.body.lower() for word in words(stand, ticket, Deed.ASSIGNED)]
    assert to == ([] if stand.lacks(Ability.DEEDS) else [True])


def test_that_a_person_closed_it_is_read_once(stand: Stand) -> None:
    ticket = opened(stand)
    records_of(stand)
    stand.bench.human_closes(ticket)
    first = words(stand, ticket, Deed.CLOSED)
    assert words(stand, ticket, Deed.CLOSED) == first
    if stand.lacks(Ability.DEEDS):
        assert first == []
        return
    assert len(first) == 1
    assert case(stand, ticket).status is TicketStatus.CLOSED


def test_the_words_of_a_ticket_that_is_gone_are_missing(stand: Stand) -> None:
    records = records_of(stand)
    with pytest.raises(DeliveryError) as caught:
        records.words("99999999")
    assert caught.value.fate is Fate.MISSING


def test_customers_tickets_are_read_page_by_page(stand: Stand) -> None:
    records = records_of(stand)
    if reason := stand.lacks(Ability.CUSTOMERS):
        pytest.skip(f"{stand.kind}: {reason}")
    theirs = {stand.bench.customer_opens(f"No recibo correo {number}", "soporte") for number in range(30)}
    since = stand.ground.tools.now() - HOUR
    stand.settle()
    found = {each.ticket: each for each in records.cases(since) if each.ticket in theirs}
    assert set(found) == theirs
    assert {each.department for each in found.values()} == {"soporte"}
    assert all(each.reference == "" and each.answered_at is None for each in found.values())
    assert all(each.requester for each in found.values())


def test_a_customers_own_words_are_no_answer(stand: Stand) -> None:
    records_of(stand)
    if reason := stand.lacks(Ability.CUSTOMERS):
        pytest.skip(f"{stand.kind}: {reason}")
    ticket = stand.bench.customer_opens("No recibo correo", "soporte")
    stand.bench.customer_writes(ticket, "Sigue sin llegar")
    assert case(stand, ticket).answered_at is None
    stand.bench.human_answers(ticket, "Lo miramos")
    assert case(stand, ticket).answered_at is not None
