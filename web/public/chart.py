"""Response times as a small picture, drawn here: typical and slow looks of the last 24 hours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from markupsafe import Markup

from web.figures import response_time
from web.public.happenings import Happenings
from web.reader import Point, Series
from web.reading import Reading

WIDTH, HEIGHT = 960, 120
SPAN = timedelta(hours=24)
_NICE = (1, 2, 4, 10)
_LEAST_SCALE_MS = 10.0
_TABLE_STEP = timedelta(hours=1)
_TICKS = (24, 18, 12, 6, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One line of the table behind a chart: how fast the check answered around an hour."""

    hour: str
    iso: str
    typical: str
    slow: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """The chart of one check with its axes (`up` from the top, `along` from the left), and the same in a table."""

    service: str
    check: str
    typical: str
    picture: Markup
    up: tuple[str, ...]
    along: tuple[str, ...]
    table: tuple[Reply, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Where instants and milliseconds lie in the picture."""

    end: datetime
    top_ms: float

    def x(self, instant: datetime) -> float:
        """Return the place of an instant, kept inside the picture."""
        share = 1 - (self.end - instant) / SPAN
        return round(WIDTH * min(1.0, max(0.0, share)), 1)

    def y(self, ms: float) -> float:
        """Return the height of a response time."""
        return round(HEIGHT * (1 - min(1.0, ms / self.top_ms)), 1)


def chart(series: Series, happened: Happenings, now: datetime, reading: Reading) -> Chart | None:
    """Return the chart of one check, None when no look succeeded in the last 24 hours."""
    points = [point for point in series.points if now - SPAN <= point.moment <= now]
    measured = sorted(point.p50_ms for point in points if point.p50_ms is not None)
    if not measured:
        return None
    frame = Frame(end=now, top_ms=_round_up(max(_slowest(point) for point in points)))
    typical = response_time(measured[len(measured) // 2], reading.language)
    service = reading.say(f"service.{series.service.value}")
    label = reading.say("page.chart.label", service=service, typical=typical)
    return Chart(
        service=service,
        check=series.check,
        typical=typical,
        picture=_picture([*_shades(happened, frame), *_grid(frame), *_lines(points, frame)], label),
        up=tuple(response_time(frame.top_ms * share, reading.language) for share in (1.0, 0.5, 0.0)),
        along=tuple(reading.hour(now - timedelta(hours=back)).words for back in _TICKS),
        table=tuple(_table(points, reading)),
    )


def _slowest(point: Point) -> float:
    return max(point.p50_ms or 0.0, point.p95_ms or 0.0)


def _round_up(ms: float) -> float:
    """Return the next round figure, so that the axis can be labelled in whole steps."""
    magnitude = 1.0
    while magnitude * 10 < ms:
        magnitude *= 10
    return max(_LEAST_SCALE_MS, min(magnitude * nice for nice in _NICE if magnitude * nice >= ms))


def _picture(parts: Sequence[Markup], label: str) -> Markup:
    return Markup(
        '<svg class="chart" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">{}</svg>'
    ).format(WIDTH, HEIGHT, label, Markup().join(parts))


def _shades(happened: Happenings, frame: Frame) -> Iterator[Markup]:
    begin = frame.end - SPAN
    spans = [
        ("x", incident.started_at, incident.ended_at or frame.end)
        for incident in happened.incidents
        if incident.retracted is None
    ]
    spans += [
        ("w", window.started_at or window.starts_at, window.ended_at or window.ends_at)
        for window in happened.windows
    ]
    for look, start, end in spans:
        if end > begin and start < frame.end:
            left, right = frame.x(start), frame.x(end)
            yield Markup('<rect class="shade {}" x="{}" width="{}" height="{}"/>').format(
                look, left, max(2.0, round(right - left, 1)), HEIGHT
            )


def _grid(frame: Frame) -> Iterator[Markup]:
    for share in (0.0, 0.5, 1.0):
        yield Markup('<path class="grid" d="M0 {}H{}"/>').format(frame.y(frame.top_ms * share), WIDTH)


def _lines(points: Sequence[Point], frame: Frame) -> Iterator[Markup]:
    for stretch in _unbroken(points):
        slow = [(frame.x(point.moment), frame.y(_slowest(point))) for point in stretch]
        typical = [(frame.x(point.moment), frame.y(point.p50_ms or 0.0)) for point in stretch]
        for look, line in (("p95", slow), ("p50", typical)):
            yield Markup('<path class="{}" d="M{} {}L{}L{} {}z"/>').format(
                look, line[0][0], HEIGHT, _joined(line), line[-1][0], HEIGHT
            )
        # A stretch of one look has no length: the round cap of the line shows it as a dot.
        yield Markup('<path class="line" d="M{}L{} {}"/>').format(_joined(typical), *typical[-1])


def _joined(line: Sequence[tuple[float, float]]) -> str:
    return "L".join(f"{x} {y}" for x, y in line)


def _unbroken(points: Sequence[Point]) -> Iterator[list[Point]]:
    """Yield stretches of measured points: a line across a gap would claim looks that nobody made."""
    stretch: list[Point] = []
    for point in points:
        if point.p50_ms is not None:
            stretch.append(point)
        elif stretch:
            yield stretch
            stretch = []
    if stretch:
        yield stretch


def _table(points: Sequence[Point], reading: Reading) -> Iterator[Reply]:
    """Yield one line an hour, newest first."""
    shown: datetime | None = None
    for point in reversed(points):
        if shown is not None and shown - point.moment < _TABLE_STEP:
            continue
        shown = point.moment
        hour = reading.moment(point.moment)
        yield Reply(
            hour=hour.words,
            iso=hour.iso,
            typical=_figure(point.p50_ms, reading),
            slow=_figure(point.p95_ms, reading),
        )


def _figure(ms: float | None, reading: Reading) -> str:
    return "–" if ms is None else response_time(ms, reading.language)
