"""What every helpdesk owes us, asked of each of them."""

from __future__ import annotations

import pytest

from monitor.language import LANGUAGES
from monitor.language.phrases import Phrase
from monitor.tickets import KINDS
from monitor.tickets.port import Action, DeliveryError, Fate, Helpdesk, Priority, TicketStatus
from tests.contracts.benches import BENCHES, Ability
from tests.contracts.conftest import Stand

LOSSES = ("reference_field", "queue", "priority", "status", "credentials")


def inspected(helpdesk: Helpdesk) -> tuple[Phrase, ...] | Fate:
    """Return what is told of a helpdesk, or why it cannot be asked."""
    try:
        return helpdesk.inspect()
    except DeliveryError as error:
        return error.fate


def test_every_kind_has_a_bench() -> None:
    assert set(BENCHES) == set(KINDS)


def test_it_is_registered_under_its_own_name_and_fit(stand: Stand) -> None:
    assert KINDS[stand.helpdesk.name].name == stand.kind
    assert stand.helpdesk.inspect() == ()


def test_it_says_what_it_cannot_do(stand: Stand) -> None:
    assert (stand.helpdesk.search_lag is None) == bool(stand.lacks(Ability.FIND))
    assert (stand.helpdesk.records is None) == bool(stand.lacks(Ability.RECORDS))
    assert ("url" in stand.bench.options) != bool(stand.lacks(Ability.HTTP))


def test_what_is_created_is_found_by_its_reference(stand: Stand) -> None:
    receipt = stand.helpdesk.perform(stand.order())
    stand.settle()
    if reason := stand.lacks(Ability.FIND):
        assert stand.helpdesk.find(stand.reference) == (), reason
        return
    [found] = stand.helpdesk.find(stand.reference)
    assert (found.ticket, found.reference) == (receipt.ticket, stand.reference)
    assert (found.status, found.priority) == (TicketStatus.OPEN, stand.shown(Priority.HIGH))
    assert receipt.url.startswith(("https://", "http://"))


def test_everything_that_we_say_stands_on_the_ticket(stand: Stand) -> None:
    ticket = stand.helpdesk.perform(stand.order()).ticket
    stand.helpdesk.perform(stand.order(Action.COMMENT, ticket, 2, body="También falla smtp: ¡ojo!"))
    first, second = (body for _, _, body in stand.bench.messages(ticket))
    assert "ñandú, «comillas», \N{PILE OF POO}" in first
    assert "También falla smtp: ¡ojo!" in second


def test_what_is_internal_is_kept_internal(stand: Stand) -> None:
    ticket = stand.helpdesk.perform(stand.order()).ticket
    stand.helpdesk.perform(stand.order(Action.COMMENT, ticket, 2, body="for us alone"))
    stand.helpdesk.perform(stand.order(Action.COMMENT, ticket, 3, body="for all", internal=False))
    internal = {body.strip(): hidden for _, hidden, body in stand.bench.messages(ticket)}
    alone = [hidden for body, hidden in internal.items() if "for us alone" in body]
    everybody = [hidden for body, hidden in internal.items() if "for all" in body]
    assert (alone, everybody) == ([True], [False])


def test_the_same_creation_twice_is_one_ticket_or_two_that_both_show(stand: Stand) -> None:
    first, second = (stand.helpdesk.perform(stand.order()).ticket for _ in range(2))
    stand.settle()
    found = [each.ticket for each in stand.helpdesk.find(stand.reference)]
    if stand.lacks(Ability.FIND):
        assert found == []
    elif stand.lacks(Ability.KEYS):
        assert found == list(dict.fromkeys((first, second)))
    else:
        assert found == [first] == [second]


def test_what_was_never_created_is_not_found(stand: Stand) -> None:
    stand.helpdesk.perform(stand.order())
    stand.settle()
    near = (f"{stand.reference}X", stand.reference[:-1], stand.reference.lower(), stand.reference[3:])
    assert [stand.helpdesk.find(other) for other in near] == [(), (), (), ()]


