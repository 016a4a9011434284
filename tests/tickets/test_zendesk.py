"""Zendesk and its traps: strangers who are let in, lists that lag, tickets that are closed for good, rules that write as people."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from monitor.tickets.port import Action, Deed, DeliveryError, Fate, Priority, TicketStatus
from monitor.tickets.zendesk import Zendesk, ZendeskOptions
from tests.conftest import SteppingClock
from tests.servers import zendesk as fake
from tests.tickets.ordering import REFERENCE, fate_of, order


@pytest.fixture
def server(clock: SteppingClock) -> Iterator[fake.Zendesk]:
    zendesk = fake.Zendesk(clock.now)
    yield zendesk
    zendesk.close()


def built(server: fake.Zendesk, clock: SteppingClock, **changes: object) -> Zendesk:
    options = {
        "url": server.url,
        "user": fake.USER,
        "token": fake.TOKEN,
        "group": "Soporte",
        **changes,
    }
    return Zendesk(ZendeskOptions.model_validate(options), clock.now)


@pytest.fixture
def zendesk(server: fake.Zendesk, clock: SteppingClock) -> Zendesk:
    return built(server, clock)


def say(server: fake.Zendesk, ticket: str, author: int, words: str, *, public: bool = True) -> None:
    server.change(server.ticket(ticket), {"comment": {"body": words, "public": public}}, author)


def found_at_last(zendesk: Zendesk, clock: SteppingClock) -> list[str]:
    clock.step(zendesk.search_lag)
    return [found.ticket for found in zendesk.find(REFERENCE)]


def test_an_end_user_is_no_agent(server: fake.Zendesk, zendesk: Zendesk) -> None:
    """Zendesk lets anybody ask who they are, and answers with a success."""
    server.people[fake.US]["role"] = "end-user"
    assert [flaw.key for flaw in zendesk.inspect()] == ["helpdesk.zendesk.credentials"]
    assert fate_of(zendesk, order()) is Fate.FORBIDDEN
    server.people[fake.US]["role"] = "admin"
    assert zendesk.perform(order()).ticket == "1"


def test_what_is_opened_says_everything_at_once(server: fake.Zendesk, zendesk: Zendesk) -> None:
    receipt = zendesk.perform(order(priority=Priority.HIGH))
    ticket = server.ticket(receipt.ticket)
    assert receipt.url == f"{server.url}/agent/tickets/1"
    assert (ticket.external_id, ticket.priority, ticket.group_id) == (REFERENCE, "high", fake.SUPPORT)
    assert ticket.audits[0]["events"][0]["body"].endswith(f"\n\n[{REFERENCE}]")


def test_a_group_may_be_given_by_its_number(server: fake.Zendesk, clock: SteppingClock) -> None:
    zendesk = built(server, clock, group=fake.SALES, departments={"soporte": fake.SUPPORT})
    ticket = zendesk.perform(order()).ticket
    assert server.ticket(ticket).group_id == fake.SUPPORT
    assert [case.department for case in zendesk.records.cases(clock.now())] == ["soporte"]


def test_a_creation_that_no_list_shows_yet_is_not_repeated(
    server: fake.Zendesk, zendesk: Zendesk, clock: SteppingClock
) -> None:
    first = zendesk.perform(order())
    assert zendesk.find(REFERENCE) == ()
    assert zendesk.perform(order()) == first
    assert found_at_last(zendesk, clock) == ["1"]


def test_a_creation_that_has_other_words_by_now_is_not_refused(
    server: fake.Zendesk, zendesk: Zendesk, clock: SteppingClock
) -> None:
    """Zendesk answers 400 to a key that comes back with another body; a late creation tells more than the first."""
    zendesk.perform(order())
    server.tickets.clear()
    zendesk.perform(order(body="La falla ya se recuperó."))
    assert found_at_last(zendesk, clock) == ["1"]


def test_a_creation_that_comes_again_with_other_words_makes_no_second_ticket(
    server: fake.Zendesk, zendesk: Zendesk, clock: SteppingClock
) -> None:
    """Of another body the key is another one, so that it does not tell."""
    zendesk.perform(order())
    clock.step(zendesk.search_lag)
    assert zendesk.perform(order(body="La falla ya se recuperó.")).ticket == "1"
    assert len(server.tickets) == 1


def test_a_change_that_is_accepted_and_not_made_is_told(server: fake.Zendesk, zendesk: Zendesk) -> None:
    ticket = zendesk.perform(order()).ticket
    server.ignores_changes = True
    assert fate_of(zendesk, order(Action.RESOLVE, ticket, 2)) is Fate.REFUSED


def test_too_many_requests_wait_as_long_as_they_are_asked_to(server: fake.Zendesk, zendesk: Zendesk) -> None:
    server.allowed = 0
    with pytest.raises(DeliveryError) as caught:
        zendesk.perform(order())
    assert (caught.value.fate, caught.value.retry_after) == (Fate.NOT_SENT, timedelta(seconds=38))


@pytest.mark.parametrize("action", [Action.COMMENT, Action.PRIORITY, Action.REOPEN])
def test_what_is_closed_for_good_is_missing_and_still_found(
    server: fake.Zendesk, zendesk: Zendesk, clock: SteppingClock, action: Action
) -> None:
    ticket = zendesk.perform(order()).ticket
    server.ticket(ticket).status = "closed"
    assert fate_of(zendesk, order(action, ticket, 2)) is Fate.MISSING
    clock.step(zendesk.search_lag)
    [found] = zendesk.find(REFERENCE)
    assert (found.status, found.frozen) == (TicketStatus.CLOSED, True)


def test_a_resolution_has_nothing_more_to_say_to_what_is_closed_for_good(
    server: fake.Zendesk, zendesk: Zendesk
) -> None:
    ticket = zendesk.perform(order()).ticket
    server.ticket(ticket).status = "closed"
    assert zendesk.perform(order(Action.RESOLVE, ticket, 2)).ticket == ticket
    assert len(server.ticket(ticket).audits) == 1


def test_what_a_rule_does_is_nobodys_deed(server: fake.Zendesk, zendesk: Zendesk) -> None:
    """The fake's trigger changes the priority with every change, in the name of whoever made that one."""
    ticket = zendesk.perform(order()).ticket
    say(server, ticket, fake.ANA, "Lo miramos")
    server.note(
        server.ticket(ticket), -1, [{"type": "Comment", "author_id": -1, "body": "x", "public": True}]
    )
    assert [(word.deed, word.author) for word in zendesk.records.words(ticket)] == [(Deed.ANSWER, "Ana Paz")]


