"""How protocols that begin in clear are asked to go on inside TLS: each says what has to be said, up to the handshake.

Nothing is known of the server but that; a kind that speaks one of these protocols in earnest knows more and asks for itself.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Literal
from xml.sax.saxutils import quoteattr

from monitor.checks.databases import mysql_packets
from monitor.checks.options.targets import ascii_host
from monitor.checks.remote import ldap_messages
from monitor.checks.wire.stream import Stream
from monitor.observation import Cause

ProtocolName = Literal["smtp", "imap", "pop3", "ftp", "ldap", "postgresql", "mysql", "xmpp", "sieve"]

PORTS: Mapping[int, ProtocolName] = MappingProxyType(
    {
        21: "ftp",
        25: "smtp",
        110: "pop3",
        143: "imap",
        389: "ldap",
        587: "smtp",
        2525: "smtp",
        3306: "mysql",
        4190: "sieve",
        5222: "xmpp",
        5432: "postgresql",
    }
)
"""The protocols that begin in clear on their well-known ports."""

# A reply that goes on for more lines than this is none.
_LINES_LIMIT = 100
_XMPP_LIMIT = 64 * 1024
_QUOTED = 80
# The name that we greet with tells who asks to whoever reads the server's log, and is nobody's (RFC 2606).
_GREETS_AS = "vigia.invalid"
_REPLY = re.compile(rb"([1-5][0-9]{2})([ -]|$)")
_POSTGRESQL_ASKS = bytes.fromhex("0000000804d2162f")


async def begin(stream: Stream, protocol: ProtocolName, name: str) -> None:
    """Talk in clear until TLS may begin; `name` is the host as the server knows itself. A refusal is a fault at the target."""
    await _GREETINGS[protocol](stream, name)


def reply_of(line: bytes) -> tuple[int, bool]:
    """Return the code of one line of a reply and whether it is the last; what is no such line raises ValueError."""
    found = _REPLY.match(line)
    if found is None:
        raise ValueError(f"no reply: {_shown(line)}")
    return int(found[1]), found[2] != b"-"


async def _smtp(stream: Stream, _name: str) -> None:
    await _expect(stream, 220, "greets with")
    await stream.write(f"EHLO {_GREETS_AS}\r\n".encode())
    await _expect(stream, 250, "refuses EHLO:")
    await stream.write(b"STARTTLS\r\n")
    await _expect(stream, 220, "refuses STARTTLS:")


async def _ftp(stream: Stream, _name: str) -> None:
    await _expect(stream, 220, "greets with")
    await stream.write(b"AUTH TLS\r\n")
    await _expect(stream, 234, "refuses AUTH TLS:")


async def _imap(stream: Stream, _name: str) -> None:
    await _begins(stream, b"* OK", "greets with")
    await stream.write(b"a STARTTLS\r\n")
    await _line_of(stream, (b"A OK",), (b"A ",), "refuses STARTTLS:")


async def _pop3(stream: Stream, _name: str) -> None:
    await _begins(stream, b"+OK", "greets with")
    await stream.write(b"STLS\r\n")
    await _begins(stream, b"+OK", "refuses STLS:")


async def _sieve(stream: Stream, _name: str) -> None:
    await _line_of(stream, (b"OK",), (b"NO", b"BYE"), "greets with")
    await stream.write(b"STARTTLS\r\n")
    await _line_of(stream, (b"OK",), (b"NO", b"BYE"), "refuses STARTTLS:")


async def _ldap(stream: Stream, _name: str) -> None:
    await stream.write(ldap_messages.starttls(1))
    try:
        head = await stream.read_exactly(ldap_messages.HEAD)
        head += await stream.read_exactly(ldap_messages.head_of(head) - len(head))
        message = ldap_messages.read(await stream.read_exactly(ldap_messages.body_of(head)))
    except ldap_messages.NotLdapError as error:
        raise stream.fault(Cause.PROTOCOL, f"speaks no LDAP: {error}") from error
    if message.result is None or message.result.code != ldap_messages.SUCCESS:
        raise stream.fault(Cause.PROTOCOL, f"refuses TLS: {message.result or 'no result'}"[:_QUOTED])


async def _postgresql(stream: Stream, _name: str) -> None:
    await stream.write(_POSTGRESQL_ASKS)
    answer = await stream.read_exactly(1)
    if answer == b"N":
        raise stream.fault(Cause.PROTOCOL, "refuses TLS")
    if answer != b"S":
        raise stream.fault(Cause.PROTOCOL, f"no PostgreSQL: {_shown(answer)}")


async def _mysql(stream: Stream, _name: str) -> None:
    length, sequence = mysql_packets.read_head(await stream.read_exactly(4))
    if length > mysql_packets.GREETING_LIMIT:
        raise stream.fault(Cause.PROTOCOL, "no greeting of MySQL")
    payload = await stream.read_exactly(length)
    try:
        refusal = mysql_packets.read_error(payload)
        offered = refusal is None and mysql_packets.read_greeting(payload).offers_tls
    except mysql_packets.PacketError as error:
        raise stream.fault(Cause.PROTOCOL, str(error)) from error
    if not offered:
        raise stream.fault(Cause.PROTOCOL, f"refuses us: {refusal}" if refusal else "offers no TLS")
    await stream.write(mysql_packets.packet(mysql_packets.ask_for_tls(database=False), sequence + 1))


async def _xmpp(stream: Stream, name: str) -> None:
    opening = (
        "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' "
        f"to={quoteattr(ascii_host(name))} version='1.0'>"
    )
    await stream.write(opening.encode())
    features = await stream.read_until(b"</stream:features>", _XMPP_LIMIT)
    if b"urn:ietf:params:xml:ns:xmpp-tls" not in features:
        raise stream.fault(Cause.PROTOCOL, "offers no TLS")
    await stream.write(b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
    answer = await stream.read_until(b">", _XMPP_LIMIT)
    if not answer.lstrip().startswith(b"<proceed"):
        raise stream.fault(Cause.PROTOCOL, f"refuses TLS: {_shown(answer)}")


async def _expect(stream: Stream, code: int, otherwise: str) -> None:
    """Read a whole reply of SMTP or FTP, which must have this code; its lines between the first and the last may be anything."""
    line = await stream.read_line()
    try:
        found, last = reply_of(line)
    except ValueError as error:
        raise stream.fault(Cause.PROTOCOL, str(error)) from error
    if found != code:
        raise stream.fault(Cause.PROTOCOL, f"{otherwise} {_shown(line)}")
    for _ in range(_LINES_LIMIT):
        if last:
            return
        last = (await stream.read_line()).startswith(b"%d " % code)
    raise stream.fault(Cause.PROTOCOL, f"sent a reply of more than {_LINES_LIMIT} lines")


async def _begins(stream: Stream, wanted: bytes, otherwise: str) -> None:
    """Read one line, which must begin like that."""
    line = await stream.read_line()
    if not line.upper().startswith(wanted):
        raise stream.fault(Cause.PROTOCOL, f"{otherwise} {_shown(line)}")


async def _line_of(
    stream: Stream, wanted: tuple[bytes, ...], unwanted: tuple[bytes, ...], otherwise: str
) -> None:
    """Read lines up to one that begins as wanted; one that begins otherwise than that ends it too."""
    for _ in range(_LINES_LIMIT):
        line = await stream.read_line()
        if line.upper().startswith(wanted):
            return
        if line.upper().startswith(unwanted):
            raise stream.fault(Cause.PROTOCOL, f"{otherwise} {_shown(line)}")
    raise stream.fault(Cause.PROTOCOL, f"sent more than {_LINES_LIMIT} lines")


def _shown(line: bytes) -> str:
    return repr(line[:_QUOTED].decode(errors="replace"))


_GREETINGS: Mapping[ProtocolName, Callable[[Stream, str], Awaitable[None]]] = MappingProxyType(
    {
        "smtp": _smtp,
        "imap": _imap,
        "pop3": _pop3,
        "ftp": _ftp,
        "ldap": _ldap,
        "postgresql": _postgresql,
        "mysql": _mysql,
        "xmpp": _xmpp,
        "sieve": _sieve,
    }
)
