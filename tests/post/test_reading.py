"""Letters of others, as people and machines really write them."""

from __future__ import annotations

import time

import pytest

from monitor.post.html import words_of
from monitor.post.quoting import new_words
from monitor.post.reading import TEXT_LIMIT, Attachment, read

HEAD = b"From: Ana P\xc3\xa9rez <Ana@Cliente.Example>\r\nTo: soporte@nodored.example\r\nMessage-ID: <1@cliente.example>\r\n"


def plain(words: bytes, head: bytes = b"") -> bytes:
    return HEAD + head + b"\r\n" + words


def test_a_plain_letter() -> None:
    found = read(plain(b"No entra el correo.\r\n", b"Subject: =?iso-8859-1?Q?Ca=EDda?= de correo\r\n"))
    assert (found.sender, found.name, found.subject) == (
        "ana@cliente.example",
        "Ana Pérez",
        "Caída de correo",
    )
    assert found.recipients == ("soporte@nodored.example",)
    assert found.body == "No entra el correo."
    assert (found.identity, found.automatic, found.bounce) == ("<1@cliente.example>", False, False)


def test_a_raw_subject_is_guessed_as_a_body_is() -> None:
    assert read(plain(b"x", "Subject: Conexión caída\r\n".encode("latin-1"))).subject == "Conexión caída"
    assert read(plain(b"x", "Subject: Conexión caída\r\n".encode())).subject == "Conexión caída"


def test_what_is_neither_shown_nor_text_is_named_also_without_a_disposition() -> None:
    head = b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"\r\n'
    words = b"--b\r\n\r\nAdjunto.\r\n--b\r\nContent-Type: text/csv; name=t.csv\r\n\r\na,b\r\n--b--\r\n"
    assert read(plain(words, head)).attachments == (Attachment(name="t.csv", kind="text/csv", size=3),)


def test_the_thread_of_an_answer_nearest_first() -> None:
    found = read(plain(b"x", b"In-Reply-To: <c@x>\r\nReferences: <a@x>\r\n <b@x> <c@x>\r\n"))
    assert found.thread == ("<c@x>", "<b@x>", "<a@x>")


@pytest.mark.parametrize(
    ("content", "charset", "wanted"),
    [
        ("caída".encode("latin-1"), "utf-8", "caída"),
        ("caída".encode("latin-1"), "us-ascii", "caída"),
        ("caída".encode(), "iso-8859-1", "caÃ\xadda"),
        ("“caída”".encode("cp1252"), "nonsense", "“caída”"),
        ("caída".encode(), "", "caída"),
        (b"\x81\x8d", "utf-8", ""),
        (b"a+AAA-", "utf-7", "a+AAA-"),
        (b"a\\x41", "unicode_escape", "a\\x41"),
        (b"xn--a", "idna", "xn--a"),
        (b"zlib", "zlib", "zlib"),
    ],
)
def test_a_wrong_or_strange_charset(content: bytes, charset: str, wanted: str) -> None:
    head = f"Content-Type: text/plain; charset={charset}\r\nContent-Transfer-Encoding: 8bit\r\n".encode()
    assert read(plain(content, head if charset else b"")).body == "".join(
        letter for letter in wanted if letter.isprintable()
    )


def test_parts_words_before_html_and_attachments_by_name() -> None:
    raw = plain(
        b"--B\r\nContent-Type: multipart/alternative; boundary=C\r\n\r\n"
        b"--C\r\nContent-Type: text/plain\r\n\r\nlas palabras\r\n"
        b"--C\r\nContent-Type: text/html\r\n\r\n<p>otra cosa</p>\r\n--C--\r\n"
        b'--B\r\nContent-Type: image/png; name="=?utf-8?q?pantalla_=C3=B1.png?="\r\nContent-Transfer-Encoding: base64\r\n\r\n'
        b"aGVsbG8=\r\n"
        b"--B\r\nContent-Type: text/plain\r\nContent-Disposition: attachment; filename=log.txt\r\n\r\nerror 550\r\n"
        b"--B--\r\n",
        b"Content-Type: multipart/mixed; boundary=B\r\n",
    )
    found = read(raw)
    assert found.body == "las palabras\n\nerror 550"
    assert found.attachments == (
        Attachment(name="pantalla ñ.png", kind="image/png", size=5),
        Attachment(name="log.txt", kind="text/plain", size=9),
    )


def test_html_alone_is_told_in_words() -> None:
    page = b"<html><head><title>t</title><style>p{}</style></head><body><p>Hola&nbsp;Ana</p><ul><li>uno<li>dos</ul><script>x()</script></body>"
    assert read(plain(page, b"Content-Type: text/html\r\n")).body == "Hola Ana\n\n- uno\n- dos"


@pytest.mark.parametrize(
    "head",
    [
        b"Auto-Submitted: auto-replied\r\n",
        b"Auto-Submitted: AUTO-GENERATED; x=y\r\n",
        b"Precedence: bulk\r\n",
        b"List-Id: <a.b>\r\n",
        b"Return-Path: <>\r\n",
        b"X-Autoreply: yes\r\n",
        b"Content-Type: multipart/report; boundary=x\r\n",
    ],
)
def test_what_no_machine_may_answer(head: bytes) -> None:
    assert read(plain(b"x", head)).automatic


