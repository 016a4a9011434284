"""The JSON shapes that the command line and the API share: snake_case keys, instants as RFC 3339 in UTC."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from monitor.health.force import Force
from monitor.health.heartbeat import SUCCESS, Beat
from monitor.health.words import Service, Status
from monitor.identifiers import CheckKey, IncidentId
from monitor.incidents.incident import Acknowledgement, CheckEvidence, Incident, Retraction, Update
from monitor.language import LANGUAGES, Texts
from monitor.maintenance.window import Window
from monitor.observation import Observation
from monitor.station.heartbeats import Awaited
from monitor.status.snapshot import CheckView, ServerView, Snapshot
from monitor.store.cases import CaseRow
from monitor.store.deliveries import Attempt, DeliveryRow
from monitor.store.desk_requesters import Requester
from monitor.store.desk_values import DeskChange, DeskMessage, DeskTicket
from monitor.store.observations import Figure
from monitor.store.readings import Note, TicketRow
from monitor.tickets.desk import DESK
from monitor.tickets.port import TicketStatus

Shape = dict[str, Any]
_UNHEARD: Shape = {
    "last_arrival_at": None,
    "next_expected_at": None,
    "overdue_since": None,
    "running_since": None,
    "exit_code": None,
    "ran_seconds": None,
    "arrivals": 0,
}


def instant(moment: datetime | None) -> str | None:
    """Return `2026-11-22T15:00:00.000Z`, or None."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Measures = Mapping[CheckKey, Sequence[Figure]]
"""The newest figures that looks took beside their times, by check."""

_NO_MEASURES: Measures = {}


def server_shape(server: ServerView, measures: Measures = _NO_MEASURES) -> Shape:
    """Return one server with its checks and services."""
    return {
        "id": server.id,
        "name": server.name,
        "group": server.group,
        "status": server.status,
        "last_known": server.last_known,
        "because": server.because,
        "since": instant(server.since),
        "uptime": server.uptime,
        "checks": [
            _check_shape(check, measures.get(CheckKey(server.id, check.id), ())) for check in server.checks
        ],
        "services": _services_shape(server.services),
    }


def _check_shape(check: CheckView, measures: Sequence[Figure]) -> Shape:
    return {
        "id": check.id,
        "kind": check.kind,
        "service": check.service,
        "state": check.state,
        "outcome": check.outcome,
        "cause": check.cause,
        "took_ms": check.took_ms,
        "checked_at": instant(check.checked_at),
        "measures": [
            {"name": one.name, "value": one.value, "unit": one.unit, "at": instant(one.at)}
            for one in measures
        ],
    }


def _services_shape(services: Mapping[Service, Status]) -> list[Shape]:
    return [{"id": service, "status": status} for service, status in services.items()]


def incident_shape(incident: Incident, ticket: str | None) -> Shape:
    """Return one incident; `ticket` is the reference of its ticket, if it has one. Updates stand oldest first.

    `title` is in the language that speaks first of the two we write, `titles` holds both.
    """
    return {
        "id": incident.id,
        "title": _first(incident.title),
        "titles": dict(incident.title),
        "stage": incident.stage,
        "impact": incident.impact,
        "servers": list(incident.servers),
        "checks": [str(check) for check in incident.checks],
        "unreachable": list(incident.unreachable),
        "started_at": instant(incident.started_at),
        "ended_at": instant(incident.ended_at),
        "opened_at": instant(incident.opened_at),
        "resolved_at": instant(incident.resolved_at),
        "audience": incident.audience,
        "drill": incident.drill,
        "origin": incident.origin,
        "acknowledged": _acknowledged_shape(incident.acknowledged),
        "retracted": _retracted_shape(incident.retracted),
        "updates": [_update_shape(update) for update in incident.updates],
        "ticket": ticket,
    }


def _acknowledged_shape(held: Acknowledgement | None) -> Shape | None:
    if held is None:
        return None
    return {"by": held.author, "at": instant(held.at), "until": instant(held.until)}


def _retracted_shape(withdrawn: Retraction | None) -> Shape | None:
    if withdrawn is None:
        return None
    return {"by": withdrawn.author, "at": instant(withdrawn.at), "reason": withdrawn.reason}


def force_shape(force: Force) -> Shape:
    """Return an operator's word on a server; for operators only."""
    return {
        "server": force.server,
        "status": force.status,
        "reason": force.reason,
        "by": force.author,
        "since": instant(force.since),
        "until": instant(force.until),
        "released_at": instant(force.released_at),
    }


