"""Redmine, a real one: what it does not do although it answers well, and what people do there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from monitor.clock import SystemClock, fresh_ulid
from monitor.language import LANGUAGES
from monitor.tickets import redmine_client
from monitor.tickets.port import Action, Deed, DeliveryError, Fate, Priority, TicketStatus
from monitor.tickets.redmine import Redmine
from monitor.tickets.redmine_client import Issue, RedmineOptions
from tests.contracts.benches import Keeper
from tests.servers.redmine import PROGRAMS, RedmineServer
from tests.tickets.ordering import fate_of, order

pytestmark = [pytest.mark.system(*PROGRAMS), pytest.mark.timeout(300)]

Lose = Callable[[str, str], None]
_WITHOUT = "UPDATE roles SET permissions = replace(permissions, '{0}', '{1}') WHERE name = 'Monitor'"
_FILTER = "UPDATE custom_fields SET is_filter = {} WHERE name = 'ExternalRef'"
_FIELD = "UPDATE custom_fields SET type = '{}' WHERE name = 'ExternalRef'"
_KEY = "UPDATE tokens SET value = '{1}' WHERE value = '{0}'"


@pytest.fixture
def server(keeper: Keeper) -> RedmineServer:
    return keeper.kept("redmine", RedmineServer)


@pytest.fixture
def redmine(server: RedmineServer) -> Redmine:
    return built(server)


@pytest.fixture
def lose(server: RedmineServer) -> Iterator[Lose]:
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


def built(server: RedmineServer, **changes: Any) -> Redmine:
    raw = {"url": server.url, "key": "keyofvigia", "project": "soporte", **changes}
    return Redmine(RedmineOptions.model_validate(raw), SystemClock().now)


def without(permission: str) -> tuple[str, str]:
    """Return how the role of our account loses a permission, and how it gets it back."""
    there, gone = f"- :{permission}\n", f"- :lost_{permission}\n"
    return _WITHOUT.format(there, gone), _WITHOUT.format(gone, there)


def flaws(redmine: Redmine) -> list[str]:
    """Return what is told, each of which has words in every language."""
    told = redmine.inspect()
    assert all(flaw.say(language) for flaw in told for language in LANGUAGES)
    return [flaw.key.removeprefix("helpdesk.redmine.") for flaw in told]


def change(server: RedmineServer, ticket: str, **fields: Any) -> None:
    server.ask("ana", "PUT", f"/issues/{ticket}.json", issue=fields)


def test_a_field_that_is_no_filter_lists_everything_and_finds_nothing(
    server: RedmineServer, redmine: Redmine, lose: Lose, reference: str
) -> None:
    redmine.perform(order(reference=reference))
    lose(_FILTER.format(0), _FILTER.format(1))
    with pytest.raises(DeliveryError) as caught:
        redmine.find(f"{reference}0")
    assert caught.value.fate is Fate.FORBIDDEN
    assert flaws(built(server)) == ["filter"]


def test_a_field_that_is_gone_finds_nothing_of_strangers(
    redmine: Redmine, lose: Lose, reference: str
) -> None:
    redmine.perform(order(reference=reference))
    lose(_FIELD.format("UserCustomField"), _FIELD.format("IssueCustomField"))
    with pytest.raises(DeliveryError) as caught:
        redmine.find(reference)
    assert caught.value.fate is Fate.FORBIDDEN


def test_a_field_that_is_lost_while_we_run_makes_one_ticket_and_no_second_one(
    redmine: Redmine, lose: Lose, reference: str
) -> None:
    redmine.perform(order(reference=f"{reference}0"))
    lose(_FIELD.format("UserCustomField"), _FIELD.format("IssueCustomField"))
    assert redmine.perform(order(reference=reference)).ticket
    assert fate_of(redmine, order(reference=f"{reference}1")) is Fate.FORBIDDEN


def test_what_means_something_in_a_filter_is_never_asked_for(redmine: Redmine, reference: str) -> None:
    other = f"{reference}0"
    for each in (reference, other):
        redmine.perform(order(reference=each))
    assert [
        redmine.find(each) for each in (f"{reference}|{other}", f"~{reference}", "*", "", f"{reference} ")
    ] == [()] * 5


def test_a_database_that_knows_no_capitals_makes_nobody_elses_ticket_ours(
    redmine: Redmine, reference: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With MySQL a filter lets both through."""
    lower = reference.replace("TESTHAUS", "testhaus")
    ours, _ = (redmine.perform(order(reference=each)).ticket for each in (reference, lower))
    exact = redmine._client.all

    def alike(condition: tuple[str, str]) -> Iterator[Issue]:
        for each in (lower, reference):
            yield from exact((condition[0], each))

    monkeypatch.setattr(redmine._client, "all", alike)
    assert [each.ticket for each in redmine.find(reference)] == [ours]


