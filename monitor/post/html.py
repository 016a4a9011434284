"""The words of a page of HTML as a mail program would show them, nothing else.

Time grows with the length of the page alone, whatever is broken in it; the standard library's parser does not give that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape

_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]{0,20})[^<>]*>|<[!?/][^<>]*>")
_SILENT = frozenset({"script", "style", "head", "title", "template"})
_BLOCKS = frozenset(
    {"p", "div", "br", "tr", "table", "ul", "ol", "blockquote", "pre", "hr", "section", "article", "header"}
    | {"footer"}
    | {f"h{level}" for level in range(1, 7)}
)
_BEGINNINGS = {"li": "\n- ", "td": " ", "th": " "}


def words_of(page: str) -> str:
    """Return the text of a page, a line for each of its blocks."""
    lines = (
        " ".join(line.split()) for line in unescape("".join(_pieces(_without_comments(page)))).split("\n")
    )
    told: list[str] = []
    for line in lines:
        if line or (told and told[-1]):
            told.append(line)
    return "\n".join(told).strip()


def _without_comments(page: str) -> str:
    first, *others = page.split("<!--")
    return first + "".join(other.partition("-->")[2] for other in others)


def _pieces(page: str) -> Iterator[str]:
    silent = ""
    place = 0
    for tag in _TAG.finditer(page):
        if not silent:
            yield page[place : tag.start()].replace("\n", " ")
        place = tag.end()
        name = (tag[2] or "").lower()
        if silent:
            silent = "" if tag[1] and name == silent else silent
        elif name in _SILENT and not tag[1]:
            silent = name
        elif name in _BLOCKS:
            yield "\n"
        elif not tag[1]:
            yield _BEGINNINGS.get(name, "")
    if not silent:
        yield page[place:].replace("\n", " ")
