"""A helpdesk behind a webhook as the contract suite meets it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar

from tests.contracts.benches import Ability, Bench, Ground
from tests.servers import helpdesk


class WebhookBench(Bench):
    """A server of our own that keeps keys and references, as the documentation of the webhook asks for."""

    lacks: ClassVar[Mapping[Ability, str]] = {
        Ability.RECORDS: "a webhook is told what happens and tells nothing of itself",
        Ability.CUSTOMERS: "only we open tickets there",
    }

    def __init__(self, ground: Ground) -> None:
        self._server = helpdesk.Helpdesk(ground.tools.now, honours_keys=True)
        self.options: dict[str, Any] = {
            "url": self._server.url,
            "secret": helpdesk.SECRET,
            "search_lag": "10s",
        }

    def close(self) -> None:
        self._server.close()

    def human_closes(self, ticket: str) -> None:
        self._ticket(ticket).status = "closed"

    def human_answers(self, ticket: str, words: str) -> None:
        self._ticket(ticket).status = "answered"
        self._ticket(ticket).messages.append(("answer", words))

    def human_notes(self, ticket: str, words: str) -> None:
        self._ticket(ticket).messages.append(("note", words))

    def human_assigns(self, ticket: str, person: str) -> None:
        self._ticket(ticket).messages.append(("assigned", person))

    def human_deletes(self, ticket: str) -> None:
        self._server.tickets.remove(self._ticket(ticket))

    def human_merges(self, ticket: str, into: str) -> None:
        kept = self._ticket(into)
        kept.messages += self._ticket(ticket).messages
        self.human_deletes(ticket)

    def ages(self, ticket: str, by: timedelta) -> None:
        self._ticket(ticket).listed_at -= by

    def messages(self, ticket: str) -> list[tuple[str, bool, str]]:
        found = self._ticket(ticket)
        return [
            (
                "vigia" if action in helpdesk.OURS else "ana",
                place in found.internal or action == "note",
                words,
            )
            for place, (action, words) in enumerate(found.messages)
        ]

    def lose(self, what: str) -> None:
        # That it drops references shows only once a ticket was made: nothing can be asked about its fields.
        if what != "credentials":
            raise NotImplementedError(what)
        self._server.knows_us = False

    def _ticket(self, ticket: str) -> helpdesk.Ticket:
        return next(each for each in self._server.tickets if str(each.id) == ticket)
