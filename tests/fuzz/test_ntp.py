"""What a time server, or anybody else, may send."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import strategies as st

from monitor.checks.ntp import NtpOptions, judged
from monitor.checks.wire.sntp import answer_of, compared
from tests.fuzz.mutating import mutated
from tests.fuzz.survival import survives
from tests.servers.clocks import Telling

_NOW = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
_HONEST = Telling(received=_NOW, sent=_NOW)
_KISS = Telling(received=_NOW, sent=_NOW, stratum=0, reference=b"DENY")


@survives(st.binary(max_size=100) | mutated((_HONEST.packet(9), _KISS.packet(9))))
def test_a_datagram_is_an_answer_that_can_be_judged_or_none(data: bytes) -> None:
    read = answer_of(data)
    if read is None:
        return
    nonce, answer = read
    assert 0 <= nonce < 1 << 64
    look = judged(answer, compared(answer, _NOW, 0.5), NtpOptions(host="h"))
    assert len(look.found) < 200
