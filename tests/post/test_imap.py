"""A mailbox as it is read: a real server, and those that lie about it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import pytest
from pydantic import SecretStr

from monitor.post.imap import LETTER_LIMIT, Place, opened
from monitor.post.port import ImapOptions, Outcome, PostError
from monitor.post.reading import read
from tests.servers.certificates import Files, make_files, wall_time
from tests.servers.dovecot import PASSWORD, USER, Dovecot
from tests.servers.talking import HANG, talking

DAWN = date(2026, 1, 1)
GREETING = b"* OK [CAPABILITY IMAP4rev1] ready\r\n"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return make_files(tmp_path_factory.mktemp("files"))


@pytest.fixture(scope="module")
def dovecot(files: Files) -> Iterator[Dovecot]:
    server = Dovecot(files)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def at(server: Dovecot, **more: object) -> ImapOptions:
    known = {"host": "127.0.0.1", "port": server.port, "user": USER, "password": SecretStr(PASSWORD)}
    return ImapOptions.model_validate({**known, **more})


def letter(number: int) -> bytes:
    return f"Subject: {number}\r\nMessage-ID: <{number}@ok.test>\r\n\r\nwords\r\n".encode()


@pytest.mark.system("dovecot")
def test_every_letter_is_read_once_and_in_order(dovecot: Dovecot) -> None:
    dovecot.empty()
    options = at(dovecot)
    with opened(options) as mailbox:
        start = mailbox.end()
    for number in range(5):
        dovecot.put(letter(number))
    with opened(options) as mailbox:
        first = list(mailbox.new(start, 3))
        mailbox.settle([each.place for each in first])
    with opened(options) as mailbox:
        second = list(mailbox.new(first[-1].place, 3))
    assert [each.raw for each in first + second] == [letter(number) for number in range(5)]
    with opened(options) as mailbox:
        assert list(mailbox.new(second[-1].place, 3)) == []
        anew = Place(second[-1].place.validity + 1, second[-1].place.uid)
        # A mailbox that counts anew gives what nobody has settled.
        assert [each.raw for each in mailbox.new(anew, 10)] == [letter(3), letter(4)]
        today = wall_time().date()
        assert len(list(mailbox.new(today - timedelta(days=1), 10))) == 5
        assert list(mailbox.new(today + timedelta(days=2), 10)) == []
        assert mailbox.end() == second[-1].place


@pytest.mark.system("dovecot")
def test_what_is_handled_is_moved_and_what_is_read_is_seen(dovecot: Dovecot) -> None:
    dovecot.empty()
    dovecot.put(letter(1))
    with opened(at(dovecot)) as mailbox:
        [one] = mailbox.new(DAWN, 9)
        with dovecot.client() as client:
            client.select(readonly=True)
            assert client.search(None, "UNSEEN")[1] == [b"1"]
        mailbox.settle([one.place])
    with dovecot.client() as client:
        client.select(readonly=True)
        assert client.search(None, "UNSEEN")[1] == [b""]
    dovecot.put(letter(2))
    with opened(at(dovecot, handled="Atendidos ñ")) as mailbox:
        found = list(mailbox.new(one.place, 9))
        mailbox.settle([each.place for each in found])
    assert [each.raw for each in found] == [letter(2)]
    assert len(dovecot.letters()) == 1
    with opened(at(dovecot, mailbox="Atendidos ñ")) as mailbox:
        assert [each.raw for each in mailbox.new(DAWN, 9)] == [letter(2)]


@pytest.mark.system("dovecot")
def test_of_a_long_letter_the_beginning_is_read_and_that_it_is_cut(dovecot: Dovecot) -> None:
    dovecot.empty()
    whole = letter(1) + b"x" * (LETTER_LIMIT - len(letter(1)))
    dovecot.put(whole)
    dovecot.put(whole + b"yz")
    with opened(at(dovecot)) as mailbox:
        told = [each.raw for each in mailbox.new(DAWN, 9)]
    assert told == [whole, whole + b"y"]
    assert [read(raw).cut for raw in told] == [False, True]


@pytest.mark.system("dovecot")
def test_what_the_server_refuses_to_mark_is_not_asked_for_again(dovecot: Dovecot) -> None:
    dovecot.empty()
    dovecot.put(letter(1))
    with opened(at(dovecot)) as mailbox:
        [one] = mailbox.new(DAWN, 9)
    handled = [one.place]
    with pytest.raises(PostError) as caught, opened(at(dovecot, handled="no//such")) as mailbox:
        mailbox.settle(handled)
    assert (caught.value.outcome, handled) == (Outcome.REFUSED, [])


@pytest.mark.system("dovecot")
@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_a_mailbox_is_read_behind_tls(dovecot: Dovecot, files: Files, security: str) -> None:
    port = dovecot.imaps if security == "tls" else dovecot.port
    with opened(at(dovecot, port=port, security=security, ca_file=str(files.ca))) as mailbox:
        list(mailbox.new(DAWN, 1))
    with pytest.raises(PostError, match="certificate"), opened(at(dovecot, port=port, security=security)):
        pass


@pytest.mark.system("dovecot")
def test_a_wrong_password_is_forbidden_and_quoted_nowhere(dovecot: Dovecot) -> None:
    with pytest.raises(PostError) as caught, opened(at(dovecot, password=SecretStr("not-that-one"))):
        pass
    assert caught.value.outcome is Outcome.FORBIDDEN
    assert "not-that-one" not in repr(caught.value) + repr(caught.value.__context__)


@pytest.mark.system("dovecot")
def test_a_mailbox_that_is_not_there_is_refused(dovecot: Dovecot) -> None:
    with pytest.raises(PostError) as caught, opened(at(dovecot, mailbox="Nowhere")):
        pass
    assert caught.value.outcome is Outcome.REFUSED


@pytest.mark.parametrize(
    "greeting",
    [
        pytest.param(b"* OK ready\r\n", id="silent"),
        pytest.param(b"220 not imap\r\n", id="smtp"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_one_deadline_holds_for_the_visit(greeting: bytes) -> None:
    with talking(greeting, {b"": HANG}) as server:
        options = ImapOptions.model_validate({"host": "127.0.0.1", "port": server.port})
        with pytest.raises(PostError) as caught, opened(options, timedelta(seconds=0.5)):
            pass
    assert caught.value.outcome is Outcome.NOT_SENT


def test_a_letter_that_is_said_to_be_endless_is_not_waited_for() -> None:
    answers = {b"": b"* CAPABILITY IMAP4rev1\r\n* 1 FETCH (BODY[] {99999999999}\r\n"}
    with talking(GREETING, answers) as server:
        options = ImapOptions.model_validate({"host": "127.0.0.1", "port": server.port})
        with pytest.raises(PostError) as caught, opened(options):
            pass
    assert caught.value.outcome is Outcome.NOT_SENT
