"""How urgent a ticket is."""

from __future__ import annotations

from enum import StrEnum


class Priority(StrEnum):
    """Priorities as the product counts them, the least urgent first; each helpdesk maps them to its own."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    URGENT = "urgent"

    @property
    def rank(self) -> int:
        """0 for low to 3 for urgent."""
        return list(Priority).index(self)


def higher_of(one: Priority, other: Priority) -> Priority:
    """Return the more urgent of two priorities."""
    return max(one, other, key=lambda each: each.rank)


def lower_of(one: Priority, other: Priority) -> Priority:
    """Return the less urgent of two priorities."""
    return min(one, other, key=lambda each: each.rank)
