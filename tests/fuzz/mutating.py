"""Inputs that were valid once: broken in a few places, as a bad line or a bad mind would."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from hypothesis import strategies as st

Text = TypeVar("Text", str, bytes)

_CUTS = st.tuples(st.integers(0, 400), st.integers(0, 12))


@st.composite
def mutated(draw: st.DrawFn, valid: Sequence[Text]) -> Text:
    """Draw one of the valid inputs with up to four pieces of it cut out, doubled or replaced by something else."""
    found = draw(st.sampled_from(valid))
    others = st.text(max_size=12) if isinstance(found, str) else st.binary(max_size=12)
    for _ in range(draw(st.integers(0, 4))):
        at, size = draw(_CUTS)
        start = at % (len(found) + 1)
        piece = found[start : start + size]
        put = draw(st.sampled_from((piece * 2, piece[:0], piece[::-1])) | others)
        found = found[:start] + put + found[start + size :]
    return found
