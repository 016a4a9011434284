"""What an ICMP socket may hand over: anybody's packets."""

from __future__ import annotations

from hypothesis import strategies as st

from monitor.checks.wire.icmp import packet, sequence_of
from tests.fuzz.mutating import mutated
from tests.fuzz.survival import survives

_TOKEN = b"0123456789abcdef"
_ANSWER = b"\0" + packet(8, 3, _TOKEN)[1:]
_HEADER = bytes.fromhex("450000340000400040010000c0000201c0000202")


@survives(st.binary(max_size=200))
def test_whatever_arrives_is_no_echo_of_ours_and_no_trouble(data: bytes) -> None:
    assert sequence_of(data, 0, _TOKEN) is None


@survives(mutated((_ANSWER, _HEADER + _ANSWER)))
def test_what_was_an_echo_of_ours_is_one_or_none(data: bytes) -> None:
    found = sequence_of(data, 0, _TOKEN)
    assert found is None or 0 <= found < 65536
