"""Mail through the whole service: a helpdesk that is an address, and a desk that customers write to."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

import pytest

from tests.journeys import facts
from tests.journeys.house import ROOT, House, Nginx, running, wait_for
from tests.servers.dovecot import PASSWORD, USER, Dovecot
from tests.servers.post_office import PostOffice, post_office

pytestmark = [pytest.mark.journey, pytest.mark.system("nginx", "dovecot"), pytest.mark.timeout(400)]

MakeHouse = Callable[..., House]
EVA = "eva@cliente.example"


@pytest.fixture
def office() -> Iterator[PostOffice]:
    with post_office() as taking:
        yield taking


@pytest.fixture
def dovecot() -> Iterator[Dovecot]:
    server = Dovecot(None)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def mailbox(server: Dovecot) -> str:
    return f"{{host: 127.0.0.1, port: {server.port}, user: {USER}, password: {PASSWORD}}}"


def letters(office: PostOffice) -> list[EmailMessage]:
    return [message_from_bytes(raw, policy=default) for raw in office.taken]  # type: ignore[misc]


def letter(**headers: str) -> bytes:
    made = EmailMessage()
    made["From"] = EVA
    made["To"] = "soporte@nodored.example"
    for name, value in headers.items():
        made[name.replace("_", "-")] = value
    made.set_content("No llega el correo desde ayer.")
    return made.as_bytes()


def received(house: House, raw: bytes) -> str:
    """Hand a letter over as a mail server does."""
    command = [sys.executable, "-m", "monitor.cli", "desk", "receive", "--config", str(house.config)]
    done = subprocess.run(
        [*command, "--data", str(house.data)], input=raw, capture_output=True, check=True, cwd=ROOT
    )
    return done.stdout.decode().strip()


def test_a_fault_is_a_letter_and_its_end_another(
    make_house: MakeHouse, nginx: Nginx, office: PostOffice, dovecot: Dovecot
) -> None:
    def acknowledge(raw: bytes) -> None:
        sent = message_from_bytes(raw, policy=default)
        if sent["References"] is None:
            tagged, answered = f"[#7] {sent['Subject']}", str(sent["Message-ID"])
            dovecot.put(letter(Subject=tagged, In_Reply_To=answered, Auto_Submitted="auto-replied"))

    office.deliver = acknowledge
    house = make_house(
        more="helpdesk: {kind: email, to: soporte@nodored.example, from: vigia@nodored.example,"
        f" smtp: {{host: 127.0.0.1, port: {office.port}}}, imap: {mailbox(dovecot)}}}\n"
    )
    with running(house):
        wait_for(lambda: facts.is_up(house), what="the first green")
        nginx.stop()
        [opening, *_] = wait_for(lambda: letters(office), what="the letter that opens the ticket")
        assert opening["X-Priority"] == "1"
        assert "gye1.nodored.com" in opening["Subject"]
        nginx.start()
        closing = wait_for(
            lambda: [each for each in letters(office) if "-resolve-" in each["Message-ID"]],
            what="the letter that closes it",
        )
    assert closing[0]["References"].split()[0] == opening["Message-ID"]
    assert closing[0]["Subject"] == f"[#7] {opening['Subject']}"
    assert len([each for each in letters(office) if not each["In-Reply-To"]]) == 1


def test_a_customer_writes_and_is_answered(
    make_house: MakeHouse, office: PostOffice, dovecot: Dovecot
) -> None:
    house = make_house(
        more="helpdesk: {kind: desk, mail: {from: soporte@nodored.example,"
        f" smtp: {{host: 127.0.0.1, port: {office.port}}}, imap: {mailbox(dovecot)}}}}}\n"
    )
    with running(house):
        house.vigia("desk", "requester", "add", EVA)
        began = "SELECT 1 FROM letter_places WHERE source LIKE 'desk:alice%'"
        wait_for(lambda: facts.ask(house, lambda tx: tx.rows(began)), what="the first look into the mailbox")
        dovecot.put(letter(Subject="Sin correo", Message_ID="<1@cliente.example>"))
        [receipt] = wait_for(lambda: letters(office), what="the receipt")
        assert (receipt["To"], receipt["Subject"]) == (EVA, "[#1] Sin correo")
        again = letter(Subject="Re: [#1] Sin correo", Message_ID="<2@cliente.example>")
        assert received(house, again) == "added 1"
        assert received(house, again) == "known 1"
        house.vigia("desk", "reply", "1", "Resuelto: era la cuota.")
        [_, answer] = wait_for(lambda: letters(office)[1:] and letters(office), what="the answer")
    assert "Resuelto: era la cuota." in answer.get_content()
    assert answer["In-Reply-To"] == "<2@cliente.example>"
    assert dovecot.letters() != []
