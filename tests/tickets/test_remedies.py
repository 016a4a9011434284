"""What operators read of a helpdesk that cannot be spoken to: what is wrong in its own words, and the key that mends it."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from monitor.clock import SystemClock
from monitor.language import LANGUAGES
from monitor.tickets.client import Reply, raise_for_status
from monitor.tickets.port import Action, DeliveryError, Fate
from monitor.tickets.rt_api import Api, RtOptions
from monitor.tickets.webhook import Webhook, WebhookOptions
from tests.servers.certificates import Certificates, make_certificates

SECRET = "correct-horse-battery"


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status = 200 if self.path.startswith("/page") else 404
        self.answer(status, b"<html>")

    def do_POST(self) -> None:
        """Quote everything that came in, as what is in front of a helpdesk may do."""
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.answer(400, json.dumps({"error": "Bad request", "seen": [str(self.headers), body]}).encode())

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@contextmanager
def site(context: ssl.SSLContext | None = None) -> Iterator[str]:
    """Serve pages that are no helpdesk's, over TLS with `context`; its address without the scheme."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return make_certificates(tmp_path, SystemClock().now())


def options(url: str, **changes: Any) -> WebhookOptions:
    return WebhookOptions.model_validate({"url": url, "secret": SECRET, **changes})


def heard(chosen: WebhookOptions) -> DeliveryError:
    """Return what comes of an inspection; every sentence exists in every language."""
    with pytest.raises(DeliveryError) as caught:
        Webhook(chosen, SystemClock().now).inspect()
    assert all(caught.value.detail in caught.value.told.say(language) for language in LANGUAGES)
    return caught.value


@pytest.mark.parametrize("which", ["stranger", "expired"])
def test_a_certificate_that_is_not_trusted_points_to_the_authority(
    certificates: Certificates, which: str
) -> None:
    with site(certificates.contexts[which]) as place:
        error = heard(options(f"https://{place}/", ca_file=str(certificates.ca_file)))
    assert (error.fate, error.told.key) == (Fate.NOT_SENT, "helpdesk.certificate")
    assert "`ca_file`" in error.told.say("es")


@pytest.mark.parametrize("content", [None, b"", b"not a certificate\n"])
def test_an_authority_that_cannot_be_read_is_named(
    certificates: Certificates, tmp_path: Path, content: bytes | None
) -> None:
    authority = tmp_path / "authority.pem"
    authority.write_bytes(certificates.ca_file.read_bytes())
    with site(certificates.contexts["good"]) as place:
        chosen = options(f"https://{place}/", ca_file=str(authority))
        # It was there when the configuration was read.
        authority.unlink() if content is None else authority.write_bytes(content)
        error = heard(chosen)
    assert (error.fate, error.told.key) == (Fate.FORBIDDEN, "helpdesk.authority")
    assert str(authority) in error.told.say("en")
    with pytest.raises(ValidationError, match=r"authority\.pem"):
        options(f"https://{place}/", ca_file=str(authority))


def test_a_good_authority_says_nothing_of_certificates(certificates: Certificates) -> None:
    with site(certificates.contexts["good"]) as place:
        error = heard(options(f"https://{place}/", ca_file=str(certificates.ca_file)))
    assert error.detail == "the helpdesk answers 404"


@pytest.mark.parametrize("path", ["nowhere", "page"])
def test_a_page_that_is_no_interface_points_to_the_address(path: str) -> None:
    with site() as place:
        error = heard(options(f"http://{place}/{path}"))
    assert error.told.key == "helpdesk.address"
    assert "`url`" in error.told.say("es")
    assert error.fate is (Fate.REFUSED if path == "nowhere" else Fate.UNCERTAIN)


def test_credentials_are_not_told_when_an_answer_quotes_them() -> None:
    with site() as place:
        chosen = {"url": f"http://{place}", "user": "vigia", "password": SECRET, "queue": "Soporte"}
        options = RtOptions.model_validate(chosen)
        with pytest.raises(DeliveryError) as caught:
            Api(options, SystemClock().now).create({"Subject": SECRET})
    assert "Bad request" in caught.value.detail
    assert "Authorization: Basic ***" in caught.value.detail
    assert SECRET not in caught.value.detail


def said(status: int, body: bytes, action: Action | None = Action.CREATE) -> str:
    answer = Reply(status=status, headers={}, body=body)
    with pytest.raises(DeliveryError) as caught:
        raise_for_status(answer, action, SystemClock().now(), (SECRET,))
    return caught.value.detail.removeprefix(f"the helpdesk answers {status}")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"errors": ["Plan cannot be blank", "Área no es válida"]}, "Plan cannot be blank; Área no es válida"),
        ({"queue": ["Object does not exist."], "custom_plan": ["Required."]}, "queue: Object does not exist.; custom_plan: Required."),
        ({"error": "No such group", "error_human": "No such group"}, "No such group"),
        ({"error": "RecordInvalid", "details": {"priority": [{"description": "is invalid"}]}}, "RecordInvalid; priority: is invalid"),
        (["Invalid field", 7, None], "Invalid field"),
        ({"message": f"bad key {SECRET}\n\x1b[31m"}, "bad key ***\\n\\u001b[31m"),
        ("See https://user:hunter2@desk.example/", "See https://***@desk.example/"),
    ],
)  # fmt: skip
def test_a_refusal_is_told_in_its_own_words(answer: object, words: str) -> None:
    assert said(422, json.dumps(answer).encode()) == f": {words}"


@pytest.mark.parametrize("body", [b"", b"<html>Not found</html>", b"\xff\xfe", b"{}", b"[" * 100_000])
def test_what_is_no_json_is_not_quoted(body: bytes) -> None:
    assert said(422, body) == ""


def test_what_breaks_down_there_is_not_quoted() -> None:
    assert said(500, b'{"error": "Traceback"}') == ""


def test_long_words_are_cut() -> None:
    assert len(said(422, json.dumps({"errors": ["ñ" * 9000]}).encode())) == 302


def test_a_ticket_that_is_gone_is_no_wrong_address() -> None:
    with pytest.raises(DeliveryError) as caught:
        raise_for_status(Reply(status=404, headers={}, body=b""), Action.COMMENT, SystemClock().now())
    assert (caught.value.fate, caught.value.remedy) == (Fate.MISSING, "")
