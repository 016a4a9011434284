"""What Prometheus scrapes: prepared lines for the checks, and, in `instruments`, the service's own figures."""

from monitor.metrics.collector import CheckLines
from monitor.metrics.exposition import (
    exposition,
    join,
    openmetrics_exposition,
)
from monitor.metrics.lines import CHECK_FAMILIES, SNAPSHOT_FAMILIES
from monitor.metrics.picture import Counts, snapshot_lines

__all__ = [
    "CHECK_FAMILIES",
    "SNAPSHOT_FAMILIES",
    "CheckLines",
    "Counts",
    "exposition",
    "join",
    "openmetrics_exposition",
    "snapshot_lines",
]
