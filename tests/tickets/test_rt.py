"""Request Tracker, a real one: what it does not do although it answers well, and what people do there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from pydantic import ValidationError

from monitor.clock import SystemClock, fresh_ulid
from monitor.language import LANGUAGES
from monitor.tickets.port import (
    Action,
    Case,
    Deed,
    DeliveryError,
    Fate,
    Order,
    Priority,
    TicketStatus,
    Word,
)
from monitor.tickets.rt import Rt
from monitor.tickets.rt_api import RtOptions
from tests.servers.request_tracker import NEEDED, PASSWORD, RequestTracker, started

pytestmark = [pytest.mark.system(*NEEDED), pytest.mark.timeout(300)]

HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RequestTracker]:
    running = started(tmp_path_factory.mktemp("rt"))
    yield running
    running.close()


@pytest.fixture
def reference() -> str:
    return f"VG-TESTHAUS-{fresh_ulid(SystemClock().now())}"


@pytest.fixture
def rt(server: RequestTracker) -> Rt:
    return built(server)


def built(server: RequestTracker, **changes: Any) -> Rt:
    """Return an RT as one process of ours speaks to it; None takes a key away."""
    raw = {**server.options, **changes}
    options = {key: value for key, value in raw.items() if value is not None}
    return Rt(RtOptions.model_validate(options), SystemClock().now)


def order(reference: str, action: Action = Action.CREATE, ticket: str = "", **changes: Any) -> Order:
    values: dict[str, Any] = {
        "action": action,
        "reference": reference,
        "key": f"{reference}-{action}-2",
        "ticket": ticket,
        "subject": f"[{reference}] gye1: fuera de servicio",
        "body": "Se confirmó una falla.",
        "priority": Priority.HIGH,
        "department": "soporte",
        "language": "es",
        "internal": action is not Action.CREATE,
    }
    return Order(**{**values, **changes})


def refused(rt: Rt, asked: Order) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        rt.perform(asked)
    return caught.value


def ticket_at(server: RequestTracker, ticket: str) -> dict[str, Any]:
    found: dict[str, Any] = server.ask("ana", "GET", f"/ticket/{ticket}")
    return found


def count(server: RequestTracker) -> int:
    [row] = server.sql("SELECT count(*) AS number FROM Tickets")
    return int(row["number"])


def case_of(rt: Rt, ticket: str) -> Case | None:
    cases = rt.records.cases(SystemClock().now() - HOUR)
    return next((each for each in cases if each.ticket == ticket), None)


@pytest.fixture
def field_off(server: RequestTracker) -> Iterator[Any]:
    """Disables the reference field when it is called; afterwards it is back."""
    yield lambda: server.sql("UPDATE CustomFields SET Disabled = 1 WHERE Name = 'ExternalRef'")
    server.sql("UPDATE CustomFields SET Disabled = 0 WHERE Name = 'ExternalRef'")


@pytest.mark.parametrize("priority", list(Priority))
def test_a_priority_is_a_number_from_the_first_moment(
    server: RequestTracker, rt: Rt, reference: str, priority: Priority
) -> None:
    """RT keeps the label of a new ticket's priority as a text, and reads it as the lowest ever after."""
    ticket = rt.perform(order(reference, priority=priority)).ticket
    [row] = server.sql(f"SELECT typeof(Priority) AS kind FROM Tickets WHERE id = {ticket}")  # noqa: S608 - numbers alone
    assert row["kind"] == "integer"
    assert [found.priority for found in rt.find(reference)] == [priority]


@pytest.mark.parametrize(
    ("number", "read"),
    [(0, Priority.LOW), (60, Priority.NORMAL), (65, Priority.HIGH), (1000, Priority.URGENT)],
)
def test_what_people_set_is_read_as_the_nearest_priority(
    server: RequestTracker, rt: Rt, reference: str, number: int, read: Priority
) -> None:
    ticket = rt.perform(order(reference)).ticket
    server.change(ticket, Priority=number)
    assert rt.find(reference)[0].priority is read


def test_a_priority_that_people_set_higher_is_left_alone(
    server: RequestTracker, rt: Rt, reference: str
) -> None:
    ticket = rt.perform(order(reference)).ticket
    server.change(ticket, Priority=90)
    rt.perform(order(reference, Action.PRIORITY, ticket, priority=Priority.HIGH))
    assert ticket_at(server, ticket)["Priority"] == "90"


