"""The whole judgement on a real database and the reference model, driven by the same facts and compared after each.

Three servers: `rack`, `gye1` that depends on it, and `uio1` that depends on nothing. Whatever the judgement asks to be looked at, it is
looked at a second later, and found as it was found last.
"""

from __future__ import annotations

import copy
import itertools
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import NamedTuple

from monitor.actions import maintain
from monitor.errors import RefusedError
from monitor.fleet import Fleet
from monitor.health.state import Attempts, Policy
from monitor.health.words import Service
from monitor.identifiers import CheckKey, ServerId
from monitor.incidents.incident import Audience, Impact, Incident, Stage
from monitor.journal.consequences import Channel
from monitor.observation import Observation
from monitor.station.bureau import Bureau
from monitor.store import deliveries, readings
from monitor.store.database import Database
from tests.actions import builders
from tests.actions.reference import Rules, Told, World
from tests.conftest import SteppingClock
from tests.health.reference import Look

START = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
STEP = timedelta(seconds=15)
SECOND = timedelta(seconds=1)
WORDS = {"O": "ok", "S": "slow", "D": "down", "?": "unknown"}
PARENTS = {"gye1": "rack"}
CHECKS = {
    "rack": ("rack/ping",),
    "gye1": ("gye1/http", "gye1/smtp"),
    "uio1": ("uio1/ping", "uio1/http", "uio1/tcp"),
}
SERVICES = {"ping": Service.NETWORK, "http": Service.WEB, "smtp": Service.MAIL, "tcp": Service.PANEL}


def rules(attempts: int = 2, recoveries: int = 1, **changes: object) -> Rules:
    """Return rules under which everything happens within a few steps."""
    plain = Rules(
        checks=CHECKS,
        parents=PARENTS,
        attempts=attempts,
        recoveries=recoveries,
        resolve_after=3 * STEP,
        reopen_within=8 * STEP,
        retry=STEP,
        timeout=timedelta(seconds=10),
    )
    return replace(plain, **changes)  # type: ignore[arg-type] # a builder takes any of the fields


def fleet(watched: Rules) -> Fleet:
    policy = Policy(
        confirm=Attempts(attempts=watched.attempts, retry=watched.retry),
        recover=Attempts(attempts=watched.recoveries, retry=watched.retry),
    )
    servers = []
    for name, checks in watched.checks.items():
        plans = [builders.plan(check, SERVICES[check.partition("/")[2]]) for check in checks]
        parent = watched.parents.get(name)
        servers.append(
            replace(
                builders.server(ServerId(name), *(replace(plan, policy=policy) for plan in plans)),
                resolve_after=watched.resolve_after,
                reopen_within=watched.reopen_within,
                depends_on=() if parent is None else (ServerId(parent),),
            )
        )
    return builders.fleet(*servers)


class Seen(NamedTuple):
    """One look at a check: what it finds, and how many seconds before now it began if it is late."""

    check: str
    letter: str
    late: int = 0


@dataclass(frozen=True)
class Plan:
    """A window for a server, that begins and lasts so many steps."""

    server: str
    begins_in: int
    lasts: int


Act = tuple[Seen, ...] | Plan | str
"""Looks in one batch, a window, or one of `wait`, `cancel`, `restart`."""


