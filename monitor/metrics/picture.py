"""The lines that come from the snapshot: what every reader sees, as figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from monitor.health.words import Status
from monitor.incidents.incident import Impact
from monitor.metrics.lines import (
    ANSWER_TIME,
    DELIVERIES_PENDING,
    DELIVERIES_UNCERTAIN,
    DELIVERY_OLDEST,
    INCIDENTS_OPEN,
    PUBLISHED,
    SERVER_STATUS,
    TICKETS_UNANSWERED,
    WATCH_HEARD,
    WINDOWS_ACTIVE,
    block,
    labels,
)
from monitor.status.snapshot import Snapshot
from monitor.status.support import SupportView


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What the snapshot does not hold: unconfirmed deliveries by kind, of how many of them nobody knows whether they arrived, since
    when the oldest waits, and when watch last published its own figures.
    """

    pending: Mapping[str, int] = field(default_factory=dict)
    uncertain: Mapping[str, int] = field(default_factory=dict)
    oldest_since: datetime | None = None
    published_at: datetime | None = None


def snapshot_lines(snapshot: Snapshot, counts: Counts, now: datetime) -> str:
    """Return the families that the snapshot and `counts` tell at `now`, good for both text formats."""
    impacts = Counter(incident.impact for incident in snapshot.open_incidents)
    oldest = 0.0 if counts.oldest_since is None else max(0.0, (now - counts.oldest_since).total_seconds())
    return "".join(
        (
            block(
                SERVER_STATUS,
                (
                    (labels(server=server.id, status=status), float(status is server.status))
                    for server in snapshot.servers()
                    for status in Status
                ),
            ),
            block(INCIDENTS_OPEN, ((labels(impact=impact), impacts[impact]) for impact in Impact)),
            block(WINDOWS_ACTIVE, [("", len(snapshot.active_windows))]),
            block(DELIVERIES_PENDING, _by_kind(counts.pending)),
            block(DELIVERIES_UNCERTAIN, _by_kind(counts.uncertain)),
            block(DELIVERY_OLDEST, [("", oldest)]),
            block(WATCH_HEARD, _moment(snapshot.heard_at)),
            block(PUBLISHED, _moment(counts.published_at)),
            _support(snapshot.support),
        )
    )


def _support(support: SupportView | None) -> str:
    waiting = {} if support is None else support.unanswered
    answers = () if support is None else support.answers
    return block(
        TICKETS_UNANSWERED,
        ((labels(department=department), count) for department, count in sorted(waiting.items())),
    ) + block(
        ANSWER_TIME,
        (
            (labels(department=each.department), each.mean.total_seconds())
            for each in answers
            if each.mean is not None
        ),
    )


def _by_kind(counts: Mapping[str, int]) -> list[tuple[str, float]]:
    return [(labels(kind=kind), count) for kind, count in sorted(counts.items())]


def _moment(moment: datetime | None) -> list[tuple[str, float]]:
    return [] if moment is None else [("", moment.timestamp())]
