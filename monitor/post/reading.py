"""Understand a letter of somebody else: who wrote what, which thread it belongs to, and whether a machine wrote it.

Whatever the bytes are, this gives a letter, in bounded time and of bounded size.
"""

from __future__ import annotations

import codecs
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.errors import HeaderParseError, MessageError
from email.header import decode_header
from email.message import Message
from email.utils import getaddresses

from monitor.post.html import words_of
from monitor.post.imap import LETTER_LIMIT

TEXT_LIMIT = 64 * 1024
"""So many letters of its words are kept."""
_HEADER_LIMIT = 4000
_MOST_PARTS = 40
_MOST_NESTED = 12
_MOST_DELIMITERS = 4000
_MOST_IDENTITIES = 50
_MOST_ATTACHMENTS = 20
_SMALL = 8 * 1024
_IDENTITY = re.compile(r"<[^<>\s]{1,240}>")
_COPIED = re.compile(r"(?im)^message-id:[ \t]*(?:\r?\n[ \t]+)?(<[^<>\s]{1,240}>)")
# Encodings that are for something else than letters; some take time that grows with the square of the text.
_NO_CHARSETS = frozenset({"idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined", "utf-7"})
_BULK = frozenset({"bulk", "junk", "list"})
_DAEMONS = ("mailer-daemon@", "postmaster@")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """What hangs on a letter: its name, its kind and its size in bytes, of as much as was read."""

    name: str
    kind: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A letter as it is understood. `sender` and `recipients` are bare addresses in lower case.

    `identity` is its Message-ID, or one made of its bytes where it has none. `body` is everything that was written, quotes included.
    `automatic` is what no machine may answer: lists, absences, reports; `by_machine` what says that no person wrote it; `bounce` a report,
    or what comes from nobody. Helpdesks send the words of people as `bulk`, so that the first is not always the second.
    `undelivered` is a report that letters did not arrive, for good, and `returned` are their Message-IDs. `cut` if only its beginning was read.
    """

    identity: str
    sender: str
    name: str
    recipients: tuple[str, ...]
    subject: str
    body: str
    in_reply_to: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    automatic: bool = False
    by_machine: bool = False
    bounce: bool = False
    undelivered: bool = False
    returned: tuple[str, ...] = ()
    cut: bool = False

    @property
    def thread(self) -> tuple[str, ...]:
        """The letters that it answers, the nearest first."""
        return tuple(dict.fromkeys((*self.in_reply_to, *reversed(self.references))))


def read(raw: bytes) -> Received:
    """Return what a letter says; of a longer one than `LETTER_LIMIT` bytes only its beginning."""
    message = _parsed(raw[:LETTER_LIMIT])
    parts = _parts(message)
    from_ = _addresses(message, "From")
    name, sender = from_[0] if from_ else ("", "")
    bounce = _is_bounce(message)
    return Received(
        identity=_identity(message, raw),
        sender=sender,
        name=name,
        recipients=tuple(
            address
            for header in ("Delivered-To", "X-Original-To", "To", "Cc")
            for _, address in _addresses(message, header)
        ),
        subject=_line(_header(message, "Subject"))[:400],
        body=_body(parts),
        in_reply_to=_identities(message, "In-Reply-To"),
        references=_identities(message, "References"),
        attachments=_attachments(parts),
        automatic=bounce or _is_by_machine(message, sender) or _is_bulk(message),
        by_machine=bounce or _is_by_machine(message, sender),
        bounce=bounce,
        undelivered=_is_undelivered(message, sender),
        returned=_returned(message, sender),
        cut=len(raw) > LETTER_LIMIT,
    )


def _parsed(raw: bytes) -> Message:
    """Parse a letter; one of too many parts, or too deep ones, on which the library would spend minutes, is only its headers and a text."""
    lower = raw.lower()
    nested = lower.count(b"boundary") + lower.count(b"message/")
    if nested <= _MOST_NESTED and raw.count(b"\n--") <= _MOST_DELIMITERS:
        try:
            return message_from_bytes(raw)
        except (MessageError, ValueError, LookupError, RecursionError):
            pass
    head, _, body = raw.replace(b"\r\n", b"\n").partition(b"\n\n")
    flat = Message()
    for name, value in re.findall(rb"(?m)^([!-9;-~]{1,76}):[ \t]*(.*(?:\n[ \t].*)*)", head[: 64 * 1024]):
        if name.lower() not in (b"content-type", b"content-transfer-encoding"):
            flat[name.decode("ascii")] = value.decode("utf-8", "replace").replace("\n", " ")
    flat.set_payload(body.decode("utf-8", "replace"))
    return flat


def _parts(message: Message) -> list[Message]:
    found: list[Message] = []
    for part in message.walk():
        if not part.is_multipart():
            found.append(part)
        if len(found) == _MOST_PARTS:
            break
    return found


def _body(parts: list[Message]) -> str:
    shown = [part for part in parts if _is_shown(part)]
    plain = [_text(part) for part in shown if part.get_content_type() == "text/plain"]
    if not any(text.strip() for text in plain):
        plain = [words_of(_text(part)) for part in shown if part.get_content_type() == "text/html"]
    small = [_text(part) for part in parts if _is_small_text(part)]
    told = "\n\n".join(text.strip("\r\n") for text in (*plain, *small) if text.strip())
    return _clean(told)[:TEXT_LIMIT]


def _is_shown(part: Message) -> bool:
    return part.get_content_disposition() != "attachment" and part.get_content_type() in (
        "text/plain",
        "text/html",
    )


def _is_small_text(part: Message) -> bool:
    attached = part.get_content_disposition() == "attachment"
    return attached and part.get_content_type() == "text/plain" and len(_bytes(part)) <= _SMALL


def _attachments(parts: list[Message]) -> tuple[Attachment, ...]:
    found = (
        Attachment(name=_filename(part), kind=_line(part.get_content_type())[:100], size=len(_bytes(part)))
        for part in parts
        if not _is_shown(part)
    )
    return tuple(each for _, each in zip(range(_MOST_ATTACHMENTS), found, strict=False))


def _filename(part: Message) -> str:
    try:
        name = part.get_filename() or ""
    except (ValueError, LookupError, TypeError, MessageError):
        name = ""
    return _line(_decoded(name))[:120]


def _bytes(part: Message) -> bytes:
    try:
        payload = part.get_payload(decode=True)
    except (ValueError, LookupError, MessageError):
        payload = b""
    return payload if isinstance(payload, bytes) else b""


def _text(part: Message) -> str:
    try:
        charset = part.get_content_charset() or ""
    except (ValueError, LookupError, TypeError, MessageError):
        charset = ""
    return _guessed(_bytes(part), charset)


def _guessed(content: bytes, charset: str) -> str:
    """Decode by what is claimed if that fits, else by what Spanish letters most often are."""
    for each in (_charset(charset), "utf-8", "windows-1252"):
        if each:
            try:
                return content.decode(each)
            except (UnicodeError, LookupError, ValueError):
                continue
    return content.decode("latin-1")


def _charset(claimed: str) -> str:
    try:
        name = codecs.lookup(claimed[:40]).name
    except (LookupError, ValueError, UnicodeError):
        return ""
    return "" if name in _NO_CHARSETS else name


def _header(message: Message, name: str) -> str:
    return _decoded(next(iter(_values(message, name)), "")[:_HEADER_LIMIT])


def _values(message: Message, name: str) -> list[str]:
    """Return every value of a header as it travelled; the library would throw raw letters beyond ASCII away."""
    wanted = name.lower()
    return [str(value) for each, value in message.raw_items() if each.lower() == wanted]


def _decoded(value: str) -> str:
    """Return a header's words: encoded ones decoded, raw ones guessed as those of a body."""
    try:
        pieces = decode_header(_guessed(value.encode("utf-8", "surrogateescape"), ""))
    except (HeaderParseError, ValueError, LookupError):
        pieces = [(value, None)]
    return "".join(
        piece if isinstance(piece, str) else _guessed(piece, charset or "ascii") for piece, charset in pieces
    )


