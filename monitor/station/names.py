"""The names under which the processes find each other's things, apart so that reading them costs no imports."""

from __future__ import annotations

DATABASE = "vigia.db"
METRICS_TEXT = "metrics.text"
METRICS_OPENMETRICS = "metrics.openmetrics"
