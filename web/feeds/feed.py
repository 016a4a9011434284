"""feedgen behind one typed door: a feed as a value goes in, RSS 2.0 or Atom 1.0 comes out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from feedgen.entry import FeedEntry
    from feedgen.feed import FeedGenerator

# XML 1.0 has no place for these, escaped or not; one of them would make the whole feed unreadable.
_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
TTL_MINUTES = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """A property to filter by: `term` for programs, `words` for people, `scheme` tells which property."""

    term: str
    words: str
    scheme: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One entry. `id` is never reused; `html` is markup that we made ourselves from escaped words."""

    id: str
    title: str
    link: str
    html: str
    published: datetime
    updated: datetime
    categories: tuple[Category, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """A feed with its entries, newest first. `updated` comes from the data, so that equal data give equal bytes."""

    id: str
    title: str
    about: str
    language: str
    page: str
    address: str
    author: str
    updated: datetime
    items: tuple[Item, ...]


def rss(feed: Feed) -> bytes:
    """Return the feed as RSS 2.0."""
    generator = _generator(feed)
    generator.ttl(TTL_MINUTES)
    generator.lastBuildDate(feed.updated)
    for item in feed.items:
        entry = _entry(generator, item)
        entry.guid(item.id, permalink=False)
        entry.description(_legal(item.html))
        entry.category([{"term": _legal(one.term), "scheme": one.scheme} for one in item.categories])
    return bytes(generator.rss_str(pretty=True))


def atom(feed: Feed) -> bytes:
    """Return the feed as Atom 1.0."""
    generator = _generator(feed)
    generator.updated(feed.updated)
    for item in feed.items:
        entry = _entry(generator, item)
        entry.updated(item.updated)
        entry.content(_legal(item.html), type="html")
        entry.category(
            [
                {"term": _legal(one.term), "scheme": one.scheme, "label": _legal(one.words)}
                for one in item.categories
            ]
        )
    return bytes(generator.atom_str(pretty=True))


def _generator(feed: Feed) -> FeedGenerator:
    # It brings lxml along, which a page that nobody subscribes to can do without.
    from feedgen.feed import FeedGenerator  # noqa: PLC0415

    generator = FeedGenerator()
    generator.id(feed.id)
    generator.title(_legal(feed.title))
    generator.description(_legal(feed.about))
    generator.language(feed.language)
    generator.author({"name": _legal(feed.author)})
    generator.generator("Vigía")
    generator.link(href=feed.address, rel="self")
    # RSS takes its one link from the last that was given, and that has to be the page.
    generator.link(href=feed.page, rel="alternate")
    return generator


def _entry(generator: FeedGenerator, item: Item) -> FeedEntry:
    entry = generator.add_entry(order="append")
    entry.id(item.id)
    entry.title(_legal(item.title))
    entry.link(href=item.link, rel="alternate")
    entry.published(item.published)
    return entry


def _legal(words: str) -> str:
    return _ILLEGAL.sub("", words)
