"""The service's own figures, kept by the one process that watches."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from datetime import datetime

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from monitor.health.view import AddressFamily, Tally, View
from monitor.observation import Outcome

# The moment of birth of each counter would double their lines and is of no use here.
disable_created_metrics()  # type: ignore[no-untyped-call]  # the library left this one untyped

_LOOKS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_LATENESS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_WRITES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 10.0)


class Instruments:
    """One verb for each thing that happens; a registry of its own, so that nothing else slips in."""

    def __init__(self, *, version: str, engine: str) -> None:
        """Take what the build is called: `version` of the product, `engine` the database engine with its version."""
        self.registry = CollectorRegistry()
        self._looks = Histogram(
            "vigia_probe_seconds",
            "How long looks took, by kind of check.",
            ["kind"],
            buckets=_LOOKS,
            registry=self.registry,
        )
        self._outcomes = self._counter("vigia_probes", "Looks by what they found.", "outcome")
        self._lateness = Histogram(
            "vigia_schedule_lateness_seconds",
            "How long after its due moment a look began.",
            buckets=_LATENESS,
            registry=self.registry,
        )
        self._skipped = self._counter(
            "vigia_looks_skipped", "Looks never made: the one before was still under way, or we were stopped."
        )
        self._missed = self._counter(
            "vigia_schedule_misses", "Jobs that could not run when they were due.", "job"
        )
        self._faults = self._counter(
            "vigia_own_faults", "Troubles of our own that were reported, by part.", "part"
        )
        self._dropped = self._counter(
            "vigia_observations_dropped", "Observations that were lost before they were stored."
        )
        self._tickets = self._counter(
            "vigia_tickets", "Attempts to reach the helpdesk, by what became of them.", "result"
        )
        self._fit = self._gauge(
            "vigia_helpdesk_fit",
            "1 while the helpdesk lacks nothing that a ticket needs, else 0; absent before it was asked.",
            "kind",
        )
        self._healed = {
            "duplicate": self._counter(
                "vigia_ticket_duplicates", "Second tickets of one incident that were found and closed."
            ),
            "lost": self._counter(
                "vigia_tickets_lost", "Tickets that were lost at the helpdesk and opened anew."
            ),
        }
        self._writes = Histogram(
            "vigia_store_write_seconds",
            "How long a transaction of observations took.",
            buckets=_WRITES,
            registry=self.registry,
        )
        self._rows = self._counter("vigia_store_rows", "Observations that were stored.")
        self._size = self._gauge("vigia_store_bytes", "Size of the database file.")
        self._wal = self._gauge("vigia_store_wal_bytes", "Size of the database's write-ahead log.")
        self._future = self._gauge(
            "vigia_rows_from_the_future",
            "Stored looks that are dated later than now, by a clock that was wrong; nobody is shown them until their time.",
        )
        self._drilled = self._gauge(
            "vigia_drill_last_success_timestamp_seconds",
            "When the newest drill was over that went well; 0 before the first.",
        )
        self._probers = self._gauge(
            "vigia_probers", "Processes that look; with 1 it is the one that watches itself."
        )
        self._valid = self._gauge(
            "vigia_configuration_valid", "1 while the configuration file as it stands is in force."
        )
        self._sentinels = self._gauge(
            "vigia_sentinels_up", "Sentinels that answered, by address family.", "family"
        )
        self._view = self._gauge(
            "vigia_view",
            "What the newest round of sentinels says of our own view: 1 for the present state, 0 for the others.",
            "family",
            "state",
        )
        self._queue = self._gauge("vigia_writer_queue", "Observations that wait to be stored.")
        Info("vigia_build", "What is running.", registry=self.registry).info(
            {"version": version, "python": platform.python_version(), "engine": engine}
        )
        ProcessCollector(namespace="vigia_watch", registry=self.registry)
        # A series that exists from the start can be told from one that is missing.
        for outcome in Outcome:
            self._outcomes.labels(outcome)

    def looked(self, kind: str, outcome: Outcome, seconds: float) -> None:
        """A look ended."""
        self._looks.labels(kind).observe(seconds)
        self._outcomes.labels(outcome).inc()

    def late(self, seconds: float) -> None:
        """A look began so long after its due moment."""
        self._lateness.observe(max(0.0, seconds))

    def skipped(self, looks: int = 1) -> None:
        """Looks will never be made."""
        self._skipped.inc(looks)

    def missed(self, job: str) -> None:
        """A job could not run when it was due."""
        self._missed.labels(job).inc()

    def fault(self, part: str) -> None:
        """A trouble of our own was reported; `part` is one word for where."""
        self._faults.labels(part).inc()

    def dropped(self, observations: int = 1) -> None:
        """Observations were lost; this must never happen."""
        self._dropped.inc(observations)

    def ticket(self, result: str) -> None:
        """An attempt to reach the helpdesk ended; `result` is one of a few words."""
        self._tickets.labels(result).inc()
        if result in self._healed:
            self._healed[result].inc()

    def fit(self, kind: str, *, is_fit: bool) -> None:
        """The helpdesk of this kind was inspected."""
        self._fit.clear()
        self._fit.labels(kind).set(is_fit)

    def wrote(self, seconds: float, rows: int) -> None:
        """A transaction stored so many observations."""
        self._writes.observe(seconds)
        self._rows.inc(rows)

    def stored(self, size: int, wal: int) -> None:
        """The database file and its write-ahead log have these sizes in bytes."""
        self._size.set(size)
        self._wal.set(wal)

    def from_the_future(self, rows: int) -> None:
        """So many looks are stored that are dated later than now."""
        self._future.set(rows)

    def queued(self, observations: int) -> None:
        """So many observations wait to be stored."""
        self._queue.set(observations)

    def configured(self, *, is_valid: bool) -> None:
        """The configuration file was read; `is_valid` tells whether it is in force."""
        self._valid.set(is_valid)

    def saw(self, tallies: Mapping[AddressFamily, Tally]) -> None:
        """The newest round of the sentinels came to this; families that have none any more are forgotten."""
        self._sentinels.clear()
        self._view.clear()
        for family, tally in tallies.items():
            self._sentinels.labels(family).set(tally.answered)
            for view in View:
                self._view.labels(family, view).set(view is tally.view)

    def drilled(self, last_success: datetime | None) -> None:
        """The newest drill that went well was over then."""
        self._drilled.set(0 if last_success is None else last_success.timestamp())

    def probers(self, processes: int) -> None:
        """So many processes look."""
        self._probers.set(processes)

    def text(self) -> str:
        """Return every figure in the classic text format."""
        return generate_latest(self.registry).decode()

    def openmetrics(self) -> str:
        """Return every figure in the OpenMetrics format."""
        written: bytes = generate_openmetrics(self.registry)  # type: ignore[no-untyped-call]  # untyped there
        return written.decode()

    def names(self) -> tuple[str, ...]:
        """Return the names of all families, counters with their `_total`."""
        families = self.registry.collect()
        suffixes = {"counter": "_total", "info": "_info"}
        return tuple(sorted(family.name + suffixes.get(family.type, "") for family in families))

    def _counter(self, name: str, tells: str, *names: str) -> Counter:
        return Counter(name, tells, names, registry=self.registry)

    def _gauge(self, name: str, tells: str, *names: str) -> Gauge:
        return Gauge(name, tells, names, registry=self.registry)
