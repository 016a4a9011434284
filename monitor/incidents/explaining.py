"""Why a server stands as it does: which looks, which rule, which reason to be quiet, in sentences. Pure.

What decides decided already; here it is told. The same value serves the command and a console.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from monitor.fleet import CheckPlan, Server
from monitor.health import flapping
from monitor.health.advance import retry_gap
from monitor.health.rollup import Held, Judged, Standing, is_failing
from monitor.health.state import Health
from monitor.health.words import CheckImpact, State, Status, Why
from monitor.identifiers import CheckKey, ServerId
from monitor.incidents.decision import Member, QuietReason
from monitor.incidents.incident import Incident, Stage
from monitor.language import LANGUAGES, Language, Texts, text
from monitor.language.moments import duration
from monitor.observation import Cause, Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One look as it is told: when it began, what it found, and how many milliseconds it took."""

    at: datetime
    outcome: Outcome
    cause: Cause | None
    found: str
    took_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckMatter:
    """One check with its newest looks, the newest first."""

    plan: CheckPlan
    standing: Standing
    looks: tuple[Seen, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Matter:
    """Everything that stands of a server at a moment.

    `held` is what readers were told last; `member` what a decision about it would rest on, `quiet` why it would tell nobody, None when it
    would tell or there is nothing to tell. `listed` is the open incident that lists it as unreachable, `ticket` the reference of the ticket.
    """

    server: Server
    moment: datetime
    zone: ZoneInfo
    held: Held | None
    checks: tuple[CheckMatter, ...]
    member: Member
    quiet: QuietReason | None = None
    incident: Incident | None = None
    listed: Incident | None = None
    ticket: str | None = None

    @property
    def judged(self) -> Judged:
        """How it is judged."""
        return self.member.judged if self.held is None else self.held.judged


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckAccount:
    """Why one check is held to be as it is."""

    check: CheckKey
    kind: str
    state: State
    sentences: tuple[Texts, ...]
    looks: tuple[Seen, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Why a server stands as it does at a moment, the whole first, then check by check."""

    server: ServerId
    moment: datetime
    status: Status
    because: Why | None
    since: datetime | None
    sentences: tuple[Texts, ...]
    checks: tuple[CheckAccount, ...]


def explain(matter: Matter) -> Account:
    """Return the account of a server."""
    judged = matter.judged
    return Account(
        server=matter.server.id,
        moment=matter.moment,
        status=judged.status,
        because=judged.because,
        since=None if matter.held is None else matter.held.since,
        sentences=(_standing(matter), _rule(matter), *_told(matter)),
        checks=tuple(_check(matter, one) for one in matter.checks),
    )


def _standing(matter: Matter) -> Texts:
    held = matter.held
    return _each(
        lambda language: text(
            "explain.status.unseen" if held is None else "explain.status",
            language,
            server=matter.server.name,
            status=text(f"status.{matter.judged.status}", language),
            since=_moment(held.since if held is not None else matter.moment, matter),
        )
    )


def _rule(matter: Matter) -> Texts:
    """Return by which rule the checks come to the server's status."""
    judged = matter.judged
    if judged.because is not None:
        parents = ", ".join(matter.server.depends_on)
        return _each(lambda language: text(f"explain.because.{judged.because}", language, parents=parents))
    counting = [one.standing for one in matter.checks if one.standing.impact is not CheckImpact.NONE]
    outage = [one for one in counting if one.impact is CheckImpact.OUTAGE]
    down = [one for one in outage if one.health.confirmed is State.DOWN]
    failing = [one for one in counting if is_failing(one)]
    rule = _rule_name(judged.status, outage=len(outage), down=down)
    return _each(
        lambda language: text(
            f"explain.rule.{rule}", language, count=len(down or failing), total=len(outage or counting)
        )
    )


def _rule_name(status: Status, *, outage: int, down: list[Standing]) -> str:
    if down and len(down) == outage:
        return "all"
    if down:
        return "machine" if status is Status.MAJOR_OUTAGE else "some"
    return (
        "unseen"
        if status is Status.UNKNOWN
        else "degraded"
        if status is Status.DEGRADED_PERFORMANCE
        else "well"
    )


def _told(matter: Matter) -> Iterator[Texts]:
    """Return what customers and technicians were told of it, and why no more."""
    if matter.quiet is not None:
        yield _quiet(matter, matter.quiet)
    if (listed := matter.listed) is not None:
        yield _each(lambda language: text("explain.listed", language, incident=listed.id))
    incident = matter.incident
    if incident is not None:
        yield _incident(matter, incident)
        if matter.ticket is not None:
            yield _each(lambda language: text("explain.ticket", language, ticket=matter.ticket))
    elif matter.quiet is None and matter.listed is None:
        yield _each(lambda language: text("explain.no_incident", language))


def _quiet(matter: Matter, reason: QuietReason) -> Texts:
    window = matter.member.window
    return _each(
        lambda language: text(
            f"explain.quiet.{reason}",
            language,
            parents=", ".join(matter.server.depends_on),
            until="" if window is None else _moment(window.ends_at, matter),
        )
    )


def _incident(matter: Matter, incident: Incident) -> Texts:
    watched = incident.monitoring_since
    if incident.stage is Stage.MONITORING and watched is not None:
        ends = watched + matter.server.resolve_after
        return _each(
            lambda language: text(
                "explain.incident.watched", language, incident=incident.id, until=_moment(ends, matter)
            )
        )
    return _each(
        lambda language: text(
            "explain.incident.open",
            language,
            incident=incident.id,
            impact=text(f"impact.{incident.impact}", language),
            since=_moment(incident.started_at, matter),
        )
    )


def _check(matter: Matter, one: CheckMatter) -> CheckAccount:
    return CheckAccount(
        check=one.plan.key,
        kind=one.plan.kind,
        state=one.standing.health.state,
        sentences=tuple(_check_sentences(matter, one)),
        looks=one.looks,
    )


def _check_sentences(matter: Matter, one: CheckMatter) -> Iterator[Texts]:
    health, policy = one.standing.health, one.plan.policy
    yield _confirmed(matter, health)
    better = health.state is State.RECOVERING
    if health.doubts:
        attempts = policy.recover if better else policy.confirm
        yield _each(
            lambda language: text(
                "explain.check.better" if better else "explain.check.worse",
                language,
                count=health.streak,
                needed=attempts.attempts,
                since=_moment(health.streak_since or matter.moment, matter),
                gap=duration(retry_gap(health, policy), language),
            )
        )
    if health.persisting:
        yield _each(lambda language: text("explain.check.persisting", language))
    if health.flapping:
        yield _each(
            lambda language: text(
                "explain.check.flapping",
                language,
                count=flapping.changes_seen(health),
                looks=flapping.LOOKS,
                share=f"{flapping.change_share(health.changes):.0f}",
            )
        )
    if health.unknowns:
        yield _each(
            lambda language: text(
                "explain.check.blind",
                language,
                count=health.unknowns,
                since=_moment(health.unknown_since or matter.moment, matter),
                found=health.found,
            )
        )
    if one.standing.impact is CheckImpact.NONE:
        yield _each(lambda language: text("explain.check.none", language))


def _confirmed(matter: Matter, health: Health) -> Texts:
    key = "explain.check.unseen" if health.since is None else f"explain.check.{health.confirmed}"
    return _each(lambda language: text(key, language, since=_moment(health.since or matter.moment, matter)))


def _moment(instant: datetime, matter: Matter) -> str:
    """Return an instant to the second, for looks lie seconds apart; with the day where it is another one."""
    there, now = instant.astimezone(matter.zone), matter.moment.astimezone(matter.zone)
    near = there.date() == now.date() and abs(instant - matter.moment) < timedelta(days=1)
    return f"{there:%H:%M:%S}" if near else f"{there:%Y-%m-%d %H:%M:%S}"


def _each(words: Callable[[Language], str]) -> Texts:
    return {language: words(language) for language in LANGUAGES}
