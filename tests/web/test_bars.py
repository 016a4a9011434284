"""Ninety days in a picture of few bytes that also speaks."""

from __future__ import annotations

import pytest
from lxml import html

from monitor.health.words import Status
from monitor.status.snapshot import Day
from tests.web.builders import NOW, SITE, a_day, days
from web.public.bars import HEIGHT, LEAST, STEP, day_words, linked_strip, strip, summary
from web.reading import Reading

ES = Reading(language="es", site=SITE)


def drawn(history: tuple[Day, ...]) -> html.HtmlElement:
    return html.fragment_fromstring(str(strip(history, ES).picture))


def heights(picture: html.HtmlElement, look: str) -> list[int]:
    """Return how tall the lost share of each day of a look stands."""
    paths = picture.xpath(f'.//path[@class="{look}"]/@d')
    return [int(path.rpartition("v")[2].removesuffix("z")) for path in paths]


def test_a_plain_history_is_one_shape():
    picture = drawn(days())

    assert [shape.get("fill") for shape in picture.iter("path")] == ["url(#f)"]
    assert len(str(strip(days(), ES).picture)) < 250


def test_the_newest_day_is_flush_right_and_thirty_days_are_a_third():
    box = drawn(days()).get("viewbox").split()

    assert box == ["0", "0", str(90 * STEP), str(HEIGHT)]


@pytest.mark.parametrize(
    ("lost_s", "expected"),
    [(0, LEAST), (60, LEAST), (43_200, LEAST + (HEIGHT - LEAST) // 2), (86_400, HEIGHT)],
)
def test_height_tells_the_share_of_the_day_that_was_lost(lost_s, expected):
    picture = drawn(days(back_3=a_day(Status.MAJOR_OUTAGE, down_s=lost_s)))

    assert heights(picture, "x") == pytest.approx([expected], abs=1)


def test_maintenance_is_hatched_and_a_day_without_data_hollow():
    picture = drawn(days(back_3=a_day(Status.UNDER_MAINTENANCE, maintenance_s=60), back_5=a_day(None)))

    assert sorted(shape.get("fill") for shape in picture.iter("path")) == ["url(#f)", "url(#n)", "url(#w)"]


def test_an_eventful_day_tells_its_story():
    day = a_day(Status.MAJOR_OUTAGE, down_s=720, degraded_s=60, incidents=("a", "b"))
    picture = drawn(days(back_0=day))

    assert picture.findtext(".//title") == (
        "22 de noviembre: 12 min fuera de servicio · 1 min con fallas leves · 2 incidentes"
    )


def test_a_day_that_nobody_looked_at_says_so_and_a_plain_one_too():
    assert day_words(a_day(None), ES) == "Sin datos"
    assert day_words(a_day(Status.OPERATIONAL), ES) == "Sin fallas"


def test_the_picture_has_a_sentence_in_its_stead():
    history = days(
        back_3=a_day(Status.MAJOR_OUTAGE, down_s=3600), back_9=a_day(Status.PARTIAL_OUTAGE, down_s=1800)
    )

    assert drawn(history).get("aria-label") == summary(history, ES)
    assert summary(history, ES) == (
        "Últimos 90 días: 2 días con caídas, 1 hora y 30 minutos fuera de servicio en total."
    )
    assert summary(days(), ES) == "Sin caídas en los últimos 90 días."


def test_nothing_is_claimed_of_days_that_nobody_looked_at():
    unseen = {f"back_{back}": a_day(None) for back in range(1, 90)}

    assert summary(days(**unseen), ES) == "Sin caídas en el único día con datos de los últimos 90."
    assert summary(days(back_3=a_day(None)), ES) == "Sin caídas en los 89 días con datos de los últimos 90."
    assert summary(days(back_0=a_day(None), **unseen), ES) == "Sin datos de los últimos 90 días."


def test_the_table_has_the_eventful_days_newest_first():
    history = days(back_9=a_day(Status.MAJOR_OUTAGE, down_s=60), back_3=a_day(Status.UNDER_MAINTENANCE))

    assert [line.iso for line in strip(history, ES).eventful] == ["2026-11-19", "2026-11-13"]


def test_on_a_servers_page_each_day_leads_to_its_line():
    picture = html.fragment_fromstring(str(linked_strip(days(), ES)))
    links = [link.get("href") for link in picture.iter("a")]

    assert len(links) == 90
    assert links[-1] == f"#d{NOW:%Y-%m-%d}"
