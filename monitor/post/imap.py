"""Read what came into a mailbox, on a line with one deadline for the whole visit."""

from __future__ import annotations

import imaplib
import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from monitor.checks.mailing.imap_session import mailbox_word
from monitor.line import Line, LineError
from monitor.post.port import WITHIN, ImapOptions, Outcome, PostError, Security
from monitor.post.securing import context_of

LETTER_LIMIT = 512 * 1024
"""So many bytes of each letter are read; words come before what is attached to them."""
_SAID_LIMIT = 64 * 1024 * 1024
_VALIDITY = re.compile(rb"[0-9]{1,10}")
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_UID = re.compile(rb"\bUID ([0-9]{1,10})\b")


@dataclass(frozen=True, slots=True)
class Place:
    """How far a mailbox was read: every letter up to `uid`, as it counts while `validity` stays the same."""

    validity: int
    uid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """One letter as it lies in a mailbox; of a longer one than `LETTER_LIMIT` bytes its beginning, one byte longer than that."""

    place: Place
    raw: bytes


class Mailbox:
    """A mailbox that is open."""

    def __init__(self, client: imaplib.IMAP4, options: ImapOptions) -> None:
        self._client = client
        self._options = options
        self._validity = self._opened()

    def _opened(self) -> int:
        self._said("SELECT", *self._client.select(mailbox_word(self._options.mailbox)))
        [told, *_] = self._client.response("UIDVALIDITY")[1] or [None]
        if not isinstance(told, bytes) or not _VALIDITY.fullmatch(told):
            raise PostError(Outcome.NOT_SENT, "the mailbox does not say how it counts its letters")
        return int(told)

    def end(self) -> Place:
        """Return the place behind everything that lies there now."""
        return Place(self._validity, max(self._numbers("UID *"), default=0))

    def new(self, since: Place | date, most: int) -> Iterator[Arrived]:
        """Give the letters that came after a place, or on a day or later, oldest first and at most so many.

        If the mailbox counts anew, those are given that nobody has seen: what was settled before is marked.
        """
        if isinstance(since, date):
            found = self._numbers(f"SINCE {since.day}-{_MONTHS[since.month - 1]}-{since.year}")
        elif since.validity != self._validity:
            found = self._numbers("UNSEEN")
        else:
            # `n:*` names the last letter even where that one is older.
            found = [number for number in self._numbers(f"UID {since.uid + 1}:*") if number > since.uid]
        for uid in found[:most]:
            raw = self._letter(uid)
            if raw is not None:
                yield Arrived(place=Place(self._validity, uid), raw=raw)

    def _numbers(self, wanted: str) -> list[int]:
        [found, *_] = self._said("SEARCH", *self._client.uid("SEARCH", wanted))
        return sorted({int(word) for word in (found or b"").split() if word.isdigit() and len(word) <= 10})

    def _letter(self, uid: int) -> bytes | None:
        answer = self._said(
            "FETCH", *self._client.uid("FETCH", str(uid), f"(UID BODY.PEEK[]<0.{LETTER_LIMIT + 1}>)")
        )
        for part in answer:
            if isinstance(part, tuple) and len(part) == 2 and _is_about(uid, part[0], answer):
                return bytes(part[1])[: LETTER_LIMIT + 1]
        # Somebody else took it away meanwhile.
        return None

    def settle(self, handled: list[Place]) -> None:
        """Mark letters as seen, or move them where what is handled lies; that they are read is remembered elsewhere.

        What is done, or refused, leaves the list. What a visit that is cut leaves there is for the next one.
        """
        numbers = ",".join(str(place.uid) for place in handled if place.validity == self._validity)
        try:
            if numbers:
                self._mark(numbers)
        except PostError:
            handled.clear()
            raise
        handled.clear()

    def _mark(self, numbers: str) -> None:
        self._said("STORE", *self._client.uid("STORE", numbers, "+FLAGS.SILENT", r"(\Seen)"))
        if self._options.handled:
            self._move(numbers, mailbox_word(self._options.handled))

    def _move(self, numbers: str, target: str) -> None:
        # What a server offers may only show after signing in.
        [offers, *_] = self._said("CAPABILITY", *self._client.capability())
        offered = (offers or b"").upper().split()
        self._client.create(target)
        if b"MOVE" in offered:
            self._said("MOVE", *self._client.uid("MOVE", numbers, target))
            return
        self._said("COPY", *self._client.uid("COPY", numbers, target))
        self._said("STORE", *self._client.uid("STORE", numbers, "+FLAGS.SILENT", r"(\Deleted)"))
        if b"UIDPLUS" in offered:
            self._said("EXPUNGE", *self._client.uid("EXPUNGE", numbers))

    def _said(self, command: str, status: str, answer: Any) -> list[Any]:
        if status != "OK":
            raise PostError(Outcome.REFUSED, f"the mail server refuses {command}")
        return list(answer)


