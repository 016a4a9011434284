"""The addresses of the feeds: incidents and updates, RSS and Atom, of everything and of one server, in each language."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from flask import Blueprint, Response, request
from werkzeug.exceptions import NotFound

from monitor.identifiers import ServerId
from monitor.language import Language
from monitor.status.snapshot import Snapshot
from web.feeds.feed import Feed, Item, atom, rss
from web.feeds.items import Story, history_items, story, tag, update_items
from web.i18n import both, reading_for
from web.picture import Picture
from web.reading import Reading
from web.security import PUBLIC


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A form that feeds come in."""

    suffix: str
    content_type: str
    write: Callable[[Feed], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What a feed tells."""

    name: str
    items: Callable[[Story, Reading], tuple[Item, ...]]


FORMATS = (
    Format(suffix="rss", content_type="application/rss+xml; charset=utf-8", write=rss),
    Format(suffix="atom", content_type="application/atom+xml; charset=utf-8", write=atom),
)
KINDS = (Kind(name="history", items=history_items), Kind(name="updates", items=update_items))


def feed_addresses(picture: Picture) -> Blueprint:
    """Return the addresses of every feed."""
    feeds = Blueprint("feeds", __name__)
    for kind in KINDS:
        for form in FORMATS:
            name = f"{kind.name}.{form.suffix}"
            for scope in ("", "/servers/<server>"):
                for number, rule in enumerate(both(f"{scope}/{name}")):
                    endpoint = f"{kind.name}_{form.suffix}_{'server' if scope else 'all'}_{number}"
                    feeds.add_url_rule(rule, endpoint=endpoint, view_func=_view(picture, kind, form))
    return feeds


def make_feed(
    snapshot: Snapshot, reading: Reading, kind: Kind, form: Format, server: ServerId | None
) -> Feed:
    """Return one feed of one snapshot; a server that does not exist raises NotFound."""
    scope = "" if server is None else f"/servers/{server}"
    told = story(snapshot, server)
    if server is not None and server not in told.names:
        raise NotFound
    items = kind.items(told, reading)
    name = snapshot.site.name if server is None else f"{told.names[server]} · {snapshot.site.name}"
    return Feed(
        id=tag(reading, _FIRST_DAY, f"feed{scope}/{kind.name}/{reading.language}"),
        title=reading.say(f"page.feed.{kind.name}.title", name=name),
        about=reading.say(f"page.feed.{kind.name}.about", name=name),
        language=reading.language,
        page=reading.absolute(scope or "/"),
        address=reading.absolute(f"{scope}/{kind.name}.{form.suffix}"),
        author=snapshot.site.name,
        updated=max((item.updated for item in items), default=_start_of_day(snapshot.generated_at)),
        items=items,
    )


# Any day will do for the name of a feed, as long as it never changes.
_FIRST_DAY = datetime(2026, 1, 1, tzinfo=UTC)


def _start_of_day(instant: datetime) -> datetime:
    """Return a date for a feed that has nothing to tell: one that does not make it another feed each minute."""
    return instant.replace(hour=0, minute=0, second=0, microsecond=0)


def _view(picture: Picture, kind: Kind, form: Format) -> Callable[..., Response]:
    def serve(language: Language | None = None, server: str | None = None) -> Response:
        snapshot = picture.current()
        reading = reading_for(snapshot.site, language, request.path)
        feed = make_feed(snapshot, reading, kind, form, None if server is None else ServerId(server))
        response = Response(form.write(feed), content_type=form.content_type)
        response.headers["Cache-Control"] = PUBLIC
        return response

    return serve