def evidence_shape(evidence: CheckEvidence) -> Shape:
    """Return what was found when a check of an incident failed; for operators only."""
    return {
        "check": str(evidence.check),
        "kind": evidence.kind,
        "outcome": evidence.outcome,
        "cause": evidence.cause,
        "found": evidence.found,
        "failing_since": instant(evidence.failing_since),
        "last_ok_at": instant(evidence.last_ok_at),
        "looked_at": instant(evidence.looked_at),
        "address": evidence.address,
        "took_ms": round(evidence.took_ms, 3),
        "phases": {name: round(spent, 3) for name, spent in evidence.phases.items()},
        "via": list(evidence.via),
        "excerpt": evidence.excerpt,
        "reproduce": evidence.reproduce,
    }


def _update_shape(update: Update) -> Shape:
    return {
        "id": update.id,
        "stage": update.stage,
        "text": dict(update.text),
        "at": instant(update.at),
        "author": update.author,
    }


def _first(texts: Texts) -> str:
    return next((texts[language] for language in LANGUAGES if language in texts), "")


def window_shape(window: Window) -> Shape:
    """Return one window."""
    return {
        "id": window.id,
        "title": _first(window.title),
        "titles": dict(window.title),
        "status": window.stage,
        "servers": sorted(window.servers),
        "children": sorted(window.children),
        "starts_at": instant(window.starts_at),
        "ends_at": instant(window.ends_at),
        "started_at": instant(window.started_at),
        "ended_at": instant(window.ended_at),
        "rule": window.rule,
        "time_zone": window.time_zone,
    }


def observation_shape(observation: Observation, target: str) -> Shape:
    """Return one look with everything that it found; for operators only."""
    return {
        "check": str(observation.check),
        "target": target,
        "outcome": observation.outcome,
        "cause": observation.cause,
        "found": observation.found,
        "address": observation.address,
        "started_at": instant(observation.started_at),
        "took_ms": round(observation.took_ms, 3),
        "phases": {name: round(spent, 3) for name, spent in observation.phases.items()},
        "tls_expires_at": instant(observation.tls_expires_at),
        "via": list(observation.via),
        "measures": [
            {"name": one.name, "value": one.value, "unit": one.unit} for one in observation.measures
        ],
        "excerpt": observation.excerpt,
        "reproduce": observation.reproduce,
    }


def heartbeat_shape(heartbeat: Awaited) -> Shape:
    """Return one heartbeat with its address, which is a secret; for operators only."""
    return {
        "server": heartbeat.check.server,
        "check": heartbeat.check.check,
        "address": heartbeat.address,
        "state": heartbeat.state,
        **(_UNHEARD if heartbeat.beat is None else _beat_shape(heartbeat.beat)),
    }


def _beat_shape(beat: Beat) -> Shape:
    return {
        "last_arrival_at": instant(beat.heard_at),
        "next_expected_at": instant(beat.expected),
        "overdue_since": instant(beat.overdue_since),
        "running_since": instant(beat.running_since),
        "exit_code": beat.signal if beat.signal is not None and beat.signal >= SUCCESS else None,
        "ran_seconds": None if beat.ran is None else beat.ran.total_seconds(),
        "arrivals": beat.arrivals,
    }


def ticket_shape(ticket: TicketRow) -> Shape:
    """Return one ticket as our journal knows it."""
    return {
        "id": ticket.ticket,
        "reference": ticket.reference,
        "incidents": list(ticket.incidents),
        "helpdesk": ticket.helpdesk,
        "department": ticket.department,
        "priority": ticket.priority,
        "status": ticket.status,
        "subject": ticket.subject,
        "opened_at": instant(ticket.opened_at),
        "first_answer_at": instant(ticket.first_answer_at),
        "closed_at": instant(ticket.closed_at),
        "url": ticket.url,
    }


def waiting_shape(case: CaseRow, waited: timedelta, left: timedelta | None) -> Shape:
    """Return a ticket of anybody that waits for an answer; what is left of the promise is negative once it is over, null without one."""
    return {
        "id": case.ticket,
        "url": case.url,
        "reference": case.reference or None,
        "department": case.department,
        "subject": case.subject,
        "requester": case.requester,
        "priority": case.priority,
        "opened_at": instant(case.opened_at),
        "waited_seconds": round(waited.total_seconds()),
        "left_seconds": None if left is None else round(left.total_seconds()),
    }