@pytest.mark.parametrize("internal", [True, False])
def test_a_status_that_rt_did_not_take_is_no_success(
    server: RequestTracker, reference: str, internal: bool
) -> None:
    """To a status that the queue has not RT answers 200, with a sentence."""
    rt = built(server, closed_status="finished", language="en")
    ticket = rt.perform(order(reference)).ticket
    error = refused(rt, order(reference, Action.RESOLVE, ticket, internal=internal))
    assert error.fate is Fate.REFUSED
    assert 'RT did not take the status "finished"' in error.detail
    assert rt.find(reference)[0].status is not TicketStatus.CLOSED


def test_a_status_that_rt_does_not_bring_with_it_is_a_doubt_and_no_flaw(server: RequestTracker) -> None:
    """It may be there, for lifecycles are made by people, and RT shows to nobody what they consist of."""
    words = {"open_status": "abierto", "closed_status": "solucionado"}
    doubts = RtOptions.model_validate({**server.options, **words}).doubts()
    assert [doubt.values["status"] for doubt in doubts] == ["abierto", "solucionado"]
    assert all(doubt.say(language) for doubt in doubts for language in LANGUAGES)
    assert built(server, **words).inspect() == ()
    assert RtOptions.model_validate({**server.options, "closed_status": "Rejected"}).doubts() == ()


def test_a_ticket_that_rt_did_not_open_again_is_no_success(server: RequestTracker, reference: str) -> None:
    rt = built(server, open_status="reopened", language="en")
    ticket = rt.perform(order(reference)).ticket
    rt.perform(order(reference, Action.RESOLVE, ticket))
    error = refused(rt, order(reference, Action.REOPEN, ticket))
    assert error.fate is Fate.REFUSED
    assert 'RT did not take the status "reopened"' in error.detail
    assert rt.find(reference)[0].status is TicketStatus.CLOSED


def test_a_priority_that_rt_did_not_take_is_no_success(
    server: RequestTracker, rt: Rt, reference: str
) -> None:
    ticket = rt.perform(order(reference)).ticket
    server.sql("CREATE TRIGGER keeps BEFORE UPDATE OF Priority ON Tickets BEGIN SELECT RAISE(IGNORE); END")
    try:
        raised = order(reference, Action.PRIORITY, ticket, priority=Priority.URGENT)
        assert refused(rt, raised).fate is Fate.UNCERTAIN
    finally:
        server.sql("DROP TRIGGER keeps")
    assert rt.find(reference)[0].priority is Priority.HIGH


def test_a_label_is_no_priority(server: RequestTracker) -> None:
    with pytest.raises(ValidationError, match="High"):
        built(server, priorities={"urgent": "High"})
    assert built(server, priorities={"urgent": "90"}).inspect() == ()


def test_the_lifecycle_for_approvals_has_our_statuses_too(server: RequestTracker, reference: str) -> None:
    lifecycle = "UPDATE Queues SET Lifecycle = '{}' WHERE Name = 'Soporte'"
    server.sql(lifecycle.format("approvals"))
    try:
        rt = built(server)
        assert rt.inspect() == ()
        ticket = rt.perform(order(reference)).ticket
        rt.perform(order(reference, Action.RESOLVE, ticket))
        rt.perform(order(reference, Action.REOPEN, ticket))
        assert rt.find(reference)[0].status is TicketStatus.OPEN
    finally:
        server.sql(lifecycle.format("default"))


def test_no_ticket_is_opened_where_the_reference_would_be_dropped(
    server: RequestTracker, reference: str
) -> None:
    """A field that RT does not know is left out without a word, and the ticket could never be found again."""
    rt = built(server, reference_field="Referencia", language="en")
    before = count(server)
    error = refused(rt, order(reference))
    assert error.fate is Fate.FORBIDDEN
    assert 'no custom field "Referencia"' in error.detail
    assert count(server) == before


