"""TLS for every protocol that libcurl does not speak for us: the whole chain is seen, also of a handshake that fails.

The handshake is completed whatever the certificate is like, nothing is said over it, and only then is the certificate judged.
That is how a refused certificate still tells when it ends and what was wrong with it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Annotated

from cryptography import x509
from OpenSSL import SSL
from OpenSSL.crypto import X509
from pydantic import AfterValidator, Field

from monitor.checks.contract import Look, Options, OwnFaultError, TargetFaultError
from monitor.checks.options.durations import Duration
from monitor.checks.options.targets import REFERENCE, Host, ascii_host, is_address
from monitor.observation import FOUND_LIMIT, Cause, Outcome

# OpenSSL's X509_V_ERR_* numbers: not yet valid, expired.
_EXPIRED = frozenset({9, 10})
_CHUNK = 65536
_VERSIONS = {
    "1.0": SSL.TLS1_VERSION,
    "1.1": SSL.TLS1_1_VERSION,
    "1.2": SSL.TLS1_2_VERSION,
    "1.3": SSL.TLS1_3_VERSION,
}
_WRITTEN = {number: version for version, number in _VERSIONS.items()}
# What reading a certificate raises that OpenSSL itself lets pass.
_UNREADABLE = (ValueError, TypeError, x509.InvalidVersion)
VERSIONS = tuple(_VERSIONS)
"""The versions of TLS, the weakest first."""


def _on_the_wire(name: str) -> str:
    if not REFERENCE.search(name):
        ascii_host(name)
    return name


ServerName = Annotated[Host, AfterValidator(_on_the_wire)]
"""The name of a certificate, which is asked for as it is."""


class Secured(Options):
    """What every check takes whose protocol may run inside TLS."""

    tls_name: ServerName | None = Field(
        default=None,
        description="The name that the certificate must carry and that is asked for (SNI); the host if left out.",
    )
    ca: str | None = Field(
        default=None,
        min_length=1,
        description="A file of CA certificates (PEM) to trust instead of the system's.",
    )
    verify: bool = Field(default=True, description="Whether a bad certificate counts as a fault.")
    certificate: Duration = Field(
        default=timedelta(days=14),
        description="Warn when the certificate ends sooner than this, such as 14d; 0d never.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """Whom a look believes, and as whom it introduces itself.

    `lowest` and `highest` bound the protocol version; without them it is 1.2 and whatever is newest. With `weak` old ciphers are
    offered as well, which only a look that asks how weak a server is may want.
    """

    name: str
    ca: str
    verify: bool = True
    certificate: str | None = None
    key: str | None = None
    lowest: str = "1.2"
    highest: str = "1.3"
    weak: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What the other side showed: its chain as sent, the leaf first, and the version and cipher that were agreed on."""

    chain: tuple[x509.Certificate, ...]
    version: str
    cipher: str

    @property
    def ends_at(self) -> datetime | None:
        """When the leaf ends."""
        return self.chain[0].not_valid_after_utc if self.chain else None

    def __str__(self) -> str:
        """Return the version and cipher, and a line for each certificate, for people to read."""
        told = (
            f"{subject_of(one)}, issued by {issuer_of(one)}, ends {one.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
            for one in self.chain
        )
        return "\n".join((f"TLS {self.version}, {self.cipher}", *told))


class NotTlsError(Exception):
    """What came is no TLS, or the other side will not agree on any; the argument says what OpenSSL made of it."""


def trust_of(options: Secured, host: str, ca_file: str) -> Trust:
    """Return whom a check trusts: its own CA file, else `ca_file`, for the certificate of its name, else of `host`."""
    return Trust(name=options.tls_name or host, ca=options.ca or ca_file, verify=options.verify)


@dataclass(frozen=True, slots=True)
class _Objection:
    """What OpenSSL holds against a certificate, and how many steps from the leaf it stands."""

    code: int
    depth: int
    certificate: X509

    def __str__(self) -> str:
        said = SSL_WORDS.get(self.code, f"is not trusted ({self.code})")
        if self.depth == 0:
            return f"certificate {said}"
        try:
            return f"certificate of the issuer {subject_of(self.certificate.to_cryptography())} {said}"
        except _UNREADABLE:
            return f"certificate of an issuer {said}"


