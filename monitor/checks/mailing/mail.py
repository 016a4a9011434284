"""What the protocols of mail have in common: when TLS begins, how a login is said, what an address is, and what is never shown."""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Annotated, ClassVar, Self

from pydantic import AfterValidator, Field, model_validator

from monitor.checks.contract import Family, Look, Options, TargetFaultError, Tools
from monitor.checks.options.durations import PositiveDuration
from monitor.checks.options.shell import joined, word
from monitor.checks.options.targets import REFERENCE, FamilyName, Host, OneLine, Port, bracketed
from monitor.checks.wire.pace import slowed
from monitor.checks.wire.securing import Secured, Trust, trust_of, warned
from monitor.checks.wire.stream import Place, Stream, open_stream
from monitor.language.refusals import RefusalError
from monitor.observation import Cause

# No answer of a mail server needs more lines; a flood of short ones would take longer to read than a look may last.
LINES_LIMIT = 500
# What is quoted of an answer in one line of fact.
QUOTED = 120
# Ports that speak TLS from the first byte.
_IMPLICIT = frozenset({465, 993, 995})
_MECHANISMS = ("PLAIN", "LOGIN", "CRAM-MD5")
# Refusals of a login that say nothing about the password: the server cannot tell now, or lets nobody in.
_NOT_NOW = re.compile(r"\[(UNAVAILABLE|INUSE|IN-USE|LIMIT|LOGIN-DELAY|SYS/)", re.IGNORECASE)
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,253}")


def _address(text: str) -> str:
    if not REFERENCE.fullmatch(text) and not _ADDRESS.fullmatch(REFERENCE.sub("reference", text)):
        raise RefusalError("options.mail_address", found=text)
    return text


Credential = Annotated[OneLine, Field(min_length=1)]
Address = Annotated[str, AfterValidator(_address)]


class MailExpectation(Options):
    """What every mail server is held to."""

    within: PositiveDuration | None = Field(
        default=None, description="Warn when the whole look takes longer than this, such as 2s."
    )


class MailLogin(Options):
    """Who logs in."""

    user: Credential = Field(description="The name of the user.")
    password: Credential = Field(description="The password, as a reference.")


class MailServer(Secured):
    """Where a mail server is and how it is spoken to."""

    PORTS: ClassVar[tuple[int, int]]
    """The port that begins in clear, and the one that speaks TLS from the first byte."""
    SECURED_FIRST: ClassVar[bool] = True
    """Whether the second is meant when nothing tells."""

    host: Host = Field(description="The name or address to connect to; the server's host if left out.")
    port: Port | None = Field(
        default=None, description="The port; if left out, the usual one for how TLS begins."
    )
    tls: bool | None = Field(
        default=None,
        description="Whether TLS is spoken from the first byte; if left out, the port tells (465, 993, 995).",
    )
    starttls: bool | None = Field(
        default=None,
        description="Whether TLS begins after the greeting: true, it must; false, never, and a login then goes in clear; "
        "if left out, when it is offered.",
    )
    login: MailLogin | None = Field(default=None, description="Who logs in; nobody if left out.")
    family: FamilyName = Field(default="any", description="Which addresses to use: any, ipv4 or ipv6.")

    @model_validator(mode="after")
    def _one_way_to_begin(self) -> Self:
        if self.tls and self.starttls:
            raise RefusalError("options.tls_twice")
        return self

    @property
    def at_port(self) -> int:
        """The port that is meant."""
        if self.port is not None:
            return self.port
        clear, secured = self.PORTS
        wanted = self.SECURED_FIRST and not self.starttls if self.tls is None else self.tls
        return secured if wanted else clear

    @property
    def at_once(self) -> bool:
        """Is TLS spoken from the first byte?"""
        if self.tls is None:
            return self.at_port in _IMPLICIT and not self.starttls
        return self.tls

    @property
    def place(self) -> str:
        """Host and port in one word."""
        return f"{bracketed(self.host)}:{self.at_port}"

    def trust(self, tools: Tools) -> Trust:
        """Return whom a look at this server believes."""
        return trust_of(self, self.host, tools.ca_file)


@asynccontextmanager
async def conversation(tools: Tools, server: MailServer, deadline: float) -> AsyncIterator[Stream]:
    """Lend a conversation with a mail server, inside TLS from its first byte where that is meant."""
    place = Place(host=server.host, port=server.at_port, family=Family(server.family))
    trust = server.trust(tools) if server.at_once else None
    async with open_stream(tools, place, deadline, trust) as stream:
        yield stream


