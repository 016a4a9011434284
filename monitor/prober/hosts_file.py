"""The hosts file, read again whenever it changes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from monitor.checks.options.targets import is_address

HOSTS = Path("/etc/hosts")
# A changed file counts within so many seconds: asking for it costs a look more than reading it does.
_HOLDS_S = 0.5
_LOOPBACK = ("::1", "127.0.0.1")


class HostsFile:
    """Names that this machine knows without asking anybody."""

    def __init__(self, path: Path = HOSTS) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._names: Mapping[str, tuple[str, ...]] = {}
        self._checked_until = 0.0

    def addresses(self, name: str) -> tuple[str, ...]:
        """Return what the file says about `name`, nothing if it does not know it.

        `localhost` and names below it are loopback even when the file is silent (RFC 6761): they never go to a name server.
        """
        self._refresh()
        wanted = name.rstrip(".").lower()
        found = self._names.get(wanted, ())
        if not found and (wanted == "localhost" or wanted.endswith(".localhost")):
            return _LOOPBACK
        return found

    def _refresh(self) -> None:
        now = time.monotonic()
        if now < self._checked_until:
            return
        self._checked_until = now + _HOLDS_S
        try:
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            if stamp != self._stamp:
                self._names = parse_hosts(self._path.read_text(encoding="utf-8", errors="replace"))
                self._stamp = stamp
        except OSError:
            # Without a hosts file every name is the name servers' business.
            self._names, self._stamp = {}, None


def parse_hosts(text: str) -> dict[str, tuple[str, ...]]:
    """Return the addresses of each name in a hosts file, in the order of its lines; lines that are none are passed over."""
    names: dict[str, list[str]] = {}
    for line in text.splitlines():
        address, *aliases = line.partition("#")[0].split() or [""]
        if not is_address(address):
            continue
        for alias in aliases:
            known = names.setdefault(alias.rstrip(".").lower(), [])
            if address not in known:
                known.append(address)
    return {name: tuple(addresses) for name, addresses in names.items()}