def test_a_list_is_read_to_its_last_page(
    redmine: Redmine, reference: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redmine_client, "_PAGE", 1)
    tickets = [redmine.perform(order(reference=reference)).ticket for _ in range(3)]
    assert [each.ticket for each in redmine.find(reference)] == tickets


def test_a_key_that_is_no_longer_accepted_is_not_taken_for_an_empty_list(
    redmine: Redmine, lose: Lose, reference: str
) -> None:
    """Redmine answers a key that it does not know as it answers a guest, with 200."""
    redmine.perform(order(reference=reference))
    lose(_KEY.format("keyofvigia", "nobodyskey"), _KEY.format("nobodyskey", "keyofvigia"))
    with pytest.raises(DeliveryError) as caught:
        redmine.find(f"{reference}0")
    assert caught.value.fate is Fate.FORBIDDEN


def test_a_status_that_the_workflow_does_not_allow_is_refused_not_believed(
    redmine: Redmine, lose: Lose, reference: str
) -> None:
    ticket = redmine.perform(order(reference=reference)).ticket
    lose(
        "UPDATE workflows SET role_id = -1 WHERE new_status_id = 5"
        " AND role_id = (SELECT id FROM roles WHERE name = 'Monitor')",
        "UPDATE workflows SET role_id = (SELECT id FROM roles WHERE name = 'Monitor') WHERE role_id = -1",
    )
    assert fate_of(redmine, order(Action.RESOLVE, ticket, reference=reference)) is Fate.REFUSED
    assert redmine.find(reference)[0].status is TicketStatus.OPEN


@pytest.mark.parametrize("permission", ["set_notes_private", "add_issue_notes"])
def test_a_note_that_was_published_or_dropped_is_refused_not_believed(
    server: RedmineServer, redmine: Redmine, lose: Lose, reference: str, permission: str
) -> None:
    ticket = redmine.perform(order(reference=reference, priority=Priority.HIGH)).ticket
    lose(*without(permission))
    # A change comes along, for a note alone that may not be written is refused by itself.
    rise = order(Action.PRIORITY, ticket, reference=reference)
    assert fate_of(redmine, rise) is Fate.REFUSED
    assert flaws(built(server)) == ["rights"]


def test_public_follow_ups_need_no_right_to_private_notes(
    server: RedmineServer, lose: Lose, reference: str
) -> None:
    lose(*without("set_notes_private"))
    redmine = built(server, follow_ups="public")
    ticket = redmine.perform(order(reference=reference)).ticket
    redmine.perform(order(Action.COMMENT, ticket, reference=reference, internal=False))
    assert redmine.inspect() == ()


def test_the_reference_stands_in_the_field_the_subject_and_the_text(
    server: RedmineServer, redmine: Redmine, reference: str
) -> None:
    long = order(reference=reference, subject=f"[{reference}] {'ñ' * 300}", body="Sin más.")
    issue = server.ask("ana", "GET", f"/issues/{redmine.perform(long).ticket}.json")["issue"]
    assert issue["custom_fields"][0]["value"] == reference
    assert issue["subject"].startswith(f"[{reference}] ñ")
    assert len(issue["subject"]) == 255
    assert reference in issue["description"]


