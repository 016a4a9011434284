"""The present as pages may show it: never fresher than the clock allows, and still there when the database is not."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from monitor.errors import VigiaError
from monitor.health.words import Status
from monitor.incidents.incident import Audience, Incident
from monitor.status.snapshot import GREY_AFTER, STALE_AFTER, Freshness, GroupView, ServerView, Snapshot
from web.reader import Reader

log = logging.getLogger(__name__)

_ORDER = tuple(Freshness)


class Picture:
    """Hands out one snapshot at a time and judges its age anew on every call.

    The age is judged here as well as where the snapshot is made: were its maker to stall, a page that it once called
    fresh would stay green for ever. A reader that raises leaves the last picture standing, to grow old in plain sight.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        # What was read, and what customers may see of it: one reference, so that threads never see half a change.
        self._held: tuple[Snapshot, Snapshot] | None = None
        self._shown: tuple[Snapshot, Freshness, Snapshot] | None = None
        self._failing = False

    def current(self) -> Snapshot:
        """Return what may be shown now; raises what the reader raised when there never was a picture."""
        snapshot = self._read()
        freshness = freshness_at(snapshot, self._reader.clock.now())
        shown = self._shown
        if shown is not None and shown[0] is snapshot and shown[1] is freshness:
            return shown[2]
        picture = aged(snapshot, freshness)
        self._shown = (snapshot, freshness, picture)
        return picture

    @property
    def latest(self) -> Snapshot | None:
        """What was read last, whatever its age; None before the first."""
        return self._held[1] if self._held else None

    def version(self) -> tuple[int, Freshness] | None:
        """Return what identifies the picture: equal versions are drawn from equal values. None before the first."""
        try:
            picture = self.current()
        except (VigiaError, OSError):
            return None
        return picture.number, picture.freshness

    def _read(self) -> Snapshot:
        held = self._held
        try:
            snapshot = self._reader.snapshot()
        except (VigiaError, OSError) as error:
            if held is None:
                raise
            self._tell_once(error)
            return held[1]
        self._failing = False
        if held is None or held[0] is not snapshot:
            held = self._held = snapshot, screened(snapshot)
        return held[1]

    def _tell_once(self, error: Exception) -> None:
        """Log the first of a row of failures: every visitor would log another."""
        if not self._failing:
            self._failing = True
            log.error("the present cannot be read; the last picture of it stays and ages", exc_info=error)


def is_public(incident: Incident) -> bool:
    """May customers see it? Our own troubles and rehearsals are never theirs."""
    return incident.audience is Audience.PUBLIC and not incident.drill


def public(incidents: Iterable[Incident]) -> tuple[Incident, ...]:
    """Return those that customers may see."""
    return tuple(incident for incident in incidents if is_public(incident))


def screened(snapshot: Snapshot) -> Snapshot:
    """Return the snapshot without anything that is not for customers, wherever it came from."""
    shown = public(snapshot.open_incidents), public(snapshot.recent_incidents)
    if shown == (snapshot.open_incidents, snapshot.recent_incidents):
        return snapshot
    return replace(snapshot, open_incidents=shown[0], recent_incidents=shown[1])


def freshness_at(snapshot: Snapshot, now: datetime) -> Freshness:
    """Return the worse of what the snapshot says of itself and what the age of its last sign of life says at `now`."""
    return max(snapshot.freshness, _by_age(snapshot.heard_at, now), key=_ORDER.index)


def aged(snapshot: Snapshot, freshness: Freshness) -> Snapshot:
    """Return the snapshot as it looks at that freshness: once grey, nothing in it claims a state of the present."""
    if freshness is Freshness.GREY:
        return replace(
            snapshot, freshness=freshness, groups=tuple(_grey_group(group) for group in snapshot.groups)
        )
    if freshness is snapshot.freshness:
        return snapshot
    return replace(snapshot, freshness=freshness)


def _by_age(heard_at: datetime | None, now: datetime) -> Freshness:
    if heard_at is None or now - heard_at >= GREY_AFTER:
        return Freshness.GREY
    return Freshness.STALE if now - heard_at >= STALE_AFTER else Freshness.FRESH


def _grey_group(group: GroupView) -> GroupView:
    return replace(
        group, status=Status.UNKNOWN, servers=tuple(_grey_server(server) for server in group.servers)
    )


def _grey_server(server: ServerView) -> ServerView:
    return replace(server, status=Status.UNKNOWN, services=dict.fromkeys(server.services, Status.UNKNOWN))
