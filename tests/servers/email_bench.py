"""A helpdesk that is nothing but an address, as the contract suite meets it: people answer out of their mail programs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from secrets import token_hex
from typing import Any, ClassVar

from tests.contracts.benches import Ability, Bench, Ground
from tests.servers.dovecot import PASSWORD, USER, Dovecot
from tests.servers.post_office import post_office

TO = "soporte@nodored.example"
FROM = "vigia@nodored.example"


class KeptDovecot:
    """The mailbox's server, one for all tests of a session."""

    def __init__(self, folder: Path) -> None:
        self.server = Dovecot(None)
        self.server.start()

    def close(self) -> None:
        self.server.stop()


class EmailBench(Bench):
    """A mail server that takes what we send, and a mailbox that holds what people answer."""

    lacks: ClassVar[Mapping[Ability, str]] = {
        Ability.DEEDS: "only what people write to us is told by mail",
        Ability.FIND: "nothing can be looked up by mail",
        Ability.KEYS: "who opens tickets by hand may open two",
        Ability.HTTP: "everything goes by SMTP",
        Ability.MERGE: "what people merge there is not told by mail",
        Ability.CUSTOMERS: "of tickets of others nothing comes to our mailbox",
        Ability.DELETE: "that a ticket is thrown away is not told by mail",
    }

    def __init__(self, ground: Ground, *, acknowledging: bool = False) -> None:
        """With `acknowledging` each opening is answered at once with a tag, as most helpdesks do."""
        self._dovecot = ground.keeper.kept("dovecot", KeptDovecot).server
        self._mailbox = f"b{token_hex(6)}"
        with self._dovecot.client() as client:
            client.create(self._mailbox)
        self._running = post_office()
        self._office = self._running.__enter__()
        if acknowledging:
            self.at_every_letter(self._acknowledge)
        imap = {
            "host": "127.0.0.1",
            "port": self._dovecot.port,
            "user": USER,
            "password": PASSWORD,
            "mailbox": self._mailbox,
        }
        self.options: dict[str, Any] = {
            "to": TO,
            "from": FROM,
            "smtp": {"host": "127.0.0.1", "port": self._office.port},
            "imap": imap,
        }

    def close(self) -> None:
        self._running.__exit__(None, None, None)

    @property
    def sent(self) -> list[EmailMessage]:
        """Every letter that we sent, decoded by the standard library."""
        return [message_from_bytes(raw, policy=default) for raw in self._office.taken]  # type: ignore[misc]

    def at_every_letter(self, does: Callable[[EmailMessage], None]) -> None:
        """Let the helpdesk do something with each letter before its mail server says that it has it."""
        self._office.deliver = lambda raw: does(message_from_bytes(raw, policy=default))  # type: ignore[arg-type]

    def _acknowledge(self, letter: EmailMessage) -> None:
        if letter["References"] is None:
            self.acknowledges(str(letter["Message-ID"]), f"[#{len(self.sent)}]")

    def acknowledges(self, ticket: str, tag: str) -> None:
        """Let the helpdesk say that it has opened a ticket, as machines do."""
        self._comes(ticket, tag, "Recibimos su solicitud.", {"Auto-Submitted": "auto-replied"})

    def returns(self, ticket: str, tag: str) -> None:
        """Let a mail server tell that a letter about a ticket did not arrive, under a number of its own."""
        self._comes(ticket, tag, "Su mensaje no pudo ser entregado.", {"Return-Path": "<>"})

    def human_answers(self, ticket: str, words: str) -> None:
        self._comes(
            ticket, "", f"{words}\n\nEl dom, 22 nov 2026, Vigía escribió:\n> Se confirmó una falla.", {}
        )

    def human_notes(self, ticket: str, words: str) -> None:
        """What is for the department alone is mailed to nobody."""

    def human_assigns(self, ticket: str, person: str) -> None:
        """Who has it is not told by mail."""

    def human_closes(self, ticket: str) -> None:
        """That it is closed is not told by mail."""

    def human_merges(self, ticket: str, into: str) -> None:
        raise NotImplementedError

    def messages(self, ticket: str) -> list[tuple[str, bool, str]]:
        return [
            (str(each["From"]), each["Sensitivity"] == "Company-Confidential", str(each.get_content()))
            for each in self.sent
            if ticket in (each["Message-ID"], *str(each["References"]).split())
        ]

    def ages(self, ticket: str, by: timedelta) -> None:
        raise NotImplementedError

    def lose(self, what: str) -> None:
        if what == "queue":
            self._office.recipients[TO] = "550 5.1.1 no such user"
        else:
            raise NotImplementedError(what)

    def stranger_writes(self, subject: str) -> None:
        """Let a letter come that has nothing to do with us."""
        self._put(
            {
                "Subject": subject,
                "From": "x@elsewhere.example",
                "Message-ID": f"<{token_hex(6)}@elsewhere.example>",
            },
            "hola",
        )

    def unread(self) -> int:
        """Return how many letters nobody has seen yet."""
        with self._dovecot.client() as client:
            client.select(self._mailbox, readonly=True)
            return len(client.search(None, "UNSEEN")[1][0].split())

    def _comes(self, ticket: str, tag: str, words: str, more: dict[str, str]) -> None:
        opening = next(each for each in self.sent if each["Message-ID"] == ticket)
        subject = re.sub(r"^", f"{tag} " if tag else "Re: ", str(opening["Subject"]))
        self._put(
            {
                "From": "Ana <ana@nodored.example>",
                "To": FROM,
                "Subject": subject,
                "Message-ID": f"<{token_hex(6)}@nodored.example>",
                "In-Reply-To": ticket,
                **more,
            },
            words,
        )

    def _put(self, headers: dict[str, str], words: str) -> None:
        letter = EmailMessage()
        for name, value in headers.items():
            letter[name] = value
        letter.set_content(words)
        self._dovecot.put(letter.as_bytes(), self._mailbox)
