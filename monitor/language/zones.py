"""Local times and calendar days of a zone as instants: the only arithmetic on local times that we do.

A clock that springs forward skips local times, one that falls back shows some of them twice. One rule serves
everywhere (M7): a time that does not exist means the first instant after the gap, one that exists twice means the first.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from difflib import get_close_matches
from functools import cache, lru_cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from zoneinfo import TZPATH, ZoneInfo, ZoneInfoNotFoundError, available_timezones

from monitor.language.refusals import RefusalError

_SECOND = timedelta(seconds=1)
_LONGEST_NAME = 60


def instant_of(local: datetime, zone: ZoneInfo) -> datetime:
    """Return the instant, in UTC, at which clocks in `zone` first show `local` (naive) or, in a gap, pass it."""
    if local.tzinfo is not None:
        raise ValueError("a local time carries no zone of its own")
    first = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if _shown(first, zone) == local:
        return first
    # In a gap fold 1 reads the time by the clock of afterwards, which lies before the gap, and fold 0 after it.
    return _passing(local, local.replace(tzinfo=zone, fold=1).astimezone(UTC), first, zone)


# Each picture of the page asks for the same ninety, and for today once a server.
@lru_cache(maxsize=512)
def start_of_day(day: date, zone: ZoneInfo) -> datetime:
    """Return the first instant of `day` in `zone`, in UTC; a day that a zone skipped starts where the next one does."""
    return instant_of(datetime.combine(day, time.min), zone)


def day_of(moment: datetime, zone: ZoneInfo) -> date:
    """Return the calendar day that people in `zone` call the day of `moment`."""
    return moment.astimezone(zone).date()


@cache
def zone_data() -> str:
    """Return the version of the zones that local times are read by ("2026a"), empty if nobody wrote it down.

    The machine's own come first, as with `zoneinfo`; the package of that name serves where there are none.
    """
    for folder in map(Path, TZPATH):
        if (folder / "Etc" / "UTC").exists():
            return _version_of(folder)
    return str(getattr(import_module("tzdata"), "IANA_VERSION", "")) if find_spec("tzdata") else ""


def _version_of(folder: Path) -> str:
    for name in ("tzdata.zi", "+VERSION"):
        try:
            with (folder / name).open(encoding="utf-8") as lines:
                return lines.readline().removeprefix("# version").strip()
        except OSError:
            continue
    return ""


def is_zone(name: str) -> bool:
    """Is there an IANA zone of that name?"""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def known_zone(name: str) -> str:
    """Return `name` if there is such an IANA zone; otherwise RefusalError says which one was most likely meant."""
    if not is_zone(name):
        near = nearest_zone(name)
        key = "configuration.zone.near" if near else "configuration.zone.none"
        raise RefusalError(key, found=name, **({"nearest": near} if near else {}))
    return name


def nearest_zone(word: str) -> str | None:
    """Return the zone that was most likely meant; a bare city finds its zone as well."""
    zones = _zones_by_lower_case()
    cities = {zone.rpartition("/")[2]: zone for zone in zones}
    wanted = word[:_LONGEST_NAME].strip().lower().replace(" ", "_")
    near = get_close_matches(wanted, zones, n=1)
    if near:
        return zones[near[0]]
    city = get_close_matches(wanted, cities, n=1)
    return zones[cities[city[0]]] if city else None


@cache
def _zones_by_lower_case() -> dict[str, str]:
    return {zone.lower(): zone for zone in sorted(available_timezones())}


def _shown(moment: datetime, zone: ZoneInfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)


def _passing(local: datetime, before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """Return the first whole second in (`before`, `after`] at which clocks in `zone` show `local` or later."""
    while after - before > _SECOND:
        middle = before + (after - before) // 2 // _SECOND * _SECOND
        if _shown(middle, zone) >= local:
            after = middle
        else:
            before = middle
    return after
