"""Plans for the tests of rhythms."""

from __future__ import annotations

from datetime import timedelta

from monitor.fleet import CheckPlan
from monitor.health.state import Attempts, Policy
from monitor.identifiers import CheckKey, ServerId

POLICY = Policy(
    confirm=Attempts(attempts=3, retry=timedelta(seconds=15)),
    recover=Attempts(attempts=2, retry=timedelta(seconds=15)),
)


def key(number: int) -> CheckKey:
    return CheckKey(ServerId(f"server{number // 10}"), f"check{number % 10}")


def plan(number: int, every: float = 60, **options: object) -> CheckPlan:
    return CheckPlan(
        key=key(number),
        kind="tcp",
        options=options,
        every=timedelta(seconds=every),
        timeout=timedelta(seconds=10),
        policy=POLICY,
    )
