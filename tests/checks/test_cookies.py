"""The cookies of one look."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from monitor.checks.browsing.cookies import BYTES_LIMIT, COOKIES_LIMIT, Cookies
from monitor.checks.contract import Exchange

NOW = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)


def setting(*cookies: str) -> Exchange:
    head = "HTTP/1.1 200 OK\r\n" + "".join(f"Set-Cookie: {cookie}\r\n" for cookie in cookies) + "\r\n"
    return Exchange(
        status=200, head=head.encode("latin-1"), body=b"", truncated=False, phases={}, address="192.0.2.1"
    )


def kept(url: str, *cookies: str) -> Cookies:
    found = Cookies(NOW)
    found.take(url, setting(*cookies))
    return found


@pytest.mark.parametrize(
    ("cookie", "url", "sent"),
    [
        ("a=1", "https://www.site.test/x", "a=1"),
        ("a=1", "https://www.site.test:8443/", "a=1"),
        ("a=1", "https://other.site.test/", ""),
        ("a=1", "https://deep.www.site.test/", ""),
        ("a=1", "https://www.site.test.evil.test/", ""),
        ("a=1; Secure", "http://www.site.test/", ""),
        ("a=1; Path=/panel", "https://www.site.test/", ""),
        ("a=1; Path=/login", "https://www.site.test/login/x", "a=1"),
        ("a=1; Domain=site.test", "https://mail.site.test/", "a=1"),
        ("a=1; Domain=test", "https://mail.site.test/", ""),
        ("a=1; Domain=other.test", "https://other.test/", ""),
        ("a=1; Max-Age=0", "https://www.site.test/", ""),
        ("a=1; Expires=Thu, 01-Jan-1970 00:00:00 GMT", "https://www.site.test/", ""),
        ("a=1; Expires=Wed, 09 Jun 2031 10:18:14 GMT", "https://www.site.test/", "a=1"),
        ("a=1; Expires=soon", "https://www.site.test/", "a=1"),
        ("a=1; Max-Age=5; Expires=Thu, 01-Jan-1970 00:00:00 GMT", "https://www.site.test/", "a=1"),
        ("a=1; Max-Age", "https://www.site.test/", "a=1"),
        ("a=1; Path=/log", "https://www.site.test/login", ""),
        ("a=1; Path=relative", "https://www.site.test/login", "a=1"),
        ("a=1; Domain=.www.site.test", "https://deep.www.site.test/", "a=1"),
        ("a=b=c", "https://www.site.test/", "a=b=c"),
        ("a", "https://www.site.test/", ""),
        ("=a", "https://www.site.test/", ""),
        ("a=x\ry", "https://www.site.test/", ""),
        (f"a={'x' * 9000}", "https://www.site.test/", ""),
        ("a=1; Max-Age=60; SameSite=Strict; HttpOnly; Priority=High", "https://www.site.test/", "a=1"),
        ('a="b c"', "https://www.site.test/", 'a="b c"'),
        ("", "https://www.site.test/", ""),
    ],
)
def test_a_cookie_goes_where_a_browser_would_send_it(cookie: str, url: str, sent: str) -> None:
    assert kept("https://www.site.test/login", cookie).header(url) == sent


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost"])
def test_a_host_without_a_domain_keeps_its_cookies(host: str) -> None:
    found = kept(f"http://{host}:8080/", "a=1")
    assert found.header(f"http://{host}:8080/b") == "a=1"
    assert found.header("http://127.0.0.2:8080/b") == ""


def test_a_cookie_that_is_set_again_has_its_new_value() -> None:
    found = kept("http://a.test/", "s=1", "t=2")
    found.take("http://a.test/", setting("s=3", "t=; Max-Age=0"))
    assert (found.header("http://a.test/"), found.value("s"), found.value("t")) == ("s=3", "3", None)


def test_cookies_are_few_and_small() -> None:
    found = kept("http://a.test/", *(f"a{number}=x" for number in range(200)))
    found.take("http://a.test/", setting(*(f"b{number}=x" for number in range(200))))
    assert len(found.values()) == COOKIES_LIMIT
    found.take("http://a.test/", setting(*(f"c{number}={'y' * 6000}" for number in range(10))))
    found.take("http://a.test/", setting(*(f"d{number}={'y' * 6000}" for number in range(10))))
    assert len(found.header("http://a.test/")) <= BYTES_LIMIT
