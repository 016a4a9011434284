"""What an SSH server may say of itself, and what it may send before anything is secret."""

from __future__ import annotations

import socket
import struct

from hypothesis import strategies as st
from paramiko.message import Message

from monitor.checks.remote.ssh_banner import NotSshError, parse_banner
from monitor.checks.remote.ssh_session import _Transport
from monitor.checks.remote.ssh_terms import TYPES, Wanted
from tests.fuzz.mutating import mutated
from tests.fuzz.survival import survives

_BANNERS = (
    b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3",
    b"SSH-1.99-Cisco-1.25",
    b"SSH-2.0-dropbear",
    b"SSH-1.5-x y",
)
_WANTED = Wanted(ours="SSH-2.0-Vigia", theirs="SSH-2.0-Peer", types=tuple(TYPES), known=frozenset())


def _packet(payload: bytes) -> bytes:
    padding = 8 - (len(payload) + 5) % 8 + 8
    return struct.pack("!IB", len(payload) + padding + 1, padding) + payload + bytes(padding)


def _offer(exchange: str) -> bytes:
    """Return what a server offers (SSH_MSG_KEXINIT)."""
    offer = Message()
    offer.add_byte(b"\x14")
    offer.add_bytes(bytes(16))
    ciphers, macs = ["aes128-ctr"], ["hmac-sha2-256"]
    for names in (
        [exchange],
        ["ssh-ed25519", "rsa-sha2-512"],
        ciphers,
        ciphers,
        macs,
        macs,
        ["none"],
        ["none"],
        [],
        [],
    ):
        offer.add_list(names)
    offer.add_boolean(False)
    offer.add_int(0)
    return offer.asbytes()


def _reply() -> bytes:
    """Return the server's half of an exchange (SSH_MSG_KEX_ECDH_REPLY), with a key and a signature of nothing."""
    key, signature, reply = Message(), Message(), Message()
    key.add_string("ssh-ed25519")
    key.add_string(bytes(32))
    signature.add_string("ssh-ed25519")
    signature.add_string(bytes(64))
    reply.add_byte(b"\x1f")
    reply.add_string(key.asbytes())
    reply.add_string(b"\x09" + bytes(31))
    reply.add_string(signature.asbytes())
    return reply.asbytes()


_OFFERS = tuple(
    _offer(name) for name in ("curve25519-sha256", "ecdh-sha2-nistp256", "diffie-hellman-group1-sha1")
)


@survives(st.binary(max_size=300) | mutated(_BANNERS))
def test_any_line_is_a_banner_or_is_refused(line: bytes) -> None:
    try:
        banner = parse_banner(line)
    except NotSshError:
        return
    assert banner.line.encode() == line
    assert banner.software


@survives(
    mutated(_OFFERS), mutated((_reply(), b"\x15", b"\x01" + bytes(12), b"\x02" + bytes(8))), st.booleans()
)
def test_whatever_a_server_sends_a_session_ends(offer: bytes, more: bytes, wrapped: bool) -> None:
    """The session is run in this very thread: one that raises would speak to the log from a thread of its own."""
    sent = _packet(offer) + _packet(more) if wrapped else offer + more
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(sent)
        ours.shutdown(socket.SHUT_WR)
        session = _Transport(theirs, _WANTED)
        session.active = True
        session.run()
    assert not session.is_active()
    assert session.host_key is None