@dataclass(slots=True)
class TlsClient:
    """A TLS connection without a socket: bytes from the wire go in, bytes for the wire come out.

    One that `resumes` another goes on with its session, as a server may ask for that both belong together.
    """

    trust: Trust
    resumes: TlsClient | None = None
    _connection: SSL.Connection = field(init=False)
    _objections: list[_Objection] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        trust = self.trust
        context = _context(replace(trust, name=""), _changed_at(trust.ca, trust.certificate, trust.key))
        self._connection = connection = SSL.Connection(context, None)
        connection.set_app_data(self._objections)
        if not is_address(trust.name):
            connection.set_tlsext_host_name(ascii_host(trust.name).encode())
        session = self.resumes._connection.get_session() if self.resumes is not None else None  # noqa: SLF001 - of our kind
        if session is not None:
            connection.set_session(session)
        connection.set_connect_state()

    def feed(self, data: bytes) -> None:
        """Take bytes from the wire."""
        while data:
            data = data[self._connection.bio_write(data) :]

    def outgoing(self) -> bytes:
        """Return the bytes that are to go onto the wire now."""
        gathered = bytearray()
        while True:
            try:
                gathered += self._connection.bio_read(_CHUNK)
            except SSL.WantReadError:
                return bytes(gathered)

    def shake(self) -> bool:
        """Go on with the handshake; True when it is done, False when more bytes are needed. Raises NotTlsError."""
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            return False
        except SSL.Error as error:
            raise NotTlsError(_words(error)) from error
        return True

    def encrypt(self, data: bytes) -> bytes:
        """Return what `data` becomes on the wire."""
        while data:
            data = data[self._connection.send(data[:_CHUNK]) :]
        return self.outgoing()

    def decrypt(self) -> bytes | None:
        """Return the next bytes in clear, b"" at the end, None when more from the wire is needed. Raises NotTlsError."""
        try:
            return self._connection.recv(_CHUNK)
        except SSL.WantReadError:
            return None
        except (SSL.ZeroReturnError, SSL.SysCallError):
            return b""
        except SSL.Error as error:
            raise NotTlsError(_words(error)) from error

    def farewell(self) -> bytes:
        """Return what tells the other side that we hang up; nothing where there is no handshake to speak of."""
        try:
            self._connection.shutdown()
        except SSL.Error:
            return b""
        return self.outgoing()

    def identity(self) -> Identity:
        """Return what the other side showed. A certificate that cannot be read raises NotTlsError."""
        try:
            chain = self._connection.get_peer_cert_chain(as_cryptography=True) or []
            identity = Identity(
                chain=tuple(chain),
                version=_WRITTEN.get(self._connection.get_protocol_version(), "of another kind"),
                cipher=self._connection.get_cipher_name() or "",
            )
            # OpenSSL takes certificates that the stricter reader only chokes on when it comes to their names.
            str(identity)
        except _UNREADABLE as error:
            raise NotTlsError(f"a certificate that cannot be read: {error}") from error
        return identity

    def fault(self, identity: Identity) -> TargetFaultError | None:
        """Return what is wrong with the certificate, the time before the issuer and the issuer before the name."""
        if not self.trust.verify:
            return None
        if not identity.chain:
            return TargetFaultError(Cause.CERTIFICATE_ISSUER, "showed no certificate")
        if not self._objections:
            return self._name_fault(identity)
        first = min(self._objections, key=lambda objection: objection.code not in _EXPIRED)
        cause = Cause.CERTIFICATE_EXPIRED if first.code in _EXPIRED else Cause.CERTIFICATE_ISSUER
        return TargetFaultError(cause, str(first)[:FOUND_LIMIT], tls_expires_at=identity.ends_at)

    def _name_fault(self, identity: Identity) -> TargetFaultError | None:
        names = names_of(identity.chain[0])
        if covers(names, self.trust.name):
            return None
        made_out = ", ".join(str(name) for name in names[:3]) or "nobody"
        found = f"the certificate is not made out to {self.trust.name}, but to {made_out}"
        return TargetFaultError(Cause.CERTIFICATE_HOST, found[:FOUND_LIMIT], tls_expires_at=identity.ends_at)


Name = str | IPv4Address | IPv6Address


def names_of(leaf: x509.Certificate) -> tuple[Name, ...]:
    """Return the names and addresses that a certificate is made out to; none when they cannot be read."""
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType, *_UNREADABLE):
        return ()
    written = names.get_values_for_type(x509.DNSName)
    addresses = names.get_values_for_type(x509.IPAddress)
    return (*written, *(one for one in addresses if isinstance(one, IPv4Address | IPv6Address)))


