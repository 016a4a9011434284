"""The built-in desk: what requesters ask, what people do, how tickets are merged and how they follow their incidents."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from monitor.actions import desk_asking, desk_deeds, desk_register
from monitor.actions.append import append
from monitor.actions.desk import StoredDesk
from monitor.actions.desk_asking import Asked, Said
from monitor.actions.desk_deeds import Person
from monitor.actions.desk_linked import LinkedTickets
from monitor.errors import NotFoundError, RefusedError
from monitor.identifiers import IncidentId
from monitor.incidents.incident import Audience
from monitor.journal.entries import Entry, Kind, TicketOpened
from monitor.store import desk, readings
from monitor.store.database import Database
from monitor.store.desk_requesters import Requester, requesters
from monitor.store.desk_values import Deed, Side
from monitor.tickets.port import Action, Order, Priority
from monitor.tickets.port import Deed as PortDeed
from tests.conftest import SteppingClock
from tests.tickets import builders
from tests.tickets.builders import INCIDENT

EVA, PEDRO = "eva@cliente.test", "pedro@otro.test"
REFERENCE = f"VG-TESTHAUS-{INCIDENT}"
TWO_WEEKS = timedelta(days=14)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def database(tmp_path: Path, clock: SteppingClock) -> Iterator[Database]:
    opened = Database.open(tmp_path / "vigia.db", owner=True)
    tell(opened, clock, builders.applied())
    yield opened
    opened.close()


def tell(database: Database, clock: SteppingClock, *entries: Entry) -> None:
    with database.writing() as tx:
        append(tx, entries, clock.now())


def ask(database: Database, clock: SteppingClock, subject: str = "El correo no llega", **changes: str) -> int:
    fields = {"requester": EVA, "body": "Desde ayer.", "department": "soporte"} | changes
    with database.writing() as tx:
        return desk_asking.ask(tx, Asked(subject=subject, **fields), clock.now()).id


def ana(clock: SteppingClock, seen: int | None = None) -> Person:
    return Person(name="ana", at=clock.now(), seen=seen)


def ours(database: Database, clock: SteppingClock, action: Action, ticket: int = 0, seq: int = 1) -> int:
    """Carry out an order on the ticket of the incident."""
    order = Order(
        action=action,
        reference=REFERENCE,
        key=f"{REFERENCE}-{action}-{seq}",
        ticket=str(ticket or ""),
        subject=f"[{REFERENCE}] gye1",
        body=f"Nuestro {action}.",
        priority=Priority.URGENT,
        department="soporte",
        language="es",
    )
    book = StoredDesk(database, "https://estado.nodored.example")
    perform = book.open if action is Action.CREATE else book.act
    return int(perform(order, clock.now()).ticket)


def ours_in_the_journal(database: Database, clock: SteppingClock) -> int:
    number = ours(database, clock, Action.CREATE)
    opened = TicketOpened(
        incident=INCIDENT,
        reference=REFERENCE,
        helpdesk="desk",
        ticket=str(number),
        url="",
        department="soporte",
        priority="urgent",
        subject="gye1",
    )
    entry = Entry(kind=Kind.TICKET_OPENED, moment=clock.now(), subject=INCIDENT, body=opened)
    tell(database, clock, builders.opened(builders.incident()), entry)
    return number


# What requesters do


def test_a_request_needs_an_answer_and_gets_one(database: Database, clock: SteppingClock) -> None:
    number = ask(database, clock, "  El correo\nno llega ", requester=" Eva@Cliente.TEST ")
    with database.writing() as tx:
        asked = desk.show(tx, number)
        assert (asked.subject, asked.requester, asked.status) == ("El correo no llega", EVA, "open")
        assert (asked.reference, asked.priority, asked.channel) == ("", "normal", "ticket")
        answered = desk_deeds.reply(tx, number, "Ya lo vemos.", ana(clock))
        assert (answered.status, answered.answered_at) == ("answered", clock.now())
        again = desk_asking.hear(
            tx, number, Said(requester=EVA, body="Sigue igual."), clock.step(MINUTE), TWO_WEEKS
        )
        assert (again.id, again.status, again.answered_at) == (number, "open", answered.answered_at)


def test_a_call_is_written_down_by_somebody(database: Database, clock: SteppingClock) -> None:
    asked = Asked(requester=EVA, subject="Llamó", body="No entra.", department="soporte", channel="phone")
    with database.writing() as tx:
        ticket = desk_asking.ask(tx, asked, clock.now(), ana(clock))
        [opened] = desk.changes(tx, ticket.id)
        [said] = desk.messages(tx, ticket.id)
    assert (opened.deed, opened.author, opened.after) == (Deed.OPENED, "ana", "phone")
    assert (said.author, said.side) == (EVA, Side.REQUESTER)


def test_the_same_message_id_is_one_ticket_and_one_word(database: Database, clock: SteppingClock) -> None:
    first = ask(database, clock, message_id="<1@cliente.test>")
    assert ask(database, clock, message_id="<1@cliente.test>") == first
    answer = Said(requester=EVA, body="Gracias.", message_id="<2@cliente.test>")
    with database.writing() as tx:
        for _ in range(2):
            assert desk_asking.hear(tx, first, answer, clock.now(), TWO_WEEKS).id == first
        assert [each.body for each in desk.messages(tx, first)] == ["Desde ayer.", "Gracias."]


@pytest.mark.parametrize(("later", "opens_again"), [(TWO_WEEKS, True), (TWO_WEEKS + MINUTE, False)])
def test_a_late_word_on_a_closed_ticket_opens_another_that_points_to_it(
    database: Database, clock: SteppingClock, later: timedelta, opens_again: bool
) -> None:
    number = ask(database, clock)
    with database.writing() as tx:
        desk_deeds.close(tx, number, "Listo.", ana(clock))
        said = Said(requester=EVA, body="Volvió a fallar.", message_id="<2@cliente.test>")
        after = desk_asking.hear(tx, number, said, clock.step(later), TWO_WEEKS)
        assert desk_asking.hear(tx, number, said, clock.now(), TWO_WEEKS) == after
        assert (after.id == number) is opens_again
        assert (after.status, after.subject, after.requester) == ("open", "El correo no llega", EVA)
        assert after.follows == (None if opens_again else number)
        assert desk.messages(tx, after.id)[-1].body == "Volvió a fallar."
        assert desk.show(tx, number).status == ("open" if opens_again else "closed")


@pytest.mark.parametrize(
    "changes",
    [
        {"requester": "nobody"},
        {"requester": "a@b c"},
        {"requester": ""},
        {"requester": "a@b\x07"},
        {"subject": " \n "},
        {"body": "  "},
        {"department": "ventas"},
    ],
    ids=str,
)
def test_what_is_no_request_is_refused_and_leaves_nothing(
    database: Database, clock: SteppingClock, changes: dict[str, str]
) -> None:
    with pytest.raises(RefusedError):
        ask(database, clock, **changes)
    with database.reading() as tx:
        assert desk.list_tickets(tx, closed=True) == ()


def test_a_request_about_an_open_public_fault_is_known_as_such(
    database: Database, clock: SteppingClock
) -> None:
    hidden = builders.incident(IncidentId("01HIDDEN"), builders.UIO1, audience=Audience.OPERATORS)
    tell(database, clock, builders.opened(builders.incident()), builders.opened(hidden))
    with database.writing() as tx:
        known = Requester(address=EVA, places=("gye1",), added_at=clock.now())
        desk_register.register(tx, known)
        found = desk_asking.fault_of(tx, EVA, "Nada funciona", "")
        assert found is not None
        assert found.id == INCIDENT
        assert desk_asking.fault_of(tx, PEDRO, "Nada funciona", "") is None
        assert desk_asking.fault_of(tx, PEDRO, "uio1.nodored.example no responde", "") is None
        assert desk_asking.fault_of(tx, PEDRO, "gye1.nodored.example no responde", "") == found
    number = ask(database, clock)
    with database.writing() as tx:
        assert desk_asking.belong(tx, number, found, clock.now()).incident == INCIDENT
        [linked] = desk.changes(tx, number)
        assert (linked.deed, linked.side) == (Deed.LINKED, Side.US)


def test_a_second_request_under_the_same_subject_is_known(database: Database, clock: SteppingClock) -> None:
    first = ask(database, clock)
    later = clock.step(timedelta(hours=2))
    with database.writing() as tx:
        found = desk_asking.asked_before(
            tx, EVA, ("Re: el CORREO no llega", "soporte"), later - timedelta(days=1)
        )
        assert found is not None
        assert found.id == first
        assert desk_asking.asked_before(tx, EVA, ("El correo no llega", "soporte"), later - MINUTE) is None
        assert desk_asking.asked_before(tx, EVA, ("Otra cosa", "soporte"), later - timedelta(days=1)) is None
        assert (
            desk_asking.asked_before(tx, PEDRO, ("El correo no llega", "soporte"), later - timedelta(days=1))
            is None
        )


# What people do


def test_an_action_that_comes_again_undoes_nothing_that_people_did_since(
    database: Database, clock: SteppingClock
) -> None:
    number = ours(database, clock, Action.CREATE)
    ours(database, clock, Action.RESOLVE, number)
    with database.writing() as tx:
        desk_deeds.reopen(tx, number, ana(clock))
    ours(database, clock, Action.RESOLVE, number)
    with database.reading() as tx:
        assert desk.show(tx, number).status == "open"
        assert [each.action for each in desk.messages(tx, number)] == ["create", "resolve"]


def test_who_looked_at_an_older_ticket_is_told_what_changed(database: Database, clock: SteppingClock) -> None:
    number = ask(database, clock)
    with database.writing() as tx:
        seen = desk.show(tx, number).revision
        desk_deeds.reply(tx, number, "Ya lo vemos.", Person(name="eva", at=clock.now(), seen=seen))
        for late in (
            lambda: desk_deeds.reply(tx, number, "Yo también.", ana(clock, seen)),
            lambda: desk_deeds.close(tx, number, "", ana(clock, seen)),
            lambda: desk_deeds.assign(tx, number, "ana", ana(clock, seen)),
        ):
            with pytest.raises(RefusedError, match=r"changed meanwhile \(eva: reply\)"):
                late()
        after = desk_deeds.reply(tx, number, "Ahora sí.", ana(clock, seen + 1))
        assert [each.author for each in desk.messages(tx, number)] == [EVA, "eva", "ana"]
        assert after.revision == seen + 2


def test_two_people_who_reply_at_once_both_stand(database: Database, clock: SteppingClock) -> None:
    number = ask(database, clock)
    other = Database.open(database.path, owner=False)
    together = threading.Barrier(2)

    def work(own: Database, name: str) -> None:
        for turn in range(20):
            together.wait()
            with own.writing() as tx:
                desk_deeds.reply(tx, number, f"{name} {turn}", Person(name=name, at=clock.now()))

    threads = [threading.Thread(target=work, args=each) for each in ((database, "ana"), (other, "pedro"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    other.close()
    with database.reading() as tx:
        said = [each.body for each in desk.messages(tx, number)[1:]]
        assert sorted(said) == sorted(f"{name} {turn}" for name in ("ana", "pedro") for turn in range(20))
        assert desk.show(tx, number).revision == 41


def test_nobody_acts_in_our_name_or_says_nothing(database: Database, clock: SteppingClock) -> None:
    number = ask(database, clock)
    with database.writing() as tx:
        with pytest.raises(RefusedError, match="the service itself"):
            desk_deeds.reply(tx, number, "Hola", Person(name="Vigia", at=clock.now()))
        with pytest.raises(RefusedError, match="at least one word"):
            desk_deeds.reply(tx, number, " \n", ana(clock))
        with pytest.raises(RefusedError, match="letters"):
            desk_deeds.reply(tx, number, "x" * 100_001, ana(clock))
        with pytest.raises(RefusedError, match="there are soporte"):
            desk_deeds.move(tx, number, "ventas", ana(clock))
        with pytest.raises(NotFoundError, match="vigia incident list"):
            desk_deeds.link(tx, number, IncidentId("01NOBODY"), ana(clock))
        assert len(desk.messages(tx, number)) == 1
        assert desk.changes(tx, number) == ()


def test_every_deed_is_read_as_any_helpdesks_is(database: Database, clock: SteppingClock) -> None:
    number, other = ask(database, clock), ask(database, clock, requester=PEDRO)
    with database.writing() as tx:
        desk_deeds.reply(tx, number, "Nota.", ana(clock), internal=True)
        desk_deeds.reply(tx, number, "Respuesta.", ana(clock))
        clock.step(MINUTE)
        desk_deeds.assign(tx, number, "eva", ana(clock))
        desk_deeds.prioritise(tx, number, Priority.HIGH, ana(clock))
        desk_deeds.close(tx, number, "", ana(clock))
        desk_deeds.reopen(tx, number, ana(clock))
        desk_deeds.merge(tx, number, other, ana(clock))
    book = StoredDesk(database, "https://estado.nodored.example/")
    told = [(each.deed, each.body) for each in book.words(str(number))]
    assert told == [
        (PortDeed.NOTE, "Nota."),
        (PortDeed.ANSWER, "Respuesta."),
        (PortDeed.ASSIGNED, "eva"),
        (PortDeed.PRIORITY, "high"),
        (PortDeed.CLOSED, ""),
        (PortDeed.REOPENED, ""),
        (PortDeed.CLOSED, ""),
        (PortDeed.MERGED, str(other)),
    ]
    assert len({each.key for each in book.words(str(number))}) == len(told)
    # The higher priority was a person's deed on the other as well.
    assert [(each.deed, each.body) for each in book.words(str(other))] == [(PortDeed.PRIORITY, "high")]
    first, second = book.cases(clock.now() - timedelta(hours=1))
    assert (first.requester, first.status, first.answered_at) == (EVA, "closed", clock.now() - MINUTE)
    assert (second.requester, second.priority, second.answered_at) == (PEDRO, "high", None)
    assert second.url == f"https://estado.nodored.example/ops/tickets/{other}"
    assert book.cases(clock.now() + MINUTE) == ()


# Merging


def test_what_is_merged_goes_on_in_the_ticket_that_is_kept(database: Database, clock: SteppingClock) -> None:
    kept, closing = ask(database, clock), ask(database, clock, requester=PEDRO)
    with database.writing() as tx:
        desk_deeds.reply(tx, kept, "Ya lo vemos.", ana(clock))
        desk_deeds.prioritise(tx, closing, Priority.HIGH, ana(clock))
        after = desk_deeds.merge(tx, closing, kept, ana(clock))
        assert (after.id, after.status, after.priority) == (kept, "open", "high")
        gone = desk.show(tx, closing)
        assert (gone.status, gone.merged_into) == ("closed", kept)
        told = desk.messages(tx, closing)[-1]
        assert (told.side, told.internal, f"n.º {kept}" in told.body) == (Side.US, False, True)
        assert desk.readers(tx, kept) == (EVA, PEDRO)
        heard = desk_asking.hear(tx, closing, Said(requester=PEDRO, body="¿Y ahora?"), clock.now(), TWO_WEEKS)
        assert heard.id == kept
        for refused in (
            lambda: desk_deeds.reply(tx, closing, "Hola", ana(clock)),
            lambda: desk_deeds.merge(tx, closing, kept, ana(clock)),
            lambda: desk_deeds.merge(tx, kept, closing, ana(clock)),
            lambda: desk_deeds.merge(tx, kept, kept, ana(clock)),
        ):
            with pytest.raises(RefusedError):
                refused()


def test_nothing_is_merged_into_a_closed_ticket(database: Database, clock: SteppingClock) -> None:
    kept, closing = ask(database, clock), ask(database, clock)
    with database.writing() as tx:
        desk_deeds.close(tx, kept, "", ana(clock))
        with pytest.raises(RefusedError, match=f"vigia desk reopen {kept}"):
            desk_deeds.merge(tx, closing, kept, ana(clock))


def test_the_ticket_of_a_fault_goes_on_where_it_was_merged(database: Database, clock: SteppingClock) -> None:
    number = ours_in_the_journal(database, clock)
    asked, last = ask(database, clock), ask(database, clock, requester=PEDRO)
    with database.writing() as tx:
        after = desk_deeds.merge(tx, number, asked, ana(clock))
        assert (after.priority, after.incident) == ("urgent", INCIDENT)
        known = readings.ticket(tx, REFERENCE)
        assert known is not None
        assert (known.ticket, known.status) == (str(asked), "open")
        assert known.url == f"https://estado.nodored.example/ops/tickets/{asked}"
        desk_deeds.merge(tx, asked, last, ana(clock))
        known = readings.ticket(tx, REFERENCE)
        assert known is not None
        assert known.ticket == str(last)
        assert [each.id for each in desk.taken_in(tx, last)] == [number, asked]
    book = StoredDesk(database, "https://estado.nodored.example")
    [found] = book.find(REFERENCE)
    assert (found.ticket, found.reference) == (str(last), REFERENCE)
    with pytest.raises(NotFoundError, match=f"merged into {asked}"):
        ours(database, clock, Action.COMMENT, number, 2)
    ours(database, clock, Action.RESOLVE, last, 3)
    assert ours(database, clock, Action.CREATE) == last
    with database.writing() as tx:
        assert desk.show(tx, last).status == "closed"
        desk_deeds.reopen(tx, last, ana(clock))
        desk_deeds.close(tx, last, "Listo.", ana(clock))
        known = readings.ticket(tx, REFERENCE)
        assert known is not None
        assert (known.status, known.first_answer_at) == ("closed", clock.now())


# Following an incident


def linked(database: Database, clock: SteppingClock, **changes: str) -> int:
    number = ask(database, clock, **changes)
    with database.writing() as tx:
        desk_deeds.link(tx, number, INCIDENT, ana(clock))
    return number


def standing(database: Database, number: int) -> tuple[str, list[str]]:
    with database.reading() as tx:
        return desk.show(tx, number).status, [each.action for each in desk.messages(tx, number)]


def test_tickets_follow_their_incident_and_are_told_each_end_once(
    database: Database, clock: SteppingClock
) -> None:
    whole = builders.incident()
    clock.step(builders.START + 10 * MINUTE - clock.now())
    tell(database, clock, builders.opened(whole))
    first, second, other = (
        linked(database, clock),
        linked(database, clock, requester=PEDRO),
        ask(database, clock),
    )
    follow = LinkedTickets(database).follow
    assert follow(clock.now()) is False
    tell(database, clock, builders.resolved(whole, clock.step(10 * MINUTE)))
    clock.step(MINUTE)
    late = linked(database, clock)
    assert follow(clock.now()) is True
    assert follow(clock.now()) is False
    for number in (first, second):
        assert standing(database, number) == ("closed", ["ask", "resolved"])
    for number in (other, late):
        assert standing(database, number) == ("open", ["ask"])
    with database.writing() as tx:
        told = desk.messages(tx, first)[-1]
        assert told.side is Side.US
        assert f"https://estado.nodored.example/incidents/{INCIDENT}" in told.body
        desk_asking.hear(tx, second, Said(requester=PEDRO, body="Sigue."), clock.step(MINUTE), TWO_WEEKS)
    assert follow(clock.now()) is False
    assert standing(database, second) == ("open", ["ask", "resolved", "ask"])

    tell(database, clock, builders.reopened(whole, clock.step(MINUTE)))
    assert follow(clock.now()) is True
    assert follow(clock.now()) is False
    assert standing(database, first) == ("open", ["ask", "resolved", "returned"])
    assert standing(database, second) == ("open", ["ask", "resolved", "ask"])

    tell(database, clock, builders.resolved(whole, clock.step(MINUTE)))
    assert follow(clock.now()) is True
    assert standing(database, first) == ("closed", ["ask", "resolved", "returned", "resolved"])
    assert standing(database, second) == ("closed", ["ask", "resolved", "ask", "resolved"])


def test_a_false_alarm_closes_nothing_and_a_person_stays_right(
    database: Database, clock: SteppingClock
) -> None:
    whole = builders.incident()
    clock.step(builders.START + 10 * MINUTE - clock.now())
    tell(database, clock, builders.opened(whole))
    waiting, closed = linked(database, clock), linked(database, clock)
    with database.writing() as tx:
        desk_deeds.close(tx, closed, "", ana(clock))
    assert LinkedTickets(database).follow(clock.now()) is False
    tell(database, clock, builders.resolved(whole, clock.step(MINUTE)))
    with database.writing() as tx:
        desk_deeds.link(tx, waiting, None, ana(clock))
    tell(database, clock, builders.reopened(whole, clock.step(MINUTE)))
    assert LinkedTickets(database).follow(clock.now()) is False
    assert standing(database, closed) == ("closed", ["ask"])
    with database.writing() as tx:
        desk_deeds.link(tx, waiting, INCIDENT, ana(clock))
    tell(database, clock, builders.retracted(whole, clock.step(MINUTE)))
    assert LinkedTickets(database).follow(clock.now()) is False
    assert standing(database, waiting) == ("open", ["ask"])


@pytest.mark.parametrize("takes_in", [True, False])
def test_customers_who_share_the_faults_own_ticket_are_told_of_its_end_and_of_its_return(
    database: Database, clock: SteppingClock, takes_in: bool
) -> None:
    """There it is we who close and open, before the ticket follows: whoever was merged hears of it all the same, each once."""
    clock.step(builders.START + 10 * MINUTE - clock.now())
    fault, theirs = ours_in_the_journal(database, clock), ask(database, clock)
    with database.writing() as tx:
        kept = desk_deeds.merge(tx, *((theirs, fault) if takes_in else (fault, theirs)), ana(clock)).id
    follow = LinkedTickets(database).follow
    assert follow(clock.now()) is False
    whole = builders.incident()
    for turn in (1, 2):
        ours(database, clock, Action.RESOLVE, kept, turn)
        tell(database, clock, builders.resolved(whole, clock.step(MINUTE)))
        assert follow(clock.step(MINUTE)) is True
        assert follow(clock.step(MINUTE)) is False
        ours(database, clock, Action.REOPEN, kept, turn)
        tell(database, clock, builders.reopened(whole, clock.step(MINUTE)))
        assert follow(clock.step(MINUTE)) is True
        assert follow(clock.step(MINUTE)) is False
    with database.reading() as tx:
        words = [each for each in desk.words_for_requesters(tx, 0, 50) if each.ticket == kept]
    assert [each.action for each in words if each.action in ("resolved", "returned")] == [
        "resolved",
        "returned",
    ] * 2


def test_requesters_are_spoken_to_in_their_language(database: Database, clock: SteppingClock) -> None:
    with database.writing() as tx:
        desk_register.register(tx, Requester(address=PEDRO, language="en", added_at=clock.now()))
    kept, closing = ask(database, clock), ask(database, clock, requester=PEDRO)
    with database.writing() as tx:
        desk_deeds.merge(tx, closing, kept, ana(clock))
        assert "goes on there" in desk.messages(tx, closing)[-1].body


# Who may ask


def lines(*rows: str) -> list[str]:
    return [f"{row}\n" for row in rows]


def test_a_table_of_requesters_is_taken_whole(database: Database, clock: SteppingClock) -> None:
    table = lines(
        "Address;name;PLAN;places",
        "Eva@Cliente.test;Eva Mora;empresas;gye1 cliente.test",
        'pedro@otro.test;"Pérez; Pedro";personas;',
        "",
    )
    with database.writing() as tx:
        assert desk_register.read_table(tx, table, clock.now()) == desk_register.Imported(
            added=2, changed=0, unchanged=0
        )
        assert desk_register.read_table(tx, table, clock.step(MINUTE)).unchanged == 2
        eva, pedro = requesters(tx)
        assert (eva.address, eva.name, eva.plan) == (EVA, "Eva Mora", "empresas")
        assert eva.places == ("cliente.test", "gye1")
        assert (pedro.name, pedro.places) == ("Pérez; Pedro", ())
        changed = desk_register.read_table(tx, lines("address,plan", f"{EVA},personas"), clock.now())
        assert changed.changed == 1
        assert requesters(tx)[0] == replace(eva, plan="personas")


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ([], "line 1"),
        (lines("name,plan"), "address among them"),
        (lines("address,colour"), "not colour"),
        (lines("address", "ana@x.test", "nobody"), "line 3: .*ana@example.com; nothing was imported"),
        (lines("address,language", "ana@x.test,fr"), "line 2: .*es, en"),
        (lines("address,places", "ana@x.test,gye9"), "neither the id of a server"),
        (lines("address,name", "ana@x.test,a,b"), "more cells"),
        (lines("address,name", f"ana@x.test,{'x' * 201}"), "too long"),
    ],
)
def test_one_wrong_line_leaves_all_as_it_was(
    database: Database, clock: SteppingClock, table: list[str], said: str
) -> None:
    with pytest.raises(RefusedError, match=said), database.writing() as tx:
        desk_register.read_table(tx, table, clock.now())
    with database.reading() as tx:
        assert requesters(tx, disabled=True) == ()


def test_a_disabled_requester_is_heard_again_when_added_anew(
    database: Database, clock: SteppingClock
) -> None:
    eva = Requester(address=EVA, name="Eva", added_at=clock.now())
    with database.writing() as tx:
        desk_register.register(tx, eva)
        first = desk_register.disable(tx, EVA, clock.step(MINUTE))
        assert desk_register.disable(tx, EVA, clock.step(MINUTE)) == first
        assert first.disabled_at is not None
        assert desk_register.register(tx, eva).disabled_at is None
        with pytest.raises(NotFoundError):
            desk_register.disable(tx, PEDRO, clock.now())
