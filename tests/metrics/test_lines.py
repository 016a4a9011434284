from __future__ import annotations

import math
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from monitor.health.state import Health
from monitor.health.words import State, Status
from monitor.identifiers import CheckKey, ServerId
from monitor.incidents.incident import Impact
from monitor.metrics import CheckLines, Counts, snapshot_lines
from monitor.observation import MEASURES_LIMIT, Measure, Observation, Outcome
from tests.metrics.builders import MAIL, NOW, health, incident, look, server, snapshot


def samples(text):
    """Every sample as (name, labels) -> value; a series that stands twice fails."""
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            series = (sample.name, frozenset(sample.labels.items()))
            assert series not in found
            found[series] = sample.value
    return found


def value(text, name, **labels):
    matching = [
        amount
        for (held, carried), amount in samples(text).items()
        if held == name and labels.items() <= dict(carried).items()
    ]
    assert len(matching) == 1, (name, labels, matching)
    return matching[0]


def names(text):
    return {name for name, _ in samples(text)}


def lines_after(*looks: tuple[Observation, Health]) -> CheckLines:
    lines = CheckLines()
    lines.replace({MAIL: "smtp"})
    for observation, held in looks:
        lines.observe(observation, held)
    return lines


def test_a_check_that_was_never_looked_at_has_no_samples():
    assert samples(lines_after().text()) == {}


def test_a_look_is_shown_with_its_phases_in_seconds():
    text = lines_after((look(phases={"connect": 3.25}), health())).text()
    held = {"server": "gye1", "check": "smtp", "kind": "smtp", "location": "local"}
    assert value(text, "vigia_check_up", **held) == 1
    assert value(text, "vigia_probe_duration_seconds", phase="connect", **held) == 0.00325
    assert value(text, "vigia_probe_duration_seconds", phase="total", **held) == 0.0125


def test_up_turns_to_0_only_when_down_is_confirmed():
    suspect = lines_after((look(), health(state=State.SUSPECT, confirmed=State.UP)))
    assert value(suspect.text(), "vigia_check_up") == 1
    recovering = lines_after((look(), health(state=State.RECOVERING, confirmed=State.DOWN)))
    assert value(recovering.text(), "vigia_check_up") == 0


def test_up_is_absent_while_nothing_is_confirmed():
    assert "vigia_check_up" not in names(lines_after((look(), health(state=State.UNKNOWN))).text())


def test_exactly_one_state_is_the_present_one():
    lines = lines_after((look(), health()), (look(), health(state=State.DOWN)))
    for _ in range(2):
        text = lines.text()
        assert {state: value(text, "vigia_check_state", state=state) for state in State} == {
            state: float(state is State.DOWN) for state in State
        }


def test_a_figure_is_shown_with_its_name_and_unit_and_goes_with_its_look():
    lines = lines_after(
        (look(measures=(Measure("rta", 0.0011, "seconds"), Measure("octets", 1234567890123))), health())
    )
    held = {"server": "gye1", "check": "smtp", "kind": "smtp", "location": "local"}
    assert value(lines.text(), "vigia_measure", measure="rta", unit="seconds", **held) == 0.0011
    assert value(lines.text(), "vigia_measure", measure="octets", **held) == 1234567890123
    assert 'measure="octets"}' in lines.text()
    lines.observe(look(), health())
    assert "vigia_measure" not in names(lines.text())


def test_only_so_many_figures_of_a_check_are_shown_and_none_that_is_no_figure():
    many = [Measure(f"m{number}", number) for number in range(MEASURES_LIMIT + 5)]
    lines = lines_after((look(measures=(Measure("a b", 1), Measure("nan", math.nan), *many)), health()))
    shown = [dict(held)["measure"] for name, held in samples(lines.text()) if name == "vigia_measure"]
    assert sorted(shown) == sorted(f"m{number}" for number in range(MEASURES_LIMIT))


def test_the_end_of_a_certificate_outlives_a_failed_look_but_not_a_healthy_one_without_it():
    ends = NOW + timedelta(days=30)
    lines = lines_after((look(tls_expires_at=ends), health()))
    assert value(lines.text(), "vigia_tls_expiry_timestamp_seconds") == ends.timestamp()
    lines.observe(look(outcome=Outcome.DOWN), health(state=State.SUSPECT, confirmed=State.UP))
    assert value(lines.text(), "vigia_tls_expiry_timestamp_seconds") == ends.timestamp()
    lines.observe(look(), health())
    assert "vigia_tls_expiry_timestamp_seconds" not in names(lines.text())


def test_what_is_known_survives_a_new_inventory_and_what_is_retired_does_not():
    other = CheckKey(ServerId("uio1"), "http")
    lines = lines_after((look(), health()))
    lines.replace({MAIL: "smtp", other: "http"})
    assert value(lines.text(), "vigia_check_up", server="gye1") == 1
    lines.observe(look(), health(state=State.DOWN))
    lines.replace({other: "http"})
    lines.observe(look(), health())
    assert samples(lines.text()) == {}


def test_a_check_that_changed_its_kind_begins_anew():
    lines = lines_after((look(), health()))
    lines.replace({MAIL: "tcp"})
    assert samples(lines.text()) == {}


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), min_size=1, max_size=20))
def test_any_name_comes_back_from_a_scrape_as_it_was(name):
    key = CheckKey(ServerId(name), "smtp")
    lines = CheckLines()
    lines.replace({key: "smtp"})
    lines.observe(look(key), health(key))
    series = [dict(carried) for held, carried in samples(lines.text()) if held == "vigia_check_up"]
    assert [carried["server"] for carried in series] == [name]


def test_the_snapshot_tells_statuses_incidents_and_age():
    picture = snapshot(
        server("gye1", Status.MAJOR_OUTAGE),
        server("uio1", Status.OPERATIONAL),
        incidents=(incident(Impact.CRITICAL),),
    )
    counts = Counts(
        pending={"ticket": 2, "operators": 0},
        uncertain={"ticket": 1},
        oldest_since=NOW - timedelta(seconds=90),
        published_at=NOW - timedelta(seconds=5),
    )
    text = snapshot_lines(picture, counts, NOW)
    assert value(text, "vigia_server_status", server="gye1", status="major_outage") == 1
    assert value(text, "vigia_server_status", server="gye1", status="operational") == 0
    assert value(text, "vigia_server_status", server="uio1", status="operational") == 1
    assert value(text, "vigia_incidents_open", impact="critical") == 1
    assert value(text, "vigia_incidents_open", impact="minor") == 0
    assert value(text, "vigia_windows_active") == 0
    assert value(text, "vigia_deliveries_pending", kind="ticket") == 2
    assert value(text, "vigia_deliveries_uncertain", kind="ticket") == 1
    assert value(text, "vigia_delivery_oldest_seconds") == 90
    assert value(text, "vigia_watch_heard_timestamp_seconds") == NOW.timestamp()
    assert value(text, "vigia_published_timestamp_seconds") == NOW.timestamp() - 5


def test_a_watch_that_was_never_heard_has_no_moment():
    text = snapshot_lines(snapshot(heard_at=None), Counts(), NOW)
    assert value(text, "vigia_delivery_oldest_seconds") == 0
    assert not names(text) & {"vigia_watch_heard_timestamp_seconds", "vigia_published_timestamp_seconds"}
    assert MAIL.server not in text
