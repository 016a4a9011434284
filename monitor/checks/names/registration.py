"""What registries say of a domain, by RDAP or by WHOIS: pure readers of what strangers wrote."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

# A registry that never ends a registration writes 9999; a year before the first domain is a slip.
_YEARS = range(1985, 2300)
_MONTHS = {
    name: number
    for number, names in enumerate(
        ("jan ene", "feb", "mar", "apr abr", "may", "jun", "jul", "aug ago", "sep", "oct", "nov", "dec dic"),
        1,
    )
    for name in names.split()
}
_TIME = (
    r"(?:[ T,]+(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:[.,][0-9]{1,9})?)?"
    r"(?:\s*(?P<zone>Z\b|[+-][0-9]{2}(?::?[0-9]{2})?))?)?"
)
_FORMS = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        r"(?P<year>[0-9]{4})[-/.] ?(?P<month>[0-9]{1,2})[-/.] ?(?P<day>[0-9]{1,2})\.?(?![0-9])" + _TIME,
        r"(?P<year>[0-9]{4})(?P<month>[0-9]{2})(?P<day>[0-9]{2})(?![0-9])",
        r"(?P<day>[0-9]{1,2})[-/. ]{1,2}(?P<month>[0-9]{1,2})[-/. ]{1,2}(?P<year>[0-9]{4})(?![0-9])" + _TIME,
        r"(?P<day>[0-9]{1,2})[-/. ](?P<month>[a-z]{3,10})[-/., ]{1,2}(?P<year>[0-9]{4})(?![0-9])" + _TIME,
        r"(?P<year>[0-9]{4})[-/.](?P<month>[a-z]{3})[-/.](?P<day>[0-9]{1,2})(?![0-9])" + _TIME,
        r"(?:[a-z]{3,9},? )?(?P<month>[a-z]{3,10})[. ]{1,2}(?P<day>[0-9]{1,2})(?:,? )(?P<year>[0-9]{4})(?![0-9])"
        + _TIME,
        # As the C library writes it: Fri Aug 13 04:00:00 UTC 2027.
        r"[a-z]{3} (?P<month>[a-z]{3}) (?P<day>[0-9]{1,2}) (?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})(?: [a-z]{3,4})? (?P<year>[0-9]{4})",
    )
)
_LONGEST_DATE = 64
_KEYS = (
    # The registry's own date before the registrar's, which may run ahead of it.
    "registry expiry date",
    "expiry date",
    "expiration date",
    "expiration time",
    "expire date",
    "expires on",
    "expires",
    "expire",
    "expiry",
    "exp date",
    "paid-till",
    "renewal date",
    "valid until",
    "validity",
    "valid-until",
    "record expires on",
    "domain expiration date",
    "domain expires",
    "expiration",
    "expires at",
    "free-date",
    "fecha de expiracion",
    "fecha de vencimiento",
    "vencimiento",
    "expira",
    "data de expiracao",
    "registrar registration expiration date",
    "registrar expiration date",
)
_STATUS_KEYS = frozenset(
    {"domain status", "status", "state", "registration status", "eppstatus", "estado", "domain state"}
)
_UNREGISTERED = re.compile(
    r"^[ \t%#*>-]{0,20}(?:error:[0-9]{1,5}:[ \t]*)?(?:no match\b|not found\b|no entries found|no data found|no object found|no such domain|nothing found|"
    r"object does not exist|no information available|domain not found|(?:the )?domain \S* ?(?:is available|not found|has not been registered)|"
    r"\S+ (?:is available|is free|no match|not found)\b|(?:domain )?status:\s*(?:free|available|not registered)\b|"
    r"el dominio no (?:existe|est[aá] registrado))",
    re.IGNORECASE | re.MULTILINE,
)
_ACCENTS = str.maketrans("áéíóúãçñ", "aeiouacn")
_REFERRAL = re.compile(
    r"^(?:refer|whois):[ \t]+(?:whois://)?([A-Za-z0-9.:\[\]-]{1,253})[ \t]*$", re.IGNORECASE | re.MULTILINE
)
_LINES = 5000
# Unpacked, a text of empty brackets grows to twenty times its size. IANA's list has a fifth of this.
_JSON_LIMIT = 512 * 1024
_STATUSES = 32


class NoRegistrationError(ValueError):
    """What came says nothing of a registration; the argument says what it is instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """What a registry says: when the registration ends (None where it does not say), and statuses as `clienthold`."""

    registered: bool = True
    ends_at: datetime | None = None
    statuses: tuple[str, ...] = ()


UNREGISTERED = Registration(registered=False)


def read_date(text: str) -> datetime | None:
    """Return the moment that one of the common forms writes, None for anything else.

    A day without an hour lasts until its end; an hour without a zone, or in one that has only a name, is taken as UTC. In
    `13.08.2027` the day comes first.
    """
    written = " ".join(text[:_LONGEST_DATE].split())
    for form in _FORMS:
        found = form.match(written)
        if found is not None and (moment := _moment(found.groupdict())) is not None:
            return moment
    return None


