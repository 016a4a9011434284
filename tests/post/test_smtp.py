"""One letter to one server: a real one, and those that refuse, hang and hang up in each place of the conversation."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from monitor.post.composing import Letter, compose
from monitor.post.port import Outcome, PostError, SmtpOptions
from monitor.post.smtp import Envelope, send
from tests.servers.certificates import Files, make_files
from tests.servers.dovecot import PASSWORD, USER, Dovecot
from tests.servers.post_office import post_office
from tests.servers.talking import HANG, LEAVE, talking

LETTER = compose(
    Letter(
        sender="vigia@nodored.example",
        recipient="soporte@nodored.example",
        subject="prueba",
        body=".\n..dos\nlargo " + "x" * 2000 + "\nñandú",
        identity="<one@nodored.example>",
        at=datetime(2026, 11, 22, 15, 0, tzinfo=UTC),
    )
)
ENVELOPE = Envelope(sender="vigia@nodored.example", recipient="soporte@nodored.example", letter=LETTER)
GREETING = b"220 ready\r\n"
TALK = {
    b"EHLO": b"250-hello\r\n250 8BITMIME\r\n",
    b"MAIL": b"250 ok\r\n",
    b"RCPT": b"250 ok\r\n",
    b"DATA": b"354 go\r\n",
    b".\r\n": b"250 taken\r\n",
    b"QUIT": LEAVE,
    b"": b"",
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return make_files(tmp_path_factory.mktemp("files"))


@pytest.fixture(scope="module")
def dovecot(files: Files) -> Iterator[Dovecot]:
    with post_office() as relay:
        server = Dovecot(files, relay=relay.port)
        try:
            server.start()
            server.relay = relay  # type: ignore[attr-defined]
            yield server
        finally:
            server.stop()


def at(port: int, **more: object) -> SmtpOptions:
    return SmtpOptions.model_validate({"host": "127.0.0.1", "port": port, **more})


def failure(port: int, within: float = 30.0, **more: object) -> PostError:
    with pytest.raises(PostError) as caught:
        send(at(port, **more), ENVELOPE, timedelta(seconds=within))
    return caught.value


def test_a_letter_arrives_letter_by_letter() -> None:
    with post_office() as office:
        send(at(office.port), ENVELOPE)
    assert office.taken == [LETTER]
    assert office.envelopes == [("vigia@nodored.example", "soporte@nodored.example")]


@pytest.mark.system("dovecot")
def test_a_letter_is_submitted_by_starttls_and_password(dovecot: Dovecot, files: Files) -> None:
    options = at(
        dovecot.submission,
        security="starttls",
        user=USER,
        password=SecretStr(PASSWORD),
        ca_file=str(files.ca),
    )
    taken = dovecot.relay.taken  # type: ignore[attr-defined]
    send(options, ENVELOPE)
    assert LETTER.partition(b"\r\n\r\n")[2] in taken[-1]
    wrong = options.model_copy(update={"password": SecretStr("wrong-one")})
    with pytest.raises(PostError) as caught:
        send(wrong, ENVELOPE)
    assert caught.value.outcome is Outcome.FORBIDDEN
    assert "wrong-one" not in repr(caught.value)
    stranger = options.model_copy(update={"ca_file": None})
    with pytest.raises(PostError, match="certificate") as caught:
        send(stranger, ENVELOPE)
    assert caught.value.outcome is Outcome.NOT_SENT


@pytest.mark.parametrize("key", [b"EHLO", b"MAIL", b"RCPT", b"DATA"])
@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (b"451 later\r\n", Outcome.NOT_SENT),
        (b"421 closing\r\n", Outcome.NOT_SENT),
        (LEAVE, Outcome.NOT_SENT),
        (b"no number\r\n", Outcome.NOT_SENT),
    ],
)
def test_until_the_letter_goes_nothing_can_have_happened(key: bytes, answer: bytes, outcome: Outcome) -> None:
    with talking(GREETING, {b"HELO": answer, **TALK, key: answer}) as server:
        assert failure(server.port).outcome is outcome


@pytest.mark.parametrize("key", [b"MAIL", b"RCPT", b"DATA", b".\r\n"])
def test_a_refusal_for_good_is_one(key: bytes) -> None:
    with talking(GREETING, {**TALK, key: b"550 5.1.1 no\r\n"}) as server:
        error = failure(server.port)
    assert (error.outcome, str(error)) == (Outcome.REFUSED, "the mail server answers 550")


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (LEAVE, Outcome.UNCERTAIN),
        (b"?\r\n", Outcome.UNCERTAIN),
        (b"200 what\r\n", Outcome.UNCERTAIN),
        (b"451 not now\r\n", Outcome.NOT_SENT),
    ],
)
def test_after_the_letter_only_an_answer_tells(answer: bytes, outcome: Outcome) -> None:
    with talking(GREETING, {**TALK, b".\r\n": answer}) as server:
        assert failure(server.port).outcome is outcome


@pytest.mark.parametrize(
    ("key", "outcome"),
    [(b"EHLO", Outcome.NOT_SENT), (b"DATA", Outcome.NOT_SENT), (b".\r\n", Outcome.UNCERTAIN)],
)
def test_one_deadline_holds_for_everything(key: bytes, outcome: Outcome) -> None:
    with talking(GREETING, {**TALK, key: HANG}) as server:
        error = failure(server.port, within=0.5)
    assert error.outcome is outcome
    assert "in time" in str(error)


def test_an_answer_without_end_fills_no_memory() -> None:
    with talking(GREETING, {**TALK, b"EHLO": b"250-more and more\r\n" * 10_000}) as server:
        error = failure(server.port, within=10.0)
    assert (error.outcome, str(error)) == (Outcome.NOT_SENT, "the connection to the mail server broke")


def test_who_goes_after_the_letter_was_taken_took_it() -> None:
    with talking(GREETING, TALK) as server:
        send(at(server.port), ENVELOPE)
    assert b"..\r\n" in server.heard
    assert b"...dos\r\n" in server.heard


def test_nothing_goes_in_clear_where_starttls_was_asked_for() -> None:
    with talking(GREETING, {**TALK, b"EHLO": b"250-hello\r\n250 AUTH PLAIN LOGIN\r\n"}) as server:
        error = failure(server.port, security="starttls", user="u", password="secret")
    assert error.outcome is Outcome.FORBIDDEN
    assert [line[:4].upper() for line in server.heard] == [b"EHLO"]


def test_nobody_listening_is_surely_not_sent() -> None:
    with talking(GREETING, TALK) as server:
        port = server.port
    assert failure(port).outcome is Outcome.NOT_SENT


@pytest.mark.parametrize(
    ("given", "security"),
    [
        ({"host": "127.0.0.1", "port": 25}, "none"),
        ({"host": "::1"}, "none"),
        ({"host": "localhost"}, "none"),
        ({"host": "mail.test"}, "starttls"),
        ({"host": "mail.test", "port": 465}, "tls"),
        ({"host": "127.0.0.1", "security": "starttls"}, "starttls"),
    ],
)
def test_how_a_server_is_spoken_to_without_being_told(given: dict[str, object], security: str) -> None:
    assert SmtpOptions.model_validate(given).security == security


@pytest.mark.parametrize(
    "given",
    [
        {"host": "9.9.9.9", "security": "none"},
        {"host": "mail.test", "user": "only"},
        {"host": "mail.test", "password": "only-a-password"},
        {"host": "smtp://mail.test"},
        {"host": ""},
        {"host": "mail.test", "port": 0},
        {"host": "mail.test", "tls": True},
    ],
)
def test_what_contradicts_itself_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        SmtpOptions.model_validate(given)


def test_a_certificate_file_that_is_missing_is_said(tmp_path: Path) -> None:
    missing = tmp_path / "no.pem"
    with pytest.raises(ValidationError, match=r"no\.pem"):
        at(9, security="tls", ca_file=str(missing))
    # It may go away later.
    options = at(9, security="tls").model_copy(update={"ca_file": str(missing)})
    with pytest.raises(PostError) as caught:
        send(options, ENVELOPE)
    assert caught.value.outcome is Outcome.FORBIDDEN
