"""`python -m monitor.station run|watch --NAME VALUE ...`: the processes of a service that last.

The `vigia` command hands over to these, because what a person at a terminal needs would stay in memory for as long as they live.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from monitor.errors import VigiaError
from monitor.station.lifeline import SUPERVISOR
from monitor.station.logs import log_to_stderr
from monitor.station.supervisor import REFUSED, service, supervise


def main(arguments: Sequence[str]) -> int:
    """Run one of the processes until it is told to stop; return its exit status."""
    role, *rest = arguments
    options = dict(zip(rest[::2], rest[1::2], strict=True))
    log_to_stderr()
    if role == "run":
        return supervise(service(options["--config"], options["--data"], int(options["--listener"])))
    try:
        return _watch(options)
    except VigiaError as error:
        sys.stderr.write(f"vigia: {error}\n")
        return REFUSED if SUPERVISOR in os.environ else 1


def _watch(options: Mapping[str, str]) -> int:
    # One who only supervises pays for none of this.
    from monitor.clock import SystemClock  # noqa: PLC0415
    from monitor.inventory import load  # noqa: PLC0415
    from monitor.station.watch import run_watch  # noqa: PLC0415

    config, data = Path(options["--config"]), Path(options["--data"])
    listen = os.environ.get("VIGIA_LISTEN")
    return run_watch(lambda: load(config, environment=os.environ, listen=listen, data=data), SystemClock())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