def test_the_field_may_be_given_by_its_number_or_read_off_an_issue(server: RedmineServer) -> None:
    assert [flaws(built(server, reference_field=each)) for each in (1, "ExternalRef", "externalref")] == [
        []
    ] * 3
    assert [flaws(built(server, reference_field=each)) for each in (77, "Reference")] == [["field"]] * 2


_HIDE = "UPDATE issues SET project_id = -project_id"
_SHOW = "UPDATE issues SET project_id = abs(project_id)"


def test_a_redmine_without_any_issue_is_fit_by_the_names_of_its_filters(
    server: RedmineServer, lose: Lose, reference: str
) -> None:
    lose(_HIDE, _SHOW)
    assert server.ask("ana", "GET", "/issues.json?status_id=*")["total_count"] == 0
    good, wrong = (1, "ExternalRef", "externalref"), (77, "Reference", "External", "ExternalRefs")
    assert [flaws(built(server, reference_field=each)) for each in good] == [[]] * 3
    assert [flaws(built(server, reference_field=each)) for each in wrong] == [["field"]] * 4
    redmine = built(server)
    ticket = redmine.perform(order(reference=reference)).ticket
    assert [each.ticket for each in redmine.find(reference)] == [ticket]


@pytest.mark.parametrize("language", ["es", "ja", "ar"])
def test_the_names_of_filters_are_told_in_every_language(
    server: RedmineServer, lose: Lose, language: str
) -> None:
    lose(_HIDE, _SHOW)
    spoken = "UPDATE users SET language = '{}' WHERE login = 'vigia'"
    lose(spoken.format(language), spoken.format("en"))
    assert [flaws(built(server, reference_field=each)) for each in ("ExternalRef", "Asunto")] == [
        [],
        ["field"],
    ]


def test_a_field_whose_name_goes_on_is_another_field(server: RedmineServer, lose: Lose) -> None:
    lose(_HIDE, _SHOW)
    name = "UPDATE custom_fields SET name = '{}' WHERE id = 1"
    lose(name.format("ExternalRef cannot be"), name.format("ExternalRef"))
    assert flaws(built(server)) == ["field"]
    assert flaws(built(server, reference_field="ExternalRef cannot be")) == []


def test_without_any_issue_a_field_that_is_no_filter_is_not_there(server: RedmineServer, lose: Lose) -> None:
    lose(_HIDE, _SHOW)
    lose(_FILTER.format(0), _FILTER.format(1))
    assert flaws(built(server)) == ["field"]


def test_what_redmine_refuses_is_told_in_its_own_words(redmine: Redmine, lose: Lose, reference: str) -> None:
    lose(
        "UPDATE custom_fields SET regexp = '^X' WHERE id = 1",
        "UPDATE custom_fields SET regexp = '' WHERE id = 1",
    )
    with pytest.raises(DeliveryError) as caught:
        redmine.perform(order(reference=reference))
    assert caught.value.fate is Fate.REFUSED
    assert caught.value.detail == "the helpdesk answers 422: Externalref is invalid"


def test_an_address_with_a_wrong_path_is_told_as_such(server: RedmineServer) -> None:
    with pytest.raises(DeliveryError) as caught:
        built(server, url=f"{server.url}/nowhere").inspect()
    assert caught.value.told.key == "helpdesk.address"


def test_what_has_another_name_is_told_with_its_remedy(server: RedmineServer) -> None:
    assert flaws(built(server, tracker="Incidencia")) == ["tracker"]
    assert flaws(built(server, project="nadie")) == ["project"]
    assert flaws(built(server, priorities={"urgent": "Urgente"})) == ["priority"]
    assert flaws(built(server, open_status="Closed", closed_status="New")) == ["open_status", "closed_status"]
    assert flaws(built(server, key="nobodyskey")) == ["credentials"]
    assert flaws(built(server, priorities={"urgent": 5, "high": "urgent"}, tracker=3, project=1)) == []


def test_each_priority_is_theirs(server: RedmineServer, redmine: Redmine, reference: str) -> None:
    names = []
    for number, priority in enumerate(Priority):
        ticket = redmine.perform(order(reference=f"{reference}{number}", priority=priority)).ticket
        names.append(server.ask("ana", "GET", f"/issues/{ticket}.json")["issue"]["priority"]["name"])
    assert names == ["Low", "Normal", "High", "Urgent"]


