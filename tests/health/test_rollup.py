"""From checks to words: a server, its services, a group, the page."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.health.rollup import (
    ORDER,
    Judged,
    Standing,
    group_status,
    indicator,
    is_failing,
    is_staff_matter,
    judge,
    standing,
    worst,
)
from monitor.health.state import Health
from monitor.health.words import CheckImpact, Indicator, Service, State, Status
from monitor.identifiers import CheckKey, ServerId

UP, SLOW, NOTED, DOWN, BLIND = "up", "slow", "noted", "down", "blind"
MAJOR, PARTIAL, DEGRADED = Status.MAJOR_OUTAGE, Status.PARTIAL_OUTAGE, Status.DEGRADED_PERFORMANCE
FINE, UNKNOWN, PLANNED = Status.OPERATIONAL, Status.UNKNOWN, Status.UNDER_MAINTENANCE
_HELD = {
    UP: (State.UP, False),
    SLOW: (State.DEGRADED, True),
    NOTED: (State.DEGRADED, False),
    DOWN: (State.DOWN, True),
    BLIND: (State.UNKNOWN, False),
}


def one(
    held: str, kind: str = "http", service: Service = Service.WEB, impact: CheckImpact = CheckImpact.OUTAGE
) -> Standing:
    """Return the standing of one check that is held to be so."""
    confirmed, felt = _HELD[held]
    health = Health(check=CheckKey(server=ServerId("gye1"), check=kind), confirmed=confirmed, felt=felt)
    return standing(health, impact=impact, service=service, kind=kind)


def ping(held: str) -> Standing:
    return one(held, "ping", Service.NETWORK)


def mail(held: str) -> Standing:
    return one(held, "smtp", Service.MAIL)


def minor(held: str) -> Standing:
    return one(held, "heartbeat", Service.FILES, CheckImpact.DEGRADED)


def aside(held: str) -> Standing:
    return one(held, "host", Service.DATABASES, CheckImpact.NONE)


@pytest.mark.parametrize(
    ("checks", "status", "services"),
    [
        # every outage check, or the ping and one more
        ([one(DOWN)], MAJOR, {Service.WEB: MAJOR}),
        ([one(DOWN), mail(DOWN)], MAJOR, {Service.WEB: MAJOR, Service.MAIL: MAJOR}),
        (
            [ping(DOWN), one(DOWN), mail(UP)],
            MAJOR,
            {Service.NETWORK: MAJOR, Service.WEB: MAJOR, Service.MAIL: FINE},
        ),
        ([ping(DOWN), one(DOWN), one(UP)], MAJOR, {Service.NETWORK: MAJOR, Service.WEB: MAJOR}),
        ([one(DOWN), minor(UP)], MAJOR, {Service.WEB: MAJOR, Service.FILES: FINE}),
        # some outage checks
        ([one(DOWN), mail(UP)], PARTIAL, {Service.WEB: MAJOR, Service.MAIL: FINE}),
        ([one(DOWN), one(UP)], PARTIAL, {Service.WEB: PARTIAL}),
        (
            [ping(DOWN), one(UP), mail(UP)],
            PARTIAL,
            {Service.NETWORK: MAJOR, Service.WEB: FINE, Service.MAIL: FINE},
        ),
        (
            [ping(DOWN), one(UP), minor(DOWN)],
            PARTIAL,
            {Service.NETWORK: MAJOR, Service.WEB: FINE, Service.FILES: DEGRADED},
        ),
        ([one(DOWN), mail(SLOW)], PARTIAL, {Service.WEB: MAJOR, Service.MAIL: DEGRADED}),
        ([one(DOWN), one(BLIND)], PARTIAL, {Service.WEB: PARTIAL}),
        # only degraded ones
        ([one(UP), minor(DOWN)], DEGRADED, {Service.WEB: FINE, Service.FILES: DEGRADED}),
        ([one(SLOW), mail(UP)], DEGRADED, {Service.WEB: DEGRADED, Service.MAIL: FINE}),
        ([minor(SLOW)], DEGRADED, {Service.FILES: DEGRADED}),
        ([one(NOTED, "nagios")], DEGRADED, {Service.WEB: DEGRADED}),
        # what only the staff is told of
        ([one(NOTED), mail(UP)], FINE, {Service.WEB: FINE, Service.MAIL: FINE}),
        ([one(UP), aside(DOWN)], FINE, {Service.WEB: FINE}),
        ([aside(DOWN)], FINE, {}),
        # nothing known
        ([one(BLIND), mail(BLIND)], UNKNOWN, {Service.WEB: UNKNOWN, Service.MAIL: UNKNOWN}),
        ([one(BLIND), mail(UP)], FINE, {Service.WEB: UNKNOWN, Service.MAIL: FINE}),
        ([aside(BLIND)], UNKNOWN, {}),
        ([], UNKNOWN, {}),
    ],
)
def test_checks_make_the_status_of_their_server_and_its_services(
    checks: list[Standing], status: Status, services: dict[Service, Status]
):
    assert judge(checks) == Judged(status=status, services=services)


def test_suspicion_changes_no_status():
    suspect = one(UP)
    assert (
        judge([replace(suspect, health=replace(suspect.health, state=State.SUSPECT, streak=2))]).status
        is FINE
    )


@pytest.mark.parametrize(
    ("check", "failing", "staff"),
    [
        (one(UP), False, False),
        (one(DOWN), True, False),
        (one(SLOW), True, False),
        (one(NOTED), False, True),
        (one(NOTED, "nagios"), True, False),
        (minor(DOWN), True, False),
        (aside(DOWN), False, True),
        (aside(SLOW), False, True),
        (one(BLIND), False, False),
    ],
)
def test_a_confirmed_failure_is_told_to_customers_or_to_operators_and_never_to_both(
    check: Standing, failing: bool, staff: bool
):
    assert (is_failing(check), is_staff_matter(check)) == (failing, staff)


STANDINGS = st.lists(
    st.builds(
        one,
        st.sampled_from(list(_HELD)),
        st.sampled_from(["ping", "http", "nagios"]),
        st.sampled_from(list(Service)),
        st.sampled_from(list(CheckImpact)),
    ),
    max_size=6,
)


@given(STANDINGS)
def test_a_server_is_out_of_order_exactly_when_one_of_its_checks_is(checks: list[Standing]):
    status = judge(checks).status
    assert (status in (MAJOR, PARTIAL, DEGRADED)) is any(is_failing(check) for check in checks)


@given(STANDINGS.filter(bool), st.data())
def test_one_more_check_down_never_makes_a_server_look_better(checks: list[Standing], data: st.DataObject):
    place = data.draw(st.integers(0, len(checks) - 1))
    health = replace(checks[place].health, confirmed=State.DOWN, felt=True)
    worse = [*checks[:place], replace(checks[place], health=health), *checks[place + 1 :]]
    rank = {UNKNOWN: 0} | {status: rank for rank, status in enumerate((FINE, DEGRADED, PARTIAL, MAJOR))}
    assert rank[judge(worse).status] >= rank[judge(checks).status]


@given(STANDINGS)
def test_a_server_is_fine_exactly_when_all_its_services_are_or_nothing_is_known_of_them(
    checks: list[Standing],
):
    judged = judge(checks)
    worst_service = max(judged.services.values(), key=ORDER.index, default=FINE)
    assert (judged.status in (MAJOR, PARTIAL, DEGRADED)) is (worst_service in (MAJOR, PARTIAL, DEGRADED))


@given(STANDINGS, st.randoms(use_true_random=False))
def test_the_order_of_the_checks_means_nothing(checks: list[Standing], chance):
    shuffled = list(checks)
    chance.shuffle(shuffled)
    assert judge(shuffled) == judge(checks)


def test_a_group_takes_the_worst_of_its_servers():
    assert group_status([FINE, DEGRADED, PLANNED]) is DEGRADED
    assert group_status([FINE, UNKNOWN]) is UNKNOWN
    assert group_status([FINE, PLANNED]) is PLANNED
    assert group_status([UNKNOWN, PARTIAL]) is PARTIAL
    assert worst([]) is UNKNOWN


@pytest.mark.parametrize(
    ("groups", "state"),
    [
        ([], Indicator.NONE),
        ([[FINE, FINE]], Indicator.NONE),
        ([[PLANNED], [UNKNOWN, FINE]], Indicator.NONE),
        ([[DEGRADED, FINE]], Indicator.MINOR),
        ([[PARTIAL, FINE], [FINE]], Indicator.MAJOR),
        ([[MAJOR, FINE, FINE]], Indicator.MAJOR),
        ([[MAJOR, FINE]], Indicator.MAJOR),
        ([[MAJOR], [FINE, FINE]], Indicator.MAJOR),
        ([[MAJOR, MAJOR, FINE]], Indicator.CRITICAL),
        ([[MAJOR, MAJOR], [FINE, FINE, FINE, FINE]], Indicator.CRITICAL),
        ([[MAJOR]], Indicator.CRITICAL),
        ([[PARTIAL, PARTIAL], [FINE]], Indicator.MAJOR),
    ],
)
def test_the_page_is_critical_when_half_of_it_or_a_whole_group_is_out(groups, state: Indicator):
    assert indicator(groups) is state
