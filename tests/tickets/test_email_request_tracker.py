"""Letters into a real Request Tracker, which threads by the tag in the subject and by nothing else."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from monitor.actions.desk import StoredDesk
from monitor.actions.letters import StoredLetters
from monitor.store.database import Database
from monitor.tickets.email import EMAIL, EmailOptions
from monitor.tickets.port import Action, DeliveryError, Fate, HelpdeskTools
from tests.conftest import SteppingClock
from tests.servers.dovecot import PASSWORD, USER, Dovecot
from tests.servers.post_office import post_office
from tests.servers.request_tracker import NEEDED, RequestTracker, messages
from tests.tickets.test_email import FROM, ORDER, TO, then

pytestmark = [pytest.mark.system("dovecot", "rt-mailgate-5", *NEEDED), pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def rt(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RequestTracker]:
    server = RequestTracker(tmp_path_factory.mktemp("rt"))
    take = server.folder / "take"
    take.write_text(f"#!/bin/sh\ncat > {server.folder}/mail-$$.eml\n")
    take.chmod(0o755)
    settings = server.folder / "RT_SiteConfig.pm"
    more = f"Set($MailCommand, 'sendmailpipe'); Set($SendmailPath, '{take}'); Set($CorrespondAddress, '{TO}');\n1;\n"
    settings.write_text(settings.read_text().rstrip().removesuffix("1;") + more)
    server.start()
    yield server
    server.close()


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    server = Dovecot(None)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def mail_of(rt: RequestTracker) -> list[bytes]:
    """Return the letters that RT has sent."""
    return [path.read_bytes() for path in sorted(rt.folder.glob("mail-*.eml"))]


def test_what_follows_lands_on_the_ticket_by_the_tag_of_its_receipt(
    rt: RequestTracker, dovecot: Dovecot, tmp_path: Path, clock: SteppingClock
) -> None:
    def deliver(letter: bytes) -> None:
        command = ["rt-mailgate-5", "--queue", "Soporte", "--action", "correspond", "--url", rt.url]
        subprocess.run(command, input=letter, check=True, capture_output=True, timeout=60)

    database = Database.open(tmp_path / "vigia.db", owner=True)
    tools = HelpdeskTools(
        book=StoredDesk(database, "https://e.test"),
        letters=StoredLetters(database),
        now=clock.now,
        page="https://e.test",
    )
    with post_office(deliver=deliver) as office:
        options = {
            "to": TO,
            "from": FROM,
            "smtp": {"host": "127.0.0.1", "port": office.port},
            "imap": {"host": "127.0.0.1", "port": dovecot.port, "user": USER, "password": PASSWORD},
        }
        helpdesk = EMAIL.build(EmailOptions.model_validate(options), tools)
        ticket = helpdesk.perform(ORDER).ticket
        [opened] = rt.sql("SELECT id, Subject FROM Tickets")
        number = str(opened["id"])
        [receipt] = mail_of(rt)
        with pytest.raises(DeliveryError) as early:
            helpdesk.perform(then(Action.COMMENT, body="También falla smtp."))
        dovecot.put(receipt)
        clock.step(timedelta(seconds=2))
        helpdesk.perform(then(Action.COMMENT, body="También falla smtp."))
        helpdesk.perform(then(Action.RESOLVE, 3, body="Ya responde."))
        helpdesk.perform(then(Action.REOPEN, 4, body="Volvió a caer."))
        assert [f"[test #{number}]".encode() in letter for letter in office.taken] == [False, *[True] * 3]
        assert helpdesk.records is not None
        rt.write("ana", number, "correspond", "Lo revisamos ahora.")
        [answer] = [each for each in mail_of(rt) if b"Lo revisamos" in each]
        dovecot.put(answer)
        clock.step(timedelta(minutes=1))
        [word] = helpdesk.records.words(ticket)
    database.close()
    assert early.value.fate is Fate.NOT_SENT
    assert [row["id"] for row in rt.sql("SELECT id FROM Tickets")] == [opened["id"]]
    assert ORDER.reference in opened["Subject"]
    assert "También falla smtp." in "".join(body for _, _, body in messages(rt, number))
    assert (word.author, word.body) == ("ana via RT", "Lo revisamos ahora.")
