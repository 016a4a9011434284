"""What a MySQL server may say, and what of it is shown."""

from __future__ import annotations

import contextlib

from hypothesis import strategies as st

from monitor.checks.databases.mysql_packets import (
    PacketError,
    is_welcome,
    packet,
    read_error,
    read_greeting,
    read_head,
)
from monitor.checks.databases.sql import readable
from monitor.observation import EXCERPT_LIMIT
from tests.fuzz.mutating import mutated
from tests.fuzz.survival import survives

_GREETINGS = (
    b"\x0a5.5.5-10.11.9-MariaDB-0+deb12u1\0\x05\0\0\0abcdefgh\0\xfe\xf7\x2d\x02\0\xff\x81\x15"
    + bytes(10)
    + b"ijklmnopqrst\0mysql_native_password\0",
    b"\x0a4.0.24\0\x05\0\0\0abcdefgh\0\x2c\x20",
    b"\xff\x10\x04Too many connections",
    b"\xff\x15\x04#28000Access denied for user ''@'localhost' (using password: NO)",
    b"\x00\x00\x00\x02\x00\x00\x00",
)


@survives(st.binary(max_size=200) | mutated(_GREETINGS))
def test_any_packet_is_understood_or_refused(payload: bytes) -> None:
    is_welcome(payload)
    for read in (read_greeting, read_error):
        with contextlib.suppress(PacketError):
            read(payload)


@survives(st.binary(max_size=300), st.integers(0, 1000))
def test_a_packet_says_how_long_it_is(payload: bytes, sequence: int) -> None:
    whole = packet(payload, sequence)
    assert read_head(whole[:4]) == (len(payload), sequence % 256)
    assert whole[4:] == payload


@survives(st.text(max_size=400) | st.binary(max_size=400).map(lambda data: data.decode(errors="replace")))
def test_what_is_shown_of_bytes_is_words(text: str) -> None:
    shown = readable(text)
    assert len(shown) <= EXCERPT_LIMIT
    assert all(len(line) >= 4 or len(shown) == EXCERPT_LIMIT for line in shown.split("\n") if shown)
    assert not any(ord(letter) < 32 and letter != "\n" for letter in shown)


def test_what_servers_send_is_understood() -> None:
    new, old = map(read_greeting, _GREETINGS[:2])
    assert (new.version, new.offers_tls) == ("5.5.5-10.11.9-MariaDB-0+deb12u1", False)
    assert (old.version, old.capabilities) == ("4.0.24", 0x202C)
    assert [str(read_error(each)) for each in _GREETINGS[2:]] == [
        "Too many connections (1040)",
        "Access denied for user ''@'localhost' (using password: NO) (1045)",
        "None",
    ]
