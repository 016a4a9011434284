"""Is an SSH server there, is it still the same one, and does it let us in?"""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from monitor.checks.browsing.expectations import Texts
from monitor.checks.contract import DEFAULT_TIMEOUT, Family, Kind, Look, Options, TargetFaultError, Tools
from monitor.checks.options.durations import PositiveDuration
from monitor.checks.options.shell import joined, word
from monitor.checks.options.targets import (
    REFERENCE,
    FamilyName,
    Host,
    OneLine,
    Port,
    at_host,
    bracketed,
    port_or_place,
)
from monitor.checks.remote.ssh_banner import (
    FINGERPRINT,
    LINES_LIMIT,
    Banner,
    NotSshError,
    is_banner,
    parse_banner,
)
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
from monitor.checks.wire.lending import lend
from monitor.checks.wire.pace import slowed
from monitor.checks.wire.stream import Place, Stream, open_stream
from monitor.health.words import Service
from monitor.language.refusals import RefusalError
from monitor.observation import Cause

_OURS = "SSH-2.0-Vigia"
_KEY, _TYPE = "host_key", "type"
_MS = 1000


def _fingerprints(value: object) -> tuple[str, ...]:
    given = value if isinstance(value, list | tuple) else [value]
    wrong = [one for one in given if not isinstance(one, str) or not _is_fingerprint(one)]
    if wrong:
        raise RefusalError("options.ssh.fingerprint", found=wrong[0])
    return tuple(given)


def _is_fingerprint(text: str) -> bool:
    return bool(FINGERPRINT.fullmatch(text) or REFERENCE.search(text))


_FINGERPRINT_SCHEMA = {"type": "string", "minLength": 1}
Fingerprints = Annotated[
    tuple[str, ...],
    BeforeValidator(_fingerprints),
    WithJsonSchema({"anyOf": [_FINGERPRINT_SCHEMA, {"type": "array", "items": _FINGERPRINT_SCHEMA}]}),
]
Word = Annotated[OneLine, Field(min_length=1)]


class SshLogin(Options):
    """Who logs in: by key or by password."""

    user: Word = Field(description="The name of the user.")
    key: Word | None = Field(
        default=None, description="The path of a private key, such as `/etc/vigia/probe_ed25519`."
    )
    passphrase: Word | None = Field(
        default=None, description="What opens the key if it is locked, as a reference."
    )
    password: Word | None = Field(default=None, description="The password, as a reference.")

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        if (self.key is None) == (self.password is None):
            raise RefusalError("options.ssh.way")
        if self.passphrase is not None and self.key is None:
            raise RefusalError("options.ssh.passphrase")
        return self


class SshExpectation(Options):
    """What the server is held to."""

    contains: Texts = Field(
        default=(), description="A text, or several, that the banner must hold, such as OpenSSH_9."
    )
    within: PositiveDuration | None = Field(
        default=None, description="Warn when the whole look takes longer than this, such as 2s."
    )


class SshOptions(Options):
    """What an `ssh` check takes."""

    host: Host = Field(description="The name or address to connect to; the server's host if left out.")
    port: Port = Field(default=22, description="The port.")
    host_key: Fingerprints = Field(
        default=(),
        description="The fingerprint of the server's key (SHA256:...), or several; if left out, the key that is seen first.",
    )
    login: SshLogin | None = Field(default=None, description="Who logs in; nobody if left out.")
    expect: SshExpectation = Field(
        default=SshExpectation(), description="What the banner must hold, and how long a look may take."
    )
    family: FamilyName = Field(default="any", description="Which addresses to use: any, ipv4 or ipv6.")


