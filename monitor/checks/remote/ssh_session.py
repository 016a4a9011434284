"""One SSH session through paramiko: as much of it as a look needs, and held to what a look may take.

paramiko is imported here alone, so that an installation without it can do everything else.
"""

from __future__ import annotations

import contextlib
import logging
import socket
from functools import partial
from hashlib import sha1
from typing import Any, ClassVar

import paramiko
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from paramiko.kex_group14 import KexGroup14SHA256
from paramiko.message import Message
from paramiko.packet import Packetizer
from paramiko.pkey import UnknownKeyType
from paramiko.ssh_exception import IncompatiblePeer

from monitor.checks.contract import OwnFaultError
from monitor.checks.remote.ssh_terms import (
    TYPES,
    Credentials,
    DisagreementError,
    EndedError,
    HostKey,
    RefusedLoginError,
    SessionError,
    Wanted,
)
from monitor.observation import Cause

# What it has to say is said by the look.
logging.getLogger("paramiko").setLevel(logging.CRITICAL + 1)

# RFC 4253 asks for 35,000 bytes. A number that fills a longer packet would be read for seconds.
_PACKET_LIMIT = 40_000
# The stream ends a session that takes too long; until then paramiko is to wait.
_NEVER = 24 * 3600.0
# Threads of a session whose socket has ended look around ten times a second.
_FAREWELL = 1.0
_QUOTED = 120

_OAKLEY_2 = (
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD"
    "EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED"
    "EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE65381FFFFFFFFFFFFFFFF"
)


def converse(lent: socket.socket, wanted: Wanted) -> HostKey:
    """Exchange keys over a socket on which the banners were exchanged already, log in if that is wanted, and end.

    Raises SessionError for whatever the server does wrong, and OwnFaultError for a key of ours that cannot be used.
    """
    ours = None if wanted.login is None else _private_key(wanted.login)
    transport = _Transport(lent, wanted)
    try:
        shown = _exchanged(transport)
        if wanted.login is not None and (not wanted.known or shown.fingerprint in wanted.known):
            _logged_in(transport, wanted.login, ours)
        return shown
    finally:
        # Closing the socket under a thread that reads from it might let it read from another one of the same number.
        with contextlib.suppress(OSError):
            lent.shutdown(socket.SHUT_RDWR)
        if transport.is_alive():
            transport.join(_FAREWELL)


def _exchanged(transport: _Transport) -> HostKey:
    try:
        transport.start_client()
        key = transport.get_remote_server_key()
        return HostKey(key.get_name(), key.fingerprint, transport.offered)
    except IncompatiblePeer as error:
        offered = ", ".join(sorted(transport.offered))[:_QUOTED] or "nothing that is known"
        reason = str(error).partition("(")[2].rstrip(")") or str(error)
        raise DisagreementError(f"{reason}; its host keys: {offered}") from error
    except Exception as error:
        raise _ended(transport, error, "the exchange of keys") from error


def _logged_in(transport: _Transport, login: Credentials, key: paramiko.PKey | None) -> None:
    try:
        if key is not None:
            missing = transport.auth_publickey(login.user, key)
        else:
            missing = transport.auth_password(login.user, login.password or "")
    except paramiko.BadAuthenticationType as error:
        allowed = ", ".join(error.allowed_types)
        raise RefusedLoginError(f"it takes only {allowed}") from error
    except paramiko.AuthenticationException as error:
        if not transport.is_active():
            raise _ended(transport, error, "the login") from error
        raise RefusedLoginError("its credentials are not accepted") from error
    except Exception as error:
        raise _ended(transport, error, "the login") from error
    if missing:
        raise RefusedLoginError(f"after it the server wants {', '.join(missing)}")


def _ended(transport: _Transport, error: Exception, during: str) -> SessionError:
    """Return what it means that a session broke: whatever was raised, it was raised over what the server sent."""
    if transport.farewell:
        return EndedError(f"hung up during {during}: {transport.farewell}")
    if isinstance(error, EOFError) or during == "the login":
        return EndedError(f"hung up during {during}")
    return SessionError(f"broke off {during}: {str(error) or type(error).__name__}")


def _private_key(login: Credentials) -> paramiko.PKey | None:
    if login.key is None:
        return None
    passphrase: Any = None if login.passphrase is None else login.passphrase.encode()
    try:
        return paramiko.PKey.from_path(login.key, passphrase)
    except OSError as error:
        cause = Cause.RIGHTS if isinstance(error, PermissionError) else Cause.OWN
        raise OwnFaultError(cause, f"the key {login.key} cannot be read: {error.strerror}") from error
    except (
        ValueError,
        TypeError,
        UnsupportedAlgorithm,
        paramiko.SSHException,
        UnknownKeyType,
    ) as error:
        found = f"the key {login.key} cannot be used: it is no private key, or its passphrase is another"
        raise OwnFaultError(Cause.OWN, found) from error


