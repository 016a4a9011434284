"""Messages that arrive, arrive late, arrive elsewhere or never: two real servers, and one that lies."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import uvloop

from monitor.checks.contract import Look
from monitor.checks.mailflow import KIND, MailflowCheck, MailflowOptions, message_id_of, probe_of
from monitor.observation import Cause, Observation, Outcome
from tests.checks.mail_talks import look, repeated
from tests.servers import peers
from tests.servers.certificates import Files, make_files, wall_time
from tests.servers.dovecot import ADDRESS, PASSWORD, USER, Dovecot
from tests.servers.looking import TestSecrets, looker
from tests.servers.post_office import PostOffice, delivered_by, post_office
from tests.servers.scripted import scripted

LOGIN = {"user": USER, "password": PASSWORD}
FOREIGN = b"From: boss@ok.test\r\nSubject: the contract\r\nMessage-ID: <1@boss.test>\r\n\r\nKeep this.\r\n"

pytestmark = pytest.mark.system("dovecot")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return make_files(tmp_path_factory.mktemp("files"))


@pytest.fixture(scope="module")
def running(files: Files) -> Iterator[tuple[Dovecot, PostOffice]]:
    with post_office() as office:
        server = Dovecot(files, relay=office.port)
        try:
            server.start()
            yield server, office
        finally:
            server.stop()


@pytest.fixture
def dovecot(running: tuple[Dovecot, PostOffice]) -> Dovecot:
    """Return the server with mailboxes that hold nothing but somebody else's message."""
    server, _ = running
    for mailbox in ("INBOX", "Junk"):
        server.empty(mailbox)
    server.put(FOREIGN)
    return server


@pytest.fixture
def office(running: tuple[Dovecot, PostOffice]) -> PostOffice:
    """Return the relay, which hands everything on to the mailbox."""
    server, relay = running
    relay.taken.clear()
    relay.envelopes.clear()
    relay.recipients.clear()
    relay.deliver = delivered_by(server.lmtp, ADDRESS)
    return relay


def way(server: Dovecot, files: Files, **more: Any) -> dict[str, Any]:
    """Return options that go through submission and relay to the mailbox, with TLS and a login at both ends."""
    secured = {"host": "ok.test", "ca": str(files.ca), "login": LOGIN}
    imap = {**secured, "port": server.imaps, "tls": True, **more.pop("imap", {})}
    smtp = {
        **secured,
        "port": server.submission,
        "starttls": True,
        "ehlo": "probe.test",
        **more.pop("smtp", {}),
    }
    return {"from": ADDRESS, "smtp": smtp, "imap": imap, **more}


def options_of(server: Dovecot, files: Files, **more: Any) -> MailflowOptions:
    return MailflowOptions.model_validate(way(server, files, **more))


def figures(seen: Observation) -> dict[str, float]:
    return {measure.name: measure.value for measure in seen.measures}


def ours(options: MailflowOptions, age: timedelta, **changed: str) -> bytes:
    """Return a message of a check as it was sent so long ago."""
    mark = changed.get("mark", options.mark)
    message_id = message_id_of(mark, ADDRESS, wall_time() - age)
    return f"Subject: probe\r\nMessage-ID: <{message_id}>\r\n\r\nlate\r\n".encode()


def test_a_message_arrives_and_is_taken_away(
    dovecot: Dovecot, office: PostOffice, files: Files, tmp_path: Path
) -> None:
    seen = look(tmp_path, "mailflow", way(dovecot, files), seconds=60)
    assert (seen.outcome, seen.found) == (Outcome.OK, "")
    assert set(figures(seen)) == {"delivery", "late_messages"}
    assert 0 < figures(seen)["delivery"] < 60
    assert figures(seen)["late_messages"] == 0
    assert seen.tls_expires_at is not None
    assert set(seen.phases) == {"name", "connect", "tls", "first_byte", "total"}
    assert len(office.taken) == 1
    assert dovecot.letters() == [FOREIGN.decode().replace("\r\n", "\n")]


