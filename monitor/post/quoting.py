"""What is new in an answer: its words without the letter that it quotes."""

from __future__ import annotations

import re

# "On ... wrote:", "El ... escribió:" and their kin, on one line or broken once.
_INTRODUCTION = re.compile(
    r"(?:On|El|Em|Le|Am)\b.{5,200}(?:wrote|escribió|escreveu|a écrit|schrieb)\s*:", re.IGNORECASE
)
_DIVIDER = re.compile(
    r"-{2,}\s*(?:Original Message|Mensaje original|Forwarded message|Mensaje reenviado)\s*-{2,}|_{20,}",
    re.IGNORECASE,
)
_HEADED = re.compile(r"(?:From|De|Von)\s*:\s.*@", re.IGNORECASE)
_LONGEST = 300


def new_words(body: str) -> str:
    """Return what was written anew, above, below or between what is quoted; where nothing of it is left, everything."""
    lines = body.split("\n")
    kept: list[str] = []
    place = 0
    while place < len(lines) and not _ends_it(lines, place):
        introduced = _introduced(lines, place)
        if introduced:
            if not _is_marked(lines, place + introduced):
                break
            place += introduced
            continue
        if not lines[place].startswith(">"):
            kept.append(lines[place])
        place += 1
    new = "\n".join(kept).strip("\n").rstrip()
    return new if new.strip() else body


def _ends_it(lines: list[str], place: int) -> bool:
    """Does everything from here on belong to another letter that is not marked line by line?"""
    shown = lines[place].strip()[:_LONGEST]
    return bool(_DIVIDER.fullmatch(shown) or (_HEADED.match(shown) and _is_headed(lines, place)))


def _introduced(lines: list[str], place: int) -> int:
    """Return how many lines from here say who wrote what is quoted after them: 0, 1 or 2."""
    shown = lines[place].strip()[:_LONGEST]
    if _INTRODUCTION.fullmatch(shown):
        return 1
    following = lines[place + 1].strip()[:_LONGEST] if place + 1 < len(lines) else ""
    return 2 if _INTRODUCTION.fullmatch(f"{shown} {following}") else 0


def _is_marked(lines: list[str], place: int) -> bool:
    return next((line for line in lines[place : place + 4] if line.strip()), "").startswith(">")


def _is_headed(lines: list[str], place: int) -> bool:
    """A block of headers, as some programs put it above what they quote without a mark."""
    block = "\n".join(lines[place : place + 6])
    return bool(re.search(r"(?im)^\s*(?:Subject|Asunto|Betreff)\s*:", block))
