"""Does an IMAP server greet, speak TLS, let somebody log in, and show a mailbox? It changes nothing there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic import Field

from monitor.checks.contract import DEFAULT_TIMEOUT, Kind, Look, TargetFaultError, Tools
from monitor.checks.mailing.imap_session import (
    ImapServer,
    ImapSession,
    Mailbox,
    imap_session,
    mailbox_word,
    messages_of,
)
from monitor.checks.mailing.mail import MailExpectation, curl_line, judged
from monitor.checks.options.shell import word
from monitor.checks.options.targets import at_host, port_or_place
from monitor.health.words import Service
from monitor.observation import Cause, Measure


class ImapOptions(ImapServer):
    """What an `imap` check takes."""

    mailbox: Mailbox = Field(
        default="INBOX", description="The mailbox that must be there and readable after a login."
    )
    expect: MailExpectation = Field(default=MailExpectation(), description="What the look is held to.")


@dataclass(frozen=True, slots=True)
class ImapCheck:
    """A look that talks to an IMAP server and, with a login, opens a mailbox for reading."""

    options: ImapOptions

    @property
    def target(self) -> str:
        return self.options.place

    async def look(self, tools: Tools, deadline: float) -> Look:
        options = self.options
        try:
            async with imap_session(tools, options, deadline) as session:
                seen = session.stream.seen(measures=await self._read(session))
        except TargetFaultError as fault:
            seen = fault.look
        return judged(seen, options, options.expect.within, tools.now())

    def reproduce(self, look: Look | None = None, timeout: timedelta = DEFAULT_TIMEOUT) -> str:
        options = self.options
        asked = "NOOP" if options.login is None else f"EXAMINE {mailbox_word(options.mailbox)}"
        return f"{curl_line(options, 'imap:/', look, timeout)} -v -X {word(asked)}"

    async def _read(self, session: ImapSession) -> tuple[Measure, ...]:
        """Return how many messages the mailbox holds; nothing without a login."""
        options = self.options
        if options.login is None:
            return ()
        await session.log_in(options, options.login)
        answer = await session.open(options.mailbox, to_change=False)
        if not answer.fine:
            raise session.stream.fault(
                Cause.CONTENT, f"the mailbox {options.mailbox[:40]} cannot be read: {answer}"
            )
        count = messages_of(answer.data)
        return () if count is None else (Measure("messages", count),)


def _short(value: object) -> dict[str, Any]:
    return port_or_place(value, "imap", 993)


def _service(_options: ImapOptions) -> Service:
    return Service.MAIL


KIND = Kind(
    name="imap",
    options=ImapOptions,
    build=ImapCheck,
    complete=at_host,
    short=_short,
    service=_service,
    bare=True,
)
