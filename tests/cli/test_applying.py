"""plan and apply, and availability, as people and programs ask for them."""

from __future__ import annotations

import threading
from contextlib import closing
from datetime import timedelta
from zoneinfo import ZoneInfo

from monitor.actions import asking
from monitor.clock import SystemClock
from monitor.inventory import load
from monitor.store.database import Database
from tests.cli.conftest import Installation, Vigia

ANOTHER = """
  - id: gye2
    name: gye2.nodored.test
    group: hosting
    host: 127.0.0.1
    checks: [ping]
"""


def answering(installation: Installation, *, problem: str = "") -> threading.Thread:
    """Answer the next order as watch would."""

    def watch() -> None:
        with closing(Database.open(installation.data / "vigia.db", owner=False)) as database:
            while True:
                with database.reading() as tx:
                    order = asking.newest(tx)
                if order is not None:
                    break
                threading.Event().wait(0.02)
            told = asking.Told(
                path=str(installation.config),
                digest="" if problem else load(installation.config, environment={}).digest,
                problem=problem,
                order=order.id,
            )
            with database.writing() as tx:
                asking.tell(tx, told, SystemClock().now())

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    return thread


def publish_now(installation: Installation) -> None:
    clock = installation.lookout.clock
    clock.step(SystemClock().now() - clock.now())
    installation.lookout.bureau.publish("", "")


class TestPlan:
    def test_nothing_to_do_is_said(self, vigia: Vigia, installation: Installation):
        answer = vigia("plan", *installation.where)
        assert answer.status == 0
        assert "nothing changes" in answer.out

    def test_what_would_change_is_shown_and_nothing_is_done(self, vigia: Vigia, installation: Installation):
        installation.config.write_text(installation.config.read_text() + ANOTHER)
        answer = vigia("plan", *installation.where)
        assert answer.out.splitlines() == ["+ server gye2", "+ check gye2/ping"]
        document = vigia("plan", *installation.where, "--json").document
        assert [change["name"] for change in document["changes"]] == ["gye2", "gye2/ping"]
        assert document["needs_apply"] is False
        assert [
            server["id"] for server in vigia("status", *installation.where, "--json").document["servers"]
        ] == ["gye1"]

    def test_another_file_may_be_named(self, vigia: Vigia, installation: Installation):
        other = installation.config.with_name("other.yaml")
        other.write_text(installation.config.read_text().replace("name: Nodored", "name: Otra"))
        answer = vigia("plan", other, *installation.where)
        assert "name: Nodored -> Otra" in answer.out

    def test_a_wrong_file_is_refused_with_its_place(self, vigia: Vigia, installation: Installation):
        installation.config.write_text(installation.config.read_text() + "  - id: gye2\n    grupo: hosting\n")
        answer = vigia("plan", *installation.where)
        assert answer.status == 1
        assert "grupo" in answer.err


class TestApply:
    def test_it_waits_for_watch_and_says_what_is_in_force(self, vigia: Vigia, installation: Installation):
        publish_now(installation)
        installation.config.write_text(installation.config.read_text() + ANOTHER)
        thread = answering(installation)
        answer = vigia("apply", *installation.where)
        thread.join()
        assert answer.status == 0, answer.err
        assert answer.out.splitlines() == ["+ server gye2", "+ check gye2/ping", "in force"]

    def test_what_watch_has_against_it_is_told(self, vigia: Vigia, installation: Installation):
        publish_now(installation)
        thread = answering(installation, problem="line 3: no such key")
        answer = vigia("apply", *installation.where, "--json")
        thread.join()
        assert answer.status == 1
        assert answer.document["problem"] == "line 3: no such key"

    def test_without_watch_it_says_so(self, vigia: Vigia, installation: Installation):
        installation.lookout.clock.step(timedelta(hours=-1))
        installation.lookout.bureau.publish("", "")
        answer = vigia("apply", *installation.where)
        assert answer.status == 1
        assert "vigia run" in answer.err


class TestUptime:
    def test_a_period_is_told_with_its_outages(self, vigia: Vigia, installation: Installation):
        publish_now(installation)
        answer = vigia("uptime", "gye1", *installation.where)
        assert answer.status == 0
        assert "gye1: " in answer.out
        assert "partial_outage" in answer.out
        document = vigia("uptime", "gye1", *installation.where, "--json").document
        assert 0 < document["share"] < 1
        assert document["down_s"] > 0
        assert document["outages"][0]["status"] == "partial_outage"
        assert sum(day["down_s"] for day in document["days"]) == document["down_s"]

    def test_a_month_comes_as_lines_for_spreadsheets(self, vigia: Vigia, installation: Installation):
        publish_now(installation)
        today = installation.lookout.clock.now().astimezone(ZoneInfo("America/Guayaquil"))
        answer = vigia("uptime", "gye1", "--month", f"{today:%Y-%m}", "--csv", *installation.where)
        head, *days = answer.out.splitlines()
        assert head == "date,share,gross,down_s,degraded_s,maintenance_s,no_data_s"
        assert [day[:10] for day in days] == [
            f"{today:%Y-%m}-{number:02}" for number in range(1, today.day + 1)
        ]
        assert all(len(day.split(",")) == len(head.split(",")) for day in days)

    def test_who_asks_for_nonsense_is_told_how(self, vigia: Vigia, installation: Installation):
        for words, said in (
            (("--month", "noviembre"), "2026-11"),
            (("--day", "yesterday"), "2026-11-22"),
            (("--from", "soon"), "2026-12-01 22:00"),
            (("--month", "2026-11", "--day", "2026-11-22"), "one of"),
            (("--from", "2026-11-22 10:00", "--until", "2026-11-22 09:00"), "before it begins"),
            (("--csv", "--json"), "not both"),
        ):
            answer = vigia("uptime", "gye1", *words, *installation.where)
            assert answer.status == 2
            assert said in answer.err
        answer = vigia("uptime", "gye9", *installation.where)
        assert answer.status == 1
        assert "vigia status" in answer.err
