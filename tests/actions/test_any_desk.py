"""Whatever people and requesters do on the desk, in whatever order: it stands as a small model of it says, and loses no word."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import mkdtemp

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from monitor.actions import desk_asking, desk_deeds
from monitor.actions.desk import StoredDesk
from monitor.actions.desk_asking import Asked, Said
from monitor.actions.desk_deeds import Person
from monitor.errors import NotFoundError, RefusedError
from monitor.store import desk
from monitor.store.database import Database
from monitor.store.desk_search import query_of, search
from monitor.tickets.port import Action, Order, Priority

BEGIN = datetime(2026, 11, 22, 17, 0, tzinfo=UTC)
REOPEN_WITHIN = timedelta(days=2)
PEOPLE, CUSTOMERS = ("ana", "eva"), ("uno@cliente.test", "dos@cliente.test")
WORDS = ("correo", "conexión", "ñandú", "disco", "factura")
PLAIN = {"conexión": "CONEXION", "ñandú": "nandu"}
RANKS = list(Priority)

places = st.integers(0, 5)
words = st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map(" ".join)


@dataclass
class Model:
    """One ticket as it ought to be."""

    number: int
    requester: str
    priority: Priority = Priority.NORMAL
    status: str = "open"
    assignee: str | None = None
    answered_at: datetime | None = None
    closed_at: datetime | None = None
    merged_into: int | None = None
    follows: int | None = None
    reference: str = ""
    said: list[tuple[str, bool, str]] = field(default_factory=list)


class AnyDesk(RuleBasedStateMachine):
    """The desk on a real database, and the model beside it."""

    def __init__(self, template: bytes) -> None:
        super().__init__()
        self.path = Path(mkdtemp(dir=self.folder)) / "vigia.db"
        self.path.write_bytes(template)
        self.database = Database.open(self.path, owner=False)
        self.models: dict[int, Model] = {}
        self.now = BEGIN
        self.seq = itertools.count(1)
        self.orders: list[Order] = []

    folder: Path

    def teardown(self) -> None:
        self.database.close()
        for file in self.path.parent.iterdir():
            file.unlink()
        self.path.parent.rmdir()

    @initialize(body=words)
    def somebody_asks(self, body: str) -> None:
        self.asks(CUSTOMERS[0], body)

    @rule(minutes=st.sampled_from((1, 600, 3000, 3000)))
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule()
    def the_service_starts_again(self) -> None:
        self.database.close()
        self.database = Database.open(self.path, owner=False)

    @rule(requester=st.sampled_from(CUSTOMERS), body=words)
    def asks(self, requester: str, body: str) -> None:
        asked = Asked(requester=requester, subject="Consulta", body=body, department="soporte")
        with self.database.writing() as tx:
            number = desk_asking.ask(tx, asked, self.now).id
        assert number not in self.models
        self.models[number] = Model(number, requester, said=[(requester, False, body)])

    @rule(body=words)
    def a_fault_is_found(self, body: str) -> None:
        reference = f"VG-TESTHAUS-{next(self.seq)}"
        number = self.order(Action.CREATE, reference, "", Priority.URGENT, body)
        assert number not in self.models
        self.models[number] = Model(
            number, "", Priority.URGENT, reference=reference, said=[("vigia", False, body)]
        )

    @precondition(lambda self: any(each.reference for each in self.models.values()))
    @rule(place=places, action=st.sampled_from(list(Action)[1:]), body=words, twice=st.booleans())
    def the_fault_goes_on(self, place: int, action: Action, body: str, twice: bool) -> None:
        ours = [each for each in self.models.values() if each.reference]
        model = ours[place % len(ours)]
        kept = self.kept(model)
        [found] = StoredDesk(self.database, "https://estado.test").find(model.reference)
        assert (found.ticket, found.priority) == (str(kept.number), kept.priority)
        if model.merged_into is not None:
            with pytest.raises(NotFoundError):
                self.order(action, model.reference, str(model.number), kept.priority, body)
        seq = next(self.seq)
        for _ in range(1 + twice):
            self.order(action, model.reference, str(kept.number), kept.priority, body, seq)
        kept.said.append(("vigia", False, body))
        if action is Action.RESOLVE and kept.status != "closed":
            kept.status, kept.closed_at = "closed", self.now
        if action is Action.REOPEN and kept.status == "closed":
            kept.status, kept.closed_at = "open", None

    @precondition(lambda self: self.orders)
    @rule(place=st.integers(0, 30))
    def an_old_order_comes_again(self, place: int) -> None:
        """What was done once changes nothing, whatever happened since."""
        order = self.orders[place % len(self.orders)]
        book = StoredDesk(self.database, "https://estado.test")
        if order.action is Action.CREATE:
            [found] = book.find(order.reference)
            assert book.open(order, self.now).ticket == found.ticket
        elif self.models[int(order.ticket)].merged_into is None:
            assert book.act(order, self.now).ticket == order.ticket

    @rule(place=places, person=st.sampled_from(PEOPLE), body=words, internal=st.booleans())
    def a_person_writes(self, place: int, person: str, body: str, internal: bool) -> None:
        model = self.model(place)
        with self.database.writing() as tx:
            if model.merged_into is not None:
                with pytest.raises(RefusedError):
                    desk_deeds.reply(tx, model.number, body, self.person(person), internal=internal)
                return
            desk_deeds.reply(tx, model.number, body, self.person(person), internal=internal)
        model.said.append((person, internal, body))
        if not internal:
            self.answered(model)

    @rule(place=places, body=words)
    def a_requester_writes_again(self, place: int, body: str) -> None:
        model = self.model(place)
        requester = model.requester or CUSTOMERS[1]
        with self.database.writing() as tx:
            after = desk_asking.hear(
                tx, model.number, Said(requester=requester, body=body), self.now, REOPEN_WITHIN
            )
        kept = self.kept(model)
        if kept.closed_at is not None and self.now - kept.closed_at > REOPEN_WITHIN:
            assert after.id not in self.models
            said = [(requester, False, body)]
            self.models[after.id] = Model(after.id, requester, follows=kept.number, said=said)
            return
        assert after.id == kept.number
        kept.status, kept.closed_at = "open", None
        kept.said.append((requester, False, body))

    @rule(place=places, body=st.one_of(st.just(""), words))
    def a_person_closes(self, place: int, body: str) -> None:
        model = self.model(place)
        refused = model.merged_into is not None or (model.status == "closed" and body)
        with self.database.writing() as tx:
            if refused:
                with pytest.raises(RefusedError):
                    desk_deeds.close(tx, model.number, body, self.person("ana"))
                return
            desk_deeds.close(tx, model.number, body, self.person("ana"))
        if model.status == "closed":
            return
        if body:
            model.said.append(("ana", False, body))
            self.answered(model)
        model.status, model.closed_at = "closed", self.now

    @rule(place=places, person=st.sampled_from((None, *PEOPLE)), priority=st.sampled_from(RANKS))
    def a_person_changes_it(self, place: int, person: str | None, priority: Priority) -> None:
        model = self.model(place)
        if model.merged_into is not None:
            return
        with self.database.writing() as tx:
            desk_deeds.assign(tx, model.number, person, self.person("ana"))
            desk_deeds.prioritise(tx, model.number, priority, self.person("ana"))
            desk_deeds.reopen(tx, model.number, self.person("ana"))
        model.assignee, model.priority = person, priority
        if model.status == "closed":
            model.status, model.closed_at = "open", None

    @rule(place=places, into=places)
    def a_person_merges(self, place: int, into: int) -> None:
        closing, keeping = self.model(place), self.model(into)
        bad = (
            closing is keeping
            or closing.merged_into is not None
            or keeping.merged_into is not None
            or keeping.status == "closed"
        )
        if bad:
            with pytest.raises(RefusedError), self.database.writing() as tx:
                desk_deeds.merge(tx, closing.number, keeping.number, self.person("ana"))
            return
        with self.database.writing() as tx:
            desk_deeds.merge(tx, closing.number, keeping.number, self.person("ana"))
            told = desk.messages(tx, closing.number)[-1].body
        if (closing.status, keeping.status) == ("open", "answered"):
            keeping.status = "open"
        if closing.status != "closed":
            closing.status, closing.closed_at = "closed", self.now
        closing.merged_into = keeping.number
        closing.said.append(("vigia", False, told))
        keeping.priority = max(closing.priority, keeping.priority, key=RANKS.index)

    @rule(word=st.sampled_from(WORDS), other=st.sampled_from(WORDS))
    def somebody_searches(self, word: str, other: str) -> None:
        wanted = {
            each.number
            for each in self.models.values()
            if all(any(one in body.split() for _, _, body in each.said) for one in (word, other))
        }
        with self.database.reading() as tx:
            hits = search(tx, query_of(f"{PLAIN.get(word, word)} {other}"))
        assert {hit.ticket.id for hit in hits} == wanted

    @invariant()
    def it_stands_as_the_model_says(self) -> None:
        with self.database.reading() as tx:
            for model in self.models.values():
                ticket = desk.show(tx, model.number)
                assert (ticket.status, ticket.closed_at) == (model.status, model.closed_at)
                assert (ticket.priority, ticket.assignee) == (model.priority, model.assignee)
                assert (ticket.merged_into, ticket.follows) == (model.merged_into, model.follows)
                assert ticket.answered_at == model.answered_at
                said = [(each.author, each.internal, each.body) for each in desk.messages(tx, model.number)]
                assert said == model.said
                # One for its opening; merging counts on both.
                done = len(said) + len(desk.changes(tx, model.number))
                assert ticket.revision == done
                assert desk.kept(tx, model.number).id == self.kept(model).number
            open_ones = {each.number for each in self.models.values() if each.status != "closed"}
            assert {each.id for each in desk.list_tickets(tx)} == open_ones

    def model(self, place: int) -> Model:
        return list(self.models.values())[place % len(self.models)]

    def kept(self, model: Model) -> Model:
        while model.merged_into is not None:
            model = self.models[model.merged_into]
        return model

    def person(self, name: str) -> Person:
        return Person(name=name, at=self.now)

    def answered(self, model: Model) -> None:
        model.answered_at = model.answered_at or self.now
        if model.status == "open":
            model.status = "answered"

    def order(
        self, action: Action, reference: str, ticket: str, priority: Priority, body: str, seq: int = 0
    ) -> int:
        book = StoredDesk(self.database, "https://estado.test")
        order = Order(
            action=action,
            reference=reference,
            key=f"{reference}-{action}-{seq}",
            ticket=ticket,
            subject=f"[{reference}]",
            body=body,
            priority=priority,
            department="soporte",
            language="es",
        )
        done = book.open if action is Action.CREATE else book.act
        number = int(done(order, self.now).ticket)
        self.orders.append(order)
        return number


def test_whatever_is_done_the_desk_stands_as_the_model_says(tmp_path: Path) -> None:
    blank = tmp_path / "blank.db"
    Database.open(blank, owner=True).close()
    template = blank.read_bytes()
    AnyDesk.folder = tmp_path
    run_state_machine_as_test(
        lambda: AnyDesk(template),
        settings=settings(
            max_examples=40, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
