"""The kinds of value that the configuration holds, each with its own sentence when it is wrong.

A refusal is a PydanticCustomError whose type is the key of the sentence in the catalogues; `complaints` finds it there.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from datetime import time, timedelta
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    SecretStr,
    StringConstraints,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from monitor.checks.durations import format_duration, parse_duration
from monitor.checks.policy import RANGES
from monitor.inventory.phrases import nearest
from monitor.language import LANGUAGES
from monitor.language.zones import is_zone, nearest_zone
from monitor.maintenance.recurrence import parse_rule

IDENTIFIER = r"^[a-z0-9][a-z0-9-]{0,62}$"
CHECK_NAME = r"^[a-z0-9][a-z0-9._-]{0,62}$"
WEEKDAYS = r"^(mon|tue|wed|thu|fri|sat|sun)([,-](mon|tue|wed|thu|fri|sat|sun))*$"
COUNTRY = r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$"
AUTO = "auto"
MOST_PROBERS = 64
_DURATION = r"^[0-9]{1,9}(ms|s|m|h|d)$"
_HOST = re.compile(r"[^\s/@#?%\\\[\],'\"]{1,253}")
_EMAIL = re.compile(r"[^@\s<>]{1,64}@[^@\s<>]{1,190}")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://.+", re.IGNORECASE | re.DOTALL)
_CLOCK = re.compile(r"[0-2][0-9]:[0-5][0-9]")


def lasting(least: timedelta, most: timedelta) -> BeforeValidator:
    """Return the reader of a duration between two bounds, both allowed."""

    def read(value: object) -> timedelta:
        length = _length(value)
        if least <= length <= most:
            return length
        bounds = {"least": format_duration(least), "most": format_duration(most)}
        raise PydanticCustomError("configuration.duration.bounds", "out of bounds", bounds)

    return BeforeValidator(read)


def _length(value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        raise PydanticCustomError("configuration.duration.unit", "no unit", {"number": value})
    if isinstance(value, str):
        try:
            return parse_duration(value)
        except ValueError:
            pass
    raise PydanticCustomError("configuration.duration.form", "no duration")


def _listen(value: str) -> str:
    try:
        split_listen(value)
    except ValueError:
        raise PydanticCustomError("configuration.listen", "no address to listen on") from None
    return value


def split_listen(value: str) -> tuple[str, int]:
    """Return host and port of `127.0.0.1:8080` or `[::1]:8080`; port 0 lets the system choose. Raises ValueError."""
    host, colon, port = value.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not colon or not port.isascii() or not port.isdigit() or int(port[:6]) > 65535:
        raise ValueError("no port")
    if ":" in bare and (bare == host or ipaddress.ip_address(bare).version != 6):
        raise ValueError("an IPv6 address stands in brackets")
    if not _HOST.fullmatch(bare):
        raise ValueError("no host")
    return bare, int(port)


def _probers(value: object) -> object:
    fit = isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MOST_PROBERS
    if value != AUTO and not fit:
        raise PydanticCustomError("configuration.probers", "no number of processes", {"most": MOST_PROBERS})
    return value


def _zone(value: str) -> str:
    if not is_zone(value):
        near = nearest_zone(value)
        key = "configuration.zone.near" if near else "configuration.zone.none"
        raise PydanticCustomError(key, "no zone", {"nearest": near or ""})
    return value


def _site_url(value: str) -> str:
    try:
        parts = urlsplit(value)
        fit = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fit, parts = False, urlsplit("")
    extra = parts.query or parts.fragment or parts.username or parts.password
    if not fit or extra or any(letter.isspace() for letter in value):
        raise PydanticCustomError("configuration.site_url", "no address of a page")
    return value.rstrip("/")


def _host(value: str) -> str:
    bare = value[1:-1] if value.startswith("[") and value.endswith("]") else value
    try:
        return str(ipaddress.ip_address(bare))
    except ValueError:
        pass
    if not _HOST.fullmatch(value) or ":" in value or value.startswith("-"):
        raise PydanticCustomError("configuration.host", "neither a name nor an address")
    return value


def _address(value: str) -> str:
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        raise PydanticCustomError("configuration.address", "no address") from None


def _name_server(value: str) -> str:
    try:
        host, port = (value, 53) if _is_address(value) else split_listen(value)
        ipaddress.ip_address(host)
    except ValueError:
        raise PydanticCustomError("configuration.name_server", "no name server") from None
    if port == 0:
        raise PydanticCustomError("configuration.name_server", "no name server")
    return value


def _is_address(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


def _network(value: str) -> str:
    try:
        loose = ipaddress.ip_network(value, strict=False)
    except ValueError:
        raise PydanticCustomError("configuration.network.none", "no network") from None
    if "/" in value and ipaddress.ip_address(value.partition("/")[0]) != loose.network_address:
        raise PydanticCustomError("configuration.network.host_bits", "host bits", {"nearest": str(loose)})
    return str(loose)


def _target_range(value: str) -> str:
    if value in RANGES:
        return value
    try:
        return _network(value)
    except PydanticCustomError:
        near = nearest(value, RANGES)
        key = "configuration.target_range.near" if near else "configuration.target_range.far"
        context = {"nearest": near or "", "allowed": ", ".join(RANGES)}
        raise PydanticCustomError(key, "no range", context) from None


def _matching(
    pattern: re.Pattern[str], key: Literal["email", "operator_url", "clock"]
) -> Callable[[str], str]:
    def check(value: str) -> str:
        if not pattern.fullmatch(value):
            raise PydanticCustomError(f"configuration.{key}", "not of this form")
        return value

    return check


def _operator_url(value: SecretStr) -> SecretStr:
    _matching(_SCHEME, "operator_url")(value.get_secret_value())
    return value


def _rule(value: str) -> str:
    try:
        parse_rule(value)
    except ValueError as error:
        raise PydanticCustomError("configuration.rule", "no rule", {"reason": str(error)}) from None
    return value


def _clock(value: str) -> str:
    try:
        time.fromisoformat(_matching(_CLOCK, "clock")(value))
    except ValueError:
        if value != "24:00":
            raise PydanticCustomError("configuration.clock", "no time of day") from None
    return value


def _spread(value: object) -> object:
    """A text without languages is the same in all of them."""
    if isinstance(value, str):
        return dict.fromkeys(LANGUAGES, value)
    if not isinstance(value, dict) or not value:
        raise PydanticCustomError("configuration.texts", "no text")
    return value


Language = Literal["es", "en"]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
Texts = Annotated[
    dict[Language, Text],
    BeforeValidator(_spread),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "minLength": 1},
                {
                    "type": "object",
                    "properties": {language: {"type": "string", "minLength": 1} for language in LANGUAGES},
                    "additionalProperties": False,
                    "minProperties": 1,
                },
            ]
        }
    ),
]
Length = Annotated[
    timedelta,
    PlainSerializer(format_duration, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": _DURATION, "examples": ["15s", "5m", "2h", "14d"]}),
]
Identifier = Annotated[str, Field(pattern=IDENTIFIER)]
CheckName = Annotated[str, Field(pattern=CHECK_NAME)]
Weekdays = Annotated[str, Field(pattern=WEEKDAYS)]
Country = Annotated[str, Field(pattern=COUNTRY)]
ListenAddress = Annotated[str, AfterValidator(_listen)]
Probers = Annotated[
    int | Literal["auto"],
    BeforeValidator(_probers),
    WithJsonSchema({"anyOf": [{"const": AUTO}, {"type": "integer", "minimum": 1, "maximum": MOST_PROBERS}]}),
]
Zone = Annotated[str, AfterValidator(_zone)]
SiteUrl = Annotated[str, AfterValidator(_site_url)]
Host = Annotated[str, AfterValidator(_host)]
Address = Annotated[str, AfterValidator(_address)]
NameServer = Annotated[str, AfterValidator(_name_server)]
Network = Annotated[str, AfterValidator(_network)]
TargetRange = Annotated[str, AfterValidator(_target_range)]
Email = Annotated[str, AfterValidator(_matching(_EMAIL, "email"))]
OperatorUrl = Annotated[SecretStr, AfterValidator(_operator_url)]
WindowRule = Annotated[str, StringConstraints(max_length=100), AfterValidator(_rule)]
ClockTime = Annotated[str, AfterValidator(_clock)]
