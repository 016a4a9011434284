"""How long lists of tickets are read: no further back than it takes, and without asking for every conversation anew."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta

# Products write whole seconds: within so much of a change there may be another one that bears the same moment.
_SETTLED = timedelta(minutes=1)


def is_past(moments: Sequence[datetime], since: datetime) -> bool:
    """Does everything behind this page of a list lie before `since`? Only where it really comes newest first, as far as the page shows."""
    newest_first = list(moments) == sorted(moments, reverse=True) and moments[0] > moments[-1]
    return newest_first and moments[-1] < since


class FirstAnswers:
    """Remembers first answers for good, and that there is none as long as a ticket does not change.

    What was learnt stays learnt when the reading of a list breaks off, so that the next one gets further.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._known: dict[str, tuple[datetime, datetime | None]] = {}

    def of(self, ticket: str, changed_at: datetime, ask: Callable[[], datetime | None]) -> datetime | None:
        """Return when a ticket that last changed at `changed_at` was first answered; `ask` reads its conversation."""
        known = self._known.get(ticket)
        if known is not None and (known[1] is not None or known[0] == changed_at):
            return known[1]
        answered = ask()
        if answered is not None or self._now() - changed_at > _SETTLED:
            self._known[ticket] = (changed_at, answered)
        return answered

    def keep_only(self, tickets: Collection[str]) -> None:
        """Forget what is not among these any more."""
        self._known = {ticket: known for ticket, known in self._known.items() if ticket in tickets}
