"""The desk's tables: what an older file keeps, and what a search finds."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
import sqlite_utils
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlite_utils import Migrations

from monitor.errors import NotFoundError, RefusedError, StoreError
from monitor.store import desk, desk_search, migrations
from monitor.store.database import Database, dbapi2
from monitor.store.desk_requesters import Requester, put, requester_of, requesters
from monitor.store.desk_search import query_of, search
from monitor.store.desk_values import Deed, Hand, NewMessage, NewTicket, Side, Wanted

NOON = datetime(2026, 11, 22, 17, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
EVA = "eva@cliente.test"
ANA = Hand(author="ana", at=NOON)


def opened(tx, subject: str = "Correo", body: str = "No llega nada.", **changes: object) -> int:
    fields = {"reference": "", "subject": subject, "priority": "normal", "department": "soporte"}
    new = NewTicket(**(fields | {"requester": EVA} | changes))
    return desk.open_ticket(
        tx, new, NewMessage(author=EVA, side=Side.REQUESTER, body=body, at=NOON, action="ask")
    )


def say(tx, ticket: int, body: str, **changes: object) -> int | None:
    return desk.say(tx, ticket, NewMessage(author="ana", body=body, at=NOON, action="reply", **changes))


def numbers(tx, written: str) -> list[int]:
    return sorted(hit.ticket.id for hit in search(tx, query_of(written)))


def test_a_file_of_the_third_release_keeps_its_tickets_and_their_words_are_found(tmp_path):
    path = tmp_path / "vigia.db"
    with closing(dbapi2.connect(path)) as connection:
        before = Migrations("vigia")
        for step in migrations.MIGRATIONS._migrations:
            if not step.name.startswith("0.4"):
                before(name=step.name)(step.fn)
        before.apply(sqlite_utils.Database(connection))
        connection.execute(
            "INSERT INTO desk_tickets VALUES (7, 'VG-A', 'Disco lleno', 'soporte', 'urgent', 'closed', 'ana', 1000, 2000, 3000)"
        )
        connection.executemany(
            "INSERT INTO desk_messages (ticket, key, author, internal, body, at_ms, action) VALUES (7, ?, ?, 0, ?, ?, ?)",
            [
                ("VG-A-create-1", "vigia", "Falló la partición", 1000, "create"),
                (None, "ana", "Lo vimos", 4000, "reply"),
            ],
        )
        connection.commit()
    migrated = Database.open(path, owner=True)
    with migrated.writing() as tx:
        kept = desk.show(tx, 7)
        assert (kept.reference, kept.requester, kept.assignee, kept.status) == ("VG-A", "", "ana", "closed")
        assert kept.changed_at == datetime(1970, 1, 1, 0, 0, 4, tzinfo=UTC)
        assert [each.side for each in desk.messages(tx, 7)] == [Side.US, Side.STAFF]
        assert numbers(tx, "particion disco") == [7]
        assert opened(tx) == 8
        assert tx.rows("PRAGMA foreign_key_check") == []
    assert migrated.integrity() == "ok"
    migrated.close()


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("conexion", [1]),
        ("CONEXIÓN", [1]),
        ("ñandu", [2]),
        ("nandú", [2]),
        ("factura", [2]),
        ("fact*", [2]),
        ("fact", []),
        ('"se corta"', [1]),
        ('"corta se"', []),
        ("corta se", [1]),
        ("router factura", []),
        ("router corta", [1]),
        ("gye1.nodored.com", [1]),
        ("status:closed", [2]),
        ("status:open", [1]),
        ("department:pagos", [2]),
        ("DEPARTMENT:Pagos", [2]),
        ("requester:pedro", [2]),
        ("requester:cliente.test", [1, 2]),
        ("requester:eva@cliente.test", [1]),
        ("assignee:ana conexion", [1]),
        ("priority:normal corta", [1]),
        ("factura status:open", []),
        ("%", None),
        ("requester:%", []),
        ("", None),
        ('"', None),
        ("status:lost", None),
        ("x" * 501, None),
        ("a " * 21, None),
    ],
)
def test_a_search_finds_what_operators_type(database, written, found):
    with database.writing() as tx:
        first = opened(tx, "La conexión se cae", "Cada noche se corta hacia gye1.nodored.com.")
        second = opened(tx, "Factura", "Soy Ñandú Pérez.", requester="pedro@cliente.test", department="pagos")
        say(tx, first, "Revisamos el router.", internal=True)
        desk.change(tx, first, Deed.ASSIGNED, "ana", ANA)
        desk.change(tx, second, Deed.CLOSED, "closed", ANA)
        if found is None:
            with pytest.raises(RefusedError):
                query_of(written)
        else:
            assert numbers(tx, written) == found


def test_a_find_shows_the_words_around_the_newest_place_and_the_last_changed_first(database):
    with database.writing() as tx:
        first, second = opened(tx, body="El disco suena."), opened(tx, body="Otro disco.")
        desk.say(
            tx,
            first,
            NewMessage(author="ana", body="Cambiamos el disco\nde gye1.", at=NOON + MINUTE, action="reply"),
        )
        hits = search(tx, query_of("disco"))
    assert [(hit.ticket.id, hit.excerpt) for hit in hits] == [
        (first, "Cambiamos el disco de gye1."),
        (second, "Otro disco."),
    ]


HOSTILE = st.text(st.one_of(st.sampled_from("\"'*:()^-+{}ANDORNEAT \0\n;%_ñé"), st.characters()), max_size=60)


def test_what_is_no_letter_is_neither_stored_nor_a_reason_to_lose_the_rest(database):
    with database.writing() as tx:
        ticket = opened(tx, subject="Factura \udcff", body="Año \ud800 nuevo", requester=EVA)
        assert desk.show(tx, ticket).subject == "Factura ?"
        assert desk.messages(tx, ticket)[0].body == "Año ? nuevo"
        assert numbers(tx, "nuevo \udcff") == [ticket]
        with pytest.raises(StoreError, match="no letter of Unicode"):
            desk.find(tx, "VG-\udcff")


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(written=HOSTILE)
def test_no_letters_are_an_operator_of_the_index(database, written):
    with database.writing() as tx:
        if not tx.rows("SELECT 1 FROM desk_tickets"):
            opened(tx)
        try:
            asked = query_of(written)
        except RefusedError:
            return
        search(tx, asked)
        assert len(tx.rows("SELECT 1 FROM desk_tickets")) == 1


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.text(st.characters(categories=["Lu", "Ll", "Nd"]), min_size=1, max_size=30))
def test_whatever_word_is_written_is_found_by_itself(database, body):
    with database.writing() as tx:
        ticket = opened(tx, body=body)
        assert ticket in {
            hit.ticket.id for hit in search(tx, desk_search.Query(terms=(body,)), limit=1_000_000)
        }


def test_the_same_message_id_or_key_is_said_once(database):
    with database.writing() as tx:
        ticket = opened(tx)
        assert say(tx, ticket, "a", message_id="<1@x>") is not None
        assert say(tx, ticket, "b", message_id="<1@x>") is None
        assert say(tx, ticket, "c", key="k") is not None
        assert say(tx, ticket, "d", key="k") is None
        assert [each.body for each in desk.messages(tx, ticket)] == ["No llega nada.", "a", "c"]
        assert desk.find_message(tx, "<1@x>").body == "a"
        assert desk.find_message(tx, "<2@x>") is None
        number = desk.messages(tx, ticket)[-1].id
        desk.name_message(tx, number, "<2@x>")
        assert desk.find_message(tx, "<2@x>") == desk.message(tx, number)
        with pytest.raises(NotFoundError):
            desk.message(tx, 99)


def test_only_what_requesters_may_read_and_did_not_write_goes_out_to_them(database):
    with database.writing() as tx:
        asked, ours = opened(tx), opened(tx, requester="", reference="VG-A")
        answer = say(tx, asked, "Ya lo vemos.")
        say(tx, asked, "Es el disco.", internal=True)
        desk.say(
            tx, ours, NewMessage(author="vigia", side=Side.US, body="Se vio.", at=NOON, action="comment")
        )
        to_those_taken_in = say(tx, ours, "Ya está.")
        closing = desk.say(
            tx, asked, NewMessage(author="vigia", side=Side.US, body="Listo.", at=NOON, action="resolved")
        )
        assert [each.id for each in desk.words_for_requesters(tx, 0, 10)] == [
            answer,
            to_those_taken_in,
            closing,
        ]
        assert [each.id for each in desk.words_for_requesters(tx, to_those_taken_in, 10)] == [closing]
        assert [each.id for each in desk.words_for_requesters(tx, 0, 1)] == [answer]


def test_a_list_leaves_out_what_nobody_asked_for(database):
    with database.writing() as tx:
        first, second = opened(tx), opened(tx, department="pagos", requester="pedro@cliente.test")
        desk.change(tx, second, Deed.CLOSED, "closed", ANA)
        desk.change(tx, first, Deed.LINKED, "01INCIDENT", ANA)

        def listed(**wanted: object) -> list[int]:
            return [each.id for each in desk.list_tickets(tx, wanted=Wanted(**wanted))]

        assert listed() == [first]
        assert listed(closed=True) == [first, second]
        assert listed(status="closed") == [second]
        assert listed(department="pagos") == []
        assert listed(department="pagos", closed=True) == [second]
        assert listed(requester="pedro@cliente.test", closed=True) == [second]
        assert listed(incident="01INCIDENT") == [first]
        assert listed(assignee="ana") == []


def test_what_changed_since_a_moment_is_told_whatever_changed(database):
    with database.writing() as tx:
        first, second = opened(tx), opened(tx)
        desk.change(tx, first, Deed.MOVED, "pagos", Hand(author="ana", at=NOON + MINUTE))
        assert [each.id for each in desk.changed_since(tx, NOON)] == [first, second]
        assert [each.id for each in desk.changed_since(tx, NOON + MINUTE)] == [first]
        [moved] = desk.changes(tx, first)
        assert (moved.deed, moved.before, moved.after, moved.author) == (
            Deed.MOVED,
            "soporte",
            "pagos",
            "ana",
        )


def test_a_deed_that_changes_nothing_leaves_no_trace(database):
    with database.writing() as tx:
        ticket = opened(tx)
        before = desk.show(tx, ticket)
        assert desk.change(tx, ticket, Deed.PRIORITY, "normal", ANA) == before
        assert desk.changes(tx, ticket) == ()


def test_requesters_are_known_however_their_address_is_written(database):
    eva = Requester(address=EVA, name="Eva", plan="empresas", places=("gye1", "cliente.test"), added_at=NOON)
    with database.writing() as tx:
        assert put(tx, eva) is True
        assert put(tx, Requester(address=EVA, name="Eva M.", added_at=NOON + MINUTE)) is False
        known = requester_of(tx, f" {EVA.upper()} ")
        assert known == Requester(address=EVA, name="Eva M.", added_at=NOON)
        put(tx, Requester(address=EVA, added_at=NOON, disabled_at=NOON))
        assert requesters(tx) == ()
        assert [each.address for each in requesters(tx, disabled=True)] == [EVA]
        assert requester_of(tx, "nobody@x.test") is None
