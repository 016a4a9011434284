"""Operators are told through real HTTP, by Apprise, without hearing anything twice."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from pydantic import SecretStr

from monitor.subscribers.operators import LOCAL_SCHEMES, AppriseMessenger, ChannelError, check_url, messengers
from monitor.subscribers.port import Message, Tone

MESSAGE = Message(title="gye1: fuera de servicio", body="Falla confirmada.\n- gye1/http", tone=Tone.ALARM)


@dataclass
class Ear:
    """A service that hears JSON, or answers with an error while it is deaf."""

    heard: list[dict[str, str]] = field(default_factory=list)
    deaf: bool = False
    port: int = 0

    @property
    def url(self) -> SecretStr:
        return SecretStr(f"json://user:token@127.0.0.1:{self.port}/room")


@pytest.fixture
def make_ear() -> Iterator[type[Ear]]:
    servers: list[ThreadingHTTPServer] = []

    def make() -> Ear:
        ear = Ear()

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_args: object) -> None:
                """Keep the test's output clean."""

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if not ear.deaf:
                    ear.heard.append(json.loads(body))
                self.send_response(500 if ear.deaf else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}).start()
        servers.append(server)
        ear.port = int(server.server_address[1])
        return ear

    yield make  # type: ignore[misc]
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_message_arrives_with_its_title_text_and_tone(make_ear: type[Ear]) -> None:
    ear = make_ear()
    assert AppriseMessenger(ear.url).tell(MESSAGE)
    [heard] = ear.heard
    assert (heard["title"], heard["message"], heard["type"]) == (MESSAGE.title, MESSAGE.body, "failure")


def test_each_message_has_its_tone(make_ear: type[Ear]) -> None:
    ear = make_ear()
    messenger = AppriseMessenger(ear.url)
    messenger.tell(MESSAGE)
    messenger.tell(Message(title="again", body="again", tone=Tone.RELIEF))
    assert [heard["type"] for heard in ear.heard] == ["failure", "success"]


def test_every_url_has_a_name_that_stays_and_tells_no_secret() -> None:
    urls = [SecretStr(f"json://user:{word}@127.0.0.1:1/room") for word in ("token", "other", "token")]
    names = list(messengers(urls))
    assert names == list(messengers(urls[:2]))
    assert len(names) == 2
    assert all(re.fullmatch(r"json-[0-9a-f]{8}", name) for name in names)


def test_an_answer_that_is_no_success_is_a_failure(make_ear: type[Ear]) -> None:
    ear = make_ear()
    ear.deaf = True
    assert not AppriseMessenger(ear.url).tell(MESSAGE)


def test_nobody_listening_is_a_failure_that_may_be_tried_again(make_ear: type[Ear]) -> None:
    ear = make_ear()
    ear.port = 1
    assert not AppriseMessenger(ear.url).tell(MESSAGE)


@pytest.mark.parametrize("scheme", sorted(LOCAL_SCHEMES))
def test_a_scheme_that_acts_on_our_own_machine_is_refused(scheme: str) -> None:
    with pytest.raises(ChannelError, match=scheme):
        check_url(f"{scheme}:///etc/passwd")
    with pytest.raises(ChannelError):
        AppriseMessenger(SecretStr(f"{scheme.upper()}://x"))


@pytest.mark.parametrize("url", ["", "nonsense", "nosuchservice://user:word@host", "http://"])
def test_a_url_that_nobody_understands_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(ChannelError) as caught:
        check_url(url)
    assert "word" not in str(caught.value)


def test_a_good_url_gives_its_scheme() -> None:
    assert check_url("json://127.0.0.1:1/") == "json"
