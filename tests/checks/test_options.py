"""Options of every kind: short forms, defaults, refusals, and the schema that editors get."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from monitor.checks import KINDS
from monitor.checks.building import build
from monitor.checks.contract import Kind
from monitor.checks.options.durations import format_duration, parse_duration
from monitor.errors import NotFoundError, RefusedError
from monitor.health.words import Service
from monitor.language import LANGUAGES, text
from monitor.observation import Cause
from tests.servers.looking import NO_SECRETS, TestSecrets

SHORT: dict[str, tuple[object, dict[str, Any]]] = {
    "http": ("https://www.test/login", {"url": "https://www.test/login"}),
    "tcp": (22, {"host": "gye1.test", "port": 22}),
    "tls": ("mail.test:993", {"host": "mail.test", "port": 993}),
    "ping": ("192.0.2.3", {"host": "192.0.2.3"}),
    "ntp": ("192.0.2.123", {"host": "192.0.2.123"}),
    "ldap": ("ldap.test:636", {"host": "ldap.test", "port": 636}),
    "smtp": (587, {"host": "gye1.test", "port": 587}),
    "imap": ("mail.test:993", {"host": "mail.test", "port": 993}),
    "pop3": (995, {"host": "gye1.test", "port": 995}),
    "mysql": ("db.test:3307", {"host": "db.test", "port": 3307}),
    "postgresql": (5433, {"host": "gye1.test", "port": 5433}),
    "redis": (6380, {"host": "gye1.test", "port": 6380}),
    "memcached": ("cache.test:11212", {"host": "cache.test", "port": 11212}),
    "dns": ("www.test", {"query": "www.test"}),
    "blocklist": ("192.0.2.10", {"addresses": ["192.0.2.10"]}),
    "domain": ("example.test", {"domain": "example.test"}),
    "ssh": (2222, {"host": "gye1.test", "port": 2222}),
    "ftp": ("ftp.test:990", {"host": "ftp.test", "port": 990}),
    "heartbeat": ("24h", {"every": "24h"}),
}

WHOLE: dict[str, dict[str, Any]] = {
    "host": {"load": {"warn": 2}},
    "prometheus": {"url": "http://gye1.test:9090", "query": "up", "expect": {"min": 1}},
    # The one program that lies where it does everywhere, and that belongs to root.
    "nagios": {"command": ["sh", "-c", 7, "${SECRET}"], "folders": ["/bin"]},
    "mailflow": {
        "from": "probe@gye1.test",
        "imap": {"login": {"user": "probe", "password": "${SECRET}"}, "also": ["Junk"]},
    },
}


def options_of(kind: Kind, given: dict[str, Any], host: str = "gye1.test") -> BaseModel:
    return kind.options.model_validate(kind.complete(given, host))


@pytest.mark.parametrize("name", SHORT)
def test_a_short_form_is_completed_by_the_host(name: str) -> None:
    kind = KINDS[name]
    value, expected = SHORT[name]
    options = options_of(kind, kind.short(value))
    assert {key: getattr(options, key) for key in expected} == expected


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("value", [None, True, 3.5, [], "no port", 70000])
def test_a_wrong_short_form_is_a_value_error_at_the_latest_by_validation(name: str, value: object) -> None:
    kind = KINDS[name]
    if name == "ping" and value == "no port":
        value = "no host"
    with pytest.raises(ValueError) as raised:
        options_of(kind, kind.short(value))
    assert str(raised.value)


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind.bare])
def test_a_bare_kind_needs_nothing_but_a_host(name: str) -> None:
    assert options_of(KINDS[name], {})


def test_an_ipv6_host_is_bracketed_in_a_url() -> None:
    assert KINDS["http"].complete({}, "2001:db8::1") == {"url": "http://[2001:db8::1]/"}


@pytest.mark.parametrize(
    ("name", "given", "service"),
    [
        ("http", {"url": "https://a.test/"}, Service.WEB),
        ("http", {"url": "https://a.test:2083/"}, Service.PANEL),
        ("http", {"url": "http://a.test:3999/"}, Service.WEB),
        ("http", {"url": "http://${VIGIA_LISTEN}/"}, Service.WEB),
        ("tcp", {"port": 3306}, Service.DATABASES),
        ("tcp", {"port": 21}, Service.FILES),
        ("tcp", {"port": 53}, Service.NAMES),
        ("tcp", {"port": 1234}, Service.NETWORK),
        ("tls", {}, Service.WEB),
        ("tls", {"port": 993}, Service.MAIL),
        ("ping", {}, Service.NETWORK),
        ("host", {"disk": {}}, Service.FILES),
        ("mysql", {}, Service.DATABASES),
        ("postgresql", {}, Service.DATABASES),
        ("redis", {}, Service.DATABASES),
        ("memcached", {}, Service.DATABASES),
    ],
)
def test_the_service_follows_from_kind_and_options(
    name: str, given: dict[str, Any], service: Service
) -> None:
    assert KINDS[name].service(options_of(KINDS[name], given)) is service


@pytest.mark.parametrize(
    ("name", "given", "sentence"),
    [
        ("http", {"url": "ftp://a.test/"}, "expected a web address"),
        ("http", {"url": "file:///etc/passwd"}, "expected a web address"),
        ("http", {"url": "https://user:secret@a.test/"}, "do not belong into a web address"),
        ("http", {"url": "https://"}, "expected a web address with a host"),
        ("http", {"url": "https://a.test/ b"}, "with a blank"),
        ("http", {"url": "https://a.test:99999/"}, "a port from 1 to 65535"),
        ("http", {"url": "https://a.test/", "headers": {"X": "a\r\nEvil: b"}}, "line break"),
        ("http", {"url": "https://a.test/", "headers": {"X Y": "a"}}, "expected the name of a header"),
        ("http", {"url": "https://a.test/", "expect": {"status": "20x"}}, "expected an HTTP status"),
        ("http", {"url": "https://a.test/", "expect": {"status": []}}, "at least one status"),
        ("http", {"url": "https://a.test/", "expect": {"within": 2}}, "write 2s"),
        ("http", {"url": "https://a.test/", "expect": {"within": "0s"}}, "longer than nothing"),
        ("http", {"url": "https://a.test/", "expect": {"body": {"contains": ""}}}, "none of them empty"),
        ("http", {"url": "https://a.test/", "metod": "GET"}, "Extra inputs"),
        ("tcp", {"port": 0}, "greater than or equal to 1"),
        ("tcp", {"port": "22"}, "valid integer"),
        ("tcp", {"port": 22, "host": "-oProxyCommand"}, "expected a name or an address"),
        ("tcp", {"port": 22, "host": "https://a.test"}, "expected a name or an address"),
        ("ping", {"host": "a b"}, "expected a name or an address"),
        ("ping", {"count": 1000}, "less than or equal to 20"),
        ("host", {"disk": {"path": "var"}}, "match pattern"),
    ],
)
def test_nonsense_is_refused_with_a_sentence(name: str, given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError) as raised:
        options_of(KINDS[name], given)
    assert sentence in str(raised.value)


@pytest.mark.parametrize("name", KINDS)
def test_every_option_is_described_in_the_schema(name: str) -> None:
    schema = KINDS[name].options.model_json_schema()
    models = [schema, *schema.get("$defs", {}).values()]
    assert [
        key
        for model in models
        for key, option in model["properties"].items()
        if not option.get("description")
    ] == []


@pytest.mark.parametrize("name", KINDS)
def test_options_survive_the_journal(name: str) -> None:
    """An applied inventory is written as JSON and read back."""
    kind = KINDS[name]
    given = kind.short(SHORT[name][0]) if name in SHORT else WHOLE[name]
    options = options_of(kind, given)
    assert kind.options.model_validate(json.loads(options.model_dump_json())) == options


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_cause_and_kind_has_words(language: str) -> None:
    assert all(text(f"cause.{cause.value}", language) for cause in Cause)
    assert all(text(f"check.kind.{name}", language) for name in KINDS)


def test_an_unknown_kind_names_the_known() -> None:
    with pytest.raises(NotFoundError, match="http, tcp, tls, ping"):
        build("gopher", {}, NO_SECRETS)


def test_a_secret_that_makes_options_impossible_is_not_quoted() -> None:
    with pytest.raises(RefusedError) as raised:
        build("http", {"url": "${PLACE}"}, TestSecrets({"PLACE": "ftp://hunter2.test/"}))
    assert "hunter2" not in str(raised.value)
    assert str(raised.value).startswith("the options of this http check cannot be used: url: ")


def test_what_is_shown_keeps_the_reference() -> None:
    check = build("http", {"url": "http://${LISTEN}/"}, TestSecrets({"LISTEN": "127.0.0.1:1"}))
    assert check.target == "http://${LISTEN}/"
    assert '"http://${LISTEN}/"' in check.reproduce(timeout=timedelta(seconds=3))
    assert " -m 3 " in check.reproduce(timeout=timedelta(seconds=3))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


# Inputs are drawn while others use the machine too: slowness there says nothing about the claim.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def refusal(read: Callable[[], object]) -> str | None:
    """Return the sentence of a ValueError, None when what was given is accepted; anything else escapes."""
    try:
        read()
    except ValueError as refused:
        return str(refused)
    return None


@pytest.mark.parametrize("name", KINDS)
@unhurried
@given(data=st.data())
def test_options_from_any_json_are_accepted_or_refused_with_a_sentence(
    name: str, data: st.DataObject
) -> None:
    kind = KINDS[name]
    keys = st.sampled_from(sorted(kind.options.model_fields))
    given_options = data.draw(st.dictionaries(keys, JSON, max_size=4))
    assert refusal(lambda: options_of(kind, given_options)) != ""


@pytest.mark.parametrize("name", KINDS)
@unhurried
@given(value=JSON)
def test_short_forms_from_any_json_are_accepted_or_refused_with_a_sentence(name: str, value: object) -> None:
    kind = KINDS[name]
    assert refusal(lambda: options_of(kind, kind.short(value))) != ""


@unhurried
@given(written=st.text(max_size=30))
def test_what_is_no_duration_is_refused_with_what_would_be_one(written: str) -> None:
    said = refusal(lambda: parse_duration(written))
    assert said is None or "15s, 5m, 2h or 14d" in said


@unhurried
@given(written=st.from_regex(r"[0-9]{1,9}(ms|s|m|h|d)", fullmatch=True))
def test_a_duration_is_written_back_as_the_same_length(written: str) -> None:
    length = parse_duration(written)
    assert parse_duration(format_duration(length)) == length


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("500ms", timedelta(milliseconds=500)),
        ("15s", timedelta(seconds=15)),
        ("5m", timedelta(minutes=5)),
        ("2h", timedelta(hours=2)),
        ("14d", timedelta(days=14)),
        ("90s", timedelta(seconds=90)),
    ],
)
def test_durations_are_what_they_say(text: str, length: timedelta) -> None:
    assert parse_duration(text) == length


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_stands_in_the_module_of_its_name(name):
    """Only so can it be read when it is asked for."""
    assert KINDS[name].name == name
    assert name in KINDS
