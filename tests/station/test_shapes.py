"""The JSON that programs build on, whole and to the letter: a change here is a change for them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from monitor.actions.summarise import summarise
from monitor.health.heartbeat import Beat
from monitor.health.words import State
from monitor.identifiers import CheckKey, IncidentId, ServerId, TicketId, UpdateId, WindowId
from monitor.incidents.incident import CheckEvidence, Impact, Incident, Stage, Update
from monitor.journal.consequences import DeliveryState
from monitor.maintenance.window import Window
from monitor.observation import Cause, Measure, Observation, Outcome
from monitor.station import shapes
from monitor.station.heartbeats import Awaited
from monitor.station.reader import present_measures
from monitor.store.cases import CaseRow
from monitor.store.deliveries import Attempt, DeliveryRow
from monitor.store.desk_requesters import Requester
from monitor.store.desk_values import Deed, DeskChange, DeskMessage, DeskTicket, Side
from monitor.store.readings import TicketRow
from tests.actions.builders import GYE1, Lookout, look

GOLDEN = Path(__file__).parents[1] / "golden" / "shapes.json"
NOON = datetime(2026, 11, 22, 17, 0, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
REFERENCE = "VG-TESTHAUS-01INCIDENT"


def incident() -> Incident:
    return Incident(
        id=IncidentId("01INCIDENT"),
        title={"es": "gye1: correo fuera de servicio", "en": "gye1: mail out of service"},
        stage=Stage.RESOLVED,
        impact=Impact.MAJOR,
        servers=(GYE1,),
        checks=(CheckKey(GYE1, "smtp"),),
        started_at=NOON,
        opened_at=NOON + MINUTE,
        ended_at=NOON + 5 * MINUTE,
        resolved_at=NOON + 10 * MINUTE,
        updates=(
            Update(
                id=UpdateId("01UPDATE"),
                stage=Stage.INVESTIGATING,
                text={"es": "El correo ...", "en": "Mail ..."},
                at=NOON + MINUTE,
            ),
        ),
    )


def window() -> Window:
    return Window(
        id=WindowId("01WINDOW"),
        title={"es": "Respaldos", "en": "Backups"},
        servers=frozenset({GYE1, ServerId("cue1")}),
        starts_at=NOON,
        ends_at=NOON + MINUTE,
        time_zone="America/Guayaquil",
        rule="every sunday 02:00",
    )


def observation() -> Observation:
    seen = look("gye1/http", "down", NOON)
    return replace(
        seen,
        phases={"connect": 1.23456},
        address="192.0.2.10",
        excerpt="<html>",
        tls_expires_at=NOON,
        measures=(Measure("load1", 0.25), Measure("rta", 0.0011, "seconds")),
    )


def evidence() -> CheckEvidence:
    return CheckEvidence(
        check=CheckKey(GYE1, "http"),
        kind="http",
        outcome=Outcome.DOWN,
        cause=Cause.STATUS,
        found="503, expected 2xx",
        failing_since=NOON,
        last_ok_at=NOON - MINUTE,
        looked_at=NOON + MINUTE,
        took_ms=12.34567,
        address="192.0.2.10",
        phases={"connect": 1.23456},
        excerpt="<html>",
        reproduce="curl https://gye1.nodored.test/",
        via=("https://gye1.nodored.test/panel/",),
    )


def ticket() -> TicketRow:
    return TicketRow(
        reference=REFERENCE,
        incident=IncidentId("01INCIDENT"),
        helpdesk="desk",
        ticket=TicketId("7"),
        url="https://estado.nodored.test/ops/tickets/7",
        department="soporte",
        priority="urgent",
        status="answered",
        subject="[VG-...] gye1",
        opened_at=NOON,
        first_answer_at=NOON + MINUTE,
        closed_at=None,
    )


def delivery() -> dict[str, Any]:
    row = DeliveryRow(
        id=1,
        channel="ticket",
        incident=IncidentId("01INCIDENT"),
        action="create",
        seq=1,
        entry=4,
        state=DeliveryState.DONE,
        attempts=1,
        due_at=NOON,
        created_at=NOON,
        sent_at=NOON,
        detail="",
    )
    attempt = Attempt(number=1, started_at=NOON, ended_at=NOON + MINUTE, outcome="done", detail="")
    return shapes.delivery_shape(row, [attempt])


def desk() -> DeskTicket:
    return DeskTicket(
        id=7,
        reference=REFERENCE,
        subject="[VG-...] gye1",
        department="soporte",
        priority="urgent",
        status="open",
        assignee="ana",
        opened_at=NOON,
        answered_at=None,
        closed_at=None,
        requester="eva@cliente.test",
        channel="phone",
        incident="01INCIDENT",
        changed_at=NOON + MINUTE,
        revision=3,
    )


def message() -> DeskMessage:
    return DeskMessage(
        id=1, ticket=7, author="ana", internal=False, body="Reiniciamos.", at=NOON, action="reply"
    )


def change() -> DeskChange:
    return DeskChange(
        id=1,
        ticket=7,
        deed=Deed.MOVED,
        author="ana",
        side=Side.STAFF,
        at=NOON,
        before="soporte",
        after="comercial",
    )


def requester() -> Requester:
    return Requester(
        address="eva@cliente.test",
        name="Eva",
        plan="empresas",
        places=("cliente.test", "gye1"),
        added_at=NOON,
    )


def picture(lookout: Lookout) -> dict[str, Any]:
    """Return the picture a moment after the first looks."""
    lookout.see("gye1/http ok", "gye1/smtp ok", "gye1/tls ok")
    weighed = look("gye1/disk", "ok", lookout.clock.now())
    lookout.bureau.record([replace(weighed, measures=(Measure("used", 0.5, "ratio"),))])
    lookout.bureau.publish("", "")
    measures = present_measures(lookout.database)
    with lookout.database.reading() as tx:
        return shapes.status_shape(summarise(tx, lookout.clock.now(), number=1), {}, measures)


MADE: dict[str, Callable[[], Any]] = {
    "incident": lambda: shapes.incident_shape(incident(), REFERENCE),
    "evidence": lambda: shapes.evidence_shape(evidence()),
    "window": lambda: shapes.window_shape(window()),
    "observation": lambda: shapes.observation_shape(observation(), "192.0.2.10:80"),
    "ticket": lambda: shapes.ticket_shape(ticket()),
    "waiting": lambda: shapes.waiting_shape(waiting(), 25 * HOUR, -HOUR),
    "waiting without a promise": lambda: shapes.waiting_shape(waiting(), 25 * HOUR, None),
    "delivery": delivery,
    "desk": lambda: shapes.desk_shape(
        desk(), (desk().incident,), "https://estado.nodored.test/ops/tickets/7"
    ),
    "message": lambda: shapes.message_shape(message()),
    "change": lambda: shapes.change_shape(change()),
    "requester": lambda: shapes.requester_shape(requester()),
    "heartbeat": lambda: shapes.heartbeat_shape(heartbeat()),
    "heartbeat unheard": lambda: shapes.heartbeat_shape(replace(heartbeat(), state=State.UNKNOWN, beat=None)),
}


def waiting() -> CaseRow:
    return CaseRow(
        helpdesk="rt",
        ticket="7",
        url="https://helpdesk.example/7",
        department="soporte",
        subject="No puedo entrar",
        requester="cliente@example.com",
        priority="high",
        status="open",
        opened_at=NOON - 25 * HOUR,
        seen_at=NOON - 25 * HOUR,
        answered_at=None,
        closed_at=None,
    )


def heartbeat() -> Awaited:
    return Awaited(
        check=CheckKey(GYE1, "backup"),
        address="https://estado.nodored.test/ping/0123456789abcdef",
        state=State.DOWN,
        beat=Beat(
            expected=NOON,
            reported_at=NOON - MINUTE,
            signal=3,
            ran=timedelta(seconds=90),
            running_since=NOON - 2 * MINUTE,
            started_at=NOON - 2 * MINUTE,
            overdue_since=NOON + MINUTE,
            arrivals=7,
        ),
    )


def golden() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(GOLDEN.read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("name", sorted(MADE))
def test_a_shape_is_what_programs_were_promised(name: str):
    assert json.loads(json.dumps(MADE[name]())) == golden()[name]


def test_the_picture_is_what_programs_were_promised(lookout: Lookout):
    assert json.loads(json.dumps(picture(lookout))) == golden()["status"]


def test_an_instant_is_written_in_utc_with_milliseconds():
    ecuador = timezone(timedelta(hours=-5))
    assert (
        shapes.instant(datetime(2026, 11, 22, 10, 0, 0, 5999, tzinfo=ecuador)) == "2026-11-22T15:00:00.005Z"
    )
    assert shapes.instant(None) is None
