"""What the showing side needs to know, and nothing about where it is kept."""

from __future__ import annotations

from typing import Protocol

from monitor.clock import Clock
from monitor.identifiers import IncidentId, ServerId
from monitor.incidents.incident import Incident
from monitor.status.reading import Metrics, Month, Point, Readiness, Series
from monitor.status.snapshot import Snapshot

__all__ = ["Metrics", "Month", "Point", "Reader", "Readiness", "Series"]


class Reader(Protocol):
    """Everything that pages, feeds and metrics read."""

    @property
    def clock(self) -> Clock:
        """The clock that freshness is judged by."""

    def snapshot(self) -> Snapshot:
        """Return the present; the same object until something changed, so that asking costs nothing."""

    def incident(self, incident: IncidentId) -> Incident | None:
        """Return a public incident of any age, None if there is none of that id."""

    def month(self, year: int, month: int) -> Month:
        """Return what happened in one month of the site's zone."""

    def response_times(self, server: ServerId) -> tuple[Series, ...]:
        """Return the response times of a server's checks; empty for one that has none."""

    def metrics(self) -> Metrics:
        """Return what a scrape gets."""

    def readiness(self) -> Readiness:
        """Return whether looks are made, recorded and acted upon."""
