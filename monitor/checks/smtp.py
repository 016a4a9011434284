"""Does a mail server greet, speak TLS, let somebody log in, and take the mail that it should and no other? It sends none."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic import ConfigDict, Field

from monitor.checks.browsing.expectations import Texts
from monitor.checks.contract import DEFAULT_TIMEOUT, Kind, Look, TargetFaultError, Tools
from monitor.checks.mailing.mail import Address, MailExpectation, curl_line, judged
from monitor.checks.mailing.smtp_session import SmtpServer, SmtpSession, smtp_session
from monitor.checks.mailing.swaks import swaks_line, swaks_login
from monitor.checks.options.shell import word
from monitor.checks.options.targets import at_host, port_or_place
from monitor.health.words import Service
from monitor.observation import Cause, Outcome

# Whoever postpones a stranger's first mail works as it should, although no mail goes through just now.
_POSTPONED = frozenset({450, 451})


class SmtpExpectation(MailExpectation):
    """What a server that takes mail is held to."""

    greeting: Texts = Field(default=(), description="A text, or several, that the greeting must hold.")


class SmtpOptions(SmtpServer):
    """What an `smtp` check takes."""

    model_config = ConfigDict(serialize_by_alias=True)

    sender: Address | None = Field(
        default=None,
        alias="from",
        description="A sender that must be accepted; with `to` alone it is the empty one.",
    )
    recipient: Address | None = Field(
        default=None, alias="to", description="A recipient that must be accepted; no mail is sent."
    )
    refuses: Address | None = Field(
        default=None,
        description="An address elsewhere for which a stranger's mail must be refused: an open relay takes it.",
    )
    expect: SmtpExpectation = Field(default=SmtpExpectation(), description="What the look is held to.")


@dataclass(frozen=True, slots=True)
class SmtpCheck:
    """A look that talks to a mail server up to the point where a message would begin."""

    options: SmtpOptions

    @property
    def target(self) -> str:
        return self.options.place

    async def look(self, tools: Tools, deadline: float) -> Look:
        options = self.options
        try:
            async with smtp_session(tools, options, deadline) as session:
                seen = await self._talk(session)
        except TargetFaultError as fault:
            seen = fault.look
        return judged(seen, options, options.expect.within, tools.now())

    def reproduce(self, look: Look | None = None, timeout: timedelta = DEFAULT_TIMEOUT) -> str:
        options = self.options
        lines = [f"{curl_line(options, f'smtp:/{options.greets_as}', look, timeout)} -v -X NOOP"]
        if options.refuses is not None:
            lines.append(f"! {self._envelope(options.refuses, look, timeout)}")
        if self._has_envelope:
            sign_in = swaks_login(options)
            lines.append(" ".join([self._envelope(options.recipient, look, timeout), *sign_in]))
        return " && ".join(lines)

    @property
    def _has_envelope(self) -> bool:
        return self.options.sender is not None or self.options.recipient is not None

    def _envelope(self, recipient: str | None, look: Look | None, timeout: timedelta) -> str:
        """Return the line that offers an envelope and no message, which curl cannot."""
        sender = word(self.options.sender or "<>")
        last = (
            f"--to {word(recipient)} --quit-after RCPT" if recipient else "--to x@localhost --quit-after MAIL"
        )
        return f"{swaks_line(self.options, look, timeout)} --from {sender} {last}"

    async def _talk(self, session: SmtpSession) -> Look:
        """Return what the server takes and refuses, the worst first."""
        options, stream = self.options, session.stream
        for wanted in options.expect.greeting:
            if wanted not in session.greeting:
                raise stream.fault(Cause.CONTENT, f"the greeting lacks {wanted[:80]!r}")
        if options.refuses is not None:
            await self._must_refuse(session, options.refuses)
        if options.login is not None:
            await session.log_in(options, options.login)
        postponed = await self._must_take(session)
        if postponed:
            return stream.seen(Outcome.WARN, Cause.STATUS, postponed)
        return session.seen()

    async def _must_refuse(self, session: SmtpSession, stranger: str) -> None:
        options = self.options
        sender = await session.ask(f"MAIL FROM:<{options.sender or ''}>")
        if not sender.fine:
            return
        reply = await session.ask(f"RCPT TO:<{stranger}>")
        if reply.fine:
            raise session.stream.fault(
                Cause.CONTENT, f"an open relay: takes mail for {stranger} from strangers: {reply}"
            )
        if options.login is not None or self._has_envelope:
            await session.demand("RSET", "refused to begin anew")

    async def _must_take(self, session: SmtpSession) -> str:
        """Offer the envelope and take it back; return what was postponed, nothing when all was accepted."""
        options = self.options
        if not self._has_envelope:
            return ""
        await session.demand(f"MAIL FROM:<{options.sender or ''}>", "refused the sender")
        if options.recipient is not None:
            reply = await session.ask(f"RCPT TO:<{options.recipient}>")
            if reply.code in _POSTPONED:
                return f"postpones mail for {options.recipient}: {reply}"
            if not reply.fine:
                raise session.stream.fault(Cause.STATUS, f"refused the recipient: {reply}")
        await session.demand("RSET", "refused to begin anew")
        return ""


def _short(value: object) -> dict[str, Any]:
    return port_or_place(value, "smtp", 587)


def _service(_options: SmtpOptions) -> Service:
    return Service.MAIL


KIND = Kind(
    name="smtp",
    options=SmtpOptions,
    build=SmtpCheck,
    complete=at_host,
    short=_short,
    service=_service,
    bare=True,
)
