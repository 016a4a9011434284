"""A mail server (aiosmtpd) in this process that takes mail, postpones or refuses it, and hands it on as it is told."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.journeys.house import free_port

QUEUED = "250 2.0.0 Ok: queued as 4XyZ99"


@dataclass(slots=True)
class PostOffice:
    """What it took, and what it says: to recipients by address, to everybody else 250, to a message `queued`.

    `deliver` gets every message that was taken.
    """

    port: int = 0
    recipients: dict[str, str] = field(default_factory=dict)
    sender: str = "250 2.1.0 OK"
    queued: str = QUEUED
    deliver: Callable[[bytes], None] | None = None
    taken: list[bytes] = field(default_factory=list)
    envelopes: list[tuple[str, str]] = field(default_factory=list)

    async def handle_MAIL(  # noqa: N802 - the server asks for it by this name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        return self.sender

    async def handle_RCPT(  # noqa: N802 - as above
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        said = self.recipients.get(address, "250 2.1.5 OK")
        if said.startswith("250"):
            envelope.rcpt_tos.append(address)
        self.envelopes.append((envelope.mail_from or "", address))
        return said

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - as above
        content = envelope.content
        assert isinstance(content, bytes)
        self.taken.append(content)
        if self.deliver is not None:
            self.deliver(content)
        return self.queued


@contextmanager
def post_office(tls: ssl.SSLContext | None = None, **says: object) -> Iterator[PostOffice]:
    """Run a post office, with STARTTLS where there is `tls`."""
    office = PostOffice(free_port(), **says)  # type: ignore[arg-type] - each has the type of its field
    controller = Controller(
        office, hostname="127.0.0.1", port=office.port, tls_context=tls, server_hostname="mail.test"
    )
    controller.start()
    try:
        yield office
    finally:
        controller.stop(no_assert=True)


def delivered_by(port: int, recipient: str) -> Callable[[bytes], None]:
    """Return what hands a message on by LMTP, as the last mail server on the way does."""

    def deliver(message: bytes) -> None:
        with smtplib.LMTP("127.0.0.1", port, local_hostname="relay.test") as client:
            client.sendmail("probe@ok.test", [recipient], message)

    return deliver