def _addresses(message: Message, name: str) -> list[tuple[str, str]]:
    values = [value[:_HEADER_LIMIT] for value in _values(message, name)[:10]]
    found: list[tuple[str, str]] = []
    try:
        pairs = getaddresses(values)
    except RecursionError:
        # Comments in comments, a thousand deep: whoever writes that is nobody.
        pairs = []
    for shown, address in pairs:
        local, at, domain = _line(_clean(address)).lower().rpartition("@")
        if at and local and domain and " " not in address and len(address) <= 320:
            found.append((_line(_decoded(shown))[:120], f"{local}@{domain}"))
    return found


def _identity(message: Message, raw: bytes) -> str:
    own = _identities(message, "Message-ID")
    return own[0] if own else f"<{hashlib.sha256(raw[:LETTER_LIMIT]).hexdigest()[:40]}@without.message-id>"


def _identities(message: Message, name: str) -> tuple[str, ...]:
    # A thread that goes on for years names hundreds; the first and the last matter.
    value = _clean(" ".join(each[-_HEADER_LIMIT * 4 :] for each in _values(message, name)[:3]))
    return tuple(dict.fromkeys(_IDENTITY.findall(value)))[-_MOST_IDENTITIES:]


def _is_bounce(message: Message) -> bool:
    returned = [value.strip() for value in _values(message, "Return-Path")]
    return message.get_content_type() == "multipart/report" or returned[:1] == ["<>"]


