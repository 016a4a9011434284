"""Where processes say what happens: one line each on standard error."""

from __future__ import annotations

import logging
import sys


def log_to_stderr() -> None:
    """Send what happens to standard error, a line each."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    logging.getLogger("apscheduler").setLevel(logging.WARNING)
