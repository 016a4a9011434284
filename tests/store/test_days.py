"""Days in figures: worked out once, and again only where the past changed."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from monitor.health.words import Status
from monitor.identifiers import ServerId, WindowId
from monitor.journal import entries as j
from monitor.journal.entries import Kind
from monitor.store import readings
from monitor.store.database import Database
from monitor.store.days import refresh_days
from tests.store.history import append, applied, changed, entry, window

ECUADOR = ZoneInfo("America/Guayaquil")
FIRST = date(2026, 11, 18)
DAY_S = 86_400


def local(day: int, hour: float = 0) -> datetime:
    """An hour of a day of November as clocks in Ecuador show it."""
    return datetime(2026, 11, day, 5, tzinfo=UTC) + timedelta(hours=hour)


def refresh(database: Database, now: datetime, zone: ZoneInfo = ECUADOR) -> int:
    with database.writing() as tx:
        return refresh_days(tx, zone, now, FIRST)


def figures(database: Database, server: str = "gye1") -> dict[int, tuple[str | None, int, int, int, int]]:
    with database.reading() as tx:
        days = readings.server_days(tx, FIRST).get(ServerId(server), [])
    return {
        day.date.day: (day.worst, day.down_s, day.degraded_s, day.maintenance_s, day.no_data_s)
        for day in days
    }


@pytest.fixture(autouse=True)
def _two_servers(database: Database) -> None:
    append(
        database,
        applied("gye1", "uio1", at=local(18)),
        changed("gye1", Status.OPERATIONAL, since=local(18, 6)),
        changed("uio1", Status.OPERATIONAL, since=local(18, 6)),
        changed("gye1", Status.MAJOR_OUTAGE, since=local(19, 23)),
        changed("gye1", Status.OPERATIONAL, since=local(20, 1)),
    )


def test_days_that_are_over_are_worked_out_by_the_sites_own_midnight(database):
    assert refresh(database, local(21, 12)) == 2 * 3
    assert figures(database) == {
        18: ("operational", 0, 0, 0, DAY_S // 4),
        19: ("major_outage", 3600, 0, 0, 0),
        20: ("major_outage", 3600, 0, 0, 0),
    }


def test_nothing_is_worked_out_twice(database):
    refresh(database, local(21, 12))
    assert refresh(database, local(21, 23.9)) == 0
    assert refresh(database, local(22)) == 2


def test_a_late_confirmation_changes_the_days_it_speaks_about_and_no_others(database):
    refresh(database, local(21, 12))
    append(database, changed("gye1", Status.PARTIAL_OUTAGE, since=local(20, 20), at=local(21, 13)))
    assert refresh(database, local(21, 14)) == 1
    assert figures(database)[20] == ("major_outage", 3600 + 4 * 3600, 0, 0, 0)
    assert figures(database, "uio1")[20] == ("operational", 0, 0, 0, 0)


def test_a_silence_of_our_own_changes_the_days_of_every_server(database):
    refresh(database, local(21, 12))
    body = j.WatchStarted(boot="b", blind_since=local(20, 12))
    append(database, entry(Kind.WATCH_STARTED, body, local(21, 13), "watch"))
    assert refresh(database, local(21, 14)) == 2
    assert figures(database, "uio1")[20] == ("operational", 0, 0, 0, DAY_S // 2)


def test_a_window_counts_from_its_real_start(database):
    refresh(database, local(20, 12))
    plan = j.WindowPlanned(window=window("W1", "uio1", starts=local(20, 12)))
    append(database, entry(Kind.WINDOW_PLANNED, plan, local(20, 12), "W1"))
    move = j.WindowMoved(window=WindowId("W1"))
    append(database, entry(Kind.WINDOW_STARTED, move, local(20, 12), "W1"))
    append(database, entry(Kind.WINDOW_COMPLETED, move, local(20, 14), "W1"))
    refresh(database, local(21))
    assert figures(database, "uio1")[20] == ("operational", 0, 0, 2 * 3600, 0)


def test_another_zone_has_other_days(database):
    refresh(database, local(21, 12))
    assert refresh(database, local(21, 12), ZoneInfo("UTC")) == 2 * 3
    assert figures(database)[20] == ("major_outage", 2 * 3600, 0, 0, 0)


def test_a_retired_server_keeps_its_days(database):
    refresh(database, local(21, 12))
    before = figures(database)
    append(database, applied("uio1", at=local(21, 13)))
    assert refresh(database, local(23, 12)) == 2
    assert figures(database) == before


def test_a_day_of_which_nobody_knows_anything_has_no_worst(database):
    append(database, applied("gye1", "uio1", "cue1", at=local(20)))
    refresh(database, local(21))
    assert figures(database, "cue1")[20] == (None, 0, 0, 0, DAY_S)
