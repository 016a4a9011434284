"""The calendars by which promises are kept: service hours with the holidays that this installation knows."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from datetime import date, datetime
from functools import lru_cache
from importlib.metadata import version
from zoneinfo import ZoneInfo

from monitor.actions.outbox import LatestFleet
from monitor.errors import VigiaError
from monitor.fleet import Fleet
from monitor.store import observations, readings
from monitor.store.database import Database, Transaction
from monitor.support.hours import Calendar, Hours

_LIBRARY = "holidays"
# Grows with what `monitor.support.holidays` makes of what the library tells, so that nothing older is kept.
_EDITION = 2
_YEARS_BACK, _YEARS_AHEAD = 1, 2
_PATIENCE_S = 60.0


class UnknownHolidaysError(VigiaError):
    """The holidays of a country could not be told."""


class HolidayKeeper:
    """Keeps the holidays of the countries that service hours name, asked of a process that ends."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._fleet = LatestFleet()

    def note(self, now: datetime) -> bool:
        """Note the holidays that are not known yet; returns whether there were any. What cannot be told raises VigiaError."""
        with self._database.reading() as tx:
            fleet = self._fleet.read(tx)
            lacking = [
                country
                for country in countries(fleet)
                if not _knows(readings.publication(tx, _name(country)), now)
            ]
        for country in lacking:
            days = ask(country, now.year - _YEARS_BACK, now.year + _YEARS_AHEAD)
            told = json.dumps({"until": now.year + _YEARS_AHEAD, "by": _teller(), "days": days})
            with self._database.writing() as tx:
                observations.publish(tx, _name(country), now, told)
        return bool(lacking)


def countries(fleet: Fleet) -> tuple[str, ...]:
    """Return the countries whose holidays matter to a fleet's service hours."""
    hours = (fleet.support.hours, *(each.hours for each in fleet.departments if each.hours is not None))
    return tuple(sorted({each.country for each in hours if each.country}))


def ask(country: str, first: int, last: int) -> Mapping[str, Mapping[str, str]]:
    """Return the holidays of some years by their date, or raise UnknownHolidaysError with the reason."""
    command = [sys.executable, "-m", "monitor.support.holidays", country, str(first), str(last)]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnknownHolidaysError(f"the holidays of {country} could not be told: {error}") from error
    if answer.returncode:
        reason = (answer.stderr.strip().splitlines() or ["no reason was given"])[-1]
        raise UnknownHolidaysError(
            f"the holidays of {country} are not known, so none of its days is free: {reason}"
        )
    told: dict[str, dict[str, str]] = json.loads(answer.stdout)
    return told


def calendar_of(tx: Transaction, hours: Hours, zone: str) -> Calendar:
    """Return the calendar of some hours; holidays that are not known yet are days like others."""
    told = readings.publication(tx, _name(hours.country)) if hours.country else None
    return _calendar(hours, zone, "" if told is None else told[1])


@lru_cache(maxsize=64)
def _calendar(hours: Hours, zone: str, told: str) -> Calendar:
    days = json.loads(told)["days"] if told else {}
    return Calendar(hours, ZoneInfo(zone), {date.fromisoformat(day): names for day, names in days.items()})


def _knows(told: tuple[datetime, str] | None, now: datetime) -> bool:
    if told is None:
        return False
    known = json.loads(told[1])
    return bool(known["until"] > now.year and known["by"] == _teller())


def _teller() -> str:
    return f"{version(_LIBRARY)} ({_EDITION})"


def _name(country: str) -> str:
    return f"holidays.{country}"
