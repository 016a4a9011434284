"""Carry messages to people: operators, or the fallback when nobody knows whether a ticket exists."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from monitor.actions.outbox import Outbox, parcel_of
from monitor.errors import NotFoundError
from monitor.incidents.incident import Incident, Trouble
from monitor.journal.consequences import Channel, Delivery, DeliveryState, Told, channel_of, way
from monitor.store import deliveries, journal, readings
from monitor.store.database import Transaction
from monitor.store.deliveries import DeliveryRow
from monitor.subscribers import wording
from monitor.subscribers.port import Message, Messenger
from monitor.subscribers.wording import Matter
from monitor.tickets import delivery
from monitor.tickets.delivery import BLIND, Parcel
from monitor.tickets.port import DeliveryError, Fate

_LOG = logging.getLogger(__name__)

NOBODY = "nobody configured"
SETTLED = "settled meanwhile"
_EACH = "each address has a delivery of its own"
_GONE = "this address is not configured any more"
_NOT_TAKEN = DeliveryError(Fate.NOT_SENT, "the message was not taken")

_MESSAGES: Mapping[str, Callable[[Matter], Message]] = {
    Told.OPENED: wording.opened,
    Told.WORSENED: wording.worsened,
    Told.RESOLVED: wording.resolved,
    Told.REOPENED: wording.reopened,
    Told.REJECTED: wording.rejected,
    Told.RETRACTED: wording.retracted,
    "uncertain": wording.uncertain,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Letter:
    """What a delivery says, and the delivery to the helpdesk at the same place of its queue, if it is about one."""

    matter: Matter
    about: DeliveryRow | None


class Announcer:
    """Makes of what is to be said in one channel a delivery for each of its addresses, so that none waits for another."""

    def __init__(self, outbox: Outbox, channel: Channel, addresses: Collection[str]) -> None:
        self._outbox = outbox
        self._channel = channel
        self._ways = tuple(way(channel, address) for address in addresses)

    def carry(self, claimed: DeliveryRow) -> None:
        """Share it out; nothing leaves the house here."""
        after = delivery.after_success(parcel_of(claimed), _EACH if self._ways else NOBODY)

        def work(tx: Transaction) -> None:
            self._outbox.put(tx, claimed, after)
            self._share_out(tx, claimed)

        self._outbox.record(work)

    def redirect(self) -> None:
        """Give what waits for an address that is not configured any more to those that are; who has heard it hears it no second time."""

        def work(tx: Transaction) -> None:
            for row in deliveries.waiting(tx, self._channel):
                if row.channel not in self._ways:
                    deliveries.finish_unsent(tx, row, _GONE)
                    self._share_out(tx, row)

        self._outbox.record(work)

    def _share_out(self, tx: Transaction, row: DeliveryRow) -> None:
        due = min(row.due_at, self._outbox.clock.now())
        for each in self._ways:
            one = Delivery(channel=each, incident=row.incident, action=row.action)
            deliveries.add(tx, one, entry=row.entry, seq=row.seq, due=due)


class MessageCourier:
    """One message at a time to one address, in the site's first language. Whether it was heard cannot be looked up: what is uncertain is said again."""

    def __init__(self, outbox: Outbox, messenger: Messenger) -> None:
        self._outbox = outbox
        self._messenger = messenger

    def carry(self, claimed: DeliveryRow) -> None:
        """Say it once more, unless it has become needless."""
        try:
            letter = self._outbox.read(lambda tx: self._letter(tx, claimed))
            message = _MESSAGES[claimed.action](letter.matter)
        except (LookupError, NotFoundError) as error:
            _LOG.exception("no message can be made of delivery %d", claimed.id)
            self._put(
                claimed, delivery.after_misfit(parcel_of(claimed), f"our own fault: {type(error).__name__}")
            )
            return
        if channel_of(claimed.channel) == Channel.FALLBACK and not _still_matters(letter.about):
            self._put(claimed, delivery.after_success(parcel_of(claimed), SETTLED))
            return
        if claimed.action == Told.OPENED and _is_told_by_its_end(letter.matter.incident):
            self._put(claimed, delivery.after_success(parcel_of(claimed), SETTLED))
            return
        self._say(claimed, message)

    def _say(self, row: DeliveryRow, message: Message) -> None:
        sending, attempt = self._outbox.begin(row)
        heard = said(self._messenger, message)
        self._outbox.checkpoint("answered")
        now, parcel = self._outbox.clock.now(), parcel_of(sending)
        if heard:
            after = delivery.after_success(parcel)
        else:
            after = delivery.after_error(parcel, BLIND, _NOT_TAKEN, now=now, chance=self._outbox.chance())
        self._outbox.finish(sending, after, (attempt, "done" if heard else "failed", after.detail))

    def _put(self, row: DeliveryRow, after: Parcel) -> None:
        self._outbox.record(lambda tx: self._outbox.put(tx, row, after))

    def _letter(self, tx: Transaction, row: DeliveryRow) -> _Letter:
        incident, fleet = readings.incident(tx, row.incident), self._outbox.fleet.read(tx)
        entry = next((numbered.entry for numbered in journal.entries(tx, after=row.entry - 1, limit=1)), None)
        if incident is None or entry is None:
            raise NotFoundError(f"there is no incident {row.incident}")
        ticket = readings.ticket_of(tx, row.incident)
        queued = deliveries.of_incident(tx, row.incident, Channel.TICKET)
        about = next((each for each in queued if each.seq == row.seq), None)
        matter = Matter(
            incident=incident,
            entry=entry,
            fleet=fleet,
            language=fleet.site.languages[0],
            ticket="" if ticket is None else ticket.url,
            refused=_refused(about),
        )
        return _Letter(matter=matter, about=about)


class Silence:
    """Where nobody asked to be told: every message is done at once, and nothing is composed."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def carry(self, claimed: DeliveryRow) -> None:
        """Settle it."""
        after = delivery.after_success(parcel_of(claimed), NOBODY)
        self._outbox.record(lambda tx: self._outbox.put(tx, claimed, after))


def said(messenger: Messenger, message: Message) -> bool:
    """Say it; return whether it was surely taken."""
    try:
        return messenger.tell(message)
    except Exception:  # noqa: BLE001 - a plug-in may trip over anything; the message waits for its next try
        _LOG.exception("a message was not told")
        return False


def _is_told_by_its_end(incident: Incident) -> bool:
    """Our view was blocked, and so was perhaps the way of this message: once it is over, one message says it all."""
    return incident.trouble is Trouble.ISOLATED and not incident.open


def _refused(about: DeliveryRow | None) -> tuple[str, str] | None:
    """Return what the helpdesk refused, and why; None for what nobody knows the fate of."""
    if about is None or about.state is not DeliveryState.REJECTED:
        return None
    return about.action, about.detail


def _still_matters(about: DeliveryRow | None) -> bool:
    if about is None or about.state is DeliveryState.DONE:
        return False
    return about.state is DeliveryState.REJECTED or about.sent_at is not None
