"""The state of everything in sixteen pixels: the same shapes as on the page."""

from __future__ import annotations

from monitor.health.words import Status

# Literal colours: an icon stands alone, outside the reach of the style sheet.
_COLOURS = {
    Status.OPERATIONAL: "#0f7a46",
    Status.DEGRADED_PERFORMANCE: "#b58100",
    Status.PARTIAL_OUTAGE: "#d2660f",
    Status.MAJOR_OUTAGE: "#c0262d",
    Status.UNDER_MAINTENANCE: "#2159c7",
    Status.UNKNOWN: "#5c6573",
}
_SIGNS = {
    Status.OPERATIONAL: '<path d="M9 16.5l5 5 9-10" fill="none" stroke="#fff" stroke-width="3.5"/>',
    Status.DEGRADED_PERFORMANCE: '<path d="M16 7l9.5 17h-19z" fill="#fff"/>',
    Status.PARTIAL_OUTAGE: '<path d="M16 7a9 9 0 0 1 0 18z" fill="#fff"/>',
    Status.MAJOR_OUTAGE: '<path d="M10 10l12 12M22 10L10 22" stroke="#fff" stroke-width="3.5"/>',
    Status.UNDER_MAINTENANCE: '<path d="M10 22l8-8m-1-5a5 5 0 0 0 6 6" fill="none" stroke="#fff" stroke-width="3.5"/>',
    Status.UNKNOWN: '<path d="M9 16h14" stroke="#fff" stroke-width="3.5"/>',
}


def favicon(status: Status) -> str:
    """Return the icon of a status as SVG."""
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">'
        f'<rect width="32" height="32" rx="8" fill="{_COLOURS[status]}"/>{_SIGNS[status]}</svg>'
    )