def _is_undelivered(message: Message, sender: str) -> bool:
    """Does it say that a letter did not arrive, and will not? That one is late, or was read, is something else."""
    if message.get_content_type() == "multipart/report":
        reports = (part for part in message.walk() if part.get_content_type() == "message/delivery-status")
        return any(_is_failed(block) for part in reports for block in _blocks(part))
    return "X-Failed-Recipients" in message or sender.startswith(_DAEMONS)


def _is_failed(block: Message) -> bool:
    return _header(block, "Action").split("(")[0].strip().lower() == "failed"


def _blocks(part: Message) -> list[Message]:
    payload = part.get_payload()
    return [each for each in payload if isinstance(each, Message)] if isinstance(payload, list) else []


def _returned(message: Message, sender: str) -> tuple[str, ...]:
    """Return the Message-IDs of the letters that a report gives back: whole, as their headers, or copied into its words."""
    found: list[str] = []
    for part, _ in zip(message.walk(), range(_MOST_PARTS), strict=False):
        kind = part.get_content_type()
        if kind == "message/rfc822":
            found += (each for block in _blocks(part)[:1] for each in _identities(block, "Message-ID"))
        elif kind == "text/rfc822-headers" or (kind == "text/plain" and sender.startswith(_DAEMONS)):
            found += _COPIED.findall(_text(part)[:TEXT_LIMIT])
    return tuple(dict.fromkeys(found))[:_MOST_IDENTITIES]


def _is_by_machine(message: Message, sender: str) -> bool:
    submitted = _header(message, "Auto-Submitted").split(";")[0].strip().lower()
    return (
        submitted not in ("", "no")
        or any(name in message for name in ("X-Autoreply", "X-Autorespond"))
        or _header(message, "Precedence").strip().lower() == "auto_reply"
        or sender.startswith(_DAEMONS)
        or not sender
    )


def _is_bulk(message: Message) -> bool:
    many = any(name in message for name in ("List-Id", "List-Unsubscribe"))
    return many or _header(message, "Precedence").strip().lower() in _BULK


def _clean(value: str) -> str:
    """Return a text that can be stored and shown: whole characters, no control characters but line ends and tabs."""
    whole = value.encode("utf-8", "replace").decode().replace("\r\n", "\n").replace("\r", "\n")
    return "".join(_kept(whole))


def _kept(value: str) -> Iterator[str]:
    for letter in value:
        if letter.isprintable() or letter in "\n\t":
            yield letter
        elif letter in "\u00a0\u2028\u2029\x0b\x0c":
            yield " "


def _line(value: str) -> str:
    return " ".join(_clean(value).split())
