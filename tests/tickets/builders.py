"""A small fleet, one fault and the entries of its life, for whoever needs a story to tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from monitor.fleet import Department, Fleet, Group, Server, Site
from monitor.fleet.fleet import CheckPlan
from monitor.health.state import Attempts, Policy
from monitor.identifiers import CheckKey, GroupId, IncidentId, ServerId, UpdateId
from monitor.incidents.incident import Audience, CheckEvidence, Impact, Incident, Origin, Stage, Update
from monitor.journal.entries import (
    Entry,
    IncidentAcknowledged,
    IncidentOpened,
    IncidentReopened,
    IncidentResolved,
    IncidentRetracted,
    IncidentUpdated,
    InventoryApplied,
    Kind,
    Reason,
)
from monitor.observation import Cause, Outcome

START = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
GYE1 = ServerId("gye1")
UIO1 = ServerId("uio1")
INCIDENT = IncidentId("01JD9ZK3V8QW5R7T2M4N6P8S0A")


def fleet(*servers: ServerId) -> Fleet:
    return Fleet(
        site=Site(name="Nodored", url="https://estado.nodored.example", timezone="America/Guayaquil"),
        groups=(Group(id=GroupId("hosting"), name={"es": "Hosting compartido", "en": "Shared hosting"}),),
        servers=tuple(_server(server) for server in servers or (GYE1, UIO1)),
        departments=(Department(id="soporte", name={"es": "Soporte técnico", "en": "Technical support"}),),
    )


def _server(server: ServerId) -> Server:
    return Server(
        id=server,
        name=f"{server}.nodored.example",
        group=GroupId("hosting"),
        host="192.0.2.10",
        addresses=("192.0.2.10", "192.0.2.11"),
        plans=("personas",),
        resolve_after=timedelta(minutes=5),
        reopen_within=timedelta(minutes=30),
        checks=(_plan(server, "http"), _plan(server, "smtp")),
    )


def _plan(server: ServerId, check: str) -> CheckPlan:
    attempts = Attempts(attempts=3, retry=timedelta(seconds=15))
    return CheckPlan(
        key=CheckKey(server, check),
        kind=check,
        options={},
        every=timedelta(seconds=60),
        timeout=timedelta(seconds=10),
        policy=Policy(confirm=attempts, recover=attempts),
    )


def evidence(check: str = "http", server: ServerId = GYE1, **changes: object) -> CheckEvidence:
    base = CheckEvidence(
        check=CheckKey(server, check),
        kind=check,
        outcome=Outcome.DOWN,
        cause=Cause.REFUSED,
        found="connection refused",
        failing_since=START,
        last_ok_at=START - timedelta(minutes=1),
        looked_at=START + timedelta(seconds=30),
        took_ms=12.4,
        address="192.0.2.10",
        phases={"name": 1.2, "connect": 11.2},
        excerpt="",
        reproduce=f"curl -sv https://{server}.nodored.example/",
    )
    return replace(base, **changes)


def incident(identity: IncidentId = INCIDENT, server: ServerId = GYE1, **changes: object) -> Incident:
    base = Incident(
        id=identity,
        title={
            "es": f"{server}.nodored.example: fuera de servicio",
            "en": f"{server}.nodored.example: out of service",
        },
        stage=Stage.INVESTIGATING,
        impact=Impact.CRITICAL,
        servers=(server,),
        checks=(CheckKey(server, "http"),),
        started_at=START,
        opened_at=START + timedelta(seconds=30),
        audience=Audience.PUBLIC,
        origin=Origin.DETECTED,
        updates=(_update(identity, 0, Stage.INVESTIGATING, START),),
    )
    return replace(base, **changes)


def _update(identity: IncidentId, number: int, stage: Stage, at: datetime) -> Update:
    texts: Mapping[str, str] = {"es": f"Novedad {number}.", "en": f"News {number}."}
    return Update(id=UpdateId(f"{identity}-{number}"), stage=stage, text=texts, at=at)


def applied(at: datetime = START - timedelta(hours=1), *servers: ServerId) -> Entry:
    return Entry(
        kind=Kind.INVENTORY_APPLIED, moment=at, subject="fleet", body=InventoryApplied(fleet=fleet(*servers))
    )


def opened(whole: Incident, *seen: CheckEvidence, at: datetime | None = None) -> Entry:
    body = IncidentOpened(incident=whole, evidence=seen or (evidence(server=whole.servers[0]),))
    return Entry(kind=Kind.INCIDENT_OPENED, moment=at or whole.opened_at, subject=whole.id, body=body)


def updated(whole: Incident, reason: Reason, at: datetime, *seen: CheckEvidence, **changes: object) -> Entry:
    stage = Stage.MONITORING if reason is Reason.RECOVERING else Stage.INVESTIGATING
    base = IncidentUpdated(
        incident=whole.id,
        reason=reason,
        stage=stage,
        impact=whole.impact,
        servers=whole.servers,
        checks=(*whole.checks, *(each.check for each in seen if each.check not in whole.checks)),
        update=_update(whole.id, round((at - START).total_seconds()), stage, at),
        evidence=seen,
    )
    return Entry(kind=Kind.INCIDENT_UPDATED, moment=at, subject=whole.id, body=replace(base, **changes))


def resolved(
    whole: Incident,
    at: datetime,
    *,
    ended_at: datetime | None = None,
    actor: str = "vigia",
    recovered: bool = True,
) -> Entry:
    update = _update(whole.id, round((at - START).total_seconds()), Stage.RESOLVED, at)
    ended = ended_at or at - timedelta(minutes=5)
    body = IncidentResolved(incident=whole.id, ended_at=ended, update=update, recovered=recovered)
    return Entry(kind=Kind.INCIDENT_RESOLVED, moment=at, subject=whole.id, body=body, actor=actor)


def reopened(whole: Incident, at: datetime, *seen: CheckEvidence, impact: Impact = Impact.CRITICAL) -> Entry:
    body = IncidentReopened(
        incident=whole.id,
        impact=impact,
        checks=whole.checks,
        update=_update(whole.id, round((at - START).total_seconds()), Stage.INVESTIGATING, at),
        evidence=seen or (evidence(),),
    )
    return Entry(kind=Kind.INCIDENT_REOPENED, moment=at, subject=whole.id, body=body)


def acknowledged(whole: Incident, at: datetime, until: datetime | None = None) -> Entry:
    body = IncidentAcknowledged(incident=whole.id, until=until)
    return Entry(kind=Kind.INCIDENT_ACKNOWLEDGED, moment=at, subject=whole.id, body=body, actor="ana")


def retracted(whole: Incident, at: datetime, *, was_open: bool = True) -> Entry:
    body = IncidentRetracted(
        incident=whole.id,
        reason="Se cortó nuestra propia línea.",
        servers=whole.servers,
        since=whole.started_at,
        until=at,
        was_open=was_open,
        update=_update(whole.id, round((at - START).total_seconds()), Stage.RESOLVED, at),
    )
    return Entry(kind=Kind.INCIDENT_RETRACTED, moment=at, subject=whole.id, body=body, actor="ana")
