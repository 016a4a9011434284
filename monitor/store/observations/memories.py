"""What checks remember from one look to the next, so that a restart forgets nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from monitor.observation import sound_memory
from monitor.store.database import Transaction


def record_memories(tx: Transaction, memories: Mapping[int, Mapping[str, str]]) -> None:
    """Store what checks remember now, by their numbers, in place of all that each remembered before."""
    forget(tx, memories)
    tx.executemany(
        "INSERT INTO memories VALUES (?, ?, ?)",
        [
            (number, key, value)
            for number, memory in memories.items()
            for key, value in sound_memory(memory).items()
        ],
    )


def forget(tx: Transaction, numbers: Iterable[int]) -> None:
    """Drop everything that the checks of these numbers remember."""
    tx.executemany("DELETE FROM memories WHERE check_number = ?", [(number,) for number in numbers])
