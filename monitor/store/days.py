"""The days of each server in figures, worked out once a day is over and again when its past changes.

The exact intervals stay the truth; these rows only spare the page from adding up 90 days of them each time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from monitor.clock import fresh_ulid
from monitor.health.uptime import DayShare, by_day
from monitor.identifiers import ServerId
from monitor.journal.entries import (
    IncidentRetracted,
    Kind,
    NumberedEntry,
    ServerChanged,
    WatchStarted,
    WindowPlanned,
)
from monitor.language.zones import day_of, start_of_day
from monitor.store import journal
from monitor.store.database import Transaction, Value
from monitor.store.observations.notes import note
from monitor.store.readings.service import installation
from monitor.store.readings.spans import DAYS_EDITION, blind_spans, maintenance_spans, status_spans

_ZONE = "days.zone"
_NUMBER = "days.number"
_DONE = "days.done"
_ONE_DAY = timedelta(days=1)
_CHANGE_THE_PAST = (
    Kind.SERVER_CHANGED,
    Kind.INCIDENT_RETRACTED,
    Kind.WATCH_STARTED,
    Kind.WINDOW_PLANNED,
    Kind.WINDOW_STARTED,
    Kind.WINDOW_COMPLETED,
    Kind.WINDOW_CANCELLED,
    Kind.INVENTORY_APPLIED,
)


def refresh_days(tx: Transaction, zone: ZoneInfo, now: datetime, first_day: date) -> int:
    """Work out the days of `zone` from `first_day` to yesterday that are missing; return how many were.

    Days that new entries of the journal speak about are worked out anew, all of them when the zone is another
    one than last time. Servers that are retired keep the days they have.
    """
    last_day = day_of(now, zone) - _ONE_DAY
    # Asked every minute, of every day of every server: what is whole is not read again.
    whole = f"{zone.key} {first_day} {last_day}"
    _forget_other_zone(tx, zone)
    if not _forget_changed(tx, zone) and installation(tx, _DONE) == whole:
        return 0
    # Days that have not been: a clock that was wrong took them for past.
    tx.execute("DELETE FROM server_days WHERE day > ?", (last_day.isoformat(),))
    missing = _missing(tx, first_day, last_day)
    if missing:
        _work_out(tx, zone, missing)
    note(tx, _DONE, whole)
    note(tx, DAYS_EDITION, fresh_ulid(now))
    return sum(len(days) for days in missing.values())


def _forget_other_zone(tx: Transaction, zone: ZoneInfo) -> None:
    if installation(tx, _ZONE) != zone.key:
        tx.execute("DELETE FROM server_days")
        note(tx, _ZONE, zone.key)


def _forget_changed(tx: Transaction, zone: ZoneInfo) -> bool:
    """Drop the days that entries since the last time have changed; return whether any are missing for it."""
    missing = False
    seen = int(installation(tx, _NUMBER) or 0)
    newest = journal.last_number(tx)
    for entry in journal.entries(tx, after=seen, kinds=_CHANGE_THE_PAST):
        servers, since = _reach(entry)
        first = day_of(since, zone).isoformat()
        if servers is None:
            gone = tx.execute("DELETE FROM server_days WHERE day >= ?", (first,))
        else:
            gone = sum(
                tx.execute("DELETE FROM server_days WHERE server = ? AND day >= ?", (server, first))
                for server in servers
            )
        missing |= gone > 0 or entry.entry.kind is Kind.INVENTORY_APPLIED
    if newest != seen:
        note(tx, _NUMBER, str(newest))
    return missing


def _reach(entry: NumberedEntry) -> tuple[tuple[ServerId, ...] | None, datetime]:
    """Return which servers an entry changes the past of, None for all, and from when on."""
    moment, body = entry.entry.moment, entry.entry.body
    match body:
        case ServerChanged():
            return (body.server,), min(moment, body.since)
        case IncidentRetracted():
            return body.servers, min(moment, body.since)
        case WatchStarted():
            return None, min(moment, body.blind_since or moment)
        case WindowPlanned():
            return None, min(moment, body.window.started_at or moment)
        case _:
            return None, moment


def _missing(tx: Transaction, first_day: date, last_day: date) -> Mapping[ServerId, Sequence[date]]:
    """Return the days that each watched server lacks, oldest first; servers that lack none are left out."""
    wanted = [first_day + ahead * _ONE_DAY for ahead in range((last_day - first_day).days + 1)]
    known = {
        (row["server"], row["day"])
        for row in tx.rows("SELECT server, day FROM server_days WHERE day >= ?", (first_day.isoformat(),))
    }
    servers = [row["id"] for row in tx.rows("SELECT id FROM servers WHERE retired_ms IS NULL ORDER BY id")]
    missing = {
        ServerId(server): [day for day in wanted if (server, day.isoformat()) not in known]
        for server in servers
    }
    return {server: days for server, days in missing.items() if days}


def _work_out(tx: Transaction, zone: ZoneInfo, missing: Mapping[ServerId, Sequence[date]]) -> None:
    start = start_of_day(min(days[0] for days in missing.values()), zone)
    end = start_of_day(max(days[-1] for days in missing.values()) + _ONE_DAY, zone)
    statuses, blind = status_spans(tx, start, end), blind_spans(tx, start, end)
    maintenance = maintenance_spans(tx, start, end)
    for server, days in missing.items():
        shares = by_day(
            statuses.get(server, ()),
            maintenance.get(server, ()),
            blind,
            zone=zone,
            first_day=days[0],
            last_day=days[-1],
            until=end,
        )
        tx.executemany(
            "INSERT OR REPLACE INTO server_days VALUES (?, ?, ?, ?, ?, ?, ?)", _rows(server, shares)
        )


def _rows(server: ServerId, shares: Iterable[DayShare]) -> list[tuple[Value, ...]]:
    return [
        (
            server,
            share.date.isoformat(),
            share.worst,
            round(share.down.total_seconds()),
            round(share.degraded.total_seconds()),
            round(share.maintenance.total_seconds()),
            round(share.no_data.total_seconds()),
        )
        for share in shares
    ]
