"""A small fleet as the metrics room sees it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from monitor.fleet import CheckPlan, Site
from monitor.health.state import Attempts, Health, Policy
from monitor.health.words import Indicator, State, Status
from monitor.identifiers import CheckKey, GroupId, IncidentId, ServerId
from monitor.incidents.incident import Impact, Incident, Stage
from monitor.observation import Observation, Outcome
from monitor.status.snapshot import Freshness, GroupView, ServerView, Snapshot

NOW = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
MAIL = CheckKey(ServerId("gye1"), "smtp")
RETRY = Attempts(attempts=2, retry=timedelta(seconds=15))


def plan(key: CheckKey = MAIL, kind: str = "smtp") -> CheckPlan:
    return CheckPlan(
        key=key,
        kind=kind,
        options={},
        every=timedelta(minutes=1),
        timeout=timedelta(seconds=10),
        policy=Policy(confirm=RETRY, recover=RETRY),
    )


def look(key: CheckKey = MAIL, **found: object) -> Observation:
    return Observation(**({"check": key, "started_at": NOW, "took_ms": 12.5, "outcome": Outcome.OK} | found))


def health(key: CheckKey = MAIL, state: State = State.UP, confirmed: State | None = None) -> Health:
    return Health(check=key, confirmed=confirmed or state, state=state)


def server(name: str, status: Status) -> ServerView:
    return ServerView(
        id=ServerId(name),
        name=name,
        group=GroupId("hosting"),
        status=status,
        last_known=status,
        since=None,
        services={},
        checks=(),
        days=(),
        uptime=None,
        description={},
    )


def incident(impact: Impact) -> Incident:
    return Incident(
        id=IncidentId("01HZX"),
        title={"es": "x", "en": "x"},
        stage=Stage.INVESTIGATING,
        impact=impact,
        servers=(ServerId("gye1"),),
        checks=(MAIL,),
        started_at=NOW,
        opened_at=NOW,
    )


def snapshot(
    *servers: ServerView, incidents: tuple[Incident, ...] = (), heard_at: datetime | None = NOW
) -> Snapshot:
    return Snapshot(
        number=1,
        generated_at=NOW,
        heard_at=heard_at,
        freshness=Freshness.FRESH,
        site=Site(name="Nodored", url="https://estado.example"),
        indicator=Indicator.NONE,
        groups=(GroupView(id=GroupId("hosting"), name={}, status=Status.OPERATIONAL, servers=servers),),
        open_incidents=incidents,
        recent_incidents=(),
        active_windows=(),
        upcoming_windows=(),
        past_windows=(),
        departments=(),
    )
