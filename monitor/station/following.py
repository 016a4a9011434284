"""Has the configuration file been changed, and left alone since? Asked every second."""

from __future__ import annotations

from pathlib import Path

from monitor.clock import Clock

SETTLED_S = 2.0
"""Who saves a file may not be done with it: it is read once it has been left alone for so many seconds."""

_Signature = tuple[int, int, int] | None


class FollowedFile:
    """Tells once of each change. A file that goes away has changed too."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._taken = self._seen = self._signature()
        self._since = clock.monotonic()

    def take(self) -> None:
        """Count the file as it stands now as read, whatever is found in it."""
        self._taken = self._seen = self._signature()

    def has_changed(self) -> bool:
        """Is there something new to read that nobody is writing any more?"""
        now, signature = self._clock.monotonic(), self._signature()
        if signature != self._seen:
            self._seen, self._since = signature, now
        return self._seen != self._taken and now - self._since >= SETTLED_S

    def _signature(self) -> _Signature:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino
