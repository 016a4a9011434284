"""What stores in memory may say."""

from __future__ import annotations

import contextlib

from hypothesis import strategies as st

from monitor.checks.databases.redis_replies import ReplyError, command, read_info, read_line, refusal_of
from monitor.checks.memcached import read_stats
from monitor.checks.options.bounds import Bounds
from monitor.checks.options.fields import judge_fields, measures_of
from tests.fuzz.mutating import mutated
from tests.fuzz.survival import survives

_LINES = (b"+PONG", b"-NOAUTH Authentication required.", b":12", b"$1024", b"$-1", b"*2")
_INFO = ("# Server\r\nredis_version:7.0.15\r\nrole:master\r\ndb0:keys=1,expires=0\r\n\r\n# x\r\n:\r\n",)
_STATS = ("STAT pid 12\nSTAT version 1.6.18\nSTAT x\nEND",)
_EXPECTED = {"role": "master", "a": True, "b": 1.5, "c": Bounds(min=0, max=3), "redis_version": "7.0.15"}


@survives(st.binary(max_size=100) | mutated(_LINES))
def test_any_line_is_a_reply_or_is_refused(line: bytes) -> None:
    with contextlib.suppress(ReplyError):
        reply = read_line(line)
        refusal_of(reply.words)
        assert reply.size is None or 0 <= reply.size < 10**9


@survives(st.text(max_size=300) | mutated(_INFO) | mutated(_STATS))
def test_any_text_is_held_to_what_is_expected(text: str) -> None:
    for told in (read_info(text), read_stats(text.split("\n"))):
        verdict = judge_fields(told, _EXPECTED)
        assert verdict is None or verdict
        measures_of(told, _EXPECTED)


@survives(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=40), min_size=1, max_size=4))
def test_a_command_says_how_long_its_words_are(words: list[str]) -> None:
    """No word of ours, a password with line breaks in it included, becomes a command of its own."""
    said, read = command(*words), []
    count, _, rest = said.removeprefix(b"*").partition(b"\r\n")
    for _ in range(int(count)):
        size, _, rest = rest.removeprefix(b"$").partition(b"\r\n")
        read.append(rest[: int(size)].decode())
        rest = rest[int(size) + 2 :]
    assert (read, rest) == (words, b"")


def test_what_servers_send_is_understood() -> None:
    assert read_info(_INFO[0])["role"] == "master"
    assert read_stats(_STATS[0].split("\n")) == {"pid": "12", "version": "1.6.18"}
    assert read_line(b"$1024").size == 1024
