"""A page is never greener than what we know: its age is judged whenever it is asked for."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest

from monitor.errors import BusyError
from monitor.health.words import Status
from monitor.incidents.incident import Audience
from monitor.status.snapshot import Freshness
from tests.web import builders, scenes
from tests.web.builders import NOW, snapshot
from web.picture import Picture, aged


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        (timedelta(seconds=89), Freshness.FRESH),
        (timedelta(seconds=90), Freshness.STALE),
        (timedelta(seconds=299), Freshness.STALE),
        (timedelta(minutes=5), Freshness.GREY),
        (timedelta(days=3), Freshness.GREY),
    ],
)
def test_the_age_of_the_last_sign_of_life_decides(reader, clock, age, expected):
    picture = Picture(reader)
    clock.step(age)

    assert picture.current().freshness is expected


def test_the_banner_comes_at_ninety_seconds_and_grey_at_five_minutes(reader, served, clock):
    """Nobody writes anything and nobody makes a new snapshot: time alone turns the page."""
    reader.present = scenes.one_down()
    assert "Datos atrasados" not in served.get("/").text

    clock.step(timedelta(seconds=90))
    late = served.get("/").text
    assert "Datos atrasados" in late
    assert "La última señal del monitoreo llegó a las 10:00, hora de Ecuador" in late

    clock.step(timedelta(seconds=210))
    grey = served.get("/").text
    assert "Sin datos recientes" in grey
    assert "último estado conocido: Caída parcial" in grey
    assert "último estado conocido: Operativo" in grey


@pytest.mark.parametrize("path", ["/", "/en/", "/servers/gye1"])
def test_nothing_is_green_when_the_page_is_grey(reader, page, clock, path):
    clock.step(timedelta(minutes=5))

    shown = page(path)
    claims = shown.xpath(
        "//main//*[contains(@class, 'operational')][not(ancestor::section[contains(@class, 'key')])]"
    )

    assert claims == []
    assert shown.xpath("//link[@rel='icon']/@href") == ["/favicon.svg?unknown"]


def test_the_favicon_loses_its_check_mark_when_the_page_turns_grey(served, clock):
    fine = served.get("/favicon.svg").data
    clock.step(timedelta(minutes=5))

    assert served.get("/favicon.svg").data != fine


def test_a_snapshot_that_calls_itself_grey_is_believed(reader):
    reader.present = snapshot(freshness=Freshness.GREY)

    assert Picture(reader).current().servers()[0].status is Status.UNKNOWN


def test_grey_hides_the_present_and_keeps_the_past():
    before = scenes.fine()
    after = aged(before, Freshness.GREY)

    assert {status for server in after.servers() for status in server.services.values()} == {Status.UNKNOWN}
    assert [server.days for server in after.servers()] == [server.days for server in before.servers()]
    assert [server.last_known for server in after.servers()] == [Status.OPERATIONAL] * 5


def test_a_picture_is_made_once_for_each_state_that_it_is_in(reader, clock):
    picture = Picture(reader)
    clock.step(timedelta(minutes=6))

    assert picture.current() is picture.current()


def test_a_reader_that_fails_leaves_the_last_picture_to_grow_old(reader, clock, served, caplog):
    assert served.get("/").status_code == 200
    reader.fault = BusyError("the database is locked")
    with caplog.at_level(logging.ERROR):
        clock.step(timedelta(minutes=5))
        answers = [served.get("/").text for _ in range(3)]

    assert all("Sin datos recientes" in answer for answer in answers)
    assert len(caplog.records) == 1, "one line, however many visitors"


def test_a_page_that_never_had_a_picture_says_so_without_one(reader, served):
    reader.fault = BusyError("the database is locked")

    answer = served.get("/")

    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "5"
    assert "Vuelva a intentarlo" in answer.text
    reader.fault = None
    assert served.get("/").status_code == 200


def test_what_is_not_for_customers_never_enters_the_picture(reader):
    ours = builders.incident(1, audience=Audience.OPERATORS)
    drill = builders.resolved(2, NOW, timedelta(minutes=1), drill=True)
    theirs = builders.incident(3)
    reader.present = snapshot(open_incidents=(ours, theirs), recent_incidents=(drill,))

    shown = Picture(reader).current()

    assert (shown.open_incidents, shown.recent_incidents) == ((theirs,), ())
