"""The showing side: one snapshot for all, moved on when somebody could see a difference."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from monitor.actions import maintain
from monitor.errors import SchemaError, StoreError
from monitor.health.words import Service, Status
from monitor.identifiers import IncidentId, ServerId
from monitor.metrics.instruments import Instruments
from monitor.observation import Measure
from monitor.station.reader import DatabaseReader, open_reader
from monitor.status.snapshot import GREY_AFTER, STALE_AFTER, Freshness, Snapshot
from monitor.store import deliveries
from tests.actions.builders import GYE1, MINUTE, RESOLVE_AFTER, Lookout, fleet, look, plan, server
from tests.conftest import SteppingClock

SECOND = timedelta(seconds=1)
WELL = ("gye1/http ok", "gye1/smtp ok", "gye1/tls ok", "uio1/http ok", "uio1/tcp ok")


def shown(reader: DatabaseReader, lookout: Lookout, after: timedelta = SECOND) -> Snapshot:
    lookout.clock.step(after)
    return reader.snapshot()


def beat(lookout: Lookout) -> None:
    lookout.bureau.publish("", "")


def test_a_data_directory_without_a_database_is_refused(tmp_path):
    with pytest.raises(SchemaError, match="vigia run"):
        open_reader(tmp_path)


def test_the_same_object_is_shown_until_something_changed(reader: DatabaseReader, lookout: Lookout):
    lookout.see(*WELL)
    beat(lookout)
    first = shown(reader, lookout)
    assert shown(reader, lookout) is first
    beat(lookout)
    assert shown(reader, lookout) is first
    lookout.see("gye1/http down", times=3)
    second = shown(reader, lookout)
    assert second.number == first.number + 1
    assert second.servers()[0].last_known is Status.PARTIAL_OUTAGE


def test_the_database_is_asked_at_most_twice_a_second(reader: DatabaseReader, lookout: Lookout):
    first = reader.snapshot()
    lookout.bureau.begin(lookout.fleet)
    assert reader.snapshot() is first
    assert shown(reader, lookout) is not first


def test_the_page_moves_on_each_minute_although_nothing_happened(reader: DatabaseReader, lookout: Lookout):
    beat(lookout)
    first = shown(reader, lookout)
    assert shown(reader, lookout, MINUTE).generated_at == first.generated_at + MINUTE


@pytest.mark.parametrize(("age", "freshness"), [(STALE_AFTER, Freshness.STALE), (GREY_AFTER, Freshness.GREY)])
def test_it_moves_on_at_the_very_edge_of_freshness(
    reader: DatabaseReader, lookout: Lookout, age: timedelta, freshness: Freshness
):
    beat(lookout)
    before = shown(reader, lookout, age)
    assert before.freshness is not freshness
    assert shown(reader, lookout).freshness is freshness


def test_the_bars_turn_at_the_midnight_of_the_site(reader: DatabaseReader, lookout: Lookout):
    lookout.clock.step(datetime(2026, 11, 23, 4, 59, 59, tzinfo=UTC) - lookout.clock.now())
    assert reader.snapshot().servers()[0].days[-1].date == date(2026, 11, 22)
    assert shown(reader, lookout).servers()[0].days[-1].date == date(2026, 11, 23)


def test_an_incident_of_any_age_is_found_if_customers_may_see_it(reader: DatabaseReader, lookout: Lookout):
    lookout.see(*WELL)
    lookout.see("gye1/http down", "gye1/tls ending", times=3)
    public, staff = sorted(lookout.incidents(), key=lambda each: each.audience == "operators")
    assert reader.incident(public.id) == public
    assert reader.incident(staff.id) is None
    assert reader.incident(IncidentId("01NOBODY")) is None


def test_a_month_holds_what_touches_it_in_the_zone_of_the_site(reader: DatabaseReader, lookout: Lookout):
    lookout.clock.step(datetime(2026, 12, 1, 4, 50, tzinfo=UTC) - lookout.clock.now())
    now = lookout.clock.now()
    with lookout.database.writing() as tx:
        maintain.plan(
            tx,
            servers=(GYE1,),
            starts_at=now,
            ends_at=now + 5 * MINUTE,
            title={"es": "Trabajos", "en": "Work"},
            actor="ana",
            moment=now,
        )
    lookout.bureau.keep_house()
    lookout.see("uio1/http down", times=3)
    lookout.all_well()
    lookout.wait(RESOLVE_AFTER)
    november, december = reader.month(2026, 11), reader.month(2026, 12)
    assert len(november.incidents) == len(november.windows) == 1
    # It ended at ten to five in Greenwich, when Ecuador still wrote November.
    assert december.incidents == ()
    assert december.windows == ()
    assert reader.month(2027, 1).incidents == ()


def test_response_times_are_those_of_the_last_day_check_by_check(reader: DatabaseReader, lookout: Lookout):
    lookout.see(*WELL, times=20)
    lookout.clock.step(10 * MINUTE)
    series = reader.response_times(GYE1)
    assert [each.check for each in series] == ["http", "smtp", "tls", "disk"]
    assert series[0].service is Service.WEB
    assert all(point.p50_ms == pytest.approx(12.5, rel=0.1) for point in series[0].points)
    assert series[0].points
    assert series[3].points == ()
    assert reader.response_times(ServerId("nobody")) == ()


def test_how_long_a_job_ran_is_no_response_time(reader: DatabaseReader, lookout: Lookout):
    job = replace(plan("gye1/backup", Service.FILES), kind="heartbeat")
    lookout.bureau.apply(fleet(server(GYE1, plan("gye1/http", Service.WEB), job)))
    assert [each.check for each in reader.response_times(GYE1)] == ["http"]


def test_metrics_join_what_watch_published_with_what_is_shown(reader: DatabaseReader, lookout: Lookout):
    lookout.see(*WELL)
    lookout.see("gye1/http down", times=3)
    instruments = Instruments(version="1", engine="sqlite 3")
    lookout.bureau.publish(instruments.text(), instruments.openmetrics())
    metrics = reader.metrics()
    assert 'vigia_server_status{server="gye1",status="partial_outage"} 1' in metrics.text
    assert 'vigia_incidents_open{impact="major"} 1' in metrics.text
    assert 'vigia_deliveries_pending{kind="ticket"} 1' in metrics.text
    assert 'vigia_deliveries_pending{kind="verify"} 0' in metrics.text
    assert 'vigia_deliveries_uncertain{kind="ticket"} 0' in metrics.text
    assert metrics.openmetrics.endswith("# EOF\n")
    assert "# EOF" not in metrics.text


def test_a_scrape_shows_the_newest_look_of_every_check(reader: DatabaseReader, lookout: Lookout):
    def shown(name: str) -> list[str]:
        held = f'{{server="gye1",check="{name}",'
        return sorted(line.replace(held, "{") for line in reader.metrics().text.splitlines() if held in line)

    assert shown("http") == []
    ends = lookout.clock.now() + timedelta(days=30)
    seen = look("gye1/http", "ok", lookout.clock.step(MINUTE))
    lookout.bureau.record(
        [
            replace(
                seen, phases={"connect": 1.25}, tls_expires_at=ends, measures=(Measure("used", 0.5, "ratio"),)
            )
        ]
    )
    assert shown("http") == [], "it is written with the next sign of life"
    lookout.bureau.publish("", "")
    first = shown("http")
    assert 'vigia_check_up{kind="http",location="local"} 1' in first
    assert 'vigia_probe_duration_seconds{kind="http",location="local",phase="connect"} 0.00125' in first
    assert 'vigia_probe_duration_seconds{kind="http",location="local",phase="total"} 0.0125' in first
    assert 'vigia_measure{kind="http",location="local",measure="used",unit="ratio"} 0.5' in first
    assert [line for line in first if "expiry" in line and line.endswith(f" {ends.timestamp():.0f}")]
    lookout.see("gye1/http down", "gye1/smtp ok", times=3)
    lookout.bureau.publish("", "")
    later = shown("http")
    assert 'vigia_check_up{kind="http",location="local"} 0' in later
    assert not [line for line in later if "connect" in line or "measure" in line]
    assert [line for line in later if "expiry" in line] == [line for line in first if "expiry" in line]
    assert 'vigia_check_up{kind="smtp",location="local"} 1' in shown("smtp")


def test_a_new_process_shows_the_looks_of_the_one_before(
    tmp_path: Path, lookout: Lookout, clock: SteppingClock
):
    lookout.see(*WELL)
    lookout.bureau.publish("", "")
    again = lookout.restart()
    again.see("gye1/smtp down", times=3)
    again.bureau.publish("", "")
    reader = open_reader(tmp_path, clock)
    text = reader.metrics().text
    assert 'vigia_check_up{server="gye1",check="http",kind="http",location="local"} 1' in text
    assert 'vigia_check_up{server="gye1",check="smtp",kind="smtp",location="local"} 0' in text
    reader.close()
    again.database.close()


def test_a_check_that_is_taken_out_leaves_the_scrape(reader: DatabaseReader, lookout: Lookout):
    lookout.see(*WELL)
    lookout.bureau.publish("", "")
    assert 'check="smtp"' in reader.metrics().text
    kept = server(GYE1, plan("gye1/http", Service.WEB))
    lookout.bureau.apply(fleet(kept))
    text = reader.metrics().text
    assert 'check="smtp"' not in text
    assert 'vigia_check_up{server="gye1",check="http",kind="http",location="local"} 1' in text


@pytest.mark.system("promtool")
def test_prometheus_accepts_the_metrics(reader: DatabaseReader, lookout: Lookout):
    lookout.see(*WELL)
    instruments = Instruments(version="1", engine="sqlite 3")
    lookout.bureau.publish(instruments.text(), instruments.openmetrics())
    promtool = shutil.which("promtool")
    assert promtool is not None
    answer = subprocess.run(
        [promtool, "check", "metrics"],
        input=reader.metrics().text,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (answer.returncode, answer.stderr) == (0, "")


def test_metrics_before_the_first_publication_say_what_is_known(reader: DatabaseReader):
    assert "vigia_server_status" in reader.metrics().text


def test_it_is_ready_while_watch_lives_and_deliveries_leave(reader: DatabaseReader, lookout: Lookout):
    beat(lookout)
    assert reader.readiness().ok


def test_it_is_not_ready_when_watch_is_silent(reader: DatabaseReader, lookout: Lookout):
    beat(lookout)
    lookout.clock.step(31 * SECOND)
    readiness = reader.readiness()
    assert not readiness.ok
    assert "2026-11-22 15:00:00 UTC" in readiness.problems[0]


def test_it_is_not_ready_when_a_delivery_waits_too_long(reader: DatabaseReader, lookout: Lookout):
    lookout.see("gye1/http down", times=3)
    lookout.clock.step(6 * MINUTE)
    beat(lookout)
    problems = " ".join(reader.readiness().problems)
    assert "a delivery (ticket) has been waiting since" in problems
    with lookout.database.writing() as tx:
        rows = deliveries.of_incident(tx, lookout.incident().id)
        for row in rows:
            deliveries.finish_unsent(tx, row, "not in this test")
    assert reader.readiness().ok


def test_a_database_that_cannot_be_read_is_no_readiness_and_no_new_picture(
    reader: DatabaseReader, lookout: Lookout
):
    reader.close()
    readiness = reader.readiness()
    assert not readiness.ok
    assert "cannot be read" in readiness.problems[0]
    with pytest.raises(StoreError):
        shown(reader, lookout)
