"""One month told plainly."""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date

from monitor.language import moments
from monitor.status.snapshot import Snapshot
from web.picture import public
from web.public import happenings
from web.public.happenings import DiaryDay, Happenings
from web.public.overview import server_names
from web.reader import Month
from web.reading import Reading

YEARS_KEPT = 10
_MONTH = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """The way to a neighbouring month."""

    words: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthPage:
    """A month with its days, newest first, and its neighbours; None where there is nothing to turn to."""

    words: str
    diary: tuple[DiaryDay, ...]
    earlier: Turn | None
    later: Turn | None


def parse_month(name: str, today: date) -> tuple[int, int] | None:
    """Return year and month of `2026-11`; None for anything else, for the future, and for what is older than we keep."""
    found = _MONTH.fullmatch(name)
    if found is None:
        return None
    month = int(found[1]), int(found[2])
    return month if (today.year - YEARS_KEPT, today.month) <= month <= (today.year, today.month) else None


def month_page(month: tuple[int, int], told: Month, snapshot: Snapshot, reading: Reading) -> MonthPage:
    """Return one month's page; the days to come are not part of it."""
    today = reading.day(snapshot.generated_at)
    days = [day for day in _days(month) if day <= today]
    happened = Happenings(incidents=public(told.incidents), windows=told.windows)
    return MonthPage(
        words=_heading(moments.month_name(*month, reading.language)),
        diary=happenings.diary(happened, days, server_names(snapshot), reading),
        earlier=_turn(_moved(month, -1), today, reading),
        later=_turn(_moved(month, 1), today, reading),
    )


def _heading(words: str) -> str:
    return words[:1].upper() + words[1:]


def _days(month: tuple[int, int]) -> list[date]:
    return [date(*month, day) for day in range(monthrange(*month)[1], 0, -1)]


def _moved(month: tuple[int, int], by: int) -> tuple[int, int]:
    year, index = divmod(month[0] * 12 + month[1] - 1 + by, 12)
    return year, index + 1


def _turn(month: tuple[int, int], today: date, reading: Reading) -> Turn | None:
    name = f"{month[0]:04}-{month[1]:02}"
    if parse_month(name, today) is None:
        return None
    return Turn(words=moments.month_name(*month, reading.language), path=reading.path(f"/history/{name}"))
