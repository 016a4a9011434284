"""What an FTP server may reply, where it may say that its data is, and what it may list."""

from __future__ import annotations

import time

import pytest
from hypothesis import strategies as st

from monitor.checks.remote.ftp_replies import (
    LINES_LIMIT,
    NotFtpError,
    Reply,
    entries_of,
    extended_port,
    passive_port,
    reply_of,
)
from tests.fuzz.mutating import mutated
from tests.fuzz.survival import survives

_REPLIES = (
    "220 Files of the test",
    "220-Welcome\n 220 to us\n220 Files",
    "421 Too many",
    "230-a\n230 b",
    "331\n",
    "229 Entering Extended Passive Mode (|||20112|)",
    "227 Entering Passive Mode (127,0,0,1,78,144).",
)
_LISTINGS = (
    b"total 12\r\ndrwxr-xr-x 2 0 0 4096 Nov 22 15:48 .\r\n-rw-r--r-- 1 0 0 4 Nov 22 15:48 a b\r\n",
    b"11-22-26  03:48PM       <DIR>          pub\r\n11-22-26  03:48PM                   12 a.txt\r\n",
)


@survives(st.text(max_size=200) | mutated(_REPLIES))
def test_any_lines_are_a_reply_or_the_beginning_of_one_or_are_refused(text: str) -> None:
    lines = text.split("\n")
    for number in range(1, len(lines) + 1):
        try:
            reply = reply_of(lines[:number])
        except NotFtpError:
            return
        if reply is not None:
            assert 100 <= reply.code <= 599
            return


@survives(st.text(max_size=100) | mutated(_REPLIES))
def test_any_reply_names_a_port_or_is_refused(said: str) -> None:
    for port_of in (extended_port, passive_port):
        try:
            port = port_of(Reply(229, said))
        except NotFtpError:
            continue
        assert 0 < port < 65536


@survives(st.binary(max_size=300) | mutated(_LISTINGS))
def test_any_bytes_are_a_listing(data: bytes) -> None:
    assert 0 <= entries_of(data) <= data.count(b"\n") + 1


def test_what_servers_say_is_understood() -> None:
    assert extended_port(Reply(229, "Here (|||20112|)")) == 20112
    assert extended_port(Reply(229, "Here (!!!20112!)")) == 20112
    assert passive_port(Reply(227, "Entering Passive Mode (127,0,0,1,78,144).")) == 20112
    assert passive_port(Reply(227, "=127,0,0,1,78,144")) == 20112
    assert reply_of(["220-Welcome", "221 not yet"]) is None
    assert str(reply_of(["220-Welcome", "221 not yet", "220 Now"])) == "220 Now"
    assert str(reply_of(["220-Welcome", "220"])) == "220"
    assert [entries_of(listing) for listing in _LISTINGS] == [1, 2]


def test_a_long_listing_is_counted_in_no_time() -> None:
    began = time.process_time()
    entries_of(b"x\n" * 130_000)
    entries_of(b"total " + b"1" * 260_000)
    assert time.process_time() - began < 1
    with pytest.raises(NotFtpError, match="more than 200 lines"):
        reply_of(["220-"] * (LINES_LIMIT + 1))
