"""When nobody looks any more, the page says so: late, then grey, and never green by mistake."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

import pytest
import requests
from lxml import html
from playwright.sync_api import Page, sync_playwright
from werkzeug.test import Client

from monitor.clock import SystemClock
from monitor.station.reader import DatabaseReader
from monitor.store import observations
from tests.conftest import SteppingClock
from tests.journeys import facts
from tests.journeys.house import ROOT, House, running, wait_for
from web.application import create_server_application

pytestmark = [pytest.mark.journey, pytest.mark.system("nginx"), pytest.mark.timeout(300)]

SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
ZONE = ZoneInfo("America/Guayaquil")
GREEN = "#0f7a46"
# The colours of a state that is fine, light and dark, as a browser reports them.
GREENS = {"rgb(15, 122, 70)", "rgb(67, 195, 132)"}
COLOURS_OF_THE_PRESENT = """() => [...document.querySelectorAll('section.now, section.now *, .group .title *, tr.state *')]
  .filter((each) => each.checkVisibility())
  .flatMap((each) => { const style = getComputedStyle(each); return [style.color, style.fill, style.backgroundColor]; })"""


def seen_green(house: House) -> datetime:
    """Run the service until everything is green, stop it, and return when watch was heard last."""
    with running(house):
        wait_for(lambda: facts.is_up(house) and facts.is_up(house, "gye2"), what="the first green")
        assert house.stop() == 0
    heard_at = facts.heard_at(house)
    assert heard_at is not None
    return heard_at


def banner(page: html.HtmlElement) -> list[str]:
    """Return how the banner about the age of the page is called; empty without one."""
    return [str(each.get("class")) for each in page.find_class("banner")]


def states(page: html.HtmlElement) -> set[str]:
    """Return every state that the page claims for the present: of all, of groups, of servers, of services."""
    places = [
        *page.xpath("//section[starts-with(@class, 'group')]/div[@class='title']"),
        *page.find_class("state"),
    ]
    marks = [mark for place in places for mark in place.find_class("mark")]
    assert len(marks) > 4
    return {str(each.get("class")) for each in [*page.find_class("now"), *marks]}


def test_a_page_without_watch_grows_late_then_grey_and_turns_its_days_at_midnight(house: House) -> None:
    """Nothing is written meanwhile: the page moves on by the clock alone."""
    heard_at = seen_green(house)
    clock = SteppingClock(heard_at)
    with facts.opened(house) as database:
        client = Client(create_server_application(DatabaseReader(database, clock)))

        def at(moment: datetime, path: str = "/") -> html.HtmlElement:
            clock.step(moment - clock.now())
            return html.document_fromstring(client.get(path).text)

        fresh = at(heard_at + timedelta(seconds=89))
        assert banner(fresh) == []
        assert states(fresh) == {"now operational", "mark operational"}

        late = at(heard_at + timedelta(seconds=91))
        assert banner(late) == ["banner stale"]

        grey = at(heard_at + timedelta(minutes=5, seconds=1))
        assert banner(grey) == ["banner grey"]
        assert states(grey) == {"now unknown", "mark unknown"}
        assert GREEN not in client.get("/favicon.svg").text
        assert states(at(clock.now(), "/en/")) == {"now unknown", "mark unknown"}
        assert client.get("/readyz").status_code == 503
        assert 'vigia_server_status{server="gye1",status="operational"} 1' not in client.get("/metrics").text

        entries = facts.record(house)
        midnight = (heard_at.astimezone(ZONE) + timedelta(days=1)).replace(
            hour=0, minute=0, second=0, microsecond=0
        )
        assert (
            newest_day(at(midnight - timedelta(seconds=1), "/servers/gye1"))
            == heard_at.astimezone(ZONE).date().isoformat()
        )
        assert newest_day(at(midnight + timedelta(seconds=1), "/servers/gye1")) == midnight.date().isoformat()
        assert facts.record(house) == entries


def newest_day(page: html.HtmlElement) -> str:
    """Return the last day that the bars of a server's page show."""
    return str(page.find_class("linked")[0].xpath("./a/@href")[-1]).removeprefix("#d")


@contextmanager
def served(data: Path) -> Iterator[str]:
    """`python -m web` alone on a data directory; gives its address."""
    (data / "address").unlink(missing_ok=True)
    process = subprocess.Popen(
        [sys.executable, "-m", "web", "--data", str(data), "--listen", "127.0.0.1:0"],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        yield wait_for(lambda: address_of(data), what="the page alone")
    finally:
        process.terminate()
        assert process.wait(60) == 0


def address_of(data: Path) -> str:
    url = f"http://{(data / 'address').read_text().strip()}"
    return url if requests.get(f"{url}/healthz", timeout=5).ok else ""


@pytest.mark.system("/usr/bin/chromium")
def test_a_browser_shows_nothing_green_on_a_grey_page(house: House) -> None:
    """Real processes and a real browser: a phone and a desk, light and dark, both languages."""
    seen_green(house)
    with facts.opened(house) as database, database.writing() as tx:
        observations.beat(tx, "watch", SystemClock().now() - timedelta(minutes=6))
    with served(house.data) as url:
        visit_with_a_browser(url, assert_grey)


def visit_with_a_browser(url: str, look: Callable[[Page, str], None]) -> None:
    """Look at both languages of a page in every size and scheme."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        for width, scheme in product((360, 1280), SCHEMES):
            context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
            page = context.new_page()
            for path, word in (("/", "Sin datos"), ("/en/", "No data")):
                page.goto(url + path)
                look(page, word)
            context.close()
        browser.close()


def assert_grey(page: Page, word: str) -> None:
    assert page.locator(".banner.grey").is_visible()
    assert page.locator("tr.state th .mark").all_inner_texts() == [word, word]
    assert GREENS.isdisjoint(page.evaluate(COLOURS_OF_THE_PRESENT))
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