def test_the_message_says_that_no_human_wrote_it(
    dovecot: Dovecot, office: PostOffice, files: Files, tmp_path: Path
) -> None:
    for _ in range(2):
        assert look(tmp_path, "mailflow", way(dovecot, files), seconds=60).outcome is Outcome.OK
    first, second = (letter.decode() for letter in office.taken)
    mark = options_of(dovecot, files).mark
    for line in ("Auto-Submitted: auto-generated", f"X-Vigia-Mailflow: {mark}", f"To: <{ADDRESS}>"):
        assert f"\r\n{line}\r\n" in first
    named = re.compile(r"^Message-ID: (<vigia\.\S+>)", re.MULTILINE)
    assert named.findall(first) != named.findall(second)


def test_a_message_that_does_not_arrive_is_down_and_says_who_took_it(
    dovecot: Dovecot, office: PostOffice, files: Files, tmp_path: Path
) -> None:
    office.deliver = None
    seen = look(tmp_path, "mailflow", way(dovecot, files), seconds=3)
    assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.TIMEOUT_TOTAL)
    assert re.fullmatch(r"not in INBOX after \d s; taken with: 250 .*queued as 4XyZ99", seen.found), (
        seen.found
    )
    assert "queued as 4XyZ99" in seen.excerpt
    assert seen.took_ms < 3500


def test_a_message_that_comes_late_is_a_warning(
    dovecot: Dovecot, office: PostOffice, files: Files, tmp_path: Path
) -> None:
    office.deliver = later(0.5, office.deliver)
    seen = look(tmp_path, "mailflow", way(dovecot, files, expect={"within": "400ms"}), seconds=60)
    assert (seen.outcome, seen.cause) == (Outcome.WARN, Cause.SLOW)
    assert figures(seen)["delivery"] >= 0.5


def later(seconds: float, deliver: Callable[[bytes], None] | None) -> Callable[[bytes], None]:
    assert deliver is not None

    def delayed(message: bytes) -> None:
        threading.Timer(seconds, deliver, [message]).start()

    return delayed


def test_a_message_in_another_mailbox_is_a_warning_and_taken_away_there(
    dovecot: Dovecot, office: PostOffice, files: Files, tmp_path: Path
) -> None:
    office.deliver = lambda message: dovecot.put(message, "Junk")
    wanted = way(dovecot, files, imap={"also": ["Nowhere", "Junk"]})
    seen = look(tmp_path, "mailflow", wanted, seconds=60)
    assert (seen.outcome, seen.cause) == (Outcome.WARN, Cause.CONTENT)
    assert seen.found.startswith("arrived in Junk after ")
    assert dovecot.letters("Junk") == []


def test_only_our_own_old_messages_are_taken_away(
    dovecot: Dovecot, office: PostOffice, files: Files, tmp_path: Path
) -> None:
    options = options_of(dovecot, files)
    old, hour = timedelta(minutes=16), timedelta(hours=1)
    kept = [
        ours(options, timedelta(minutes=14)),
        ours(options, hour, mark="0123456789abcdef"),
        f"Subject: about vigia.{options.mark}.\r\nMessage-ID: <2@boss.test>\r\n\r\nx\r\n".encode(),
        f"Subject: a\r\nMessage-ID: <re.vigia.{options.mark}.1.a@ok.test>\r\n\r\nx\r\n".encode(),
        f"Subject: b\r\nMessage-ID: <vigia.{options.mark}.soon.a@ok.test>\r\n\r\nx\r\n".encode(),
    ]
    for letter in (*kept, ours(options, old), ours(options, hour)):
        dovecot.put(letter)
    seen = look(tmp_path, "mailflow", way(dovecot, files), seconds=60)
    assert seen.outcome is Outcome.OK, seen.found
    assert figures(seen)["late_messages"] == 2
    assert dovecot.letters() == sorted(letter.decode().replace("\r\n", "\n") for letter in (*kept, FOREIGN))


