"""What the YAML parser complains about, in words that say what to do."""

from __future__ import annotations

import yaml

from monitor.inventory.faults import Finding, Place
from monitor.language.phrases import Phrase, phrase, quoted

# The parser's own words on the left; they are part of libyaml's interface as little as any message is, so what is
# not found here is still told, in those words.
_SENTENCES = {
    "mapping values are not allowed in this context": "yaml.stray_colon",
    "could not find expected ':'": "yaml.no_colon",
    "did not find expected key": "yaml.indentation",
    "did not find expected '-' indicator": "yaml.indentation",
    "block sequence entries are not allowed in this context": "yaml.indentation",
    "block mapping entries are not allowed in this context": "yaml.indentation",
    "did not find expected <document start>": "yaml.indentation",
    "did not find expected ',' or ']'": "yaml.unclosed_list",
    "did not find expected ',' or '}'": "yaml.unclosed_mapping",
    "found unexpected end of stream": "yaml.unclosed_quote",
    "found unexpected document indicator": "yaml.unclosed_quote",
    "found unknown escape character": "yaml.escape",
    "did not find expected hexdecimal number": "yaml.escape",
    "found undefined tag handle": "yaml.tag_handle",
    "found duplicate %YAML directive": "yaml.directive",
    "found incompatible YAML document": "yaml.directive",
}


def syntax_fault(error: yaml.MarkedYAMLError, text: str) -> Finding:
    """Return the one finding that a parser's error is: nothing behind it can be trusted."""
    mark = error.problem_mark or error.context_mark
    place = Place(mark.line + 1, mark.column + 1) if mark else Place(0, 0)
    return Finding(path=(), said=_said(error, text, place), place=place)


def _said(error: yaml.MarkedYAMLError, text: str, place: Place) -> Phrase:
    problem = error.problem or ""
    if problem == "found character that cannot start any token":
        return _wrong_start(_letter(text, place))
    if problem in _SENTENCES:
        began = error.context_mark.line + 1 if error.context_mark else place.line
        return phrase(_SENTENCES[problem], line=began)
    return phrase("yaml.other", problem=problem)


def _wrong_start(letter: str) -> Phrase:
    return phrase("yaml.tab") if letter == "\t" else phrase("yaml.wrong_start", letter=quoted(letter))


def _letter(text: str, place: Place) -> str:
    """Return the character at a place; empty behind the end."""
    lines = text.split("\n", place.line)
    line = lines[place.line - 1] if place.line <= len(lines) else ""
    return line[place.column - 1 : place.column]