def test_a_priority_that_is_not_ours_counts_as_the_next_lower_one(
    server: RedmineServer, redmine: Redmine, reference: str
) -> None:
    ticket = redmine.perform(order(reference=reference)).ticket
    change(server, ticket, priority_id=5)
    assert redmine.find(reference)[0].priority is Priority.URGENT
    assert redmine.records.words(ticket)[-1].body == "urgent"


def test_a_priority_that_a_person_raised_already_is_left_alone(
    server: RedmineServer, redmine: Redmine, reference: str
) -> None:
    ticket = redmine.perform(order(reference=reference)).ticket
    redmine.perform(order(Action.PRIORITY, ticket, reference=reference))
    issue = server.ask("ana", "GET", f"/issues/{ticket}.json?include=journals")["issue"]
    assert issue["journals"] == []


def test_a_duplicate_that_is_still_open_is_found(
    server: RedmineServer, redmine: Redmine, reference: str
) -> None:
    kept, other = (redmine.perform(order(reference=f"{reference}{each}")).ticket for each in (1, 2))
    relation = {"issue_to_id": int(kept), "relation_type": "duplicates"}
    server.ask("ana", "POST", f"/issues/{other}/relations.json", relation=relation)
    assert [each.ticket for each in redmine.find(f"{reference}2")] == [other]
    change(server, other, status_id=5)
    assert redmine.find(f"{reference}2") == ()
    assert [each.ticket for each in redmine.find(f"{reference}1")] == [kept]
    assert fate_of(redmine, order(Action.COMMENT, other, reference=f"{reference}2")) is Fate.MISSING
    told = [(each.deed, each.body) for each in redmine.records.words(other)]
    assert told == [(Deed.MERGED, kept), (Deed.CLOSED, "")]


def test_a_ticket_that_was_opened_again_is_not_closed_any_more(
    server: RedmineServer, redmine: Redmine, reference: str
) -> None:
    """Redmine keeps the moment of the closing."""
    before = SystemClock().now() - timedelta(seconds=5)
    ticket = redmine.perform(order(reference=reference)).ticket
    change(server, ticket, status_id=5)
    change(server, ticket, status_id=2)
    [case] = [each for each in redmine.records.cases(before) if each.ticket == ticket]
    assert (case.status, case.closed_at) == (TicketStatus.OPEN, None)
    assert [each.deed for each in redmine.records.words(ticket)] == [Deed.CLOSED, Deed.REOPENED]


def test_a_project_below_the_followed_one_is_nobodys_department(
    server: RedmineServer, redmine: Redmine
) -> None:
    before = SystemClock().now() - timedelta(seconds=5)
    server.run("UPDATE projects SET parent_id = 1, lft = 2, rgt = 3 WHERE identifier = 'comercial'")
    server.run("UPDATE projects SET lft = 1, rgt = 4 WHERE identifier = 'soporte'")
    issue = {"project_id": "comercial", "tracker_id": 3, "subject": "Quiero un plan"}
    made = server.ask("carla", "POST", "/issues.json", issue=issue)["issue"]["id"]
    tickets = [each.ticket for each in redmine.records.cases(before)]
    server.run("UPDATE projects SET parent_id = NULL, lft = 3, rgt = 4 WHERE identifier = 'comercial'")
    server.run("UPDATE projects SET lft = 1, rgt = 2 WHERE identifier = 'soporte'")
    assert str(made) not in tickets
    follows = built(server, departments={"comercial": "comercial"})
    [case] = [each for each in follows.records.cases(before) if each.ticket == str(made)]
    assert (case.department, case.requester) == ("comercial", "Carla Paredes")


def test_no_secret_shows_in_an_error(server: RedmineServer, lose: Lose, reference: str) -> None:
    redmine = built(server, key="nobodyskey")
    with pytest.raises(DeliveryError) as caught:
        redmine.perform(order(reference=reference))
    assert "nobodyskey" not in f"{caught.value} {caught.value.detail} {redmine.inspect()}"
