"""The decisions of watch as they are carried out on the database; every method runs on the writer's thread."""

from __future__ import annotations

from collections import ChainMap, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from monitor.actions import apply as applying
from monitor.actions import arm, asking, clocks, force, maintain, ourselves
from monitor.actions.append import append
from monitor.actions.causes import failing_descendants, failing_servers, forget_onsets, note_onsets
from monitor.actions.observe import note_healths, observe
from monitor.actions.picture import Picture, picture_of
from monitor.actions.receive import Heartbeat, enrol, receive
from monitor.actions.respond import reconsider, resolve_due
from monitor.checks import is_passive
from monitor.clock import LARGE, STEP, Clock, HouseClock, fresh_ulid
from monitor.fleet import Fleet, Site
from monitor.fleet.sharing import shared
from monitor.health.advance import persist, retry_gap, wants_retry
from monitor.health.staleness import Survey, patience, survey
from monitor.health.state import Health
from monitor.health.view import Insight
from monitor.health.words import Why
from monitor.identifiers import CheckKey, ServerId, WindowId
from monitor.inventory.settings import Keep
from monitor.language.zones import day_of
from monitor.leaps import Leap
from monitor.maintenance.due import RUNNING
from monitor.maintenance.window import Window
from monitor.observation import Observation
from monitor.station import home
from monitor.station.names import METRICS_OPENMETRICS, METRICS_TEXT
from monitor.station.opening import new_heartbeat_key, new_installation
from monitor.status.snapshot import HISTORY_DAYS
from monitor.store import deliveries, observations, readings
from monitor.store.database import Database, Transaction
from monitor.store.days import refresh_days
from monitor.store.heartbeats import make_heartbeat_key
from monitor.store.observations.retention import SLICE
from monitor.store.readings.service import RETENTION, WATCH

Digests = Mapping[CheckKey, bytes]
"""By which token each heartbeat reports, known by its digest."""

