"""The two texts that a scraper may ask for, put together from parts."""

from __future__ import annotations

from collections.abc import Iterable

_END = "# EOF\n"


def exposition(parts: Iterable[str]) -> str:
    """Return the parts as one text of the classic format 0.0.4."""
    return "".join(_whole(part) for part in parts)


def openmetrics_exposition(parts: Iterable[str]) -> str:
    """Return the parts as one OpenMetrics text: one end, however many the parts have."""
    return "".join(_whole(part).removesuffix(_END) for part in parts) + _END


def join(published: str, snapshot_lines: str, *, openmetrics: bool) -> str:
    """Return what a scrape answers: what watch published in that format, and the lines of the snapshot."""
    parts = (published, snapshot_lines)
    return openmetrics_exposition(parts) if openmetrics else exposition(parts)


def _whole(part: str) -> str:
    return part if not part or part.endswith("\n") else part + "\n"
