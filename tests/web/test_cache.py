"""Bytes in front of the application: rendered once, answered from memory, never mixed up."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable, Iterable

import brotli
import pytest
from werkzeug.test import Client, create_environ

from web.cache import ByteCache, Encoding, accepted, matches

BODY = b"<p>" + b"estado " * 200


class Shop:
    """An application that counts its renderings, with a version and a clock that the test turns."""

    def __init__(self) -> None:
        self.calls: list[dict[str, object]] = []
        self.version = 1
        self.seconds = 0.0
        self.control = "public, max-age=5"
        self.status = "200 OK"
        self.gate: Callable[[], object] = lambda: None

    def __call__(self, environ, start_response) -> Iterable[bytes]:
        self.calls.append(dict(environ))
        self.gate()
        headers = [("Content-Type", "text/html; charset=utf-8"), ("Cache-Control", self.control)]
        start_response(self.status, headers)
        return [BODY, f"{environ['PATH_INFO']} {self.version}".encode()]

    def cached(self, **dials: object) -> Client:
        return Client(
            ByteCache(self, version=lambda: self.version, monotonic=lambda: self.seconds, **dials)  # type: ignore[arg-type]
        )


@pytest.fixture
def shop() -> Shop:
    return Shop()


def test_an_address_is_rendered_once_for_a_picture(shop):
    client = shop.cached()

    answers = {client.get("/").data for _ in range(5)}

    assert len(answers) == 1
    assert len(shop.calls) == 1


def test_a_new_picture_is_shown_at_the_next_visit(shop):
    client = shop.cached()
    client.get("/")
    shop.version, shop.seconds = 2, 1.0

    assert client.get("/").data.endswith(b"/ 2")


def test_pictures_that_follow_each_other_within_a_second_are_rendered_once(shop):
    client = shop.cached()
    for version in range(1, 11):
        shop.version, shop.seconds = version, version / 20
        client.get("/")

    assert len(shop.calls) == 1
    shop.seconds = 1.1
    assert client.get("/").data.endswith(b"/ 10")


@pytest.mark.parametrize(
    ("header", "encoding", "unpack"),
    [
        ("br, gzip", "br", brotli.decompress),
        ("gzip", "gzip", gzip.decompress),
        ("gzip;q=1.0, br;q=0", "gzip", gzip.decompress),
        ("identity", None, bytes),
        ("", None, bytes),
        ("br;q=zero", None, bytes),
    ],
)
def test_each_visitor_gets_the_packing_that_is_understood(shop, header, encoding, unpack):
    answer = shop.cached().get("/", headers={"Accept-Encoding": header})

    assert answer.headers.get("Content-Encoding") == encoding
    assert unpack(answer.data) == BODY + b"/ 1"
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert int(answer.headers["Content-Length"]) == len(answer.data)


def test_the_packings_of_one_page_have_tags_of_their_own(shop):
    client = shop.cached()
    tags = {client.get("/", headers={"Accept-Encoding": name}).headers["ETag"] for name in ("br", "gzip", "")}

    assert len(tags) == 3
    assert not any(tag.startswith("W/") for tag in tags)


def test_what_the_visitor_has_already_is_not_sent_again(shop):
    client = shop.cached()
    first = client.get("/", headers={"Accept-Encoding": "br"})

    again = client.get(
        "/", headers={"Accept-Encoding": "br", "If-None-Match": f'"x", W/{first.headers["ETag"]}'}
    )

    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    assert again.headers["Cache-Control"] == "public, max-age=5"
    assert "Content-Type" not in again.headers


def test_a_tag_of_another_picture_brings_the_page(shop):
    client = shop.cached()
    old = client.get("/").headers["ETag"]
    shop.version, shop.seconds = 2, 5.0

    assert client.get("/", headers={"If-None-Match": old}).status_code == 200


def test_equal_bytes_keep_their_tag_when_the_picture_changes(shop):
    client = shop.cached()
    shop.version = "same"  # type: ignore[assignment]
    before = client.get("/").headers["ETag"]
    shop.seconds = 5.0

    assert client.get("/", headers={"If-None-Match": before}).status_code == 304


def test_head_is_get_without_the_body(shop):
    client = shop.cached()
    full, bare = client.get("/"), client.head("/")

    assert bare.data == b""
    assert bare.headers["Content-Length"] == str(len(full.data))
    assert len(shop.calls) == 1


def test_a_query_that_means_nothing_costs_nothing(shop):
    client = shop.cached()
    for number in range(20):
        client.get(f"/?utm={number}")

    assert len(shop.calls) == 1


def test_nothing_of_a_visit_reaches_the_rendering_but_the_path(shop):
    shop.cached().get(
        "/?q=<script>",
        headers={
            "Cookie": "a=1",
            "Host": "evil.example",
            "X-Forwarded-Host": "evil.example",
            "Accept-Language": "en",
        },
    )
    seen = shop.calls[0]

    assert not [name for name in seen if name.startswith("HTTP_")]
    assert seen["QUERY_STRING"] == ""


def test_visitors_of_one_address_wait_for_one_rendering(shop):
    everybody = threading.Barrier(9)
    entered, go = threading.Event(), threading.Event()

    def hold() -> None:
        entered.set()
        assert go.wait(60)

    shop.gate = hold
    client = shop.cached()
    answers: list[bytes] = []

    def visit() -> None:
        everybody.wait(60)
        answers.append(Client(client.application).get("/").data)

    threads = [threading.Thread(target=visit) for _ in range(8)]
    for thread in threads:
        thread.start()
    everybody.wait(60)
    assert entered.wait(60)
    go.set()
    for thread in threads:
        thread.join(60)

    assert len(answers) == 8
    assert len(set(answers)) == 1
    assert len(shop.calls) == 1


def test_a_rendering_that_breaks_frees_those_who_waited(shop):
    def broken() -> None:
        raise RuntimeError("the template is broken")

    shop.gate = broken
    client = shop.cached()
    with pytest.raises(RuntimeError):
        client.get("/")
    shop.gate = lambda: None

    assert client.get("/").status_code == 200


@pytest.mark.parametrize(
    ("status", "control"), [("404 NOT FOUND", "public"), ("500 BROKEN", "public"), ("200 OK", "no-store")]
)
def test_only_public_successes_are_kept(shop, status, control):
    shop.status, shop.control = status, control
    client = shop.cached()
    tag = client.get("/").headers["ETag"]
    again = client.get("/", headers={"If-None-Match": tag})

    assert len(shop.calls) == 2
    assert again.status_code == int(status[:3]), "what is not kept is always told in full"


def test_the_memory_is_bounded_and_the_oldest_answers_go_first(shop):
    client = shop.cached(limit=3 * (len(BODY) + 200))
    for number in range(50):
        client.get(f"/{number}")
    before = len(shop.calls)

    client.get("/49")
    client.get("/0")

    assert len(shop.calls) == before + 1


def test_what_depends_on_the_request_passes_by(shop):
    client = shop.cached(dynamic=frozenset({"/metrics"}))
    client.get("/metrics?names=blackbox", headers={"Accept": "text/plain"})

    assert shop.calls[0]["QUERY_STRING"] == "names=blackbox"
    assert shop.calls[0]["HTTP_ACCEPT"] == "text/plain"


def test_other_methods_pass_by(shop):
    client = shop.cached()
    client.post("/", data=b"x")
    client.post("/", data=b"x")

    assert [call["REQUEST_METHOD"] for call in shop.calls] == ["POST", "POST"]


def test_a_rendering_is_closed_like_any_other(shop):
    closed: list[bool] = []

    class Chunks(list[bytes]):
        def close(self) -> None:
            closed.append(True)

    def application(_environ, start_response):
        start_response("200 OK", [("Content-Type", "text/html"), ("Cache-Control", "public")])
        return Chunks([b"x"])

    cache = ByteCache(application, version=lambda: 1, monotonic=lambda: 0.0)
    Client(cache).get("/")

    assert closed == [True]


def test_small_and_binary_answers_are_sent_as_they_are():
    def application(_environ, start_response):
        start_response("200 OK", [("Content-Type", "image/png"), ("Cache-Control", "public")])
        return [b"\x89PNG" * 400]

    answer = Client(ByteCache(application, version=lambda: 1, monotonic=lambda: 0.0)).get(
        "/", headers={"Accept-Encoding": "br, gzip"}
    )

    assert "Content-Encoding" not in answer.headers


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("br", (Encoding.BROTLI, Encoding.PLAIN)),
        ("GZIP", (Encoding.GZIP, Encoding.PLAIN)),
        ("*", (Encoding.BROTLI, Encoding.GZIP, Encoding.PLAIN)),
        ("*;q=0.1, br;q=0", (Encoding.GZIP, Encoding.PLAIN)),
        (",;q=,;;", (Encoding.PLAIN,)),
    ],
)
def test_accept_encoding_is_read_with_its_weights(header, expected):
    assert accepted(header) == expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [('"a"', True), ('W/"a"', True), ('"b" , "a"', True), ("*", True), ('"b"', False), ("a", False)],
)
def test_if_none_match_is_compared_weakly(header, expected):
    assert matches(header, '"a"') is expected


def test_a_cached_answer_is_given_without_the_application(shop):
    client = shop.cached()
    client.get("/")
    shop.gate = lambda: pytest.fail("rendered again")
    begun: list[str] = []

    chunks = client.application(
        create_environ("/", method="GET"), lambda status, _headers, _error=None: begun.append(status)
    )

    assert begun == ["200 OK"]
    assert b"".join(chunks).endswith(b"/ 1")