# Of so much of the time servers that wait are thought of again: hundreds of them not every second.
_THOUGHT = 0.02
_LONGEST_PAUSE_S = 5.0
_NO_DIGESTS: Digests = {}
# Whoever slept longer has not looked; less makes nothing stale (`patience`).
_ASLEEP = timedelta(seconds=45)
_NOTHING = Fleet(site=Site(name="", url=""), groups=(), servers=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What a batch of looks asks for: checks to look at again and how soon, others at once, and whether anything was decided."""

    again: tuple[tuple[CheckKey, timedelta], ...]
    decided: bool
    look_at: tuple[CheckKey, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """What the reports of heartbeats, and their silence, came to: the looks that were made of it, and whether anything was decided."""

    looks: tuple[Observation, ...]
    decided: bool
    look_at: tuple[CheckKey, ...] = ()


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
        self._clock = self.clock = HouseClock(clock)
        self._leapt: deque[Leap] = deque()
        self.clock.on_leap = self._leapt.append
        self._trusted_monotonic = clock.monotonic()
        self.future_rows: int | None = None
        self._boot = fresh_ulid(clock.now())
        self._younger: dict[CheckKey, Observation] = {}
        self._edition = 0
        self._running: Mapping[WindowId, Window] = {}
        self._ending: frozenset[ServerId] = frozenset()
        self._heartbeats: Mapping[CheckKey, Heartbeat] = {}
        self._came: int | None = None
        self._due: datetime | None = None
        self._think_from = 0.0
        self._awake_since = self._rounded_at = clock.now()
        self._surveyed_until: datetime | None = None
        self.picture: Picture = picture_of(_NOTHING, {}, {})

    def begin(self, fleet: Fleet, digests: Digests = _NO_DIGESTS) -> None:
        """Apply the fleet, note that we look from now on, and go on where the last watch stopped."""
        moment = self._arrive()
        restored = home.is_restored(self._database)
        with self._database.writing() as tx:
            if restored:
                deliveries.distrust(tx, moment)
            # A window that ended since the last sign of life counts as running: its end is still to be acted upon.
            running = _begun(tx, since=readings.heard_at(tx) or moment)
            picture = self._resumed(tx, self._applied(tx, fleet, readings.healths(tx), moment), moment)
            heartbeats = enrol(tx, picture, digests, moment)
            applying.begin(tx, self._boot, moment)
            self._edition = observations.last_edition(tx)
            observations.beat(tx, WATCH, self._clock.wall())
        home.move_in(self._database)
        self.picture, self._running = picture, running
        self._heartbeats, self._due = heartbeats, moment

    def _arrive(self) -> datetime:
        """Return the moment of the start. The time since the last sign of life passed without us; so it did if the clock was set back."""
        with self._database.writing() as tx:
            heard = readings.heard_at(tx)
            if heard is not None:
                self._clock.go_on_from(heard)
            moment = self._clock.now()
            if readings.beat_of(tx, RETENTION) is None:
                observations.beat(tx, RETENTION, min(heard or moment, moment))
        if heard is not None and not -STEP < moment - heard < LARGE:
            leap = Leap(heard, moment, slept=moment > heard)
            self._clock.note(leap)
            self._leapt.append(leap)
        return moment

    def slept(self, span: timedelta) -> None:
        """Learn that the whole process stood still for so long until now."""
        now = self._clock.now()
        self._clock.note(Leap(now - span, now, slept=True))

    def _now(self) -> datetime:
        """Return the moment to act at; what is kept by moments is first carried over the clock's leaps."""
        moment = self._clock.now()
        while self._leapt:
            self._carry_over(self._leapt[0])
            self._leapt.popleft()
        if self.picture.leaps is not self._clock.leaps:
            self.picture = replace(self.picture, leaps=self._clock.leaps)
        return moment

    def _carry_over(self, leap: Leap) -> None:
        with self._database.writing() as tx:
            healths = clocks.carry_healths(tx, self.picture, leap)
            heartbeats = clocks.carry_heartbeats(tx, self.picture, self._heartbeats, leap)
        self._hold(healths, ())
        self._heartbeats, self._due = heartbeats, None
        self._came = self.future_rows = None
        over = {server: min(at, leap.entered) for server, at in self.picture.quiet_until.items()}
        self.picture = replace(self.picture, quiet_until=over)

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
        moment = self._now()
        with self._database.writing() as tx:
            picture = self._applied(tx, fleet, self.picture.healths, moment)
            heartbeats = enrol(tx, picture, digests, moment)
        self.picture = picture
        self._heartbeats, self._due = heartbeats, moment
        self._surveyed_until = None

    def _applied(
        self, tx: Transaction, fleet: Fleet, healths: Mapping[CheckKey, Health], moment: datetime
    ) -> Picture:
        changed = applying.apply(tx, fleet, moment)
        # Held as it stands in the database: one compact copy, while around the other lies what the reader of the file left.
        held = shared(readings.fleet(tx) or fleet)
        maintain.plan_recurring(tx, held, moment)
        maintain.follow(tx, held, moment)
        picture = picture_of(held, readings.check_numbers(tx), healths)
        stale = {key: long for key, long in self.picture.stale.items() if key in picture.plans}
        picture = replace(
            picture,
            stale=stale,
            insight=self.picture.insight,
            quiet_until=self.picture.quiet_until,
            leaps=self._clock.leaps,
            learning=readings.is_learning(tx),
        )
        picture.suspense.onsets.update(self.picture.suspense.onsets)
        note_onsets(picture, picture.healths)
        # What fails and waited to be told of is not forgotten by a new process.
        failing = picture.servers if changed else failing_servers(picture)
        append(tx, reconsider(tx, picture, failing, moment), moment)
        return picture

    def _resumed(self, tx: Transaction, picture: Picture, moment: datetime) -> Picture:
        """Return the picture at a start: what nobody saw before it stays unseen until a look tells something."""
        held = readings.standing(tx)
        unseen = [server for server, one in held.items() if one.judged.because in (Why.STALE, Why.ISOLATED)]
        before = {key for key in picture.plans if key.server in unseen}
        found = survey(_ages(picture), before=before, awake_since=moment, moment=moment)
        resumed = replace(picture, stale=found.stale)
        append(tx, reconsider(tx, resumed, unseen, moment), moment)
        return resumed

    def record(self, looks: Sequence[Observation]) -> Recorded:
        """Store and judge a batch of looks in one transaction."""
        moment = self._now()
        looks = [self._dated(look, moment) for look in looks]
        with self._database.writing() as tx:
            observed = observe(tx, self.picture, looks, moment)
        self._hold(observed.healths, looks)
        again = tuple(
            (key, retry_gap(health, self.picture.plans[key].policy))
            for key, health in observed.healths.items()
            if wants_retry(health)
        )
        look_at, further = self.picture.suspense.taken_looks()
        return Recorded(again=(*again, *further), decided=bool(observed.entries), look_at=look_at)

    def _dated(self, look: Observation, moment: datetime) -> Observation:
        """Return a look by the clock of the house; whoever looked went by the machine's."""
        at = self._clock.dated(look.started_at, moment)
        return look if at == look.started_at else replace(look, started_at=at)

    def heartbeat_key(self) -> str:
        """Return the secret that the addresses of heartbeats are derived from; it is made once."""
        with self._database.writing() as tx:
            return make_heartbeat_key(tx, new_heartbeat_key)

    def receive(self) -> Received | None:
        """Take in what heartbeats reported and find those that are overdue; None when there is nothing to do."""
        if not self._heartbeats:
            return None
        moment = self._now()
        came = self._database.outside_version()
        if came == self._came and (self._due is None or moment < self._due):
            return None
        with self._database.writing() as tx:
            received = receive(tx, self.picture, self._heartbeats, moment, ahead=self._clock.ahead)
        self._heartbeats, self._came, self._due = received.heartbeats, came, received.due
        self._hold(received.observed.healths, received.looks)
        look_at, _ = self.picture.suspense.taken_looks()
        return Received(looks=received.looks, decided=bool(received.observed.entries), look_at=look_at)

    def keep_house(self) -> Housekeeping | None:
        """Move windows that are due and resolve incidents that were watched for long enough; None if nothing is due."""
        thought = self.think_again()
        kept = self._kept() or Housekeeping(look_at=(), decided=False)
        asked, _ = self.picture.suspense.taken_looks()
        look_at = tuple(dict.fromkeys((*kept.look_at, *asked)))
        decided = thought or kept.decided
        return Housekeeping(look_at=look_at, decided=decided) if decided or look_at else None

    def _kept(self) -> Housekeeping | None:
        moment = self._now()
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
            # What could not be judged because of a parent is not to wait for one of which the same is true no more.
            calmed |= set(failing_descendants(picture, {}, {key.server for key in persisting}))
            armed = picture.learning and arm.end_round(tx, picture, moment)
            if armed:
                picture = replace(picture, learning=False)
                calmed |= picture.servers.keys()
            freed = force.expire(tx, moment)
            entries = append(tx, reconsider(tx, picture, sorted({*calmed, *freed}), moment), moment)
            entries += append(tx, resolve_due(tx, picture, moment), moment)
            ending = maintain.ending_soon(tx, moment)
        look_at = (*persisting, *self._of_servers(ending - self._ending))
        self._running, self._ending = running, ending
        if armed:
            self.picture = replace(self.picture, learning=False)
        self._end_windows(ended, moment)
        self._hold(persisting, ())
        if persisting:
            self._due = moment
        return Housekeeping(look_at=look_at, decided=bool(entries or moved.started or ended or armed))

    def _end_windows(self, ended: Iterable[Window], moment: datetime) -> None:
        """Note that looks which began before say nothing about afterwards (rule M5)."""
        over = {server: moment for window in ended for server in window.covered}
        if over:
            self.picture = replace(self.picture, quiet_until={**self.picture.quiet_until, **over})

    def look_inward(self, insight: Insight | None = None) -> bool:
        """Take in what is believed of ourselves, if that is known, and find checks of which what we know has become too old.

        Return whether anything was decided.
        """
        moment, before = self._clock.now(), self.picture
        found = self._survey(moment)
        picture = replace(
            before, insight=insight or before.insight, stale=before.stale if found is None else found.stale
        )
        decided = picture.insight != before.insight or picture.stale != before.stale
        if decided:
            turned = {key.server for key in picture.stale.keys() ^ before.stale.keys()}
            with self._database.writing() as tx:
                entries = reconsider(tx, picture, sorted(turned), moment)
                entries += ourselves.consider(tx, picture, {}, moment)
                append(tx, entries, moment)
            self.picture, self._due = picture, moment
        if found is not None:
            self._surveyed_until = found.due or moment + _ASLEEP
        return decided

    def _survey(self, moment: datetime) -> Survey | None:
        """Return which checks are stale; None while none can have become so."""
        pause, self._rounded_at = moment - self._rounded_at, moment
        if not timedelta(0) <= pause < _ASLEEP:
            # We stood still, or the clock was set: a fresh round of looks comes first.
            self._awake_since, self._surveyed_until = moment, None
        if self._surveyed_until is not None and moment <= self._surveyed_until:
            return None
        return survey(
            _ages(self.picture),
            before=self.picture.stale.keys(),
            awake_since=self._awake_since,
            moment=moment,
        )

    def think_again(self) -> bool:
        """Tell of servers that fail and waited, for what they depend on or for others; return whether anything was decided."""
        waiting, began = tuple(self.picture.suspense.holds), self._clock.monotonic()
        if not waiting or began < self._think_from:
            return False
        moment = self._now()
        with self._database.writing() as tx:
            entries = append(tx, reconsider(tx, self.picture, waiting, moment, all_that_wait=True), moment)
        self._hold({}, ())
        took = self._clock.monotonic() - began
        self._think_from = began + min(took / _THOUGHT, _LONGEST_PAUSE_S)
        return bool(entries)

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
        moment = self._now()
        zone = ZoneInfo(self.picture.fleet.site.timezone)
        kept = observations.Keep(
            observations=keep.observations, five_minutes=keep.five_minutes, hours=keep.hours
        )
        with self._database.writing() as tx:
            forget_onsets(self.picture, moment)
            settled = observations.settle(tx, moment)
            pruned = observations.prune(tx, kept, self._trusted(tx, moment))
            if self.future_rows != 0:
                self.future_rows = observations.rows_after(tx, moment)
            refresh_days(tx, zone, moment, day_of(moment, zone) - timedelta(days=HISTORY_DAYS))
            maintain.plan_recurring(tx, self.picture.fleet, moment)
        return bool(settled) or pruned >= SLICE

    def _trusted(self, tx: Transaction, moment: datetime) -> datetime:
        """Return the moment by which things are too old. It goes at most twice as fast as we live: no clock that is wrong empties the house."""
        monotonic = self._clock.monotonic()
        lived = timedelta(seconds=monotonic - self._trusted_monotonic)
        trusted = min(moment, (readings.beat_of(tx, RETENTION) or moment) + 2 * lived)
        observations.beat(tx, RETENTION, trusted)
        self._trusted_monotonic = monotonic
        return trusted

    def publish(self, text: str, openmetrics: str) -> None:
        """Give a sign of life, and let readers see the newest figures and looks."""
        moment = self._clock.wall()
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
        self.picture.healths.update(self.picture.suspense.taken_anew())
        self.picture = self.picture.heard(healths)
        self._younger.update((look.check, look) for look in looks if look.check in healths)

    def _anything_due(self, moment: datetime) -> bool:
        with self._database.reading() as tx:
            return (
                any(maintain.due(tx, moment))
                # Somebody else may have ended a window: the command line cancels them.
                or _running(tx, moment).keys() != self._running.keys()
                or maintain.ending_soon(tx, moment) != self._ending
                or force.due(tx, moment)
                or (self.picture.learning and arm.due(tx, self.picture, moment))
                or bool(resolve_due(tx, self.picture, moment))
            )

    def _persisting(self, ended: Iterable[Window]) -> dict[CheckKey, Health]:
        """The checks of servers whose window just ended have to prove anew that they still fail (rules M2 and M4)."""
        servers = frozenset(server for window in ended for server in window.covered)
        return {
            key: persist(self.picture.health(key))
            for key in self._of_servers(servers)
            if self.picture.health(key).looked_at is not None
        }

    def _of_servers(self, servers: frozenset[ServerId]) -> list[CheckKey]:
        return [key for key in self.picture.plans if key.server in servers] if servers else []


def _ages(picture: Picture) -> Iterator[tuple[Health, timedelta]]:
    """Yield the checks that we look at ourselves, each with how old what we know of it may become."""
    for key, plan in picture.plans.items():
        health = picture.healths.get(key)
        if health is not None and not is_passive(plan.kind):
            yield health, patience(plan.every, plan.timeout)


def _running(tx: Transaction, moment: datetime) -> Mapping[WindowId, Window]:
    windows = readings.windows(tx, ending_after=moment)
    return {window.id: window for window in windows if window.stage in RUNNING}


def _begun(tx: Transaction, since: datetime) -> Mapping[WindowId, Window]:
    """Return the windows that were running at `since`, or began later, whatever became of them."""
    windows = readings.windows(tx, ending_after=since)
    return {window.id: window for window in windows if window.started_at is not None}