def covers(names: tuple[Name, ...], wanted: str) -> bool:
    """Is a certificate that is made out to `names` good for `wanted`?

    An asterisk stands for one whole label, the first, as browsers have it. The rest of what a certificate may say (a common name, an
    address written as a name) counts for nothing and does no harm.
    """
    if is_address(wanted):
        return ip_address(wanted) in names
    host = ascii_host(wanted).lower().removesuffix(".")
    parent = host.partition(".")[2]
    patterns = {name.lower().removesuffix(".") for name in names if isinstance(name, str)}
    return host in patterns or ("." in parent and f"*.{parent}" in patterns)


def subject_of(certificate: x509.Certificate) -> str:
    """Return whose certificate it is, as `CN=...`. What cannot be read raises ValueError."""
    return _readable(lambda: certificate.subject)


def issuer_of(certificate: x509.Certificate) -> str:
    """Return who issued a certificate, as `CN=...`. What cannot be read raises ValueError."""
    return _readable(lambda: certificate.issuer)


def _readable(name: Callable[[], x509.Name]) -> str:
    try:
        return name().rfc4514_string() or "(no name)"
    except TypeError as error:
        # A name whose text is written as bits is none that the library would write itself.
        raise ValueError(str(error)) from error


# What X509_V_ERR_* numbers mean to whoever has to mend it, as the end of a sentence about a certificate.
SSL_WORDS = {
    9: "is not yet valid",
    10: "has expired",
    18: "is self-signed",
    19: "is a root that is not trusted",
    20: "has an unknown issuer: an intermediate is missing, or the root is not trusted",
    21: "cannot be verified: its chain is incomplete",
    23: "is revoked",
    24: "issues others, but is no authority",
    66: "has a key that is too weak",
    67: "has a key that is too weak",
    68: "is signed by a digest that is too weak",
}


def warned(look: Look, warn: timedelta, now: datetime) -> Look:
    """Return a fine look as a warning when its certificate ends sooner than `warn`; any other look as it is."""
    ends = look.tls_expires_at
    if look.outcome is not Outcome.OK or ends is None or ends - now >= warn:
        return look
    return ending(look, Outcome.WARN, ends, now)


def ending(
    look: Look, outcome: Outcome, ends: datetime, now: datetime, whose: str = "the certificate"
) -> Look:
    """Return a look with the verdict that a certificate ends soon, or has ended."""
    days = (ends - now).days
    when = f"ends in {days} days" if ends > now else f"ended {-days - 1} days ago"
    found = f"{whose[:120]} {when}, on {ends:%Y-%m-%d %H:%M} UTC"
    return replace(look, outcome=outcome, cause=Cause.CERTIFICATE_ENDING, found=found)


@lru_cache(maxsize=64)
def _context(trust: Trust, changed: tuple[int, ...]) -> SSL.Context:
    """Return the context of everybody who trusts so: reading the CA certificates costs forty handshakes."""
    del changed
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(_VERSIONS[trust.lowest])
    context.set_max_proto_version(_VERSIONS[trust.highest])
    if trust.weak:
        context.set_cipher_list(b"ALL:@SECLEVEL=0")
    try:
        context.load_verify_locations(trust.ca)
    except SSL.Error as error:
        raise OwnFaultError(Cause.OWN, f"the CA certificates in {trust.ca} cannot be read") from error
    if trust.certificate is not None:
        _introduce(context, trust.certificate, trust.key or trust.certificate)
    context.set_verify(SSL.VERIFY_PEER if trust.verify else SSL.VERIFY_NONE, _note)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    return context


def _introduce(context: SSL.Context, certificate: str, key: str) -> None:
    try:
        context.use_certificate_chain_file(certificate)
        context.use_privatekey_file(key)
        context.check_privatekey()
    except SSL.Error as error:
        raise OwnFaultError(
            Cause.OWN,
            f"the client certificate {certificate} and its key {key} cannot be used: {_words(error)}",
        ) from error


def _note(connection: SSL.Connection, certificate: X509, code: int, depth: int, fine: int) -> bool:
    if not fine:
        connection.get_app_data().append(_Objection(code, depth, certificate))
    return True


def _changed_at(*paths: str | None) -> tuple[int, ...]:
    """Return when files were last written, so that a renewed certificate is read anew."""
    return tuple(_written_at(path) for path in paths if path is not None)


def _written_at(path: str) -> int:
    try:
        return Path(path).stat().st_mtime_ns
    except OSError:
        return 0


def _words(error: SSL.Error) -> str:
    reasons = [reason for *_, reason in (error.args[0] if error.args else []) if reason]
    return ", ".join(reasons) or type(error).__name__
