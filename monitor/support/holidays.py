"""The holidays of a country as the library knows them: `python -m monitor.support.holidays EC 2026 2028` prints them as JSON.

The library brings the calendars of all the world along, thirty megabytes that stay for as long as a process lives. So it is
asked in one that ends.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from datetime import date, timedelta

from monitor.language import LANGUAGES

# What the library calls our languages; in a country without one of them it answers in its own.
_ITS_WORDS = {"es": ("es", "es_ES"), "en": ("en_US", "en_GB", "en")}
# Ecuador's law of holidays of 20 December 2016 takes days off away from the middle of the week, which the library leaves free as well.
# 1 January, 25 December and Carnival stay. The 2nd and the 3rd of November are moved together, by the weekday of the 2nd.
_ECUADOR_MOVES_SINCE = 2017
_MOVED_IN_ECUADOR = ((5, 1), (5, 24), (8, 10), (10, 9))
_MIDWEEK = (1, 2, 3)
_NOVEMBER_IN_ECUADOR = ((2, 3), (1, 2), (4, 3), (2, 3), (2, 1), (1, 4), (4, 3))

Names = dict[str, str]


def holidays_of(country: str, first: int, last: int) -> Mapping[str, Mapping[str, str]]:
    """Return the holidays of the years `first` to `last` by their date (`2026-12-25`), each with its name by language.

    `country` is a code such as `EC`, or one with a part of it such as `ES-CT`; an unknown one raises the library's own error.
    """
    from holidays import country_holidays  # type: ignore[import-untyped,unused-ignore]  # noqa: PLC0415

    name, _, part = country.partition("-")
    years = range(first, last + 1)
    found: dict[date, Names] = {}
    asked = country_holidays(name, subdiv=part or None)
    for language in LANGUAGES:
        spoken = {*asked.supported_languages, asked.default_language}
        ours = next((word for word in _ITS_WORDS[language] if word in spoken), asked.default_language)
        for day, words in country_holidays(name, subdiv=part or None, years=years, language=ours).items():
            found.setdefault(day, {})[language] = str(words)
    if name == "EC":
        _move_in_ecuador(found, years)
    return {day.isoformat(): words for day, words in sorted(found.items())}


def _move_in_ecuador(found: dict[date, Names], years: Iterable[int]) -> None:
    """Make days of work of those whose rest was moved, and move the pair of November."""
    for year in (each for each in years if each >= _ECUADOR_MOVES_SINCE):
        for month, number in _MOVED_IN_ECUADOR:
            if (day := date(year, month, number)).weekday() in _MIDWEEK:
                del found[day]
        second = date(year, 11, 2)
        names = [found.pop(second), found.pop(second + timedelta(days=1))]
        for number in (1, 4):
            found.pop(date(year, 11, number), None)
        for number, words in zip(_NOVEMBER_IN_ECUADOR[second.weekday()], names, strict=True):
            found[date(year, 11, number)] = words


if __name__ == "__main__":
    json.dump(holidays_of(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])), sys.stdout)