def test_the_whole_life_of_a_ticket_shows(stand: Stand) -> None:
    helpdesk, order = stand.helpdesk, stand.order
    ticket = helpdesk.perform(order()).ticket
    if stand.lacks(Ability.FIND):
        actions = (Action.COMMENT, Action.PRIORITY, Action.RESOLVE, Action.REOPEN)
        for seq, action in enumerate(actions, 2):
            helpdesk.perform(order(action, ticket, seq, body=f"this is {action}"))
        said = [body for _, _, body in stand.bench.messages(ticket)][1:]
        assert [f"this is {action}" in body for action, body in zip(actions, said, strict=True)] == [True] * 4
        return
    helpdesk.perform(order(Action.COMMENT, ticket, 2))
    helpdesk.perform(order(Action.PRIORITY, ticket, 3, priority=Priority.URGENT))
    stand.settle()
    assert helpdesk.find(stand.reference)[0].priority is stand.shown(Priority.URGENT)
    helpdesk.perform(order(Action.RESOLVE, ticket, 4, priority=Priority.URGENT))
    stand.settle()
    assert helpdesk.find(stand.reference)[0].status is TicketStatus.CLOSED
    helpdesk.perform(order(Action.REOPEN, ticket, 5, priority=Priority.URGENT))
    stand.settle()
    [found] = helpdesk.find(stand.reference)
    assert (found.status, found.priority) == (TicketStatus.OPEN, stand.shown(Priority.URGENT))


@pytest.mark.parametrize("action", [Action.PRIORITY, Action.RESOLVE])
def test_what_is_done_already_may_be_asked_for_again(stand: Stand, action: Action) -> None:
    ticket = stand.helpdesk.perform(stand.order()).ticket
    for _ in range(2):
        stand.helpdesk.perform(stand.order(action, ticket, 2, priority=Priority.URGENT))
    stand.settle()
    if stand.lacks(Ability.FIND):
        assert len(stand.bench.messages(ticket)) >= 2
        return
    [found] = stand.helpdesk.find(stand.reference)
    assert found.status is (TicketStatus.CLOSED if action is Action.RESOLVE else TicketStatus.OPEN)


def test_to_reopen_what_is_open_changes_nothing(stand: Stand) -> None:
    ticket = stand.helpdesk.perform(stand.order()).ticket
    stand.helpdesk.perform(stand.order(Action.REOPEN, ticket, 2))
    stand.settle()
    statuses = [each.status for each in stand.helpdesk.find(stand.reference)]
    assert statuses == ([] if stand.lacks(Ability.FIND) else [TicketStatus.OPEN])


def test_an_action_that_comes_again_after_others_changes_nothing_where_keys_are_kept(stand: Stand) -> None:
    ticket = stand.helpdesk.perform(stand.order()).ticket
    close, again = stand.order(Action.RESOLVE, ticket, 2), stand.order(Action.REOPEN, ticket, 3)
    for each in (close, again, close):
        stand.helpdesk.perform(each)
    stand.settle()
    status = [each.status for each in stand.helpdesk.find(stand.reference)]
    if stand.lacks(Ability.FIND):
        assert status == []
    else:
        # Without keys nobody can tell an old order from a new one: ours never come in that order.
        assert status == [TicketStatus.CLOSED if stand.lacks(Ability.KEYS) else TicketStatus.OPEN]


@pytest.mark.parametrize("ticket", ["99999999", "no-number", "9" * 40])
def test_a_ticket_that_does_not_exist_is_missing(stand: Stand, ticket: str) -> None:
    with pytest.raises(DeliveryError) as caught:
        stand.helpdesk.perform(stand.order(Action.COMMENT, ticket, 2))
    assert caught.value.fate is Fate.MISSING


@pytest.mark.parametrize("what", LOSSES)
def test_what_it_has_lost_is_told_with_its_remedy_and_opens_no_ticket(stand: Stand, what: str) -> None:
    try:
        stand.bench.lose(what)
    except NotImplementedError:
        # The product has no such thing.
        assert stand.helpdesk.inspect() == ()
        return
    # Another process than the one that found it fit.
    fresh = stand.built()
    told = inspected(fresh)
    if isinstance(told, Fate):
        assert (what, told) == ("credentials", Fate.FORBIDDEN)
    else:
        assert told
        assert all(flaw.say(language) for flaw in told for language in LANGUAGES)
    with pytest.raises(DeliveryError) as refused:
        fresh.perform(stand.order())
    assert refused.value.fate is Fate.FORBIDDEN
