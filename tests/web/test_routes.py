"""Every address of the table answers, in both languages."""

from __future__ import annotations

import pytest

from tests.web.builders import NOW, ulid_of

LOCALISED = [
    ("/", "text/html"),
    ("/servers/gye1", "text/html"),
    (f"/incidents/{ulid_of(7)}", "text/html"),
    ("/windows/kernel", "text/html"),
    ("/history/2026-11", "text/html"),
    ("/support", "text/html"),
    ("/support/answer-time/soporte.txt", "text/plain"),
    ("/support/answer-time/soporte.html", "text/html"),
    *(
        (f"{scope}/{kind}.{form}", f"application/{form}+xml")
        for scope in ("", "/servers/gye1")
        for kind in ("history", "updates")
        for form in ("rss", "atom")
    ),
]
SINGLE = [
    ("/metrics", "text/plain"),
    ("/healthz", "text/plain"),
    ("/readyz", "application/json"),
    ("/robots.txt", "text/plain"),
    ("/api/v1/support.json", "application/json"),
    ("/favicon.svg", "image/svg+xml"),
]


@pytest.mark.parametrize("prefix", ["", "/en"])
@pytest.mark.parametrize(("path", "kind"), LOCALISED)
def test_a_public_address_answers_in_both_languages(served, prefix, path, kind):
    answer = served.get(prefix + path)

    assert answer.status_code == 200
    assert answer.mimetype == kind
    assert answer.headers["Cache-Control"].startswith("public, max-age=5")


@pytest.mark.parametrize(("path", "kind"), SINGLE)
def test_an_address_without_a_language_answers(served, path, kind):
    assert served.get(path, environ_base={"REMOTE_ADDR": "127.0.0.1"}).mimetype == kind


def test_the_table_of_this_file_is_complete(visit):
    """A new address has to be added here, so that it is looked at in both languages."""
    told = {rule.rule for rule in visit.application.url_map.iter_rules()}
    bare = {rule for rule in told if not rule.startswith("/<any")}

    assert len(bare) == len(LOCALISED) + len(SINGLE) + len(["/history", "/static/<name>"])
    assert len(told) - len(bare) == len(LOCALISED) + len(["/history"])


@pytest.mark.parametrize(
    ("path", "language", "title"),
    [("/nada", "es", "Esta página no existe"), ("/en/nothing", "en", "This page does not exist")],
)
def test_a_missing_page_speaks_the_language_of_its_path(served, path, language, title):
    answer = served.get(path)

    assert answer.status_code == 404
    assert f'lang="{language}"' in answer.text
    assert title in answer.text


@pytest.mark.parametrize(
    "path", ["/servers/none", "/servers/none/history.rss", "/windows/none", "/fr/", "/es/nada"]
)
def test_what_does_not_exist_is_not_found(served, path):
    assert served.get(path).status_code == 404


@pytest.mark.parametrize(
    ("path", "title"),
    [
        ("/support", "La página de estado se está iniciando"),
        ("/en/servers/new1", "The status page is starting"),
    ],
)
def test_nothing_is_called_missing_before_anything_was_published(reader, served, path, title):
    reader.show(heard_at=None, support=None)

    answer = served.get(path)

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert title in answer.text
    assert "no-store" in answer.headers["Cache-Control"]

    reader.show(heard_at=NOW)
    assert served.get(path).status_code == 404


def test_the_first_language_has_one_address(served):
    assert served.get("/es/servers/gye1").headers["Location"] == "/servers/gye1"
    assert served.get("/es/").headers["Location"] == "/"
