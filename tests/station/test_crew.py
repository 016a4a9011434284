"""Checks are handed out, and handed on, without a turn lost or doubled, a number lost or a memory mixed up."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from monitor.fleet import CheckPlan
from monitor.identifiers import CheckKey
from monitor.inventory.references import Secrets
from monitor.prober import Known
from monitor.scheduling import moment_of, newest_turn
from monitor.station.crew import Crew
from monitor.station.lookout import Assignment, taken_until
from monitor.station.sharing import share_of
from tests.conftest import SteppingClock
from tests.scheduling.builders import key, plan

SECRETS = Secrets({}, Path())
MINUTE = timedelta(minutes=1)


class Somebody:
    """Notes what it is told, and knows of each check what a look would have taught it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.has: dict[CheckKey, Assignment] = {}
        self.wishes: list[object] = []
        self.renewed = 0
        self.closed = False
        self.looks = 0

    async def ready(self) -> None:
        assert not self.has

    def renew(self, secrets: Secrets) -> None:
        self.renewed += 1

    async def drop(self, keys: Collection[CheckKey]) -> Mapping[CheckKey, Known]:
        await asyncio.sleep(0)
        return {
            each: replace(self.has.pop(each).known, sequence=self.looks, memory={"seen by": self.name})
            for each in keys
        }

    async def take(self, assignments: Iterable[Assignment]) -> None:
        for each in assignments:
            assert not self.closed
            self.has[each.plan.key] = each

    def again(self, key: CheckKey, after: timedelta) -> None:
        self.wishes.append((key, after))

    def now(self, keys: Iterable[CheckKey]) -> None:
        self.wishes.append(tuple(keys))

    async def close(self) -> None:
        self.closed = True


class Scene:
    def __init__(self, clock: SteppingClock) -> None:
        self.alone = Somebody("alone")
        self.hired: list[Somebody] = []
        self.handed: list[CheckKey] = []
        self.crew = Crew(alone=self.alone, hire=self.hire, clock=clock, on_handed=self.handed.extend)

    def hire(self, number: int, of: int) -> Somebody:
        self.hired.append(Somebody(f"{number} of {of}"))
        return self.hired[-1]

    def present(self) -> list[Somebody]:
        return [each for each in (self.alone, *self.hired) if each.has]

    def replace(self, plans: Iterable[CheckPlan], probers: int) -> None:
        wanted = {each.key: each for each in plans}
        self.handed.clear()
        asyncio.run(self.crew.replace(wanted, SECRETS, probers))
        held = [each for one in self.present() for each in one.has]
        assert sorted(held) == sorted(wanted), "every check has exactly one who looks at it"


@pytest.fixture
def scene(clock: SteppingClock) -> Scene:
    return Scene(clock)


PLANS = [plan(number) for number in range(60)]


def test_alone_one_has_all(scene: Scene):
    scene.replace(PLANS, 1)
    assert scene.present() == [scene.alone]
    assert all(each.until is None for each in scene.alone.has.values())


def test_several_have_a_share_each(scene: Scene):
    scene.replace(PLANS, 3)
    assert len(scene.hired) == 3
    for number, one in enumerate(scene.hired):
        assert one.has
        assert all(share_of(each, 3) == number for each in one.has)


def test_a_reload_moves_nothing_that_it_left_alone(scene: Scene):
    scene.replace(PLANS, 3)
    before = [dict(one.has) for one in scene.hired]
    changed = replace(PLANS[0], timeout=MINUTE)
    scene.replace([changed, *PLANS[2:], plan(99)], 3)
    for one, had in zip(scene.hired, before, strict=True):
        for each, assignment in one.has.items():
            if each not in (key(0), key(99)):
                assert assignment is had[each]
            else:
                assert assignment.until is None
    assert scene.handed == []


@pytest.mark.parametrize(("before", "after"), [(1, 3), (3, 1), (2, 5), (5, 2), (3, 4)])
def test_another_number_of_processes_moves_only_what_changes_hands(scene: Scene, before: int, after: int):
    scene.replace(PLANS, before)
    for one in scene.present():
        one.looks = 7
    scene.replace(PLANS, after)
    moved = [
        each.key
        for each in PLANS
        if before == 1 or after == 1 or share_of(each.key, before) != share_of(each.key, after)
    ]
    assert sorted(scene.handed) == sorted(moved)
    for one in scene.present():
        for each, assignment in one.has.items():
            assert (assignment.until is not None) is (each in moved)
            assert assignment.known.sequence == (7 if each in moved else 0)
            assert (assignment.known.memory is not None) is (each in moved)
    assert all(one.closed for one in scene.hired if not one.has)
    assert len(scene.crew) == after


def test_a_check_that_looks_elsewhere_from_now_on_goes_on_counting_and_forgets(scene: Scene):
    scene.replace(PLANS, 2)
    for one in scene.hired:
        one.looks = 5
    scene.replace(
        [replace(PLANS[0], options={"port": 25}), replace(PLANS[1], every=2 * MINUTE), *PLANS[2:]], 2
    )
    elsewhere, as_before = (
        next(one.has[key(number)] for one in scene.hired if key(number) in one.has) for number in (0, 1)
    )
    assert elsewhere.known == Known(sequence=5)
    assert as_before.known.sequence == 5
    assert as_before.known.memory is not None
    assert elsewhere.until is as_before.until is None


def test_what_checks_knew_before_this_process_began_goes_along_once(scene: Scene):
    scene.crew.remember({key(3): {"host key": "abc"}})
    scene.replace(PLANS, 2)
    found = {each: one.has[each].known.memory for one in scene.hired for each in one.has}
    assert found.pop(key(3)) == {"host key": "abc"}
    assert set(found.values()) == {None}
    scene.replace(PLANS[:3], 2)
    scene.replace(PLANS, 2)
    assert {one.has[each].known.memory for one in scene.hired for each in one.has} == {None}


def test_wishes_reach_those_who_have_the_check(scene: Scene):
    scene.crew.again(key(1), MINUTE)
    scene.replace(PLANS, 2)
    scene.crew.again(key(1), MINUTE)
    scene.crew.again(key(999), MINUTE)
    scene.crew.now([key(number) for number in (1, 2, 3, 4, 999)])
    for number, one in enumerate(scene.hired):
        mine = tuple(key(each) for each in (1, 2, 3, 4) if share_of(key(each), 2) == number)
        wished = [(key(1), MINUTE)] if key(1) in mine else []
        assert one.wishes == [*wished, *([mine] if mine else [])]


def test_everybody_learns_of_new_secrets_and_hears_the_end(scene: Scene):
    scene.replace(PLANS, 2)
    scene.replace(PLANS, 2)
    assert [one.renewed for one in scene.hired] == [2, 2]
    asyncio.run(scene.crew.close())
    assert all(one.closed for one in scene.hired)
    scene.crew.again(key(1), MINUTE)


def test_a_turn_counts_as_taken_when_a_look_began_since(clock: SteppingClock):
    watched = plan(1)
    moment, present = 5_000.0, clock.now()
    turn = moment_of(newest_turn(watched.key, watched.every, moment))
    since = timedelta(seconds=moment - turn)
    assert taken_until(watched, present, moment, present) == moment
    assert taken_until(watched, present - since, moment, present) == moment
    for before in (None, present - since - timedelta(seconds=1)):
        until = taken_until(watched, before, moment, present)
        assert until < turn
        assert newest_turn(watched.key, watched.every, until) < newest_turn(
            watched.key, watched.every, moment
        )