class _Packets(Packetizer):
    """Packets of a peer that may be hostile, after banners that were exchanged already."""

    def __init__(self, lent: socket.socket, wanted: Wanted) -> None:
        super().__init__(lent)
        self._said = f"{wanted.ours}\r\n".encode()
        self._theirs = wanted.theirs

    def start_handshake(self, timeout: float) -> None:
        """Start no timer: its thread would outlive the look."""

    def readline(self, timeout: float) -> str:  # noqa: ARG002 - paramiko's own
        return self._theirs

    def write_all(self, out: Any) -> None:
        if out == self._said:
            self._said = b""
            return
        super().write_all(out)

    def read_all(self, n: int, check_rekey: bool = False) -> bytes:  # noqa: FBT001, FBT002 - paramiko's own
        if n > _PACKET_LIMIT:
            raise paramiko.SSHException(f"a packet of {n} bytes")
        try:
            return super().read_all(n, check_rekey)
        except Exception:
            raise
        except BaseException as error:
            # What ends a library that reads on where nothing is any more would end this thread without a word to the other.
            raise EOFError from error


# An RSA key that may sign as servers did before 2016.
_OldRsaKey = type(
    "_OldRsaKey", (paramiko.RSAKey,), {"HASHES": {**paramiko.RSAKey.HASHES, "ssh-rsa": hashes.SHA1}}
)


class _KexGroup14Sha1(KexGroup14SHA256):
    """The exchange that every SSH server had to speak for ten years."""

    name = "diffie-hellman-group14-sha1"
    hash_algo = sha1


class _KexGroup1Sha1(_KexGroup14Sha1):
    """The exchange before that, which some devices still speak alone."""

    name = "diffie-hellman-group1-sha1"
    P = int(_OAKLEY_2, 16)


# What a session may use stands in tables of paramiko's own.
_TABLES = vars(paramiko.Transport)


class _Transport(paramiko.Transport):
    """A session of the client's side. Old servers are spoken to as well, for it is not ours to say what is too old.

    Groups of the server's own choosing are not: calculating in a large one stands everything else still.
    """

    _key_info: ClassVar[dict[str, Any]] = {**_TABLES["_key_info"], "ssh-rsa": _OldRsaKey}
    _kex_info: ClassVar[dict[str, Any]] = {
        **_TABLES["_kex_info"],
        "curve25519-sha256": _TABLES["_kex_info"]["curve25519-sha256@libssh.org"],
        "diffie-hellman-group14-sha1": _KexGroup14Sha1,
        "diffie-hellman-group1-sha1": _KexGroup1Sha1,
    }
    _preferred_kex = (
        "curve25519-sha256",
        "curve25519-sha256@libssh.org",
        "ecdh-sha2-nistp256",
        "ecdh-sha2-nistp384",
        "ecdh-sha2-nistp521",
        "mlkem768x25519-sha256",
        "diffie-hellman-group14-sha256",
        "diffie-hellman-group16-sha512",
        "diffie-hellman-group14-sha1",
        "diffie-hellman-group1-sha1",
    )

    def __init__(self, lent: socket.socket, wanted: Wanted) -> None:
        packets: Any = partial(_Packets, wanted=wanted)
        super().__init__(lent, packetizer_class=packets)
        self.local_version = wanted.ours
        self.auth_timeout = self.clear_to_send_timeout = _NEVER
        self.offered: frozenset[str] = frozenset()
        self.farewell = ""
        self._wanted_keys = tuple(way for name in wanted.types for way in TYPES[name])

    @property
    def preferred_keys(self) -> tuple[str, ...]:
        return self._wanted_keys

    @property
    def preferred_kex(self) -> tuple[str, ...]:
        return tuple(name for name in self._preferred_kex if name in self._kex_info)

    def _really_parse_kex_init(self, m: Message, ignore_first_byte: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002 - paramiko's own
        parent: Any = super()
        parsed: dict[str, Any] = parent._really_parse_kex_init(m, ignore_first_byte)  # noqa: SLF001 - see above
        theirs = parsed["server_key_algo_list"]
        known = {way: name for name, ways in TYPES.items() for way in ways}
        self.offered = frozenset(known.get(way, way) for way in theirs if "-cert-" not in way)
        return parsed

    def _parse_disconnect(self, m: Message) -> None:
        m.get_int()
        self.farewell = m.get_text()[:_QUOTED]
