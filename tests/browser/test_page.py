"""What a browser makes of the pages: readable for everybody, on a phone as on a desk, with and without scripts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests.web import scenes
from tests.web.builders import ulid_of
from tests.web.scenes import SCENES

pytestmark = [pytest.mark.system("/usr/bin/chromium"), pytest.mark.timeout(300)]

RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]}}
OTHERS = (
    "/servers/gye1",
    f"/incidents/{ulid_of(1)}",
    "/windows/router",
    "/history/2026-11",
    "/support",
    "/nope",
)


@pytest.fixture(params=["light", "dark"])
def sight(request, browser: Browser) -> Iterator[Page]:
    """A page in one of both colour schemes."""
    context = browser.new_context(color_scheme=request.param, viewport={"width": 1280, "height": 900})
    yield context.new_page()
    context.close()


@pytest.fixture
def phone(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 360, "height": 740})
    yield context.new_page()
    context.close()


def violations(page: Page) -> list[str]:
    """Return what the accessibility rules find wrong, with the place."""
    found = Axe().run(page, options=RULES).response["violations"]
    return [f"{rule['id']}: {node['html'][:120]}" for rule in found for node in rule["nodes"]]


@pytest.mark.parametrize("scene", SCENES)
def test_the_front_page_can_be_used_by_everybody(stage, sight, scene):
    stage.show(SCENES[scene]())
    # One language with each scheme: words and colours do not depend on each other.
    dark = sight.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    sight.goto(stage.url + ("/en/" if dark else "/"))

    assert violations(sight) == []


@pytest.mark.parametrize("path", OTHERS)
def test_the_other_pages_can_be_used_by_everybody(stage, sight, path):
    stage.show(scenes.many())
    sight.goto(stage.url + path)
    sight.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")

    assert violations(sight) == []


@pytest.mark.parametrize("scene", SCENES)
def test_nothing_is_wider_than_a_phone(stage, phone, scene):
    stage.show(SCENES[scene]())
    paths = ["/", "/en/", "/history/2026-11", "/support", "/en/support"]
    paths += [f"/servers/{server.id}" for server in stage.reader.present.servers()[:2]]
    paths += [f"/incidents/{incident.id}" for incident in stage.reader.present.open_incidents]
    for path in paths:
        phone.goto(stage.url + path)
        assert phone.evaluate("document.documentElement.scrollWidth") <= 360, path


def test_the_page_breaks_none_of_its_own_rules(stage, sight):
    """The browser reports every byte that the content policy stops."""
    said: list[str] = []
    sight.on("console", lambda message: said.append(message.text))
    sight.on("pageerror", lambda error: said.append(str(error)))
    stage.show(scenes.many())
    for path in ("/", "/en/servers/gye1"):
        sight.goto(stage.url + path)

    assert said == []


def test_a_phone_shows_thirty_days_and_a_desk_ninety(stage, sight, phone):
    stage.show(scenes.fine())
    shown = """() => {
      const strip = document.querySelector('.strip .crop').getBoundingClientRect();
      const bars = document.querySelector('.strip svg').getBoundingClientRect();
      return [Math.round(90 * strip.width / bars.width), Math.round(bars.right - strip.right)];
    }"""
    sight.goto(stage.url)
    phone.goto(stage.url)

    assert sight.evaluate(shown) == [90, 0]
    assert phone.evaluate(shown) == [30, 0]


def test_the_page_is_complete_without_scripts(stage, browser):
    stage.show(scenes.one_down())
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(stage.url)

        assert page.locator("h1").inner_text() == "El correo de gye1.nodored.com está fuera de servicio"
        page.locator("summary").first.click()
        assert page.locator("table.plain").first.is_visible()


def test_an_open_page_follows_what_happens_and_says_it(stage, phone):
    """The browser's own clock is moved on, so that nobody waits for the half minute between two looks."""
    stage.show(scenes.fine())
    phone.clock.install()
    phone.goto(stage.url)
    stage.show(scenes.one_down())

    phone.clock.fast_forward(31_000)
    phone.locator("h1", has_text="El correo de gye1.nodored.com").wait_for()

    assert phone.locator("body > p[role=status]").text_content() == (
        "El correo de gye1.nodored.com está fuera de servicio"
    )
    assert phone.title().startswith("El correo de gye1")


def test_an_open_page_that_lost_us_says_so(stage, phone):
    stage.show(scenes.fine())
    phone.clock.install()
    phone.goto(stage.url)
    phone.context.set_offline(offline=True)

    phone.clock.fast_forward(121_000)
    phone.locator("#lost").wait_for()

    assert "perdió la conexión" in phone.locator("#lost").inner_text()


def test_the_first_key_leads_past_the_header(stage, sight):
    stage.show(scenes.fine())
    sight.goto(stage.url)
    sight.keyboard.press("Tab")

    assert sight.evaluate("document.activeElement.getAttribute('href')") == "#content"
    assert sight.locator(".skip").is_visible()


def test_the_table_behind_the_bars_opens_where_a_day_leads(stage, sight):
    stage.show(scenes.one_down())
    sight.goto(stage.url + "/servers/gye1")
    sight.locator("svg.linked a").nth(87).focus()
    sight.keyboard.press("Enter")

    assert sight.locator("#d2026-11-20").is_visible()
    assert "34 min fuera de servicio" in sight.locator("#d2026-11-20").inner_text()
