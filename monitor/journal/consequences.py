"""What must be told to whom because of an entry: the deliveries that the store queues beside it.

Pure: the same entry always has the same consequences, and replaying a journal asks nobody for them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from monitor.identifiers import IncidentId
from monitor.incidents.incident import Audience, Incident, Origin, Stage
from monitor.journal.entries import (
    Body,
    Entry,
    IncidentRetracted,
    IncidentUpdated,
    Kind,
    Reason,
    TicketDisputed,
)


class Channel(StrEnum):
    """Ways out of the house, each with a queue and workers of its own, so that none waits for another."""

    TICKET = "ticket"
    OPERATORS = "operators"
    FALLBACK = "fallback"
    VERIFY = "verify"
    RAISE = "raise"
    COMPLAINT = "complaint"
    MAIL = "mail"


def way(channel: str, address: str) -> str:
    """Return the channel of its own that leads to one of several addresses: `operators/json-1f2e3d4c`."""
    return f"{channel}/{address}"


def channel_of(name: str) -> str:
    """Return the channel that a way to an address belongs to; any other name is a channel itself."""
    return name.partition("/")[0]


class Told(StrEnum):
    """What operators are told of; the ticket's own actions are those of its helpdesk."""

    OPENED = "opened"
    WORSENED = "worsened"
    RESOLVED = "resolved"
    REOPENED = "reopened"
    REJECTED = "rejected"
    RETRACTED = "retracted"


class DeliveryState(StrEnum):
    """Where a delivery stands on its way out; `sending` is written before the first byte leaves."""

    READY = "ready"
    CLAIMED = "claimed"
    SENDING = "sending"
    RETRY = "retry"
    AMBIGUOUS = "ambiguous"
    LOOKUP = "lookup"
    DONE = "done"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One thing to be done outside because of an entry; `action` is a ticket's action or what operators are told of."""

    channel: str
    incident: IncidentId
    action: str


def consequences(
    entry: Entry, incident: Incident | None, *, others_open: bool = False
) -> tuple[Delivery, ...]:
    """Return what follows from `entry`, in order; `incident` is the one it is about, as it stands after the entry.

    Where one ticket tells of a mass of incidents, `others_open` says whether any but this one is open.

    Tickets are for what we detected ourselves about a server, and for what a person asked one for; whether a matter of the staff has one is
    asked of the table of classes when it is delivered, for that is configuration and this is not. Our own troubles reach operators alone.
    A drill goes the whole way. While an operator has the incident in hand, operators hear no more of it; a ticket that
    was refused is another matter, and is told.
    """
    if incident is None:
        return ()
    if entry.kind is Kind.TICKET_REJECTED:
        return (_tell(incident, Told.REJECTED),)
    if isinstance(entry.body, TicketDisputed):
        return (_ticket(incident, "reopen" if entry.body.reopen else "comment"),)
    found = (_in_a_mass(one, incident, others_open=others_open) for one in _all(entry, incident))
    return tuple(one for one in found if not _in_hand(one, entry, incident))


def _in_a_mass(delivery: Delivery, incident: Incident, *, others_open: bool) -> Delivery:
    """One ticket for many: the first of them opens it, the last that ends closes it, and in between there are comments."""
    if incident.mass is None or delivery.channel != Channel.TICKET:
        return delivery
    action = delivery.action
    if action == "create" and incident.mass != incident.id:
        action = "reopen"
    if action in ("resolve", "reopen") and others_open:
        action = "comment"
    return replace(delivery, incident=incident.mass, action=action)


def _in_hand(delivery: Delivery, entry: Entry, incident: Incident) -> bool:
    held = incident.acknowledged
    return delivery.channel == Channel.OPERATORS and held is not None and held.holds(entry.moment)


def _all(entry: Entry, incident: Incident) -> tuple[Delivery, ...]:
    if incident.audience is Audience.OPERATORS and not incident.servers:
        return tuple(_tell(incident, told) for told in _OWN_TROUBLES.get(entry.kind, ()))
    if entry.kind not in _FAULTS:
        return ()
    asked = _FAULTS[entry.kind](incident, entry.body)
    has_ticket = incident.origin is Origin.DETECTED or incident.wants_ticket
    return tuple(one for one in asked if has_ticket or one.channel != Channel.TICKET)


def _opened(incident: Incident, _body: Body) -> tuple[Delivery, ...]:
    joins = incident.mass not in (None, incident.id)
    rise = (_ticket(incident, "priority"),) if joins else ()
    return (_ticket(incident, "create"), *rise, _tell(incident, Told.OPENED))


def _updated(incident: Incident, body: Body) -> tuple[Delivery, ...]:
    if not isinstance(body, IncidentUpdated) or body.stage is Stage.POSTMORTEM:
        return ()
    comment = (_ticket(incident, "comment"),)
    told = (_tell(incident, Told.WORSENED),) if body.reason is Reason.WORSENED else ()
    return comment + _raised(incident, body.reason) + told


def _raised(incident: Incident, reason: Reason) -> tuple[Delivery, ...]:
    """What grows worse may ask for a higher priority; whoever delivers leaves out what the ticket has already."""
    worse = reason in (Reason.JOINED, Reason.WORSENED, Reason.RELAPSED, Reason.UNSTABLE, Reason.OPERATOR)
    return (_ticket(incident, "priority"),) if worse else ()


def _resolved(incident: Incident, _body: Body) -> tuple[Delivery, ...]:
    return (_ticket(incident, "resolve"), _tell(incident, Told.RESOLVED))


def _reopened(incident: Incident, _body: Body) -> tuple[Delivery, ...]:
    return (_ticket(incident, "reopen"), _tell(incident, Told.REOPENED))


def _acknowledged(incident: Incident, _body: Body) -> tuple[Delivery, ...]:
    return (_ticket(incident, "comment"),)


def _retracted(incident: Incident, body: Body) -> tuple[Delivery, ...]:
    """A ticket that was closed with the incident only gets the note."""
    was_open = isinstance(body, IncidentRetracted) and body.was_open
    return (_ticket(incident, "resolve" if was_open else "comment"), _tell(incident, Told.RETRACTED))


def _ticket(incident: Incident, action: str) -> Delivery:
    return Delivery(channel=Channel.TICKET, incident=incident.id, action=action)


def _tell(incident: Incident, told: Told) -> Delivery:
    return Delivery(channel=Channel.OPERATORS, incident=incident.id, action=told)


_FAULTS: Mapping[Kind, Callable[[Incident, Body], tuple[Delivery, ...]]] = {
    Kind.INCIDENT_OPENED: _opened,
    Kind.INCIDENT_UPDATED: _updated,
    Kind.INCIDENT_RESOLVED: _resolved,
    Kind.INCIDENT_REOPENED: _reopened,
    Kind.INCIDENT_ACKNOWLEDGED: _acknowledged,
    Kind.INCIDENT_RETRACTED: _retracted,
}
_OWN_TROUBLES: Mapping[Kind, tuple[Told, ...]] = {
    Kind.INCIDENT_OPENED: (Told.OPENED,),
    Kind.INCIDENT_RESOLVED: (Told.RESOLVED,),
    Kind.INCIDENT_REOPENED: (Told.REOPENED,),
    Kind.INCIDENT_RETRACTED: (Told.RETRACTED,),
}
