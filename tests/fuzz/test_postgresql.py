"""What a PostgreSQL server may say."""

from __future__ import annotations

import contextlib

from hypothesis import strategies as st

from monitor.checks.databases.postgresql_messages import (
    HEAD,
    MESSAGE_LIMIT,
    MessageError,
    read_error,
    rounds_of,
    size_of,
)
from tests.fuzz.mutating import mutated
from tests.fuzz.survival import survives

_REFUSALS = (
    b'SFATAL\0VFATAL\0C28P01\0Mpassword authentication failed for user "vigia"\0Fauth.c\0L326\0Rauth_failed\0\0',
    b"could not fork new process\0",
)
_CHALLENGES = (b"r=abc,s=c2FsdA==,i=4096", b"i=1", b"r=i=7,s=x")


@survives(st.binary(max_size=200) | mutated(_REFUSALS))
def test_any_refusal_is_understood_or_refused(content: bytes) -> None:
    with contextlib.suppress(MessageError):
        assert read_error(content).words


@survives(st.binary(min_size=HEAD, max_size=HEAD))
def test_any_head_has_a_size_within_bounds_or_none(head: bytes) -> None:
    with contextlib.suppress(MessageError):
        assert 0 <= size_of(head) <= MESSAGE_LIMIT


@survives(st.binary(max_size=200) | mutated(_CHALLENGES))
def test_any_challenge_says_how_often_or_does_not(challenge: bytes) -> None:
    assert rounds_of(challenge) >= 0


def test_what_servers_send_is_understood() -> None:
    assert str(read_error(_REFUSALS[0])) == 'FATAL: password authentication failed for user "vigia" (28P01)'
    assert [rounds_of(each) for each in _CHALLENGES] == [4096, 1, 0]
