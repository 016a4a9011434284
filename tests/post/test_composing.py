"""A letter as it is composed, read back by the standard library's own reader."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.post.composing import Letter, compose, one_line
from monitor.post.port import plain_address
from monitor.post.reading import read

LETTER = Letter(
    sender="vigia@nodored.example",
    recipient="soporte@nodored.example",
    subject="[VG-ABCDEFGH-01JD9ZK3V8QW5R7T2M4N6P8S0A] gye1: fuera de servicio",
    body="Se confirmó una falla.\n",
    identity="<VG-ABCDEFGH-01JD9ZK3V8QW5R7T2M4N6P8S0A-comment-12345@estado.a-long-name.nodored.example>",
    at=datetime(2026, 11, 22, 15, 0, tzinfo=UTC),
)
ANY_TEXT = st.text(max_size=300)


@given(subject=ANY_TEXT, name=ANY_TEXT, body=ANY_TEXT)
def test_whatever_the_words_are_the_headers_are_ours(subject: str, name: str, body: str) -> None:
    raw = compose(replace(LETTER, subject=subject, name=name, body=body))
    message = message_from_bytes(raw, policy=default)
    assert sorted(message.keys()) == sorted(
        [
            "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "X-Auto-Response-Suppress",
            "MIME-Version", "Content-Type", "Content-Transfer-Encoding",
        ]
    )  # fmt: skip
    assert message["Message-ID"] == LETTER.identity
    found = read(raw)
    assert found.sender == LETTER.sender
    assert found.recipients == (LETTER.recipient,)
    assert found.subject == one_line(subject)[:400].strip()
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert b"\n" not in raw.replace(b"\r\n", b"")


@given(
    body=st.text(
        st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), min_size=1, max_size=300
    )
)
def test_the_words_arrive_as_they_were(body: str) -> None:
    shown = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in body)
    message = message_from_bytes(compose(replace(LETTER, body=body)))
    content = message.get_payload(decode=True)
    assert isinstance(content, bytes)
    assert content.decode().replace("\r\n", "\n") == shown + "\n"


@pytest.mark.parametrize("field", ["identity", "in_reply_to", "sender", "recipient"])
@pytest.mark.parametrize(
    "value", ["a@b.test\r\nBcc: c@d.test", "a@b.test c@d.test", "ñ@b.test", "a\0@b.test"]
)
def test_what_must_be_one_word_is_one_or_nothing_is_sent(field: str, value: str) -> None:
    with pytest.raises(ValueError, match="no single word"):
        compose(replace(LETTER, **{field: value}))


def test_a_long_thread_keeps_its_first_and_its_newest_letters() -> None:
    before = [f"<{number}@nodored.example>" for number in range(300)]
    raw = compose(replace(LETTER, references=before, in_reply_to=before[-1]))
    assert read(raw).references == (before[0], *before[-19:])
    assert read(raw).in_reply_to == (before[-1],)


def test_an_identifier_stands_on_the_line_of_its_name() -> None:
    raw = compose(replace(LETTER, in_reply_to=LETTER.identity))
    for name in ("Message-ID", "In-Reply-To", "References"):
        assert re.search(rf"(?m)^{name}: <VG-\S+>\r$", raw.decode())


def test_urgency_and_silence_of_machines_can_be_said_or_left_out() -> None:
    urgent = compose(replace(LETTER, urgency=1, automatic=False))
    assert b"X-Priority: 1\r\nImportance: High\r\n" in urgent
    assert b"Auto-Submitted" not in urgent
    assert b"X-Priority" not in compose(LETTER)
    assert read(compose(LETTER)).automatic
    assert not read(urgent).automatic


@pytest.mark.parametrize(
    ("given_", "wanted"),
    [("Soporte@Nodored.com", "Soporte@Nodored.com"), ("a.b+c@ñandú.example", "a.b+c@xn--and-6ma2c.example")],
)
def test_an_address_in_ascii(given_: str, wanted: str) -> None:
    assert plain_address(given_) == wanted


@pytest.mark.parametrize(
    "wrong",
    ["", "a", "a@", "@b", "a b@c.test", "ñ@c.test", "a@b@c", "A <a@b.test>", "a@b..test", "a@b\n.test"],
)
def test_what_is_no_address(wrong: str) -> None:
    with pytest.raises(ValueError):
        plain_address(wrong)
