"""A deliverer in a process of its own that dies without a word at the point it is told to.

Run as `python -m tests.actions.crashing DATABASE URL MOMENT_MS POINT`. It ends with status 9 at its point, and with 0 when
there was nothing left to do before it came there.
"""

from __future__ import annotations

import os
import select
import socket
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr

from monitor.actions.append import append
from monitor.actions.deliver import Deliverer
from monitor.store.database import Database
from monitor.tickets.port import Order, Receipt
from monitor.tickets.webhook import Webhook, WebhookOptions, sign
from tests.actions.conftest import EARS, INSTALLATION, Listeners
from tests.conftest import SteppingClock
from tests.servers.helpdesk import SECRET

DIED = 9
IN_THE_CALL = ("connected", "half_sent", "whole_sent")
CHECKPOINTS = ("claimed", "recorded", "answered", "committed", "looked", "merged")


def die() -> None:
    os._exit(DIED)


class DyingWebhook(Webhook):
    """Dies inside the call, at a point that only the socket sees."""

    def __init__(self, options: WebhookOptions, clock: SteppingClock, point: str) -> None:
        super().__init__(options, clock.now)
        self._url = urlsplit(options.url)
        self._point = point

    def perform(self, order: Order) -> Receipt:
        if self._point not in IN_THE_CALL:
            return super().perform(order)
        with socket.create_connection((self._url.hostname, self._url.port)) as line:
            whole = self._request(order)
            line.sendall(
                whole[: {"connected": 0, "half_sent": len(whole) // 2, "whole_sent": len(whole)}[self._point]]
            )
            if self._point == "whole_sent":
                select.select([line], [], [], 60)
            die()
        raise AssertionError

    def _request(self, order: Order) -> bytes:
        body = self._body(order)
        head = (
            f"POST {self._url.path} HTTP/1.1\r\nHost: {self._url.netloc}\r\nContent-Length: {len(body)}\r\n"
            f"Idempotency-Key: {order.key}\r\nVigia-Signature: {sign(SECRET, self._now(), body)}\r\n\r\n"
        )
        return head.encode() + body


def main(database: str, url: str, moment_ms: str, point: str) -> None:
    clock = SteppingClock(datetime.fromtimestamp(int(moment_ms) / 1000, UTC))
    options = WebhookOptions(
        url=url, secret=SecretStr(SECRET), timeout=timedelta(seconds=5), search_lag=timedelta(seconds=10)
    )
    deliverer = Deliverer(
        database=Database.open(Path(database), owner=True),
        helpdesk=DyingWebhook(options, clock, point),
        operators={EARS: Listeners()},
        clock=clock,
        installation=INSTALLATION,
        append=lambda tx, entries: append(tx, entries, clock.now()),
        chance=lambda: 0.5,
        checkpoint=lambda name: die() if name == point else None,
    )
    deliverer.recover()
    if point == "started":
        die()
    for _ in range(100):
        if not deliverer.step():
            return


if __name__ == "__main__":
    main(*sys.argv[1:])