def unopened_shape(reference: str, incidents: Iterable[IncidentId]) -> Shape:
    """Return a ticket that the helpdesk does not hold yet: open, but with nothing else than its name and what it is for."""
    empty = dict.fromkeys(
        (
            "id",
            "helpdesk",
            "department",
            "priority",
            "subject",
            "opened_at",
            "first_answer_at",
            "closed_at",
        )
    )
    return {
        **empty,
        "status": TicketStatus.OPEN,
        "reference": reference,
        "incidents": list(incidents),
        "url": "",
    }


def note_shape(note: Note) -> Shape:
    """Return what a person did or wrote on a ticket at the helpdesk; for operators alone."""
    return {
        "deed": note.deed,
        "author": note.author,
        "at": instant(note.at),
        "text": note.body,
    }


def status_shape(snapshot: Snapshot, tickets: Mapping[str, str], measures: Measures = _NO_MEASURES) -> Shape:
    """Return servers, open incidents and windows at a glance; `tickets` maps incidents to references."""
    windows = (*snapshot.active_windows, *snapshot.upcoming_windows)
    return {
        "indicator": snapshot.indicator,
        "freshness": snapshot.freshness,
        "generated_at": instant(snapshot.generated_at),
        "heard_at": instant(snapshot.heard_at),
        "blocked_since": instant(snapshot.blocked_since),
        "servers": [server_shape(server, measures) for server in snapshot.servers()],
        "incidents": [
            incident_shape(incident, tickets.get(incident.id)) for incident in snapshot.open_incidents
        ],
        "windows": [window_shape(window) for window in windows],
    }


def delivery_shape(row: DeliveryRow, attempts: Iterable[Attempt]) -> Shape:
    """Return one delivery with every attempt at it."""
    return {
        "channel": row.channel,
        "action": row.action,
        "seq": row.seq,
        "state": row.state,
        "due_at": instant(row.due_at),
        "created_at": instant(row.created_at),
        "detail": row.detail,
        "attempts": [
            {
                "number": attempt.number,
                "started_at": instant(attempt.started_at),
                "ended_at": instant(attempt.ended_at),
                "outcome": attempt.outcome,
                "detail": attempt.detail,
            }
            for attempt in attempts
        ],
    }


def desk_shape(ticket: DeskTicket, incidents: Sequence[IncidentId], url: str) -> Shape:
    """Return one ticket of the built-in desk, with the incidents that it is about and where it is read; `revision` counts its changes."""
    return {
        "id": ticket.id,
        "reference": ticket.reference,
        "subject": ticket.subject,
        "department": ticket.department,
        "priority": ticket.priority,
        "status": ticket.status,
        "assignee": ticket.assignee,
        "requester": ticket.requester,
        "channel": ticket.channel,
        "incident": next(iter(incidents), None),
        "incidents": list(incidents),
        "helpdesk": DESK.name,
        "url": url,
        "merged_into": ticket.merged_into,
        "follows": ticket.follows,
        "opened_at": instant(ticket.opened_at),
        "first_answer_at": instant(ticket.answered_at),
        "closed_at": instant(ticket.closed_at),
        "changed_at": instant(ticket.changed_at),
        "revision": ticket.revision,
    }


def message_shape(message: DeskMessage) -> Shape:
    """Return one message on a ticket of the desk; `side` is `us`, `staff` or `requester`."""
    return {
        "ticket": message.ticket,
        "author": message.author,
        "side": message.side,
        "internal": message.internal,
        "body": message.body,
        "whole": message.whole,
        "at": instant(message.at),
        "action": message.action,
    }


def change_shape(change: DeskChange) -> Shape:
    """Return one thing that was done to a ticket of the desk."""
    return {
        "ticket": change.ticket,
        "deed": change.deed,
        "author": change.author,
        "side": change.side,
        "at": instant(change.at),
        "before": change.before,
        "after": change.after,
    }


def requester_shape(requester: Requester) -> Shape:
    """Return one registered address of the desk."""
    return {
        "address": requester.address,
        "name": requester.name,
        "plan": requester.plan,
        "language": requester.language,
        "places": list(requester.places),
        "added_at": instant(requester.added_at),
        "disabled_at": instant(requester.disabled_at),
    }
