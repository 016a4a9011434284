"""The kinds of value that the configuration holds, each with its own sentence when it is wrong."""

from __future__ import annotations

import ipaddress
import re
from datetime import date, timedelta
from typing import Annotated, Literal
from urllib.parse import urlsplit

from babel.core import get_global
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    SecretStr,
    StringConstraints,
    WithJsonSchema,
)

from monitor.checks.options.durations import format_duration, read_duration
from monitor.checks.policy import RANGES
from monitor.language import LANGUAGES
from monitor.language.phrases import nearest
from monitor.language.refusals import RefusalError
from monitor.language.zones import known_zone
from monitor.maintenance.recurrence import parse_rule

IDENTIFIER = r"^[a-z0-9][a-z0-9-]{0,62}$"
CHECK_NAME = r"^[a-z0-9][a-z0-9._-]{0,62}$"
_WEEKDAY = "(mon|tue|wed|thu|fri|sat|sun)"
WEEKDAYS = rf"^{_WEEKDAY}(-{_WEEKDAY})?(,{_WEEKDAY}(-{_WEEKDAY})?)*$"
COUNTRY = r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$"
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
AUTO = "auto"
MOST_PROBERS = 64
_DURATION = r"^[0-9]{1,9}(ms|s|m|h|d)$"
_HOST = re.compile(r"[^\s/@#?%\\\[\],'\"]{1,253}")
_EMAIL = re.compile(r"[^@\s<>]{1,64}@[^@\s<>]{1,190}")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://.+", re.IGNORECASE | re.DOTALL)
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]|24:00")


def lasting(least: timedelta, most: timedelta) -> BeforeValidator:
    """Return the reader of a duration between two bounds, both allowed."""

    def read(value: object) -> timedelta:
        length = read_duration(value)
        if least <= length <= most:
            return length
        raise RefusalError(
            "configuration.duration.bounds",
            found=value if isinstance(value, str) else format_duration(length),
            least=format_duration(least),
            most=format_duration(most),
        )

    return BeforeValidator(read)


def _listen(value: str) -> str:
    try:
        split_listen(value)
    except ValueError:
        raise RefusalError("configuration.listen", found=value) from None
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
        raise RefusalError("configuration.probers", found=value, most=MOST_PROBERS)
    return value


def _site_url(value: str) -> str:
    try:
        parts = urlsplit(value)
        fit = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fit, parts = False, urlsplit("")
    extra = parts.query or parts.fragment or parts.username or parts.password
    if not fit or extra or any(letter.isspace() for letter in value):
        raise RefusalError("configuration.site_url", found=value)
    return value.rstrip("/")


def _host(value: str) -> str:
    bare = value[1:-1] if value.startswith("[") and value.endswith("]") else value
    try:
        return str(ipaddress.ip_address(bare))
    except ValueError:
        pass
    if not _HOST.fullmatch(value) or ":" in value or value.startswith("-"):
        raise RefusalError("configuration.host", found=value)
    return value


def _address(value: str) -> str:
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        raise RefusalError("configuration.address", found=value) from None


def _name_server(value: str) -> str:
    try:
        host, port = (value, 53) if _is_address(value) else split_listen(value)
        ipaddress.ip_address(host)
    except ValueError:
        raise RefusalError("configuration.name_server", found=value) from None
    if port == 0:
        raise RefusalError("configuration.name_server", found=value)
    return value


def _place(value: str) -> str:
    try:
        host, port = split_listen(value)
        ipaddress.ip_address(host)
    except ValueError:
        raise RefusalError("configuration.place", found=value) from None
    if port == 0:
        raise RefusalError("configuration.place", found=value)
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
        raise RefusalError("configuration.network.none", found=value) from None
    if "/" in value and ipaddress.ip_address(value.partition("/")[0]) != loose.network_address:
        raise RefusalError("configuration.network.host_bits", found=value, nearest=str(loose))
    return str(loose)


def _target_range(value: str) -> str:
    if value in RANGES:
        return value
    try:
        return _network(value)
    except RefusalError:
        near = nearest(value, RANGES)
        key = "configuration.target_range.near" if near else "configuration.target_range.far"
        raise RefusalError(key, found=value, nearest=near or "", allowed=", ".join(RANGES)) from None


def _email(value: str) -> str:
    if not _EMAIL.fullmatch(value):
        raise RefusalError("configuration.email", found=value)
    return value


def _operator_url(value: SecretStr) -> SecretStr:
    if not _SCHEME.fullmatch(value.get_secret_value()):
        raise RefusalError("configuration.operator_url")
    return value


def _rule(value: str) -> str:
    parse_rule(value)
    return value


def _clock(value: str) -> str:
    if not _CLOCK.fullmatch(value):
        raise RefusalError("configuration.clock", found=value)
    return value


def _date(value: str) -> str:
    try:
        return date.fromisoformat(value).isoformat()
    except ValueError:
        raise RefusalError("configuration.date", found=value) from None


def _country(value: str) -> str:
    # The codes of countries that have money of their own: all that there are, and ZZ for none.
    code = value.partition("-")[0]
    if code == "ZZ" or code not in get_global("territory_currencies"):
        raise RefusalError("configuration.country", found=value)
    return value


def weekdays_of(written: str) -> tuple[int, ...]:
    """Return the days of the week (0 is Monday) that `mon-fri` or `mon,wed,fri` names; `sat-mon` goes over Sunday."""
    found: set[int] = set()
    for part in written.split(","):
        first, _, last = part.partition("-")
        start, end = _DAYS.index(first), _DAYS.index(last or first)
        found |= {day % 7 for day in range(start, (end if end >= start else end + 7) + 1)}
    return tuple(sorted(found))


def minutes_of(written: str) -> int:
    """Return the minutes from midnight to a time of day such as `08:30`."""
    hours, _, minutes = written.partition(":")
    return int(hours) * 60 + int(minutes)


def _spread(value: object) -> object:
    """A text without languages is the same in all of them."""
    if isinstance(value, str):
        return dict.fromkeys(LANGUAGES, value)
    if not isinstance(value, dict) or not value:
        raise RefusalError("configuration.texts", found=value)
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
Country = Annotated[str, Field(pattern=COUNTRY), AfterValidator(_country)]
Date = Annotated[str, AfterValidator(_date), WithJsonSchema({"type": "string", "format": "date"})]
ListenAddress = Annotated[str, AfterValidator(_listen)]
Probers = Annotated[
    int | Literal["auto"],
    BeforeValidator(_probers),
    WithJsonSchema({"anyOf": [{"const": AUTO}, {"type": "integer", "minimum": 1, "maximum": MOST_PROBERS}]}),
]
Zone = Annotated[str, AfterValidator(known_zone)]
SiteUrl = Annotated[str, AfterValidator(_site_url)]
Host = Annotated[str, AfterValidator(_host)]
Address = Annotated[str, AfterValidator(_address)]
NameServer = Annotated[str, AfterValidator(_name_server)]
Place = Annotated[str, AfterValidator(_place)]
Network = Annotated[str, AfterValidator(_network)]
TargetRange = Annotated[str, AfterValidator(_target_range)]
Email = Annotated[str, AfterValidator(_email)]
OperatorUrl = Annotated[SecretStr, AfterValidator(_operator_url)]
WindowRule = Annotated[str, StringConstraints(max_length=100), AfterValidator(_rule)]
ClockTime = Annotated[str, AfterValidator(_clock)]
