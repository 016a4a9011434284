"""What an HTTP answer is held to, and the verdict on it: pure, so that every judgement is tested without a server."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from monitor.checks.contract import BODY_LIMIT, Exchange, Options
from monitor.checks.durations import PositiveDuration
from monitor.observation import Cause, Outcome

_STATUS = re.compile(r"[1-5]xx|[1-5][0-9]{2}")
_CHARSET = re.compile(r"charset=\"?([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
# A text that shrank to less than a hundredth is no page but an attack on whoever unpacks it.
_RATIO_LIMIT = 100


def _statuses(value: object) -> tuple[str, ...]:
    given = value if isinstance(value, list | tuple) else [value]
    if not given:
        raise ValueError("name at least one status, such as 2xx or 200")
    return tuple(_status(one) for one in given)


def _status(value: object) -> str:
    if not isinstance(value, bool) and isinstance(value, int | str) and _STATUS.fullmatch(str(value)):
        return str(value)
    raise ValueError(f"{str(value)[:40]!r} is no HTTP status: write 200, 2xx or a list of them")


def _texts(value: object) -> tuple[str, ...]:
    given = value if isinstance(value, list | tuple) else [value]
    if not all(isinstance(one, str) and one for one in given):
        raise ValueError("write a text, or a list of texts, none of them empty")
    return tuple(given)


def _headers(value: dict[str, str]) -> dict[str, str]:
    for name, text in value.items():
        if not _TOKEN.fullmatch(name):
            raise ValueError(f"{name[:80]!r} cannot be the name of a header")
        if _CONTROL.search(text):
            raise ValueError(
                f"the value of the header {name!r} holds a line break or another control character"
            )
    return value


_TEXTS_SCHEMA = {
    "anyOf": [
        {"type": "string", "minLength": 1},
        {"type": "array", "items": {"type": "string", "minLength": 1}},
    ]
}
_ONE_STATUS = {
    "anyOf": [
        {"type": "integer", "minimum": 100, "maximum": 599},
        {"type": "string", "pattern": "^([1-5]xx|[1-5][0-9]{2})$"},
    ]
}

Statuses = Annotated[
    tuple[str, ...],
    BeforeValidator(_statuses),
    WithJsonSchema(
        {"anyOf": [*_ONE_STATUS["anyOf"], {"type": "array", "items": _ONE_STATUS, "minItems": 1}]}
    ),
]
Texts = Annotated[tuple[str, ...], BeforeValidator(_texts), WithJsonSchema(_TEXTS_SCHEMA)]
Headers = Annotated[dict[str, str], AfterValidator(_headers)]


class BodyExpectation(Options):
    """What the body is held to."""

    contains: Texts = Field(default=(), description="A text, or several, that the body must hold.")
    lacks: Texts = Field(default=(), description="A text, or several, that the body must not hold.")


class Expectation(Options):
    """What an answer is held to."""

    status: Statuses = Field(
        default=("2xx",), description="The statuses that are fine: 200, 2xx or a list of them."
    )
    body: BodyExpectation | None = Field(
        default=None, description="What the body must hold and must not hold."
    )
    header: Headers = Field(
        default_factory=dict,
        description="Headers that the answer must carry, each with a text that its value must hold (empty: any value).",
    )
    within: PositiveDuration | None = Field(
        default=None,
        description="Warn when the whole look takes longer than this, such as 2s.",
    )

    def allows(self, status: int) -> bool:
        """Is this status one of the expected?"""
        return str(status) in self.status or f"{status // 100}xx" in self.status


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is wrong with an answer."""

    outcome: Outcome
    cause: Cause
    found: str


def judge(exchange: Exchange, expect: Expectation, took_ms: float) -> Verdict | None:
    """Return what is wrong with an answer, the worst first, or None when it is as expected."""
    return (
        _judged_status(exchange.status, expect)
        or _judged_headers(exchange.headers, expect.header)
        or _judged_body(exchange, expect.body)
        or _judged_time(took_ms, expect.within)
    )


