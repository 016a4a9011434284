"""Parsers of what mail servers say, and the words that go to them."""

from __future__ import annotations

import base64
import re

from hypothesis import strategies as st

from monitor.checks.contract import Look
from monitor.checks.mailflow import probe_of
from monitor.checks.mailing.imap_session import (
    capabilities_of,
    found_of,
    literal_size,
    mailbox_word,
    messages_of,
    parse_greeting,
    parse_tagged,
)
from monitor.checks.mailing.mail import MailLogin, concealed, mechanism_of, sasl_reply, sasl_rounds
from monitor.checks.mailing.smtp_session import Reply, offers_of, parse_reply_line
from monitor.checks.pop3 import parse_answer, parse_count
from monitor.observation import Outcome
from tests.fuzz.mutating import mutated
from tests.fuzz.survival import survives

SAID = (
    b"250-mail.test Hello",
    b"220 ready",
    b"250 AUTH=PLAIN LOGIN",
    b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready",
    b"* CAPABILITY IMAP4rev1 LOGINDISABLED",
    b"* SEARCH 1 2 99",
    b"* 23 EXISTS",
    b"V1 NO [UNAVAILABLE] later",
    b"+OK 3 1234 octets",
    b"-ERR [IN-USE] locked",
    b"+ PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2U+",
    (
        b"* 7 FETCH (UID 9 BODY[HEADER.FIELDS (MESSAGE-ID)] {66}\r\n"
        b"Message-ID: <vigia.0123456789abcdef.1700000000.00ff@ok.test>\r\n\r\n)"
    ),
)


LINES = st.binary(max_size=200) | mutated(SAID)


@survives(LINES)
def test_a_reply_of_smtp(line: bytes) -> None:
    try:
        code, _, text = parse_reply_line(line)
    except ValueError:
        return
    assert 200 <= code < 600
    assert len(str(Reply(code, (text,)))) <= 120


@survives(st.lists(LINES, max_size=5))
def test_what_smtp_offers(lines: list[bytes]) -> None:
    texts = tuple(line.decode(errors="replace") for line in lines) or ("",)
    offers = offers_of(Reply(250, texts))
    assert len(offers) <= len(texts)
    mechanism_of(offers.get("AUTH", "").split())


@survives(LINES)
def test_the_end_of_an_imap_command(line: bytes) -> None:
    try:
        _, status, _ = parse_tagged(line)
    except ValueError:
        return
    assert status in {"OK", "NO", "BAD"}


@survives(LINES)
def test_a_greeting_of_imap(line: bytes) -> None:
    try:
        status, _ = parse_greeting(line)
    except ValueError:
        return
    assert status in {"OK", "PREAUTH", "BYE"}


@survives(st.lists(LINES, max_size=5))
def test_the_data_of_imap(lines: list[bytes]) -> None:
    count = messages_of(lines)
    assert count is None or count >= 0
    assert all(number >= 0 for number in found_of(lines))
    assert all(word == word.upper() for word in capabilities_of(lines))
    assert all(literal_size(line) is None or line.endswith(b"}") for line in lines)


@survives(LINES)
def test_a_message_of_ours(response: bytes) -> None:
    probe = probe_of(response)
    assert probe is None or f"<{probe.message_id}>".encode() in response


@survives(LINES)
def test_an_answer_of_pop3(line: bytes) -> None:
    try:
        answer = parse_answer(line)
    except ValueError:
        return
    assert len(str(answer)) <= 120


@survives(LINES)
def test_a_count_of_pop3(line: bytes) -> None:
    try:
        messages, size = parse_count(line.decode(errors="replace"))
    except ValueError:
        return
    assert min(messages, size) >= 0


@survives(st.sampled_from(["PLAIN", "LOGIN", "CRAM-MD5"]), LINES)
def test_a_challenge(mechanism: str, line: bytes) -> None:
    login = MailLogin(user="álice", password="pass\\word")
    for said in sasl_rounds(mechanism, login):
        try:
            reply = sasl_reply(said, line.decode(errors="replace"))
        except ValueError:
            continue
        assert base64.b64decode(reply, validate=True)


@survives(st.text(min_size=1, max_size=40))
def test_the_name_of_a_mailbox(name: str) -> None:
    """Whatever a mailbox is called, its name neither ends the string nor the command."""
    word = mailbox_word(name.replace("\x00", "")).encode("ascii")
    printable = re.sub(rb"[\x01-\x1f\x7f]", b"", word)
    assert re.fullmatch(rb'"(?:[^"\\]|\\["\\])*"', printable)


@survives(st.text(max_size=40), st.text(min_size=1, max_size=20))
def test_nothing_of_a_login_is_shown(around: str, password: str) -> None:
    login = MailLogin.model_construct(user="alice", password=password.encode(errors="replace").decode())
    said = base64.b64encode(f"\0alice\0{login.password}".encode()).decode()
    look = concealed(Look(outcome=Outcome.DOWN, found=said, excerpt=f"{around}{said}{around}"), login)
    assert said not in look.found + look.excerpt
