"""Runs looks: one at a time for each check, bounded in number and in time, each turned into an observation."""

from __future__ import annotations

import asyncio
import logging
import re
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import PurePath
from typing import NamedTuple

from monitor.checks.contract import Check, Look, OwnFaultError, TargetFaultError, Tools
from monitor.clock import Clock
from monitor.errors import VigiaError
from monitor.fleet.fleet import CheckPlan
from monitor.identifiers import CheckKey, ServerId
from monitor.observation import (
    EXCERPT_LIMIT,
    FOUND_LIMIT,
    VIA_LIMIT,
    Cause,
    Observation,
    Outcome,
    sound_measures,
    sound_memory,
)
from monitor.prober.gates import Gate
from monitor.prober.lag import LATE_S, LagWatch
from monitor.prober.limits import Limits, OverdueError

_log = logging.getLogger(__name__)

# A kind ends its look by itself; this much later the prober ends it for it.
_GRACE = 0.5
PER_HOST = 16
_TIMEOUTS = frozenset(cause for cause in Cause if cause.startswith("timeout"))
# Everything that a terminal, a page or a log line would act upon, and the halves of characters that UTF-8 cannot hold.
_CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff]"
)


@dataclass(slots=True)
class _Entry:
    """One check of the applied inventory and its look, if one is under way."""

    plan: CheckPlan
    check: Check
    running: asyncio.Task[None] | None = None
    sequence: int = 0
    looked_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of a check by whoever looks at it: the number and the start of its newest look, and its memory."""

    sequence: int = 0
    looked_at: datetime | None = None
    memory: Mapping[str, str] | None = None


class Prober:
    """Looks when it is told to, and hands over what was seen.

    At most `concurrency` looks run at once and at most `per_host` of one server; a look that has to wait for its turn is late, and
    `on_start` is told by how many seconds. `deliver` must not block. `skipped` counts looks that were due while the one before was
    still under way.
    """

    def __init__(
        self,
        *,
        tools: Tools,
        clock: Clock,
        deliver: Callable[[Observation], None],
        concurrency: int = 500,
        per_host: int = PER_HOST,
    ) -> None:
        self._tools = tools
        self._clock = clock
        self._deliver = deliver
        self._gate = Gate(concurrency)
        self._per_host = per_host
        self._gates: dict[ServerId, Gate] = {}
        self._entries: dict[CheckKey, _Entry] = {}
        self._memories: dict[CheckKey, Mapping[str, str]] = {}
        self._lag = LagWatch()
        self._limits = Limits()
        self.skipped = 0
        self.on_start: Callable[[CheckKey, float], None] | None = None

    @property
    def running(self) -> int:
        """How many looks are under way or waiting for their turn."""
        return sum(entry.running is not None for entry in self._entries.values())

    def replace(self, checks: Mapping[CheckKey, tuple[CheckPlan, Check]]) -> None:
        """Take over an applied inventory; a running look of a check that vanished or changed is dropped."""
        before = self._entries
        self._entries = {key: _Entry(plan=plan, check=check) for key, (plan, check) in checks.items()}
        for key, old in before.items():
            new = self._entries.get(key)
            if new is not None:
                new.sequence, new.looked_at = old.sequence, old.looked_at
            if new is not None and new.plan == old.plan:
                new.running = old.running
            elif old.running is not None:
                old.running.cancel()
            if new is None or (new.plan.kind, new.plan.options) != (old.plan.kind, old.plan.options):
                # What is known of one target says nothing about another.
                self._memories.pop(key, None)
        servers = {key.server for key in self._entries}
        self._gates = {server: gate for server, gate in self._gates.items() if server in servers}

    def use(self, tools: Tools) -> None:
        """Look with these tools from now on; looks that are under way go on with what they have."""
        self._tools = tools

    def remember(self, memories: Mapping[CheckKey, Mapping[str, str]]) -> None:
        """Take over what checks knew before this process began."""
        self._memories.update(memories)

    def known(self, key: CheckKey) -> Known:
        """Return what is known of a check; nothing is known of one that is not here."""
        entry = self._entries.get(key)
        if entry is None:
            return Known()
        return Known(sequence=entry.sequence, looked_at=entry.looked_at, memory=self._memories.get(key))

    def resume(self, key: CheckKey, known: Known) -> None:
        """Go on with a check where somebody else stopped; one that is not here is left alone."""
        entry = self._entries.get(key)
        if entry is None:
            return
        entry.sequence, entry.looked_at = known.sequence, known.looked_at
        if known.memory is not None:
            self._memories[key] = known.memory

    def begin(self, key: CheckKey, due: float) -> bool:
        """Start a look that should begin at `due` (monotonic), unless one of that check is under way or the check is unknown."""
        entry = self._entries.get(key)
        if entry is None:
            return False
        if entry.running is not None:
            self.skipped += 1
            return False
        self._lag.start()
        entry.running = asyncio.create_task(self._run(key, entry, due))
        return True

    async def look_once(self, plan: CheckPlan, check: Check, *, whole: bool = False) -> Observation:
        """Look now, whatever else is under way, and return what was seen; nothing is delivered or remembered.

        `whole` keeps excerpt and line of a look that was fine as well.
        """
        self._lag.start()
        return await self._observe(plan, check, whole=whole)

    async def close(self) -> None:
        """Drop every look that is under way."""
        self._lag.stop()
        self._limits.stop()
        running = [entry.running for entry in self._entries.values() if entry.running is not None]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _run(self, key: CheckKey, entry: _Entry, due: float) -> None:
        gate = self._gates.get(key.server)
        if gate is None:
            gate = self._gates[key.server] = Gate(self._per_host)
        task = entry.running
        try:
            if not gate.enter():
                await gate.wait()
            try:
                if not self._gate.enter():
                    await self._gate.wait()
                try:
                    if self.on_start is not None:
                        self.on_start(key, max(0.0, self._clock.monotonic() - due))
                    observation = await self._observe(entry.plan, entry.check)
                finally:
                    self._gate.leave()
            finally:
                gate.leave()
            self._hand_over(key, observation)
        except Exception as error:  # noqa: BLE001 - nobody awaits a look, and the next one of this check shall begin
            _log.error("a look at %s was lost on its way to the record: %s", key, _summary(error))
        finally:
            present = self._entries.get(key)
            if present is not None and present.running is task:
                present.running = None

    def _hand_over(self, key: CheckKey, observation: Observation) -> None:
        if observation.remember is not None:
            self._memories[key] = observation.remember
        # The inventory may have been applied anew meanwhile.
        present = self._entries.get(key)
        if present is not None:
            present.looked_at = observation.started_at
        self._deliver(observation)

    async def _observe(self, plan: CheckPlan, check: Check, *, whole: bool = False) -> Observation:
        started_at, began = self._clock.now(), self._clock.monotonic()
        loop_began = asyncio.get_running_loop().time()
        look = await self._look(plan, check, loop_began + plan.timeout.total_seconds())
        took_ms = 1000 * (self._clock.monotonic() - began)
        stalled = self._lag.worst_since(loop_began)
        if _is_ours(look, stalled, plan.timeout):
            look = Look(
                outcome=Outcome.UNKNOWN,
                cause=Cause.OWN,
                found=f"our own clockwork stood still for {stalled:.1f} s",
            )
        entry = self._entries.get(plan.key)
        sequence = 1 if entry is None else entry.sequence + 1
        if entry is not None:
            entry.sequence = sequence
        timing = _Timing(started_at, took_ms, sequence)
        return _observation(plan, check, look, timing, whole=whole or look.outcome is not Outcome.OK)

    def _tools_of(self, key: CheckKey) -> Tools:
        memory = self._memories.get(key) if self._memories else None
        return replace(self._tools, memory=memory) if memory else self._tools

    async def _look(self, plan: CheckPlan, check: Check, deadline: float) -> Look:
        """Return what the check saw; whatever escapes it is our own fault."""
        try:
            looking = check.look(self._tools_of(plan.key), deadline)
            return await self._limits.hold(looking, deadline + _GRACE)
        except TargetFaultError as fault:
            return fault.look
        except OwnFaultError as fault:
            _log.warning("cannot look at %s: %s", plan.key, fault)
            return fault.look
        except OverdueError:
            found = f"not done within {plan.timeout.total_seconds():g} s"
            return Look(outcome=Outcome.DOWN, cause=Cause.TIMEOUT_TOTAL, found=found)
        except Exception as error:  # noqa: BLE001 - no defect of a kind may end the prober or count against a target
            return _own_fault(plan.key, error)


def _is_ours(look: Look, stalled: float, timeout: timedelta) -> bool:
    """Did our own standing still for `stalled` seconds spoil this look?

    Five seconds spoil any. A look that ran out of time is spoilt by as little as half the time that it had.
    """
    return stalled > LATE_S or (look.cause in _TIMEOUTS and stalled > timeout.total_seconds() / 2)


class _Timing(NamedTuple):
    """When a look began, how long it took, and its number among the looks of its check."""

    started_at: datetime
    took_ms: float
    sequence: int


def _observation(plan: CheckPlan, check: Check, look: Look, timing: _Timing, *, whole: bool) -> Observation:
    """Return what is handed over of a look; of one that was fine nobody asks for more than its figures."""
    return Observation(
        check=plan.key,
        started_at=timing.started_at,
        took_ms=timing.took_ms,
        outcome=look.outcome,
        cause=look.cause,
        found=clean(look.found, FOUND_LIMIT).replace("\n", " "),
        address=look.address,
        phases=dict(look.phases),
        excerpt=clean(look.excerpt, EXCERPT_LIMIT) if whole else "",
        reproduce=_line(plan, check, look) if whole else "",
        tls_expires_at=look.tls_expires_at,
        sequence=timing.sequence,
        via=tuple([clean(place, FOUND_LIMIT) for place in look.via[-VIA_LIMIT:]]),
        measures=sound_measures(look.measures),
        remember=None if look.remember is None else sound_memory(look.remember),
    )


def clean(text: str, limit: int) -> str:
    """Return at most `limit` characters of `text` without control characters, line breaks and tabs kept, always valid UTF-8."""
    return _CONTROL.sub("", text[: 4 * limit])[:limit] if text else ""


def _line(plan: CheckPlan, check: Check, look: Look) -> str:
    try:
        return check.reproduce(look, plan.timeout)
    except Exception as error:  # noqa: BLE001 - a look that was made must not be lost over the words that repeat it
        _log.error("no line that repeats the look at %s: %s", plan.key, _summary(error))
        return ""


def _own_fault(key: CheckKey, error: Exception) -> Look:
    summary = _summary(error)
    _log.error("cannot look at %s: %s", key, summary)
    cause = Cause.RIGHTS if isinstance(error, PermissionError) else Cause.OWN
    return Look(outcome=Outcome.UNKNOWN, cause=cause, found=summary)


def _summary(error: BaseException) -> str:
    """Return what went wrong and where. Only our own errors and the system's are quoted: others may carry a secret."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" in {PurePath(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    if isinstance(error, VigiaError):
        return f"{error}{where}"
    if isinstance(error, OSError):
        return f"{type(error).__name__}: {error.strerror or 'no reason given'}{where}"
    return f"{type(error).__name__}{where}"
