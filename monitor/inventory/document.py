"""YAML text to plain values with their places.

It works on the parser's events, not on PyYAML's nodes: nodes are composed by recursion in C, which a deeply nested
file can crash, and they show neither which key came twice nor how far aliases multiply. Each limit below stops a file
that no person wrote, long before memory or patience end.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import yaml

from monitor.inventory.faults import ENOUGH, Finding, Marks, Path, Place
from monitor.inventory.scalars import resolve
from monitor.inventory.syntax import syntax_fault
from monitor.language.phrases import Phrase, Plain, phrase, quoted

DEEPEST = 32
MOST_NODES = 1_000_000
MOST_KEYS = 1000
MOST_ITEMS = 20_000
MOST_ALIASED_NODES = 100_000


class UnreadableError(Exception):
    """Reading cannot go on, with all that was found until then. Caught by `load`, never seen outside the room."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        super().__init__("reading stopped")
        self.findings = tuple(findings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """The content of a file. `value` is None when the file holds nothing but comments."""

    value: Plain
    marks: Marks
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class _Piece:
    """A finished value with its marks; `size` counts the values in it."""

    value: Plain
    marks: Marks
    size: int = 1


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end has not come yet."""

    value: list[Plain] | dict[str, Plain]
    place: Place
    anchor: str | None
    keys: dict[str, Place] = field(default_factory=dict)
    parts: dict[str | int, Marks] = field(default_factory=dict)
    size: int = 1
    key: str | None = None
    key_place: Place | None = None


def read_document(text: str) -> Document:
    """Return the plain values of a YAML text; what stops the reading raises UnreadableError."""
    builder = _Builder()
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        raise UnreadableError([*builder.findings, syntax_fault(error, text)]) from None
    root = builder.root or _Piece(None, Marks(Place(0, 0)))
    return Document(value=root.value, marks=root.marks, findings=tuple(builder.findings))


class _Builder:
    """Puts events together; the stack holds what is still open, so nesting costs no recursion."""

    def __init__(self) -> None:
        self.root: _Piece | None = None
        self.findings: list[Finding] = []
        self._open: list[_Open] = []
        self._anchors: dict[str, _Piece] = {}
        self._nodes = 0
        self._aliased = 0

    def take(self, event: yaml.Event) -> None:
        match event:
            case yaml.ScalarEvent():
                self._scalar(event)
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                self._start(event)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._end()
            case yaml.AliasEvent():
                self._alias(event)
            case yaml.DocumentStartEvent() if self.root is not None:
                self._stop(event, phrase("yaml.second_document"))
            case _:
                pass

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        self._count(event)
        if self._wants_key():
            self._begin_pair(event.value, _place(event))
            return
        value = event.value if event.style else resolve(event.value)
        self._finish(_Piece(value, Marks(_place(event))), event.anchor)

    def _start(self, event: yaml.MappingStartEvent | yaml.SequenceStartEvent) -> None:
        self._count(event)
        if len(self._open) >= DEEPEST:
            self._stop(event, phrase("yaml.too_deep", limit=DEEPEST))
        if self._wants_key():
            self._stop(event, phrase("yaml.complex_key"))
        empty: list[Plain] | dict[str, Plain] = {} if isinstance(event, yaml.MappingStartEvent) else []
        self._open.append(_Open(empty, _place(event), event.anchor))

    def _end(self) -> None:
        done = self._open.pop()
        marks = Marks(done.place, done.keys, done.parts)
        self._finish(_Piece(done.value, marks, done.size), done.anchor)

    def _alias(self, event: yaml.AliasEvent) -> None:
        anchor = event.anchor or ""
        name = quoted(anchor)
        if self._wants_key():
            self._stop(event, phrase("yaml.complex_key"))
        if any(part.anchor == anchor for part in self._open):
            self._stop(event, phrase("yaml.alias_in_itself", name=name))
        piece = self._anchors.get(anchor)
        if piece is None:
            self._note(event, phrase("yaml.unknown_alias", name=name))
            piece = _Piece(None, Marks(_place(event)))
        self._aliased += piece.size
        if self._aliased > MOST_ALIASED_NODES:
            self._stop(event, phrase("yaml.too_many_aliases", limit=MOST_ALIASED_NODES))
        self._finish(piece, None)

    def _finish(self, piece: _Piece, anchor: str | None) -> None:
        """Put a finished value where it belongs."""
        if anchor:
            self._anchors[anchor] = piece
        if not self._open:
            self.root = piece
            return
        parent = self._open[-1]
        parent.size += piece.size
        if isinstance(parent.value, list):
            self._bound(len(parent.value), MOST_ITEMS, piece.marks.place)
            parent.parts[len(parent.value)] = piece.marks
            parent.value.append(piece.value)
        else:
            self._end_pair(parent, parent.value, piece)

    def _bound(self, size: int, limit: int, place: Place) -> None:
        if size >= limit:
            self._add(Finding(path=(), said=phrase("yaml.too_many_entries", limit=limit), place=place))
            raise UnreadableError(self.findings)

    def _begin_pair(self, key: str, place: Place) -> None:
        self._open[-1].key, self._open[-1].key_place = key, place

    def _end_pair(self, parent: _Open, value: dict[str, Plain], piece: _Piece) -> None:
        key, place = parent.key or "", parent.key_place or parent.place
        parent.key = None
        if key in value:
            path = (*self._path(self._open[:-1]), key)
            said = phrase("yaml.duplicate_key", line=parent.keys[key].line)
            self._add(Finding(path=path, said=said, place=place))
            return
        self._bound(len(value), MOST_KEYS, place)
        value[key], parent.keys[key], parent.parts[key] = piece.value, place, piece.marks

    def _wants_key(self) -> bool:
        return bool(self._open) and isinstance(self._open[-1].value, dict) and self._open[-1].key is None

    def _count(self, event: yaml.NodeEvent) -> None:
        self._nodes += 1
        if self._nodes > MOST_NODES:
            self._stop(event, phrase("yaml.too_many_values", limit=MOST_NODES))
        tag = getattr(event, "tag", None)
        if tag is not None:
            self._note(event, phrase("yaml.tag", tag=quoted(tag)))

    def _note(self, event: yaml.Event, said: Phrase) -> None:
        self._add(Finding(path=self._path(self._open), said=said, place=_place(event)))

    def _add(self, finding: Finding) -> None:
        self.findings.append(finding)
        if len(self.findings) >= ENOUGH:
            raise UnreadableError(self.findings)

    def _stop(self, event: yaml.Event, said: Phrase) -> None:
        raise UnreadableError([*self.findings, Finding(path=(), said=said, place=_place(event))])

    def _path(self, frames: list[_Open]) -> Path:
        """Return the path of the value that comes next in the innermost of `frames`."""
        steps = (len(frame.value) if isinstance(frame.value, list) else frame.key for frame in frames)
        return tuple(step for step in steps if step is not None)


def _place(event: yaml.Event) -> Place:
    mark = event.start_mark
    return Place(mark.line + 1, mark.column + 1) if mark else Place(0, 0)
