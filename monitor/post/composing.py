"""Compose a letter, so that nothing in it can become a header, and so that mail programs thread it and answer it to nobody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.charset import QP, Charset
from email.header import Header
from email.message import Message
from email.policy import compat32
from email.utils import format_datetime

# RFC 5322 lets a line be 998 long; what many programs keep of a thread is its first letter and its last few.
_MOST_REFERENCES = 20
_UTF8 = Charset("utf-8")
_UTF8.body_encoding = QP


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A letter before it is composed. Identifiers are whole, `<…@…>`; `references` are those before it, oldest first.

    `urgency` is that of X-Priority, 1 the highest and 5 the lowest. An `automatic` one asks machines not to answer it, a
    `confidential` one not to be handed on.
    """

    sender: str
    recipient: str
    subject: str
    body: str
    identity: str
    at: datetime
    name: str = ""
    in_reply_to: str = ""
    references: Sequence[str] = ()
    urgency: int = 3
    automatic: bool = True
    confidential: bool = False


def compose(letter: Letter) -> bytes:
    """Return the letter as it travels, lines ended by CRLF."""
    # Our own lines are folded below; an identifier must stand whole, on the line of its name.
    message = Message(policy=compat32.clone(linesep="\r\n", max_line_length=998))
    message["From"] = _mailbox(letter.name, letter.sender)
    message["To"] = _bare(letter.recipient)
    message["Subject"] = _words(letter.subject, "Subject")
    message["Date"] = format_datetime(letter.at)
    message["Message-ID"] = _bare(letter.identity)
    if letter.in_reply_to:
        message["In-Reply-To"] = _bare(letter.in_reply_to)
    if thread := _thread(letter):
        message["References"] = "\r\n ".join(thread)
    if letter.urgency != 3:
        message["X-Priority"] = str(letter.urgency)
        message["Importance"] = "High" if letter.urgency < 3 else "Low"
    if letter.automatic:
        message["Auto-Submitted"] = "auto-generated"
        message["X-Auto-Response-Suppress"] = "All"
    if letter.confidential:
        message["Sensitivity"] = "Company-Confidential"
    message["MIME-Version"] = "1.0"
    message.set_payload(_printable(letter.body), _UTF8)
    return message.as_bytes()


def one_line(value: str) -> str:
    """Return a text as one line of printable letters."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in value).split())


def _thread(letter: Letter) -> list[str]:
    """Return the identifiers of the thread: the first and the newest ones when it has grown long."""
    every = [*letter.references, letter.in_reply_to]
    known = list(dict.fromkeys(_bare(each) for each in every if each))
    return known if len(known) <= _MOST_REFERENCES else [known[0], *known[1 - _MOST_REFERENCES :]]


def _mailbox(name: str, address: str) -> str:
    shown = one_line(name)
    if not shown:
        return _bare(address)
    if shown.isascii():
        quoted = shown.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{quoted}" <{_bare(address)}>'
    return f"{_words(shown, 'From')}\r\n <{_bare(address)}>"


def _words(value: str, name: str) -> str:
    line = one_line(value)
    # A text that looks like an encoded word would be decoded by whoever reads it.
    charset = "us-ascii" if line.isascii() and "=?" not in line else "utf-8"
    return Header(line, charset, maxlinelen=76, header_name=name).encode(linesep="\r\n")


def _bare(value: str) -> str:
    """An address or an identifier: ASCII without a blank, or it could be more than one."""
    if not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError("an address or identifier of a letter is no single word")
    return value


def _printable(body: str) -> str:
    kept = "".join(
        letter if letter.isprintable() or letter in "\n\t" else "\N{REPLACEMENT CHARACTER}" for letter in body
    )
    return kept.rstrip("\n") + "\n"
