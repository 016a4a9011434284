"""The built-in desk as the contract suite meets it, and the people who work at it by its own functions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar

from monitor.actions import desk_deeds
from monitor.actions.desk_asking import Asked, Said, ask, hear
from monitor.actions.desk_deeds import Person
from monitor.store import desk
from tests.contracts.benches import Ability, Bench, Ground

CUSTOMER = "eva@cliente.example"


class DeskBench(Bench):
    """Nothing runs: its tickets lie in the test's own database."""

    lacks: ClassVar[Mapping[Ability, str]] = {Ability.HTTP: "no byte leaves the house"}

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self.options: dict[str, Any] = {}

    def close(self) -> None:
        """Its tickets go with the test's database."""

    def human_closes(self, ticket: str) -> None:
        with self._ground.database.writing() as tx:
            desk_deeds.close(tx, int(ticket), "", self._ana())

    def human_answers(self, ticket: str, words: str) -> None:
        with self._ground.database.writing() as tx:
            desk_deeds.reply(tx, int(ticket), words, self._ana())

    def human_notes(self, ticket: str, words: str) -> None:
        with self._ground.database.writing() as tx:
            desk_deeds.reply(tx, int(ticket), words, self._ana(), internal=True)

    def human_assigns(self, ticket: str, person: str) -> None:
        with self._ground.database.writing() as tx:
            desk_deeds.assign(tx, int(ticket), person, self._ana())

    def human_deletes(self, ticket: str) -> None:
        with self._ground.database.writing() as tx:
            for table in ("desk_messages", "desk_history"):
                tx.execute(f"DELETE FROM {table} WHERE ticket = ?", (int(ticket),))  # noqa: S608 - two constants
            tx.execute("DELETE FROM desk_tickets WHERE id = ?", (int(ticket),))

    def human_merges(self, ticket: str, into: str) -> None:
        with self._ground.database.writing() as tx:
            desk_deeds.merge(tx, int(ticket), int(into), self._ana())

    def customer_opens(self, subject: str, department: str) -> str:
        asked = Asked(requester=CUSTOMER, subject=subject, body="No funciona.", department=department)
        with self._ground.database.writing() as tx:
            return str(ask(tx, asked, self._ground.tools.now()).id)

    def customer_writes(self, ticket: str, words: str) -> None:
        with self._ground.database.writing() as tx:
            said = Said(requester=CUSTOMER, body=words)
            hear(tx, int(ticket), said, self._ground.tools.now(), timedelta(days=14))

    def ages(self, ticket: str, by: timedelta) -> None:
        with self._ground.database.writing() as tx:
            tx.execute(
                "UPDATE desk_tickets SET opened_ms = opened_ms - ? WHERE id = ?",
                (by // timedelta(milliseconds=1), int(ticket)),
            )

    def messages(self, ticket: str) -> list[tuple[str, bool, str]]:
        with self._ground.database.reading() as tx:
            return [(each.author, each.internal, each.body) for each in desk.messages(tx, int(ticket))]

    def _ana(self) -> Person:
        return Person(name="ana", at=self._ground.tools.now())
