"""Hand one letter to one recipient's mail server, on a line with one deadline for all of it."""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from monitor.line import Line, LineError
from monitor.post.port import WITHIN, Outcome, PostError, Security, SmtpOptions
from monitor.post.securing import context_of

# So much a server may say in one conversation; a few hundred bytes are usual.
_SAID_LIMIT = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A composed letter for one recipient. An empty `sender` asks for no report of failure, as answers by machines should."""

    sender: str
    recipient: str
    letter: bytes


def send(options: SmtpOptions, envelope: Envelope, within: timedelta = WITHIN) -> None:
    """Return once the server has taken the letter on itself; otherwise raise PostError.

    Until the letter itself goes out nothing can have happened. From its first byte on, only an answer tells.
    """
    with _talking(options, within) as talk:
        talk.carry(envelope)


def offer(options: SmtpOptions, sender: str, recipient: str, within: timedelta = WITHIN) -> None:
    """Return if the server would take a letter for this recipient, and send none; otherwise raise PostError."""
    with _talking(options, within) as talk:
        talk.address(sender, recipient)


@contextmanager
def _talking(options: SmtpOptions, within: timedelta) -> Iterator[_Talk]:
    line = Line(within, plain=options.security is Security.NONE)
    try:
        with line.limited(), closing(_Talk(options, line)) as talk:
            yield talk
    except LineError as error:
        raise PostError(Outcome.FORBIDDEN if error.forbidden else Outcome.NOT_SENT, error.detail) from error
    except (smtplib.SMTPException, OSError, ValueError) as error:
        raise _failure(line, error) from error


class _Talk:
    def __init__(self, options: SmtpOptions, line: Line) -> None:
        self._options = options
        self._line = line
        self._client = _Client(options, line)

    def carry(self, envelope: Envelope) -> None:
        """Hand the letter over."""
        client = self._client
        self.address(envelope.sender, envelope.recipient)
        client.putcmd("data")
        _require(client.getreply(), 354)
        self._line.stood = True
        client.send(_dotted(envelope.letter))
        _require(client.getreply(), 250)
        # Whatever comes now: the letter was taken.
        with suppress(smtplib.SMTPException, OSError):
            client.putcmd("quit")

    def address(self, sender: str, recipient: str) -> None:
        """Come as far as the recipient."""
        client, options = self._client, self._options
        _require(client.connect(options.host, options.port), 220)
        client.ehlo_or_helo_if_needed()
        if options.security is Security.STARTTLS:
            self._secure()
        if options.password is not None:
            self._login(options.password.get_secret_value())
        _require(client.mail(sender), 250)
        _require(client.rcpt(recipient), 250, 251)

    def close(self) -> None:
        """Let the connection go."""
        self._client.close()

    def _secure(self) -> None:
        if not self._client.has_extn("starttls"):
            # Never in clear instead: whoever stands in the way could have left the offer out.
            raise PostError(Outcome.FORBIDDEN, "the mail server offers no STARTTLS")
        _require(self._client.starttls(context=self._client.tls), 220)
        self._client.ehlo_or_helo_if_needed()

    def _login(self, password: str) -> None:
        try:
            self._client.login(self._options.user, password)
        except smtplib.SMTPAuthenticationError as error:
            later = 400 <= error.smtp_code < 500
            raise PostError(
                Outcome.NOT_SENT if later else Outcome.FORBIDDEN,
                f"the mail server answers {error.smtp_code} to our user and password",
            ) from error
        except smtplib.SMTPNotSupportedError as error:
            raise PostError(
                Outcome.FORBIDDEN, "the mail server takes no user and password this way"
            ) from error


class _Client(smtplib.SMTP):
    """The library's client over our line; its own time-outs only count single waits."""

    def __init__(self, options: SmtpOptions, line: Line) -> None:
        self._options = options
        self._line = line
        self.tls = None if options.security is Security.NONE else context_of(options)
        super().__init__(local_hostname="vigia.localhost", timeout=max(line.left(), 0.001))
        # The name that a certificate must be for; the library knows it only where it connects by itself.
        self._host = options.host

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        del timeout
        connection = self._line.connect(host, port)
        if self.tls is None or self._options.security is not Security.TLS:
            return connection
        return self.tls.wrap_socket(connection, server_hostname=host)

    def getreply(self) -> tuple[int, bytes]:
        if self.file is None and self.sock is not None:
            self.file = _Bounded(self.sock.makefile("rb"))
        return super().getreply()


class _Bounded:
    """What a server says, up to a limit: an answer that never ends must not fill our memory."""

    def __init__(self, source: Any) -> None:
        self._source = source
        self._left = _SAID_LIMIT

    def readline(self, limit: int = -1) -> bytes:
        said: bytes = self._source.readline(limit)
        self._left -= len(said)
        if self._left < 0:
            raise OSError("the mail server talks without end")
        return said

    def close(self) -> None:
        self._source.close()


def _require(answer: tuple[int, bytes], *wanted: int) -> None:
    """Raise PostError unless the server gave one of the wanted answers. What it says is no outcome: a number tells."""
    code = answer[0]
    if code in wanted:
        return
    permanent = 500 <= code < 600
    if not permanent and not 400 <= code < 500:
        raise smtplib.SMTPServerDisconnected("no answer of the protocol")
    raise PostError(Outcome.REFUSED if permanent else Outcome.NOT_SENT, f"the mail server answers {code}")


def _dotted(letter: bytes) -> bytes:
    lines = letter.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    kept = lines[:-1] if lines[-1] == b"" else lines
    return b"\r\n".join(b"." + line if line.startswith(b".") else line for line in kept) + b"\r\n.\r\n"


def _failure(line: Line, error: Exception) -> PostError:
    if isinstance(error, ssl.SSLCertVerificationError):
        return PostError(Outcome.NOT_SENT, "the mail server's certificate is not accepted")
    outcome = Outcome.UNCERTAIN if line.stood else Outcome.NOT_SENT
    if line.cut or not line.left():
        return PostError(outcome, "the mail server gave no whole answer in time")
    return PostError(outcome, "the connection to the mail server broke")
