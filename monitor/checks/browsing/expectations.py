"""What an HTTP answer is held to, and the verdict on it: pure, so that every judgement is tested without a server."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    JsonValue,
    SerializerFunctionWrapHandler,
    WithJsonSchema,
    model_serializer,
)
from pydantic_core import CoreSchema

from monitor.checks.browsing import json_paths
from monitor.checks.browsing.json_paths import Json
from monitor.checks.browsing.unpacking import unpacked
from monitor.checks.contract import BODY_LIMIT, Exchange, Options, Verdict
from monitor.checks.options import patterns
from monitor.checks.options.durations import Duration, PositiveDuration
from monitor.language.refusals import RefusalError
from monitor.observation import Cause, Outcome

_STATUS = re.compile(r"[1-5]xx|[1-5][0-9]{2}")
_CHARSET = re.compile(r"charset=\"?([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
# Headers whose values let somebody in: what they were is shown to nobody.
_CREDENTIALS = frozenset({"set-cookie", "authorization", "authentication-info"})
# Codecs that Python has for itself, some of them slow where the text is hostile.
_NO_CHARSETS = frozenset({"idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined"})


def _statuses(value: object) -> tuple[str, ...]:
    given = value if isinstance(value, list | tuple) else [value]
    if not given:
        raise RefusalError("options.status.none")
    return tuple(_status(one) for one in given)


def _status(value: object) -> str:
    if not isinstance(value, bool) and isinstance(value, int | str) and _STATUS.fullmatch(str(value)):
        return str(value)
    raise RefusalError("options.status.form", found=value)


def _texts(value: object) -> tuple[str, ...]:
    given = value if isinstance(value, list | tuple) else [value]
    if not all(isinstance(one, str) and one for one in given):
        raise RefusalError("options.texts", found=value)
    return tuple(given)


def _patterns(value: object) -> tuple[str, ...]:
    return tuple(patterns.accepted(one) for one in _texts(value))


def _headers(value: dict[str, str]) -> dict[str, str]:
    for name, text in value.items():
        if not _TOKEN.fullmatch(name):
            raise RefusalError("options.header.name", found=name)
        if _CONTROL.search(text):
            raise RefusalError("options.header.value", header=name)
    return value


def _listed(value: object) -> object:
    """Return the list of expectations that a mapping from paths is short for."""
    if isinstance(value, Mapping):
        return tuple(
            {"path": path, **held} if isinstance(held, Mapping) else {"path": path, "equals": held}
            for path, held in value.items()
        )
    return tuple(value) if isinstance(value, list) else value


class _OrMapping:
    """Tells editors that a list of expectations may be written as a mapping from paths."""

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"anyOf": [handler(core_schema), {"type": "object"}]}


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
Patterns = Annotated[tuple[str, ...], BeforeValidator(_patterns), WithJsonSchema(_TEXTS_SCHEMA)]
AnyJson = Annotated[JsonValue, WithJsonSchema({})]
Headers = Annotated[dict[str, str], AfterValidator(_headers)]


class BodyExpectation(Options):
    """What the body is held to."""

    contains: Texts = Field(default=(), description="A text, or several, that the body must hold.")
    lacks: Texts = Field(default=(), description="A text, or several, that the body must not hold.")
    matches: Patterns = Field(
        default=(),
        description="A pattern of RE2, or several, each found somewhere in the first 64 KiB of the body.",
    )


class JsonExpectation(Options):
    """What the values at one place of a JSON body are held to: there are some, and every one of them is right."""

    path: json_paths.Path = Field(description="Where to look: a path of RFC 9535, such as $.queue.length.")
    equals: AnyJson = Field(default=None, description="The value is this one.")
    contains: AnyJson = Field(
        default=None, description="The text holds this text, the list this value, the object this key."
    )
    matches: patterns.Pattern | None = Field(
        default=None, description="A pattern of RE2 that is found in the text."
    )
    min: float | int | None = Field(default=None, description="The number is at least this.")
    max: float | int | None = Field(default=None, description="The number is at most this.")
    exists: bool = Field(default=True, description="false: nothing stands there.")

    @model_serializer(mode="wrap")
    def _as_given(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # `equals: null` asks for a null; a missing `equals` asks for nothing.
        return {key: value for key, value in serialize(self).items() if key in self.model_fields_set}


class SizeExpectation(Options):
    """How long the body may be."""

    min: int = Field(default=0, ge=0, le=BODY_LIMIT, description="The body has at least so many bytes.")
    max: int = Field(
        default=BODY_LIMIT, ge=0, le=BODY_LIMIT, description="The body has at most so many bytes."
    )


class AnswerExpectation(Options):
    """What one answer is held to."""

    model_config = ConfigDict(serialize_by_alias=True)

    status: Statuses = Field(
        default=("2xx",), description="The statuses that are fine: 200, 2xx or a list of them."
    )
    body: BodyExpectation | None = Field(
        default=None, description="What the body must hold and must not hold."
    )
    values: Annotated[tuple[JsonExpectation, ...], BeforeValidator(_listed), _OrMapping()] = Field(
        default=(),
        alias="json",
        description="What a JSON body must say: paths with their values, or a list of `path` and conditions.",
    )
    header: Headers = Field(
        default_factory=dict,
        description="Headers that the answer must carry, each with a text that its value must hold (empty: any value).",
    )
    size: SizeExpectation | None = Field(default=None, description="How long the body may be, in bytes.")
    within: PositiveDuration | None = Field(
        default=None,
        description="Warn when it takes longer than this, such as 2s.",
    )

    def allows(self, status: int) -> bool:
        """Is this status one of the expected?"""
        return str(status) in self.status or f"{status // 100}xx" in self.status

    @property
    def of_the_body(self) -> bool:
        """Must the body be read to judge it?"""
        return self.body is not None or bool(self.values)


class Expectation(AnswerExpectation):
    """What a look is held to."""

    certificate: Duration = Field(
        default=timedelta(days=14),
        description="Warn when a certificate on the way ends sooner than this, such as 14d; 0d never.",
    )


def judge(exchange: Exchange, expect: AnswerExpectation, took_ms: float) -> Verdict | None:
    """Return what is wrong with an answer, the worst first, or None when it is as expected."""
    return (
        _judged_status(exchange.status, expect)
        or (_judged_headers(exchange, expect.header) if expect.header else None)
        or _judged_size(exchange, expect.size)
        or (_judged_text(exchange, expect) if expect.of_the_body else None)
        or judge_time(took_ms, expect.within)
    )


def judge_time(took_ms: float, within: timedelta | None) -> Verdict | None:
    """Return the warning that something took longer than it should."""
    if within is None or took_ms <= within / timedelta(milliseconds=1):
        return None
    return Verdict(
        Outcome.WARN,
        Cause.SLOW,
        f"{took_ms:.0f} ms, expected within {within / timedelta(milliseconds=1):.0f} ms",
    )


def judge_certificate(ends: datetime | None, soon: timedelta, now: datetime) -> Verdict | None:
    """Return the warning that a certificate ends soon; customers notice nothing of it yet."""
    if ends is None or ends - now >= soon:
        return None
    return Verdict(
        Outcome.WARN,
        Cause.CERTIFICATE_ENDING,
        f"the certificate ends in {(ends - now).days} days, on {ends:%Y-%m-%d %H:%M} UTC",
    )


def read_text(exchange: Exchange) -> str | None:
    """Return the body as text, None when it came packed in a way that is not read."""
    body = unpacked(exchange.body, exchange.header("content-encoding") or "")
    return None if body is None else body.decode(_charset(exchange), errors="replace")


def shown_body(exchange: Exchange, limit: int) -> str:
    """Return the beginning of a body for people to read; one that cannot be unpacked is named, not shown."""
    packed = exchange.header("content-encoding") or ""
    body = unpacked(exchange.body, packed)
    if body is None:
        return f"({len(exchange.body)} bytes, packed as {packed[:40]})"
    return body[: 4 * limit].decode(_charset(exchange), errors="replace")[:limit]


def _judged_status(status: int, expect: AnswerExpectation) -> Verdict | None:
    if expect.allows(status):
        return None
    return Verdict(Outcome.DOWN, Cause.STATUS, f"{status}, expected {' or '.join(expect.status)}")


def _judged_headers(exchange: Exchange, expected: Mapping[str, str]) -> Verdict | None:
    for name, text in expected.items():
        value = exchange.header(name)
        if value is None:
            return _wrong(f"the header {name} is missing")
        if text not in value:
            shown = "not as expected" if name.lower() in _CREDENTIALS else repr(value[:80])
            return _wrong(f"the header {name} is {shown}, expected {text[:80]!r} in it")
    return None


def _judged_size(exchange: Exchange, expected: SizeExpectation | None) -> Verdict | None:
    if expected is None:
        return None
    size = len(exchange.body)
    if size < expected.min:
        return _wrong(f"the body has {size} bytes, expected at least {expected.min}")
    if size > expected.max or exchange.truncated:
        more = "more than " if exchange.truncated else ""
        return _wrong(f"the body has {more}{size} bytes, expected at most {expected.max}")
    return None


def _judged_text(exchange: Exchange, expect: AnswerExpectation) -> Verdict | None:
    text = read_text(exchange)
    if text is None:
        packed = (exchange.header("content-encoding") or "").strip().lower()
        return Verdict(
            Outcome.DOWN,
            Cause.PROTOCOL,
            f"the body came packed as {packed[:40]} although none was asked for, and cannot be read",
        )
    where = f" in the first {BODY_LIMIT // 1024} KiB" if exchange.truncated else ""
    return _judged_body(text, expect.body, where) or _judged_json(text, expect.values)


def _judged_body(text: str, expected: BodyExpectation | None, where: str) -> Verdict | None:
    if expected is None:
        return None
    for wanted in expected.contains:
        if wanted not in text:
            return _wrong(f"the body lacks {wanted[:80]!r}{where}")
    for unwanted in expected.lacks:
        if unwanted in text:
            return _wrong(f"the body holds {unwanted[:80]!r}")
    for pattern in expected.matches:
        if not patterns.found_in(pattern, text):
            return _wrong(f"nothing in the body matches {pattern[:80]!r}")
    return None


def _judged_json(text: str, expected: tuple[JsonExpectation, ...]) -> Verdict | None:
    if not expected:
        return None
    try:
        document = json_paths.read_json(text)
    except ValueError as error:
        return _wrong(f"the body is no JSON to be judged: {error}")
    return next((wrong for one in expected if (wrong := _judged_values(document, one)) is not None), None)


def _judged_values(document: Json, expected: JsonExpectation) -> Verdict | None:
    values = json_paths.selected(expected.path, document)
    if not expected.exists:
        return _wrong(f"{expected.path[:80]} is there, expected nothing") if values else None
    if not values:
        return _wrong(f"{expected.path[:80]} is missing")
    for value in values:
        wanted = _unmet(value, expected)
        if wanted:
            return _wrong(f"{expected.path[:80]} is {_shown(value)}, expected {wanted}")
    return None


def _unmet(value: Json, expected: JsonExpectation) -> str:
    """Return the first condition that a value does not meet, in words; empty when it meets all."""
    given = expected.model_fields_set
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else None
    checks = (
        ("equals" in given and not _same(value, expected.equals), _shown(expected.equals)),
        (
            "contains" in given and not _holds(value, expected.contains),
            f"{_shown(expected.contains)} in it",
        ),
        (
            expected.matches is not None
            and not (isinstance(value, str) and patterns.found_in(expected.matches, value)),
            f"to match {(expected.matches or '')[:80]!r}",
        ),
        (expected.min is not None and (number is None or number < expected.min), f"at least {expected.min}"),
        (expected.max is not None and (number is None or number > expected.max), f"at most {expected.max}"),
    )
    return next((words for unmet, words in checks if unmet), "")


def _same(value: Json, wanted: Json) -> bool:
    """Is it the same JSON value? To Python `true` is 1, to JSON it is not."""
    if isinstance(value, bool) or isinstance(wanted, bool):
        return value is wanted
    if isinstance(value, list) and isinstance(wanted, list):
        return len(value) == len(wanted) and all(map(_same, value, wanted))
    if isinstance(value, dict) and isinstance(wanted, dict):
        return value.keys() == wanted.keys() and all(_same(value[key], wanted[key]) for key in value)
    return value == wanted


def _holds(value: Json, wanted: Json) -> bool:
    if isinstance(value, list):
        return any(_same(one, wanted) for one in value)
    return isinstance(value, str | dict) and isinstance(wanted, str) and wanted in value


def _shown(value: object) -> str:
    if isinstance(value, list | dict):
        return f"{'a list' if isinstance(value, list) else 'an object'} of {len(value)}"
    return repr(value[:80]) if isinstance(value, str) else json.dumps(value)[:80]


def _wrong(found: str) -> Verdict:
    return Verdict(Outcome.DOWN, Cause.CONTENT, found)


def _charset(exchange: Exchange) -> str:
    named = _CHARSET.search(exchange.header("content-type") or "")
    if named is None:
        return "utf-8"
    try:
        # Only codecs from bytes to text are wanted: "rot13" and "zlib" have names too.
        b"text".decode(named[1], errors="replace")
        return "utf-8" if codecs.lookup(named[1]).name in _NO_CHARSETS else named[1]
    except (LookupError, ValueError):
        return "utf-8"
