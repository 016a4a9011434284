"""A fleet in little memory: what is alike in thousands of checks is one value."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from typing import TypeVar

from monitor.fleet.fleet import CheckPlan, Fleet
from monitor.health.state import Attempts, Policy

Value = TypeVar("Value", bound=Hashable)


def shared(fleet: Fleet) -> Fleet:
    """Return an equal fleet in which equal policies and durations of checks are the same objects."""
    sharing = _Sharing()
    return replace(
        fleet,
        servers=tuple(
            replace(server, checks=tuple(map(sharing.plan, server.checks))) for server in fleet.servers
        ),
    )


class _Sharing:
    """Remembers the first of each value."""

    def __init__(self) -> None:
        self._known: dict[Hashable, Hashable] = {}

    def plan(self, plan: CheckPlan) -> CheckPlan:
        one = self._one
        policy = one(
            Policy(confirm=self._attempts(plan.policy.confirm), recover=self._attempts(plan.policy.recover))
        )
        return replace(
            plan,
            key=replace(plan.key, server=one(plan.key.server), check=one(plan.key.check)),
            kind=one(plan.kind),
            every=one(plan.every),
            timeout=one(plan.timeout),
            policy=policy,
        )

    def _attempts(self, attempts: Attempts) -> Attempts:
        return self._one(replace(attempts, retry=self._one(attempts.retry)))

    def _one(self, value: Value) -> Value:
        # What is equal and of one kind is interchangeable: all of these are values that never change.
        return self._known.setdefault((type(value), value), value)  # type: ignore[return-value]  # stored under itself
