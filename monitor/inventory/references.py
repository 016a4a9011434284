"""References in configured text: `${NAME}` from the environment, `file:PATH` from a file beside the configuration."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote

from monitor.errors import VigiaError
from monitor.language.phrases import Phrase, phrase, quoted

LARGEST_SECRET = 64 * 1024
# Anything shorter is no secret, and hiding it would make every text unreadable.
SHORTEST_HIDDEN = 4

_FILE = "file:"
_REFERENCE = re.compile(r"(?P<escape>\$)?\$\{(?P<name>[^{}]*)(?P<end>\}?)")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class ReferenceFaultError(VigiaError):
    """A reference cannot be filled; the sentence says which and what would help, never a value."""

    def __init__(self, said: Phrase) -> None:
        super().__init__(said.say("en"))
        self.said = said


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """What references stood for: all that another process needs to fill and to hide the same."""

    folder: Path
    variables: Mapping[str, str]
    files: Mapping[str, str]

    def __repr__(self) -> str:
        return f"Used(variables={sorted(self.variables)}, files={sorted(self.files)})"

    def secrets(self) -> Secrets:
        """Return secrets that know all of it, as if they had filled it themselves."""
        secrets = Secrets(self.variables, self.folder, self.files)
        for name in self.variables:
            secrets.fill(f"${{{name}}}")
        for name in self.files:
            secrets.fill(f"{_FILE}{name}")
        return secrets


class Secrets:
    """Fills references, and hides again in what we show everything that was ever filled in.

    Values are read once and then kept: a changed secret counts from the next load of the configuration. `$${NAME}`
    stands for the characters `${NAME}` themselves.
    """

    def __init__(
        self, environment: Mapping[str, str], folder: Path, files: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """Take the variables, the folder that relative paths count from, and the contents of files that were read already."""
        self._environment = dict(environment)
        self._folder = folder
        self._files: dict[str, str] = dict(files)
        self._hidden: dict[str, str] = {}
        self._used: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"Secrets(folder={str(self._folder)!r})"

    def fill(self, text: str) -> str:
        """Return `text` with every reference replaced; one that is missing raises ReferenceFaultError."""
        if text.startswith(_FILE):
            return self._remember(text, self._read(text.removeprefix(_FILE).strip()))
        return _REFERENCE.sub(self._value, text)

    def hide(self, text: str) -> str:
        """Return `text` with every value that `fill` ever brought in replaced by its reference.

        The form that a value takes within a URL is hidden as well. Values of less than four characters are left.
        """
        # The longest first: one secret may be the beginning of another.
        for value in sorted(self._hidden, key=len, reverse=True):
            text = text.replace(value, self._hidden[value])
        return text

    def used(self) -> Used:
        """Return everything that was ever filled in."""
        return Used(folder=self._folder, variables=dict(self._used), files=dict(self._files))

    def _value(self, match: re.Match[str]) -> str:
        if match["escape"]:
            return match[0][1:]
        name = match["name"]
        if not match["end"] or not _NAME.fullmatch(name):
            raise ReferenceFaultError(phrase("reference.malformed", reference=quoted(match[0])))
        value = self._environment.get(name)
        if not value:
            reason = "reference.unset" if value is None else "reference.empty"
            raise ReferenceFaultError(phrase(reason, name=name))
        self._used[name] = value
        return self._remember(match[0], value)

    def _read(self, written: str) -> str:
        if written not in self._files:
            self._files[written] = _content(self._folder / written, written)
        return self._files[written]

    def _remember(self, reference: str, value: str) -> str:
        for form in (value, quote(value, safe="")):
            if len(form) >= SHORTEST_HIDDEN:
                self._hidden.setdefault(form, reference)
        return value


def has_reference(text: str) -> bool:
    """Does `fill` have anything to do with this text?"""
    return "${" in text or text.startswith(_FILE)


def refers(value: object) -> bool:
    """Is there a reference anywhere in a value?"""
    match value:
        case str():
            return has_reference(value)
        case dict():
            return any(refers(inner) for inner in value.values())
        case list() | tuple():
            return any(refers(inner) for inner in value)
        case _:
            return False


def _content(path: Path, written: str) -> str:
    """Return what a secret's file holds, without the line end that editors add."""
    name = quoted(written)
    try:
        with path.open("rb") as stream:
            data = stream.read(LARGEST_SECRET + 1)
        content = data.decode()
    except UnicodeDecodeError:
        raise ReferenceFaultError(phrase("reference.file_not_text", name=name)) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ReferenceFaultError(phrase("reference.file_unreadable", name=name, reason=reason)) from None
    if len(data) > LARGEST_SECRET:
        raise ReferenceFaultError(phrase("reference.file_too_large", name=name))
    content = content.removesuffix("\n").removesuffix("\r")
    if not content:
        raise ReferenceFaultError(phrase("reference.file_empty", name=name))
    return content