class Sides:
    """Both sides, at the same point of the same story."""

    def __init__(self, database: Database, clock: SteppingClock, watched: Rules) -> None:
        self.database, self.clock, self.rules = database, clock, watched
        self.fleet = fleet(watched)
        self.world = World(watched)
        self.found = dict.fromkeys(self.world.past, "O")
        self.bureau = Bureau(database, clock)
        self.bureau.begin(self.fleet)
        # All is well at first: everything was looked at once, and the house is armed.
        self.go(tuple(Seen(check, "O") for check in self.found))

    def go(self, act: Act) -> None:
        """Let a step's time pass, do one thing, and keep house."""
        now = self.clock.step(STEP)
        if isinstance(act, Plan):
            self._plan(act, now)
        elif act == "cancel":
            self._cancel(now)
        elif act == "restart":
            self._restart(now)
        elif act != "wait":
            self._look([one for one in act if isinstance(one, Seen)])
        self._keep_house()

    def _look(self, looks: Sequence[Seen]) -> None:
        now = self.clock.now()
        for one in looks:
            if not one.late:
                self.found[one.check] = one.letter
        real, told = [], []
        for one in looks:
            began = now - one.late * SECOND
            real.append(_observation(one, began))
            told.append((one.check, Look(one.letter, began)))
        recorded = self.bureau.record(real)
        self.world.looks(now, told)
        self._answer(recorded.look_at)

    def _answer(self, asked: Iterable[CheckKey]) -> None:
        names = sorted({str(key) for key in asked})
        if names:
            self.clock.step(SECOND)
            self._look([Seen(name, self.found[name]) for name in names])

    def _keep_house(self) -> None:
        kept = self.bureau.keep_house()
        self.world.house(self.clock.now())
        if kept is not None and kept.look_at:
            self._answer(kept.look_at)
            self._keep_house()

    def _plan(self, act: Plan, now: datetime) -> None:
        starts = now + act.begins_in * STEP
        with self.database.writing() as tx:
            maintain.plan(
                tx,
                servers=(ServerId(act.server),),
                starts_at=starts,
                ends_at=starts + act.lasts * STEP,
                title={"es": "Trabajos", "en": "Work"},
                actor="ana",
                moment=now,
            )
        self.world.plan(act.server, starts, starts + act.lasts * STEP)

    def _cancel(self, now: datetime) -> None:
        with self.database.reading() as tx:
            planned = readings.windows(tx)
        for window in planned:
            with self.database.writing() as tx:
                try:
                    maintain.cancel(tx, window.id, actor="ana", moment=now)
                except RefusedError:
                    continue
        self.world.cancel(now)

    def _restart(self, now: datetime) -> None:
        self.bureau.publish("", "")
        self.bureau = Bureau(self.database, self.clock)
        self.bureau.begin(self.fleet)
        self.world.restart(now)

    def incidents(self) -> list[Incident]:
        """Return every public incident."""
        start = self.clock.now() - timedelta(days=30)
        with self.database.reading() as tx:
            found = readings.incidents_between(tx, start, self.clock.now() + timedelta(days=1))
        return [one for one in found if one.audience is Audience.PUBLIC]

    def differences(self) -> dict[str, tuple[object, object]]:
        """Return where the product and the model do not agree, by name: product first."""
        with self.database.reading() as tx:
            held = readings.standing(tx)
        pairs: dict[str, tuple[object, object]] = {
            f"status of {server}": (
                (one.judged.status.value, one.judged.because),
                tuple(self.world.shown[server]),
            )
            for server, one in held.items()
        }
        real = sorted(map(_facts, self.incidents()), key=repr)
        told = sorted(map(_facts_told, self.world.incidents), key=repr)
        pairs["incidents"] = (real, told)
        found = {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
        return found | self._contradictions()

    def _contradictions(self) -> dict[str, tuple[object, object]]:
        """Return what must never be, whatever the model says."""
        found = self.incidents()
        named = [server for one in found if one.open for server in one.servers]
        pairs: dict[str, tuple[object, object]] = {
            "open incidents of a server": (len(named), len(set(named)))
        }
        with self.database.reading() as tx:
            for one in found:
                actions = [row.action for row in deliveries.of_incident(tx, one.id, Channel.TICKET)]
                ends = [action for action in actions if action in ("create", "reopen", "resolve")]
                pairs[f"ticket of {one.id}"] = (ends, _ends(len(ends)))
                pairs[f"last action on {one.id}"] = (ends[-1] == "resolve", not one.open)
        return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}

    def all_well(self) -> None:
        """End all windows, mend everything and wait until all must be told."""
        self.go("cancel")
        for _ in range(max(self.rules.attempts, self.rules.recoveries) + 21):
            self.go(tuple(Seen(check, "O") for check in self.found))
        for _ in range(self.rules.resolve_after // STEP + 1):
            self.go("wait")

    def unfinished(self) -> list[object]:
        """Return what has no end once all is well, and what is shown as anything else than well."""
        with self.database.reading() as tx:
            held = readings.standing(tx)
        open_ones = [one for one in self.incidents() if one.stage is not Stage.RESOLVED]
        return [
            *open_ones,
            *((name, one) for name, one in held.items() if one.judged.status != "operational"),
        ]

    @contextmanager
    def tried(self) -> Iterator[None]:
        """Take back everything that is done in the block, on both sides."""
        now, monotonic = self.clock.now(), self.clock.monotonic()
        bureau, world, found = self.bureau, copy.deepcopy(self.world), dict(self.found)
        self.bureau = _fork(bureau)
        try:
            with suppress(_TakenBackError), self.database.together():
                yield
                _take_back()
        finally:
            self.clock._now, self.clock._monotonic = now, monotonic
            self.bureau, self.world, self.found = bureau, world, found


class _TakenBackError(Exception):
    """It was only tried."""


def _take_back() -> None:
    raise _TakenBackError


def _fork(bureau: Bureau) -> Bureau:
    """Return a bureau that goes its own way from here."""
    forked = copy.copy(bureau)
    picture = bureau.picture
    forked.picture = replace(picture, healths=dict(picture.healths), suspense=copy.deepcopy(picture.suspense))
    return forked


def _observation(one: Seen, began: datetime) -> Observation:
    return builders.look(one.check, WORDS[one.letter], began)


def _facts(one: Incident) -> tuple[object, ...]:
    return (
        one.started_at,
        tuple(map(str, one.servers)),
        sorted(map(str, one.checks)),
        one.stage.value,
        one.impact.value,
        one.opened_at,
        one.ended_at,
        one.monitoring_since,
        one.resolved_at,
        sorted(one.unreachable),
        one.unstable_at,
        len(one.updates),
    )


def _facts_told(one: Told) -> tuple[object, ...]:
    return (
        one.started_at,
        (one.server,),
        sorted(one.checks),
        one.stage,
        list(Impact)[one.impact].value,
        one.opened_at,
        one.ended_at,
        one.monitoring_since,
        one.resolved_at,
        sorted(one.unreachable),
        one.unstable_at,
        len(one.words),
    )


def _ends(count: int) -> list[str]:
    return (["create", "resolve"] + ["reopen", "resolve"] * count)[:count]


Begin = Callable[[Rules], Sides]


@contextmanager
def beginning(folder: Path) -> Iterator[Begin]:
    """Give a way to begin one more story, on a database of its own in `folder`; the one before is closed."""
    blank = folder / "blank.db"
    Database.open(blank, owner=True).close()
    numbers = itertools.count()
    opened: list[Database] = []

    def one_more(watched: Rules) -> Sides:
        while opened:
            opened[-1].close()
            shutil.rmtree(opened.pop().path.parent)
        mine = folder / str(next(numbers))
        mine.mkdir()
        (mine / "vigia.db").write_bytes(blank.read_bytes())
        opened.append(Database.open(mine / "vigia.db", owner=True))
        return Sides(opened[0], SteppingClock(START), watched)

    yield one_more
    for last in opened:
        last.close()


def disagreement(begin: Begin, watched: Rules, acts: Sequence[Act], *, to_the_end: bool = True) -> str:
    """Return where the two sides part first, or what never ends, empty if all is as it should be."""
    sides = begin(watched)
    for done, act in enumerate(acts, start=1):
        sides.go(act)
        if found := sides.differences():
            return f"after {list(acts[:done])}: {found}"
    if to_the_end:
        sides.all_well()
        if found := sides.differences():
            return f"after {list(acts)} and all well: {found}"
        if left := sides.unfinished():
            return f"after {list(acts)} and all well, never ended: {left}"
    return ""


def shortest(begin: Begin, watched: Rules, acts: Sequence[Act]) -> list[Act]:
    """Return what is left of acts that the sides disagree about when each that can go is gone."""
    left = list(acts)
    tried = 0
    while tried < len(left):
        fewer = left[:tried] + left[tried + 1 :]
        if disagreement(begin, watched, fewer):
            left = fewer
        else:
            tried += 1
    return left


def story(random: Random, length: int) -> list[Act]:
    """Return acts of chance; what fails mostly goes on failing, so that something comes of it."""
    checks = [check for own in CHECKS.values() for check in own]
    mood = dict.fromkeys(checks, "O")
    acts: list[Act] = []
    for _ in range(length):
        kind = random.random()
        if kind < 0.06:
            acts.append(Plan(random.choice(tuple(CHECKS)), random.choice((0, 0, 2)), random.randint(1, 6)))
        elif kind < 0.09:
            acts.append("cancel")
        elif kind < 0.14:
            acts.append("restart")
        elif kind < 0.20:
            acts.append("wait")
        else:
            for check in random.sample(checks, random.choice((0, 0, 1, 2))):
                mood[check] = random.choice("OOODDDDS?")
            looked = random.sample(checks, random.randint(1, len(checks)))
            acts.append(
                tuple(
                    Seen(check, random.choice("OD"), random.randint(16, 40))
                    if random.random() < 0.04
                    else Seen(check, mood[check])
                    for check in sorted(looked)
                )
            )
    return acts


LETTERS: dict[str, Act] = {
    "ok": (Seen("gye1/http", "O"),),
    "down": (Seen("gye1/http", "D"),),
    "unknown": (Seen("gye1/http", "?"),),
    "late": (Seen("gye1/http", "D", 20),),
    "window starts": Plan("gye1", 0, 1000),
    "window ends": "cancel",
    "parent down": (Seen("rack/ping", "D"),),
    "parent up": (Seen("rack/ping", "O"),),
    "restart": "restart",
}


def every_sequence(sides: Sides, length: int) -> int:
    """Compare the sides after every sequence of up to so many letters; return how many those were.

    Raises AssertionError with the sequence where they part.
    """

    def descend(before: tuple[str, ...]) -> int:
        if len(before) == length:
            return 0
        ends = 0
        for name, act in LETTERS.items():
            with sides.tried():
                sides.go(act)
                found = sides.differences()
                if found:
                    raise AssertionError(f"after {(*before, name)}: {found}")
                ends += 1 + descend((*before, name))
        return ends

    return descend(())