def test_a_field_that_is_lost_while_we_run_costs_one_reference_and_is_made_good(
    server: RequestTracker, rt: Rt, reference: str, field_off: Any
) -> None:
    rt.perform(order(reference))
    field_off()
    second = rt.perform(order(f"{reference}B")).ticket
    before = count(server)
    assert refused(rt, order(f"{reference}C")).fate is Fate.FORBIDDEN
    assert count(server) == before
    server.sql("UPDATE CustomFields SET Disabled = 0 WHERE Name = 'ExternalRef'")
    rt.perform(order(f"{reference}C"))
    assert [found.ticket for found in rt.find(f"{reference}B")] == [second]


def test_nothing_found_counts_only_while_the_field_is_there(
    server: RequestTracker, rt: Rt, reference: str, field_off: Any
) -> None:
    """A search in a field that is gone finds nothing and says nothing: taken at its word, a second ticket would follow."""
    assert rt.find(reference) == ()
    rt.perform(order(reference))
    field_off()
    with pytest.raises(DeliveryError) as caught:
        rt.find(reference)
    assert caught.value.fate is Fate.FORBIDDEN


def test_the_queue_that_is_gone_is_no_passing_trouble(server: RequestTracker, rt: Rt, reference: str) -> None:
    """RT answers 403, which elsewhere means wrong credentials; here the next attempt says what it is."""
    rt.perform(order(reference))
    server.sql("UPDATE Queues SET Disabled = 1 WHERE Name = 'Soporte'")
    try:
        assert refused(rt, order(f"{reference}B")).fate is Fate.FORBIDDEN
        assert '"Soporte"' in refused(rt, order(f"{reference}B")).detail
    finally:
        server.sql("UPDATE Queues SET Disabled = 0 WHERE Name = 'Soporte'")


def test_follow_ups_leave_status_and_dates_alone(server: RequestTracker, rt: Rt, reference: str) -> None:
    """Our own reply would open the ticket and count as the answer that the customer waits for."""
    ticket = rt.perform(order(reference)).ticket
    rt.perform(order(reference, Action.COMMENT, ticket))
    found = ticket_at(server, ticket)
    assert found["Status"] == "new"
    assert found["Started"].startswith("1970")
    case = case_of(rt, ticket)
    assert case is not None
    assert (case.status, case.answered_at, case.reference) == (TicketStatus.OPEN, None, reference)


def test_a_comment_that_comes_twice_is_written_once(server: RequestTracker, rt: Rt, reference: str) -> None:
    ticket = rt.perform(order(reference)).ticket
    for _ in range(2):
        built(server).perform(order(reference, Action.COMMENT, ticket))
    rt.perform(order(reference, Action.COMMENT, ticket, key=f"{reference}-comment-3"))
    history = server.ask("ana", "GET", f"/ticket/{ticket}/history?fields=Type&per_page=100")["items"]
    assert [each["Type"] for each in history].count("Comment") == 2


def test_a_reply_that_comes_again_is_written_once(server: RequestTracker, rt: Rt, reference: str) -> None:
    """It bears no key, for its subject is read by those who get it: the last that we wrote tells, whatever others wrote since."""
    ticket = rt.perform(order(reference)).ticket
    body = "Falla smtp:\n\n  también «imap»  \n"
    for action, words in ((Action.COMMENT, body), (Action.PRIORITY, "Sube."), (Action.COMMENT, body)):
        for _ in range(2):
            again = order(reference, action, ticket, body=words, priority=Priority.URGENT, internal=False)
            built(server).perform(again)
            server.write("ana", ticket, "correspond", "Lo miro")
    history = server.ask("vigia", "GET", f"/ticket/{ticket}/history?fields=Type,Creator&per_page=100")[
        "items"
    ]
    ours = [each["Type"] for each in history if each["Creator"]["id"] == "vigia"]
    assert ours.count("Correspond") == 3


def test_public_words_close_the_ticket_with_them(server: RequestTracker, rt: Rt, reference: str) -> None:
    """A reply opens what was closed, so status and words go in one request."""
    ticket = rt.perform(order(reference)).ticket
    for action, status in (
        (Action.RESOLVE, "resolved"),
        (Action.REOPEN, "open"),
        (Action.RESOLVE, "resolved"),
    ):
        rt.perform(order(reference, action, ticket, internal=False))
        assert ticket_at(server, ticket)["Status"] == status


