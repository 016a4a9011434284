"""What several places of the file must agree on: names that stand once, names that exist, parents without circles.

Everything here looks at plain values, not at models, so that these faults are told together with all the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

from monitor.checks import KINDS
from monitor.inventory.faults import FAULTS_SHOWN, Finding, Marks, Path, place_of
from monitor.inventory.walking import EACH, find, items
from monitor.language import LANGUAGES
from monitor.language.phrases import Phrase, Plain, listed, nearest, phrase, quoted

_NAMED = ("groups", "servers", "windows")
_TEXTS = (
    ("groups", EACH, "name"),
    ("servers", EACH, "description"),
    ("windows", EACH, "title"),
    ("support", "departments", EACH, "name"),
    ("support", "plans", EACH, "name"),
)
_LISTS_OF_NAMES = (
    ("site", "languages"),
    ("servers", EACH, "depends_on"),
    ("servers", EACH, "plans"),
    ("windows", EACH, "servers"),
    ("support", "channels", EACH, "plans"),
    ("support", "unanswered", "departments"),
)


def relations(value: Plain, marks: Marks) -> Iterator[Finding]:
    """Yield every place that does not agree with another."""
    for name in _NAMED:
        yield from _twice(find(value, name, EACH, "id"), marks, "duplicate_id")
    for name in ("departments", "plans"):
        yield from _twice(find(value, "support", name, EACH, "id"), marks, "duplicate_id")
    for pattern in _LISTS_OF_NAMES:
        for path, names in items(value, *pattern):
            texts = (((*path, *below), name) for below, name in find(names, EACH))
            yield from _twice(texts, marks, "repeated")
    yield from _equal_checks(value, marks)
    yield from _strangers(value)
    yield from _circles(value)
    yield from _missing_languages(value)


def _twice(named: Iterable[tuple[Path, str]], marks: Marks, key: str) -> Iterator[Finding]:
    firsts: dict[str, Path] = {}
    for path, name in named:
        first = firsts.setdefault(name, path)
        if first != path:
            yield Finding(path=path, said=phrase(key, name=quoted(name), line=place_of(marks, first).line))


def _equal_checks(value: Plain, marks: Marks) -> Iterator[Finding]:
    for path, checks in items(value, "servers", EACH, "checks"):
        if isinstance(checks, list):
            named = [
                found for number, item in enumerate(checks) for found in _check_id(item, (*path, number))
            ]
            yield from _twice(named, marks, "duplicate_check")


def _check_id(item: Plain, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(item, str) and item in KINDS:
        yield path, item
    elif isinstance(item, dict) and len(item) == 1:
        kind, options = next(iter(item.items()))
        name = options.get("name", kind) if isinstance(options, dict) else kind
        if kind in KINDS and isinstance(name, str):
            yield (*path, kind), name


def _strangers(value: Plain) -> Iterator[Finding]:
    """Names of groups, servers and departments that are not there."""
    groups = [name for _, name in find(value, "groups", EACH, "id")]
    servers = [name for _, name in find(value, "servers", EACH, "id")]
    departments = [name for _, name in find(value, "support", "departments", EACH, "id")]
    yield from _unknown(find(value, "servers", EACH, "group"), groups, "unknown_group")
    yield from _unknown(find(value, "servers", EACH, "depends_on", EACH), servers, "unknown_parent")
    yield from _unknown(find(value, "windows", EACH, "servers", EACH), servers, "unknown_server")
    yield from _unknown(find(value, "drill", "server"), servers, "unknown_server")
    if departments:
        yield from _unknown(_addressed(value), departments, "unknown_department")
    promised = find(value, "support", "unanswered", "departments", EACH)
    yield from _unknown(promised, departments, "unknown_department")
    plans = [name for _, name in find(value, "support", "plans", EACH, "id")]
    if plans:
        yield from _unknown(find(value, "support", "channels", EACH, "plans", EACH), plans, "unknown_plan")


def _addressed(value: Plain) -> Iterator[tuple[Path, str]]:
    """Yield every department that tickets are addressed to."""
    yield from find(value, "helpdesk", "department")
    for _, classes in items(value, "helpdesk", "classes"):
        for problem in classes if isinstance(classes, dict) else ():
            yield from find(value, "helpdesk", "classes", problem, "department")


def _unknown(named: Iterable[tuple[Path, str]], known: list[str], key: str) -> Iterator[Finding]:
    there = frozenset(known)
    for path, name in named:
        if name not in there:
            yield Finding(path=path, said=_stranger(name, known, key))


def _stranger(name: str, known: list[str], key: str) -> Phrase:
    near = nearest(name, known)
    form = "near" if near else "far"
    return phrase(f"{key}.{form}", name=quoted(name), nearest=near or "", allowed=listed(known))


def _circles(value: Plain) -> Iterator[Finding]:
    """Yield circles of parents, each once, at the entry of the server that stands first in the file."""
    parents = _parents(value)
    for _ in range(FAULTS_SHOWN):
        circle = _circle(parents)
        if not circle:
            return
        path = parents[circle[0]].pop(circle[1])
        yield Finding(path=path, said=phrase("circle", circle=" -> ".join(circle)))


def _parents(value: Plain) -> dict[str, dict[str, Path]]:
    """Return the parents of each server, each with the path of its entry."""
    parents: dict[str, dict[str, Path]] = {}
    for server, entry in items(value, "servers", EACH):
        for _, name in find(entry, "id"):
            found = {parent: (*server, *path) for path, parent in find(entry, "depends_on", EACH)}
            parents.setdefault(name, found)
    return parents


def _circle(parents: Mapping[str, Mapping[str, Path]]) -> list[str]:
    """Return one circle, from the server that stands first and back to it; empty when there is none."""
    try:
        TopologicalSorter(parents).prepare()
    except CycleError as error:
        # graphlib tells each parent before its child; people ask what a server depends on.
        ring: list[str] = list(reversed(error.args[1]))[:-1]
        order = list(parents)
        first = min(range(len(ring)), key=lambda number: order.index(ring[number]))
        return [*ring[first:], *ring[:first], ring[first]]
    return []


def _missing_languages(value: Plain) -> Iterator[Finding]:
    """A text in several languages has every language of the page."""
    spoken = [language for _, language in find(value, "site", "languages", EACH)] or list(LANGUAGES)
    for pattern in _TEXTS:
        for path, texts in items(value, *pattern):
            missing = [
                word for word in spoken if isinstance(texts, dict) and word in LANGUAGES and word not in texts
            ]
            if missing and texts:
                yield Finding(path=path, said=phrase("missing_language", languages=listed(missing)))