@contextmanager
def opened(options: ImapOptions, within: timedelta = WITHIN) -> Iterator[Mailbox]:
    """Lend the mailbox, or raise PostError; also what its use runs into is one."""
    line = Line(within, plain=options.security is Security.NONE)
    try:
        with line.limited():
            client = _Client(options, line)
            try:
                _sign_in(client, options)
                yield Mailbox(client, options)
            finally:
                with suppress(imaplib.IMAP4.error, OSError):
                    client.logout()
                # Where the line is cut nobody is left to say goodbye to.
                with suppress(OSError):
                    client.shutdown()
    except LineError as error:
        raise PostError(Outcome.FORBIDDEN if error.forbidden else Outcome.NOT_SENT, error.detail) from error
    except ssl.SSLCertVerificationError as error:
        raise PostError(Outcome.NOT_SENT, "the mail server's certificate is not accepted") from error
    except (imaplib.IMAP4.error, OSError, ValueError) as error:
        words = (
            "the mailbox gave no whole answer in time"
            if line.cut or not line.left()
            else "the mailbox could not be read"
        )
        raise PostError(Outcome.NOT_SENT, words) from error


def _sign_in(client: _Client, options: ImapOptions) -> None:
    if options.security is Security.STARTTLS:
        if "STARTTLS" not in client.capabilities:
            raise PostError(Outcome.FORBIDDEN, "the mail server offers no STARTTLS")
        client.starttls(client.tls)
    if options.password is not None:
        try:
            client.login(options.user, options.password.get_secret_value())
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error:
            # The library quotes what the server said, which may be anything; and its cause would be told with ours.
            raise PostError(
                Outcome.FORBIDDEN, "the mail server does not accept our user and password"
            ) from None


class _Client(imaplib.IMAP4):
    """The library's client over our line, with a limit to what it takes in."""

    def __init__(self, options: ImapOptions, line: Line) -> None:
        self._options = options
        self._line = line
        self._left = _SAID_LIMIT
        self.tls = None if options.security is Security.NONE else context_of(options)
        super().__init__(options.host, options.port)

    def _create_socket(self, timeout: float | None) -> socket.socket:
        del timeout
        connection = self._line.connect(self._options.host, self._options.port)
        if self.tls is None or self._options.security is not Security.TLS:
            return connection
        return self.tls.wrap_socket(connection, server_hostname=self._options.host)

    def read(self, size: int) -> bytes:
        self._count(size)
        return super().read(size)

    def readline(self) -> bytes:
        said = super().readline()
        self._count(len(said))
        return said

    def _count(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise self.abort("the mail server talks without end")


def _is_about(uid: int, head: bytes, answer: list[Any]) -> bool:
    """A server may tell of other letters meanwhile; the number stands before the letter or behind it."""
    said = [head, *(part for part in answer if isinstance(part, bytes))]
    return any(int(found) == uid for part in said for found in _UID.findall(part))