def test_what_somebody_else_has_marked_as_deleted_stays(
    dovecot: Dovecot, office: PostOffice, files: Files, tmp_path: Path
) -> None:
    with dovecot.client() as client:
        client.select()
        client.store("1", "+FLAGS", "(\\Deleted)")
        seen = look(tmp_path, "mailflow", way(dovecot, files), seconds=60)
        assert client.unselect()[0] == "OK"
    assert seen.outcome is Outcome.OK
    assert dovecot.letters() == [FOREIGN.decode().replace("\r\n", "\n")]


def test_where_single_messages_cannot_be_expunged_ours_stay_marked(
    office: PostOffice, files: Files, tmp_path: Path
) -> None:
    server = Dovecot(files, relay=office.port, more="imap_capability = IMAP4rev1 AUTH=PLAIN")
    try:
        server.start()
        server.put(FOREIGN)
        office.deliver = delivered_by(server.lmtp, ADDRESS)
        for _ in range(2):
            seen = look(tmp_path, "mailflow", way(server, files), seconds=60)
            assert (seen.outcome, seen.found) == (Outcome.OK, "")
        with server.client() as client:
            client.select()
            assert client.search(None, "DELETED")[1] == [b"2 3"]
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"imap": {"login": {"user": USER, "password": "no"}}}, (Cause.LOGIN, "IMAP: the login was refused")),
        ({"imap": {"mailbox": "Nowhere"}}, (Cause.CONTENT, "IMAP: the mailbox Nowhere cannot be opened")),
        ({"smtp": {"login": {"user": USER, "password": "no"}}}, (Cause.LOGIN, "SMTP: the login was refused")),
        ({"smtp": {"tls_name": "elsewhere.test"}}, (Cause.CERTIFICATE_HOST, "SMTP: the certificate")),
        ({"imap": {"port": peers.refused_port()}}, (Cause.REFUSED, "IMAP: the connection was refused")),
        ({"smtp": {"port": peers.refused_port()}}, (Cause.REFUSED, "SMTP: the connection was refused")),
    ],
)
def test_nothing_is_sent_where_one_of_both_does_not_work(
    dovecot: Dovecot,
    office: PostOffice,
    files: Files,
    tmp_path: Path,
    more: dict[str, Any],
    expected: tuple[Cause, str],
) -> None:
    cause, found = expected
    seen = look(tmp_path, "mailflow", way(dovecot, files, **more), seconds=60)
    assert (seen.outcome, seen.cause) == (Outcome.DOWN, cause), seen.found
    assert seen.found.startswith(found)
    assert office.taken == []


def test_a_refused_recipient_is_down(
    dovecot: Dovecot, office: PostOffice, files: Files, tmp_path: Path
) -> None:
    office.recipients[ADDRESS] = "550 5.1.1 Nobody here"
    seen = look(tmp_path, "mailflow", way(dovecot, files), seconds=60)
    assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.STATUS)
    assert seen.found.startswith("SMTP: refused the recipient: 550 ")


def test_a_server_that_dies_while_we_wait_is_down(files: Files, tmp_path: Path) -> None:
    with post_office() as office:
        server = Dovecot(files, relay=office.port)
        office.deliver = lambda _: threading.Timer(0.3, server.stop).start()
        try:
            server.start()
            seen = look(tmp_path, "mailflow", way(server, files), seconds=60)
        finally:
            server.stop()
    assert seen.outcome is Outcome.DOWN
    assert seen.cause in {Cause.RESET, Cause.STATUS}
    assert seen.found.startswith("IMAP: ")


