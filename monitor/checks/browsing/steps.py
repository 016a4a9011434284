"""Several requests one after the other, each with what earlier ones brought: a login, and what lies behind it."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import urljoin

from monitor.checks.browsing import json_paths
from monitor.checks.browsing.cookies import Cookies
from monitor.checks.browsing.expectations import judge, read_text
from monitor.checks.browsing.options import HttpCapture, HttpStep
from monitor.checks.browsing.placeholders import NAME, filled, in_a_url
from monitor.checks.browsing.redirects import clean_url, origin_of
from monitor.checks.browsing.session import Session
from monitor.checks.contract import Exchange, TargetFaultError, Verdict
from monitor.checks.options import patterns
from monitor.observation import Cause, Outcome

VALUE_LIMIT = 4096
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


async def walk(session: Session) -> tuple[Exchange, Verdict | None]:
    """Return the last answer and what is wrong: the first step that fails ends it, a slow one only warns.

    Trouble at the target raises TargetFaultError that names the step.
    """
    session.cookies = Cookies(session.tools.now())
    values: dict[str, str] = {}
    slow: tuple[Exchange, Verdict] | None = None
    exchange: Exchange | None = None
    for number, step in enumerate(session.options.steps, 1):
        try:
            exchange, verdict = await _taken(session, step, values)
        except TargetFaultError as fault:
            fault.look = replace(fault.look, found=_at(number, step, fault.look.found))
            raise
        if verdict is not None:
            named = replace(verdict, found=_at(number, step, verdict.found))
            if verdict.outcome is Outcome.DOWN:
                return exchange, named
            slow = slow or (exchange, named)
    assert exchange is not None, "a check with steps has at least one"  # noqa: S101 - `walk` is called for no other
    return slow or (exchange, None)


async def _taken(session: Session, step: HttpStep, values: dict[str, str]) -> tuple[Exchange, Verdict | None]:
    """Take one step; what it captures is added to `values`."""
    before_ms = session.took_ms
    hop = session.step_hop(step_url(session.options.url, step.url, values), step, values)
    exchange = await session.answer(hop, step.expect)
    verdict = judge(exchange, step.expect, session.took_ms - before_ms)
    if verdict is not None and verdict.outcome is Outcome.DOWN:
        return exchange, verdict
    for name, capture in step.capture.items():
        try:
            values[name] = captured(capture, exchange, session.cookies)
        except ValueError as error:
            return exchange, Verdict(Outcome.DOWN, Cause.CONTENT, f"no {name} in the answer: {error}")
        session.hide(values[name], f"{{{name}}}")
    return exchange, verdict


def step_url(base: str, written: str, values: Mapping[str, str]) -> str:
    """Return the clean URL of a step. Values that came back choose a path and a query, never a host.

    A value that makes it impossible, or leads to another origin, raises TargetFaultError.
    """
    meant = origin_of(clean_url(urljoin(base, NAME.sub("name", written))))
    try:
        url = clean_url(urljoin(base, filled(written, in_a_url(values))))
    except ValueError as error:
        raise TargetFaultError(Cause.CONTENT, f"what was captured makes no address: {error}") from error
    if origin_of(url) != meant:
        raise TargetFaultError(Cause.CONTENT, f"what was captured leads astray, to {url[:80]}")
    return url


def captured(capture: HttpCapture, exchange: Exchange, cookies: Cookies | None) -> str:
    """Return the value that an answer holds at a place; ValueError says that there is none, or none that can be sent."""
    value = _found(capture, exchange, cookies)
    if value is None:
        raise ValueError("it is missing")
    if len(value) > VALUE_LIMIT:
        raise ValueError(f"it is longer than {VALUE_LIMIT} characters")
    if _CONTROL.search(value):
        raise ValueError("it holds a line break or another control character")
    return value


def _found(capture: HttpCapture, exchange: Exchange, cookies: Cookies | None) -> str | None:
    if capture.cookie is not None:
        return None if cookies is None else cookies.value(capture.cookie)
    if capture.header is not None:
        return exchange.header(capture.header)
    text = read_text(exchange)
    if text is None:
        raise ValueError("the body came packed and cannot be read")
    if capture.path is not None:
        return _of_json(text, capture.path)
    found = patterns.group_in(capture.matches or "", text)
    # A page writes `&` as `&amp;`; what a browser would send is the character.
    is_page = "html" in (exchange.header("content-type") or "").lower()
    return html.unescape(found) if found is not None and is_page else found


def _of_json(text: str, path: str) -> str | None:
    try:
        document = json_paths.read_json(text)
    except ValueError as error:
        raise ValueError(f"the body is no JSON: {error}") from None
    values = json_paths.selected(path, document)
    if not values or values[0] is None:
        return None
    if isinstance(values[0], dict | list):
        raise ValueError("it is no single value")  # noqa: TRY004 - what is wrong with a value is a ValueError here
    return values[0] if isinstance(values[0], str) else json.dumps(values[0])


def _at(number: int, step: HttpStep, found: str) -> str:
    return f"step {number} ({step.url[:60]}): {found}"
