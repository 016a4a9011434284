"""What is blocked of our own view at present."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from monitor.health.view import AddressFamily
from monitor.store.columns import instant
from monitor.store.database import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockedView:
    """A family none of whose sentinels answers, of so many families that have some; `found` says which did not."""

    family: AddressFamily
    since: datetime
    families: int
    found: str


def blocked_views(tx: Transaction) -> tuple[BlockedView, ...]:
    """Return what is blocked now, the longest first."""
    rows = tx.rows("SELECT * FROM blocked_views WHERE end_ms IS NULL ORDER BY start_ms, family")
    return tuple(
        BlockedView(
            family=AddressFamily(row["family"]),
            since=instant(int(row["start_ms"])),
            families=row["families"],
            found=row["found"],
        )
        for row in rows
    )
