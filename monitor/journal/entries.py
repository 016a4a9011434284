"""Every kind of entry with its body.

An entry says what was decided, by whom, when, about what. Bodies are values of today's program; `encoding`
turns them into JSON that later programs can still read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from monitor.fleet import Fleet
from monitor.health.view import AddressFamily
from monitor.health.words import Service, State, Status, Why
from monitor.identifiers import BatchId, CheckKey, IncidentId, ServerId, WindowId
from monitor.incidents.drill import Step
from monitor.incidents.incident import CheckEvidence, Impact, Incident, Stage, Update
from monitor.maintenance.window import Window


class Kind(StrEnum):
    """What happened. The kind decides the type of the body: see `BODIES`."""

    INVENTORY_APPLIED = "inventory.applied"
    WATCH_STARTED = "watch.started"
    STATION_ARMED = "station.armed"
    CHECK_WENT_DOWN = "check.went_down"
    CHECK_DEGRADED = "check.degraded"
    CHECK_RECOVERED = "check.recovered"
    SERVER_CHANGED = "server.changed"
    SERVER_FORCED = "server.forced"
    SERVER_RELEASED = "server.released"
    VIEW_BLOCKED = "view.blocked"
    VIEW_CLEARED = "view.cleared"
    INCIDENT_OPENED = "incident.opened"
    INCIDENT_UPDATED = "incident.updated"
    INCIDENT_RESOLVED = "incident.resolved"
    INCIDENT_REOPENED = "incident.reopened"
    INCIDENT_ACKNOWLEDGED = "incident.acknowledged"
    INCIDENT_RETRACTED = "incident.retracted"
    WINDOW_PLANNED = "window.planned"
    WINDOW_STARTED = "window.started"
    WINDOW_EXTENDED = "window.extended"
    WINDOW_COMPLETED = "window.completed"
    WINDOW_CANCELLED = "window.cancelled"
    TICKET_OPENED = "ticket.opened"
    TICKET_UPDATED = "ticket.updated"
    TICKET_REJECTED = "ticket.rejected"
    TICKET_NOTED = "ticket.noted"
    TICKET_DISPUTED = "ticket.disputed"
    DRILL_FINISHED = "drill.finished"


class Reason(StrEnum):
    """Why an incident got an update, for consequences to choose by."""

    JOINED = "joined"
    WORSENED = "worsened"
    EASED = "eased"
    BEHIND = "behind"
    RECOVERING = "recovering"
    RELAPSED = "relapsed"
    UNSTABLE = "unstable"
    STEADY = "steady"
    WINDOW_BEGAN = "window_began"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryApplied:
    """The fleet as applied; servers that are missing in it are retired, never forgotten."""

    fleet: Fleet


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchStarted:
    """watch began to look; from `blind_since` until then nobody looked. None on the first start.

    `learning` tells that nothing is opened yet, because not everything was looked at once.
    """

    boot: str
    blind_since: datetime | None
    learning: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StationArmed:
    """From now on faults open incidents: everything was looked at once, or a person ended the first round `early`."""

    early: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckChanged:
    """A confirmed change of a check's health (went_down, degraded, recovered)."""

    check: CheckKey
    before: State
    after: State
    since: datetime
    evidence: CheckEvidence


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerChanged:
    """A server's judged status changed at `since`, which may lie before the entry's moment.

    `because` tells why it is not simply what the checks say.
    """

    server: ServerId
    status: Status
    services: Mapping[Service, Status]
    since: datetime
    because: Why | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerForced:
    """An operator, the entry's actor, overrules what is shown of a server until `until`; a further word replaces the one before."""

    server: ServerId
    status: Status
    reason: str
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerReleased:
    """An operator's word on a server ended: it expired, or its actor took it back."""

    server: ServerId


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewBlocked:
    """No sentinel of a family answers since `since`: what fails by it says nothing about its target.

    `families` is how many have sentinels, `found` says which did not answer.
    """

    family: AddressFamily
    since: datetime
    families: int
    found: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewCleared:
    """A sentinel of a family answers again since `ended_at`, or the family has none any more."""

    family: AddressFamily
    ended_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentOpened:
    """A new incident with its first update, and the evidence for operators and the ticket."""

    incident: Incident
    evidence: tuple[CheckEvidence, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentUpdated:
    """An open incident moved on; `stage`, `impact`, `servers` and `checks` are what holds from now on.

    `update` is None when only operators and the ticket are told, `title` when it stays as it was. `unreachable` are servers that
    cannot be judged while those of the incident are out: they are listed in it and have none of their own. `unstable` tells that
    it comes and goes (True), or does so no more (False), `back` which of several servers are well again; None leaves that as it was.
    """

    incident: IncidentId
    reason: Reason
    stage: Stage
    impact: Impact
    servers: tuple[ServerId, ...]
    checks: tuple[CheckKey, ...]
    update: Update | None
    evidence: tuple[CheckEvidence, ...] = ()
    ended_at: datetime | None = None
    title: Mapping[str, str] | None = None
    unreachable: tuple[ServerId, ...] = ()
    unstable: bool | None = None
    back: tuple[ServerId, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentResolved:
    """An incident is over; `ended_at` is the first good look.

    Without `recovered` nobody saw one: then it is the moment at which a person, or the end of the watch, said that it is over.
    """

    incident: IncidentId
    ended_at: datetime
    update: Update
    recovered: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentReopened:
    """The same problem came back within `reopen_within` of its resolution.

    `servers` hold from now on, none if they are the same as before; `back` are those of them that do not fail. `unreachable` are all
    that were ever listed, none if nobody is new.
    """

    incident: IncidentId
    impact: Impact
    checks: tuple[CheckKey, ...]
    update: Update
    evidence: tuple[CheckEvidence, ...] = ()
    title: Mapping[str, str] | None = None
    unstable: bool = False
    servers: tuple[ServerId, ...] = ()
    back: tuple[ServerId, ...] = ()
    unreachable: tuple[ServerId, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentAcknowledged:
    """An operator, the entry's actor, has an incident in hand until `until`, or until its end."""

    incident: IncidentId
    until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentRetracted:
    """An operator withdrew an incident that was a false alarm; one that `was_open` is closed by it.

    What was held of `servers` between `since` and `until` on account of it becomes operational. They are empty when the incident
    had no part in it.
    """

    incident: IncidentId
    reason: str
    servers: tuple[ServerId, ...]
    since: datetime
    until: datetime
    was_open: bool
    update: Update


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowPlanned:
    """A window as planned; the same id again replaces the plan. `zone_data` is the version of the zones that its times were read by."""

    window: Window
    zone_data: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowExtended:
    """A window that is not over lasts until another moment, later or earlier than before."""

    window: WindowId
    ends_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowMoved:
    """A window started, was completed or was cancelled at the entry's moment."""

    window: WindowId


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketOpened:
    """The helpdesk holds the ticket of an incident under its own id."""

    incident: IncidentId
    reference: str
    helpdesk: str
    ticket: str
    url: str
    department: str
    priority: str
    subject: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketUpdated:
    """An action on a ticket is done: comment, priority, resolve or reopen; `priority` and `status` hold from now on."""

    incident: IncidentId
    reference: str
    action: str
    priority: str
    status: str
    answered_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketRejected:
    """The helpdesk refuses an action for good until something is changed; operators are told."""

    incident: IncidentId
    reference: str
    action: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketNoted:
    """What a person did or wrote on a ticket at the helpdesk; operators read it, customers never.

    `deed` and `body` are as in a `Word` of the port, `key` is the helpdesk's own name of it, and `at` when it happened there.
    """

    incident: IncidentId
    reference: str
    key: str
    deed: str
    author: str
    at: datetime
    body: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketDisputed:
    """A person closed a ticket, and what it is about goes on: it is said there, and opened again if `reopen`."""

    incident: IncidentId
    reference: str
    reopen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillFinished:
    """A drill is over and judged: the moment of each step that was taken, and the steps that nothing asked for.

    It `passed` if no other step is missing.
    """

    incident: IncidentId
    passed: bool
    taken: Mapping[Step, datetime]
    spared: tuple[Step, ...] = ()


Body = (
    InventoryApplied
    | WatchStarted
    | StationArmed
    | CheckChanged
    | ServerChanged
    | ServerForced
    | ServerReleased
    | ViewBlocked
    | ViewCleared
    | IncidentOpened
    | IncidentUpdated
    | IncidentResolved
    | IncidentReopened
    | IncidentAcknowledged
    | IncidentRetracted
    | WindowPlanned
    | WindowExtended
    | WindowMoved
    | TicketOpened
    | TicketUpdated
    | TicketRejected
    | TicketNoted
    | TicketDisputed
    | DrillFinished
)

BODIES: Mapping[Kind, type[Body]] = {
    Kind.INVENTORY_APPLIED: InventoryApplied,
    Kind.WATCH_STARTED: WatchStarted,
    Kind.STATION_ARMED: StationArmed,
    Kind.CHECK_WENT_DOWN: CheckChanged,
    Kind.CHECK_DEGRADED: CheckChanged,
    Kind.CHECK_RECOVERED: CheckChanged,
    Kind.SERVER_CHANGED: ServerChanged,
    Kind.SERVER_FORCED: ServerForced,
    Kind.SERVER_RELEASED: ServerReleased,
    Kind.VIEW_BLOCKED: ViewBlocked,
    Kind.VIEW_CLEARED: ViewCleared,
    Kind.INCIDENT_OPENED: IncidentOpened,
    Kind.INCIDENT_UPDATED: IncidentUpdated,
    Kind.INCIDENT_RESOLVED: IncidentResolved,
    Kind.INCIDENT_REOPENED: IncidentReopened,
    Kind.INCIDENT_ACKNOWLEDGED: IncidentAcknowledged,
    Kind.INCIDENT_RETRACTED: IncidentRetracted,
    Kind.WINDOW_PLANNED: WindowPlanned,
    Kind.WINDOW_STARTED: WindowMoved,
    Kind.WINDOW_EXTENDED: WindowExtended,
    Kind.WINDOW_COMPLETED: WindowMoved,
    Kind.WINDOW_CANCELLED: WindowMoved,
    Kind.TICKET_OPENED: TicketOpened,
    Kind.TICKET_UPDATED: TicketUpdated,
    Kind.TICKET_REJECTED: TicketRejected,
    Kind.TICKET_NOTED: TicketNoted,
    Kind.TICKET_DISPUTED: TicketDisputed,
    Kind.DRILL_FINISHED: DrillFinished,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One decision. `actor` is `vigia` or a person; `subject` the id of what it is about."""

    kind: Kind
    moment: datetime
    subject: str
    body: Body
    actor: str = "vigia"


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberedEntry:
    """An entry as the journal holds it; numbers count from 1 without gaps."""

    number: int
    entry: Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The entries of one action, appended all or none; `after` names the batch before it, None for the first."""

    id: BatchId
    after: BatchId | None
    entries: tuple[Entry, ...]
