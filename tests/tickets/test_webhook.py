"""The webhook helpdesk over real connections that fail in every way."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from pydantic import SecretStr, ValidationError

from monitor.line import may_be_called
from monitor.tickets.client import retry_after
from monitor.tickets.line import Call, exchange
from monitor.tickets.port import Action, DeliveryError, Fate, Order, Priority, TicketStatus
from monitor.tickets.webhook import Webhook, WebhookOptions, sign
from tests.conftest import SteppingClock
from tests.servers.helpdesk import SECRET, Helpdesk
from tests.servers.talking import talking

REFERENCE = "VG-TESTHAUS-01JD9ZK3V8QW5R7T2M4N6P8S0A"
ORDER = Order(
    action=Action.CREATE,
    reference=REFERENCE,
    key=f"{REFERENCE}-create-1",
    ticket="",
    subject=f"[{REFERENCE}] gye1: fuera de servicio",
    body="Se confirmó una falla.",
    priority=Priority.URGENT,
    department="soporte",
    language="es",
)


def options(url: str, **changes: object) -> WebhookOptions:
    return WebhookOptions.model_validate({"url": url, "secret": SECRET, "timeout": "600ms", **changes})


@pytest.fixture
def helpdesk(clock: SteppingClock) -> Iterator[Helpdesk]:
    server = Helpdesk(clock.now)
    yield server
    server.close()


@pytest.fixture
def webhook(helpdesk: Helpdesk, clock: SteppingClock) -> Webhook:
    return Webhook(options(helpdesk.url), clock.now)


def fate_of(webhook: Webhook, order: Order = ORDER) -> Fate:
    with pytest.raises(DeliveryError) as caught:
        webhook.perform(order)
    return caught.value.fate


@pytest.mark.parametrize(
    ("mode", "fate"),
    [
        ("hang", Fate.UNCERTAIN),
        ("drip", Fate.UNCERTAIN),
        ("endless", Fate.UNCERTAIN),
        ("reset", Fate.UNCERTAIN),
        ("close", Fate.UNCERTAIN),
        ("html", Fate.UNCERTAIN),
        ("500", Fate.UNCERTAIN),
        ("502", Fate.UNCERTAIN),
        ("503_bare", Fate.UNCERTAIN),
        ("504", Fate.UNCERTAIN),
        ("408", Fate.UNCERTAIN),
        ("429", Fate.NOT_SENT),
        ("503", Fate.NOT_SENT),
        ("400", Fate.REFUSED),
        ("404", Fate.REFUSED),
        ("422", Fate.REFUSED),
        ("409", Fate.CONFLICT),
        ("401", Fate.FORBIDDEN),
        ("403", Fate.FORBIDDEN),
        ("302", Fate.FORBIDDEN),
    ],
)
def test_every_failure_says_how_sure_we_are_of_the_ticket(
    helpdesk: Helpdesk, webhook: Webhook, mode: str, fate: Fate
) -> None:
    helpdesk.modes.append(mode)
    assert fate_of(webhook) is fate
    assert len(helpdesk.asked) == 1


def test_a_redirect_is_never_followed(helpdesk: Helpdesk, webhook: Webhook) -> None:
    helpdesk.modes.append("302")
    assert fate_of(webhook) is Fate.FORBIDDEN
    assert [asked for asked, _ in helpdesk.asked] == ["create"]


def test_a_ticket_that_is_gone_is_told_from_a_request_that_is_refused(webhook: Webhook) -> None:
    comment = replace(ORDER, action=Action.COMMENT, ticket="77", key=f"{REFERENCE}-comment-2")
    assert fate_of(webhook, comment) is Fate.MISSING


def test_the_helpdesk_asks_for_seven_seconds(helpdesk: Helpdesk, webhook: Webhook) -> None:
    helpdesk.modes.append("429")
    with pytest.raises(DeliveryError) as caught:
        webhook.perform(ORDER)
    assert caught.value.retry_after == timedelta(seconds=7)


def test_nobody_listening_means_not_sent(clock: SteppingClock) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert fate_of(Webhook(options(f"http://127.0.0.1:{port}/"), clock.now)) is Fate.NOT_SENT


def test_a_dead_name_means_not_sent(clock: SteppingClock) -> None:
    assert fate_of(Webhook(options("http://helpdesk.invalid/"), clock.now)) is Fate.NOT_SENT


def test_no_byte_leaves_without_a_trusted_certificate(clock: SteppingClock) -> None:
    received: list[bytes] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with _tls_server(context, received) as port:
        assert (
            fate_of(Webhook(options(f"https://127.0.0.1:{port}/", timeout="5s"), clock.now)) is Fate.NOT_SENT
        )
    assert received == [b""]


def test_a_private_authority_is_trusted_when_it_is_configured(clock: SteppingClock, tmp_path: Path) -> None:
    received: list[bytes] = []
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with _tls_server(context, received) as port:
        chosen = options(f"https://127.0.0.1:{port}/", ca_file=str(tmp_path / "ca.pem"), timeout="5s")
        assert fate_of(Webhook(chosen, clock.now)) is Fate.UNCERTAIN
    assert received[0].startswith(b"POST / HTTP/1.1")


def test_a_silent_handshake_ends_in_time_and_nothing_was_sent(clock: SteppingClock) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        assert fate_of(Webhook(options(f"https://127.0.0.1:{port}/"), clock.now)) is Fate.NOT_SENT


@pytest.mark.parametrize("mode", ["hang", "drip", "endless"])
def test_a_call_ends_although_bytes_keep_coming(helpdesk: Helpdesk, webhook: Webhook, mode: str) -> None:
    """The trickle of these modes would last 80 s; each single wait is far below any time-out."""
    helpdesk.modes.append(mode)
    began = time.monotonic()
    fate_of(webhook)
    assert time.monotonic() - began < 40


def test_a_ticket_is_found_by_exactly_its_reference(helpdesk: Helpdesk, webhook: Webhook) -> None:
    webhook.perform(ORDER)
    webhook.perform(replace(ORDER, reference=f"{REFERENCE}X", key=f"{REFERENCE}X-create-1"))
    [found] = webhook.find(REFERENCE)
    assert (found.ticket, found.reference, found.status, found.priority) == (
        "1",
        REFERENCE,
        TicketStatus.OPEN,
        Priority.URGENT,
    )
    assert helpdesk.complaints == []


def test_a_helpdesk_that_lists_whatever_it_has_makes_nobody_elses_ticket_ours(
    helpdesk: Helpdesk, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = f"{REFERENCE}X"
    webhook.perform(replace(ORDER, reference=other, key=f"{other}-create-1"))
    everything = helpdesk.listing(other)
    monkeypatch.setattr(helpdesk, "listing", lambda _reference: everything)
    assert webhook.find(REFERENCE) == ()
    assert len(webhook.find(other)) == 1


def test_no_setting_of_the_machine_sends_a_ticket_elsewhere(
    helpdesk: Helpdesk, webhook: Webhook, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n", encoding="utf-8")
    netrc.chmod(0o600)
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        monkeypatch.setenv("NETRC", str(netrc))
        monkeypatch.setenv("NO_PROXY", "")
        monkeypatch.setenv("no_proxy", "")
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.getsockname()[1]}")
        webhook.perform(ORDER)
    assert len(helpdesk.tickets) == 1


def test_an_answer_without_a_length_that_is_cut_off_is_no_answer(clock: SteppingClock) -> None:
    """It would end with the connection, so what came until then looks whole."""
    answer = b'HTTP/1.1 200 OK\r\n\r\n{"id": "7"}'
    with talking(b"", {b"\r\n": answer, b"": b""}) as server, pytest.raises(DeliveryError) as caught:
        Webhook(options(f"http://127.0.0.1:{server.port}/"), clock.now).perform(ORDER)
    assert (caught.value.fate, caught.value.detail) == (Fate.UNCERTAIN, "no whole answer came in time")


def test_an_answer_that_is_too_long_is_none(helpdesk: Helpdesk, clock: SteppingClock) -> None:
    call = Call(method="GET", url=f"{helpdesk.url}?reference={REFERENCE}", headers={}, body=b"")
    whole = exchange(call, timedelta(seconds=30))
    assert exchange(replace(call, limit=len(whole.body)), timedelta(seconds=30)).body == whole.body
    with pytest.raises(DeliveryError, match="longer than") as caught:
        exchange(replace(call, limit=len(whole.body) - 1), timedelta(seconds=30))
    assert caught.value.fate is Fate.UNCERTAIN


def test_the_oldest_of_several_tickets_comes_first(helpdesk: Helpdesk, webhook: Webhook) -> None:
    for number in range(11):
        webhook.perform(replace(ORDER, key=f"{REFERENCE}-create-{number}"))
    assert [found.ticket for found in webhook.find(REFERENCE)][::10] == ["1", "11"]


@pytest.mark.parametrize("mode", ["html", "500", "hang", "401"])
def test_a_look_up_that_fails_finds_nothing_and_says_so(
    helpdesk: Helpdesk, webhook: Webhook, mode: str
) -> None:
    helpdesk.get_modes.append(mode)
    with pytest.raises(DeliveryError):
        webhook.find(REFERENCE)


def test_priorities_speak_the_words_of_the_product(helpdesk: Helpdesk, clock: SteppingClock) -> None:
    chosen = Webhook(options(helpdesk.url, priorities={"urgent": 1, "high": 2}), clock.now)
    chosen.perform(ORDER)
    assert helpdesk.tickets[0].priority == 1  # type: ignore[comparison-overlap]
    assert chosen.find(REFERENCE)[0].priority is Priority.URGENT


def test_the_signature_is_what_the_manual_says() -> None:
    moment = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
    assert sign("key", moment, b'{"a": 1}') == (
        "t=1795359600,v1=58070f6acd2debcabca6012807609b8e739862126cedf10c434f8a54e6369822"
    )


def test_no_message_holds_the_secret_or_the_path(helpdesk: Helpdesk, clock: SteppingClock) -> None:
    chosen = Webhook(options(f"{helpdesk.url}/token-in-the-path"), clock.now)
    details = {}
    for mode in ("hang", "reset", "500", "html", "401", "302"):
        helpdesk.modes.append(mode)
        with pytest.raises(DeliveryError) as caught:
            chosen.perform(ORDER)
        details[mode] = caught.value.detail
        assert SECRET not in caught.value.detail
        assert "token-in-the-path" not in caught.value.detail
    assert details["reset"] == "the connection broke before a whole answer came"
    assert SECRET not in repr(options(helpdesk.url))


@pytest.mark.parametrize(
    "url",
    [
        "ftp://helpdesk.example/",
        "https://user:word@helpdesk.example/",
        "https:///nowhere",
        "http://203.0.113.5.example@198.51.100.7/",
        "http://8.8.8.8/",
        "https://helpdesk.example/#part",
        "file:///etc/passwd",
    ],
)
def test_an_address_that_is_not_safe_is_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        options(url)


@pytest.mark.parametrize(
    ("address", "plain", "allowed"),
    [
        ("127.0.0.1", True, True),
        ("::1", True, True),
        ("10.1.2.3", True, True),
        ("::ffff:10.1.2.3", True, True),
        ("8.8.8.8", True, False),
        ("8.8.8.8", False, True),
        ("2606:4700::1111", False, True),
        ("::ffff:8.8.8.8", True, False),
        ("169.254.169.254", False, False),
        ("::ffff:169.254.169.254", False, False),
        ("fe80::1", False, False),
        ("224.0.0.1", False, False),
        ("0.0.0.0", False, False),
        ("::", False, False),
    ],
)
def test_where_a_call_may_go(address: str, plain: bool, allowed: bool) -> None:
    assert may_be_called(address, plain=plain) is allowed


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7),
        ("0", 0),
        ("Sun, 22 Nov 2026 15:01:00 GMT", 60),
        ("Sun, 22 Nov 2026 14:00:00 GMT", 0),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("9" * 30, 86_400),
    ],
)
def test_a_wish_to_wait_is_read_by_seconds_or_by_date(value: str, seconds: int | None) -> None:
    asked = retry_after(value, datetime(2026, 11, 22, 15, 0, tzinfo=UTC))
    assert asked == (None if seconds is None else timedelta(seconds=seconds))


def test_the_secret_must_not_be_short() -> None:
    with pytest.raises(ValidationError):
        WebhookOptions(url="https://helpdesk.example/", secret=SecretStr("abc"))


class _tls_server:  # noqa: N801 - it reads as a verb where it is used
    """Accepts one connection and keeps what came through TLS; b'' if the handshake failed."""

    def __init__(self, context: ssl.SSLContext, received: list[bytes]) -> None:
        self._context = context
        self._received = received
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> int:
        self._thread.start()
        return int(self._listener.getsockname()[1])

    def __exit__(self, *_exc: object) -> None:
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        connection.settimeout(30)
        try:
            with self._context.wrap_socket(connection, server_side=True) as line:
                self._received.append(line.recv(4096))
        except OSError:
            self._received.append(b"")
        finally:
            connection.close()
