"""What differs between the fleet that is watched and the one that a file describes: pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import timedelta
from enum import StrEnum

from monitor.checks.options.durations import format_duration
from monitor.errors import RefusedError
from monitor.fleet import CheckPlan, Fleet
from monitor.health.state import Attempts, Policy
from monitor.identifiers import ServerId

_LEAST_RETIRED = 2
_SHARE_RETIRED = 0.2
# So many servers are named of those that would go.
_NAMED = 5
# Names of things, and a server's checks, which are compared one by one.
_TOLD_ELSEWHERE = frozenset({"id", "key", "checks"})


class What(StrEnum):
    """What becomes of a thing."""

    ADDED = "added"
    CHANGED = "changed"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """One field that changes; both values are as people write them, None where the field is not said."""

    field: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that becomes different: `kind` is site, group, server, check, window, department or support."""

    what: What
    kind: str
    name: str
    details: tuple[Detail, ...] = ()


def changes(before: Fleet | None, after: Fleet) -> tuple[Change, ...]:
    """Return what applying `after` would change, in the order of the file; what goes stands last.

    Before anything was applied everything is new.
    """
    old = before or Fleet(site=after.site, groups=(), servers=(), support=after.support)
    return tuple(
        change
        for found in (
            _compared("site", {"": old.site}, {"": after.site}),
            _compared("group", _by_id(old.groups), _by_id(after.groups)),
            _compared("server", _by_id(old.servers), _by_id(after.servers)),
            _compared("check", _checks(old), _checks(after)),
            _compared("window", _by_id(old.windows), _by_id(after.windows)),
            _compared("department", _by_id(old.departments), _by_id(after.departments)),
            _compared("support", {"": old.support}, {"": after.support}),
        )
        for change in found
    )


def retired(before: Fleet | None, after: Fleet) -> tuple[ServerId, ...]:
    """Return the servers that would be watched no more."""
    kept = {server.id for server in after.servers}
    return tuple(server.id for server in before.servers if server.id not in kept) if before else ()


def is_drastic(before: Fleet | None, after: Fleet) -> bool:
    """Would so many servers go that a person should say so: more than a fifth, and at least two?"""
    gone = len(retired(before, after))
    return before is not None and gone >= _LEAST_RETIRED and gone > _SHARE_RETIRED * len(before.servers)


def require_meant(before: Fleet, after: Fleet) -> None:
    """Raise RefusedError, naming the servers, when so many would go that a person should say so."""
    if not is_drastic(before, after):
        return
    gone = retired(before, after)
    raise RefusedError(
        f"{len(gone)} of {len(before.servers)} servers would be retired"
        f" ({', '.join(gone[:_NAMED])}{', ...' if len(gone) > _NAMED else ''});"
        " if that is meant, say so with `vigia apply`"
    )


def _by_id(things: tuple[object, ...]) -> dict[str, object]:
    return {str(thing.id): thing for thing in things}  # type: ignore[attr-defined] # every thing of a fleet has one


def _checks(fleet: Fleet) -> dict[str, object]:
    return {str(plan.key): plan for plan in fleet.checks()}


def _compared(kind: str, before: Mapping[str, object], after: Mapping[str, object]) -> Iterator[Change]:
    for name, thing in after.items():
        if name not in before:
            yield Change(what=What.ADDED, kind=kind, name=name)
        elif details := tuple(_details(before[name], thing)):
            yield Change(what=What.CHANGED, kind=kind, name=name, details=details)
    for name in before:
        if name not in after:
            yield Change(what=What.RETIRED, kind=kind, name=name)


def _details(before: object, after: object) -> Iterator[Detail]:
    old, new = dict(_facts(before)), dict(_facts(after))
    for name in dict.fromkeys((*old, *new)):
        if old.get(name) != new.get(name):
            yield Detail(field=name, before=old.get(name), after=new.get(name))


def _facts(thing: object) -> Iterator[tuple[str, str]]:
    """Return what is said of a thing, each field in words; the options of a check count as fields of their own."""
    for field in fields(thing):  # type: ignore[arg-type] # every thing of a fleet is a dataclass
        value = getattr(thing, field.name)
        if field.name in _TOLD_ELSEWHERE:
            continue
        if isinstance(value, Policy):
            yield "confirm", _words(value.confirm)
            yield "recover", _words(value.recover)
        elif isinstance(thing, CheckPlan) and field.name == "options":
            yield from ((name, _words(option)) for name, option in value.items() if option is not None)
        else:
            yield field.name, _words(value)


def _words(value: object) -> str:
    if isinstance(value, Attempts):
        return f"{value.attempts} looks, {_words(value.retry)} apart"
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {_words(each)}" for name, each in value.items() if each is not None)
    if isinstance(value, tuple | list):
        return ", ".join(_words(each) for each in value)
    if is_dataclass(value):
        return ", ".join(f"{name}: {words}" for name, words in _facts(value))
    return str(value)
