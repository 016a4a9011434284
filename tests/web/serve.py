"""A whole page server over a reader in memory, for tests that need real processes: `python -m tests.web.serve DIR HOST:PORT`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.clock import SystemClock
from monitor.station.lifeline import die_with_parent
from monitor.station.listening import address_of, listen, write_address
from tests.web.builders import MemoryReader
from tests.web.scenes import fine
from web.__main__ import address
from web.application import create_server_application
from web.server import serve

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


def _load() -> WSGIApplication:
    return create_server_application(MemoryReader(SystemClock(), fine()))


if __name__ == "__main__":
    die_with_parent(os.getppid())
    listener = listen(*address(sys.argv[2]))
    write_address(Path(sys.argv[1]), address_of(listener))
    serve(listener, _load)