def test_only_the_staff_answers(server: fake.Zendesk, zendesk: Zendesk, clock: SteppingClock) -> None:
    """Whoever is in copy is neither the requester nor us, and answers nobody."""
    ticket = zendesk.perform(order()).ticket
    say(server, ticket, fake.LUZ, "A mí también")
    say(server, ticket, fake.ANA, "Para nosotros", public=False)
    assert zendesk.records.cases(clock.now())[0].answered_at is None
    answered = clock.step(timedelta(hours=2))
    say(server, ticket, fake.ANA, "Lo miramos")
    [case] = zendesk.records.cases(answered)
    assert (case.answered_at, case.status) == (answered, TicketStatus.ANSWERED)
    assert case.reference == REFERENCE


def test_deeds_are_told_in_our_words(server: fake.Zendesk, zendesk: Zendesk) -> None:
    ticket = zendesk.perform(order()).ticket
    for change in ({"priority": "low"}, {"status": "solved"}, {"status": "open"}, {"assignee_id": fake.ANA}):
        server.change(server.ticket(ticket), change, fake.ANA)
    told = [(word.deed, word.body) for word in zendesk.records.words(ticket)]
    assert told == [
        (Deed.PRIORITY, "low"),
        (Deed.CLOSED, ""),
        (Deed.REOPENED, ""),
        (Deed.ASSIGNED, "Ana Paz"),
    ]


def test_what_was_merged_says_into_which(
    server: fake.Zendesk, zendesk: Zendesk, clock: SteppingClock
) -> None:
    ticket = zendesk.perform(order()).ticket
    merging = {"comment": {"body": "Merged into request #7.", "public": False}, "status": "closed"}
    server.change(server.ticket(ticket), {**merging, "tags": ["closed_by_merge"]}, fake.ANA)
    assert fate_of(zendesk, order(Action.RESOLVE, ticket, 2)) is Fate.MISSING
    assert found_at_last(zendesk, clock) == []
    *_, last = zendesk.records.words(ticket)
    assert (last.deed, last.body, last.author) == (Deed.MERGED, "7", "Ana Paz")


def test_a_customer_who_knows_our_reference_has_no_ticket_of_ours(
    server: fake.Zendesk, zendesk: Zendesk, clock: SteppingClock
) -> None:
    fields = {"subject": "x", "comment": {"body": "x"}, "external_id": REFERENCE, "group_id": fake.SUPPORT}
    server.create(fields, fake.LUZ)
    assert [case.reference for case in zendesk.records.cases(clock.now())] == [""]


def test_a_list_that_does_not_come_newest_first_is_read_whole(
    server: fake.Zendesk, zendesk: Zendesk, clock: SteppingClock
) -> None:
    for number in range(60):
        fields = {"subject": f"{number}", "comment": {"body": "x"}, "group_id": fake.SUPPORT}
        server.create(fields, fake.LUZ)
    since = clock.step(timedelta(days=1))
    say(server, "60", fake.LUZ, "¿Y bien?")
    assert [case.ticket for case in zendesk.records.cases(since)] == ["60"]
    pages = server.asked.count(("GET", "/api/v2/tickets"))
    server.sorts = False
    assert [case.ticket for case in zendesk.records.cases(since)] == ["60"]
    assert server.asked.count(("GET", "/api/v2/tickets")) == pages + 3
    assert pages == 1


def test_a_reading_that_breaks_off_gets_further_the_next_time(
    server: fake.Zendesk, zendesk: Zendesk, clock: SteppingClock
) -> None:
    since = clock.now()
    for number in range(40):
        fields = {"subject": f"{number}", "comment": {"body": "x"}, "group_id": fake.SUPPORT}
        server.create(fields, fake.LUZ)
    clock.step(timedelta(hours=1))
    for _ in range(2):
        server.allowed = 20
        with pytest.raises(DeliveryError):
            zendesk.records.cases(since)
    server.allowed = 20
    assert len(zendesk.records.cases(since)) == 40


def test_nothing_that_is_shown_holds_the_token(server: fake.Zendesk, zendesk: Zendesk) -> None:
    server.token = "another one since today"
    with pytest.raises(DeliveryError) as caught:
        zendesk.find(REFERENCE)
    assert caught.value.fate is Fate.FORBIDDEN
    shown = f"{caught.value} {zendesk._options!r} {zendesk.inspect()}"
    assert fake.TOKEN not in shown
