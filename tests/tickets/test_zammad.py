"""Zammad and its traps: fields that are dropped without a word, an index that lags, messages that are pages."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from monitor.tickets.port import Action, Deed, DeliveryError, Fate, Priority, TicketStatus
from monitor.tickets.zammad import Zammad, ZammadOptions
from tests.conftest import SteppingClock
from tests.servers import zammad as fake
from tests.tickets.ordering import OTHER, REFERENCE, fate_of, order

CUSTOMER = "vigia@nodored.example"


@pytest.fixture
def server(clock: SteppingClock) -> Iterator[fake.Zammad]:
    zammad = fake.Zammad(clock.now)
    yield zammad
    zammad.close()


def built(server: fake.Zammad, clock: SteppingClock, **changes: object) -> Zammad:
    options = {
        "url": server.url,
        "token": fake.TOKEN,
        "group": "Soporte",
        "customer": CUSTOMER,
        **changes,
    }
    return Zammad(ZammadOptions.model_validate(options), clock.now)


@pytest.fixture
def zammad(server: fake.Zammad, clock: SteppingClock) -> Zammad:
    return built(server, clock)


def question(server: fake.Zammad, subject: str = "No recibo correo") -> str:
    fields = {"title": subject, "group": "Soporte", "customer_id": "guess:luz@example.com"}
    return str(server.create({**fields, "article": {"body": "No funciona."}}, fake.LUZ).id)


def say(server: fake.Zammad, ticket: str, author: int, words: str, **more: object) -> None:
    server.change(server.ticket(ticket), {"article": {"body": words, **more}}, author)


def test_what_is_opened_says_everything_at_once(server: fake.Zammad, zammad: Zammad) -> None:
    receipt = zammad.perform(order(priority=Priority.NORMAL))
    ticket = server.ticket(receipt.ticket)
    assert receipt.url == f"{server.url}/#ticket/zoom/1"
    assert ticket.attributes == {fake.FIELD: REFERENCE}
    assert (ticket.group, ticket.priority, ticket.state) == ("Soporte", "2 normal", "new")
    assert (ticket.articles[0].internal, ticket.articles[0].type) == (False, "note")
    assert ticket.articles[0].body.endswith(f"\n\n[{REFERENCE}]")


def test_an_administrator_is_told_that_the_attribute_is_missing(server: fake.Zammad, zammad: Zammad) -> None:
    server.is_admin = True
    server.attributes.clear()
    [flaw] = zammad.inspect()
    assert (flaw.key, flaw.values) == ("helpdesk.zammad.field", {"field": "vigia_reference"})
    assert fate_of(zammad, order()) is Fate.FORBIDDEN
    assert server.tickets == []


def test_an_agent_learns_from_any_ticket_that_the_attribute_is_missing(
    server: fake.Zammad, zammad: Zammad
) -> None:
    server.attributes.clear()
    question(server)
    assert [flaw.key for flaw in zammad.inspect()] == ["helpdesk.zammad.field"]
    assert fate_of(zammad, order()) is Fate.FORBIDDEN
    server.attributes.append(fake.FIELD)
    assert zammad.perform(order()).ticket == "2"


def test_an_attribute_that_is_lost_later_opens_one_ticket_at_most(
    server: fake.Zammad, zammad: Zammad
) -> None:
    zammad.perform(order())
    server.attributes.clear()
    # A search by an attribute that is gone is an error, and never "there is no ticket".
    with pytest.raises(DeliveryError):
        zammad.find(REFERENCE)
    assert fate_of(zammad, order(reference=OTHER)) is Fate.NOT_SENT
    # Only the first one wonders: from then on operators hear what is missing.
    assert fate_of(zammad, order(reference=OTHER)) is Fate.FORBIDDEN
    assert len(server.tickets) == 1


def test_a_creation_whose_reference_was_dropped_makes_the_next_one_look_again(
    server: fake.Zammad, zammad: Zammad
) -> None:
    server.takes_conditions = False
    zammad.perform(order())
    server.attributes.clear()
    zammad.perform(order(reference=OTHER))
    assert fate_of(zammad, order(reference=f"{OTHER}X")) is Fate.FORBIDDEN
    assert len(server.tickets) == 2


def test_the_database_knows_at_once_what_the_index_does_not(server: fake.Zammad, zammad: Zammad) -> None:
    ticket = zammad.perform(order()).ticket
    assert [found.ticket for found in zammad.find(REFERENCE)] == [ticket]
    assert zammad.perform(order()).ticket == ticket


def test_a_zammad_that_takes_no_conditions_lists_strangers_and_ours_is_told_from_them(
    server: fake.Zammad, zammad: Zammad, clock: SteppingClock
) -> None:
    server.takes_conditions = False
    ticket = zammad.perform(order()).ticket
    clock.step(timedelta(seconds=1))
    for number in range(30):
        question(server, f"Consulta {number}")
    assert zammad.find(REFERENCE) == ()
    clock.step(zammad.search_lag)
    assert [found.ticket for found in zammad.find(REFERENCE)] == [ticket]


def test_a_group_that_we_may_only_read_is_none(server: fake.Zammad, clock: SteppingClock) -> None:
    zammad = built(server, clock, group="Otros", departments={"comercial": "Ventas", "pagos": "Cobros"})
    flaws = [(flaw.key, flaw.values["group"]) for flaw in zammad.inspect()]
    assert flaws == [("helpdesk.zammad.group", "Otros"), ("helpdesk.zammad.group", "Cobros")]


def test_a_fourth_priority_may_be_made(server: fake.Zammad, clock: SteppingClock) -> None:
    zammad = built(server, clock, priorities={"urgent": "4 urgent"})
    assert [flaw.values["priority"] for flaw in zammad.inspect()] == ["4 urgent"]
    server.priorities.append("4 urgent")
    ticket = zammad.perform(order()).ticket
    assert server.ticket(ticket).priority == "4 urgent"
    zammad.perform(order(Action.PRIORITY, ticket, 2, priority=Priority.HIGH))
    assert zammad.find(REFERENCE)[0].priority is Priority.HIGH


def test_the_key_of_an_action_stands_where_the_product_keeps_it(server: fake.Zammad, zammad: Zammad) -> None:
    ticket = zammad.perform(order()).ticket
    for _ in range(2):
        zammad.perform(order(Action.COMMENT, ticket, 2))
    assert [article.message_id for article in server.ticket(ticket).articles] == [
        f"<{REFERENCE}-create-1@vigia>",
        f"<{REFERENCE}-comment-2@vigia>",
    ]


def test_a_change_that_is_accepted_and_not_made_is_told(server: fake.Zammad, zammad: Zammad) -> None:
    ticket = zammad.perform(order()).ticket
    server.ignores_changes = True
    assert fate_of(zammad, order(Action.RESOLVE, ticket, 2)) is Fate.REFUSED


def test_a_closed_state_of_another_name_is_closed_too(server: fake.Zammad, zammad: Zammad) -> None:
    ticket = zammad.perform(order()).ticket
    server.states["closed with workaround"] = "closed"
    server.change(server.ticket(ticket), {"state": "closed with workaround"}, fake.ANA)
    assert zammad.find(REFERENCE)[0].status is TicketStatus.CLOSED
    assert [word.deed for word in zammad.records.words(ticket)] == [Deed.CLOSED]


def test_what_was_merged_says_into_which(server: fake.Zammad, zammad: Zammad) -> None:
    ticket = zammad.perform(order()).ticket
    server.change(server.ticket(ticket), {"state": "merged"}, fake.ANA)
    server.record(server.ticket(ticket), fake.ANA, "merged_into")
    server.ticket(ticket).history[-1] |= {"id_to": 7}
    assert zammad.find(REFERENCE) == ()
    assert fate_of(zammad, order(Action.COMMENT, ticket, 2)) is Fate.MISSING
    [word] = zammad.records.words(ticket)
    assert (word.deed, word.body, word.author) == (Deed.MERGED, "7", "Ana Paz")


def test_who_answers_is_an_agent_and_neither_a_machine_nor_the_customer(
    server: fake.Zammad, zammad: Zammad, clock: SteppingClock
) -> None:
    ticket = question(server)
    since = clock.now()
    say(server, ticket, fake.SYSTEM, "Recibimos su consulta.", sender="System")
    say(server, ticket, fake.LUZ, "¿Y bien?")
    # Whoever is in copy is neither the customer nor one of us.
    server.people[6] = ("Max", "Ríos", "max@example.com")
    say(server, ticket, 6, "A mí también", sender="Customer")
    say(server, ticket, fake.ANA, "Para nosotros", internal=True)
    say(server, ticket, fake.US, "También nosotros")
    assert [case.answered_at for case in zammad.records.cases(since)] == [None]
    answered = clock.step(timedelta(hours=1))
    say(server, ticket, fake.ANA, "Lo miramos")
    [case] = zammad.records.cases(since)
    assert (case.answered_at, case.status, case.requester) == (
        answered,
        TicketStatus.ANSWERED,
        "luz@example.com",
    )


def test_a_message_that_is_a_page_is_read_as_words(server: fake.Zammad, zammad: Zammad) -> None:
    ticket = zammad.perform(order()).ticket
    page = "<div>Reiniciamos <b>el servicio</b> &amp; la red.<br>Saludos</div>"
    say(server, ticket, fake.ANA, page, content_type="text/html")
    assert [word.body for word in zammad.records.words(ticket)] == [
        "Reiniciamos el servicio & la red.\nSaludos"
    ]


@pytest.mark.parametrize("pages", [True, False])
def test_a_list_is_read_to_its_end_and_ends(
    server: fake.Zammad, zammad: Zammad, clock: SteppingClock, pages: bool
) -> None:
    since = clock.now()
    for number in range(60):
        question(server, f"Consulta {number}")
    server.takes_pages = pages
    assert len(zammad.records.cases(since)) == (60 if pages else 25)


def test_what_did_not_change_is_left_out_although_the_server_lists_it(
    server: fake.Zammad, zammad: Zammad, clock: SteppingClock
) -> None:
    question(server)
    server.takes_conditions = False
    since = clock.step(timedelta(hours=1))
    changed = question(server)
    assert [case.ticket for case in zammad.records.cases(since)] == [changed]
    assert all(case.reference == "" for case in zammad.records.cases(since))


def test_nothing_that_is_shown_holds_the_token(server: fake.Zammad, zammad: Zammad) -> None:
    server.token = "another one since today"
    assert [flaw.key for flaw in zammad.inspect()] == ["helpdesk.zammad.credentials"]
    with pytest.raises(DeliveryError) as caught:
        zammad.find(REFERENCE)
    assert caught.value.fate is Fate.FORBIDDEN
    assert fake.TOKEN not in f"{caught.value} {zammad._options!r}"
