"""What is wrong with a configuration: every fault with its place, its key and its remedy."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from monitor.errors import VigiaError
from monitor.language import Language
from monitor.language.phrases import Phrase, phrase, quoted

Path = tuple[str | int, ...]

FAULTS_SHOWN = 200
# Each part of the validation may stop here: one more than is shown tells that there are more.
ENOUGH = FAULTS_SHOWN + 1
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]{1,60}")


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A line and a column, both counted from 1 as editors do; 0 means the file as a whole."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Marks:
    """Where a value of the file stands, and where its keys and parts do."""

    place: Place
    keys: Mapping[str, Place] = field(default_factory=dict)
    parts: Mapping[str | int, Marks] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A fault before it has been given its place in the file.

    `place` is set only where the path cannot tell it (the second of two equal keys); `at_key` asks for the place of the
    key instead of that of its value.
    """

    path: Path
    said: Phrase
    place: Place | None = None
    at_key: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is wrong. `key` is a path such as `servers[0].checks[2].http.url`, empty for the whole file."""

    file: str
    line: int
    column: int
    key: str
    said: Phrase

    @property
    def message(self) -> str:
        """What was found and what is allowed, in English like every error's own text."""
        return self.said.say("en")

    def report(self, language: Language) -> str:
        """Return `file:line:column: key: message`, without the parts that do not apply."""
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return ": ".join(part for part in (place, self.key, self.said.say(language)) if part)


class ConfigurationError(VigiaError):
    """The configuration cannot be used; its text is the whole report, one fault a line, in the order of the file.

    A file with more than 200 faults is no configuration: 200 are told, and `more` says that they are not all.
    """

    def __init__(self, faults: Sequence[Fault], *, more: bool = False) -> None:
        self.faults = tuple(faults)
        self.more = more
        super().__init__(self.report("en"))

    def report(self, language: Language) -> str:
        """Return the whole report in one language."""
        lines = [fault.report(language) for fault in self.faults]
        if self.more:
            lines.append(phrase("more").say(language))
        return "\n".join(lines)


def refuse(file: str, marks: Marks, findings: Iterable[Finding]) -> ConfigurationError:
    """Return the error that tells every finding at its place; of several about one key the first counts."""
    firsts: dict[Path, Finding] = {}
    for finding in findings:
        firsts.setdefault(finding.path, finding)
    faults = [_placed(file, marks, finding) for finding in firsts.values()]
    faults.sort(key=lambda fault: (fault.line, fault.column, fault.key))
    return ConfigurationError(faults[:FAULTS_SHOWN], more=len(faults) > FAULTS_SHOWN)


def place_of(marks: Marks, path: Path, *, at_key: bool = False) -> Place:
    """Return where a path stands; what the file does not contain stands where its nearest ancestor does."""
    here = marks
    for step in path[:-1] if at_key else path:
        part = here.parts.get(step)
        if part is None:
            return here.place
        here = part
    return here.keys.get(str(path[-1]), here.place) if at_key and path else here.place


def written(path: Path) -> str:
    """Return a path as people write it: `servers[0].checks[2].http.url`."""
    steps = "".join(_step(step) for step in path)
    return steps.removeprefix(".")


def _step(step: str | int) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    return f".{step}" if _PLAIN_KEY.fullmatch(step) else f"[{quoted(step)}]"


def _placed(file: str, marks: Marks, finding: Finding) -> Fault:
    place = finding.place or place_of(marks, finding.path, at_key=finding.at_key)
    return Fault(
        file=file, line=place.line, column=place.column, key=written(finding.path), said=finding.said
    )