def read_rdap(body: bytes, domain: str) -> Registration:
    """Return what an RDAP answer (RFC 9083) says of `domain`; anything else raises NoRegistrationError."""
    answer = _json(body)
    if answer.get("objectClassName") != "domain":
        raise NoRegistrationError("no answer about a domain")
    name = answer.get("ldhName")
    if isinstance(name, str) and name.rstrip(".").lower() != domain:
        raise NoRegistrationError(f"an answer about {name[:80]!r}")
    events = _mappings(answer.get("events"))
    ends = [
        read_date(event["eventDate"])
        for event in events
        if event.get("eventAction") == "expiration" and isinstance(event.get("eventDate"), str)
    ]
    statuses = answer.get("status")
    return Registration(
        ends_at=next((moment for moment in ends if moment is not None), None),
        statuses=_statuses(statuses if isinstance(statuses, list) else []),
    )


def read_bootstrap(body: bytes, domain: str) -> str | None:
    """Return the base address of the RDAP service that IANA's list (RFC 9224) names for the longest suffix of `domain`.

    None where it names none; a list that cannot be read raises NoRegistrationError.
    """
    services = _json(body).get("services")
    labels = domain.split(".")
    best = (0, "")
    for service in services if isinstance(services, list) else []:
        if not (
            isinstance(service, list)
            and len(service) == 2
            and all(isinstance(part, list) for part in service)
        ):
            continue
        suffixes, urls = service
        secure = sorted(
            (url for url in urls if isinstance(url, str)), key=lambda url: not url.startswith("https:")
        )
        for suffix in suffixes:
            length = len(suffix.split(".")) if isinstance(suffix, str) else 0
            if secure and length > best[0] and labels[-length:] == suffix.lower().split("."):
                best = (length, secure[0])
    return best[1] or None


def read_whois(text: str, domain: str) -> Registration:
    """Return what a WHOIS answer says of `domain`; one that says nothing of its registration raises NoRegistrationError."""
    fields = _fields(text)
    by_key: dict[str, list[str]] = {}
    for key, value in fields:
        by_key.setdefault(key, []).append(value)
    above = [name for name in by_key.get("domain", []) if domain.endswith(f".{name.lower()}")]
    if above:
        raise NoRegistrationError(f"a word of {above[0][:80]} alone")
    dates = (read_date(value) for key in _KEYS for value in by_key.get(key, []))
    ends_at = next((moment for moment in dates if moment is not None), None)
    statuses = _statuses(one for key, value in fields if key in _STATUS_KEYS for one in _words(value))
    if _UNREGISTERED.search(text[:20_000]) and ends_at is None:
        return UNREGISTERED
    if ends_at is None and not statuses:
        raise NoRegistrationError("no word of a registration")
    return Registration(ends_at=ends_at, statuses=statuses)


def read_referral(text: str) -> str | None:
    """Return the WHOIS server that an answer of IANA refers to, None if it refers to none."""
    found = _REFERRAL.search(text[:100_000])
    return None if found is None else found[1].rstrip(".").lower()


def _moment(parts: dict[str, str | None]) -> datetime | None:
    month, year = parts["month"] or "", int(parts["year"] or 0)
    number = int(month) if month.isdigit() else _MONTHS.get(month[:3].lower(), 0)
    hour, minute, second = (parts.get(name) for name in ("hour", "minute", "second"))
    if year not in _YEARS:
        return None
    try:
        day = datetime(year, number, int(parts["day"] or 0), 23, 59, 59, tzinfo=UTC)
        if hour is None:
            return day
        zone = _zone(parts.get("zone"))
        return day.replace(
            hour=int(hour), minute=int(minute or 0), second=int(second or 0), tzinfo=zone
        ).astimezone(UTC)
    except ValueError:
        return None


def _zone(text: str | None) -> timezone:
    if text is None or text in "Zz":
        return UTC
    digits = text[1:].replace(":", "").ljust(4, "0")
    away = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-away if text[0] == "-" else away)


def _json(body: bytes) -> dict[str, Any]:
    if len(body) > _JSON_LIMIT:
        raise NoRegistrationError(f"more than {_JSON_LIMIT // 1024} KiB")
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise NoRegistrationError("no JSON") from error
    if not isinstance(answer, dict):
        raise NoRegistrationError("no JSON object")
    return answer


def _mappings(value: object) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _fields(text: str) -> list[tuple[str, str]]:
    """Return the keys, in lower case without dots and brackets, and the values of a WHOIS answer."""
    found: list[tuple[str, str]] = []
    for line in text.splitlines()[:_LINES]:
        key, mark, value = _parted(line[:500].strip())
        if mark:
            found.append((key.strip(" .\t[]").lower().translate(_ACCENTS), value.strip(" .\t")))
    return found


def _parted(line: str) -> tuple[str, str, str]:
    """Part `key: value`, `[key] value` as in Japan, or `key value` where the key is one of those that matter."""
    if line.startswith("["):
        return line.partition("]")
    if ":" in line[:60]:
        return line.partition(":")
    lowered = line.lower()
    key = next(
        (key for key in ("record expires on", "expires on", "valid until") if lowered.startswith(key)), None
    )
    return (key, " ", line[len(key) :]) if key else (line, "", "")


def _words(value: str) -> list[str]:
    """Return the statuses in a line that may go on with the address of their meaning."""
    return re.split(r"https?://|\(", value, maxsplit=1)[0].split(",")


def _statuses(values: Any) -> tuple[str, ...]:
    found = (re.sub(r"[^a-z]", "", value[:80].lower()) for value in values if isinstance(value, str))
    return tuple(dict.fromkeys(status for status in found if status))[:_STATUSES]
