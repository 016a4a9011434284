"""Whatever lies in a mailbox is a letter that can be stored, shown and answered."""

from __future__ import annotations

from hypothesis import strategies as st

from monitor.post.html import words_of
from monitor.post.quoting import new_words
from monitor.post.reading import TEXT_LIMIT, read
from tests.fuzz.mutating import mutated
from tests.fuzz.survival import survives

LETTERS = (
    (
        b"From: Ana <a@b.test>\r\nTo: c@d.test, e@f.test\r\nSubject: =?utf-8?q?Ca=C3=ADda?=\r\nMessage-ID: <1@b.test>\r\n"
        b"In-Reply-To: <0@b.test>\r\nReferences: <z@b.test> <0@b.test>\r\nContent-Type: multipart/mixed; boundary=B\r\n\r\n"
        b"--B\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nca=C3=ADda\r\n"
        b"--B\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\nPHA+aG9sYTwvcD4=\r\n"
        b"--B\r\nContent-Type: image/png\r\nContent-Disposition: attachment; filename*=utf-8''%C3%B1.png\r\n\r\nx\r\n--B--\r\n"
    ),
    (
        b"Return-Path: <>\r\nFrom: MAILER-DAEMON@x.test\r\nContent-Type: multipart/report; boundary=R\r\n\r\n"
        b"--R\r\n\r\nfailed\r\n--R\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\nStatus: 5.1.1\r\n"
        b"--R\r\nContent-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\ny\r\n--R--\r\n"
    ),
    b"From: a@b.test\nSubject: x\nContent-Transfer-Encoding: uuencode\n\nbegin 644 x\n#0V%T\n`\nend\n",
    b"From: a@b.test\r\nContent-Type: text/html; charset=windows-1252\r\n\r\n<p>uno<br>dos<!-- x --><script>y</script>&ntilde;",
)


@survives(st.binary(max_size=300) | mutated(LETTERS))
def test_any_letter(raw: bytes) -> None:
    found = read(raw)
    for words in (found.body, found.subject, found.name, found.sender, *found.thread, *found.recipients):
        words.encode()
        assert all(letter.isprintable() or letter in "\n\t" for letter in words)
    assert len(found.body) <= TEXT_LIMIT
    assert found.identity.startswith("<")
    assert found.identity.endswith(">")
    assert "\n" not in found.subject + found.name + found.sender
    assert found == read(raw)


@survives(
    st.text(max_size=300)
    | mutated(("<p>uno<br>dos<!-- x --><script>y</script>&ntilde;<![CDATA[z]]><a href='x'>w</a>",))
)
def test_the_words_of_any_page(page: str) -> None:
    assert "<script>y" not in words_of(page) or "<script>y</script>" not in page


@survives(
    st.text(max_size=300)
    | mutated(
        ("Sí\n\nEl lun, Ana escribió:\n> hola\n", "x\n-----Mensaje original-----\nDe: a@b\nAsunto: y\n")
    )
)
def test_the_new_words_of_any_answer(body: str) -> None:
    assert set(new_words(body)) <= set(body)