def shown_body(exchange: Exchange, limit: int) -> str:
    """Return the beginning of a body for people to read; one that came packed is named, not shown."""
    packed = _header(exchange.headers, "content-encoding")
    if packed and packed.lower() != "identity":
        return f"({len(exchange.body)} bytes, packed as {packed[:40]})"
    return exchange.body[: 4 * limit].decode(_charset(exchange.headers), errors="replace")[:limit]


def _judged_status(status: int, expect: Expectation) -> Verdict | None:
    if expect.allows(status):
        return None
    return Verdict(Outcome.DOWN, Cause.STATUS, f"{status}, expected {' or '.join(expect.status)}")


def _judged_headers(headers: tuple[tuple[str, str], ...], expected: Mapping[str, str]) -> Verdict | None:
    for name, text in expected.items():
        value = _header(headers, name)
        if value is None:
            return Verdict(Outcome.DOWN, Cause.CONTENT, f"the header {name} is missing")
        if text not in value:
            return Verdict(
                Outcome.DOWN,
                Cause.CONTENT,
                f"the header {name} is {value[:80]!r}, expected {text[:80]!r} in it",
            )
    return None


def _judged_body(exchange: Exchange, expected: BodyExpectation | None) -> Verdict | None:
    if expected is None:
        return None
    packed = (_header(exchange.headers, "content-encoding") or "identity").strip().lower()
    body = exchange.body if packed == "identity" else _unpacked(exchange.body, packed)
    if body is None:
        return Verdict(
            Outcome.DOWN,
            Cause.PROTOCOL,
            f"the body came packed as {packed[:40]} although none was asked for, and cannot be read",
        )
    text = body.decode(_charset(exchange.headers), errors="replace")
    where = f" in the first {BODY_LIMIT // 1024} KiB" if exchange.truncated else ""
    for wanted in expected.contains:
        if wanted not in text:
            return Verdict(Outcome.DOWN, Cause.CONTENT, f"the body lacks {wanted[:80]!r}{where}")
    for unwanted in expected.lacks:
        if unwanted in text:
            return Verdict(Outcome.DOWN, Cause.CONTENT, f"the body holds {unwanted[:80]!r}")
    return None


def _judged_time(took_ms: float, within: timedelta | None) -> Verdict | None:
    if within is None or took_ms <= within / timedelta(milliseconds=1):
        return None
    return Verdict(
        Outcome.WARN,
        Cause.SLOW,
        f"{took_ms:.0f} ms, expected within {within / timedelta(milliseconds=1):.0f} ms",
    )


def _header(headers: tuple[tuple[str, str], ...], name: str) -> str | None:
    values = [value for key, value in headers if key.lower() == name.lower()]
    return ", ".join(values) if values else None


def _charset(headers: tuple[tuple[str, str], ...]) -> str:
    named = _CHARSET.search(_header(headers, "content-type") or "")
    if named is None:
        return "utf-8"
    try:
        # Only codecs from bytes to text are wanted: "rot13" and "zlib" have names too.
        b"".decode(named[1])
    except (LookupError, ValueError):
        return "utf-8"
    return named[1]


def _unpacked(body: bytes, packed: str) -> bytes | None:
    """Return a gzip or deflate body unpacked up to the limit, or None when it is broken, a bomb, or packed in another way.

    We ask for `identity`; a server that packs all the same is read as far as that is safe.
    """
    if packed not in {"gzip", "x-gzip", "deflate"}:
        return None
    inflater = zlib.decompressobj(wbits=47)
    try:
        text = inflater.decompress(body, BODY_LIMIT)
    except zlib.error:
        return None
    bomb = bool(inflater.unconsumed_tail) and len(text) > _RATIO_LIMIT * (
        len(body) - len(inflater.unconsumed_tail)
    )
    return None if bomb else text
