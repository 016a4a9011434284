"""The addresses that heartbeats report to: a token of the configuration, or one that follows from a secret of this installation."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from monitor.checks import is_passive
from monitor.checks.contract import Secrets
from monitor.checks.heartbeat import schedule_of
from monitor.fleet import CheckPlan, Fleet
from monitor.health.heartbeat import Beat, Finding, finding
from monitor.health.words import State
from monitor.identifiers import CheckKey
from monitor.observation import Cause, Observation, Outcome
from monitor.store import heartbeats, readings
from monitor.store.database import Transaction

PING = "/ping/"
_BYTES = 24


def derived_token(key: str, check: CheckKey) -> str:
    """Return the token of a check that names none: 192 bits in letters that an address may hold."""
    digest = hmac.digest(key.encode(), str(check).encode(), "sha256")
    return urlsafe_b64encode(digest[:_BYTES]).decode()


def tokens(plans: Iterable[CheckPlan], secrets: Secrets, key: str) -> Mapping[CheckKey, str]:
    """Return the token of every heartbeat among these checks, `key` being the secret of the installation."""
    return {
        plan.key: secrets.fill(plan.options["token"])
        if plan.options.get("token")
        else derived_token(key, plan.key)
        for plan in plans
        if is_passive(plan.kind)
    }


def digests(plans: Iterable[CheckPlan], secrets: Secrets, key: str) -> Mapping[CheckKey, bytes]:
    """Return what the token of every heartbeat is known by."""
    return {check: heartbeats.digest_of(token) for check, token in tokens(plans, secrets, key).items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Awaited:
    """A heartbeat for people to see: where it reports to, how its check stands, and what is known of its reports."""

    check: CheckKey
    address: str
    state: State
    beat: Beat | None


def awaited(tx: Transaction, fleet: Fleet, known: Mapping[CheckKey, str]) -> tuple[Awaited, ...]:
    """Return the heartbeats of a configured fleet in its order, `known` being their tokens.

    Addresses begin as the page's does. One that watch has not applied yet has no beat.
    """
    applied = readings.fleet(tx)
    url = (fleet if applied is None else applied).site.url
    beats, healths = heartbeats.stored(tx), readings.healths(tx)
    return tuple(
        Awaited(
            check=check,
            address=f"{url}{PING}{token}",
            state=healths[check].state if check in healths else State.UNKNOWN,
            beat=beats[check].beat if check in beats else None,
        )
        for check, token in known.items()
    )


def standing(tx: Transaction, plan: CheckPlan, zone: str, now: datetime) -> Observation:
    """Return how a heartbeat stands as a look that would be made now; `zone` is the site's."""
    stored = heartbeats.stored(tx).get(plan.key)
    if stored is None:
        return unawaited(
            plan, "not awaited yet: start the service, or let it read the configuration anew", now
        )
    beat = stored.beat
    meant = finding(schedule_of(plan.options, plan.every, zone), beat)
    if meant is None:
        meant = Finding(outcome=Outcome.UNKNOWN, found="no report yet")
    overdue = beat.overdue_since is not None
    return Observation(
        check=plan.key,
        started_at=beat.overdue_since or beat.reported_at or now,
        took_ms=0.0 if overdue or beat.ran is None else beat.ran.total_seconds() * 1000,
        outcome=meant.outcome,
        cause=meant.cause,
        found=meant.found,
        excerpt=beat.body,
    )


def unawaited(plan: CheckPlan, reason: str, now: datetime) -> Observation:
    """Return what is known of a heartbeat that nobody awaits: nothing, for this reason of ours."""
    return Observation(
        check=plan.key, started_at=now, took_ms=0.0, outcome=Outcome.UNKNOWN, cause=Cause.OWN, found=reason
    )
