"""Does mail arrive? A message of our own is sent, looked for where it should arrive, and taken away again.

Only messages are ever deleted whose own header carries a Message-ID that this check has made; whatever a server says that it
has found is read before it is believed.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any, ClassVar
from urllib.parse import quote

from pydantic import ConfigDict, Field

from monitor.checks.contract import DEFAULT_TIMEOUT, Kind, Look, Options, TargetFaultError, Tools
from monitor.checks.mailing.imap_session import (
    Answer,
    ImapServer,
    ImapSession,
    Mailbox,
    imap_session,
    mailbox_text,
    quoted,
)
from monitor.checks.mailing.mail import Address, MailLogin, concealed, curl_line
from monitor.checks.mailing.smtp_session import SmtpServer, smtp_session
from monitor.checks.mailing.swaks import swaks_line, swaks_login
from monitor.checks.options.durations import PositiveDuration
from monitor.checks.options.shell import word
from monitor.checks.options.targets import at_host
from monitor.checks.wire.securing import warned
from monitor.health.words import Service
from monitor.language.refusals import RefusalError
from monitor.observation import EXCERPT_LIMIT, Cause, Measure, Outcome

# No look takes longer than ten minutes, so nobody waits any more for a message that is older than this.
_ABANDONED = timedelta(minutes=15)
# So many late messages are taken away in one look; whatever is left waits for the next.
_CLEARED = 50
_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 5.0
# Left of the look's time to say that the message did not arrive, instead of being cut off while asking once more.
_MARGIN = 0.5
_SECOND = timedelta(seconds=1)
# Between two tries of whoever repeats a look by hand.
_SHELL_PAUSE = timedelta(seconds=2)
# The number stands before everything that a sender may have written, or behind it.
_IDENTITY = re.compile(
    rb"\* [0-9]{1,10} FETCH \((?:[A-Z]+ (?:\([^()]*\)|[0-9]{1,10}) )*UID ([0-9]{1,10})\b|.* UID ([0-9]{1,10})\)$",
    re.IGNORECASE | re.DOTALL,
)
_MESSAGE_ID = re.compile(
    rb"^Message-ID:\s*<(vigia\.([0-9a-f]{16})\.([0-9]{1,12})\.[0-9a-z]{1,32}@[A-Za-z0-9.-]{1,253})>\s*$",
    re.IGNORECASE | re.MULTILINE,
)
_LETTER = """\
This message tells whether mail arrives. It is taken away as soon as it has been found; if you read it, it arrived late.
"""


class Submission(SmtpServer):
    """Where the message is handed in."""

    PORTS: ClassVar[tuple[int, int]] = (587, 465)


class Mailboxes(ImapServer):
    """Where the message should arrive."""

    login: MailLogin = Field(description="Who owns the mailbox.")
    mailbox: Mailbox = Field(default="INBOX", description="The mailbox in which the message should arrive.")
    also: tuple[Mailbox, ...] = Field(
        default=(),
        max_length=3,
        strict=False,
        description="Mailboxes in which it may be found as well, such as Junk; that is a warning.",
    )


class MailflowExpectation(Options):
    """What the delivery is held to."""

    within: PositiveDuration | None = Field(
        default=None, description="Warn when the message takes longer than this to arrive, such as 2m."
    )


class MailflowOptions(Options):
    """What a `mailflow` check takes."""

    model_config = ConfigDict(serialize_by_alias=True)

    smtp: Submission = Field(description="The server that the message is handed to.")
    imap: Mailboxes = Field(description="The server at which it should arrive.")
    sender: Address = Field(alias="from", description="The sender of the message.")
    recipient: Address | None = Field(
        default=None, alias="to", description="The recipient; the sender itself if left out."
    )
    expect: MailflowExpectation = Field(
        default=MailflowExpectation(), description="How soon the message should arrive."
    )

    @property
    def goes_to(self) -> str:
        """The recipient."""
        return self.recipient or self.sender

    @property
    def mark(self) -> str:
        """What the messages of this check have in common: the same way for the same mail gives the same mark."""
        way = (
            self.smtp.place,
            self.sender,
            self.goes_to,
            self.imap.place,
            self.imap.login.user,
            self.imap.mailbox,
        )
        return hashlib.sha256("\n".join(way).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Probe:
    """A message of ours in a mailbox: its number there, its Message-ID, whose mark it carries, and when it was sent."""

    uid: int
    message_id: str
    mark: str
    sent_at: int


def probe_of(response: bytes) -> Probe | None:
    """Return the message that one FETCH response tells of, None when it is none of ours."""
    uid, found = _IDENTITY.match(response), _MESSAGE_ID.search(response)
    if uid is None or found is None:
        return None
    return Probe(int(uid[1] or uid[2]), found[1].decode(), found[2].decode(), int(found[3]))


def message_id_of(mark: str, sender: str, now: datetime) -> str:
    """Return a Message-ID that nobody can guess and that tells whose message it is and when it was sent."""
    return f"vigia.{mark}.{int(now.timestamp())}.{secrets.token_hex(8)}@{sender.rpartition('@')[2]}"


def letter(options: MailflowOptions, message_id: str, now: datetime) -> bytes:
    """Return the message as it travels; no line of it begins with a dot."""
    head = {
        "From": f"<{options.sender}>",
        "To": f"<{options.goes_to}>",
        "Subject": "Vigia: does mail arrive?",
        "Date": format_datetime(now),
        "Message-ID": f"<{message_id}>",
        "Auto-Submitted": "auto-generated",
        "X-Auto-Response-Suppress": "All",
        "X-Vigia-Mailflow": options.mark,
        "MIME-Version": "1.0",
        "Content-Type": "text/plain; charset=us-ascii",
    }
    text = "".join(f"{name}: {value}\n" for name, value in head.items()) + "\n" + _LETTER
    return text.replace("\n", "\r\n").encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sent:
    """A message that a server has taken: what was seen of it, its reply, and when that came."""

    message_id: str
    look: Look
    reply: str
    at: float


@dataclass(frozen=True, slots=True)
class MailflowCheck:
    """A look that sends a message and waits for it."""

    options: MailflowOptions

    @property
    def target(self) -> str:
        return f"{self.options.smtp.place} to {self.options.imap.place}"

    async def look(self, tools: Tools, deadline: float) -> Look:
        options = self.options
        began = time.perf_counter()
        try:
            async with AsyncExitStack() as stack:
                with _telling("IMAP"):
                    boxes = await stack.enter_async_context(imap_session(tools, options.imap, deadline))
                    late = await self._prepare(boxes, tools.now())
                with _telling("SMTP"):
                    sent = await self._send(tools, deadline)
                with _telling("IMAP"):
                    seen = await self._wait(boxes, sent, tools.now(), deadline)
        except TargetFaultError as fault:
            return self._concealed(fault.look)
        measures = (*seen.measures, Measure("late_messages", late))
        phases = dict(seen.phases) | {"total": 1000 * (time.perf_counter() - began)}
        return self._concealed(replace(seen, phases=phases, measures=measures))

    def reproduce(self, look: Look | None = None, timeout: timedelta = DEFAULT_TIMEOUT) -> str:
        del look
        options = self.options
        tries = max(1, round(timeout / _SHELL_PAUSE))
        folder = quote(mailbox_text(options.imap.mailbox))
        search = curl_line(options.imap, f"imap:/{folder}", None, timeout)
        send = f"{swaks_line(options.smtp, None, timeout)} --from {word(options.sender)} --to {word(options.goes_to)}"
        send = " ".join([send, *swaks_login(options.smtp)])
        return (
            f'( id="vigia-$(date +%s)-$$@shell.invalid"; {send} --header "Message-ID: <$id>" && '
            f'for try in $(seq {tries}); do {search} -X "SEARCH HEADER Message-ID $id" | grep -q "SEARCH [0-9]" && exit 0; '
            f"sleep {_SHELL_PAUSE / timedelta(seconds=1):g}; done; exit 1 )  # leaves its message in the mailbox"
        )

    def _concealed(self, look: Look) -> Look:
        options = self.options
        return concealed(concealed(look, options.smtp.login), options.imap.login)

    async def _prepare(self, boxes: ImapSession, now: datetime) -> int:
        """Log in and take away what arrived after nobody waited for it any more; return how many messages that were."""
        options = self.options.imap
        await boxes.log_in(options, options.login)
        await boxes.learn()
        oldest = (now - _ABANDONED).timestamp()
        late = 0
        for mailbox in (options.mailbox, *options.also):
            found = await self._ours(boxes, mailbox, f"vigia.{self.options.mark}.", to_change=True)
            abandoned = [probe.uid for probe in found if probe.sent_at < oldest]
            await self._take_away(boxes, abandoned)
            late += len(abandoned)
        return late

    async def _send(self, tools: Tools, deadline: float) -> _Sent:
        """Hand the message in."""
        options = self.options
        async with smtp_session(tools, options.smtp, deadline) as session:
            if options.smtp.login is not None:
                await session.log_in(options.smtp, options.smtp.login)
            now = tools.now()
            message_id = message_id_of(options.mark, options.sender, now)
            reply = await session.send(options.sender, options.goes_to, letter(options, message_id, now))
            at = time.perf_counter()
            return _Sent(message_id=message_id, look=session.seen(), reply=str(reply), at=at)

    async def _wait(self, boxes: ImapSession, sent: _Sent, now: datetime, deadline: float) -> Look:
        """Return the look at a message that has arrived, or that has not."""
        arrived = await self._arrival(boxes, sent.message_id, deadline - _MARGIN)
        took = timedelta(seconds=time.perf_counter() - sent.at)
        halves = (sent.look.excerpt, boxes.stream.excerpt())
        seen = replace(sent.look, excerpt="\n".join(half[: EXCERPT_LIMIT // 2 - 1] for half in halves))
        if arrived is None:
            found = f"not in {self.options.imap.mailbox[:40]} after {took / _SECOND:.0f} s; taken with: {sent.reply}"
            return replace(seen, outcome=Outcome.DOWN, cause=Cause.TIMEOUT_TOTAL, found=found)
        seen = replace(seen, measures=(Measure("delivery", took / _SECOND, "seconds"),))
        left = await self._left(boxes, *arrived)
        wrong = self._wrong(arrived[0], took, left)
        if wrong is not None:
            return replace(seen, outcome=Outcome.WARN, cause=wrong[0], found=wrong[1])
        return self._with_certificates(seen, boxes.stream.seen().tls_expires_at, now)

    async def _arrival(
        self, boxes: ImapSession, message_id: str, deadline: float
    ) -> tuple[str, Probe] | None:
        """Return where the message is found, None when it is nowhere by the deadline; the first look comes at once."""
        options, loop = self.options.imap, asyncio.get_running_loop()
        pause = _FIRST_PAUSE
        while True:
            for mailbox in (options.mailbox, *options.also):
                for probe in await self._ours(boxes, mailbox, message_id, to_change=False):
                    if probe.message_id == message_id:
                        return mailbox, probe
            left = deadline - loop.time()
            if left <= 0:
                return None
            await asyncio.sleep(min(pause, left))
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _ours(
        self, boxes: ImapSession, mailbox: str, wanted: str, *, to_change: bool
    ) -> tuple[Probe, ...]:
        """Return this check's own messages in a mailbox among those whose Message-ID holds `wanted`.

        The mailbox is open after that, for changes or for reading. One of `also` may not be there yet.
        """
        answer = await boxes.open(mailbox, to_change=to_change)
        if not answer.fine and mailbox in self.options.imap.also:
            return ()
        if not answer.fine:
            raise boxes.stream.fault(Cause.CONTENT, f"the mailbox {mailbox[:40]} cannot be opened: {answer}")
        uids = await boxes.search(f"UNDELETED HEADER Message-ID {quoted(wanted)}")
        if not uids:
            return ()
        told = await boxes.command(
            f"UID FETCH {_set_of(uids[-_CLEARED:])} (UID BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])"
        )
        probes = [probe_of(response) for response in told.data]
        return tuple(probe for probe in probes if probe is not None and probe.mark == self.options.mark)

    async def _take_away(self, boxes: ImapSession, uids: Sequence[int]) -> Answer | None:
        """Delete messages of ours from the open mailbox; return the refusal if there is one.

        Where single messages cannot be expunged (no UIDPLUS), ours stay behind marked as deleted: a plain EXPUNGE would take
        along what somebody else has marked.
        """
        if not uids:
            return None
        answer = await boxes.command(f"UID STORE {_set_of(uids)} +FLAGS.SILENT (\\Deleted)")
        if answer.fine and "UIDPLUS" in boxes.capabilities:
            answer = await boxes.command(f"UID EXPUNGE {_set_of(uids)}")
        return None if answer.fine else answer

    async def _left(self, boxes: ImapSession, mailbox: str, probe: Probe) -> str:
        """Take the message away; return why it could not be, nothing when it is gone."""
        try:
            again = await self._ours(boxes, mailbox, probe.message_id, to_change=True)
            refusal = await self._take_away(
                boxes, [one.uid for one in again if one.message_id == probe.message_id]
            )
        except TargetFaultError as fault:
            return str(fault)
        return "" if refusal is None else str(refusal)

    def _wrong(self, mailbox: str, took: timedelta, left: str) -> tuple[Cause, str] | None:
        """Return what is worth a warning of a message that has arrived."""
        options, seconds = self.options, f"{took / _SECOND:.1f} s"
        if mailbox != options.imap.mailbox:
            return Cause.CONTENT, f"arrived in {mailbox[:40]} after {seconds}"
        if left:
            return Cause.CONTENT, f"arrived after {seconds}, and could not be taken away: {left}"
        within = options.expect.within
        if within is not None and took > within:
            return Cause.SLOW, f"arrived after {seconds}, expected within {within / _SECOND:g} s"
        return None

    def _with_certificates(self, seen: Look, of_mailboxes: datetime | None, now: datetime) -> Look:
        """Judge the ends of both servers' certificates, and keep the one that comes first."""
        told = warned(seen, self.options.smtp.certificate, now)
        told = warned(replace(told, tls_expires_at=of_mailboxes), self.options.imap.certificate, now)
        ends = [end for end in (seen.tls_expires_at, of_mailboxes) if end is not None]
        return replace(told, tls_expires_at=min(ends, default=None))


@contextmanager
def _telling(server: str) -> Iterator[None]:
    """Say of which server a fault is."""
    try:
        yield
    except TargetFaultError as fault:
        fault.look = replace(fault.look, found=f"{server}: {fault.look.found}")
        raise


def _set_of(uids: Sequence[int]) -> str:
    return ",".join(map(str, uids))


def _short(value: object) -> dict[str, Any]:
    raise RefusalError("options.short.mailflow", found=value)


def _complete(options: dict[str, Any], host: str) -> dict[str, Any]:
    """Give both servers the server's own host unless they name another."""
    servers = {key: options.get(key, {}) for key in ("smtp", "imap")}
    return options | {key: at_host(given, host) for key, given in servers.items() if isinstance(given, dict)}


def _service(_options: MailflowOptions) -> Service:
    return Service.MAIL


KIND = Kind(
    name="mailflow",
    options=MailflowOptions,
    build=MailflowCheck,
    complete=_complete,
    short=_short,
    service=_service,
)
