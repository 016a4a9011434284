"""The decisions of watch as they are carried out on the database; every method runs on the writer's thread."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from monitor.actions import apply as applying
from monitor.actions import asking, maintain
from monitor.actions.append import append
from monitor.actions.observe import note_healths, observe
from monitor.actions.picture import Picture, picture_of
from monitor.actions.receive import Heartbeat, enrol, receive
from monitor.actions.respond import reconsider, resolve_due
from monitor.clock import Clock, fresh_ulid
from monitor.fleet import Fleet, Site
from monitor.fleet.sharing import shared
from monitor.health.advance import persist, retry_gap, wants_retry
from monitor.health.state import Health
from monitor.identifiers import CheckKey, WindowId
from monitor.inventory.settings import Keep
from monitor.language.zones import day_of
from monitor.maintenance.due import RUNNING
from monitor.maintenance.window import Window
from monitor.observation import Observation
from monitor.station.names import METRICS_OPENMETRICS, METRICS_TEXT
from monitor.station.opening import new_heartbeat_key, new_installation
from monitor.status.snapshot import HISTORY_DAYS
from monitor.store import deliveries, observations, readings
from monitor.store.database import Database, Transaction
from monitor.store.days import refresh_days
from monitor.store.heartbeats import make_heartbeat_key
from monitor.store.observations.retention import SLICE
from monitor.store.readings.service import WATCH

Digests = Mapping[CheckKey, bytes]
"""By which token each heartbeat reports, known by its digest."""

_NO_DIGESTS: Digests = {}
_NOTHING = Fleet(site=Site(name="", url=""), groups=(), servers=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What a batch of looks asks for: checks to look at again and how soon, and whether anything was decided."""

    again: tuple[tuple[CheckKey, timedelta], ...]
    decided: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """What the reports of heartbeats, and their silence, came to: the looks that were made of it, and whether anything was decided."""

    looks: tuple[Observation, ...]
    decided: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Housekeeping:
    """What a round through the house asks for."""

    look_at: tuple[CheckKey, ...]
    decided: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """What other processes left: whether deliveries are due, and the newest order to apply a configuration."""

    deliveries: bool = False
    order: asking.Order | None = None


