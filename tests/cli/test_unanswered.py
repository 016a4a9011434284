"""Whose question waits, as people and programs read it."""

from __future__ import annotations

from datetime import timedelta

from monitor.clock import SystemClock
from monitor.store import cases
from monitor.store.cases import CaseRow, Reads
from tests.cli.conftest import Installation, Vigia

HOUR = timedelta(hours=1)


def case(ticket: str, waited: timedelta, **changes: object) -> CaseRow:
    plain = {
        "helpdesk": "rt",
        "ticket": ticket,
        "url": f"https://helpdesk.example/{ticket}",
        "department": "soporte",
        "subject": "[7] No puedo entrar",
        "requester": "cliente@example.com",
        "priority": "normal",
        "status": "open",
        "opened_at": SystemClock().now() - waited,
        "seen_at": SystemClock().now(),
        "answered_at": None,
        "closed_at": None,
    }
    return CaseRow(**{**plain, **changes})


def wait(installation: Installation, *rows: CaseRow) -> None:
    now = SystemClock().now()
    with installation.database.writing() as tx:
        cases.put(tx, rows)
        cases.note_read(tx, "rt", Reads(read_at=now, whole_at=now))


def test_who_waits_longest_stands_first_with_the_time_that_is_left(vigia: Vigia, installation: Installation):
    now = SystemClock().now()
    wait(
        installation,
        case("8", 3 * HOUR),
        case("7", 30 * HOUR, priority="high"),
        case("9", 40 * HOUR, answered_at=now),
        case("6", 50 * HOUR, closed_at=now, status="closed"),
        case("5", 60 * HOUR, helpdesk="another"),
    )
    answer = vigia("ticket", "unanswered", *installation.where)

    first, second, as_of = answer.out.splitlines()[2:]
    assert answer.status == 0
    assert first.split()[:3] == ["7", "soporte", "high"]
    assert "6 h over" in first
    assert "20 h 59 min" in second
    assert "[7] No puedo entrar" in first
    assert as_of.startswith("As of 2")

    told = vigia("ticket", "unanswered", "--json", *installation.where).document
    assert [(each["id"], round(each["left_seconds"] / 3600)) for each in told] == [("7", -6), ("8", 21)]


def test_nobody_waits(vigia: Vigia, installation: Installation):
    wait(installation)
    answer = vigia("ticket", "unanswered", *installation.where)
    assert answer.status == 0
    assert answer.out.startswith("No ticket waits for an answer.\nAs of 2")
    assert vigia("ticket", "unanswered", "--json", *installation.where).document == []


def test_nobody_knows_who_waits_before_the_helpdesk_was_read(vigia: Vigia, installation: Installation):
    answer = vigia("ticket", "unanswered", *installation.where)
    assert (answer.status, answer.out) == (1, "")
    assert "nobody knows who waits" in answer.err
