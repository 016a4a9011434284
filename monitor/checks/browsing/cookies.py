"""The cookies of one look: kept while it lasts, sent back as browsers do (RFC 6265), few and small. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from monitor.checks.contract import Exchange
from monitor.checks.options.targets import is_address

COOKIES_LIMIT = 50
BYTES_LIMIT = 64 * 1024
_ONE_LIMIT = 8 * 1024
# A control character could end the header in which a cookie goes back.
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_WHOLE = re.compile(r"-?[0-9]{1,18}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cookie:
    """A cookie with where it goes: to `domain` itself, and with `below` to all under it."""

    name: str
    value: str
    domain: str
    below: bool
    path: str
    secure: bool

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes a cookie that is set again the same one."""
        return self.domain, self.path, self.name

    def goes_to(self, scheme: str, host: str, path: str) -> bool:
        """Does a browser send it there?"""
        at_host = host == self.domain or (self.below and host.endswith(f".{self.domain}"))
        under = path == self.path or path.startswith(self.path.rstrip("/") + "/")
        return at_host and under and (scheme == "https" or not self.secure)


class Cookies:
    """What servers set on the way; `now` is the moment of the look, by which the end of a cookie is judged."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._kept: dict[tuple[str, str, str], Cookie] = {}

    def take(self, url: str, exchange: Exchange) -> None:
        """Keep what an answer from `url` sets; beyond the limits those that came first are forgotten."""
        if b"set-cookie" not in exchange.head.lower():
            return
        given = [value for name, value in exchange.headers if name.lower() == "set-cookie"]
        for value in given[:COOKIES_LIMIT]:
            cookie = read_cookie(value, url)
            if cookie is not None:
                self._kept.pop(cookie.key, None)
                if not _is_over(value, self._now):
                    self._kept[cookie.key] = cookie
        self._forget()

    def header(self, url: str) -> str:
        """Return what the header Cookie says to `url`, empty when there is nothing to say."""
        if not self._kept:
            return ""
        parts = urlsplit(url)
        going = [
            cookie
            for cookie in self._kept.values()
            if cookie.goes_to(parts.scheme, parts.hostname or "", parts.path or "/")
        ]
        going.sort(key=lambda cookie: -len(cookie.path))
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in going)

    def value(self, name: str) -> str | None:
        """Return the value of a cookie, the one that was set last if there are several of that name."""
        return self.values().get(name)

    def values(self) -> dict[str, str]:
        """Return every value by the name of its cookie."""
        return {cookie.name: cookie.value for cookie in self._kept.values()}

    def _forget(self) -> None:
        room = BYTES_LIMIT
        for kept, key in enumerate(reversed(list(self._kept))):
            # As it goes back: with `=`, and `; ` before the next.
            room -= len(self._kept[key].name) + len(self._kept[key].value) + 3
            if kept >= COOKIES_LIMIT or room < 0:
                del self._kept[key]


def read_cookie(text: str, url: str) -> Cookie | None:
    """Return the cookie that a header Set-Cookie of an answer from `url` sets; None when a browser would not take it."""
    if len(text) > _ONE_LIMIT or _CONTROL.search(text):
        return None
    name, sign, value = text.partition(";")[0].partition("=")
    if not sign or not name.strip():
        return None
    said = _attributes(text)
    parts = urlsplit(url)
    host = parts.hostname or ""
    domain = said.get("domain", "").removeprefix(".").lower()
    # `ec` is nobody's domain; which longer ones are nobody's either does not matter within one look.
    if (
        domain
        and domain != host
        and (is_address(host) or "." not in domain or not host.endswith(f".{domain}"))
    ):
        return None
    path = said.get("path", "")
    return Cookie(
        name=name.strip(),
        value=value.strip(),
        domain=domain or host,
        below=bool(domain) and not is_address(host),
        path=path if path.startswith("/") else _folder(parts.path),
        secure="secure" in said,
    )


def _attributes(text: str) -> dict[str, str]:
    pairs = [part.partition("=") for part in text.split(";")[1:]]
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _is_over(text: str, now: datetime) -> bool:
    """Does a server take the cookie back by an end that has passed? `Max-Age` counts more than `Expires`."""
    said = _attributes(text)
    age = said.get("max-age", "")
    if _WHOLE.fullmatch(age):
        return int(age) <= 0
    try:
        ends = parsedate_to_datetime(said.get("expires", ""))
        return (ends if ends.tzinfo else ends.replace(tzinfo=UTC)) <= now
    except (ValueError, TypeError, IndexError, OverflowError):
        return False


def _folder(path: str) -> str:
    """Return the path that a cookie belongs to that names none: that of the page, up to its last `/`."""
    return path.rpartition("/")[0] or "/"
