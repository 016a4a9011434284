"""What a visitor reads."""

from __future__ import annotations

import re

from tests.journeys.house import House


def headline(house: House, path: str) -> str:
    """Return the sentence at the top of a page."""
    found = re.search(r"<h1[^>]*>(.*?)</h1>", house.get(path).text, re.DOTALL)
    return found[1] if found else ""
