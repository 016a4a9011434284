"""What Prometheus scrapes: the service's own instruments and prepared lines for the checks."""

from monitor.metrics.collector import CheckLines
from monitor.metrics.exposition import (
    exposition,
    join,
    openmetrics_exposition,
)
from monitor.metrics.instruments import Instruments
from monitor.metrics.lines import CHECK_FAMILIES, SNAPSHOT_FAMILIES
from monitor.metrics.picture import Counts, snapshot_lines

__all__ = [
    "CHECK_FAMILIES",
    "SNAPSHOT_FAMILIES",
    "CheckLines",
    "Counts",
    "Instruments",
    "exposition",
    "join",
    "openmetrics_exposition",
    "snapshot_lines",
]
