"""A server with three checks, and situations about it, for the tests of the incident decision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from monitor.fleet import CheckPlan, Server
from monitor.health.rollup import Standing, is_failing, is_restless, judge, standing
from monitor.health.state import Attempts, Health, Policy
from monitor.health.words import CheckImpact, Service, State
from monitor.identifiers import CheckKey, GroupId, IncidentId, ServerId, UpdateId, WindowId
from monitor.incidents.decision import (
    Decision,
    Ease,
    Join,
    Member,
    Open,
    Recover,
    Relapse,
    Reopen,
    Restless,
    Situation,
    Steady,
    Unstable,
    Worsen,
    joined,
)
from monitor.incidents.evidence import held_evidence
from monitor.incidents.incident import Impact, Incident, Stage, Update
from monitor.maintenance.window import Window
from monitor.observation import Cause, Outcome

GYE1 = ServerId("gye1")
NOON = datetime(2026, 11, 22, 17, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
POLICY = Policy(
    confirm=Attempts(attempts=3, retry=timedelta(seconds=15)),
    recover=Attempts(attempts=2, retry=timedelta(seconds=15)),
)
SERVICES = {"ping": Service.NETWORK, "smtp": Service.MAIL, "http": Service.WEB}
HELD = MappingProxyType(
    {
        "up": (State.UP, Outcome.OK, None),
        "slow": (State.DEGRADED, Outcome.WARN, Cause.SLOW),
        "down": (State.DOWN, Outcome.DOWN, Cause.REFUSED),
        "unknown": (State.UNKNOWN, Outcome.UNKNOWN, Cause.OWN),
    }
)


def minute(number: float) -> datetime:
    return NOON + number * MINUTE


def key(name: str) -> CheckKey:
    return CheckKey(server=GYE1, check=name)


def plan(name: str, impact: CheckImpact = CheckImpact.OUTAGE) -> CheckPlan:
    return CheckPlan(
        key=key(name),
        kind=name,
        options={},
        every=MINUTE,
        timeout=timedelta(seconds=10),
        policy=POLICY,
        impact=impact,
        service=SERVICES[name],
    )


SERVER = Server(
    id=GYE1,
    name="gye1.nodored.com",
    group=GroupId("hosting"),
    checks=tuple(map(plan, SERVICES)),
    resolve_after=5 * MINUTE,
    reopen_within=30 * MINUTE,
)


def health(name: str, held: str, since: datetime = NOON, *, persisting: bool = False) -> Health:
    """Return what is held of a check, and since when."""
    confirmed, outcome, cause = HELD[held]
    return Health(
        check=key(name),
        confirmed=confirmed,
        state=confirmed,
        since=since,
        looked_at=since,
        outcome=outcome,
        cause=cause,
        felt=held in ("slow", "down"),
        persisting=persisting,
    )


def standings(healths: Mapping[str, Health]) -> list[Standing]:
    """Return how the server's checks stand; those that are not named are fine."""
    return [
        standing(
            healths.get(name) or health(name, "up"), impact=CheckImpact.OUTAGE, service=service, kind=name
        )
        for name, service in SERVICES.items()
    ]


def situation(*failing: Health, moment: datetime = NOON, **more: object) -> Situation:
    """Return a situation in which these checks are held to fail."""
    stand = standings({one.check.check: one for one in failing})
    bad = [one.health for one in stand if is_failing(one)]
    told = {name: more.pop(name) for name in ("open", "unreachable") if name in more}
    fields: dict[str, object] = {
        "server": SERVER,
        "judged": judge(stand),
        "failing": tuple(held_evidence(one, one.check.check) for one in bad),
        "persisting": frozenset(one.check for one in bad if one.persisting),
        "restless": tuple(Restless(check=one.health.check, changes=9) for one in stand if is_restless(one)),
    }
    member = Member(**(fields | more))  # type: ignore[arg-type] # a builder takes any of the fields
    return Situation(**({"members": (member,), "open": None, "moment": moment} | told))  # type: ignore[arg-type] # as above


def incident(stage: Stage = Stage.INVESTIGATING, **more: object) -> Incident:
    """Return an incident of the mail check that began at noon."""
    fields: dict[str, object] = {
        "id": IncidentId("01INCIDENT"),
        "title": {"es": "gye1.nodored.com: correo fuera de servicio"},
        "stage": stage,
        "impact": Impact.MAJOR,
        "servers": (GYE1,),
        "checks": (key("smtp"),),
        "started_at": NOON,
        "opened_at": NOON,
        "updates": (update(stage),),
    }
    return Incident(**(fields | more))  # type: ignore[arg-type] # a builder takes any of the fields


def update(stage: Stage, author: str = "vigia") -> Update:
    return Update(id=UpdateId("01UPDATE"), stage=stage, text={"es": "..."}, at=NOON, author=author)


def window(start: float = 0, end: float = 60) -> Window:
    """Return a window of the server by its minutes after noon."""
    return Window(
        id=WindowId("01WINDOW"),
        title={"es": "Respaldos"},
        servers=frozenset({GYE1}),
        starts_at=minute(start),
        ends_at=minute(end),
        time_zone="America/Guayaquil",
    )


def carried_out(decision: Decision, before: Incident | None, moment: datetime, name: str) -> Incident | None:
    """Return the server's open incident after a decision: what an action makes of it, in short."""
    match decision:
        case Open():
            return incident(
                id=IncidentId(name),
                impact=decision.impact,
                checks=decision.checks,
                started_at=decision.started_at,
                opened_at=moment,
            )
        case Reopen():
            return _moved(
                decision.incident,
                Stage.INVESTIGATING,
                impact=decision.impact,
                checks=joined(decision.incident, decision.checks),
                ended_at=None,
                resolved_at=None,
            )
    if before is None:
        return None
    match decision:
        case Join():
            return replace(before, impact=decision.impact, checks=joined(before, decision.checks))
        case Unstable():
            return _moved(
                before,
                Stage.INVESTIGATING if before.stage is Stage.MONITORING else before.stage,
                impact=decision.impact,
                checks=joined(before, decision.checks),
                ended_at=None,
                monitoring_since=None,
            )
        case Worsen() | Ease() | Steady():
            return replace(before, impact=decision.impact)
        case Recover():
            return _moved(before, Stage.MONITORING, ended_at=decision.ended_at, monitoring_since=moment)
        case Relapse():
            checks = joined(before, decision.checks)
            return _moved(
                before,
                Stage.INVESTIGATING,
                impact=decision.impact,
                checks=checks,
                ended_at=None,
                monitoring_since=None,
            )
    return before


def resolved(before: Incident, moment: datetime, author: str = "vigia") -> Incident:
    """Return an incident after its resolution."""
    over = _moved(
        before, Stage.RESOLVED, resolved_at=moment, monitoring_since=None, ended_at=before.ended_at or moment
    )
    return replace(over, updates=(*over.updates[:-1], update(Stage.RESOLVED, author)))


def _moved(before: Incident, stage: Stage, **more: object) -> Incident:
    return replace(before, stage=stage, updates=(*before.updates, update(stage)), **more)  # type: ignore[arg-type] # as above
