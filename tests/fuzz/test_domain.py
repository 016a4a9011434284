"""Whatever a registry sends is read or refused."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from monitor.checks.domain import from_memory, judge, to_memory
from monitor.checks.names.registration import (
    NoRegistrationError,
    Registration,
    read_bootstrap,
    read_date,
    read_rdap,
    read_referral,
    read_whois,
)
from monitor.checks.names.registries import pause_of
from tests.fuzz.mutating import mutated
from tests.fuzz.survival import survives
from tests.servers import registries

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
TEXTS = (
    registries.VERISIGN,
    registries.NOMINET,
    registries.REGISTRO_BR,
    registries.CCTLD_RU,
    registries.JPRS,
    registries.FICORA,
    registries.NASK,
    registries.TWNIC,
    registries.TRABIS,
    registries.ISNIC,
    registries.NIC_SPANISH,
    registries.DENIC,
    registries.IANA,
    *registries.UNREGISTERED.values(),
)
DATES = (
    "2027-08-13T04:00:00.000+02:00",
    "20270813 #185943",
    "13.08.2027 10:11:12",
    "13-Aug-2027",
    "2027-Aug-13.",
    "August 13, 2027",
    "Fri Aug 13 04:00:00 UTC 2027",
)


def look_at(told: Registration) -> None:
    """Judge what was read, and keep it and find it again."""
    assert judge(told, timedelta(days=30), NOW).outcome
    assert told.ends_at is None or told.ends_at.utcoffset() == timedelta(0)


@survives(st.text(max_size=400) | mutated(TEXTS))
def test_whois_of_any_kind_is_read_or_refused(text: str) -> None:
    read_referral(text)
    with contextlib.suppress(NoRegistrationError):
        look_at(read_whois(text, "nodored.test"))


@survives(st.text(max_size=60) | mutated(DATES) | st.datetimes().map(str))
def test_dates_of_any_kind_are_moments_or_none(text: str) -> None:
    moment = read_date(text)
    assert moment is None or 1984 < moment.year < 2301


ANSWERS = (
    registries.rdap(),
    registries.bootstrap({"test": "https://rdap.test/", "com": "https://rdap.com/"}),
    b'{"objectClassName": "domain", "status": [7, null, {}], "events": [{"eventAction": "expiration"}, 3, []]}',
    b'{"objectClassName": "domain", "ldhName": 1, "status": "active", "events": {"eventDate": 1}}',
    b'{"services": [[["test"], [1, null]], [[null, 3], ["https://a/"]], [], 5, [[], [], []]]}',
)


@survives(st.binary(max_size=200) | mutated(ANSWERS))
def test_rdap_of_any_kind_is_read_or_refused(body: bytes) -> None:
    with contextlib.suppress(NoRegistrationError):
        look_at(read_rdap(body, "nodored.test"))
    with contextlib.suppress(NoRegistrationError):
        assert read_bootstrap(body, "nodored.test") != ""


@survives(
    st.none()
    | st.text(max_size=40)
    | mutated(("Sun, 22 Nov 2026 13:00:00 GMT", "120"))
    | st.integers().map(str)
)
def test_pauses_of_any_kind_lie_between_nothing_and_a_day(text: str | None) -> None:
    assert timedelta(0) <= pause_of(text, NOW) <= timedelta(days=1)


KEYS = (
    "registered",
    "statuses",
    "outcome",
    "told_at",
    "since",
    "failing_since",
    "failure",
    "ask_at",
    "base",
    "base_at",
    "ends_at",
    "source",
)


@survives(
    st.dictionaries(
        st.sampled_from(KEYS) | st.text(max_size=5),
        st.sampled_from((NOW.isoformat(), "true", "ok")) | st.text(max_size=30),
        max_size=8,
    )
)
def test_memories_of_any_kind_mean_something_or_nothing(memory: dict[str, str]) -> None:
    known = from_memory(memory)
    assert from_memory(to_memory(known)) == known
