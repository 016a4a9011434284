"""The delivery machine: a table of its moves, and what no sequence of answers may bring about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.journal.consequences import DeliveryState
from monitor.tickets import delivery
from monitor.tickets.delivery import BLIND, MOVES, Parcel, Step, manner_of
from monitor.tickets.port import Action, DeliveryError, Fate

NOW = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
LAG = timedelta(seconds=10)
CREATE = manner_of(Action.CREATE, LAG)
S = DeliveryState


def parcel(state: DeliveryState, **changes: object) -> Parcel:
    return Parcel(**{"state": state, "due": NOW, "attempts": 1, "sent_at": NOW, **changes})  # type: ignore[arg-type]


def error(fate: Fate, **changes: object) -> DeliveryError:
    return DeliveryError(fate, "why", **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fate", "state"),
    [
        (Fate.NOT_SENT, S.RETRY),
        (Fate.FORBIDDEN, S.RETRY),
        (Fate.UNCERTAIN, S.AMBIGUOUS),
        (Fate.CONFLICT, S.AMBIGUOUS),
        (Fate.REFUSED, S.REJECTED),
        (Fate.MISSING, S.RETRY),
    ],
)
def test_each_fate_of_a_creation_leads_to_its_state(fate: Fate, state: DeliveryState) -> None:
    after = delivery.after_error(parcel(S.SENDING), CREATE, error(fate), now=NOW, chance=0.5)
    assert after.state is state
    assert (after.sent_at is None) == (state is S.RETRY)
    assert after.detail == "why"


def test_a_conflict_or_a_missing_ticket_is_given_up_after_three_attempts() -> None:
    for fate in (Fate.CONFLICT, Fate.MISSING):
        after = delivery.after_error(parcel(S.SENDING, attempts=3), CREATE, error(fate), now=NOW, chance=0.5)
        assert after.state is S.REJECTED


def test_what_cannot_be_looked_up_is_tried_again() -> None:
    after = delivery.after_error(parcel(S.SENDING), BLIND, error(Fate.UNCERTAIN), now=NOW, chance=0.5)
    assert (after.state, after.sent_at) == (S.RETRY, NOW)
    assert delivery.next_step(after, BLIND) is Step.SEND


@pytest.mark.parametrize(
    ("state", "manner", "step"),
    [
        (S.READY, CREATE, Step.SEND),
        (S.RETRY, CREATE, Step.LOOK),
        (S.AMBIGUOUS, CREATE, Step.LOOK),
        (S.RETRY, manner_of(Action.RESOLVE, LAG), Step.SEND),
        (S.AMBIGUOUS, manner_of(Action.RESOLVE, LAG), Step.LOOK),
        (S.AMBIGUOUS, manner_of(Action.COMMENT, LAG), Step.SEND),
        (S.AMBIGUOUS, BLIND, Step.SEND),
    ],
)
def test_every_creation_but_the_first_is_looked_up_first(
    state: DeliveryState, manner: delivery.Manner, step: Step
) -> None:
    assert delivery.next_step(parcel(state), manner) is step


def test_nothing_found_within_the_search_lag_proves_nothing() -> None:
    early = delivery.after_lookup(parcel(S.LOOKUP), CREATE, NOW + LAG - timedelta(milliseconds=1))
    late = delivery.after_lookup(parcel(S.LOOKUP), CREATE, NOW + LAG)
    assert (early.state, late.state) == (S.AMBIGUOUS, S.READY)


def test_look_ups_come_after_5_15_45_seconds_then_every_minute_and_at_the_end_of_the_lag() -> None:
    manner = manner_of(Action.CREATE, timedelta(seconds=130))
    after = delivery.after_error(parcel(S.SENDING), manner, error(Fate.UNCERTAIN), now=NOW, chance=0.5)
    waits = []
    while after.state is S.AMBIGUOUS:
        waits.append(round((after.due - NOW).total_seconds()))
        after = delivery.after_lookup(delivery.after_claim(after, Step.LOOK), manner, after.due)
    assert waits == [5, 15, 45, 105, 130]
    assert after.state is S.READY


@pytest.mark.parametrize(("attempts", "seconds"), [(1, 2), (2, 4), (5, 32), (8, 256), (9, 300), (5000, 300)])
def test_the_pause_doubles_up_to_five_minutes(attempts: int, seconds: int) -> None:
    assert delivery.pause(attempts, error(Fate.NOT_SENT), 0.5) == timedelta(seconds=seconds)


@pytest.mark.parametrize(("sent_at", "seconds"), [(NOW, 60), (None, 300)])
def test_a_look_up_that_fails_is_taken_again_within_a_minute_while_the_fate_is_unknown(
    sent_at: datetime | None, seconds: int
) -> None:
    looking = parcel(S.LOOKUP, attempts=50, sent_at=sent_at)
    after = delivery.after_lookup_error(looking, error(Fate.NOT_SENT), now=NOW, chance=0.5)
    assert after.due - NOW == timedelta(seconds=seconds)


@given(st.integers(0, 100), st.floats(0, 1))
def test_chance_moves_a_pause_by_a_fifth_at_most(attempts: int, chance: float) -> None:
    middle = delivery.pause(attempts, error(Fate.NOT_SENT), 0.5)
    assert middle * 0.79 <= delivery.pause(attempts, error(Fate.NOT_SENT), chance) <= middle * 1.21


def test_the_other_sides_wish_to_wait_is_honoured_within_reason() -> None:
    asked = error(Fate.NOT_SENT, retry_after=timedelta(seconds=90))
    for_ever = error(Fate.NOT_SENT, retry_after=timedelta(days=1))
    assert delivery.pause(1, asked, 0.5) == timedelta(seconds=90)
    assert delivery.pause(1, for_ever, 0.5) == delivery.LONGEST_ASKED_PAUSE


def test_wrong_credentials_are_tried_every_five_minutes() -> None:
    assert delivery.pause(1, error(Fate.FORBIDDEN), 0.9) == timedelta(minutes=5)


@pytest.mark.parametrize(
    ("state", "sent_at", "after"),
    [
        (S.SENDING, NOW, S.AMBIGUOUS),
        (S.CLAIMED, None, S.READY),
        (S.LOOKUP, NOW, S.AMBIGUOUS),
        (S.LOOKUP, None, S.RETRY),
        (S.READY, None, S.READY),
        (S.DONE, None, S.DONE),
        (S.REJECTED, None, S.REJECTED),
    ],
)
def test_after_a_crash_what_was_being_sent_has_an_unknown_fate(
    state: DeliveryState, sent_at: datetime | None, after: DeliveryState
) -> None:
    assert delivery.after_crash(parcel(state, sent_at=sent_at), NOW).state is after


def test_what_was_under_way_may_have_arrived_at_any_moment_until_now() -> None:
    """A call may take half a minute, and the search lag counts from its end."""
    late = NOW + timedelta(seconds=30)
    lost = delivery.after_error(parcel(S.SENDING), CREATE, error(Fate.UNCERTAIN), now=late, chance=0.5)
    died = delivery.after_crash(parcel(S.SENDING), late)
    assert lost.sent_at == died.sent_at == late


def test_what_was_tried_before_is_looked_up_first() -> None:
    assert delivery.next_step(parcel(S.RETRY), CREATE) is Step.LOOK


def test_done_is_final() -> None:
    assert MOVES[S.DONE] == frozenset()
    with pytest.raises(ValueError, match="cannot become"):
        delivery.after_claim(parcel(S.DONE), Step.SEND)


@pytest.mark.parametrize(
    ("waiting", "told"),
    [
        ([], ()),
        ([Action.COMMENT, Action.PRIORITY], (True, True)),
        ([Action.COMMENT, Action.RESOLVE], (True, False)),
        ([Action.RESOLVE, Action.REOPEN], (True, True)),
        ([Action.RESOLVE, Action.REOPEN, Action.COMMENT, Action.RESOLVE], (True, True, True, False)),
    ],
)
def test_a_late_creation_tells_everything_but_a_resolution_that_holds(
    waiting: list[Action], told: tuple[bool, ...]
) -> None:
    assert delivery.told_by_creation(waiting) == told


class World:
    """A helpdesk that makes a ticket when it was reached, shows it after its lag, and honours no key."""

    def __init__(self, lag: timedelta) -> None:
        self.lag = lag
        self.now = NOW
        self.made: list[datetime] = []

    def sees(self) -> bool:
        return any(moment + self.lag <= self.now for moment in self.made)


ANSWERS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "ok",
                "made_then_lost",
                "lost",
                "not_sent",
                "forbidden",
                "crash_before",
                "crash_after",
                "find_fails",
            ]
        ),
        st.integers(0, 20),
    ),
    max_size=40,
)


@given(ANSWERS, st.sampled_from([timedelta(0), LAG, timedelta(minutes=15)]))
def test_no_sequence_of_answers_makes_two_tickets(answers: list[tuple[str, int]], lag: timedelta) -> None:
    manner = manner_of(Action.CREATE, lag)
    world = World(lag)
    now = Parcel(state=S.READY, due=NOW)
    for answer, wait in [*answers, *[("ok", 0)] * 40]:
        world.now = max(world.now + timedelta(seconds=wait), now.due)
        now = turn(now, manner, world, answer)
        assert len(world.made) <= 1
        if now.state is S.DONE:
            break
    assert now.state is S.DONE
    assert len(world.made) == 1


def turn(now: Parcel, manner: delivery.Manner, world: World, answer: str) -> Parcel:
    """Take one turn of the machine against the world."""
    step = delivery.next_step(now, manner)
    claimed = delivery.after_claim(now, step)
    if step is Step.LOOK:
        return look(claimed, manner, world, answer)
    if answer == "crash_before":
        return delivery.after_crash(claimed, world.now)
    sending = delivery.after_begin(claimed, world.now)
    if answer in ("ok", "made_then_lost", "crash_after"):
        world.made.append(world.now)
    match answer:
        case "ok":
            return delivery.after_success(sending)
        case "crash_after":
            return delivery.after_crash(sending, world.now)
        case "not_sent" | "find_fails":
            return delivery.after_error(sending, manner, error(Fate.NOT_SENT), now=world.now, chance=0.5)
        case "forbidden":
            return delivery.after_error(sending, manner, error(Fate.FORBIDDEN), now=world.now, chance=0.5)
        case _:
            return delivery.after_error(sending, manner, error(Fate.UNCERTAIN), now=world.now, chance=0.5)


def look(claimed: Parcel, manner: delivery.Manner, world: World, answer: str) -> Parcel:
    if answer in ("find_fails", "forbidden"):
        fate = Fate.FORBIDDEN if answer == "forbidden" else Fate.UNCERTAIN
        return delivery.after_lookup_error(claimed, error(fate), now=world.now, chance=0.5)
    if answer.startswith("crash"):
        return delivery.after_crash(claimed, world.now)
    if world.sees():
        return delivery.after_success(claimed)
    return delivery.after_lookup(claimed, manner, world.now)
