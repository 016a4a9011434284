"""Why a value cannot be: a sentence of the catalogues with its facts, put into words only when somebody reads it."""

from __future__ import annotations

from collections.abc import Mapping

from monitor.language.phrases import Phrase, found, one_line, phrase, without_userinfo

_LONGEST = 240
_MADE_FROM_THE_VALUE = frozenset({"reason", "nearest"})


class RefusalError(ValueError):
    """A value that cannot be; its text is the English sentence.

    Of the facts that fill the sentence, `found` is the value itself, described and cut when it is said, and left out where
    it is secret; `reason`, mostly a phrase, and `nearest` are made from it. All others would be the same for another wrong value.
    """

    def __init__(self, key: str, /, **facts: object) -> None:
        super().__init__(key)
        self._key = key
        self._facts = facts

    def __str__(self) -> str:
        return self.said.say("en")

    @property
    def said(self) -> Phrase:
        """The sentence, with what it quotes."""
        shown = found(self._facts["found"]) if "found" in self._facts else phrase("found.secret")
        return self._with(shown)

    def said_of(self, shown: Phrase) -> Phrase | None:
        """Return the sentence with `shown` where it quotes the value; None if it holds more that was made from it."""
        return None if _MADE_FROM_THE_VALUE & self._facts.keys() else self._with(shown)

    def _with(self, shown: Phrase) -> Phrase:
        return Phrase(self._key, {**_readable(self._facts), "found": shown})


def _readable(facts: Mapping[str, object]) -> dict[str, object]:
    return {name: _on_one_line(fact) for name, fact in facts.items()}


def _on_one_line(fact: object) -> object:
    if isinstance(fact, Phrase):
        return Phrase(fact.key, _readable(fact.values))
    return one_line(without_userinfo(fact[:_LONGEST])) if isinstance(fact, str) else fact