class Bureau:
    """Holds the picture between transactions; it changes only after a commit, so that a failed one leaves no trace."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._boot = fresh_ulid(clock.now())
        self._younger: dict[CheckKey, Observation] = {}
        self._edition = 0
        self._running: Mapping[WindowId, Window] = {}
        self._heartbeats: Mapping[CheckKey, Heartbeat] = {}
        self._came: int | None = None
        self._due: datetime | None = None
        self.picture: Picture = picture_of(_NOTHING, {}, {})

    def begin(self, fleet: Fleet, digests: Digests = _NO_DIGESTS) -> None:
        """Apply the fleet, note that we look from now on, and go on where the last watch stopped."""
        moment = self._clock.now()
        with self._database.writing() as tx:
            # A window that ended since the last sign of life counts as running: its end is still to be acted upon.
            running = _begun(tx, since=readings.heard_at(tx) or moment)
            picture = self._applied(tx, fleet, readings.healths(tx), moment)
            heartbeats = enrol(tx, picture, digests, moment)
            applying.begin(tx, self._boot, moment)
            self._edition = observations.last_edition(tx)
            observations.beat(tx, WATCH, moment)
        self.picture, self._running = picture, running
        self._heartbeats, self._due = heartbeats, moment

    def installation(self) -> str:
        """Return the name of this installation; it is given once."""
        with self._database.writing() as tx:
            return observations.installation_id(tx, new_installation)

    def memories(self) -> Mapping[CheckKey, Mapping[str, str]]:
        """Return what the checks remember from their looks before this process began."""
        with self._database.reading() as tx:
            return readings.memories(tx)

    def apply(self, fleet: Fleet, digests: Digests = _NO_DIGESTS) -> None:
        """Apply a changed fleet while running; healths of untouched checks are kept."""
        moment = self._clock.now()
        with self._database.writing() as tx:
            picture = self._applied(tx, fleet, self.picture.healths, moment)
            heartbeats = enrol(tx, picture, digests, moment)
        self.picture = picture
        self._heartbeats, self._due = heartbeats, moment

    @staticmethod
    def _applied(
        tx: Transaction, fleet: Fleet, healths: Mapping[CheckKey, Health], moment: datetime
    ) -> Picture:
        changed = applying.apply(tx, fleet, moment)
        # Held as it stands in the database: one compact copy, while around the other lies what the reader of the file left.
        held = shared(readings.fleet(tx) or fleet)
        maintain.plan_recurring(tx, held, moment)
        picture = picture_of(held, readings.check_numbers(tx), healths)
        if changed:
            append(tx, reconsider(tx, picture, picture.servers, moment), moment)
        return picture

    def record(self, looks: Sequence[Observation]) -> Recorded:
        """Store and judge a batch of looks in one transaction."""
        with self._database.writing() as tx:
            observed = observe(tx, self.picture, looks, self._clock.now())
        self._hold(observed.healths, looks)
        again = tuple(
            (key, retry_gap(health, self.picture.plans[key].policy))
            for key, health in observed.healths.items()
            if wants_retry(health)
        )
        return Recorded(again=again, decided=bool(observed.entries))

    def heartbeat_key(self) -> str:
        """Return the secret that the addresses of heartbeats are derived from; it is made once."""
        with self._database.writing() as tx:
            return make_heartbeat_key(tx, new_heartbeat_key)

    def receive(self) -> Received | None:
        """Take in what heartbeats reported and find those that are overdue; None when there is nothing to do."""
        if not self._heartbeats:
            return None
        moment = self._clock.now()
        came = self._database.outside_version()
        if came == self._came and (self._due is None or moment < self._due):
            return None
        with self._database.writing() as tx:
            received = receive(tx, self.picture, self._heartbeats, moment)
        self._heartbeats, self._came, self._due = received.heartbeats, came, received.due
        self._hold(received.observed.healths, received.looks)
        return Received(looks=received.looks, decided=bool(received.observed.entries))

    def keep_house(self) -> Housekeeping | None:
        """Move windows that are due and resolve incidents that were watched for long enough; None if nothing is due."""
        moment = self._clock.now()
        if not self._anything_due(moment):
            return None
        with self._database.writing() as tx:
            moved = maintain.keep(tx, moment)
            running = _running(tx, moment)
            begun = {**self._running, **{window.id: window for window in moved.started}}
            ended = [window for name, window in begun.items() if name not in running]
            persisting = self._persisting(ended)
            observations.save_healths(tx, persisting.values(), self.picture.numbers)
            picture = replace(self.picture, healths=ChainMap(persisting, self.picture.healths))
            # What came and went in a window is not called unstable after it.
            calmed = {key.server for key in persisting if self.picture.health(key).flapping}
            entries = append(tx, reconsider(tx, picture, sorted(calmed), moment), moment)
            entries += append(tx, resolve_due(tx, picture, moment), moment)
        self._running = running
        self._hold(persisting, ())
        if persisting:
            self._due = moment
        return Housekeeping(look_at=tuple(persisting), decided=bool(entries or moved.started or ended))

    def mail(self) -> Mail:
        """Return what other processes want of watch; the command line does."""
        with self._database.reading() as tx:
            return Mail(deliveries=bool(deliveries.due(tx, self._clock.now(), 1)), order=asking.newest(tx))

    def tell_configuration(self, told: asking.Told) -> None:
        """Let readers know what became of the configuration file as it stands."""
        with self._database.writing() as tx:
            asking.tell(tx, told, self._clock.now())

    def settle(self, keep: Keep) -> bool:
        """Settle one slice of closed hours, work out closed days, drop what is too old; return whether there is more."""
        moment = self._clock.now()
        zone = ZoneInfo(self.picture.fleet.site.timezone)
        kept = observations.Keep(
            observations=keep.observations, five_minutes=keep.five_minutes, hours=keep.hours
        )
        with self._database.writing() as tx:
            settled = observations.settle(tx, moment)
            pruned = observations.prune(tx, kept, moment)
            refresh_days(tx, zone, moment, day_of(moment, zone) - timedelta(days=HISTORY_DAYS))
            maintain.plan_recurring(tx, self.picture.fleet, moment)
        return bool(settled) or pruned >= SLICE

    def publish(self, text: str, openmetrics: str) -> None:
        """Give a sign of life, and let readers see the newest figures and looks."""
        moment = self._clock.now()
        younger, self._younger = self._younger, {}
        numbers = self.picture.numbers
        try:
            with self._database.writing() as tx:
                observations.beat(tx, WATCH, moment)
                observations.publish(tx, METRICS_TEXT, moment, text)
                observations.publish(tx, METRICS_OPENMETRICS, moment, openmetrics)
                note_healths(tx, self.picture, younger)
                observations.note_newest(
                    tx,
                    {numbers[key]: look for key, look in younger.items() if key in numbers},
                    self._edition + 1,
                )
        except BaseException:
            self._younger = younger | self._younger
            raise
        self._edition += 1

    def _hold(self, healths: Mapping[CheckKey, Health], looks: Iterable[Observation]) -> None:
        """Take in what a commit brought."""
        self.picture.healths.update(healths)
        self._younger.update((look.check, look) for look in looks if look.check in healths)

    def _anything_due(self, moment: datetime) -> bool:
        with self._database.reading() as tx:
            return (
                any(maintain.due(tx, moment))
                # Somebody else may have ended a window: the command line cancels them.
                or _running(tx, moment).keys() != self._running.keys()
                or bool(resolve_due(tx, self.picture, moment))
            )

    def _persisting(self, ended: Iterable[Window]) -> dict[CheckKey, Health]:
        """The checks of servers whose window just ended have to prove anew that they still fail (rules M2 and M4)."""
        servers = {server for window in ended for server in window.servers}
        return {
            key: persist(self.picture.health(key))
            for key in self.picture.plans
            if key.server in servers and self.picture.health(key).looked_at is not None
        }


def _running(tx: Transaction, moment: datetime) -> Mapping[WindowId, Window]:
    windows = readings.windows(tx, ending_after=moment)
    return {window.id: window for window in windows if window.stage in RUNNING}


def _begun(tx: Transaction, since: datetime) -> Mapping[WindowId, Window]:
    """Return the windows that were running at `since`, or began later, whatever became of them."""
    windows = readings.windows(tx, ending_after=since)
    return {window.id: window for window in windows if window.started_at is not None}
