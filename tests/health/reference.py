"""The rules of confirmation once more, written from the sentences and for nothing but to be right.

It keeps every look that counts and asks the rules' own questions of the whole line each time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

BADNESS = {"O": 0, "N": 1, "S": 2, "D": 3}
WORDS = {0: "up", 1: "degraded", 2: "degraded", 3: "down"}


@dataclass
class Reference:
    """A check as the rules' sentences see it; `held` is None while nothing is known."""

    held: int | None = None
    since: datetime | None = None
    persisting: bool = False
    line: list[tuple[int, datetime]] = field(default_factory=list)

    def look(
        self, letter: str, began: datetime, attempts: int, recoveries: int
    ) -> tuple[str, str, datetime] | None:
        """Take one look and return (before, after, since) if it confirms a change."""
        if letter == "?":
            return None
        self.line.append((BADNESS[letter], began))
        if self.held is None or self.persisting:
            found = self._afresh(attempts, 1 if self.held is None else recoveries)
        else:
            found = self._from(self.held, attempts, recoveries)
        return None if found is None else self._settle(*found)

    def end_of_window(self) -> None:
        self.line.clear()
        self.persisting = self.held in (1, 2, 3)

    @property
    def word(self) -> str:
        return "unknown" if self.held is None else WORDS[self.held]

    @property
    def state(self) -> str:
        newest = self.line[-1][0] if self.line else self.held
        if self.persisting:
            return "recovering" if newest == 0 else self.word
        held = 0 if self.held is None else self.held
        if newest is None or newest == held:
            return self.word
        return "suspect" if newest > held else "recovering"

    def _from(self, held: int, attempts: int, recoveries: int) -> tuple[int, datetime] | None:
        for bad in (3, 2, 1):
            if bad > held and (start := self._run(attempts, range(bad, 4))):
                return bad, start
        for bad in (0, 1, 2):
            if bad < held and (start := self._run(recoveries, range(bad + 1))):
                return bad, start
        return None

    def _afresh(self, attempts: int, recoveries: int) -> tuple[int, datetime] | None:
        if start := self._run(recoveries, range(1)):
            return 0, start
        for bad in (3, 2, 1):
            if start := self._run(attempts, range(bad, 4)):
                return bad, start
        return None

    def _run(self, wanted: int, allowed: range) -> datetime | None:
        """Return when the newest looks in a row that are all `allowed` began, if there are as many as wanted."""
        run = []
        for bad, began in reversed(self.line):
            if bad not in allowed:
                break
            run.append(began)
        return run[-1] if len(run) >= wanted else None

    def _settle(self, bad: int, start: datetime) -> tuple[str, str, datetime]:
        before = self.word
        if not (self.persisting and bad == self.held):
            self.since = start
        self.held, self.persisting = bad, False
        assert self.since is not None
        return before, self.word, self.since
