"""What a server may answer to who asks it for TLS."""

from __future__ import annotations

import contextlib

from hypothesis import strategies as st

from monitor.checks.remote.starttls import reply_of
from tests.fuzz.mutating import mutated
from tests.fuzz.survival import survives


@survives(st.binary(max_size=200) | mutated((b"220-mail.test ESMTP", b"250 STARTTLS", b"234 Proceed")))
def test_a_line_is_a_reply_or_none(line: bytes) -> None:
    with contextlib.suppress(ValueError):
        code, last = reply_of(line)
        assert 100 <= code <= 599
        assert isinstance(last, bool)
