"""Whether it is us: what sentinels say, what a failing look is worth then, and how many words turn a belief."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.health.advance import IN_DOUBT, advance
from monitor.health.blindness import BLIND_AFTER, is_blind
from monitor.health.rollup import judge, standing
from monitor.health.state import Attempts, Health, Policy
from monitor.health.view import (
    AddressFamily,
    Belief,
    Fact,
    Tally,
    View,
    believe,
    family_of,
    literal,
    may_be_blocked,
    seen_through,
    speaks_against,
    view_of,
    worst_view,
)
from monitor.health.words import CheckImpact, Service, State, Status, Why
from monitor.identifiers import CheckKey, ServerId
from monitor.observation import Cause, Observation, Outcome

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
KEY = CheckKey(ServerId("gye1"), "http")
POLICY = Policy(confirm=Attempts(attempts=3, retry=SECOND), recover=Attempts(attempts=2, retry=SECOND))
views = st.dictionaries(st.sampled_from(AddressFamily), st.sampled_from(View))
words = st.lists(st.booleans(), max_size=30)


def look(word: str, at: datetime = NOON, *, doubtful: bool = False) -> Observation:
    outcome, cause = {
        "ok": (Outcome.OK, None),
        "down": (Outcome.DOWN, Cause.REFUSED),
        "slow": (Outcome.WARN, Cause.SLOW),
        "ending": (Outcome.WARN, Cause.CERTIFICATE_ENDING),
        "own": (Outcome.UNKNOWN, Cause.OWN),
        "isolated": (Outcome.UNKNOWN, Cause.ISOLATED),
    }[word]
    return Observation(
        check=KEY, started_at=at, took_ms=1.0, outcome=outcome, cause=cause, found="why", doubtful=doubtful
    )


def after(*looks: str, doubtful: bool = False) -> Health:
    health = Health(check=KEY)
    for place, word in enumerate(looks):
        health, _ = advance(health, look(word, NOON + place * SECOND, doubtful=doubtful), POLICY)
    return health


@pytest.mark.parametrize(
    ("answered", "asked", "view"),
    [
        (0, 0, View.CLEAR),
        (3, 3, View.CLEAR),
        (2, 3, View.DOUBTFUL),
        (0, 3, View.ISOLATED),
        (0, 1, View.ISOLATED),
    ],
)
def test_a_view_is_what_its_sentinels_say(answered: int, asked: int, view: View):
    assert Tally(answered=answered, asked=asked).view is view


@given(views, st.sampled_from(["192.0.2.1", "2001:db8::1"]))
def test_a_family_without_sentinels_is_always_clear(seen, address: str):
    assert view_of(address, seen) is seen.get(family_of(address), View.CLEAR)


@given(views)
def test_a_look_without_an_address_is_blocked_only_when_every_way_is(seen):
    is_blocked = bool(seen) and set(seen.values()) == {View.ISOLATED}
    assert (view_of(None, seen) is View.ISOLATED) == is_blocked


@given(st.lists(st.sampled_from(View)))
def test_the_worst_of_several_views_counts(seen: list[View]):
    assert worst_view(seen) is next(
        (view for view in (View.ISOLATED, View.DOUBTFUL) if view in seen), View.CLEAR
    )


@pytest.mark.parametrize(
    ("address", "bare"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("192.0.2.1:5353", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]:53", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("ns1.example.net", None),
        ("", None),
        (None, None),
    ],
)
def test_an_address_is_found_in_what_a_look_names(address: str | None, bare: str | None):
    assert literal(address) == bare


@pytest.mark.parametrize(
    ("word", "against", "ours"),
    [
        ("ok", False, False),
        ("ending", False, False),
        ("slow", True, False),
        ("down", True, False),
        ("own", False, True),
        ("isolated", False, False),
    ],
)
def test_only_what_customers_feel_waits_for_sentinels(word: str, against: bool, ours: bool):
    assert (speaks_against(look(word)), may_be_blocked(look(word))) == (against, ours)


def test_a_failing_look_through_a_blocked_view_says_nothing_and_says_so():
    seen = seen_through(look("down"), View.ISOLATED)
    assert (seen.outcome, seen.cause) == (Outcome.UNKNOWN, Cause.ISOLATED)
    assert seen.found == "no sentinel answers either, so our own view is blocked: why"
    assert seen_through(look("down"), View.CLEAR) == look("down")


def test_in_doubt_more_looks_have_to_agree():
    assert seen_through(look("down"), View.DOUBTFUL).doubtful
    assert after(*["ok", *["down"] * 3]).confirmed is State.DOWN
    assert after(*["ok", *["down"] * (2 + IN_DOUBT)], doubtful=True).confirmed is State.UP
    assert after(*["ok", *["down"] * (3 + IN_DOUBT)], doubtful=True).confirmed is State.DOWN


@given(st.lists(st.sampled_from(["ok", "down", "slow", "isolated"]), max_size=20))
def test_a_blocked_view_neither_raises_nor_clears_anything(sequence: list[str]):
    seen = after(*(word for word in sequence if word != "isolated"))
    hidden = after(*sequence)
    assert (hidden.confirmed, hidden.state, hidden.streak) == (seen.confirmed, seen.state, seen.streak)


def test_a_blocked_view_makes_no_check_blind():
    assert not is_blind(after("ok", *["isolated"] * (BLIND_AFTER + 3)))
    assert is_blind(after("ok", *["own"] * BLIND_AFTER))


def judged(*healths: Health, stale: bool = False):
    return judge(
        [
            standing(health, impact=CheckImpact.OUTAGE, service=Service.WEB, kind="http", is_stale=stale)
            for health in healths
        ]
    )


def test_a_server_is_unknown_while_a_check_of_it_is_hidden_and_none_is_seen_to_fail():
    well, hidden, failing = after("ok"), after("ok", "isolated"), after(*["down"] * 3)
    assert (judged(well, hidden).status, judged(well, hidden).because) == (Status.UNKNOWN, Why.ISOLATED)
    assert judged(failing, hidden).status is Status.PARTIAL_OUTAGE
    assert judged(failing, hidden).because is None
    # What was confirmed before stays: nobody saw it end.
    assert judged(after(*["down"] * 3, "isolated")).status is Status.MAJOR_OUTAGE


def test_what_is_too_old_counts_neither_for_nor_against_a_server():
    assert (judged(after("ok"), stale=True).status, judged(after("ok"), stale=True).because) == (
        Status.UNKNOWN,
        Why.STALE,
    )
    assert judged(after(*["down"] * 3), stale=True).status is Status.UNKNOWN


@given(words, st.integers(1, 4))
def test_a_belief_turns_only_on_words_that_agree_in_a_row(said: list[bool], needed: int):
    belief, row = Belief(), list[bool]()
    for place, word in enumerate(said):
        before, at = belief.fact, NOON + place * SECOND
        belief = believe(belief, word, at, "why", needed=needed)
        row = [*row, word] if not row or row[-1] is word else [word]
        if belief.fact.holds is not before.holds:
            assert len(row) >= needed
            assert belief.fact.holds is word
            assert belief.fact.since is not None
            assert belief.fact.since <= at - (needed - 1) * SECOND
        elif len(row) >= needed:
            assert belief.fact.holds is word


def test_a_turn_is_dated_by_its_first_word_and_remembers_how_long_it_lasted():
    belief = Belief()
    for place, word in enumerate([False, False, True, True, False, False]):
        belief = believe(belief, word, NOON + place * SECOND, "silent")
        if place == 3:
            assert belief.fact == Fact(holds=True, since=NOON + 2 * SECOND, found="silent")
    assert belief.fact == Fact(holds=False, since=NOON + 4 * SECOND, before=NOON + 2 * SECOND)
