"""What stands on the pages, in both languages, as a browser reads it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from monitor.health.words import Status
from monitor.identifiers import IncidentId, ServerId
from monitor.incidents.incident import Audience, Impact
from monitor.status.snapshot import Freshness
from tests.web import builders, scenes
from tests.web.builders import NOW, group, server, snapshot, ulid_of
from web.reader import Month


def words(element) -> str:
    """Return what a person reads in an element."""
    return " ".join(" ".join(element.itertext()).split())


def section(page, heading: str):
    """Return the part of a page below a heading."""
    return page.xpath(f'//section[h2[contains(., "{heading}")] or div/h2[contains(., "{heading}")]]')[0]


def test_the_front_page_answers_in_the_order_people_ask(reader, page):
    reader.present = scenes.many()

    headings = [words(heading) for heading in page("/").xpath("//main//h1 | //main//h2")]

    assert headings == [
        "2 servidores tienen problemas; el más grave, gye1.nodored.com: fuera de servicio",
        "Incidentes abiertos",
        "Mantenimiento en curso",
        "Próximos mantenimientos",
        "Hosting compartido",
        "Qué significa cada señal",
        "Soporte",
        "Últimos 14 días",
    ]


def test_a_row_is_a_server_and_a_cell_a_service(reader, page):
    reader.present = scenes.one_down()
    table = page("/en/").xpath("//table[contains(@class, 'servers')]")[0]

    assert [words(cell) for cell in table.xpath(".//thead//th")] == [
        "Server",
        "Web",
        "Mail",
        "Panel",
        "Network",
    ]
    assert [words(cell) for cell in table.xpath(".//tbody[1]/tr[1]/*")] == [
        "gye1.nodored.com Partial outage",
        "Operational",
        "Major outage",
        "Operational",
        "Operational",
    ]


def test_every_status_has_a_shape_and_a_word(reader, page):
    reader.present = scenes.many()

    marks = page("/").xpath("//*[contains(concat(' ', @class, ' '), ' mark ')]")

    assert marks
    for mark in marks:
        assert mark.xpath(".//use/@href"), words(mark)
        assert words(mark)


def test_an_open_incident_shows_its_newest_word_and_when_it_was_said(reader, page):
    reader.present = scenes.one_down()

    card = section(page("/"), "Incidentes abiertos").xpath("article")[0]

    assert "ya está avisado" in words(card)
    assert "Última novedad: 22 nov, 09:44" in words(card)
    assert card.xpath(".//time/@datetime") == ["2026-11-22T14:44:00Z", "2026-11-22T14:42:00Z"]
    assert card.xpath(".//h3/a/@href") == [f"/incidents/{ulid_of(1)}"]


def test_the_page_says_when_it_was_true_to_the_minute(reader, page):
    """A page that told seconds would be another page, with another ETag, at every sign of life."""
    reader.present = snapshot(heard_at=NOW + timedelta(seconds=41))

    told = page("/").xpath("//section[contains(@class, 'now')]//time")[0]

    assert words(told) == "Actualizado a las 10:00, hora de Ecuador"
    assert told.get("datetime") == "2026-11-22T15:00:00Z"


def test_the_days_without_incidents_are_told_together_and_today_never_hides_an_open_one(reader, page):
    reader.present = scenes.one_down()

    diary = page("/").xpath("//ol[@class='diary']/li")

    assert [words(day.find("h3")) for day in diary] == ["domingo, 22 de noviembre", "9–21 de noviembre"]
    assert "sin servicio en correo" in words(diary[0])
    assert "Sin incidentes registrados." in words(diary[1])


def test_the_title_and_the_icon_carry_the_state(reader, page):
    reader.present = scenes.one_down()
    front = page("/")

    assert front.findtext(".//title") == "El correo de gye1.nodored.com está fuera de servicio · Nodored"
    assert front.xpath("//link[@rel='icon']/@href") == ["/favicon.svg?partial_outage"]
    assert front.xpath("//meta[@property='og:title']/@content")[0].startswith("El correo de gye1")


def test_each_language_points_to_the_other_and_to_its_own_feeds(page):
    for path, other, feed in (("/", "/en/", "/history.rss"), ("/en/", "/", "/en/history.rss")):
        front = page(path)
        assert front.get("lang") == ("en" if path == "/en/" else "es")
        assert front.xpath("//header//a[@hreflang]/@href") == [other]
        assert f"https://estado.example{feed}" in front.xpath("//link[@type='application/rss+xml']/@href")
        assert front.xpath("//link[@rel='canonical']/@href") == [f"https://estado.example{path}"]


def test_the_browsers_language_never_changes_a_bare_address(visit):
    answers = {
        visit.get("/", headers={"Accept-Language": language}).data
        for language in ("en", "es", "de, en;q=0.9")
    }

    assert len(answers) == 1


def test_a_site_whose_first_language_is_english_speaks_it_at_the_bare_path(reader, visit):
    site = builders.replace(builders.SITE, languages=("en", "es"))
    reader.present = snapshot(site=site)

    assert "Everything is working" in visit.get("/").text
    assert "Todo funciona" in visit.get("/es/").text
    assert visit.get("/en/").headers["Location"] == "/"


def test_a_language_that_the_site_does_not_have_does_not_exist(reader, visit):
    reader.present = snapshot(site=builders.replace(builders.SITE, languages=("es",)))

    assert visit.get("/en/").status_code == 404
    assert "English" not in visit.get("/").text


def test_a_text_that_lacks_the_language_is_shown_in_another_and_marked(reader, page):
    title = {"es": "Solo en español"}
    reader.present = snapshot(open_incidents=(builders.incident(title=title),))

    heading = section(page("/en/"), "Open incidents").xpath(".//h3//span")[0]

    assert (words(heading), heading.get("lang")) == ("Solo en español", "es")


def test_a_servers_page_tells_of_that_server_alone(reader, page):
    reader.present = scenes.one_down()
    shown = page("/servers/gye1")

    assert words(shown.find(".//h1")) == "gye1.nodored.com"
    assert [words(part) for part in shown.xpath("//dl[contains(@class, 'services')]/div")] == [
        "Web Operativo",
        "Correo Fuera de servicio",
        "Panel Operativo",
        "Red Operativo",
    ]
    assert "99,87 % en 90 días" in words(shown)
    assert len(shown.xpath("//section[contains(., 'Últimos 90')]//tbody/tr")) == 90
    assert "incidente" not in words(page("/servers/uio1").xpath("//h2[1]")[0]).lower()


def test_response_times_have_a_picture_and_a_table(page):
    shown = section(page("/servers/gye1"), "Tiempos de respuesta")

    assert "Web" in shown.xpath(".//svg/@aria-label")[0]
    assert len(shown.xpath(".//tbody/tr")) == 24
    assert len(shown.xpath(".//path[@class='line']")) == 2, "a gap breaks the line"


def test_a_server_without_measured_looks_has_no_chart(reader, page):
    reader.times = ()

    assert "Tiempos de respuesta" not in words(page("/servers/gye1"))


def test_an_incidents_page_tells_it_newest_first(page):
    shown = page(f"/incidents/{ulid_of(7)}")

    assert [words(stage) for stage in shown.xpath("//ol[@class='updates']/li/h3")] == [
        "Resuelto",
        "En observación",
        "Investigando",
    ]
    assert "34 minutos" in words(shown)
    assert "Detectado automáticamente" in words(shown)
    assert shown.xpath("//ol[@class='updates']/li/@id")[0] == ulid_of(702)


def test_an_incident_older_than_the_picture_is_asked_for(reader, page):
    old = builders.resolved(900, NOW - timedelta(days=400), timedelta(minutes=3))
    reader.incidents[old.id] = old

    assert "Quedó resuelto." in words(page(f"/incidents/{old.id}"))


@pytest.mark.parametrize("secret", [{"audience": Audience.OPERATORS}, {"drill": True}])
def test_what_is_not_for_customers_does_not_exist_for_them(reader, visit, secret):
    hidden = builders.incident(5, title={"es": "CANARIO", "en": "CANARY"}, **secret)
    reader.present = snapshot(open_incidents=(hidden,))
    reader.incidents[IncidentId(hidden.id)] = hidden
    reader.months[2026, 11] = Month(incidents=(hidden,), windows=())

    assert visit.get(f"/incidents/{hidden.id}").status_code == 404
    for path in ("/", "/en/", "/servers/gye1", "/history/2026-11", "/history.rss", "/updates.atom"):
        assert "CANAR" not in visit.get(path).text, path


def test_a_windows_page_tells_the_plan_and_what_really_was(reader, page):
    reader.present = scenes.maintenance()
    shown = words(page("/windows/backups"))

    assert "Empieza 22 nov, 09:00" in shown
    assert "Empezó 22 nov, 09:00" in shown
    assert "Anunciado 20 nov, 10:00" in shown


@pytest.mark.parametrize("path", ["/", "/windows/backups", "/servers/gye1"])
def test_a_window_names_its_end_in_the_sites_zone_and_in_utc(reader, page, path):
    reader.present = scenes.maintenance()

    assert "22 nov, 12:00 , hora de Ecuador (22 nov, 17:00 UTC)" in words(page(path))


def test_a_window_is_shown_with_the_servers_behind_its_own(reader, page):
    """What it covers because it depends on a server of the window is under maintenance as well."""
    covering = builders.running(children=frozenset({ServerId("uio1")}))
    reader.present = snapshot(group(server("gye1"), server("uio1")), active_windows=(covering,))

    assert "gye1.nodored.com , uio1.nodored.com" in words(page("/windows/backups"))
    assert "Respaldos" in words(page("/servers/uio1"))


def test_a_retracted_incident_says_so_with_its_reason_and_is_open_no_more(reader, page):
    withdrawn = builders.retracted(7)
    reader.present = snapshot(recent_incidents=(withdrawn,))
    shown = words(page(f"/incidents/{withdrawn.id}"))

    assert "Retirado" in shown
    assert "Resuelto" not in shown
    assert "Se cortó nuestra propia línea." in shown
    front = page("/")
    assert front.xpath(f"//article[@id='i{withdrawn.id}']") == []
    assert "Retirado" in words(front)


def test_a_month_tells_each_day_and_turns_to_its_neighbours(reader, page):
    began = NOW - timedelta(days=40)
    reader.months[2026, 10] = Month(
        incidents=(builders.resolved(3, began, timedelta(hours=5), impact=Impact.CRITICAL),),
        windows=(builders.completed("old", began - timedelta(days=2)),),
    )
    shown = page("/history/2026-10")

    assert words(shown.find(".//h1")) == "Octubre de 2026"
    assert shown.xpath("//nav[@class='turns']/a/@href") == ["/history/2026-09", "/history/2026-11"]
    assert [words(day) for day in shown.xpath("//ol[@class='diary']/li/h2")] == [
        "14–31 de octubre",
        "martes, 13 de octubre",
        "lunes, 12 de octubre",
        "domingo, 11 de octubre",
        "1–10 de octubre",
    ]


def test_history_leads_to_the_newest_month_in_the_sites_zone(reader, visit):
    """At 02:00 UTC on the first of December it is still November in Ecuador."""
    reader.present = snapshot(generated_at=NOW.replace(month=12, day=1, hour=2))

    assert visit.get("/history").headers["Location"] == "/history/2026-11"
    assert visit.get("/en/history").headers["Location"] == "/en/history/2026-11"


@pytest.mark.parametrize(
    "name", ["2026-12", "2027-01", "2016-10", "2026-13", "2026-1", "26-11", "x", "2026-11-01", "２０２６-11"]
)
def test_months_that_are_none_do_not_exist(visit, name):
    assert visit.get(f"/history/{name}").status_code == 404


def test_a_fleet_without_servers_has_a_page_too(reader, page):
    reader.present = scenes.empty()

    assert "Aún no hay servidores" in words(page("/"))


def test_a_made_up_past_is_labelled(reader, page):
    reader.present = snapshot(demo=True)

    assert "El pasado que se muestra es inventado." in words(page("/"))
    assert "Demonstration" in words(page("/en/"))


def test_departments_that_can_be_written_to_are_named(page):
    assert page("/").xpath("//footer//a[starts-with(@href, 'mailto:')]/@href") == [
        "mailto:soporte@example.com"
    ]


def test_the_published_formula_stands_on_the_page(page):
    assert "caída ÷ (período − mantenimiento − tiempo sin datos)" in words(
        page("/").get_element_by_id("formula")
    )
    assert page("/servers/gye1").xpath("//a[@href='/#formula']")


def test_names_from_outside_are_only_ever_text(reader, visit):
    evil = '"><script>alert(1)</script>'
    title = {"es": evil, "en": evil}
    machine = server("gye1", name=evil, description=title, status=Status.MAJOR_OUTAGE)
    reader.present = snapshot(
        group(machine, title=title),
        site=builders.replace(builders.SITE, name=evil),
        open_incidents=(
            builders.incident(
                title=title, updates=(builders.update(1, builders.Stage.IDENTIFIED, NOW, evil, evil),)
            ),
        ),
        active_windows=(builders.running(title=title),),
    )
    for path in (
        "/",
        "/en/",
        "/servers/gye1",
        f"/incidents/{ulid_of(1)}",
        "/windows/backups",
        "/history/2026-11",
    ):
        assert "<script>alert" not in visit.get(path).text, path


def test_a_server_that_has_retired_keeps_its_name_in_the_past_without_a_link(reader, page):
    gone = builders.resolved(4, NOW - timedelta(days=1), timedelta(minutes=5), servers=("alt1",))
    reader.present = snapshot(recent_incidents=(gone,))

    place = page(f"/incidents/{gone.id}").xpath("//dl/div[1]/dd")[0]

    assert words(place) == "alt1"
    assert not place.xpath(".//a")


def test_nothing_on_the_page_changes_while_nothing_happens(reader, visit, clock):
    first = visit.get("/").data
    clock.step(timedelta(seconds=59))

    assert visit.get("/").data == first


def test_three_hundred_servers_stay_small_on_the_wire(reader, served):
    reader.present = scenes.crowd(300)

    packed = served.get("/", headers={"Accept-Encoding": "br"})

    assert len(packed.data) < 60_000
    assert reader.present.freshness is Freshness.FRESH


def test_a_services_absence_is_told(reader, page):
    reader.present = snapshot(
        group(server("gye1"), server("ns1", services={builders.Service.NAMES: Status.OPERATIONAL}))
    )

    assert page("/").xpath("//tbody[2]/tr[1]/td[1]/span/@title") == ["No aplica"]


def test_a_window_hits_the_servers_it_names(reader, page):
    reader.present = snapshot(
        group(server("gye1"), server("uio1")),
        upcoming_windows=(builders.window(servers=frozenset({ServerId("uio1")})),),
    )

    assert "Respaldos" in words(page("/servers/uio1"))
    assert "Respaldos" not in words(page("/servers/gye1"))


def test_a_large_outage_is_told_by_the_most_serious_cards_and_the_way_to_the_rest(reader, page):
    """Five hundred cards are read by nobody: the page shows the worst twenty, and the month has them all."""
    many = tuple(builders.incident(number, impact=Impact.MINOR) for number in range(1, 31))
    reader.present = snapshot(group(server()), open_incidents=many)

    shown = section(page("/"), "Incidentes abiertos")
    told = section(page("/"), "Últimos 14 días")

    assert len(shown.xpath("./article")) == 20
    assert len(told.xpath(".//article")) == 20
    for part in (shown, told):
        [rest] = part.xpath('.//p[@class="rest"]/a')
        assert words(rest) == "10 incidentes más"
        assert rest.get("href").startswith("/history/2")


def test_few_incidents_are_all_shown_without_a_word_about_a_rest(reader, page):
    reader.present = scenes.many()

    assert page("/").xpath('//p[@class="rest"]') == []


@pytest.mark.parametrize("path", ["/", "/servers/uio1", "/servers/gye1"])
def test_every_page_says_that_our_own_view_is_blocked_and_since_when(reader, page, path):
    reader.present = scenes.blocked()
    spanish, english = (
        words(page(f"{root}{path}").xpath("//p[contains(@class, 'blocked')]")[0]) for root in ("", "/en")
    )
    assert spanish.startswith("Nuestra propia vista está bloqueada desde ")
    assert english.startswith("Our own view has been blocked since ")
    reader.present = scenes.fine()
    assert not page(path).xpath("//p[contains(@class, 'blocked')]")
