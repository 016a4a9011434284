"""ticket selftest, retry and show: what a person at the command line learns of the helpdesk."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from monitor.clock import SystemClock
from monitor.inventory import load
from monitor.station.listening import write_address
from monitor.station.office import Wanted, office_of
from monitor.store import observations, readings
from tests.cli.conftest import Installation, Vigia
from tests.servers.helpdesk import SECRET, Helpdesk
from tests.servers.post_office import post_office

STEPS = [
    *("inspect", "open", "find", "comment", "priority", "resolve", "closed"),
    *("reopen", "reopened", "resolve_again", "closed_again"),
]


@pytest.fixture
def server() -> Iterator[Helpdesk]:
    made = Helpdesk(SystemClock().now)
    yield made
    made.close()


@pytest.fixture
def outside(installation: Installation, server: Helpdesk) -> Installation:
    """The same installation with a helpdesk behind a webhook."""
    words = installation.config.read_text(encoding="utf-8")
    words += (
        f'helpdesk: {{kind: webhook, url: "{server.url}", secret: "{SECRET}", search_lag: 1s, timeout: 5s}}\n'
    )
    installation.config.write_text(words, encoding="utf-8")
    return installation


def carry_out(installation: Installation, times: int = 20) -> None:
    loaded = load(installation.config, environment={})
    wanted = Wanted(
        configuration=loaded,
        database=installation.database,
        clock=installation.lookout.bureau.clock,
        installation="TESTHAUS",
    )
    office = office_of(wanted, on_result=lambda _: None, on_news=lambda: None)
    for _ in range(times):
        if not office.deliverer.step():
            return


def test_the_desk_is_fit(vigia: Vigia, installation: Installation) -> None:
    answer = vigia("ticket", "selftest", *installation.where)
    assert (answer.status, answer.out) == (0, "ok      inspect: desk is fit\n")


def test_one_ticket_goes_the_whole_way_at_the_desk(vigia: Vigia, installation: Installation) -> None:
    answer = vigia("ticket", "selftest", "--write", *installation.where, "--json")
    assert [step["step"] for step in answer.document] == STEPS
    assert (answer.status, {step["ok"] for step in answer.document}) == (0, {True})
    listed = vigia("desk", "list", "--all", *installation.where, "--json").document
    test = max(listed, key=lambda ticket: ticket["id"])
    assert (test["status"], "prueba de Vigía" in test["subject"]) == ("closed", True)


def test_the_address_of_the_ticket_is_the_one_that_the_service_bound(
    vigia: Vigia, installation: Installation
) -> None:
    words = installation.config.read_text(encoding="utf-8")
    installation.config.write_text(words.replace("url: https://estado.nodored.test, ", ""), encoding="utf-8")
    write_address(installation.data, "127.0.0.1:41414")
    answer = vigia("ticket", "selftest", "--write", *installation.where)
    assert "http://127.0.0.1:41414/" in answer.out
    assert "http://127.0.0.1:41414" in vigia("doctor", *installation.where).out


def test_reading_alone_opens_nothing(vigia: Vigia, outside: Installation, server: Helpdesk) -> None:
    assert vigia("ticket", "selftest", *outside.where).status == 0
    assert server.tickets == []


def test_one_ticket_goes_the_whole_way_outside(vigia: Vigia, outside: Installation, server: Helpdesk) -> None:
    answer = vigia("ticket", "selftest", "--write", *outside.where)
    assert answer.status == 0, answer.out
    [ticket] = server.tickets
    assert [action for action, _ in ticket.messages] == [
        "create",
        "comment",
        "priority",
        "resolve",
        "reopen",
        "resolve",
    ]
    assert ticket.reference in answer.out
    assert {"comment", "resolve"} <= {ticket.messages[place][0] for place in ticket.internal}


def test_a_helpdesk_that_drops_references_is_found_out(
    vigia: Vigia, outside: Installation, server: Helpdesk
) -> None:
    server.drops_references = True
    answer = vigia("ticket", "selftest", "--write", *outside.where, "--json")
    assert answer.status == 1
    failed = [step["step"] for step in answer.document if not step["ok"]]
    assert failed == ["find", "closed"]
    # What was opened is closed all the same.
    assert [ticket.status for ticket in server.tickets] == ["closed"]


def test_a_helpdesk_that_opens_two_tickets_at_once_is_found_out(
    vigia: Vigia, outside: Installation, server: Helpdesk
) -> None:
    server.modes.append("twice")
    answer = vigia("ticket", "selftest", "--write", *outside.where, "--json")
    assert answer.status == 1
    failed = {step["step"]: step["detail"] for step in answer.document if not step["ok"]}
    assert list(failed) == ["find", "closed"]
    assert "it leads to 1 (open), 2 (open)" in failed["find"]


def test_a_helpdesk_that_opens_nothing_again_is_found_out(
    vigia: Vigia, outside: Installation, server: Helpdesk
) -> None:
    server.modes.extend(["ok"] * 4 + ["422"])
    answer = vigia("ticket", "selftest", "--write", *outside.where, "--json")
    assert answer.status == 1
    failed = [step["step"] for step in answer.document if not step["ok"]]
    assert failed == ["reopen"]
    assert [ticket.status for ticket in server.tickets] == ["closed"]


def before_its_first_start(outside: Installation, folder: Path) -> tuple[str, ...]:
    """Return where a configuration lies whose service never ran."""
    return ("--config", str(outside.config), "--data", str(folder / "nothing yet"))


def test_a_helpdesk_is_tried_before_the_first_start(
    vigia: Vigia, outside: Installation, server: Helpdesk, tmp_path: Path
) -> None:
    """Nothing is left behind: the database belongs to whom the service runs as, and watch makes it."""
    where = before_its_first_start(outside, tmp_path)
    answer = vigia("ticket", "selftest", "--write", *where)
    assert answer.status == 0, answer.out
    assert [ticket.status for ticket in server.tickets] == ["closed"]
    server.knows_us = False
    findings = {each["subject"]: each for each in vigia("doctor", *where, "--json").document}
    assert findings["helpdesk"]["verdict"] == "broken"
    assert not (tmp_path / "nothing yet").exists()


def test_what_only_a_ticket_proves_fails_as_long_as_none_was_written(
    vigia: Vigia, installation: Installation, nobody: int
) -> None:
    """Request Tracker tells nobody its statuses: a wrong one shall not come to light when a fault is over."""
    words = installation.config.read_text(encoding="utf-8")
    options = f'url: "http://127.0.0.1:{nobody}", user: vigia, password: secret, queue: Soporte, closed_status: solucionado'
    installation.config.write_text(f"{words}helpdesk: {{kind: rt, {options}}}\n", encoding="utf-8")
    steps = vigia("ticket", "selftest", *installation.where, "--json").document
    [step] = [step for step in steps if step["step"] == "unproven"]
    assert not step["ok"]
    assert "solucionado" in step["detail"]
    assert "--write" in step["detail"]
    written = vigia("ticket", "selftest", "--write", *installation.where, "--json").document
    assert "unproven" not in [step["step"] for step in written]


def test_wrong_credentials_are_told_with_their_remedy(
    vigia: Vigia, outside: Installation, server: Helpdesk
) -> None:
    server.knows_us = False
    answer = vigia("ticket", "selftest", "--write", *outside.where)
    assert answer.status == 1
    assert "401" in answer.out
    assert "credenciales" in answer.out
    assert server.tickets == []
    findings = {each["subject"]: each for each in vigia("doctor", *outside.where, "--json").document}
    assert findings["helpdesk"]["verdict"] == "broken"
    assert "credentials" in findings["helpdesk"]["detail"]


@pytest.mark.parametrize(("imap", "marks"), [("", ["ok", "warn"]), (", imap: {host: 127.0.0.1}", ["ok"])])
def test_mail_without_a_mailbox_is_a_warning_and_no_failure(
    vigia: Vigia, installation: Installation, imap: str, marks: list[str]
) -> None:
    with post_office() as office:
        helpdesk = f"{{kind: email, to: soporte@n.test, from: vigia@n.test, smtp: {{host: 127.0.0.1, port: {office.port}}}{imap}}}"
        words = installation.config.read_text(encoding="utf-8")
        installation.config.write_text(f"{words}helpdesk: {helpdesk}\n", encoding="utf-8")
        answer = vigia("ticket", "selftest", *installation.where)
        steps = vigia("ticket", "selftest", *installation.where, "--json").document
        found = vigia("doctor", *installation.where, "--json").document
    assert (answer.status, [line.split()[0] for line in answer.out.splitlines()]) == (0, marks)
    assert [(step["ok"], step["warns"]) for step in steps] == [(True, mark == "warn") for mark in marks]
    verdicts = [each["verdict"] for each in found if each["subject"] == "helpdesk"]
    assert verdicts == ["warning" if mark == "warn" else "fine" for mark in marks]
    assert ("Request Tracker" in answer.out) == ("`imap`" in answer.out) == (not imap)


def test_what_was_refused_is_tried_again(vigia: Vigia, outside: Installation, server: Helpdesk) -> None:
    outside.lookout.see("gye1/http down", times=3)
    outside.lookout.clock.step(timedelta(seconds=1))
    server.now = outside.lookout.clock.now
    with outside.database.writing() as tx:
        tx.execute("DELETE FROM tickets")
        tx.execute("UPDATE deliveries SET state = 'ready', detail = '' WHERE channel = 'ticket'")
    server.modes.append("422")
    carry_out(outside)
    with outside.database.reading() as tx:
        [incident] = readings.open_incidents(tx)
    reference = f"VG-TESTHAUS-{incident.id}"
    with outside.database.writing() as tx:
        observations.note(tx, "id", "TESTHAUS")
    [listed] = vigia("ticket", "list", *outside.where, "--json").document
    assert (listed["reference"], listed["id"], listed["status"]) == (reference, None, "open")
    assert listed["delivery"] == "rejected"
    told = vigia("ticket", "list", *outside.where).out
    assert reference in told
    assert "not opened yet" in told
    for words in (("status",), ("incident", "show", incident.id)):
        assert f"ticket {reference}, not opened yet" in vigia(*words, *outside.where).out
    shown = vigia("ticket", "show", reference, *outside.where)
    assert f"{reference}: not opened yet" in shown.out
    assert "refused, `vigia ticket retry` tries it again" in shown.out
    as_json = vigia("ticket", "show", reference, *outside.where, "--json").document
    assert (as_json["id"], as_json["incidents"]) == (None, [incident.id])
    answer = vigia("ticket", "retry", reference, *outside.where, "--json")
    assert (answer.status, answer.document) == (0, {"retried": 1})
    outside.lookout.clock.step(timedelta(minutes=1))
    carry_out(outside)
    assert len(server.tickets) == 1
    [listed] = vigia("ticket", "list", *outside.where, "--json").document
    assert (listed["reference"], listed["id"]) == (reference, "1")
    assert "confirmed" in vigia("ticket", "show", reference, *outside.where).out
    assert vigia("ticket", "retry", "--all", *outside.where, "--json").document == {"retried": 0}


@pytest.mark.parametrize("words", [(), ("VG-TESTHAUS-X", "--all")])
def test_one_or_all(vigia: Vigia, installation: Installation, words: tuple[str, ...]) -> None:
    assert vigia("ticket", "retry", *words, *installation.where).status == 2


@pytest.mark.parametrize("command", ["retry", "show"])
def test_nobodys_ticket_is_told(vigia: Vigia, installation: Installation, command: str) -> None:
    answer = vigia("ticket", command, "VG-TESTHAUS-01JD9ZK3V8QW5R7T2M4N6P8S0A", *installation.where)
    assert answer.status == 1
    assert "vigia ticket list" in answer.err


def test_what_is_missing_is_said_of_a_directory_without_a_database(
    vigia: Vigia, config: Path, tmp_path: Path
) -> None:
    answer = vigia("ticket", "retry", "--all", "--config", config, "--data", tmp_path / "nowhere")
    assert answer.status == 1
    assert "vigia run" in answer.err
