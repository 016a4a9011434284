"""How many may look at once: a counter for all, and one for each server."""

from __future__ import annotations

import asyncio
from collections import deque


class Gate:
    """Lets so many in at once, the others in the order in which they came. Nearly nobody has to wait, so that costs no task a turn."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._waiting: deque[asyncio.Future[None]] = deque()

    def enter(self) -> bool:
        """Go in if there is room; False if one has to wait."""
        if self._room == 0:
            return False
        self._room -= 1
        return True

    async def wait(self) -> None:
        """Go in when it is one's turn; who is cancelled meanwhile leaves the queue."""
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                # It was one's turn in this very moment.
                self.leave()
            raise

    def leave(self) -> None:
        """Go out and let the next one in."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._room += 1