def begins_tls(stream: Stream, server: MailServer, *, offered: bool) -> bool:
    """Is TLS begun now, after the greeting? A server that must offer it and does not is a fault."""
    if stream.identity is not None or server.starttls is False:
        return False
    if server.starttls and not offered:
        raise stream.fault(Cause.PROTOCOL, "offers no TLS after its greeting, which starttls asks for")
    return offered


def keep_from_clear(stream: Stream, server: MailServer) -> None:
    """Raise a fault where a login would travel in clear over a network and nobody has said that it may."""
    if (
        stream.identity is None
        and server.starttls is not False
        and not ip_address(stream.address).is_loopback
    ):
        raise stream.fault(Cause.PROTOCOL, "offers no TLS, and a password is not sent in clear")


def mechanism_of(offered: Iterable[str]) -> str | None:
    """Return which of the offered SASL mechanisms to log in by, None when we know none of them."""
    known = {name.upper() for name in offered}
    return next((name for name in _MECHANISMS if name in known), None)


def sasl_rounds(mechanism: str, login: MailLogin) -> tuple[Callable[[bytes], bytes], ...]:
    """Return what a mechanism has to say, round by round, each from the server's challenge."""
    user, password = login.user.encode(), login.password.encode()
    rounds: dict[str, tuple[Callable[[bytes], bytes], ...]] = {
        "PLAIN": (lambda _: b"\0" + user + b"\0" + password,),
        "LOGIN": (lambda _: user, lambda _: password),
        "CRAM-MD5": (lambda asked: user + b" " + hmac.new(password, asked, "md5").hexdigest().encode(),),
    }
    return rounds[mechanism]


def sasl_reply(said: Callable[[bytes], bytes], challenge: str) -> str:
    """Return a round's answer to a challenge, both in base64; a challenge that is none raises ValueError."""
    try:
        asked = base64.b64decode(challenge.strip(), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"asks for the login in no base64: {challenge[:40]!r}") from error
    return base64.b64encode(said(asked)).decode()


def refused_login(stream: Stream, said: str, *, for_now: bool = False) -> TargetFaultError:
    """Return the fault of a login that failed: of the credentials, or of a server that can judge none just now."""
    if for_now or _NOT_NOW.search(said):
        return stream.fault(Cause.STATUS, f"lets nobody log in now: {said[:QUOTED]}")
    return stream.fault(Cause.LOGIN, f"the login was refused: {said[:QUOTED]}")


def judged(look: Look, server: MailServer, within: timedelta | None, now: datetime) -> Look:
    """Return a look without a trace of the login, and as a warning when it was slow or its certificate is near its end."""
    return warned(slowed(concealed(look, server.login), within), server.certificate, now)


def concealed(look: Look, login: MailLogin | None) -> Look:
    """Return a look in which a server that repeats our login to us gives nothing away."""
    if login is None:
        return look
    user, password = login.user.encode(), login.password.encode()
    forms = (b"\0" + user + b"\0" + password, password)
    secrets = [base64.b64encode(form).decode() for form in forms]
    found, excerpt = look.found, look.excerpt
    for secret in secrets:
        found, excerpt = found.replace(secret, "***"), excerpt.replace(secret, "***")
    return replace(look, found=found, excerpt=excerpt)


def curl_line(server: MailServer, url: str, look: Look | None, timeout: timedelta) -> str:
    """Return a curl line that speaks to a server as a look does; `url` is `scheme:/path`, and the place goes between.

    The certificate is held to the same name, and with what a look saw the line goes to the very address that was looked at.
    """
    scheme, _, path = url.partition(":")
    name = server.tls_name or server.host
    goal = look.address if look is not None and look.address is not None else server.host
    words = [f"curl -sS -m {max(0.001, timeout.total_seconds()):g}"]
    words += [] if server.family == "any" else [f"-{server.family[-1]}"]
    if not server.at_once and server.starttls is not False:
        words += ["--ssl-reqd" if server.starttls else "--ssl"]
    words += [f"--cacert {word(server.ca)}"] if server.ca else []
    words += [] if server.verify else ["-k"]
    words += [f"-u {joined(server.login.user, ':', server.login.password)}"] if server.login else []
    words += [] if goal == name else [f"--connect-to {word(f'::{bracketed(goal)}:{server.at_port}')}"]
    secured = "s" if server.at_once else ""
    return " ".join([*words, word(f"{scheme}{secured}://{bracketed(name)}:{server.at_port}{path}")])
