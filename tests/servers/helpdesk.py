"""A helpdesk behind a signed webhook, on loopback, that misbehaves as it is told.

It checks every signature and key itself and keeps what it complains about, so that a test needs one assert for all.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.servers.spoiling import Spoiling

SECRET = "a secret that both sides share"
OURS = ("create", "comment", "priority", "resolve", "reopen")
"""What we do to a ticket; whatever else stands on one was done by people."""


@dataclass
class Ticket:
    id: int
    reference: str
    subject: str
    priority: str
    status: str
    listed_at: datetime
    messages: list[tuple[str, str]] = field(default_factory=list)
    internal: set[int] = field(default_factory=set)


class Helpdesk:
    """One server. `modes` are used up one a POST, `get_modes` one a GET; without one it does what it should.

    Modes of a POST: ok, hang, reset, drip, endless, half, html and 500 act and then spoil the answer; html_only, 429, 503, 401, 409, 422,
    302, 500_only and close do not act; twice makes two tickets; lose makes one and forgets it. `late` acts when the other side
    has long hung up.
    """

    def __init__(
        self, now: Callable[[], datetime], *, lag: timedelta = timedelta(0), honours_keys: bool = False
    ) -> None:
        self.now = now
        self.lag = lag
        self.honours_keys = honours_keys
        self.drops_references = False
        self.knows_us = True
        self.modes: deque[str] = deque()
        self.get_modes: deque[str] = deque()
        self.tickets: list[Ticket] = []
        self.asked: list[tuple[str, str]] = []
        self.complaints: list[str] = []
        self.lock = threading.Lock()
        self.released = threading.Event()
        self._answers: dict[str, dict[str, Any]] = {}
        self._count = 0
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = False
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/vigia"

    def close(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def of(self, reference: str) -> list[Ticket]:
        return [ticket for ticket in self.tickets if ticket.reference == reference]

    def act(self, fields: dict[str, Any], key: str) -> dict[str, Any] | None:
        """Do what is asked; None when the ticket does not exist."""
        with self.lock:
            if self.honours_keys and key in self._answers:
                return self._answers[key]
            ticket = self._create(fields) if fields["action"] == "create" else self._change(fields)
            if ticket is None:
                return None
            answer = {"id": ticket.id, "url": f"https://helpdesk.example/tickets/{ticket.id}"}
            self._answers[key] = answer
            return answer

    def _create(self, fields: dict[str, Any]) -> Ticket:
        self._count += 1
        ticket = Ticket(
            id=self._count,
            reference="" if self.drops_references else fields["reference"],
            subject=fields["subject"],
            priority=fields["priority"],
            status="open",
            listed_at=self.now() + self.lag,
            messages=[("create", fields["body"])],
        )
        self.tickets.append(ticket)
        return ticket

    def _change(self, fields: dict[str, Any]) -> Ticket | None:
        ticket = next((each for each in self.tickets if str(each.id) == fields["ticket"]), None)
        if ticket is None:
            return None
        if fields.get("internal"):
            ticket.internal.add(len(ticket.messages))
        ticket.messages.append((fields["action"], fields["body"]))
        ticket.priority = fields["priority"]
        ticket.status = {"resolve": "closed", "reopen": "open"}.get(fields["action"], ticket.status)
        return ticket

    def listing(self, reference: str) -> list[dict[str, Any]]:
        now = self.now()
        return [
            {"id": each.id, "reference": each.reference, "status": each.status, "priority": each.priority}
            for each in self.tickets
            if each.reference == reference and each.listed_at <= now
        ]

    def check(self, headers: Any, body: bytes) -> None:
        moment, _, digest = headers.get("Vigia-Signature", "").partition(",v1=")
        seconds = moment.removeprefix("t=")
        wanted = hmac.new(SECRET.encode(), seconds.encode() + b"." + body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(wanted, digest):
            self.complaints.append("the signature is wrong")
        if seconds != str(int(self.now().timestamp())):
            self.complaints.append(f"the signature is of another moment: {seconds}")

    def _handler(self) -> type[Spoiling]:
        desk = self

        class Handler(_Handler):
            helpdesk = desk

        return Handler


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Keep the test's output clean of callers who died."""
        del request, client_address


class _Handler(Spoiling):
    helpdesk: Helpdesk

    @property
    def released(self) -> threading.Event:
        return self.helpdesk.released

    def asked(self) -> None:
        self._look_up() if self.command == "GET" else self._act()

    def _look_up(self) -> None:
        self.helpdesk.check(self.headers, b"")
        reference = parse_qs(urlsplit(self.path).query)["reference"][0]
        self.helpdesk.asked.append(("find", reference))
        if not self.helpdesk.knows_us:
            self.json(401, {})
            return
        mode = self.helpdesk.get_modes.popleft() if self.helpdesk.get_modes else "ok"
        if mode == "ok":
            self.json(200, {"tickets": self.helpdesk.listing(reference)})
        else:
            self.spoil(mode)

    def _act(self) -> None:
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length)
        if len(body) < length:
            self.close_connection = True
            return
        self.helpdesk.check(self.headers, body)
        fields, key = json.loads(body), self.headers["Idempotency-Key"]
        named = f"{fields['reference']}-{fields['action']}"
        if not re.fullmatch(rf"{re.escape(named)}-\d+", key):
            self.helpdesk.complaints.append(f"the key {key} is not one of {named}")
        if fields["action"] == "create" and fields["reference"] not in fields["body"]:
            self.helpdesk.complaints.append("the body does not name the reference")
        self.helpdesk.asked.append((fields["action"], key))
        if not self.helpdesk.knows_us:
            self.json(401, {})
            return
        mode = self.helpdesk.modes.popleft() if self.helpdesk.modes else "ok"
        acts = mode in ("ok", "hang", "reset", "drip", "endless", "half", "html", "500", "twice", "lose")
        made = self.helpdesk.act(fields, key) if acts else None
        if mode == "twice":
            self.helpdesk.act(fields, f"{key}-again")
        if mode == "lose":
            self.helpdesk.tickets.pop()
        if mode in ("ok", "twice", "lose"):
            self.json(*((201, made) if made else (404, {"error": "no such ticket"})))
            return
        if mode == "late":
            self.wait_for_the_end()
            self.helpdesk.act(fields, key)
            return
        self.spoil(mode)