def test_a_server_that_claims_to_have_found_it_is_not_believed(tmp_path: Path) -> None:
    """It gives every search all messages of the mailbox: none of them is ours, so none is touched."""
    header = b"Message-ID: <1@boss.test>\r\n\r\n"
    fetched = b"* 1 FETCH (UID 1 BODY[HEADER.FIELDS (MESSAGE-ID)] {%d}\r\n%s)\r\n" % (len(header), header)
    answers = {
        b"CAPABILITY": b"* CAPABILITY IMAP4rev1 AUTH=PLAIN UIDPLUS\r\n% OK\r\n",
        b"AUTHENTICATE": b"+ \r\n",
        b"SEARCH": b"* SEARCH 1 2 3\r\n% OK\r\n",
        b"FETCH": fetched * 3 + b"% OK\r\n",
        b"SELECT": b"* 3 EXISTS\r\n% OK\r\n",
        b"EXAMINE": b"* 3 EXISTS\r\n% OK\r\n",
        b"": b"V2 OK welcome\r\n",
    }

    async def main(port: int) -> tuple[Observation, bytes]:
        async with peers.peer(scripted(b"* OK ready\r\n", answers)) as found, looker(tmp_path) as looking:
            options = {
                "from": ADDRESS,
                "smtp": {"port": port, "starttls": False},
                "imap": {"port": found.port, "tls": False, "login": LOGIN},
            }
            return await looking.look("mailflow", options, seconds=2.5), b"".join(found.asked)

    with post_office() as office:
        seen, asked = uvloop.run(main(office.port))
    assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.TIMEOUT_TOTAL), seen.found
    assert b"STORE" not in asked
    assert b"EXPUNGE" not in asked


@pytest.mark.parametrize("what", ["smtp", "imap"])
def test_a_silent_server_does_not_hold_up_a_look(
    dovecot: Dovecot, office: PostOffice, files: Files, tmp_path: Path, what: str
) -> None:
    async def main() -> Observation:
        async with peers.peer(peers.silent) as found, looker(tmp_path) as looking:
            clear = {"port": found.port, "tls": False, "starttls": False}
            return await looking.look("mailflow", way(dovecot, files, **{what: clear}), seconds=1.5)

    seen = uvloop.run(main())
    assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.TIMEOUT_FIRST_BYTE)
    assert seen.found.startswith(what.upper())
    assert seen.took_ms < 2000


@pytest.mark.parametrize(
    ("mailbox", "left", "seconds", "cause"),
    [
        ("INBOX", "", 1, None),
        ("INBOX", "", 61, Cause.SLOW),
        ("INBOX", "NO read-only", 1, Cause.CONTENT),
        ("Junk", "", 1, Cause.CONTENT),
    ],
)
def test_what_is_worth_a_warning_of_a_message_that_arrived(
    mailbox: str, left: str, seconds: int, cause: Cause | None
) -> None:
    given = {"from": ADDRESS, "imap": {"login": LOGIN, "also": ["Junk"]}, "expect": {"within": "1m"}}
    check = MailflowCheck(MailflowOptions.model_validate(KIND.complete(given, "a.test")))
    wrong = check._wrong(mailbox, timedelta(seconds=seconds), left)
    assert (wrong[0] if wrong else None) is cause


def test_both_servers_are_the_server_s_own_unless_they_are_named() -> None:
    given = {"from": ADDRESS, "imap": {"host": "imap.test", "login": LOGIN}}
    options = MailflowOptions.model_validate(KIND.complete(given, "gye1.test"))
    assert (options.smtp.place, options.imap.place) == ("gye1.test:587", "imap.test:993")
    assert (options.goes_to, options.imap.mailbox) == (ADDRESS, "INBOX")


def test_every_way_has_a_mark_of_its_own() -> None:
    marks = set()
    for change in (
        {},
        {"to": "b@ok.test"},
        {"smtp": {"host": "b.test"}},
        {"imap": {"login": LOGIN, "mailbox": "B"}},
    ):
        given = {"from": ADDRESS, "imap": {"login": LOGIN}, **change}
        marks.add(MailflowOptions.model_validate(KIND.complete(given, "a.test")).mark)
    assert len(marks) == 4


