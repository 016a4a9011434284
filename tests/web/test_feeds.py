"""Feeds that readers and programs can rely on: stable names, honest dates, legal XML."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import feedparser
import pytest
from lxml import etree

from monitor.identifiers import ServerId
from monitor.incidents.incident import Stage
from tests.web import builders, scenes
from tests.web.builders import NOW, SITE, replace, snapshot, ulid_of

EVERY = [
    f"{prefix}{scope}/{kind}.{form}"
    for prefix in ("", "/en")
    for scope in ("", "/servers/gye1")
    for kind in ("history", "updates")
    for form in ("rss", "atom")
]


def eventful():
    """Return a present with an incident, a past and windows of each kind."""
    return replace(
        scenes.fine(),
        open_incidents=(builders.incident(),),
        active_windows=(builders.running("router"),),
        upcoming_windows=(builders.window("next"),),
    )


@pytest.fixture
def read(reader, served):
    reader.present = eventful()

    def parsed(path: str) -> feedparser.FeedParserDict:
        answer = served.get(path)
        assert answer.status_code == 200
        return feedparser.parse(
            answer.data, response_headers={"content-type": answer.headers["Content-Type"]}
        )

    return parsed


def moment(parsed) -> datetime:
    return datetime(*parsed[:6], tzinfo=UTC)


@pytest.mark.parametrize("path", EVERY)
def test_every_feed_is_well_formed_and_knows_itself(read, path):
    told = read(path)

    assert not told.bozo
    assert told.entries
    assert told.feed.language == ("en" if path.startswith("/en") else "es")
    links = {link.rel: link.href for link in told.feed.links}
    assert links["self"] == f"https://estado.example{path}"
    assert links["alternate"].startswith("https://estado.example/")


@pytest.mark.parametrize("path", EVERY)
def test_names_are_unique_and_no_date_lies_ahead(read, path):
    entries = read(path).entries

    assert len({entry.id for entry in entries}) == len(entries)
    assert all(entry.id.startswith("tag:estado.example,2026-") for entry in entries)
    assert all(moment(entry.published_parsed) <= NOW for entry in entries)
    assert entries == sorted(entries, key=lambda entry: entry.published_parsed, reverse=True)


def test_an_incident_is_one_entry_that_grows(reader, served, clock, read):
    before = next(entry for entry in read("/history.atom").entries if ulid_of(1) in entry.id)
    later = builders.update(
        101, Stage.MONITORING, NOW - timedelta(minutes=1), "Funciona de nuevo.", "Works again."
    )
    hit = builders.incident()
    reader.show(open_incidents=(replace(hit, stage=Stage.MONITORING, updates=(*hit.updates, later)),))
    clock.step(timedelta(seconds=2))

    after = next(entry for entry in read_again(served, "/history.atom").entries if ulid_of(1) in entry.id)

    assert after.id == before.id
    assert after.published == before.published
    assert after.updated > before.updated
    assert (before.title[:14], after.title[:16]) == ("[Investigando]", "[En observación]")
    assert after.content[0].value.index("Funciona de nuevo.") < after.content[0].value.index(
        "ya está avisado"
    )


def read_again(served, path: str) -> feedparser.FeedParserDict:
    return feedparser.parse(served.get(path).data)


def test_each_published_word_is_an_entry_of_its_own_at_the_time_it_was_published(read):
    entries = [entry for entry in read("/updates.rss").entries if "update/" in entry.id]

    assert [entry.id.rpartition("/")[2] for entry in entries] == [
        ulid_of(number) for number in (100, 702, 701, 700, 802, 801, 800)
    ]
    assert entries[0].link == f"https://estado.example/incidents/{ulid_of(1)}#{ulid_of(100)}"
    assert moment(entries[0].published_parsed) == NOW - timedelta(minutes=16)


def test_a_retraction_is_one_entry_more_and_the_incident_says_that_it_was_withdrawn(reader, served):
    withdrawn = builders.retracted(7)
    reader.present = snapshot(recent_incidents=(withdrawn,))

    (whole,) = read_again(served, "/history.atom").entries
    steps = read_again(served, "/updates.atom").entries

    assert whole.title.startswith("[Retirado]")
    assert "Se cortó nuestra propia línea." in whole.content[0].value
    assert [entry.title.split("]")[0] for entry in steps] == ["[Retirado", "[Investigando"]


def test_an_incident_is_dated_by_its_publication_not_by_its_first_failing_look(read):
    entry = next(entry for entry in read("/history.rss").entries if ulid_of(1) in entry.id)

    assert moment(entry.published_parsed) == NOW - timedelta(minutes=16)


def test_a_planned_window_is_dated_by_its_announcement_and_marked(read):
    entry = next(entry for entry in read("/history.rss").entries if "window/next" in entry.id)

    assert moment(entry.published_parsed) == NOW - timedelta(days=2)
    assert entry.title == "[Mantenimiento] Respaldos y actualización del núcleo"
    assert "maintenance" in [tag.term for tag in entry.tags]


def test_a_window_that_nobody_dated_is_never_ahead(reader, served):
    reader.present = snapshot(upcoming_windows=(builders.window(planned_at=None),))

    (entry,) = read_again(served, "/history.rss").entries

    assert moment(entry.published_parsed) == NOW


def test_the_steps_of_a_window_are_told_one_by_one(read):
    steps = [
        entry.id.rpartition("/")[2] for entry in read("/updates.atom").entries if "window/kernel" in entry.id
    ]

    assert sorted(steps) == ["completed", "in_progress", "scheduled"]


def test_categories_tell_stage_impact_and_server(read):
    entry = next(entry for entry in read("/history.rss").entries if ulid_of(1) in entry.id)

    assert {(tag.scheme, tag.term) for tag in entry.tags} == {
        ("stage", "investigating"),
        ("impact", "major"),
        ("server", "gye1"),
    }


def test_a_servers_feed_tells_of_that_server_alone(read):
    everything = {entry.id for entry in read("/history.rss").entries}
    alone = {entry.id for entry in read("/servers/uio1/history.rss").entries}

    assert [name[-26:] for name in alone] == [ulid_of(8)]
    assert alone < everything


def test_a_feed_without_news_is_a_feed(reader, served):
    reader.present = snapshot()

    told = read_again(served, "/history.rss")

    assert (told.bozo, told.entries) == (False, [])
    assert told.feed.updated == "Sun, 22 Nov 2026 00:00:00 +0000"


def test_equal_data_give_equal_bytes(reader, served, clock):
    reader.present = eventful()
    tag = served.get("/history.atom").headers["ETag"]
    reader.show(generated_at=NOW + timedelta(minutes=1))
    clock.step(timedelta(seconds=61))

    assert served.get("/history.atom", headers={"If-None-Match": tag}).status_code == 304


def test_characters_that_xml_forbids_do_not_break_the_feed(reader, served):
    title = {"es": "a\x00\x0b\ufffe]]>&<b>", "en": "x"}
    hit = builders.incident(title=title, servers=("gye1",))
    reader.present = snapshot(open_incidents=(hit,))
    for path in ("/history.rss", "/history.atom"):
        told = read_again(served, path)
        assert not told.bozo
        assert etree.fromstring(served.get(path).data) is not None
        assert "]]>&" in told.entries[0].title or "]]>&amp;" in told.entries[0].title


def test_words_of_an_update_are_text_inside_the_entry(reader, served):
    evil = "<script>alert(1)</script>"
    hit = builders.incident(updates=(builders.update(1, Stage.IDENTIFIED, NOW, evil, evil),))
    reader.present = snapshot(open_incidents=(hit,))

    html = etree.fromstring(served.get("/history.rss").data).findtext(".//item/description")

    assert "&lt;script&gt;" in html
    assert "<script>" not in html


def test_a_retired_server_keeps_its_id_as_category(reader, served):
    gone = builders.resolved(4, NOW - timedelta(days=1), timedelta(minutes=5), servers=(ServerId("alt1"),))
    reader.present = snapshot(recent_incidents=(gone,))

    assert ("server", "alt1") in [
        (tag.scheme, tag.term) for tag in read_again(served, "/history.rss").entries[0].tags
    ]


def test_no_more_than_a_hundred_entries(reader, served):
    past = tuple(builders.resolved(n, NOW - timedelta(hours=n), timedelta(minutes=5)) for n in range(1, 131))
    reader.present = snapshot(recent_incidents=past)

    entries = read_again(served, "/history.rss").entries

    assert len(entries) == 100
    assert entries[0].id.endswith(ulid_of(1))


GOLDEN = """<?xml version='1.0' encoding='UTF-8'?>
<rss xmlns:atom="http://www.w3.org/2005/Atom" xmlns:content="http://purl.org/rss/1.0/modules/content/" version="2.0">
  <channel>
    <title>Novedades · Nodored</title>
    <link>https://estado.example/</link>
    <description>Cada novedad de los incidentes y mantenimientos de Nodored, por separado.</description>
    <atom:link href="https://estado.example/updates.rss" rel="self"/>
    <docs>http://www.rssboard.org/rss-specification</docs>
    <generator>Vigía</generator>
    <language>es</language>
    <lastBuildDate>Sun, 22 Nov 2026 14:44:00 +0000</lastBuildDate>
    <ttl>1</ttl>
    <item>
      <title>[Investigando] gye1.nodored.com: sin servicio en correo</title>
      <link>https://estado.example/incidents/01KAH000000000000000000001#01KAH000000000000000000100</link>
      <description>&lt;p&gt;&lt;small&gt;22 nov, 09:44, hora de Ecuador&lt;/small&gt;&lt;br&gt;&lt;strong&gt;Investigando&lt;/strong&gt; - Ya trabajamos en ello.&lt;/p&gt;</description>
      <guid isPermaLink="false">tag:estado.example,2026-11-22:update/01KAH000000000000000000100</guid>
      <category domain="stage">investigating</category>
      <category domain="impact">major</category>
      <category domain="server">gye1</category>
      <pubDate>Sun, 22 Nov 2026 14:44:00 +0000</pubDate>
    </item>
  </channel>
</rss>
"""


def test_a_feed_is_this_text(reader, served):
    word = builders.update(100, Stage.INVESTIGATING, NOW - timedelta(minutes=16))
    reader.present = snapshot(open_incidents=(builders.incident(updates=(word,)),), site=SITE)

    assert served.get("/updates.rss").text == GOLDEN
