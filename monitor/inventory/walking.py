"""Walks over plain values: find by a pattern, fill references, with the path of everything that is met."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from monitor.inventory.faults import ENOUGH, Finding, Path
from monitor.inventory.references import ReferenceFaultError, Secrets, has_reference
from monitor.language.phrases import Plain

EACH = -1


def find(value: Plain, *pattern: str | int) -> Iterator[tuple[Path, str]]:
    """Yield every text at the paths that the pattern means, `EACH` standing for each item of a list.

    What is missing or of another type is passed over: that it is wrong is said elsewhere.
    """
    for path, met in _find(value, pattern, ()):
        if isinstance(met, str):
            yield path, met


def items(value: Plain, *pattern: str | int) -> Iterator[tuple[Path, Plain]]:
    """Yield whatever stands at the paths that the pattern means."""
    return _find(value, pattern, ())


def replaced(value: Plain, change: Callable[[str], str]) -> Plain:
    """Return the value with every text in it changed; keys stay as they are."""
    match value:
        case str():
            return change(value)
        case list():
            return [replaced(inner, change) for inner in value]
        case dict():
            return {key: replaced(inner, change) for key, inner in value.items()}
        case _:
            return value


def fill(
    value: Plain, secrets: Secrets, keep: Callable[[Path], bool], path: Path = ()
) -> tuple[Plain, list[Finding]]:
    """Return the value with its references filled, and a finding for each that cannot be.

    Below a path that `keep` names, references are tried and left as they are.
    """
    findings: list[Finding] = []
    return _fill(value, secrets, keep, path, findings), findings


def _find(value: Plain, pattern: tuple[str | int, ...], path: Path) -> Iterator[tuple[Path, Plain]]:
    if not pattern:
        yield path, value
        return
    step, rest = pattern[0], pattern[1:]
    if step == EACH and isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _find(inner, rest, (*path, number))
    elif isinstance(step, str) and isinstance(value, dict) and step in value:
        yield from _find(value[step], rest, (*path, step))


def _fill(
    value: Plain, secrets: Secrets, keep: Callable[[Path], bool], path: Path, findings: list[Finding]
) -> Plain:
    match value:
        case str() if has_reference(value) and len(findings) < ENOUGH:
            text, finding = _fill_text(value, secrets, path)
            findings.extend(finding)
            return value if keep(path) else text
        case list():
            return [
                _fill(inner, secrets, keep, (*path, number), findings) for number, inner in enumerate(value)
            ]
        case dict():
            return {key: _fill(inner, secrets, keep, (*path, key), findings) for key, inner in value.items()}
        case _:
            return value


def _fill_text(value: str, secrets: Secrets, path: Path) -> tuple[str, list[Finding]]:
    try:
        return secrets.fill(value), []
    except ReferenceFaultError as error:
        return value, [Finding(path=path, said=error.said)]