def test_what_was_merged_away_is_missing_and_nothing_is_written_elsewhere(
    server: RequestTracker, rt: Rt, reference: str
) -> None:
    """Under its own address a merged ticket answers as the one that was kept."""
    kept = rt.perform(order(f"{reference}A")).ticket
    gone = rt.perform(order(reference)).ticket
    server.change(gone, MergeInto=kept)
    for action in (Action.COMMENT, Action.PRIORITY, Action.RESOLVE):
        assert refused(rt, order(reference, action, gone, priority=Priority.URGENT)).fate is Fate.MISSING
    assert ticket_at(server, kept)["Status"] == "new"
    assert rt.find(reference) == ()
    [merged] = rt.records.words(gone)
    assert (merged.deed, merged.body, merged.author) == (Deed.MERGED, kept, "ana")
    assert rt.records.words(kept) == ()


def test_what_was_deleted_is_missing_although_rt_would_take_more(
    server: RequestTracker, rt: Rt, reference: str
) -> None:
    ticket = rt.perform(order(reference)).ticket
    server.change(ticket, Status="deleted")
    assert refused(rt, order(reference, Action.COMMENT, ticket)).fate is Fate.MISSING
    assert rt.find(reference) == ()
    with pytest.raises(DeliveryError) as caught:
        rt.records.words(ticket)
    assert caught.value.fate is Fate.MISSING


def test_nothing_is_written_on_a_ticket_of_somebody_else(
    server: RequestTracker, rt: Rt, reference: str
) -> None:
    """After a restored backup a number may belong to another ticket."""
    rt.perform(order(reference))
    other = rt.perform(order(f"{reference}A")).ticket
    assert refused(rt, order(reference, Action.COMMENT, other)).fate is Fate.MISSING


def test_a_ticket_that_was_moved_to_a_queue_without_the_field_stays_ours(
    server: RequestTracker, rt: Rt, reference: str
) -> None:
    ticket = rt.perform(order(reference)).ticket
    server.change(ticket, Queue="Redes")
    assert [found.ticket for found in rt.find(reference)] == [ticket]
    rt.perform(order(reference, Action.RESOLVE, ticket))
    assert rt.find(reference)[0].status is TicketStatus.CLOSED


def test_what_the_configuration_calls_things_never_enters_a_search(
    server: RequestTracker, reference: str
) -> None:
    field, queue = "Ref'} = 'x' OR id > 0 OR CF.{", "Cola 'del' \"norte\" ñ"
    made = {"Name": field, "Type": "Freeform", "MaxValues": 1, "LookupType": "RT::Queue-RT::Ticket"}
    number = server.ask("root", "POST", "/customfield", made)["id"]
    place = server.ask("root", "POST", "/queue", {"Name": queue})["id"]
    server.sql(
        "INSERT INTO ObjectCustomFields (CustomField, ObjectId, SortOrder, Creator, LastUpdatedBy)"  # noqa: S608 - numbers alone
        f" VALUES ({number}, {place}, 9, 1, 1)"
    )
    rt = built(server, queue=queue, departments={}, reference_field=field)
    assert rt.inspect() == ()
    ticket = rt.perform(order(reference)).ticket
    assert [found.ticket for found in rt.find(reference)] == [ticket]
    assert rt.find(f"{reference}B") == ()
    assert [each.ticket for each in rt.records.cases(SystemClock().now() - HOUR)] == [ticket]


def test_a_field_of_several_values_is_no_reference_field(server: RequestTracker) -> None:
    rt = built(server, reference_field="Servers", departments={})
    assert [flaw.key for flaw in rt.inspect()] == ["helpdesk.rt.field_kind"]


def test_a_user_who_may_open_no_ticket_is_told_so(server: RequestTracker) -> None:
    server.sql("UPDATE ACL SET RightName = 'NoTicket' WHERE RightName = 'CreateTicket'")
    server.stop()
    server.start()
    try:
        flaws = built(server).inspect()
    finally:
        server.sql("UPDATE ACL SET RightName = 'CreateTicket' WHERE RightName = 'NoTicket'")
        server.stop()
        server.start()
    assert {flaw.key for flaw in flaws} == {"helpdesk.rt.create"}


def test_a_token_is_as_good_as_a_password(server: RequestTracker, reference: str) -> None:
    rt = built(server, user=None, password=None, token=server.token())
    assert rt.inspect() == ()
    ticket = rt.perform(order(reference)).ticket
    rt.perform(order(reference, Action.COMMENT, ticket))
    assert rt.records.words(ticket) == ()


