"""What goes wrong, one JSON object a line on standard error; visits are not logged."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any


class Lines(logging.Formatter):
    """One record as one line: control characters are escaped, so that nobody can forge a second one."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as JSON."""
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def configuration() -> dict[str, Any]:
    """Return the configuration of the logging module, for the server and for its worker."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"lines": {"()": "web.logs.Lines"}},
        "handlers": {
            "errors": {"class": "logging.StreamHandler", "formatter": "lines", "stream": "ext://sys.stderr"},
        },
        "root": {"handlers": ["errors"], "level": "WARNING"},
        "loggers": {"_granian": {"level": "WARNING"}},
    }