@dataclass(frozen=True, slots=True)
class SshCheck:
    """A look that reads the banner, exchanges keys, judges the server's key, and logs in if it is told to."""

    options: SshOptions

    @property
    def target(self) -> str:
        return f"{bracketed(self.options.host)}:{self.options.port}"

    async def look(self, tools: Tools, deadline: float) -> Look:
        known = frozenset(self.options.host_key) or frozenset(filter(None, [tools.memory.get(_KEY)]))
        began = time.perf_counter()
        types = _ordered(tools.memory)
        first, shown = await self._session(tools, deadline, known, types)
        seen, key = first, shown
        # A server has keys of several types and shows one. Which type the fixed fingerprints belong to, only it can tell.
        while self.options.host_key and key.fingerprint not in known:
            types = tuple(name for name in types if name != key.type and name in shown.offered)
            if not types:
                seen, key = first, shown
                break
            seen, key = await self._session(tools, deadline, known, types)
        total = {"total": _MS * (time.perf_counter() - began)}
        seen = replace(seen, phases={**seen.phases, **total})
        return self._judged(seen, key, known, tools.memory)

    def reproduce(self, look: Look | None = None, timeout: timedelta = DEFAULT_TIMEOUT) -> str:
        host = look.address if look is not None and look.address is not None else self.options.host
        seconds = max(1, round(timeout.total_seconds()))
        if self.options.login is not None:
            return self._login_line(self.options.login, host, seconds)
        line = f"ssh-keyscan -T {seconds} -p {self.options.port} {word(host)} 2>/dev/null | ssh-keygen -lf -"
        keys = [f"-e {word(key)}" for key in self.options.host_key]
        return " ".join([line, "| grep -F", *keys] if keys else [line])

    def _login_line(self, login: SshLogin, host: str, seconds: int) -> str:
        """Return a line that takes any key of the server, so that it tells of the login alone."""
        words = ["-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"]
        words += [f"-o ConnectTimeout={seconds} -p {self.options.port}"]
        secret = login.password or login.passphrase
        if login.key is not None:
            words += [f"-o IdentitiesOnly=yes -o PreferredAuthentications=publickey -i {joined(login.key)}"]
        else:
            words += ["-o PubkeyAuthentication=no -o NumberOfPasswordPrompts=1"]
        words += [f"{joined(login.user, f'@{host}')} exit"]
        if secret is None:
            return " ".join([f"timeout {seconds} ssh -o BatchMode=yes", *words])
        prompt = " -P passphrase" if login.key is not None else ""
        return " ".join([f"SSHPASS={joined(secret)} timeout {seconds} sshpass -e{prompt} ssh", *words])

    async def _session(
        self, tools: Tools, deadline: float, known: frozenset[str], types: tuple[str, ...]
    ) -> tuple[Look, HostKey]:
        options = self.options
        place = Place(host=options.host, port=options.port, family=Family(options.family))
        async with open_stream(tools, place, deadline) as stream:
            banner = await _greeted(stream)
            for text in options.expect.contains:
                if text not in banner.line:
                    raise stream.fault(
                        Cause.CONTENT, f"the banner is {banner.line[:80]!r}, expected {text[:80]!r} in it"
                    )
            shown = await _conversed(stream, self._wanted(banner, known, types))
            return replace(stream.seen(), excerpt=banner.line), shown

    def _wanted(self, banner: Banner, known: frozenset[str], types: tuple[str, ...]) -> Wanted:
        login = self.options.login
        return Wanted(
            ours=_OURS,
            theirs=banner.line,
            types=types,
            known=known,
            login=None if login is None else Credentials(**login.model_dump()),
        )

    def _judged(self, seen: Look, key: HostKey, known: frozenset[str], memory: Mapping[str, str]) -> Look:
        if known and key.fingerprint not in known:
            raise TargetFaultError(
                Cause.HOST_KEY,
                self._changed(key, known),
                address=seen.address,
                phases=seen.phases,
                excerpt=seen.excerpt,
            )
        now = {_KEY: key.fingerprint, _TYPE: key.type}
        remembered = replace(seen, remember=None if now == dict(memory) else now)
        return slowed(remembered, self.options.expect.within)

    def _changed(self, key: HostKey, known: frozenset[str]) -> str:
        if self.options.host_key:
            expected = f"{min(known)} or one of {len(known) - 1} more" if len(known) > 1 else min(known)
            return f"the host key is {key.fingerprint}, expected {expected}; if that is meant, set it as host_key"
        return f"the host key changed from {min(known)} to {key.fingerprint}; if that is meant, set the new one as host_key"


def _ordered(memory: Mapping[str, str]) -> tuple[str, ...]:
    """Return the types of host keys, the one of the remembered key first: a server that gets another key besides has not changed."""
    return tuple(sorted(TYPES, key=lambda name: name != memory.get(_TYPE)))


async def _greeted(stream: Stream) -> Banner:
    """Exchange banners. Ours goes first: what shares a port among protocols waits for it."""
    await stream.write(f"{_OURS}\r\n".encode())
    for _ in range(LINES_LIMIT):
        line = await stream.read_line()
        if not is_banner(line):
            continue
        try:
            return parse_banner(line)
        except NotSshError as error:
            raise stream.fault(Cause.PROTOCOL, str(error)) from error
    raise stream.fault(Cause.PROTOCOL, f"said {LINES_LIMIT} lines and no banner of SSH")


async def _conversed(stream: Stream, wanted: Wanted) -> HostKey:
    def work(lent: socket.socket) -> HostKey:
        # In a thread, for it takes half a second; and only here, for not every installation has paramiko.
        from monitor.checks.remote.ssh_session import converse  # noqa: PLC0415 - see above

        return converse(lent, wanted)

    try:
        return await lend(stream, work)
    except DisagreementError as error:
        raise stream.fault(Cause.PROTOCOL, f"nothing in common: {error}") from error
    except RefusedLoginError as error:
        raise stream.fault(Cause.LOGIN, f"the login was refused: {error}") from error
    except EndedError as error:
        raise stream.fault(Cause.RESET, str(error)) from error
    except SessionError as error:
        raise stream.fault(Cause.PROTOCOL, str(error)) from error


def _short(value: object) -> dict[str, Any]:
    return port_or_place(value, "ssh", 22)


def _service(_options: SshOptions) -> Service:
    return Service.FILES


KIND = Kind(
    name="ssh",
    options=SshOptions,
    build=SshCheck,
    complete=at_host,
    short=_short,
    service=_service,
    bare=True,
    needs=("paramiko",),
    extra="ssh",
)
