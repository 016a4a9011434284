"""Where a redirect may lead."""

from __future__ import annotations

import pytest

from monitor.checks.browsing.redirects import Hop, Reach, clean_url, follow, may_lead, reach


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1", Reach.MACHINE),
        ("127.8.9.1", Reach.MACHINE),
        ("::1", Reach.MACHINE),
        ("::ffff:127.0.0.1", Reach.MACHINE),
        ("64:ff9b::7f00:1", Reach.MACHINE),
        ("2002:7f00:1::", Reach.MACHINE),
        ("169.254.169.254", Reach.LINK),
        ("fe80::1%eth0", Reach.LINK),
        ("::ffff:169.254.169.254", Reach.LINK),
        ("10.0.0.1", Reach.PRIVATE),
        ("172.16.3.4", Reach.PRIVATE),
        ("192.168.1.1", Reach.PRIVATE),
        ("100.64.0.1", Reach.PRIVATE),
        ("fd00::1", Reach.PRIVATE),
        ("0.0.0.0", Reach.NOWHERE),
        ("::", Reach.NOWHERE),
        ("224.0.0.1", Reach.NOWHERE),
        ("ff02::1", Reach.NOWHERE),
        ("8.8.8.8", Reach.WORLD),
        ("2606:4700::1111", Reach.WORLD),
    ],
)
def test_the_nearness_of_an_address_sees_through_its_clothes(address: str, expected: Reach) -> None:
    assert reach(address) is expected


@pytest.mark.parametrize(
    ("origin", "address", "allowed"),
    [
        ("8.8.8.8", "1.1.1.1", True),
        ("8.8.8.8", "10.0.0.1", False),
        ("8.8.8.8", "169.254.169.254", False),
        ("8.8.8.8", "127.0.0.1", False),
        ("10.0.0.1", "127.0.0.1", False),
        ("10.0.0.1", "10.0.0.2", True),
        ("10.0.0.1", "8.8.8.8", True),
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "0.0.0.0", False),
        (None, "8.8.8.8", True),
        (None, "10.0.0.1", False),
    ],
)
def test_a_redirect_leads_outwards_or_stays(origin: str | None, address: str, allowed: bool) -> None:
    assert may_lead(origin, address) is allowed


HOP = Hop(
    url="https://a.test/login?x=1",
    method="POST",
    headers=(("Cookie", "s=1"), ("Accept", "*/*"), ("Content-Type", "text/plain")),
    body=b"a=1",
)
KEPT = HOP.headers[:2]


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("/home", "https://a.test/home"),
        ("?y=2", "https://a.test/login?y=2"),
        ("//b.test/x", "https://b.test/x"),
        ("https://b.test", "https://b.test/"),
        ("/añadir", "https://a.test/a%C3%B1adir"),
        ("https://año.test/", "https://xn--ao-zja.test/"),
        ("/x#fragment", "https://a.test/x"),
    ],
)
def test_a_location_is_read_as_browsers_read_it(location: str, url: str) -> None:
    assert follow(HOP, 302, location).url == url


@pytest.mark.parametrize(
    ("given", "status", "method"),
    [
        ("POST", 301, "GET"),
        ("POST", 302, "GET"),
        ("POST", 303, "GET"),
        ("POST", 307, "POST"),
        ("POST", 308, "POST"),
        ("PUT", 302, "PUT"),
        ("PUT", 303, "GET"),
        ("DELETE", 303, "GET"),
        ("HEAD", 303, "HEAD"),
    ],
)
def test_a_method_stays_only_where_the_status_says_so(given: str, status: int, method: str) -> None:
    assert follow(HOP._replace(method=given), status, "/x").method == method


@pytest.mark.parametrize(("status", "body"), [(302, None), (307, b"a=1")])
def test_a_body_goes_along_with_its_method_only(status: int, body: bytes | None) -> None:
    onward = follow(HOP, status, "/x")
    assert (onward.body, ("Content-Type", "text/plain") in onward.headers) == (body, body is not None)


@pytest.mark.parametrize("status", [302, 307])
def test_nothing_that_was_sent_goes_to_another_origin_or_back_from_there(status: int) -> None:
    away = follow(HOP, status, "https://b.test/")
    back = follow(away, status, "https://a.test/")
    for hop in (away, back):
        assert (hop.body, hop.headers, hop.trusted) == (None, (("Accept", "*/*"),), False)


@pytest.mark.parametrize(
    ("location", "headers"),
    [
        ("/x", KEPT),
        ("https://b.test/", (("Accept", "*/*"),)),
        ("http://a.test/", (("Accept", "*/*"),)),
        ("https://a.test:8443/", (("Accept", "*/*"),)),
        ("https://a.test:443/", KEPT),
    ],
)
def test_headers_are_for_one_origin(location: str, headers: tuple[tuple[str, str], ...]) -> None:
    assert follow(HOP, 302, location).headers == headers


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", "http://a b/", "http://", "http://a.test\\@b.test/", "http://[::1", "http://˘/"],
)
def test_what_is_no_web_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError):
        clean_url(url)
