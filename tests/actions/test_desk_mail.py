"""The built-in desk by mail: letters become tickets, words become letters, each of them once."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import pytest

from monitor.actions import desk_deeds, desk_register
from monitor.actions.append import append
from monitor.actions.deliver import Deliverer
from monitor.actions.desk import StoredDesk
from monitor.actions.desk_deeds import Person
from monitor.actions.desk_letters import LetterWriter
from monitor.actions.desk_mail import DeskMail, Fate, TakenIn, Terms
from monitor.actions.letters import StoredLetters
from monitor.fleet.fleet import Department
from monitor.journal.entries import Entry
from monitor.post.port import PostError
from monitor.store import cases, deliveries, desk
from monitor.store.database import Database
from monitor.store.desk_requesters import Requester
from monitor.store.desk_values import DeskMessage, DeskTicket, Side
from monitor.support.answers import AnswerTime
from monitor.tickets import KINDS
from monitor.tickets.desk import DeskOptions
from monitor.tickets.desk_mail import DeskMailOptions
from monitor.tickets.port import HelpdeskTools
from tests.conftest import SteppingClock
from tests.servers.dovecot import PASSWORD, USER, Dovecot
from tests.servers.post_office import PostOffice, post_office
from tests.servers.talking import talking
from tests.tickets import builders

EVA, PEDRO = "eva@cliente.example", "pedro@otro.example"
FROM = "ayuda@nodored.example"
MINUTE = timedelta(minutes=1)


@dataclass
class House:
    """A desk with departments, requesters, a mail server, and whoever carries its letters there."""

    database: Database
    clock: SteppingClock
    office: PostOffice
    registered_only: bool = True

    def __post_init__(self) -> None:
        smtp = {"host": "127.0.0.1", "port": self.office.port}
        mail = {"from": FROM, "smtp": smtp, "registered_only": self.registered_only}
        self.options = DeskOptions.model_validate({"mail": mail})
        assert self.options.mail is not None
        self.terms = Terms(
            mail=self.options.mail, reopen_within=self.options.reopen_within, department="soporte"
        )
        self.writer = LetterWriter(self.database, FROM)
        self.writer.write(self.clock.now())
        self.restart()

    def restart(self) -> None:
        """Begin anew in another process, as far as deliveries go."""
        tools = HelpdeskTools(
            book=StoredDesk(self.database, "https://e.test"),
            letters=StoredLetters(self.database),
            now=self.clock.now,
            page="https://e.test",
        )
        self.checkpoint = lambda _name: None
        self.deliverer = Deliverer(
            database=self.database,
            helpdesk=KINDS["desk"].build(self.options, tools),
            operators={},
            clock=self.clock,
            installation="TESTHAUS",
            append=lambda tx, entries: append(tx, entries, self.clock.now()),
            mail=self.options.mail,
            chance=lambda: 0.5,
            checkpoint=lambda name: self.checkpoint(name),  # noqa: PLW0108 - a test puts another one there
        )
        self.deliverer.recover()

    def comes(self, letter: bytes) -> TakenIn:
        return DeskMail(self.database, self.terms).receive(letter, self.clock.now())

    def goes(self) -> list[EmailMessage]:
        """Let everything go out that waits, and return all that ever did."""
        while self.writer.write(self.clock.now()) or self.deliverer.step():
            pass
        return self.sent

    @property
    def sent(self) -> list[EmailMessage]:
        return [message_from_bytes(raw, policy=default) for raw in self.office.taken]  # type: ignore[misc]

    def tickets(self) -> list[DeskTicket]:
        with self.database.reading() as tx:
            return sorted(desk.list_tickets(tx, closed=True), key=lambda each: each.id)

    def said(self, ticket: int) -> list[DeskMessage]:
        with self.database.reading() as tx:
            return list(desk.messages(tx, ticket))

    def person(self) -> Person:
        return Person(name="ana", at=self.clock.step(MINUTE))

    def reply(self, ticket: int, words: str, *, internal: bool = False) -> None:
        with self.database.writing() as tx:
            desk_deeds.reply(tx, ticket, words, self.person(), internal=internal)


@pytest.fixture
def database(tmp_path: Path, clock: SteppingClock) -> Iterator[Database]:
    opened = Database.open(tmp_path / "vigia.db", owner=True)
    tell(opened, clock, applied())
    with opened.writing() as tx:
        for address in (EVA, PEDRO):
            language = "es" if address == EVA else "en"
            new = Requester(address=address, added_at=clock.now(), language=language, places=("gye1",))
            desk_register.register(tx, new)
    yield opened
    opened.close()


@pytest.fixture
def office() -> Iterator[PostOffice]:
    with post_office() as running:
        yield running


@pytest.fixture
def house(database: Database, clock: SteppingClock, office: PostOffice) -> House:
    return House(database, clock, office)


def applied() -> Entry:
    entry = builders.applied()
    departments = (
        Department(
            id="soporte", name={"es": "Soporte técnico", "en": "Support"}, email="soporte@nodored.example"
        ),
        Department(id="pagos", name={"es": "Pagos", "en": "Billing"}, email="Pagos@nodored.example"),
    )
    return replace(entry, body=replace(entry.body, fleet=replace(entry.body.fleet, departments=departments)))  # type: ignore[union-attr,type-var]


def tell(database: Database, clock: SteppingClock, *entries: Entry) -> None:
    with database.writing() as tx:
        append(tx, entries, clock.now())


def letter(number: int = 1, **headers: str) -> bytes:
    words = headers.pop("words", "El correo no llega desde ayer.")
    made = EmailMessage()
    usual = {
        "From": f"Eva Mora <{EVA}>",
        "To": "soporte@nodored.example",
        "Subject": "No llega el correo",
        "Message-ID": f"<{number}@cliente.example>",
    }
    for name, value in {**usual, **{key.replace("_", "-"): value for key, value in headers.items()}}.items():
        if value:
            made[name] = value
    made.set_content(words)
    return made.as_bytes()


def test_a_letter_becomes_a_ticket_and_an_answer_a_letter(house: House) -> None:
    taken = house.comes(letter())
    assert taken == TakenIn(fate=Fate.OPENED, ticket=1)
    [ticket] = house.tickets()
    assert (ticket.requester, ticket.subject, ticket.department) == (EVA, "No llega el correo", "soporte")
    assert (ticket.channel, ticket.status) == ("mail", "open")
    house.reply(1, "Lo revisamos.")
    receipt, answer = house.goes()
    assert (receipt["To"], receipt["From"].addresses[0].addr_spec) == (EVA, FROM)
    assert receipt["Subject"] == answer["Subject"] == "[#1] No llega el correo"
    assert receipt["In-Reply-To"] == "<1@cliente.example>"
    assert (receipt["Auto-Submitted"], answer["Auto-Submitted"]) == ("auto-generated", None)
    assert "Tiene el número 1" in receipt.get_content()
    assert answer.get_content().startswith("Lo revisamos.")
    assert answer["References"].split() == ["<1@cliente.example>", receipt["Message-ID"]]


def test_an_answer_to_a_letter_of_ours_is_a_word_on_its_ticket(house: House) -> None:
    house.comes(letter())
    house.reply(1, "¿Desde cuándo?")
    answer = house.goes()[-1]
    quoted = "Desde ayer.\n\nEl dom, 22 nov 2026, Nodored escribió:\n> ¿Desde cuándo?"
    taken = house.comes(letter(2, Subject="otra cosa", In_Reply_To=answer["Message-ID"], words=quoted))
    assert taken == TakenIn(fate=Fate.ADDED, ticket=1)
    *_, last = house.said(1)
    assert (last.side, last.body) == (Side.REQUESTER, "Desde ayer.")
    assert "> ¿Desde cuándo?" in last.whole
    [ticket] = house.tickets()
    assert ticket.status == "open"
    # Nobody is told that his word was heard: that would go on for ever.
    assert len(house.goes()) == 2


def test_the_number_in_the_subject_is_enough(house: House) -> None:
    house.comes(letter())
    assert house.comes(letter(2, Subject="RE: [#1] No llega")).fate is Fate.ADDED


def test_the_same_letter_again_changes_nothing(house: House) -> None:
    house.comes(letter())
    house.goes()
    for _ in range(3):
        assert house.comes(letter()) == TakenIn(fate=Fate.KNOWN, ticket=1)
    assert (len(house.tickets()), len(house.said(1)), len(house.goes())) == (1, 2, 1)


def test_a_stranger_who_guesses_a_number_writes_on_no_ticket(house: House) -> None:
    house.comes(letter())
    receipt = house.goes()[-1]
    for number, thread in ((2, ""), (3, receipt["Message-ID"])):
        taken = house.comes(letter(number, From=PEDRO, Subject=f"[#1] de mí {number}", In_Reply_To=thread))
        assert (taken.fate, taken.ticket) == (Fate.OPENED, number)
    assert [each.requester for each in house.tickets()] == [EVA, PEDRO, PEDRO]
    assert {each.author for each in house.said(1)} == {EVA, "vigia"}


def test_an_unknown_address_is_refused_politely_and_told_once_a_day(house: House) -> None:
    for number in range(3):
        taken = house.comes(letter(number, From="nadie@fuera.example", Subject="hola"))
        assert taken.fate is Fate.DECLINED
    assert house.tickets() == []
    [refusal] = house.goes()
    assert (refusal["To"], refusal["In-Reply-To"]) == ("nadie@fuera.example", "<0@cliente.example>")
    assert refusal["Auto-Submitted"] == "auto-generated"
    assert "no está registrada" in refusal.get_content()
    assert house.office.envelopes[-1] == ("<>", "nadie@fuera.example")
    house.clock.step(timedelta(days=1, minutes=1))
    house.comes(letter(9, From="nadie@fuera.example"))
    assert len(house.goes()) == 2


def test_who_is_disabled_is_heard_no_more_on_his_own_ticket_either(house: House) -> None:
    house.comes(letter(5))
    with house.database.writing() as tx:
        desk_register.disable(tx, EVA, house.clock.now())
    assert house.comes(letter(6, Subject="Re: [#1] No llega el correo")).fate is Fate.DECLINED
    assert house.comes(letter(7, Subject="otra cosa")).fate is Fate.DECLINED
    assert len(house.said(1)) == 2


def test_everybody_may_write_where_that_is_configured(
    database: Database, clock: SteppingClock, office: PostOffice
) -> None:
    house = House(database, clock, office, registered_only=False)
    assert house.comes(letter(From="nadie@fuera.example")).fate is Fate.OPENED


@pytest.mark.parametrize(
    "headers",
    [
        {"Auto_Submitted": "auto-replied"},
        {"Precedence": "bulk"},
        {"List_Id": "<x.example>"},
        {"Return_Path": "<>"},
        {"From": "MAILER-DAEMON@x.example"},
        {"From": ""},
        {"From": FROM},
        {"From": "soporte@nodored.example"},
    ],
)
@pytest.mark.parametrize("subject", ["Fuera de la oficina", "[#1] Fuera de la oficina"])
def test_machines_and_we_ourselves_open_nothing_and_are_not_answered(
    house: House, headers: dict[str, str], subject: str
) -> None:
    house.comes(letter())
    before = len(house.goes())
    taken = house.comes(letter(2, Subject=subject, **headers))
    assert taken.fate in (Fate.PASSED_OVER, Fate.BOUNCED)
    assert len(house.goes()) == before
    assert len(house.tickets()) == 1
    assert house.tickets()[0].status == "open"


def test_our_own_letter_that_comes_back_is_known(house: House) -> None:
    house.comes(letter())
    house.goes()
    assert house.comes(house.office.taken[0]) == TakenIn(fate=Fate.KNOWN, ticket=1)


def test_a_letter_that_bounces_is_a_note_for_the_department(house: House) -> None:
    house.comes(letter())
    house.reply(1, "Hecho.")
    answer = house.goes()[-1]
    bounce = letter(
        5,
        From="MAILER-DAEMON@x.example",
        Return_Path="<>",
        In_Reply_To=answer["Message-ID"],
        words="550 no such user",
    )
    assert house.comes(bounce) == TakenIn(fate=Fate.BOUNCED, ticket=1)
    *_, note = house.said(1)
    assert (note.internal, note.side) == (True, Side.US)
    assert "550 no such user" in note.body
    assert len(house.goes()) == 2


def report(
    returned: str, *, kind: str = "delivery-status", action: str = "failed", as_headers: bool = False
) -> bytes:
    """Return a report as Postfix writes it: it names no thread, and gives the letter back."""
    given = "text/rfc822-headers" if as_headers else "message/rfc822"
    return "\r\n".join(
        [
            "Return-Path: <>",
            "From: MAILER-DAEMON@mx.example (Mail Delivery System)",
            "To: soporte@nodored.example",
            "Subject: Undelivered Mail Returned to Sender [#1]",
            "Message-ID: <9@mx.example>",
            f'Content-Type: multipart/report; report-type={kind}; boundary="b"',
            "MIME-Version: 1.0",
            "",
            "--b",
            "",
            "I'm sorry: 550 no such user",
            "--b",
            f"Content-Type: message/{kind}",
            "",
            "Reporting-MTA: dns; mx.example",
            "",
            f"Final-Recipient: rfc822; {EVA}",
            f"Action: {action}",
            "--b",
            f"Content-Type: {given}",
            "",
            f"Message-ID: {returned}",
            "Subject: x",
            "",
            "words",
            "--b--",
        ]
    ).encode()


@pytest.mark.parametrize("as_headers", [True, False])
def test_a_report_is_understood_by_the_letter_that_it_gives_back(house: House, as_headers: bool) -> None:
    house.comes(letter())
    house.reply(1, "Hecho.")
    answer = house.goes()[-1]
    taken = house.comes(report(answer["Message-ID"], as_headers=as_headers))
    assert taken == TakenIn(fate=Fate.BOUNCED, ticket=1)
    assert "550 no such user" in house.said(1)[-1].body
    house.reply(1, "Otra vez.")
    assert "<9@mx.example>" not in house.goes()[-1]["References"]


def test_an_old_report_is_understood_by_the_copy_in_its_words(house: House) -> None:
    house.comes(letter())
    house.reply(1, "Hecho.")
    copied = f"This is qmail-send.\n\n--- Below this line is a copy.\n\nMessage-ID: {house.goes()[-1]['Message-ID']}\n"
    assert house.comes(letter(5, From="MAILER-DAEMON@x.example", words=copied)).fate is Fate.BOUNCED


def test_what_only_looks_like_a_report_leaves_nothing_on_a_ticket(house: House) -> None:
    """Anybody can write a number; a letter that was read, or is late, is not lost; and an absence is none of a letter."""
    house.comes(letter())
    house.reply(1, "Hecho.")
    answer = house.goes()[-1]
    before = house.tickets(), house.said(1)
    for number, raw in enumerate(
        (
            report("<of.somebody@else.example>"),
            report(answer["Message-ID"], kind="disposition-notification"),
            report(answer["Message-ID"], action="delayed"),
            letter(6, Return_Path="<>", In_Reply_To=answer["Message-ID"], words="Estoy de vacaciones."),
            letter(7, From="x@malo.example", Return_Path="<>", Subject="[#1] hola"),
        )
    ):
        assert house.comes(raw.replace(b"<9@mx", b"<%d@mx" % (10 + number))).fate is Fate.PASSED_OVER
    assert (house.tickets(), house.said(1)) == before


def test_two_machines_that_do_not_say_so_come_to_an_end(house: House) -> None:
    for number in range(40):
        house.comes(letter(number, Subject=f"Gracias {number}"))
    assert len(house.tickets()) == 40
    assert len([each for each in house.goes() if each["Auto-Submitted"]]) == 10


def test_the_department_follows_from_the_address_that_was_written_to(house: House) -> None:
    house.comes(letter(To="Ayuda <ayuda@nodored.example>, pagos@NODORED.example"))
    assert house.tickets()[0].department == "pagos"


@pytest.mark.parametrize("words", ["", "<img src=x>"])
def test_a_letter_without_words_is_a_ticket_all_the_same(house: House, words: str) -> None:
    made = message_from_bytes(letter(Subject="El servidor no responde, urgente", words=""), policy=default)
    if words:
        made.set_content(words, subtype="html")  # type: ignore[attr-defined]
    assert house.comes(made.as_bytes()) == TakenIn(fate=Fate.OPENED, ticket=1)
    assert house.said(1)[0].body.startswith("Sin texto")
    assert house.comes(letter(2, Subject="Re: [#1]", words="")) == TakenIn(fate=Fate.ADDED, ticket=1)
    assert [each.body for each in house.said(1) if each.author == EVA][1:] == [
        "Sin texto: lo dice el asunto."
    ]


def test_an_answer_of_nothing_but_what_it_quotes_is_shown_whole(house: House) -> None:
    house.comes(letter())
    words = "El dom, 22 nov 2026, Nodored escribió:\n> ¿Desde cuándo?"
    house.comes(letter(2, Subject="Re: [#1] No llega el correo", words=words))
    assert [each.body for each in house.said(1) if each.author == EVA][-1] == words


def test_a_first_letter_is_shown_whole_for_what_it_quotes_may_be_the_point(house: House) -> None:
    words = "Me sale esto:\n> ERROR 1045 (28000): Access denied\n\n---------- Forwarded message ----------\nDe: banco\nPague ya."
    house.comes(letter(words=words))
    body = house.said(1)[0].body
    assert "ERROR 1045" in body
    assert "Pague ya." in body


def test_a_letter_that_is_too_long_says_so_on_its_ticket(house: House) -> None:
    house.comes(letter(words="Mire. " * 200_000))
    assert "[La carta es más larga" in house.said(1)[0].body
    house.comes(letter(2, Subject="otra", words="Corta."))
    assert "más larga" not in house.said(2)[0].body


def test_where_only_the_beginning_was_read_nothing_is_said_of_the_words(house: House) -> None:
    """They may stand behind what hangs on the letter."""
    made = message_from_bytes(letter(words=""), policy=default)
    made.make_mixed()
    made.add_attachment(bytes(700_000), maintype="application", subtype="pdf", filename="informe.pdf")
    house.comes(made.as_bytes())
    body = house.said(1)[0].body
    assert "Sin texto" not in body
    assert "informe.pdf" in body
    assert "[La carta es más larga" in body


@pytest.mark.parametrize("subject", ["El correo no llega", "¿Y bien?"])
def test_what_answers_no_letter_is_shown_whole_on_a_ticket_that_is_there(house: House, subject: str) -> None:
    """Nothing of it stands on the ticket yet, so that what it quotes is as new as the rest."""
    tell(house.database, house.clock, builders.opened(builders.incident()))
    house.comes(letter(Subject="El correo no llega", words="El servidor gye1 no responde."))
    words = "El servidor gye1 sigue caído:\n> ERROR 1045 (28000)\n\n---------- Forwarded message ----------\nDe: banco\nPague ya."
    assert house.comes(letter(2, Subject=subject, words=words)) == TakenIn(fate=Fate.ADDED, ticket=1)
    body = next(each.body for each in reversed(house.said(1)) if each.author == EVA)
    assert "ERROR 1045" in body
    assert "Pague ya." in body


def test_letters_without_a_subject_or_to_another_department_are_not_the_same_problem(house: House) -> None:
    assert [house.comes(letter(number, Subject="")).ticket for number in (1, 2)] == [1, 2]
    assert house.comes(letter(3, Subject="cobro", To="pagos@nodored.example")).ticket == 3
    assert house.comes(letter(4, Subject="cobro")).ticket == 4
    with house.database.writing() as tx:
        desk_deeds.move(tx, 4, "pagos", house.person())
    assert house.comes(letter(5, Subject="cobro")) == TakenIn(fate=Fate.ADDED, ticket=4)


def test_the_same_subject_within_a_day_is_the_same_problem(house: House) -> None:
    house.comes(letter(1))
    assert house.comes(letter(2, Subject="Re: No llega el  correo")) == TakenIn(fate=Fate.ADDED, ticket=1)
    assert house.comes(letter(3, From=PEDRO)).ticket == 2
    house.clock.step(timedelta(days=1, minutes=1))
    assert house.comes(letter(4)).ticket == 3


def test_who_writes_twice_about_one_fault_has_one_ticket(house: House) -> None:
    """Both words stand on it, and what he gets leads to the incident and to the ticket that has it."""
    tell(house.database, house.clock, builders.opened(builders.incident()))
    assert house.comes(letter(Subject="gye1 no responde")).ticket == 1
    again = letter(2, Subject="¿Y bien?", words="El servidor gye1 sigue caído.")
    assert house.comes(again) == TakenIn(fate=Fate.ADDED, ticket=1)
    assert house.comes(letter(3, Subject="Factura", words="¿Cuánto debo?")).ticket == 2
    assert house.comes(letter(4, From=PEDRO, Subject="gye1?")).ticket == 3
    assert [each.body for each in house.said(1) if each.author == EVA][
        -1
    ] == "¿Y bien?\n\nEl servidor gye1 sigue caído."
    told = next(each.get_content() for each in house.goes() if "Añadimos su mensaje" in each.get_content())
    assert "su ticket 1." in told
    assert f"/incidents/{builders.INCIDENT}" in told


def test_of_a_second_letter_about_one_fault_the_subject_is_kept_too(house: House) -> None:
    tell(house.database, house.clock, builders.opened(builders.incident()))
    house.comes(letter(Subject="gye1 no responde"))
    house.comes(letter(2, Subject="gye1: perdemos ventas", words=" "))
    house.comes(letter(3, Subject="gye1 sin FTP", words="Tampoco abre."))
    bodies = [each.body for each in house.said(1) if each.author == EVA]
    assert bodies[1:] == ["gye1: perdemos ventas", "gye1 sin FTP\n\nTampoco abre."]


def test_a_second_letter_to_another_department_is_a_ticket_there(house: House) -> None:
    tell(house.database, house.clock, builders.opened(builders.incident()))
    house.comes(letter(Subject="gye1 no responde"))
    to_billing = letter(2, Subject="Factura de gye1", To="pagos@nodored.example", words="¿Cuánto debo?")
    assert house.comes(to_billing) == TakenIn(fate=Fate.OPENED, ticket=2)
    assert (house.tickets()[1].department, house.tickets()[1].incident) == ("pagos", builders.INCIDENT)
    assert house.comes(letter(3, Subject="gye1 sigue igual")).ticket == 1


def test_who_shares_a_ticket_writes_again_on_it_and_nobody_is_told_of_it(house: House) -> None:
    """Whose ticket was taken in has been told the number; the others wrote nothing that could be acknowledged."""
    tell(house.database, house.clock, builders.opened(builders.incident()))
    house.comes(letter(Subject="gye1 no responde"))
    house.comes(letter(2, From=PEDRO, Subject="gye1 down"))
    with house.database.writing() as tx:
        desk_deeds.merge(tx, 2, 1, house.person())
    before = len(house.goes())
    assert house.comes(letter(3, From=PEDRO, Subject="gye1?")) == TakenIn(fate=Fate.ADDED, ticket=1)
    assert house.comes(letter(4, Subject="¿Y gye1?")) == TakenIn(fate=Fate.ADDED, ticket=1)
    assert len(house.goes()) == before


def test_what_is_about_a_known_fault_is_led_to_its_page(house: House) -> None:
    tell(house.database, house.clock, builders.opened(builders.incident()))
    house.comes(letter(words="gye1.nodored.com no responde", Subject="gye1.nodored.com caído"))
    [ticket] = house.tickets()
    assert ticket.incident == builders.INCIDENT
    [receipt] = house.goes()
    assert f"/incidents/{builders.INCIDENT}" in receipt.get_content()


def test_the_average_stands_at_the_head_of_every_letter_in_its_readers_language(house: House) -> None:
    now = house.clock.now()
    figure = timedelta(hours=23, minutes=40)
    time = AnswerTime(
        department="soporte", since=now - timedelta(days=30), until=now, answered=5, counted=0, waiting=0,
        mean=figure, median=figure, p90=figure,
    )  # fmt: skip
    with house.database.writing() as tx:
        cases.put_answer_times(tx, (time,))
    house.comes(letter(1))
    house.comes(letter(2, From=PEDRO))
    house.reply(1, "Lo revisamos.")
    first, second, third = house.goes()
    for each, name in ((first, "Soporte técnico"), (second, "Support"), (third, "Soporte técnico")):
        head = each.get_content().splitlines()[0]
        assert name in head
        assert "23 h 40 min" in head


def test_what_is_internal_and_what_was_said_before_is_mailed_to_nobody(
    database: Database, clock: SteppingClock, office: PostOffice
) -> None:
    from monitor.actions.desk_asking import Asked, ask  # noqa: PLC0415 - only here a ticket comes by telephone

    with database.writing() as tx:
        ask(
            tx,
            Asked(requester=EVA, subject="antes", body="x", department="soporte", channel="phone"),
            clock.now(),
        )
        desk_deeds.reply(tx, 1, "una respuesta de antes", Person(name="ana", at=clock.now()))
    house = House(database, clock, office)
    house.reply(1, "solo para nosotros", internal=True)
    assert house.goes() == []
    house.reply(1, "para usted")
    [answer] = house.goes()
    assert answer.get_content().startswith("para usted")


def test_a_reply_on_a_merged_ticket_goes_to_both(house: House) -> None:
    house.comes(letter(1))
    house.comes(letter(2, From=PEDRO))
    with house.database.writing() as tx:
        desk_deeds.merge(tx, 2, 1, house.person())
    before = len(house.goes())
    house.reply(1, "Resuelto.")
    assert sorted(each["To"] for each in house.goes()[before:]) == [EVA, PEDRO]
    assert house.comes(letter(3, From=PEDRO, Subject="[#2] gracias")) == TakenIn(fate=Fate.ADDED, ticket=1)


def test_what_is_attached_is_named_and_not_kept(house: House) -> None:
    made = message_from_bytes(letter(), policy=default)
    made.add_attachment(b"\x89PNG", maintype="image", subtype="png", filename="pantalla.png")  # type: ignore[attr-defined]
    house.comes(made.as_bytes())
    [asked, *_] = house.said(1)
    assert "[Adjunto: pantalla.png (image/png, 4 bytes)." in asked.body


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\r\n\r\n",
        letter(words="").replace(b"Subject: No llega el correo", b"Subject: "),
        letter(To=""),
        b"From: eva@cliente.example\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x",
        letter(Subject="[#99999999999999999] nada"),
        letter(Subject="[#999999999999999999999999999] nada"),
    ],
)
def test_any_letter_has_a_fate(house: House, raw: bytes) -> None:
    assert house.comes(raw).fate in set(Fate)
    house.goes()


@pytest.mark.parametrize("point", ["claimed", "recorded", "answered"])
def test_a_process_that_dies_on_the_way_loses_no_letter_and_sends_it_under_one_name(
    house: House, point: str
) -> None:
    class DiedError(BaseException):
        pass

    def die(name: str) -> None:
        if name == point:
            raise DiedError

    house.comes(letter())
    house.writer.write(house.clock.now())
    house.checkpoint = die
    with pytest.raises(DiedError):
        house.deliverer.step()
    house.restart()
    house.clock.step(timedelta(minutes=10))
    sent = house.goes()
    assert len({each["Message-ID"] for each in sent}) == 1
    assert len(sent) == (2 if point == "answered" else 1)


def test_letters_wait_in_order_while_the_mail_server_is_away(house: House) -> None:
    house.office.sender = "451 4.3.0 later"
    house.comes(letter())
    for words in ("uno", "dos", "tres"):
        house.reply(1, words)
    assert house.goes() == []
    house.office.sender = "250 ok"
    for _ in range(10):
        house.clock.step(timedelta(minutes=5))
        house.goes()
    assert [each.get_content().split()[0] for each in house.sent] == ["Recibimos", "uno", "dos", "tres"]


def test_a_refused_letter_is_told_on_the_ticket(house: House) -> None:
    house.office.recipients[EVA] = "550 5.1.1 no such user"
    house.comes(letter())
    house.goes()
    *_, note = house.said(1)
    assert note.internal
    assert "550" in note.body
    with house.database.reading() as tx:
        assert deliveries.in_state(tx, deliveries.DeliveryState.REJECTED) == 1


def test_what_may_have_arrived_goes_again_under_the_same_name(house: House) -> None:
    talk = {
        b"EHLO": b"250 hi\r\n", b"MAIL": b"250 ok\r\n", b"RCPT": b"250 ok\r\n", b"DATA": b"354 go\r\n",
        b".\r\n": b"what\r\n", b"": b"",
    }  # fmt: skip
    assert house.options.mail is not None
    good = house.options
    with talking(b"220 hi\r\n", talk) as server:
        smtp = good.mail.smtp.model_copy(update={"port": server.port})  # type: ignore[union-attr]
        house.options = good.model_copy(update={"mail": house.options.mail.model_copy(update={"smtp": smtp})})
        house.restart()
        house.comes(letter())
        house.goes()
        heard = b"".join(server.heard)
    house.options = good
    house.restart()
    house.clock.step(timedelta(minutes=10))
    [sent] = house.goes()
    assert f"Message-ID: {sent['Message-ID']}\r\n".encode() in heard


def read_at(house: House, port: int) -> DeskMailOptions:
    imap = {"host": "127.0.0.1", "port": port, "user": USER, "password": PASSWORD}
    smtp = {"host": "127.0.0.1", "port": house.office.port}
    return DeskMailOptions.model_validate({"from": FROM, "smtp": smtp, "imap": imap})


@pytest.mark.system("dovecot")
def test_a_mailbox_is_read_once_and_what_is_in_it_settled(house: House) -> None:
    server = Dovecot(None)
    try:
        server.start()
        mail = read_at(house, server.port)
        reader = DeskMail(house.database, replace(house.terms, mail=mail))
        server.put(letter(9, Subject="de antes"))
        assert not reader.fetch(house.clock.now())
        for number in range(3):
            server.put(letter(number, Subject=f"asunto {number}"))
        assert reader.fetch(house.clock.now())
        assert not reader.fetch(house.clock.now())
        server.put(letter(7, Subject="Re: [#2] asunto 1"))
        assert DeskMail(house.database, replace(house.terms, mail=mail)).fetch(house.clock.now())
        with server.client() as client:
            client.select(readonly=True)
            assert client.search(None, "UNSEEN")[1] == [b"1"]
    finally:
        server.stop()
    assert [each.subject for each in house.tickets()] == ["asunto 0", "asunto 1", "asunto 2"]
    assert [each.side for each in house.said(2)] == [Side.REQUESTER, Side.US, Side.REQUESTER]


class Line:
    """The line to a mail server, one visit after the other; it breaks where the word `cut` is said."""

    def __init__(self, port: int) -> None:
        self.cut: bytes | None = None
        self._target = port
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._server.accept()
                with near, socket.create_connection(("127.0.0.1", self._target)) as far:
                    self._pass_on({near: far, far: near})

    def _pass_on(self, between: dict[socket.socket, socket.socket]) -> None:
        while True:
            for each in select.select(list(between), [], [], 60)[0]:
                said = each.recv(65536)
                if not said or (self.cut is not None and self.cut in said):
                    return
                between[each].sendall(said)

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._thread.join(60)
        self._server.close()


@pytest.mark.system("dovecot")
def test_letters_of_a_visit_that_was_cut_are_settled_at_the_next_one(house: House) -> None:
    server = Dovecot(None)
    server.start()
    line = Line(server.port)
    try:
        reader = DeskMail(house.database, replace(house.terms, mail=read_at(house, line.port)))
        reader.fetch(house.clock.now())
        for number in range(3):
            server.put(letter(number, Subject=f"asunto {number}"))
        line.cut = b" STORE "
        with pytest.raises(PostError):
            reader.fetch(house.clock.now())
        line.cut = None
        assert not reader.fetch(house.clock.now())
        with server.client() as client:
            client.select(readonly=True)
            assert client.search(None, "UNSEEN")[1] == [b""]
    finally:
        line.close()
        server.stop()
    assert [each.subject for each in house.tickets()] == ["asunto 0", "asunto 1", "asunto 2"]
