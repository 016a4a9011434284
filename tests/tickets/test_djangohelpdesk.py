"""django-helpdesk, a real one: what it makes of our words, what it does not filter by, and what people do there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from monitor.clock import SystemClock, fresh_ulid
from monitor.language import LANGUAGES
from monitor.tickets import djangohelpdesk_client
from monitor.tickets.djangohelpdesk import DjangoHelpdesk
from monitor.tickets.djangohelpdesk_client import DjangoHelpdeskOptions, harmless
from monitor.tickets.port import Action, Deed, DeliveryError, Fate, Priority, TicketStatus
from tests.contracts.benches import Keeper
from tests.servers.django_helpdesk import PROGRAMS, DjangoHelpdeskServer
from tests.tickets.ordering import fate_of, order

pytestmark = [pytest.mark.system(*PROGRAMS), pytest.mark.timeout(300)]

Lose = Callable[[str, str], None]
_FIELD = "UPDATE helpdesk_customfield SET {} WHERE label = 'Vigía'"


@pytest.fixture
def server(keeper: Keeper) -> DjangoHelpdeskServer:
    return keeper.kept("djangohelpdesk", DjangoHelpdeskServer)


@pytest.fixture
def desk(server: DjangoHelpdeskServer) -> DjangoHelpdesk:
    return built(server)


@pytest.fixture
def lose(server: DjangoHelpdeskServer) -> Iterator[Lose]:
    """Change something behind its back; the second statement undoes it after the test."""
    undone: list[str] = []

    def change(sql: str, undo: str) -> None:
        undone.append(undo)
        server.run(sql)

    yield change
    for undo in reversed(undone):
        server.run(undo)


@pytest.fixture
def reference() -> str:
    return f"VG-TESTHAUS-{fresh_ulid(SystemClock().now())}"


def built(server: DjangoHelpdeskServer, **changes: Any) -> DjangoHelpdesk:
    raw = {
        "url": server.url,
        "token": "keyofvigia",
        "queue": "soporte",
        "submitter": "vigia@nodored.example",
        **changes,
    }
    return DjangoHelpdesk(DjangoHelpdeskOptions.model_validate(raw), SystemClock().now)


def flaws(desk: DjangoHelpdesk) -> list[str]:
    """Return what is told, each of which has words in every language."""
    told = desk.inspect()
    assert all(flaw.say(language) for flaw in told for language in LANGUAGES)
    return [flaw.key.removeprefix("helpdesk.djangohelpdesk.") for flaw in told]


def strangers(server: DjangoHelpdeskServer, count: int, **fields: Any) -> list[int]:
    """Open tickets that are none of ours; return their numbers."""
    values = {"queue": 1, "title": "Quiero un plan", "description": "¿Cuánto vale?", "priority": 3, **fields}
    made = (
        server.ask("POST", "/api/tickets/", submitter_email="carla@nodored.example", **values)["id"]
        for _ in range(count)
    )
    return list(made)


def lists_asked_for(server: DjangoHelpdeskServer) -> int:
    return server.log.read_text(errors="replace").count("GET /api/tickets/?")


def test_each_priority_is_theirs_the_more_urgent_the_lower(
    server: DjangoHelpdeskServer, desk: DjangoHelpdesk, reference: str
) -> None:
    tickets = [desk.perform(order(reference=f"{reference}{each}", priority=each)).ticket for each in Priority]
    assert [server.ticket(each)["priority"] for each in tickets] == [4, 3, 2, 1]
    assert [desk.find(f"{reference}{each}")[0].priority for each in Priority] == list(Priority)


def test_a_priority_that_is_not_ours_is_read_as_the_next_more_urgent_one(
    server: DjangoHelpdeskServer, desk: DjangoHelpdesk, reference: str
) -> None:
    ticket = desk.perform(order(reference=reference)).ticket
    server.ask("PATCH", f"/api/tickets/{ticket}/", priority=5)
    assert desk.find(reference)[0].priority is Priority.LOW


def test_no_follow_up_renames_the_ticket(
    server: DjangoHelpdeskServer, desk: DjangoHelpdesk, reference: str
) -> None:
    """A follow-up's title becomes the ticket's, and what happened is appended to it, up to a limit that both share."""
    subject = f"[{reference}] {'ñ' * 300}"
    ticket = desk.perform(order(reference=reference, subject=subject)).ticket
    opened = server.ticket(ticket)["title"]
    for action in (Action.COMMENT, Action.RESOLVE, Action.REOPEN):
        desk.perform(order(action, ticket, reference=reference, subject="otra cosa"))
    after = server.ticket(ticket)
    assert after["title"] == opened
    assert opened.startswith(f"[{reference}] ñ")
    assert max(len(each["title"]) for each in after["followup_set"]) <= 200


@pytest.mark.parametrize(
    "evidence",
    [
        "{{ ticket.secret_key }}",
        "{{ nobody|no_such_filter }}",
        "{% if",
        "%} and {% endverbatim %}",
        "{# a comment #} stays",
        "curl -w '%{http_code}' {{{",
    ],
)
def test_what_looks_like_a_template_is_written_and_not_rendered(
    server: DjangoHelpdeskServer, desk: DjangoHelpdesk, reference: str, evidence: str
) -> None:
    ticket = desk.perform(order(reference=reference, body=evidence)).ticket
    desk.perform(order(Action.COMMENT, ticket, reference=reference, body=evidence))
    comment = server.ticket(ticket)["followup_set"][-1]["comment"]
    assert comment.replace(" ", "") == evidence.replace(" ", "")


def test_a_number_in_our_words_writes_into_no_other_ticket(
    server: DjangoHelpdeskServer, desk: DjangoHelpdesk, reference: str
) -> None:
    [stranger] = strangers(server, 1)
    words = f"color: #{stranger}; véase #{stranger}"
    ticket = desk.perform(order(reference=reference, body=words)).ticket
    desk.perform(order(Action.COMMENT, ticket, reference=reference, body=words))
    assert len(server.ticket(str(stranger))["followup_set"]) == 1


def test_words_without_such_signs_are_left_alone() -> None:
    plain = 'curl -sS https://gye1.example/#top -d \'{"a": {"b": 1}}\' # 100 %'
    assert harmless(plain) == plain


def test_a_ticket_is_found_behind_pages_of_others_and_only_what_is_new_is_read_again(
    server: DjangoHelpdeskServer, desk: DjangoHelpdesk, reference: str
) -> None:
    ticket = desk.perform(order(reference=reference)).ticket
    strangers(server, 60)
    before = lists_asked_for(server)
    assert [each.ticket for each in desk.find(reference)] == [ticket]
    first = lists_asked_for(server) - before
    assert [each.ticket for each in desk.find(reference)] == [ticket]
    again = lists_asked_for(server) - before - first
    assert first > again
    assert again <= 3


def test_a_page_that_is_gone_when_its_turn_comes_hides_no_other(
    server: DjangoHelpdeskServer, desk: DjangoHelpdesk, reference: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket = desk.perform(order(reference=reference)).ticket
    newest = strangers(server, 1)
    page = desk._client._page

    def deleted_meanwhile(conditions: tuple[tuple[str, str], ...], number: int, size: int) -> object:
        found = page(conditions, number, size)
        if newest:
            server.submit(f"/tickets/{newest.pop()}/delete/")
        return found

    monkeypatch.setattr(djangohelpdesk_client, "_PAGE", 1)
    monkeypatch.setattr(desk._client, "_page", deleted_meanwhile)
    assert str(next(desk._client.newest_first()).id) == ticket


def test_a_ticket_that_showed_before_its_reference_was_written_is_found(
    server: DjangoHelpdeskServer, desk: DjangoHelpdesk, reference: str
) -> None:
    [number] = strangers(server, 1)
    assert desk.find(reference) == ()
    server.ask("PATCH", f"/api/tickets/{number}/", custom_external_ref=reference)
    assert [each.ticket for each in desk.find(reference)] == [str(number)]


def test_nothing_is_found_without_a_reference(server: DjangoHelpdeskServer, desk: DjangoHelpdesk) -> None:
    strangers(server, 1)
    assert desk.find("") == ()


def test_a_field_that_is_lost_while_we_run_makes_one_ticket_and_no_second_one(
    desk: DjangoHelpdesk, lose: Lose, reference: str
) -> None:
    desk.perform(order(reference=f"{reference}0"))
    lose(_FIELD.format("name = 'gone'"), _FIELD.format("name = 'external_ref'"))
    assert desk.perform(order(reference=reference)).ticket
    assert fate_of(desk, order(reference=f"{reference}1")) is Fate.FORBIDDEN


def test_a_field_that_cannot_hold_the_reference_is_told(server: DjangoHelpdeskServer, lose: Lose) -> None:
    lose(_FIELD.format("max_length = 20"), _FIELD.format("max_length = 80"))
    assert flaws(built(server)) == ["field_type"]
    lose(_FIELD.format("data_type = 'integer'"), _FIELD.format("data_type = 'varchar'"))
    assert flaws(built(server)) == ["field_type"]


def test_a_field_that_others_require_is_told(server: DjangoHelpdeskServer, lose: Lose) -> None:
    lose(
        "INSERT INTO helpdesk_customfield (name, label, data_type, required, staff_only, empty_selection_list)"
        " VALUES ('plan', 'Plan', 'varchar', 1, 0, 0)",
        "DELETE FROM helpdesk_customfield WHERE name = 'plan'",
    )
    assert flaws(built(server)) == ["required"]


def test_what_has_another_name_is_told_with_its_remedy(server: DjangoHelpdeskServer) -> None:
    assert flaws(built(server)) == []
    assert flaws(built(server, queue=1)) == []
    assert flaws(built(server, queue=77)) == ["queue"]
    assert flaws(built(server, queue="Ventas", departments={"comercial": "Nadie"})) == ["queue", "queue"]
    assert flaws(built(server, reference_field="nobody")) == ["field"]
    assert flaws(built(server, priorities={"urgent": 0})) == ["priority"]
    assert flaws(built(server, resolved_status=9)) == ["status"]
    assert flaws(built(server, url=f"{server.url}/elsewhere")) == ["interface"]
    # A customer has a token, too, but no part in the work.
    assert flaws(built(server, token="keyofcarla")) == ["credentials"]


def test_a_merged_ticket_is_gone_and_the_one_that_is_kept_goes_on(
    server: DjangoHelpdeskServer, desk: DjangoHelpdesk, reference: str
) -> None:
    """Its whole history moves to the other one, where our words are still ours."""
    kept, gone = (desk.perform(order(reference=f"{reference}{each}")).ticket for each in (1, 2))
    server.submit(f"/tickets/merge?tickets={kept}&tickets={gone}", chosen_ticket=kept)
    assert desk.find(f"{reference}2") == ()
    assert fate_of(desk, order(Action.COMMENT, gone, reference=f"{reference}2")) is Fate.MISSING
    assert [each.ticket for each in desk.find(f"{reference}1")] == [kept]
    assert desk.records.words(kept) == ()
    before = SystemClock().now() - timedelta(hours=1)
    tickets = {each.ticket for each in desk.records.cases(before)}
    assert kept in tickets
    assert gone not in tickets


def test_what_was_closed_between_two_readings_is_read_once_more(
    server: DjangoHelpdeskServer, desk: DjangoHelpdesk
) -> None:
    before = SystemClock().now() - timedelta(minutes=1)
    closed, deleted = strangers(server, 2)
    known = {each.ticket: each for each in desk.records.cases(before)}
    assert known[str(closed)].status is TicketStatus.OPEN
    server.ask("POST", "/api/followups/", ticket=closed, comment="Hecho.", public=True, new_status=4)
    server.submit(f"/tickets/{deleted}/delete/")
    after = {each.ticket: each for each in desk.records.cases(before)}
    case = after[str(closed)]
    assert (case.status, case.closed_at is not None, case.answered_at is not None) == (
        TicketStatus.CLOSED,
        True,
        True,
    )
    assert str(deleted) not in after
    assert str(closed) not in {each.ticket for each in desk.records.cases(before)}


def test_a_technician_who_quotes_our_reference_is_not_taken_for_us(
    server: DjangoHelpdeskServer, desk: DjangoHelpdesk, reference: str
) -> None:
    ticket = desk.perform(order(reference=reference)).ticket
    desk.perform(order(Action.COMMENT, ticket, 2, reference=reference))
    answers = ["Reiniciamos el servicio.", f"Sobre el caso {reference}: cambiamos el disco.", "Ya está."]
    for words in answers:
        server.ask("POST", "/api/followups/", ticket=int(ticket), comment=words, public=True)
    assert [word.body for word in desk.records.words(ticket)] == answers
    assert desk.find(reference)[0].status is TicketStatus.ANSWERED


def test_what_we_write_on_a_customers_ticket_is_ours(
    server: DjangoHelpdeskServer, desk: DjangoHelpdesk, reference: str
) -> None:
    """There nothing but the answer to what we write tells who we are."""
    [number] = strangers(server, 1)
    raised = order(Action.PRIORITY, str(number), reference="", key=f"{reference}-raise-1")
    desk.perform(raised)
    assert desk.records.words(str(number)) == ()


def test_who_gets_a_ticket_over_the_interface_is_read_once(
    server: DjangoHelpdeskServer, desk: DjangoHelpdesk, reference: str
) -> None:
    ticket = desk.perform(order(reference=reference)).ticket
    keys = set()
    for person, number in (("ana", 2), ("ana", 2), ("vigia", 1)):
        server.ask("PATCH", f"/api/tickets/{ticket}/", assigned_to=number)
        [word] = desk.records.words(ticket)
        assert (word.deed, word.body) == (Deed.ASSIGNED, person)
        keys.add(word.key)
    assert len(keys) == 2


def test_moments_are_in_utc_whatever_offset_it_writes(
    server: DjangoHelpdeskServer, desk: DjangoHelpdesk
) -> None:
    before = SystemClock().now()
    [number] = strangers(server, 1)
    assert server.ticket(str(number))["followup_set"][0]["date"].endswith("-05:00")
    [case] = [each for each in desk.records.cases(before) if each.ticket == str(number)]
    assert case.opened_at.utcoffset() == timedelta(0)
    assert before <= case.opened_at <= SystemClock().now()


def test_no_secret_shows_in_an_error(server: DjangoHelpdeskServer, reference: str) -> None:
    desk = built(server, token="nobodyskey")
    with pytest.raises(DeliveryError) as caught:
        desk.perform(order(reference=reference))
    assert "nobodyskey" not in f"{caught.value} {caught.value.detail} {desk.inspect()}"
