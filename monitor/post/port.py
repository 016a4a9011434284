"""What a letter is, where letters go and come from, and how it is said that something went wrong."""

from __future__ import annotations

import ipaddress
import re
import ssl
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from monitor.errors import VigiaError
from monitor.language.refusals import RefusalError

WITHIN = timedelta(seconds=30)
"""The time of one whole exchange with a mail server."""

_TLS_PORTS = (465, 993)
# A local part of RFC 5321 without quotes, and a domain that may be written in any script.
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@([^\s@<>()\[\],;:\\\"]{1,253})")


class Security(StrEnum):
    """How a connection is kept from others: TLS from the first byte, STARTTLS, or not at all inside our own walls."""

    TLS = "tls"
    STARTTLS = "starttls"
    NONE = "none"


class Outcome(StrEnum):
    """How sure we are of what became of a letter, or of a look into a mailbox, that did not succeed.

    `not_sent` and `forbidden` surely changed nothing, `refused` neither and will not heal by waiting; `uncertain` may have.
    Each is a `Fate` of a delivery, too.
    """

    NOT_SENT = "not_sent"
    UNCERTAIN = "uncertain"
    REFUSED = "refused"
    FORBIDDEN = "forbidden"


class PostError(VigiaError):
    """A letter was not taken, or a mailbox could not be read."""

    def __init__(self, outcome: Outcome, detail: str) -> None:
        super().__init__(detail)
        self.outcome = outcome
        self.detail = detail


def plain_address(address: str) -> str:
    """Return an address as a server takes it, its domain in ASCII; anything else raises RefusalError."""
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise RefusalError("configuration.post.address", found=address)
    try:
        domain = found[1].encode("idna").decode()
    except UnicodeError:
        raise RefusalError("configuration.post.address", found=address) from None
    return f"{address.rpartition('@')[0]}@{domain}"


Address = Annotated[str, Field(max_length=320), AfterValidator(plain_address)]
"""A mail address without a name."""


Port = Annotated[int, Field(ge=1, le=65535)]


def _host(host: str) -> str:
    if not host or len(host) > 253 or not host.isprintable() or set(host) & set(" /@?#"):
        raise RefusalError("configuration.post.host", found=host)
    return host


def is_authority(path: str) -> bool:
    """Is this a file of certificates that we may read?"""
    try:
        ssl.create_default_context(cafile=path)
    except (OSError, ValueError):
        return False
    return True


def _authority(path: str) -> str:
    if not is_authority(path):
        raise RefusalError("configuration.post.authority", found=path)
    return path


Authority = Annotated[str, AfterValidator(_authority)]
"""The path of a PEM file with the certificates of an authority, which is there and can be read."""


class ServerOptions(BaseModel):
    """A mail server and how it knows us.

    Left out, `security` is `tls` on ports 465 and 993, `none` for loopback and `starttls` elsewhere. Without TLS it must lie on
    loopback or in a private network, whatever its name; that is checked again for each connection. `ca_file` is the authority that signed its certificate, if that is a private one. `user` and `password` go together.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: Annotated[str, AfterValidator(_host)] = Field(description="The name or address of the mail server.")
    port: Port
    security: Security = Field(
        default=Security.STARTTLS,
        description="TLS from the first byte, STARTTLS, or none, which goes only to loopback and private networks.",
    )
    user: str = Field(default="", description="The account at the server; it takes a password as well.")
    # What is shorter could not be hidden in what we show without hiding half of every sentence.
    password: SecretStr | None = Field(
        default=None, min_length=4, description="The password of the account, at least 4 characters."
    )
    ca_file: Authority | None = Field(
        default=None, description="The certificate authority of a private network, a PEM file."
    )

    @model_validator(mode="before")
    @classmethod
    def _usual_security(cls, given: Any) -> Any:
        if not isinstance(given, dict) or "security" in given:
            return given
        port, host = given.get("port", cls.model_fields["port"].default), given.get("host")
        usual = Security.TLS if port in _TLS_PORTS else Security.STARTTLS
        return {**given, "security": Security.NONE if _is_loopback(host) else usual}

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if bool(self.user) is not (self.password is not None):
            raise RefusalError("configuration.post.login")
        if self.security is Security.NONE and _is_public(self.host):
            raise RefusalError("configuration.post.clear", found=self.host)
        return self


class SmtpOptions(ServerOptions):
    """The server that takes our letters."""

    port: Port = Field(default=587, description="The port of the mail server; 587 if left out.")


class ImapOptions(ServerOptions):
    """The mailbox that answers come to.

    What was read is marked as seen or, with `handled`, moved to the mailbox of that name.
    """

    port: Port = Field(default=993, description="The port of the mail server; 993 if left out.")
    mailbox: str = Field(
        default="INBOX", min_length=1, max_length=200, description="The mailbox that is read."
    )
    handled: str = Field(
        default="",
        max_length=200,
        description="Where letters are moved once they are read; left out, they are marked as seen.",
    )


def _is_loopback(host: object) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(str(host)).is_loopback
    except ValueError:
        return False


def _is_public(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return not (address.is_loopback or address.is_private)
