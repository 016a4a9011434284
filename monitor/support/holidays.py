"""The holidays of a country as the library knows them: `python -m monitor.support.holidays EC 2026 2028` prints them as JSON.

The library brings the calendars of all the world along, thirty megabytes that stay for as long as a process lives. So it is
asked in one that ends.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping

from monitor.language import LANGUAGES

# What the library calls our languages; in a country without one of them it answers in its own.
_ITS_WORDS = {"es": ("es", "es_ES"), "en": ("en_US", "en_GB", "en")}


def holidays_of(country: str, first: int, last: int) -> Mapping[str, Mapping[str, str]]:
    """Return the holidays of the years `first` to `last` by their date (`2026-12-25`), each with its name by language.

    `country` is a code such as `EC`, or one with a part of it such as `ES-CT`; an unknown one raises the library's own error.
    """
    from holidays import country_holidays  # type: ignore[import-untyped,unused-ignore]  # noqa: PLC0415

    name, _, part = country.partition("-")
    years = range(first, last + 1)
    found: dict[str, dict[str, str]] = {}
    asked = country_holidays(name, subdiv=part or None)
    for language in LANGUAGES:
        spoken = {*asked.supported_languages, asked.default_language}
        ours = next((word for word in _ITS_WORDS[language] if word in spoken), asked.default_language)
        for day, words in country_holidays(name, subdiv=part or None, years=years, language=ours).items():
            found.setdefault(day.isoformat(), {})[language] = str(words)
    return dict(sorted(found.items()))


if __name__ == "__main__":
    json.dump(holidays_of(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])), sys.stdout)
