"""Judge the stored looks anew, by the settings in force and by others beside them. Nothing is written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from monitor.actions.maintain import occurrences
from monitor.errors import NotFoundError, RefusedError
from monitor.fleet import Fleet, Server
from monitor.health.uptime import Span
from monitor.identifiers import CheckKey, ServerId
from monitor.maintenance.due import spans
from monitor.maintenance.window import Window
from monitor.rehearsal.comparing import Rehearsal, Side, side, together, unlike
from monitor.rehearsal.course import Course, replay, settles_within
from monitor.store import readings
from monitor.store.database import Database
from monitor.store.readings import Fresh, Strip

_Pair = tuple[Server, Server]
"""A server as the settings in force have it and as the proposed ones do, each with the checks that both have."""


def rehearse(database: Database, proposed: Fleet, period: Span, server: ServerId | None = None) -> Rehearsal:
    """Return what the fleet in force and a proposed one would have told of `period`, as far as its looks are kept.

    Judged are the checks that both have, of all servers or of one. Others go on writing meanwhile: each server is read in
    a short transaction of its own. Raises RefusedError before anything was watched, NotFoundError for a server
    that is not in both.
    """
    with database.reading() as tx:
        in_force = readings.fleet(tx)
        if in_force is None:
            raise RefusedError("nothing is watched yet: start the service once with `vigia run`")
        stored = readings.windows(tx, ending_after=period.start)
        numbers = readings.check_numbers(tx)
        pairs = _pairs(in_force, proposed, server)
        few = max(
            (settles_within(plan.policy) for pair in pairs for one in pair for plan in one.checks), default=1
        )
        fresh = readings.fresh_looks(tx, period, few)
    windows = tuple(_windows(fleet, stored, period) for fleet in (in_force, proposed))
    looks = 0
    told: tuple[list[Side], list[Side]] = ([], [])
    for pair in pairs:
        strips = _strips(database, pair, numbers, period, fresh, few)
        looks += sum(strip.seen for strip in strips.values())
        known: dict[object, Course] = {}
        for one, quiet, sides in zip(pair, windows, told, strict=True):
            sides.append(side(one, _courses(one, strips, quiet, period, known), quiet, period.end))
    return Rehearsal(
        since=period.start,
        until=period.end,
        servers=len(pairs),
        checks=sum(len(one.checks) for one, _ in pairs),
        looks=looks,
        in_force=together(told[0]),
        proposed=together(told[1]),
        unlike=unlike(in_force, proposed, server),
    )


def _windows(fleet: Fleet, stored: Iterable[Window], period: Span) -> tuple[Window, ...]:
    """Return the windows that a fleet's rules come to, and those that people planned.

    An occurrence that was really planned so is taken as it went: it may have been cancelled, or have ended late.
    """
    held = {window.id: window for window in stored}
    kept = [window for window in held.values() if window.rule is None]
    for rule in fleet.windows:
        for window in occurrences(rule, fleet.site.timezone, period.start - rule.lasts, period.end):
            real = held.get(window.id)
            kept.append(real if real is not None and _plan(real) == _plan(window) else window)
    return tuple(kept)


def _plan(window: Window) -> tuple[object, ...]:
    return window.servers, window.starts_at, window.ends_at


def _pairs(in_force: Fleet, proposed: Fleet, server: ServerId | None) -> tuple[_Pair, ...]:
    before = {one.id: one for one in in_force.servers if server in (None, one.id)}
    pairs = tuple(_pair(before[one.id], one) for one in proposed.servers if one.id in before)
    if server is not None and not pairs:
        raise NotFoundError(f"there is no server {server!r} both in force and in the file")
    return pairs


def _pair(before: Server, after: Server) -> _Pair:
    both = {plan.key for plan in before.checks} & {plan.key for plan in after.checks}
    old, new = (
        replace(one, checks=tuple(plan for plan in one.checks if plan.key in both)) for one in (before, after)
    )
    return old, new


def _strips(
    database: Database, pair: _Pair, numbers: Mapping[CheckKey, int], period: Span, fresh: Fresh, few: int
) -> Mapping[CheckKey, Strip]:
    """Return the looks of a server's checks, as few as both sides may need."""
    with database.reading() as tx:
        return {
            plan.key: readings.strip(tx, (plan.key, numbers[plan.key]), period, fresh, few)
            for plan in pair[0].checks
        }


def _courses(
    server: Server,
    strips: Mapping[CheckKey, Strip],
    windows: Iterable[Window],
    period: Span,
    known: dict[object, Course],
) -> Mapping[CheckKey, Course]:
    """Return how a server's checks fare; what is judged alike on both sides is judged once and kept in `known`."""
    ends = tuple(end for _, end in spans(windows, server.id) if end < period.end)
    courses = {}
    for plan in server.checks:
        alike = plan.key, plan.policy.confirm.attempts, plan.policy.recover.attempts, ends
        if alike not in known:
            known[alike] = replay(plan.key, strips[plan.key].looks, plan.policy, ends)
        courses[plan.key] = known[alike]
    return courses
