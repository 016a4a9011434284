"""Drills as watch carries them out: one a day if the configuration says so, and every one that was begun followed to its end."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from monitor.actions import drill, ourselves
from monitor.actions.append import append
from monitor.actions.picture import Picture
from monitor.clock import Clock
from monitor.errors import NotFoundError, RefusedError
from monitor.incidents.incident import Trouble
from monitor.inventory.settings import DrillPlan
from monitor.store import readings
from monitor.store.database import Database

_LOG = logging.getLogger(__name__)
_EVERY = timedelta(seconds=60)


class Drills:
    """Every method runs on the writer's thread, except `plan`, which is set between two of them."""

    def __init__(self, database: Database, clock: Clock, picture: Callable[[], Picture]) -> None:
        """Take the database, the clock of the house, and what gives the present picture."""
        self._database = database
        self._clock = clock
        self._picture = picture
        self._judged_at: float | None = None
        self._plan: DrillPlan | None = None
        self.last_success: datetime | None = None

    @property
    def plan(self) -> DrillPlan | None:
        """The daily drill; None if there is none."""
        return self._plan

    def use(self, plan: DrillPlan | None) -> None:
        """Carry out this plan from now on."""
        self._plan, self._judged_at = plan, None

    def begin(self) -> bool:
        """Begin the daily drill; False if there is none, or one is under way."""
        plan = self._plan
        if plan is None:
            return False
        try:
            with self._database.writing() as tx:
                drill.begin(tx, plan.server, plan.lasts, self._clock.now())
        except (NotFoundError, RefusedError) as error:
            _LOG.warning("no drill today: %s", error)
            return False
        return True

    def follow(self) -> bool:
        """Go on with every drill that is under way, and see now and then whether one is overdue; return whether anything was decided."""
        moment = self._clock.now()
        with self._database.reading() as tx:
            is_due = bool(drill.follow(tx, moment))
        decided = is_due and self._go_on(moment)
        now = self._clock.monotonic()
        if is_due or self._judged_at is None or now >= self._judged_at + _EVERY.total_seconds():
            decided |= self._judge(moment)
            self._judged_at = now
        return decided

    def _go_on(self, moment: datetime) -> bool:
        with self._database.writing() as tx:
            return bool(append(tx, drill.follow(tx, moment), moment))

    def _judge(self, moment: datetime) -> bool:
        """Let operators know whether drills go well, once the fleet is applied."""
        patience = None if self._plan is None else self._plan.warn_after
        with self._database.writing() as tx:
            fact = drill.overdue(tx, patience, moment)
            self.last_success = readings.last_good_drill(tx)
            entries = ourselves.consider_one(tx, self._picture(), Trouble.DRILL, fact, moment)
            return bool(append(tx, entries, moment))
