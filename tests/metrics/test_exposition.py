from __future__ import annotations

import platform
import subprocess
from dataclasses import replace
from datetime import timedelta

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families

from monitor.health.words import Status
from monitor.incidents.incident import Impact
from monitor.metrics import (
    CHECK_FAMILIES,
    SNAPSHOT_FAMILIES,
    CheckLines,
    Counts,
    exposition,
    join,
    openmetrics_exposition,
    snapshot_lines,
)
from monitor.metrics.instruments import Instruments
from monitor.observation import Outcome
from tests.metrics.builders import MAIL, NOW, health, incident, look, server, snapshot
from tests.web.builders import support


@pytest.fixture
def instruments():
    """Instruments on which everything has happened once."""
    made = Instruments(version="0.1.0", engine="SQLite 3.53.4")
    made.looked("http", Outcome.OK, 0.02)
    made.looked("http", Outcome.DOWN, 10.0)
    made.late(0.018)
    made.late(-0.001)
    made.skipped(3)
    made.missed("looks every 60 s")
    made.fault("prober")
    made.dropped(2)
    made.ticket("done")
    made.wrote(0.004, 167)
    made.stored(4096, 512)
    made.queued(7)
    return made


@pytest.fixture
def checks():
    lines = CheckLines()
    lines.replace({MAIL: "smtp"})
    lines.observe(look(phases={"connect": 1.0}, tls_expires_at=NOW + timedelta(days=9)), health())
    return lines


@pytest.fixture
def picture():
    counts = Counts(pending={"ticket": 1}, oldest_since=NOW, published_at=NOW)
    shown = snapshot(server("gye1", Status.OPERATIONAL), incidents=(incident(Impact.MINOR),))
    return snapshot_lines(shown, counts, NOW)


@pytest.fixture
def classic(instruments, checks, picture):
    return join(exposition([instruments.text(), checks.text()]), picture, openmetrics=False)


@pytest.fixture
def modern(instruments, checks, picture):
    return join(openmetrics_exposition([instruments.openmetrics(), checks.text()]), picture, openmetrics=True)


@pytest.mark.system("promtool")
def test_promtool_finds_nothing_to_say_about_a_scrape(classic):
    verdict = subprocess.run(
        ["promtool", "check", "metrics"],
        input=classic,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (verdict.returncode, verdict.stdout, verdict.stderr) == (0, "", "")


def test_both_formats_tell_the_same(classic, modern):
    def told(families):
        return {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in families
            for sample in family.samples
            if not sample.name.startswith("vigia_watch_process")
        }

    modern_families = list(openmetrics_families(modern))
    assert told(text_string_to_metric_families(classic)) == told(modern_families)
    assert modern.count("# EOF") == 1
    assert modern.endswith("# EOF\n")
    assert "# EOF" not in classic


def test_every_family_stands_once_and_with_a_help_text(classic):
    heads = [line.split()[2] for line in classic.splitlines() if line.startswith("# HELP")]
    types = [line.split()[2] for line in classic.splitlines() if line.startswith("# TYPE")]
    assert heads == types
    assert len(set(heads)) == len(heads)


def test_every_verb_moves_its_instrument(instruments):
    registry = instruments.registry

    def amount(name, **labels):
        return registry.get_sample_value(name, labels)

    assert amount("vigia_probe_seconds_count", kind="http") == 2
    assert amount("vigia_probes_total", outcome="down") == 1
    assert amount("vigia_probes_total", outcome="unknown") == 0
    assert amount("vigia_schedule_lateness_seconds_count") == 2
    assert amount("vigia_schedule_lateness_seconds_sum") == 0.018
    assert amount("vigia_looks_skipped_total") == 3
    assert amount("vigia_schedule_misses_total", job="looks every 60 s") == 1
    assert amount("vigia_own_faults_total", part="prober") == 1
    assert amount("vigia_observations_dropped_total") == 2
    assert amount("vigia_tickets_total", result="done") == 1
    assert amount("vigia_store_write_seconds_count") == 1
    assert amount("vigia_store_rows_total") == 167
    assert amount("vigia_store_bytes") == 4096
    assert amount("vigia_store_wal_bytes") == 512
    assert amount("vigia_writer_queue") == 7
    assert (
        amount("vigia_build_info", version="0.1.0", engine="SQLite 3.53.4", python=platform.python_version())
        == 1
    )


def test_the_names_are_those_of_a_scrape(instruments, classic):
    ours = {*instruments.names(), *(family.name for family in (*CHECK_FAMILIES, *SNAPSHOT_FAMILIES))}
    heads = {line.split()[2] for line in classic.splitlines() if line.startswith("# TYPE")}
    assert ours == heads


def test_nothing_published_yet_still_makes_a_whole_text(picture):
    assert join("", picture, openmetrics=False) == picture
    assert join("", picture, openmetrics=True) == picture + "# EOF\n"


def test_departments_tell_how_long_they_take_and_how_many_wait():
    told = replace(snapshot(), support=support())
    text = snapshot_lines(told, Counts(), NOW)

    assert 'vigia_tickets_unanswered{department="soporte"} 3\n' in text
    assert 'vigia_ticket_answer_seconds{department="soporte"} 85200\n' in text
    # Nobody was answered there, so there is no figure that could be read as a fast one.
    assert 'vigia_ticket_answer_seconds{department="comercial"}' not in text
