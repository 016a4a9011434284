"""The built-in desk as the contract suite meets it, and the people who work at it by its own functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar

from monitor.actions import desk
from monitor.actions.append import append
from monitor.journal.entries import Entry
from monitor.store import desk as stored
from monitor.store.database import Transaction
from monitor.store.desk import NewMessage
from tests.contracts.benches import Ability, Bench, Ground


class DeskBench(Bench):
    """Nothing runs: its tickets lie in the test's own database."""

    lacks: ClassVar[Mapping[Ability, str]] = {
        Ability.HTTP: "no byte leaves the house",
        Ability.RECORDS: "the desk tells of its own tickets by its own commands",
        Ability.MERGE: "the desk has one ticket a reference",
        Ability.CUSTOMERS: "only we open tickets there",
    }

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self.options: dict[str, Any] = {}

    def close(self) -> None:
        """Its tickets go with the test's database."""

    def human_closes(self, ticket: str) -> None:
        with self._ground.database.writing() as tx:
            desk.close(tx, self._append, int(ticket), self._message("close", ""))

    def human_answers(self, ticket: str, words: str) -> None:
        with self._ground.database.writing() as tx:
            desk.reply(tx, self._append, int(ticket), self._message("reply", words))

    def human_notes(self, ticket: str, words: str) -> None:
        with self._ground.database.writing() as tx:
            desk.reply(tx, self._append, int(ticket), self._message("reply", words, internal=True))

    def human_assigns(self, ticket: str, person: str) -> None:
        with self._ground.database.writing() as tx:
            stored.assign(tx, int(ticket), person)

    def human_deletes(self, ticket: str) -> None:
        with self._ground.database.writing() as tx:
            tx.execute("DELETE FROM desk_messages WHERE ticket = ?", (int(ticket),))
            tx.execute("DELETE FROM desk_tickets WHERE id = ?", (int(ticket),))

    def ages(self, ticket: str, by: timedelta) -> None:
        with self._ground.database.writing() as tx:
            tx.execute(
                "UPDATE desk_tickets SET opened_ms = opened_ms - ? WHERE id = ?",
                (by // timedelta(milliseconds=1), int(ticket)),
            )

    def messages(self, ticket: str) -> list[tuple[str, bool, str]]:
        with self._ground.database.reading() as tx:
            return [(each.author, each.internal, each.body) for each in stored.messages(tx, int(ticket))]

    def _append(self, tx: Transaction, entries: Sequence[Entry]) -> object:
        return append(tx, entries, self._ground.tools.now())

    def _message(self, action: str, words: str, *, internal: bool = False) -> NewMessage:
        return NewMessage(
            author="ana", body=words, at=self._ground.tools.now(), action=action, internal=internal
        )