@pytest.mark.parametrize(
    ("head", "by_machine"),
    [
        (b"Precedence: bulk\r\n", False),
        (b"List-Id: <a.b>\r\n", False),
        (b"Precedence: bulk\r\nAuto-Submitted: auto-replied\r\n", True),
        (b"Precedence: auto_reply\r\n", True),
        (b"Return-Path: <>\r\n", True),
    ],
)
def test_the_words_of_people_that_a_helpdesk_sends_in_bulk_are_theirs(head: bytes, by_machine: bool) -> None:
    assert read(plain(b"x", head)).by_machine is by_machine
    assert read(plain(b"x", head)).automatic


def test_who_sends_as_a_daemon_is_one_and_an_absent_sender_as_well() -> None:
    assert read(b"From: MAILER-DAEMON@x.test\r\n\r\nx").automatic
    assert read(b"Subject: x\r\n\r\nx").automatic
    assert not read(plain(b"x", b"Auto-Submitted: no\r\n")).automatic


def test_a_letter_without_a_name_of_its_own_gets_the_same_one_again() -> None:
    one = read(b"From: a@b.test\r\n\r\nx")
    assert one.identity == read(b"From: a@b.test\r\n\r\nx").identity
    assert one.identity != read(b"From: a@b.test\r\n\r\ny").identity


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(
            HEAD
            + b"".join(
                b"Content-Type: multipart/mixed; boundary=%d\r\n\r\n--%d\r\n" % (n, n) for n in range(3000)
            )
            + b"x",
            id="nested",
        ),
        pytest.param(HEAD + b"Content-Type: message/rfc822\r\n\r\n" * 5000, id="letters in letters"),
        pytest.param(
            HEAD + b"Content-Type: multipart/mixed; boundary=a\r\n\r\n" + b"--a\r\n\r\nx\r\n" * 40_000,
            id="many parts",
        ),
        pytest.param(HEAD + b"Content-Type: text/html\r\n\r\n" + b"<a " * 200_000, id="open tags"),
        pytest.param(HEAD + b"Content-Type: text/html\r\n\r\n" + b"<!-" * 200_000, id="open comments"),
        pytest.param(HEAD + b"Content-Type: text/html\r\n\r\n" + b"<![" * 200_000, id="open marks"),
        pytest.param(HEAD + b"Content-Type: text/html\r\n\r\n" + b"</" * 200_000, id="open ends"),
        pytest.param(HEAD + b"Content-Type: text/html\r\n\r\n" + b"<div>" * 100_000, id="deep page"),
        pytest.param(b"Subject: " + b"=?utf-8?q?a?= " * 30_000 + b"\r\n\r\nx", id="encoded words"),
        pytest.param(b"From: " + b"(" * 400_000 + b"\r\n\r\nx", id="comments"),
        pytest.param(b"From: " + b'"<,' * 150_000 + b"\r\n\r\nx", id="addresses"),
        pytest.param(b"References: " + b"<a@b>" * 90_000 + b"\r\n\r\nx", id="references"),
        pytest.param(b"X: y\r\n" * 80_000 + b"\r\nx", id="headers"),
        pytest.param(b"To: a@b.test\r\n" * 30_000 + b"\r\nx", id="recipients"),
        pytest.param(HEAD + b"\r\n" + b"\n" * 500_000, id="lines"),
        pytest.param(
            HEAD + b'Content-Type: text/plain; x="' + b"\\" * 300_000 + b"\r\n\r\nx", id="parameters"
        ),
        pytest.param(
            HEAD + b"Content-Type: text/plain; " + b"a*0=b;" * 60_000 + b"\r\n\r\nx",
            id="pieces of parameters",
        ),
    ],
)
def test_a_hostile_letter_costs_no_more_than_a_long_one(raw: bytes) -> None:
    began = time.process_time()
    found = read(raw)
    new_words(found.body)
    # A guard against minutes, not a measure: a fair letter of this size takes a tenth of this.
    assert time.process_time() - began < 20
    assert len(found.body) <= TEXT_LIMIT
    assert len(found.recipients) <= 4000


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (
            "Gracias.\n\nOn Sun, Nov 22, 2026 at 10:00 AM Soporte <s@x> wrote:\n> Hola\n> ¿Qué tal?",
            "Gracias.",
        ),
        ("Listo\n\nEl dom, 22 nov 2026 a las 10:00, Soporte (<s@x>)\nescribió:\n\n> Hola", "Listo"),
        ("> ¿Funciona?\nSí.\n> ¿Y el correo?\nNo.", "Sí.\nNo."),
        ("El lun, Ana escribió:\n> a\nabajo", "abajo"),
        ("Sí\n\n-----Mensaje original-----\nDe: x", "Sí"),
        ("Sí\n________________________________\nDe: Ana <a@b>\nAsunto: x\nhola", "Sí"),
        ("Sí\nDe: Ana <a@b>\nEnviado: lunes\nAsunto: x\n\nhola", "Sí"),
        ("De: lo que dije @ayer\nnada", "De: lo que dije @ayer\nnada"),
        ("> solo cita", "> solo cita"),
        ("El servidor escribió:\nerror 5", "El servidor escribió:\nerror 5"),
        ("", ""),
    ],
)
def test_what_is_new_in_an_answer(body: str, wanted: str) -> None:
    assert new_words(body) == wanted


def test_words_of_a_page_that_is_broken() -> None:
    assert words_of("<b>uno<p>dos</i></p>&amp;&bogus;<") == "uno\ndos\n&&bogus;<"
