"""From a `checks` list to plans: every kind validates its own options, whatever kinds there are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from typing import Any

from pydantic import BaseModel, ValidationError

from monitor.checks import KINDS
from monitor.checks.contract import Kind
from monitor.fleet import CheckPlan
from monitor.health.state import Attempts, Policy
from monitor.health.words import CheckImpact, Service
from monitor.identifiers import CheckKey, ServerId
from monitor.inventory.complaints import Part, complaints, refused, wrong
from monitor.inventory.faults import Finding, Path
from monitor.inventory.model import CheckCommon, Confirm, Defaults
from monitor.inventory.references import ReferenceFaultError, Secrets, has_reference, refers
from monitor.inventory.shapes import keys_of
from monitor.inventory.walking import replaced
from monitor.language.phrases import Phrase, Plain, listed, nearest, phrase, quoted

COMMON_KEYS = keys_of(CheckCommon)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What the checks of one server stand on.

    `host` is empty when the server has none. `shared` holds options that the file gives to all checks of a kind that say nothing else.
    """

    server: ServerId
    host: str
    defaults: Defaults
    secrets: Secrets
    shared: Mapping[str, Mapping[str, Plain]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Item:
    """One entry of the list, taken apart: its kind, and its options as written."""

    kind: Kind
    options: dict[str, Plain]
    common: dict[str, Plain]
    path: Path
    written: Plain


def plan(item: Plain, path: Path, ground: Ground) -> CheckPlan | list[Finding]:
    """Return the plan of one entry, or everything that is wrong with it."""
    taken = _take_apart(item, path)
    if isinstance(taken, Finding):
        return [taken]
    if _lacks(taken.kind):
        return [Finding(path=path, said=phrase("check.extra", kind=taken.kind.name, extra=taken.kind.extra))]
    options = taken.kind.complete({**ground.shared.get(taken.kind.name, {}), **taken.options}, ground.host)
    findings = [*_common_faults(taken), *_option_faults(taken, options, ground)]
    if findings:
        return findings
    common = CheckCommon.model_validate(taken.common)
    return _planned(taken.kind, options, common, ground)


def _lacks(kind: Kind) -> bool:
    """Is the client library missing that looks of this kind need?"""
    return any(find_spec(module) is None for module in kind.needs)


def _take_apart(item: Plain, path: Path) -> _Item | Finding:
    if isinstance(item, str):
        return _bare(item, path)
    if not isinstance(item, dict) or not item:
        return Finding(path=path, said=wrong(item, phrase("expected.check")))
    name = next(iter(item))
    if len(item) > 1:
        return _several(item, path)
    kind = KINDS.get(name)
    if kind is None:
        return Finding(path=(*path, name), said=_no_kind(name), at_key=True)
    value = item[name]
    if value is None:
        return _bare(name, (*path, name))
    if isinstance(value, dict):
        return _with_options(kind, value, (*path, name))
    return _short(kind, value, (*path, name))


def _bare(name: str, path: Path) -> _Item | Finding:
    kind = KINDS.get(name)
    if kind is None:
        return Finding(path=path, said=_no_kind(name))
    if not kind.bare:
        return Finding(path=path, said=phrase("check.not_bare", kind=name))
    return _Item(kind=kind, options={}, common={}, path=path, written=None)


def _several(item: dict[str, Plain], path: Path) -> Finding:
    """Options beside the kind instead of inside it: the indentation that everybody gets wrong once."""
    kind = next((key for key in item if key in KINDS), None)
    stray = next((key for key in item if key != kind), "")
    if kind is None:
        return Finding(path=(*path, stray), said=_no_kind(stray), at_key=True)
    said = (
        phrase("check.outside", kind=kind, key=quoted(stray)) if stray not in KINDS else phrase("check.two")
    )
    return Finding(path=(*path, stray), said=said, at_key=True)


def _short(kind: Kind, value: Plain, path: Path) -> _Item | Finding:
    try:
        options = kind.short(value)
    except ValueError as error:
        return Finding(path=path, said=refused(error))
    # A kind whose short form is a rhythm means the key of every check by it.
    common = {"every": options["every"]} if "every" in options else {}
    return _Item(kind=kind, options=options, common=common, path=path, written=value)


def _with_options(kind: Kind, value: dict[str, Plain], path: Path) -> _Item:
    """Part the keys of every check from the options of the kind.

    A kind may have an option of a common name (a look-up's `name` is the name that is looked up): it serves both.
    """
    own = keys_of(kind.options)
    return _Item(
        kind=kind,
        options={key: inner for key, inner in value.items() if key in own or key not in COMMON_KEYS},
        common={key: inner for key, inner in value.items() if key in COMMON_KEYS},
        path=path,
        written=value,
    )


def _common_faults(item: _Item) -> Iterator[Finding]:
    yield from _refusals(
        CheckCommon, item.common, Part(model=CheckCommon, written=item.written, base=item.path)
    )


def _option_faults(item: _Item, options: dict[str, Any], ground: Ground) -> Iterator[Finding]:
    """Validate options as they are written and, where they refer to secrets, as they will be."""
    model = item.kind.options
    part = Part(model=model, written=item.written, base=item.path, also=COMMON_KEYS, filled=False)
    refused = [*_refusals(model, options, part), *_literals(item)]
    if not refused and refers(options):
        refused = list(_refusals_when_filled(model, options, part, ground.secrets))
    yield from (_with_host_hint(finding, item, ground) for finding in refused)


def _literals(item: _Item) -> Iterator[Finding]:
    """Yield every secret that is written out where only a reference may stand."""
    for key in item.kind.references:
        value = item.options.get(key)
        if isinstance(value, str) and not has_reference(value):
            yield Finding(path=(*item.path, key), said=phrase("check.reference", key=quoted(key)))


def _refusals(model: type[BaseModel], value: Mapping[str, Any], part: Part) -> Iterator[Finding]:
    try:
        model.model_validate(value)
    except ValidationError as error:
        yield from complaints(error, part)


def _refusals_when_filled(
    model: type[BaseModel], options: dict[str, Any], part: Part, secrets: Secrets
) -> Iterator[Finding]:
    try:
        ready = {key: replaced(inner, secrets.fill) for key, inner in options.items()}
    except ReferenceFaultError:
        # Told already, where references are verified; without it the options cannot be judged further.
        return
    yield from _refusals(model, ready, replace(part, filled=True))


def _with_host_hint(finding: Finding, item: _Item, ground: Ground) -> Finding:
    """A missing option that the server's host would have supplied is best cured there."""
    key = finding.path[-1]
    missing = finding.said == phrase("missing")
    if not missing or ground.host or key not in item.kind.complete({}, "host.invalid"):
        return finding
    return Finding(path=finding.path, said=phrase("check.no_host", key=quoted(str(key))))


def _planned(kind: Kind, options: dict[str, Any], common: CheckCommon, ground: Ground) -> CheckPlan:
    given = common.model_fields_set
    base = ground.defaults
    service = (
        Service(common.service) if "service" in given else kind.service(kind.options.model_validate(options))
    )
    return CheckPlan(
        key=CheckKey(ground.server, common.name or kind.name),
        kind=kind.name,
        options=options,
        every=common.every if "every" in given else base.every,
        timeout=common.timeout if "timeout" in given else base.timeout,
        policy=Policy(
            confirm=_attempts(common.confirm, base.confirm, kind),
            recover=_attempts(common.recover, base.recover, kind),
        ),
        impact=CheckImpact(common.impact) if "impact" in given else kind.impact,
        service=service,
    )


def _attempts(own: Confirm, base: Confirm, kind: Kind) -> Attempts:
    """Each figure by itself: the check's own, else the default's. What reports by itself is believed at once."""
    given = own.model_fields_set
    usual = 1 if kind.passive else base.attempts
    return Attempts(
        attempts=own.attempts if "attempts" in given else usual,
        retry=own.retry if "retry" in given else base.retry,
    )


def _no_kind(name: str) -> Phrase:
    """Say which kinds there are."""
    near = nearest(name, KINDS)
    key = "check.unknown_kind.near" if near else "check.unknown_kind.far"
    return phrase(key, kind=quoted(name), nearest=near or "", allowed=listed(KINDS))
