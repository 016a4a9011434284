"""What is true now, in one sentence that names what is hit."""

from __future__ import annotations

from collections.abc import Sequence

from monitor.health.words import Status
from monitor.incidents.incident import Stage
from monitor.language.moments import listed
from monitor.maintenance.window import Window
from monitor.status.snapshot import Freshness, ServerView, Snapshot
from web.reading import Reading

# From nothing wrong to worst. Maintenance is announced and "no data" may be our own, so trouble outranks both.
_RANK = (
    Status.OPERATIONAL,
    Status.UNDER_MAINTENANCE,
    Status.UNKNOWN,
    Status.DEGRADED_PERFORMANCE,
    Status.PARTIAL_OUTAGE,
    Status.MAJOR_OUTAGE,
)
TROUBLE = frozenset({Status.DEGRADED_PERFORMANCE, Status.PARTIAL_OUTAGE, Status.MAJOR_OUTAGE})


def rank(status: Status) -> int:
    """Return how bad a status is for a reader, 0 for operational."""
    return _RANK.index(status)


def overall(snapshot: Snapshot) -> Status:
    """Return the one status that icon, title and favicon show: the worst of all; unknown when grey or empty."""
    if snapshot.freshness is Freshness.GREY or not snapshot.servers():
        return Status.UNKNOWN
    return max((server.status for server in snapshot.servers()), key=rank)


def sentence(snapshot: Snapshot, reading: Reading) -> str:
    """Return the sentence at the head of the page."""
    if not snapshot.servers():
        return reading.say("page.now.empty")
    if snapshot.freshness is Freshness.GREY:
        return _grey(snapshot, reading)
    hit = [server for server in snapshot.servers() if server.status in TROUBLE]
    if hit:
        return _trouble(hit, reading)
    unknown = [server for server in snapshot.servers() if server.status is Status.UNKNOWN]
    if unknown:
        return reading.say("page.now.unknown", count=len(unknown), server=unknown[0].name)
    if snapshot.open_incidents:
        return _announced(snapshot, reading)
    if snapshot.active_windows:
        return _maintenance(snapshot, reading)
    return reading.say("page.now.operational")


def server_sentence(server: ServerView, reading: Reading) -> str:
    """Return what is true of one server, naming the services that are hit unless all of it is.

    The words are those of incidents, so that page, feeds and mail say the same of the same fault.
    """
    if server.status not in TROUBLE:
        return reading.say(f"page.sentence.{server.status.value}", server=server.name)
    worst = max(server.services.values(), key=rank, default=server.status)
    hit = [service for service, status in server.services.items() if status is worst]
    if server.status is Status.MAJOR_OUTAGE or not hit or worst not in TROUBLE:
        return reading.say(f"incident.hit.server.{server.status.value}", server=server.name)
    phrase = listed([reading.say(f"service_phrase.{service.value}") for service in hit], reading.language)
    key = f"incident.hit.services.{worst.value}"
    return _capital(reading.say(key, count=len(hit), services=phrase, server=server.name))


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _trouble(hit: Sequence[ServerView], reading: Reading) -> str:
    worst = max(hit, key=lambda server: rank(server.status))
    if len(hit) == 1:
        return server_sentence(worst, reading)
    status = reading.say(f"page.briefly.{worst.status.value}")
    return reading.say("page.now.several", count=len(hit), worst=worst.name, status=status)


def _announced(snapshot: Snapshot, reading: Reading) -> str:
    """Nothing looks broken, and yet an incident is open: it is being watched, or a person knows more than we do."""
    incident = snapshot.open_incidents[0]
    title = reading.told(incident.title).text
    key = "page.now.monitoring" if incident.stage is Stage.MONITORING else "page.now.announced"
    return reading.say(key, count=len(snapshot.open_incidents), title=title)


def _maintenance(snapshot: Snapshot, reading: Reading) -> str:
    last = max(snapshot.active_windows, key=lambda window: window.ends_at)
    same_day = reading.day(last.ends_at) == reading.day(snapshot.generated_at)
    until = reading.hour_phrase("page.until.hour", last.ends_at) if same_day else _until_day(last, reading)
    names = {server.id: server.name for server in snapshot.servers()}
    hit = sorted({server for window in snapshot.active_windows for server in window.covered})
    server = names.get(hit[0], hit[0]) if hit else ""
    return reading.say("page.now.maintenance", count=len(hit), server=server, until=until)


def _until_day(window: Window, reading: Reading) -> str:
    return reading.say("page.until.day", day=reading.moment(window.ends_at).words)


def _grey(snapshot: Snapshot, reading: Reading) -> str:
    if snapshot.heard_at is None:
        return reading.say("page.now.silent")
    return reading.say("page.now.grey", since=reading.since(snapshot.heard_at, snapshot.generated_at))
