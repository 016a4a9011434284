"""Inputs that were valid once: broken in a few places, as a bad line or a bad mind would.

Hypothesis draws which input and a seed; the breaking itself is done by dice, because drawing each cut would take five
times as long as everything else.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any, TypeVar

from hypothesis import strategies as st

Text = TypeVar("Text", str, bytes)

_SEEDS = st.integers(0, 2**64 - 1)
_BREAKS = 4
_PIECE = 12
# Letters that mean something to one parser or another, and some that mean nothing to any.
_LETTERS = "\x00\t\n\r \"#%&'()*+,-./09:;<=>?@AZ[\\]^_`az{|}~\x7f\x85\xa0ÿ€\u2028\U0001f40d"


def mutated(valid: Sequence[Text] | st.SearchStrategy[Text]) -> st.SearchStrategy[Text]:
    """Return valid inputs with up to four pieces of each cut out, doubled, turned round or replaced by something else."""
    source = valid if isinstance(valid, st.SearchStrategy) else st.sampled_from(list(valid))
    return st.builds(broken, source, _SEEDS)


def broken(found: Text, seed: int) -> Text:
    """Return an input with pieces of it broken, as the dice of that seed fall."""
    dice = Random(seed)
    for _ in range(dice.randrange(_BREAKS + 1)):
        start = dice.randrange(len(found) + 1)
        piece = found[start : start + dice.randrange(_PIECE + 1)]
        put = dice.choice((piece * 2, piece[:0], piece[::-1], _anything(found, dice), _anything(found, dice)))
        found = found[:start] + put + found[start + len(piece) :]
    return found


def _anything(like: Text, dice: Random) -> Text:
    size = dice.randrange(_PIECE + 1)
    if isinstance(like, str):
        return "".join(dice.choice(_LETTERS) for _ in range(size))
    return dice.randbytes(size)


def any_json(keys: Sequence[str] = (), words: Sequence[str] = ()) -> st.SearchStrategy[Any]:
    """Return JSON-like values of any shape; `keys` and `words` are those that the parser waits for."""
    return st.builds(lambda seed: _value(Random(seed), keys, words, 3), _SEEDS)


def _value(dice: Random, keys: Sequence[str], words: Sequence[str], depth: int) -> Any:
    kind = dice.randrange(9 if depth else 6)
    if kind == 0:
        return dice.choice((None, True, False))
    if kind == 1:
        return dice.choice((0, -1, 1, 10**30, dice.randrange(-(10**6), 10**6)))
    if kind == 2:
        return dice.choice((0.0, -0.0, 1e308, 5e-324, dice.uniform(-1e3, 1e3)))
    if kind < 6:
        return dice.choice(words) if words and dice.randrange(2) else _anything("", dice)
    inner = [_value(dice, keys, words, depth - 1) for _ in range(dice.randrange(5))]
    if kind == 6:
        return inner
    return {
        (dice.choice(keys) if keys and dice.randrange(4) else _anything("", dice)): each for each in inner
    }
