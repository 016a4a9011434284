"""Figures in words that pages need beside the common ones: shares, and durations that come up again and again."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from babel.numbers import format_decimal

from monitor.language import Language
from monitor.language.moments import long_day, short_duration


def iso(instant: datetime) -> str:
    """Return an instant as RFC 3339 in UTC, to the second."""
    return instant.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def percent(share: float, language: Language) -> str:
    """Return a share as a percentage with two decimals, never rounded up: 0.99999 is 99,99 %, and only 1.0 is 100 %."""
    # The small addition undoes the binary fraction of shares such as 0.9998; it is far below a hundredth.
    return _percent(int(share * 10_000 + 1e-6), language)


@lru_cache(maxsize=4096)
def _percent(hundredths: int, language: Language) -> str:
    whole = hundredths % 10_000 == 0
    digits = format_decimal(hundredths / 100, format="0" if whole else "0.00", locale=language)
    return f"{digits} %" if language == "es" else f"{digits}%"


@lru_cache(maxsize=8192)
def short_span(seconds: int, language: Language) -> str:
    """Return whole seconds as a duration in its two largest units: 1 h 33 min. Bars of many servers repeat them."""
    return short_duration(timedelta(seconds=seconds), language)


def stretch_of_days(first: date, last: date, language: Language) -> str:
    """Return a stretch of days with the month once where they share it: 11–16 de noviembre, November 11–16."""
    if (first.year, first.month) != (last.year, last.month):
        return f"{long_day(first, language)} – {long_day(last, language)}"
    return (
        f"{first.day}–{long_day(last, language)}"
        if language == "es"
        else f"{long_day(first, language)}–{last.day}"
    )


def response_time(ms: float, language: Language) -> str:
    """Return a response time in a unit that reads well: 0,4 ms, 84 ms, 1,2 s."""
    if ms >= 1000:
        return f"{format_decimal(ms / 1000, format='0.0', locale=language)} s"
    return f"{format_decimal(ms, format='0.0' if 0 < ms < 10 else '0', locale=language)} ms"
