"""watch: the process that looks and decides. One loop for the looks, one thread for the database."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from datetime import time, timedelta
from functools import partial
from math import ceil

import uvloop

from monitor import __version__
from monitor.actions.asking import Order, Told
from monitor.checks import is_passive
from monitor.checks.contract import Tools
from monitor.checks.policy import TargetPolicy
from monitor.clock import Clock
from monitor.errors import VigiaError
from monitor.fleet import CheckPlan
from monitor.health.advance import retry_gap, wants_retry
from monitor.identifiers import CheckKey
from monitor.inventory import Configuration, Settings
from monitor.inventory.changes import require_meant
from monitor.language.moments import have_words_ready
from monitor.metrics.instruments import Instruments
from monitor.observation import Observation
from monitor.prober import PER_HOST, Prober, Resolver, Sentinels, Toolbox
from monitor.scheduling import Scheduler
from monitor.station.bureau import Bureau, Digests, Housekeeping, Mail, Received
from monitor.station.crew import Crew
from monitor.station.delivering import Delivering
from monitor.station.drills import Drills
from monitor.station.following import FollowedFile
from monitor.station.heartbeats import digests
from monitor.station.lifeline import follow_supervisor, only_watch
from monitor.station.lookout import Listener, Lookout
from monitor.station.memory import give_back
from monitor.station.names import DATABASE
from monitor.station.office import Office, Wanted, office_of
from monitor.station.opening import resolver_settings, sentinels_of
from monitor.station.outlook import Outlook
from monitor.station.recorder import Recorder
from monitor.station.remote import Remote
from monitor.station.sharing import cores, probers_for
from monitor.station.wire import Open
from monitor.station.writer import Writer
from monitor.store.database import Database, engine

_log = logging.getLogger(__name__)

# The recorder queues and tries again by itself; a long wait in the database would only hide how long looks wait.
_PATIENCE = timedelta(milliseconds=250)
HOUSE = timedelta(seconds=1)
PUBLISH = timedelta(seconds=5)
SETTLE = timedelta(seconds=60)
_LAST_WORDS_S = 5.0
_SEEN_AGAIN_WITHIN = timedelta(seconds=10)
_SEEN_AGAIN_APART = timedelta(milliseconds=20)
_MARGIN_S = 1.0


def run_watch(load: Callable[[], Configuration], clock: Clock) -> int:
    """Look and decide until SIGTERM or SIGINT; SIGHUP applies the configuration anew. Return the exit status."""
    follow_supervisor()
    configuration = load()
    data = configuration.settings.data
    with only_watch(data):
        database = Database.open(data / DATABASE, owner=True, busy_timeout=_PATIENCE)
        try:
            watch = _Watch(configuration, load, database, clock)
            # What was read stands in the database soon, and is held as it stands there.
            del configuration
            uvloop.run(watch.run())
        finally:
            database.close()
    return 0


class _Watch:
    """The parts of watch and what passes between them."""

    def __init__(
        self,
        configuration: Configuration,
        load: Callable[[], Configuration],
        database: Database,
        clock: Clock,
    ) -> None:
        self._configuration = configuration
        self._load = load
        self._database = database
        self._clock = clock
        self._bureau = Bureau(database, clock)
        self._drills = Drills(database, self._bureau.clock, lambda: self._bureau.picture)
        found = engine()
        self._instruments = Instruments(version=__version__, engine=f"{found.name} {found.version}")
        self._recorder = Recorder(
            write=self._record, on_drop=self._instruments.dropped, is_news=self._is_news
        )
        self._writer = Writer(partial(self._fault, "store"))
        self._plans: dict[CheckKey, CheckPlan] = {}
        self._heartbeat_key = ""
        self._stop = asyncio.Event()
        self._begun = asyncio.Event()
        self._publishing: asyncio.Task[None] | None = None
        self._reading = asyncio.Lock()
        self._applying: set[asyncio.Task[None]] = set()
        self._file = FollowedFile(configuration.path, clock)
        self._order: Order | None = None
        self._is_untold = False
        self._scheduler = Scheduler(
            clock,
            self._begin,
            partial(self._fault, "schedule"),
            on_skip=self._instruments.skipped,
            on_miss=self._instruments.missed,
            on_sleep=self._slept,
        )
        self._prober: Prober | None = None
        self._crew: Crew | None = None
        self._delivering: Delivering | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._toolbox = Toolbox(clock)
        self._lent: Tools | None = None
        self._outlook = Outlook(clock, hand=self._recorder.put, look_again=self._look_again)

    async def run(self) -> None:
        """Live from the first look to the last word."""
        self._listen_to_signals()
        async with self._toolbox:
            tools = await self._tools(self._configuration.settings)
            self._prober = Prober(tools=tools, clock=self._clock, deliver=self._outlook.put)
            self._prober.on_start = lambda _key, late_s: self._instruments.late(late_s)
            self._heartbeat_key = await self._writer.persistently(self._bureau.heartbeat_key)
            await self._writer.persistently(
                partial(self._bureau.begin, self._configuration.fleet, self._digests(self._configuration))
            )
            self._crew = self._crew_of(self._prober)
            self._crew.remember(await self._writer.persistently(self._bureau.memories))
            self._loop = asyncio.get_running_loop()
            self._delivering = Delivering(
                partial(self._office, await self._writer.persistently(self._bureau.installation))
            )
            self._order = (await self._writer.persistently(self._bureau.mail)).order
            await self._put_in_force(anew=False)
            await self._tell_configuration()
            self._begun.set()
            give_back()
            # What stands now stays: the collector need not walk through it with every look.
            gc.freeze()
            self._keep_rhythms()
            recording = asyncio.create_task(self._recorder.run())
            delivering = asyncio.create_task(self._delivering.run())
            seeing = asyncio.create_task(self._outlook.run())
            for task in (recording, delivering, seeing):
                task.add_done_callback(self._must_not_end)
            self._scheduler.start()
            await self._publish()
            await self._settle()
            await self._writer.do(partial(have_words_ready, self._clock.now(), self._bureau.picture.zone))
            await self._stop.wait()
            await self._end(seeing, recording, delivering)

    async def _end(
        self, seeing: asyncio.Task[None], recording: asyncio.Task[None], delivering: asyncio.Task[None]
    ) -> None:
        """No more looks, then every look on record, then the last figures."""
        await self._scheduler.stop()
        if self._prober is not None:
            await self._prober.close()
        if self._crew is not None:
            await self._crew.close()
        seeing.cancel()
        await asyncio.gather(seeing, return_exceptions=True)
        await self._outlook.finish()
        self._recorder.stop()
        for task in (recording, delivering):
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(task, _LAST_WORDS_S)
        await self._publish()
        self._writer.close()

    def _must_not_end(self, task: asyncio.Task[None]) -> None:
        """A part that ends by itself would leave a watch that looks and tells nobody: end whole, to be started again."""
        if not self._stop.is_set() and not task.cancelled():
            _log.error("a part of watch ended by itself", exc_info=task.exception())
            self._leave()

    def _leave(self) -> None:
        self._stop.set()
        if self._delivering is not None:
            self._delivering.end()

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._leave)
        loop.add_signal_handler(signal.SIGHUP, self._apply_soon)

    def _keep_rhythms(self) -> None:
        self._scheduler.every("keep house", HOUSE, self._keep_house)
        self._scheduler.every("follow the configuration", HOUSE, self._follow)
        self._scheduler.every("publish", PUBLISH, self._publish)
        self._scheduler.every("settle", SETTLE, self._settle)
        self._scheduler.every("follow drills", HOUSE, partial(self._drill, self._drills.follow))
        zone = self._configuration.fleet.site.timezone
        self._scheduler.daily("look at tickets again", time(3, 30), zone, self._recheck)
        self._scheduler.daily(
            "cut the log", time(4, 15), zone, partial(self._writer.do, self._database.checkpoint)
        )

    # Looks

    def _begin(self, key: CheckKey, due: float) -> None:
        if self._prober is not None and not self._prober.begin(key, due):
            self._instruments.skipped()

    def _is_news(self, look: Observation) -> bool:
        """May this look change what we hold? One that finds what the one before found, on a settled check, does not."""
        health = self._bureau.picture.healths.get(look.check)
        return health is None or health.outcome is not look.outcome or wants_retry(health)

    async def _record(self, looks: Sequence[Observation]) -> None:
        """Write a batch, then act on what it confirmed: look again soon, publish, deliver."""
        began = self._clock.monotonic()
        recorded = await self._writer.do(partial(self._bureau.record, looks))
        self._instruments.wrote(self._clock.monotonic() - began, len(looks))
        self._count(looks)
        for key, gap in recorded.again:
            self._again(key, gap)
        self._look_now(recorded.look_at)
        if recorded.decided:
            self._news()

    def _count(self, looks: Iterable[Observation]) -> None:
        """Let the figures know of looks that are on record."""
        for look in looks:
            plan = self._plans.get(look.check)
            if plan is not None:
                self._instruments.looked(plan.kind, look.outcome, look.took_ms / 1000)

    def _look_now(self, keys: Sequence[CheckKey]) -> None:
        if keys and self._crew is not None:
            self._crew.now(keys)

    def _again(self, key: CheckKey, gap: timedelta) -> None:
        if self._crew is not None:
            self._crew.again(key, gap)

    def _look_again(self, keys: Collection[CheckKey]) -> None:
        """Our view is clear again: see what it hid, all within seconds and not all at once."""
        apart = min(_SEEN_AGAIN_WITHIN / max(len(keys), 1), _SEEN_AGAIN_APART)
        for place, key in enumerate(keys, start=1):
            self._again(key, place * apart)

    def _handed(self, keys: Iterable[CheckKey]) -> None:
        """Somebody else looks at these checks now: changes that are on their way are confirmed by them."""
        for key in keys:
            health = self._bureau.picture.health(key)
            if key in self._plans and wants_retry(health):
                self._again(key, retry_gap(health, self._plans[key].policy))

    def _slept(self, span: timedelta) -> None:
        _log.warning(
            "watch stood still for %.0f s: nothing is decided by the time that passed meanwhile",
            span.total_seconds(),
        )
        self._bureau.slept(span)

    def _fault(self, part: str, words: str) -> None:
        _log.error("%s", words)
        self._instruments.fault(part)

    # The house

    async def _keep_house(self) -> None:
        turned, kept, mail = await self._writer.when_free(self._round) or (False, None, Mail())
        if turned:
            self._news()
        if mail.deliveries and self._delivering is not None:
            self._delivering.wake()
        if mail.order is not None and mail.order != self._order:
            self._apply_soon(mail.order)
        if kept is None:
            return
        self._look_now(kept.look_at)
        if kept.decided:
            self._news()

    def _round(self) -> tuple[bool, Housekeeping | None, Mail]:
        return self._bureau.look_inward(self._outlook.insight), self._bureau.keep_house(), self._bureau.mail()

    async def _receive(self) -> None:
        """Take in what heartbeats reported, and find those whose report is missing."""
        received: Received | None = await self._writer.when_free(self._bureau.receive)
        if received is None:
            return
        self._count(received.looks)
        self._look_now(received.look_at)
        if received.decided:
            self._news()

    async def _settle(self) -> None:
        # Slice by slice: looks that wait in the writer's queue come in between.
        more: bool | None = True
        while more and not self._stop.is_set():
            more = await self._writer.when_free(
                partial(self._bureau.settle, self._configuration.settings.keep)
            )

    async def _recheck(self) -> None:
        """Heal what went wrong at the helpdesk in the last days: tickets that are lost there, or stand there twice."""
        if self._delivering is not None:
            await self._writer.when_free(self._delivering.recheck)

    async def _drill(self, act: Callable[[], bool]) -> None:
        """Begin a drill, or go on with those that are under way."""
        if await self._writer.when_free(act):
            self._news()

    def _news(self) -> None:
        """Something was decided: let readers see it now, and deliver what follows from it."""
        if self._delivering is not None:
            self._delivering.wake()
        self._is_untold = True
        if self._publishing is None or self._publishing.done():
            self._publishing = asyncio.create_task(self._publish_news())

    async def _publish_news(self) -> None:
        """Publish at once, and while more is decided once a second: in an outage it is ten times a second."""
        while self._is_untold:
            self._is_untold = False
            await self._publish()
            await asyncio.sleep(HOUSE.total_seconds())

    async def _publish(self) -> None:
        self._instruments.queued(len(self._recorder))
        self._instruments.drilled(self._drills.last_success)
        self._instruments.from_the_future(self._bureau.future_rows or 0)
        newest = self._outlook.newest
        self._instruments.saw({} if newest is None else newest.tallies)
        size = self._database.size()
        self._instruments.stored(size.file, size.wal)
        texts = (self._instruments.text(), self._instruments.openmetrics())
        await self._writer.when_free(partial(self._bureau.publish, *texts))

    # The inventory

    async def _follow(self) -> None:
        """Apply a file that was changed and has been left alone since."""
        if self._file.has_changed():
            self._apply_soon()

    def _apply_soon(self, order: Order | None = None) -> None:
        """Read the file again, because it changed, because of a signal, or because somebody ordered it."""
        if order is not None:
            self._order = order
        self._file.take()
        task = asyncio.create_task(self._apply(order))
        self._applying.add(task)
        task.add_done_callback(self._applying.discard)

    async def _apply(self, order: Order | None) -> None:
        """Read the file again, beside the looks, and put it in force if it is right."""
        # Asked for while the first one is being put in force, the new one comes after it.
        await self._begun.wait()
        async with self._reading:
            try:
                configuration = await asyncio.to_thread(self._load)
                if order is None or order.digest != configuration.digest:
                    require_meant(self._bureau.picture.fleet, configuration.fleet)
            except VigiaError as error:
                _log.error("the old configuration stays in force:\n%s", error)
                self._instruments.fault("configuration")
                await self._tell_configuration(str(error))
                return
            await self._writer.persistently(
                partial(self._bureau.apply, configuration.fleet, self._digests(configuration))
            )
            before, self._configuration = self._configuration, configuration
            await self._renew(before, configuration)
            await self._tell_configuration()
        give_back()
        if self._delivering is not None:
            # What the helpdesk refused may have been refused because of what was just mended.
            await self._writer.persistently(self._delivering.appeal)
        self._news()
        _log.info("applied %s: %d checks", self._configuration.path, len(self._plans))

    async def _renew(self, before: Configuration, after: Configuration) -> None:
        """Put changed settings in force where they are used."""
        is_wired_anew = _wiring(before.settings) != _wiring(after.settings)
        if is_wired_anew and self._prober is not None:
            self._prober.use(await self._tools(after.settings))
        await self._put_in_force(anew=is_wired_anew)
        if self._delivering is not None and _addressees(before) != _addressees(after):
            self._delivering.relieve()

    async def _tools(self, settings: Settings) -> Tools:
        longest = max((plan.timeout.total_seconds() for plan in self._plans.values()), default=0.0)
        self._lent = await self._toolbox.open(
            resolver_settings(settings), settings.targets, longest + _MARGIN_S
        )
        return self._lent

    async def _tell_configuration(self, problem: str = "") -> None:
        told = Told(
            path=str(self._configuration.path),
            digest="" if problem else self._configuration.digest,
            problem=problem,
            order="" if self._order is None else self._order.id,
        )
        self._instruments.configured(is_valid=not problem)
        await self._writer.persistently(partial(self._bureau.tell_configuration, told))

    def _office(self, installation: str) -> Office:
        wanted = Wanted(
            configuration=self._configuration,
            database=self._database,
            clock=self._bureau.clock,
            installation=installation,
        )
        return office_of(
            wanted,
            on_result=self._instruments.ticket,
            on_news=self._tell_news,
            on_fit=lambda kind, is_fit: self._instruments.fit(kind, is_fit=is_fit),
        )

    def _tell_news(self) -> None:
        """Somebody on another thread put something on record."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._news)

    async def _put_in_force(self, *, anew: bool) -> None:
        """Hand the applied fleet to everybody who looks; untouched checks keep their turns and streaks.

        `anew` puts other processes in the place of those that look.
        """
        self._configuration = replace(self._configuration, fleet=self._bureau.picture.fleet)
        self._plans = dict(self._bureau.picture.plans)
        self._look_out(self._configuration.settings)
        self._plan_drills(self._configuration)
        looked_at = {key: plan for key, plan in self._plans.items() if not is_passive(plan.kind)}
        probers = self._configuration.settings.probers or probers_for(looked_at.values(), cores())
        if self._crew is not None:
            await self._crew.replace(looked_at, self._configuration.secrets, probers, anew=anew)
        self._instruments.probers(probers)
        if len(looked_at) < len(self._plans):
            self._scheduler.every("take in heartbeats", HOUSE, self._receive)

    def _plan_drills(self, configuration: Configuration) -> None:
        plan = configuration.settings.drill
        self._drills.use(plan)
        if plan is not None:
            zone = configuration.fleet.site.timezone
            self._scheduler.daily("begin the drill", plan.at, zone, partial(self._drill, self._drills.begin))

    def _look_out(self, settings: Settings) -> None:
        """Believe the configured sentinels and name servers about our own view."""
        if self._lent is None:
            return
        # Whom the operator trusts to tell us about ourselves is looked at wherever it is.
        tools = replace(self._lent, policy=TargetPolicy())
        self._outlook.use(
            Sentinels(sentinels_of(settings), tools, self._clock, self._outlook.lag),
            Resolver(resolver_settings(settings)),
            asks_resolver=settings.resolver is not None,
        )

    def _crew_of(self, prober: Prober) -> Crew:
        listener = Listener(
            look=self._outlook.put,
            late=self._instruments.late,
            skipped=self._instruments.skipped,
            dropped=self._instruments.dropped,
            missed=self._instruments.missed,
            fault=self._fault,
        )

        def hire(number: int, of: int) -> Remote:
            settings = self._configuration.settings
            return Remote(
                f"prober {number + 1}",
                Open(
                    resolver=resolver_settings(settings),
                    policy=settings.targets,
                    per_host=ceil(PER_HOST / of),
                ),
                listener=listener,
                clock=self._clock,
                on_return=self._handed,
            )

        return Crew(
            alone=Lookout(prober, self._scheduler, self._configuration.secrets),
            hire=hire,
            clock=self._clock,
            on_handed=self._handed,
        )

    def _digests(self, configuration: Configuration) -> Digests:
        return digests(configuration.fleet.checks(), configuration.secrets, self._heartbeat_key)


def _wiring(settings: Settings) -> tuple[object, ...]:
    """Return what decides how looks find their way."""
    return settings.resolver, settings.targets


def _addressees(configuration: Configuration) -> tuple[object, ...]:
    """Return what decides where tickets and messages go, and what links they carry."""
    settings = configuration.settings
    drills = None if settings.drill is None else settings.drill.priority
    return (
        settings.helpdesk_kind,
        settings.helpdesk,
        settings.operators,
        settings.heads,
        configuration.fleet.site.url,
        drills,
    )
