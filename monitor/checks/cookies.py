"""The cookies of one look: kept while it lasts, sent back by the rules of browsers, few and small."""

from __future__ import annotations

import re
from email.message import Message
from http.cookiejar import Cookie, CookieJar, DefaultCookiePolicy
from urllib.request import Request

from monitor.checks.contract import Exchange

COOKIES_LIMIT = 50
BYTES_LIMIT = 64 * 1024
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
# What a server may set in one head; a head of 64 KiB holds thousands.
_SET_AT_ONCE = COOKIES_LIMIT


class Cookies:
    """What servers set on the way. A cookie goes back to the host that set it, or to the domain that it named above itself."""

    def __init__(self) -> None:
        self._jar = CookieJar(
            DefaultCookiePolicy(
                rfc2965=False,
                hide_cookie2=True,
                strict_domain=True,
                strict_ns_domain=DefaultCookiePolicy.DomainStrictNonDomain,
            )
        )

    def take(self, url: str, exchange: Exchange) -> None:
        """Keep what an answer from `url` sets; beyond the limits those that came first are forgotten."""
        if b"set-cookie:" not in exchange.head.lower():
            return
        head = Message()
        given = [value for name, value in exchange.headers if name.lower() == "set-cookie"]
        for value in given[:_SET_AT_ONCE]:
            # As browsers do: a control character could end the header in which it goes back.
            if not _CONTROL.search(value):
                head["Set-Cookie"] = value
        self._jar.extract_cookies(_Answer(head), Request(url))  # type: ignore[arg-type]  # noqa: S310 - it is not opened
        self._forget()

    def header(self, url: str) -> str:
        """Return what the header Cookie says to `url`, empty when there is nothing to say."""
        if not len(self._jar):
            return ""
        request = Request(url)  # noqa: S310 - it is not opened
        self._jar.add_cookie_header(request)
        return request.get_header("Cookie") or ""

    def value(self, name: str) -> str | None:
        """Return the value of a cookie, the one that was set last if there are several of that name."""
        values = [cookie.value for cookie in self._jar if cookie.name == name]
        return values[-1] if values else None

    def values(self) -> dict[str, str]:
        """Return every value by the name of its cookie."""
        return {cookie.name: cookie.value for cookie in self._jar if cookie.value}

    def _forget(self) -> None:
        room = BYTES_LIMIT
        for kept, cookie in enumerate(reversed(list(self._jar))):
            room -= _size(cookie)
            if kept >= COOKIES_LIMIT or room < 0:
                self._jar.clear(cookie.domain, cookie.path, cookie.name)


class _Answer:
    """The little of a response that a jar asks for."""

    def __init__(self, head: Message) -> None:
        self._head = head

    def info(self) -> Message:
        return self._head


def _size(cookie: Cookie) -> int:
    return len(cookie.name) + len(cookie.value or "") + len(cookie.domain) + len(cookie.path)