def test_our_own_login_is_known_however_the_configuration_writes_it(
    server: RequestTracker, reference: str
) -> None:
    [row] = server.sql("SELECT id FROM Users WHERE Name = 'vigia'")
    rt = built(server, user=str(row["id"]))
    ticket = rt.perform(order(reference)).ticket
    rt.perform(order(reference, Action.COMMENT, ticket))
    assert rt.records.words(ticket) == ()


def test_no_error_holds_a_secret(server: RequestTracker, reference: str) -> None:
    rt = built(server, password="wrong-and-secret")
    error = refused(rt, order(reference))
    assert error.fate is Fate.FORBIDDEN
    assert "wrong-and-secret" not in f"{error.detail}{error!r}{error.__cause__!r}"
    assert PASSWORD not in repr(built(server)._options)


def deeds(words: tuple[Word, ...]) -> list[tuple[Deed, str, str]]:
    return [(word.deed, word.author, word.body) for word in words]


def test_everything_that_people_do_is_read_once_and_in_order(
    server: RequestTracker, rt: Rt, reference: str
) -> None:
    ticket = rt.perform(order(reference)).ticket
    server.write("ana", ticket, "comment", "Disco por cambiar")
    server.change(ticket, Owner="luis")
    server.change(ticket, "luis", Priority=100)
    reply = {
        "Content": "<b>Cambiamos</b> el disco<p>¿Funciona &ntilde;?</p><p>Saludos<br>Luis</p>",
        "ContentType": "text/html",
    }
    server.ask("luis", "POST", f"/ticket/{ticket}/correspond", reply)
    server.change(ticket, "luis", Status="resolved")
    server.change(ticket, Status="open")
    rt.perform(order(reference, Action.COMMENT, ticket))
    words = rt.records.words(ticket)
    assert deeds(words) == [
        (Deed.NOTE, "ana", "Disco por cambiar"),
        (Deed.ASSIGNED, "ana", "luis"),
        (Deed.PRIORITY, "luis", "urgent"),
        (Deed.ANSWER, "luis", "Cambiamos el disco\n¿Funciona ñ?\n\nSaludos\nLuis"),
        (Deed.CLOSED, "luis", ""),
        (Deed.REOPENED, "ana", ""),
    ]
    assert built(server).records.words(ticket) == words
    assert len({word.key for word in words}) == len(words)
    assert all(abs(word.at - SystemClock().now()) < HOUR for word in words)


def test_a_long_history_is_read_to_its_end(server: RequestTracker, rt: Rt, reference: str) -> None:
    """RT tells neither how many entries there are nor how many pages."""
    ticket = rt.perform(order(reference)).ticket
    # What a busy ticket gathers: entries of which our account is shown none, between those that it is shown.
    server.sql(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 250)"  # noqa: S608 - numbers alone
        " INSERT INTO Transactions (ObjectType, ObjectId, TimeTaken, Type, Field, Data, Creator, Created)"
        f" SELECT 'RT::Ticket', {ticket}, 0, CASE i % 2 WHEN 0 THEN 'Told' ELSE 'EmailRecord' END, '', '',"
        " 1, datetime('now') FROM n"
    )
    server.write("ana", ticket, "correspond", "Lo miro")
    assert deeds(rt.records.words(ticket)) == [(Deed.ANSWER, "ana", "Lo miro")]
    case = case_of(rt, ticket)
    assert case is not None
    assert case.answered_at is not None


