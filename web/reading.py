"""One reader's view: a language, the site's zone, and the addresses that follow from both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from urllib.parse import quote
from zoneinfo import ZoneInfo

from monitor.fleet import Site
from monitor.language import Language, moments, text
from web.figures import iso, short_span

UTC_ZONE = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """An instant for people (`words`, in the site's zone) and for machines (`iso`, UTC to the second)."""

    words: str
    iso: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A text from outside in the language that it exists in, which may not be the page's."""

    text: str
    language: Language


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How a page speaks. Paths start at the root; only `absolute` names a host, the one that is configured."""

    language: Language
    site: Site

    def say(self, key: str, /, **values: object) -> str:
        """Return a text of the catalogue."""
        return text(key, self.language, **values)

    def told(self, texts: Mapping[str, str]) -> Said:
        """Return a text that was given in some languages: this one, else the site's first, else any."""
        for language in (self.language, *self.site.languages, *texts):
            if texts.get(language):
                return Said(text=texts[language], language=language)
        return Said(text="", language=self.language)

    def path(self, address: str = "/") -> str:
        """Return an address of this site in this language."""
        return localised(address, self.language, self.site)

    def absolute(self, address: str = "/") -> str:
        """Return an address with the host that is configured, for feeds and for other sites."""
        return self.site.url.rstrip("/") + self.path(address)

    def server_path(self, server: str) -> str:
        return self.path(f"/servers/{quote(server, safe='')}")

    def incident_path(self, incident: str) -> str:
        return self.path(f"/incidents/{quote(incident, safe='')}")

    def window_path(self, window: str) -> str:
        return self.path(f"/windows/{quote(window, safe='')}")

    @property
    def zone(self) -> ZoneInfo:
        """The site's zone, in which people read every time."""
        return ZoneInfo(self.site.timezone)

    def day(self, instant: datetime) -> date:
        """Return the day that people call an instant's."""
        return instant.astimezone(self.zone).date()

    def moment(self, instant: datetime) -> Moment:
        """Return day and hour of an instant."""
        words = moments.day_and_time(instant, self.zone, self.language)
        return Moment(words=words, iso=iso(instant))

    def hour(self, instant: datetime) -> Moment:
        """Return the hour of an instant, without its day."""
        return Moment(words=moments.clock_time(instant, self.zone), iso=iso(instant))

    def in_utc(self, instant: datetime) -> str:
        """Return an instant for readers of every zone: 22 nov, 15:42 UTC."""
        return f"{moments.day_and_time(instant, UTC_ZONE, self.language)} UTC"

    def hour_phrase(self, key: str, instant: datetime, **values: object) -> str:
        """Return a text about an hour: Spanish says "la 01:05" and "las 10:42", so the hour counts as a number of things."""
        count = instant.astimezone(self.zone).hour
        return self.say(key, count=count, hour=self.hour(instant).words, **values)

    def since(self, instant: datetime, seen_from: datetime) -> str:
        """Return since when, in a sentence: desde las 10:42, hora de Ecuador."""
        return moments.since(instant, self.zone, self.language, seen_from=seen_from)

    def at(self, instant: datetime, seen_from: datetime) -> str:
        """Return when, in a sentence: a las 10:42, hora de Ecuador."""
        return moments.at(instant, self.zone, self.language, seen_from=seen_from)

    def span(self, start: datetime, end: datetime) -> str:
        """Return from when to when, the day only once where both share it."""
        ending = self.hour(end) if self.day(start) == self.day(end) else self.moment(end)
        return self.say("page.from_to", start=self.moment(start).words, end=ending.words)

    def zone_name(self, instant: datetime) -> str:
        """Return what people call the zone at an instant: hora de Ecuador."""
        return moments.zone_name(instant, self.zone, self.language)

    def in_full(self, span: timedelta) -> str:
        """Return a duration for a sentence: 1 hora y 33 minutos."""
        return moments.duration(span, self.language)

    def duration(self, span: timedelta) -> str:
        """Return a duration for a line of figures: 1 h 33 min."""
        return short_span(int(span.total_seconds()), self.language)


def localised(address: str, language: Language, site: Site) -> str:
    """Return an address in a language: the site's first stands at the bare path, others below their own."""
    return address if language == site.languages[0] else f"/{language}{address}"