ID = "vigia.0123456789abcdef.1700000000.00ff@ok.test"
HEADER = f"Message-ID: <{ID}>\r\n\r\n"


@pytest.mark.parametrize(
    "response",
    [
        f"* 7 FETCH (UID 9 BODY[HEADER.FIELDS (MESSAGE-ID)] {{66}}\r\n{HEADER})",
        f"* 7 FETCH (FLAGS (\\Seen) MODSEQ (12) UID 9 BODY[HEADER.FIELDS (MESSAGE-ID)] {{66}}\r\n{HEADER})",
        f"* 7 FETCH (BODY[HEADER.FIELDS (MESSAGE-ID)] {{66}}\r\n{HEADER} UID 9)",
        f"* 7 FETCH (UID 9 BODY[HEADER.FIELDS (MESSAGE-ID)] {{66}}\r\nMessage-Id:\r\n <{ID}>\r\n\r\n)",
    ],
)
def test_a_message_of_ours_is_known_by_its_own_header(response: str) -> None:
    found = probe_of(response.encode())
    assert found is not None
    assert (found.uid, found.message_id, found.sent_at) == (9, ID, 1700000000)


@pytest.mark.parametrize(
    "response",
    [
        "* 7 FETCH (UID 9 BODY[] {30}\r\nMessage-ID: <vigia@ok.test>\r\n\r\n)",
        f"* 7 FETCH (UID 9 BODY[] {{80}}\r\nMessage-ID: <1@boss.test> <{ID}>\r\n\r\n)",
        f"* 7 FETCH (UID 9 BODY[] {{80}}\r\nMessage-ID: <1@boss.test>\r\nIn-Reply-To: <{ID}>\r\n\r\n)",
        f"* 7 FETCH (BODY[] {{80}}\r\nMessage-ID: <{ID}>\r\nX: UID 9\r\n\r\n)",
    ],
)
def test_a_message_of_somebody_else_is_none_of_ours_whatever_it_says(response: str) -> None:
    assert probe_of(response.encode()) is None


def test_a_sender_cannot_lead_us_to_another_message() -> None:
    """His header tells of a number as the server does; the server's own stands outside of it."""
    forged = f"Message-ID: <{ID}>\r\nX: (UID 1 UID 1)\r\n\r\n"
    for response in (
        f"* 7 FETCH (BODY[] {{99}}\r\n{forged} UID 9)",
        f"* 7 FETCH (UID 9 BODY[] {{99}}\r\n{forged})",
    ):
        found = probe_of(response.encode())
        assert found is not None
        assert found.uid == 9


@pytest.mark.system("curl", "swaks")
@pytest.mark.parametrize("arrives", [True, False])
def test_the_line_to_repeat_it_sees_the_same(
    dovecot: Dovecot, office: PostOffice, files: Files, tmp_path: Path, arrives: bool
) -> None:
    if not arrives:
        office.deliver = None
    wanted = way(dovecot, files)
    for server in ("smtp", "imap"):
        wanted[server] |= {"host": "127.0.0.1", "login": {"user": USER, "password": "${SECRET}"}}
    secrets = TestSecrets({"SECRET": PASSWORD})
    seconds = 60.0 if arrives else 3.0
    seen = look(tmp_path, "mailflow", wanted, seconds=seconds, secrets=secrets)
    assert seen.outcome is (Outcome.OK if arrives else Outcome.DOWN), seen.found
    check = MailflowCheck(MailflowOptions.model_validate(wanted))
    line = check.reproduce(Look(outcome=seen.outcome), timedelta(seconds=seconds))
    assert PASSWORD not in line
    assert (repeated(f"SECRET={PASSWORD}; {line}") == 0) is arrives, line
