"""Sentences as values: a catalogue key with what fills it, put into words only when somebody reads it."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from monitor.language import Language, text

Plain = None | bool | int | float | str | list["Plain"] | dict[str, "Plain"]

_SHOWN = 60
_LISTED = 40
_COMPARED = 700
_USERINFO = re.compile(r"(?<=//)[^/\s]+@")


@dataclass(frozen=True, slots=True)
class Phrase:
    """One sentence, or a part of one, before it is put into a language."""

    key: str
    values: Mapping[str, object] = field(default_factory=dict)

    def say(self, language: Language) -> str:
        """Return the words; phrases among the values are said first."""
        return text(
            self.key, language, **{name: _said(value, language) for name, value in self.values.items()}
        )


def phrase(key: str, /, **values: object) -> Phrase:
    """Return the sentence `configuration.<key>` of the catalogues with what fills it."""
    return Phrase(f"configuration.{key}", values)


def found(value: object) -> Phrase:
    """Describe a value of the file by its type, quoting only as much of it as helps to recognise it."""
    match value:
        case None:
            return phrase("found.nothing")
        case bool():
            return phrase("found.boolean", value="true" if value else "false")
        case int() | float():
            return phrase("found.number", value=_cut(str(value)))
        case str():
            return phrase("found.text", value=quoted(value))
        case list() | tuple():
            return phrase("found.list" if value else "found.empty_list")
        case dict():
            return phrase("found.mapping" if value else "found.empty_mapping")
        case _:
            raise TypeError(f"nothing of that kind stands in a file: {type(value).__name__}")


def quoted(value: str) -> str:
    """Return a text in quotes, shortened, on one line, without the user and password of an address."""
    return one_line(json.dumps(_cut(without_userinfo(value[: 4 * _SHOWN])), ensure_ascii=False))


def without_userinfo(value: str) -> str:
    """Return a text with the user and password of every address in it left out."""
    return _USERINFO.sub("***@", value)


def one_line(value: str) -> str:
    """Return a text with its line ends and everything else that a terminal would obey written out."""
    return "".join(letter if letter.isprintable() else json.dumps(letter)[1:-1] for letter in value)


def listed(words: Iterable[str]) -> str:
    """Return words joined by commas, each once; a long list is cut, because nobody reads the hundredth."""
    every = list(dict.fromkeys(words)) or ["—"]
    more = ", …" if len(every) > _LISTED else ""
    return ", ".join(every[:_LISTED]) + more


def nearest(word: str, allowed: Iterable[str]) -> str | None:
    """Return the allowed word that was most likely meant, or None when none is near."""
    wanted = word[:_SHOWN].lower()
    near = difflib.get_close_matches(wanted, _candidates(wanted, list(allowed)), n=1, cutoff=0.6)
    return near[0] if near else None


def _candidates(wanted: str, allowed: list[str]) -> list[str]:
    """Leave out of thousands of words, quickly, those that cannot be meant."""
    if len(allowed) <= _COMPARED:
        return allowed
    alike = [word for word in allowed if abs(len(word) - len(wanted)) <= 2 and word[:1] == wanted[:1]]
    return alike[:_COMPARED]


def _said(value: object, language: Language) -> object:
    return value.say(language) if isinstance(value, Phrase) else value


def _cut(shown: str) -> str:
    return shown if len(shown) <= _SHOWN else shown[: _SHOWN - 1] + "…"