def noting(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the addresses that are asked from now on, as they are asked."""
    asked: list[str] = []
    exchanged = requests.Session.request

    def noted(self: requests.Session, method: str, url: str, **more: Any) -> requests.Response:
        asked.append(url)
        return exchanged(self, method, url, **more)

    monkeypatch.setattr(requests.Session, "request", noted)
    return asked


def opened_by_customer(server: RequestTracker, **more: object) -> str:
    content = {"Queue": "Ventas", "Subject": "¿Precio?", "Content": "¿Cuánto?", "ContentType": "text/plain"}
    answer = server.ask("eva", "POST", "/ticket", {**content, "Requestor": "eva@cliente.test", **more})
    return str(answer["id"])


def test_a_customers_ticket_is_read_with_all_that_we_count(server: RequestTracker, rt: Rt) -> None:
    ticket = opened_by_customer(server, Cc="socio@cliente.test")
    server.write("eva", ticket, "correspond", "¿Hay alguien?")
    # A copy was sent to a second customer, who is neither the requester nor of the staff.
    server.write("socio", ticket, "correspond", "Yo también pregunto")
    case = case_of(rt, ticket)
    assert case is not None
    assert (case.department, case.subject, case.requester) == ("comercial", "¿Precio?", "eva")
    assert (case.status, case.answered_at, case.closed_at) == (TicketStatus.OPEN, None, None)
    assert case.url == f"{server.url}/Ticket/Display.html?id={ticket}"
    server.write("ana", ticket, "correspond", "Diez al mes")
    server.change(ticket, Status="rejected")
    case = case_of(rt, ticket)
    assert case is not None
    assert case.status is TicketStatus.CLOSED
    assert case.answered_at is not None
    assert case.closed_at is not None
    assert case.opened_at <= case.answered_at <= case.closed_at


def test_what_changed_is_told_by_moments_in_utc(server: RequestTracker, rt: Rt) -> None:
    """A search takes moments in RT's own zone, which here is five hours behind, and RT never says which it is."""
    changed = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)
    ticket = opened_by_customer(server)
    server.sql(f"UPDATE Tickets SET LastUpdated = '2026-11-20 14:00:00' WHERE id = {ticket}")  # noqa: S608 - numbers alone

    def is_told(since: datetime) -> bool:
        return any(each.ticket == ticket for each in rt.records.cases(since))

    assert is_told(changed - timedelta(hours=30))
    assert is_told(changed - timedelta(seconds=1))
    assert is_told(changed)
    assert not is_told(changed + timedelta(seconds=1))
    assert not is_told(changed + timedelta(hours=6))


def test_a_waiting_customer_costs_no_look_into_the_history(
    server: RequestTracker, rt: Rt, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket = opened_by_customer(server)
    asked = noting(monkeypatch)
    assert case_of(rt, ticket) is not None
    assert asked
    assert not [url for url in asked if f"/ticket/{ticket}/" in url]


def test_the_first_answer_costs_one_look_however_long_the_history(
    server: RequestTracker, rt: Rt, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket = opened_by_customer(server)
    server.write("ana", ticket, "comment", "¿Quién lo toma?")
    server.write("ana", ticket, "correspond", "Diez al mes")
    asked = noting(monkeypatch)
    case = case_of(rt, ticket)
    assert case is not None
    assert case.status is TicketStatus.ANSWERED
    assert len([url for url in asked if f"/ticket/{ticket}/" in url]) == 1


def test_a_history_is_read_again_only_after_a_change(
    server: RequestTracker, rt: Rt, reference: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tickets of what goes on are read each minute, and each call costs RT a login."""
    ticket = rt.perform(order(reference)).ticket
    server.write("ana", ticket, "comment", "Disco por cambiar")
    server.sql(f"UPDATE Tickets SET LastUpdated = datetime('now', '-5 minutes') WHERE id = {ticket}")  # noqa: S608 - numbers alone
    words = rt.records.words(ticket)
    asked = noting(monkeypatch)
    assert rt.records.words(ticket) == words
    assert len(asked) == 1
    server.write("ana", ticket, "comment", "Cambiado")
    # As young as this, more may follow within the same second.
    assert [len(rt.records.words(ticket)) for _ in range(2)] == [2, 2]
    server.write("ana", ticket, "comment", "De verdad")
    assert len(rt.records.words(ticket)) == 3


def test_what_a_status_means_is_known_by_rt(server: RequestTracker, rt: Rt, reference: str) -> None:
    """What is final is for RT to say; it is asked once for each."""
    ticket = rt.perform(order(reference)).ticket
    for status, shown in (
        ("stalled", TicketStatus.OPEN),
        ("rejected", TicketStatus.CLOSED),
        ("open", TicketStatus.OPEN),
        ("resolved", TicketStatus.CLOSED),
    ):
        server.change(ticket, Status=status)
        assert [found.status for found in rt.find(reference)] == [shown]
