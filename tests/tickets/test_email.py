"""A helpdesk that is an address: what we send there, what we learn from its answers, and how sure we are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from monitor.actions.desk import StoredDesk
from monitor.actions.letters import StoredLetters
from monitor.actions.selftest import Trial, written
from monitor.post.port import Outcome
from monitor.store.database import Database
from monitor.tickets.email import EMAIL, Email, EmailOptions
from monitor.tickets.email_answers import tag_in
from monitor.tickets.port import (
    Action,
    Deed,
    DeliveryError,
    Fate,
    HelpdeskTools,
    Order,
    Priority,
    TicketStatus,
)
from tests.conftest import SteppingClock
from tests.contracts.benches import Ground, Keeper
from tests.servers.email_bench import FROM, TO, EmailBench
from tests.servers.talking import HANG, talking

pytestmark = pytest.mark.system("dovecot")
REFERENCE = "VG-TESTHAUS-01JD9ZK3V8QW5R7T2M4N6P8S0A"
OTHER = "VG-TESTHAUS-01JD9ZK3V8QW5R7T2M4N6P8S0B"
ORDER = Order(
    action=Action.CREATE,
    reference=REFERENCE,
    key=f"{REFERENCE}-create-1",
    ticket="",
    subject=f"[{REFERENCE}] gye1: fuera de servicio",
    body="Se confirmó una falla.",
    priority=Priority.URGENT,
    department="soporte",
    language="es",
)
TICKET = f"<{REFERENCE}-create-1@nodored.example>"


@pytest.fixture(scope="module")
def keeper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keeper]:
    kept = Keeper(tmp_path_factory.mktemp("kept"))
    yield kept
    kept.close()


@pytest.fixture
def ground(tmp_path: Path, keeper: Keeper, clock: SteppingClock) -> Iterator[Ground]:
    database = Database.open(tmp_path / "vigia.db", owner=True)
    tools = HelpdeskTools(
        book=StoredDesk(database, "https://e.test"),
        letters=StoredLetters(database),
        now=clock.now,
        page="https://e.test",
    )
    yield Ground(directory=tmp_path, keeper=keeper, database=database, tools=tools, clock=clock)
    database.close()


@pytest.fixture
def bench(ground: Ground) -> Iterator[EmailBench]:
    bench = EmailBench(ground)
    yield bench
    bench.close()


def built(ground: Ground, options: dict[str, object]) -> Email:
    helpdesk = EMAIL.build(EmailOptions.model_validate(options), ground.tools)
    assert isinstance(helpdesk, Email)
    return helpdesk


def then(action: Action, seq: int = 2, **more: object) -> Order:
    changed = {
        "action": action,
        "key": f"{REFERENCE}-{action}-{seq}",
        "ticket": TICKET,
        "body": "más",
        **more,
    }
    return replace(ORDER, **changed)  # type: ignore[arg-type]


def test_a_ticket_is_the_letter_that_opened_it_and_everything_else_answers_that(
    ground: Ground, bench: EmailBench
) -> None:
    helpdesk = built(ground, bench.options)
    assert helpdesk.perform(ORDER).ticket == TICKET
    bench.acknowledges(TICKET, "[#7]")
    helpdesk.perform(then(Action.COMMENT, internal=True))
    first, second = bench.sent
    assert (first["To"], first["Message-ID"], first["In-Reply-To"]) == (TO, TICKET, None)
    assert (first["X-Priority"], first["Importance"], first["Auto-Submitted"]) == (
        "1",
        "High",
        None,
    )
    assert str(first.get_content()).replace("\r\n", "\n") == "Prioridad: urgente\n\nSe confirmó una falla.\n"
    assert (second["In-Reply-To"], second["References"]) == (TICKET, TICKET)
    assert second["Message-ID"] == f"<{REFERENCE}-comment-2@nodored.example>"
    assert second["Sensitivity"] == "Company-Confidential"
    assert (first["Subject"], second["Subject"]) == (ORDER.subject, f"[#7] {ORDER.subject}")


def test_a_letter_answers_the_one_before_it_and_names_all_of_its_thread(
    ground: Ground, bench: EmailBench
) -> None:
    options = {key: value for key, value in bench.options.items() if key != "imap"}
    orders = [then(Action.COMMENT, seq) for seq in range(2, 26)]
    built(ground, options).perform(ORDER)
    for order in orders:
        # Each by another process, as after a restart.
        built(ground, options).perform(order)
    # One that may have been sent is sent again as it was.
    built(ground, options).perform(orders[2])
    names = [str(each["Message-ID"]) for each in bench.sent]
    threads = [str(each["References"]).split() for each in bench.sent]
    assert [each["In-Reply-To"] for each in bench.sent[1:25]] == names[:24]
    assert threads[3] == threads[25] == names[:3]
    assert names[25] == names[3]
    assert threads[24] == [names[0], *names[5:24]]


@pytest.mark.parametrize(
    "tag", ["[soporte.nodored #4711]", "[#123456]", "[Ticket ID: 482913]", "[Ticket#2026112210000013]"]
)
def test_the_tag_of_the_acknowledgement_stands_in_every_later_subject(
    ground: Ground, bench: EmailBench, tag: str
) -> None:
    helpdesk = built(ground, bench.options)
    helpdesk.perform(ORDER)
    bench.stranger_writes("[otra #99] nada que ver")
    bench.acknowledges(TICKET, tag)
    assert helpdesk.records is not None
    assert helpdesk.records.words(TICKET) == ()
    [case] = helpdesk.records.cases(ground.clock.now() - timedelta(days=1))
    assert (case.status, case.answered_at, case.reference) == (TicketStatus.OPEN, None, REFERENCE)
    # Another process, after a restart.
    built(ground, bench.options).perform(then(Action.RESOLVE))
    assert bench.sent[-1]["Subject"] == f"{tag} {ORDER.subject}"
    assert bench.unread() == 1


def test_a_letter_that_follows_is_kept_back_until_its_tag_is_in_the_mailbox(
    ground: Ground, bench: EmailBench
) -> None:
    helpdesk = built(ground, bench.options)
    helpdesk.perform(ORDER)
    with pytest.raises(DeliveryError) as caught:
        helpdesk.perform(then(Action.COMMENT))
    assert (caught.value.fate, caught.value.retry_after) == (Fate.NOT_SENT, None)
    assert len(bench.sent) == 1
    bench.acknowledges(TICKET, "[#7]")
    # The tag is learnt for the letter itself: nobody else reads the mailbox here.
    ground.step(timedelta(seconds=4))
    for order in (then(Action.COMMENT), then(Action.RESOLVE, 3), then(Action.REOPEN, 4)):
        helpdesk.perform(order)
    assert [each["Subject"] for each in bench.sent[1:]] == [f"[#7] {ORDER.subject}"] * 3


@pytest.mark.parametrize("reachable", [True, False])
def test_a_letter_goes_without_a_tag_where_none_comes_within_two_minutes(
    ground: Ground, bench: EmailBench, reachable: bool
) -> None:
    options = dict(bench.options)
    if not reachable:
        with talking(b"* OK\r\n", {b"": HANG}) as gone:
            options["imap"] = {"host": "127.0.0.1", "port": gone.port}
    helpdesk = built(ground, options)
    helpdesk.perform(ORDER)
    for step in (0, 60, 59):
        ground.step(timedelta(seconds=step))
        with pytest.raises(DeliveryError) as caught:
            helpdesk.perform(then(Action.RESOLVE))
        assert caught.value.fate is Fate.NOT_SENT
    ground.step(timedelta(seconds=1))
    helpdesk.perform(then(Action.RESOLVE))
    assert (bench.sent[1]["Subject"], bench.sent[1]["References"]) == (ORDER.subject, TICKET)


def test_a_clock_that_is_set_back_keeps_no_letter_back(ground: Ground, bench: EmailBench) -> None:
    helpdesk = built(ground, bench.options)
    helpdesk.perform(ORDER)
    ground.step(-timedelta(hours=1))
    helpdesk.perform(then(Action.COMMENT))
    assert len(bench.sent) == 2


def test_a_tag_that_comes_before_the_mail_server_answers_is_learnt(ground: Ground, bench: EmailBench) -> None:
    earlier = replace(ORDER, reference=OTHER, key=f"{OTHER}-create-1", subject=f"[{OTHER}] gye2")
    helpdesk = built(ground, bench.options)
    helpdesk.perform(earlier)
    cases: list[str] = []

    def read_at_once(_letter: object) -> None:
        bench.acknowledges(TICKET, "[#8]")
        # Whoever follows tickets reads the mailbox while the letter is under way.
        records = built(ground, bench.options).records
        assert records is not None
        cases.extend(case.reference for case in records.cases(ground.clock.now() - timedelta(days=1)))

    bench.at_every_letter(read_at_once)
    helpdesk.perform(ORDER)
    bench.at_every_letter(lambda _letter: None)
    assert cases == [OTHER]
    helpdesk.perform(then(Action.COMMENT))
    assert bench.sent[-1]["Subject"] == f"[#8] {ORDER.subject}"


def test_neither_a_report_nor_a_second_number_takes_the_place_of_the_tag(
    ground: Ground, bench: EmailBench
) -> None:
    helpdesk = built(ground, bench.options)
    helpdesk.perform(ORDER)
    bench.returns(TICKET, "[#500]")
    bench.acknowledges(TICKET, "[#7]")
    bench.acknowledges(TICKET, "[#8]")
    helpdesk.perform(then(Action.COMMENT))
    assert bench.sent[-1]["Subject"] == f"[#7] {ORDER.subject}"


def test_the_first_answer_stays_the_first(ground: Ground, bench: EmailBench) -> None:
    helpdesk = built(ground, bench.options)
    helpdesk.perform(ORDER)
    assert helpdesk.records is not None
    bench.human_answers(TICKET, "Ya lo revisamos.")
    [first] = helpdesk.records.words(TICKET)
    ground.clock.step(timedelta(minutes=5))
    bench.human_answers(TICKET, "Era el disco.")
    assert len(helpdesk.records.words(TICKET)) == 2
    [case] = helpdesk.records.cases(ground.clock.now() - timedelta(hours=1))
    assert case.answered_at == first.at


def test_a_selftest_waits_for_the_acknowledgement(ground: Ground, bench: EmailBench) -> None:
    waited: list[float] = []

    def wait(seconds: float) -> None:
        ground.step(timedelta(seconds=seconds))
        waited.append(seconds)
        if len(waited) == 4:
            bench.acknowledges(str(bench.sent[0]["Message-ID"]), "[#7]")

    trial = Trial(
        helpdesk=built(ground, bench.options),
        installation="TESTHAUS",
        name=OTHER.rpartition("-")[2],
        department="soporte",
        language="en",
        wait=wait,
    )
    steps = list(written(trial))
    assert {"open", "comment", "priority", "resolve"} <= {step.name for step in steps}
    assert {step.ok for step in steps} == {True}
    [opening, *others] = bench.sent
    assert opening["Subject"] in {each["Subject"].removeprefix("[#7] ") for each in others}
    assert all(each["Subject"].startswith("[#7] ") for each in others)
    assert waited[:4] == [0, 1, 2, 5]
    assert set(waited[4:]) == {0}


def test_an_opening_that_is_sent_again_goes_to_the_ticket_that_it_made(
    ground: Ground, bench: EmailBench
) -> None:
    helpdesk = built(ground, bench.options)
    helpdesk.perform(ORDER)
    bench.acknowledges(TICKET, "[#7]")
    ground.step(timedelta(minutes=1))
    helpdesk.perform(ORDER)
    assert [each["Subject"] for each in bench.sent] == [ORDER.subject, f"[#7] {ORDER.subject}"]
    assert (bench.sent[1]["Message-ID"], bench.sent[1]["References"]) == (TICKET, None)


def test_what_people_answer_is_a_word_once(ground: Ground, bench: EmailBench) -> None:
    helpdesk = built(ground, bench.options)
    helpdesk.perform(ORDER)
    bench.human_answers(TICKET, "Ya lo revisamos.")
    assert helpdesk.records is not None
    [word] = helpdesk.records.words(TICKET)
    assert (word.deed, word.author, word.body) == (Deed.ANSWER, "Ana", "Ya lo revisamos.")
    ground.clock.step(timedelta(minutes=5))
    assert helpdesk.records.words(TICKET) == (word,)
    [case] = helpdesk.records.cases(ground.clock.now() - timedelta(hours=1))
    assert (case.status, case.answered_at) == (TicketStatus.ANSWERED, word.at)
    helpdesk.perform(then(Action.RESOLVE))
    [case] = helpdesk.records.cases(ground.clock.now() - timedelta(hours=1))
    assert (case.status, case.closed_at) == (TicketStatus.CLOSED, ground.clock.now())
    with pytest.raises(DeliveryError) as missing:
        helpdesk.records.words("<other@nodored.example>")
    assert missing.value.fate is Fate.MISSING


def test_what_may_have_been_sent_is_sent_again_under_the_same_name(ground: Ground, bench: EmailBench) -> None:
    talk = {
        b"EHLO": b"250 hi\r\n",
        b"DATA": b"354 go\r\n",
        b".\r\n": b"",
        b"QUIT": b"",
        b"MAIL": b"250 ok\r\n",
        b"RCPT": b"250 ok\r\n",
    }
    with talking(b"220 hi\r\n", {**talk, b".\r\n": b"banana\r\n", b"": b""}) as server:
        unsure = built(ground, {**bench.options, "smtp": {"host": "127.0.0.1", "port": server.port}})
        with pytest.raises(DeliveryError) as caught:
            unsure.perform(ORDER)
        heard = b"".join(server.heard)
    assert caught.value.fate is Fate.UNCERTAIN
    built(ground, bench.options).perform(ORDER)
    assert f"Message-ID: {TICKET}\r\n".encode() in heard
    assert bench.sent[0]["Message-ID"] == TICKET


def test_departments_have_addresses_and_priorities_numbers_of_their_own(
    ground: Ground, bench: EmailBench
) -> None:
    more = {
        "departments": {"pagos": "Pagos@nodored.example"},
        "priorities": {"urgent": 2},
        "automatic": True,
    }
    helpdesk = built(ground, {**bench.options, **more})
    helpdesk.perform(replace(ORDER, department="pagos"))
    [letter] = bench.sent
    assert (letter["To"], letter["X-Priority"], letter["Auto-Submitted"]) == (
        "Pagos@nodored.example",
        "2",
        "auto-generated",
    )


def test_a_ticket_of_another_helpdesk_is_missing(ground: Ground, bench: EmailBench) -> None:
    with pytest.raises(DeliveryError) as caught:
        built(ground, bench.options).perform(then(Action.COMMENT, ticket="4711"))
    assert caught.value.fate is Fate.MISSING
    assert bench.sent == []


def test_an_address_that_the_server_does_not_know_is_told_and_opens_no_ticket(
    ground: Ground, bench: EmailBench
) -> None:
    bench.lose("queue")
    [flaw] = built(ground, bench.options).inspect()
    assert TO in flaw.say("es")
    assert "550" in flaw.say("en")


def test_without_a_mailbox_nothing_is_read(ground: Ground, bench: EmailBench) -> None:
    options = {key: value for key, value in bench.options.items() if key != "imap"}
    alone = built(ground, options)
    assert alone.records is None
    alone.perform(ORDER)
    assert bench.sent[0]["Auto-Submitted"] == "auto-generated"


def test_a_mailbox_that_is_away_keeps_no_letter_back(ground: Ground, bench: EmailBench) -> None:
    with talking(b"* OK\r\n", {b"": HANG}) as gone:
        port = gone.port
    helpdesk = built(ground, {**bench.options, "imap": {"host": "127.0.0.1", "port": port}})
    helpdesk.perform(ORDER)
    assert helpdesk.records is not None
    with pytest.raises(DeliveryError) as caught:
        helpdesk.records.cases(ground.clock.now())
    assert caught.value.fate is Fate.NOT_SENT


@pytest.mark.parametrize(
    ("subject", "pattern", "tag"),
    [
        (f"[{REFERENCE}] gye1", None, ""),
        ("Re: [x #1] [y #2]", None, "[x #1]"),
        ("CASO-77/2026 abierto", r"(CASO-[0-9]+/[0-9]+)", "CASO-77/2026"),
        ("nada", r"(CASO-[0-9]+)", ""),
        ("(Ticket#2026)", None, "(Ticket#2026)"),
    ],
)
def test_tags(subject: str, pattern: str | None, tag: str) -> None:
    assert tag_in(subject, pattern) == tag


@pytest.mark.parametrize(
    "wrong",
    [
        {"to": "nobody"},
        {"from": TO},
        {"from": TO.upper()},
        {"departments": {"pagos": FROM}},
        {"tag": "(a)"},
        {"imap": {"host": "h.test"}, "tag": "no group"},
        {"imap": {"host": "h.test"}, "tag": "(a)(b)"},
        {"priorities": {"high": 9}},
        {"smtp": {}},
        {"url": "https://x.test"},
    ],
)
def test_what_cannot_work_is_refused(wrong: dict[str, object]) -> None:
    good = {"to": TO, "from": FROM, "smtp": {"host": "mail.test"}}
    EmailOptions.model_validate(good)
    with pytest.raises(ValidationError):
        EmailOptions.model_validate({**good, **wrong})


def test_every_outcome_of_a_letter_is_a_fate_of_a_delivery() -> None:
    assert [Fate(outcome).name for outcome in Outcome] == [outcome.name for outcome in Outcome]
