"""Whatever operators say in the middle of whatever happens: one incident a server, one ticket each, one truth at every replay."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.actions import force as forcing
from monitor.actions import windows, word
from monitor.errors import NotFoundError, RefusedError
from monitor.health.force import Force
from monitor.health.words import Status
from monitor.identifiers import ServerId
from monitor.incidents.incident import Audience, Incident
from monitor.store import readings
from tests.actions.builders import MINUTE, RESOLVE_AFTER, Lookout
from tests.actions.test_any_history import (
    SERVERS,
    STEPS,
    Step,
    begin,
    cancel_all,
    go,
    require_every_end,
    require_one_at_a_time,
    require_one_ticket_each,
    require_the_same_tables,
    require_unbroken_intervals,
)

__all__ = ["begin"]


@dataclass(frozen=True)
class Say:
    """One word about the `place`-th thing that it can be about, for some minutes if it lasts."""

    verb: str
    place: int
    minutes: int


VERBS = ("force well", "force bad", "release", "acknowledge", "resolve", "retract", "extend", "complete")
WORDS = st.builds(Say, st.sampled_from(VERBS), st.integers(0, 3), st.sampled_from((1, 20, 90)))
REASON = {"es": "Falsa alarma.", "en": "A false alarm."}


def say(lookout: Lookout, said: Say) -> None:
    """Say it, and let the house see it; what makes no sense now is refused and changes nothing."""
    server = SERVERS[said.place % len(SERVERS)]
    with suppress(RefusedError, NotFoundError):
        if said.verb.startswith("force"):
            status = Status.OPERATIONAL if said.verb == "force well" else Status.PARTIAL_OUTAGE
            force(lookout, server, status, said.minutes)
        elif said.verb == "release":
            release(lookout, server)
        elif said.verb in ("extend", "complete"):
            move(lookout, said)
        else:
            speak(lookout, said)
    lookout.bureau.keep_house()


def force(lookout: Lookout, server: ServerId, status: Status, minutes: int) -> None:
    now = lookout.clock.now()
    wanted = Force(
        server=server,
        status=status,
        reason="I know better.",
        author="ana",
        since=now,
        until=now + minutes * MINUTE,
    )
    with lookout.database.writing() as tx:
        forcing.force(tx, wanted)


def release(lookout: Lookout, server: ServerId) -> None:
    with lookout.database.writing() as tx:
        forcing.release(tx, server, author="ana", moment=lookout.clock.now())


def move(lookout: Lookout, said: Say) -> None:
    known = lookout.windows()
    if not known:
        return
    window, now = known[said.place % len(known)], lookout.clock.now()
    with lookout.database.writing() as tx:
        if said.verb == "complete":
            windows.complete(tx, window.id, actor="ana", moment=now)
        else:
            windows.extend(tx, window.id, window.ends_at + said.minutes * MINUTE, actor="ana", moment=now)


def speak(lookout: Lookout, said: Say) -> None:
    known = [one for one in lookout.incidents() if one.servers]
    if not known:
        return
    incident, now = known[said.place % len(known)], lookout.clock.now()
    with lookout.database.writing() as tx:
        if said.verb == "acknowledge":
            word.acknowledge(tx, incident.id, now + said.minutes * MINUTE, author="ana", moment=now)
        elif said.verb == "resolve":
            word.resolve(tx, incident.id, author="ana", moment=now)
        else:
            word.retract(tx, incident.id, REASON, author="ana", moment=now)


def go_or_say(lookout: Lookout, step: Step | Say) -> None:
    if isinstance(step, Say):
        say(lookout, step)
    else:
        go(lookout, step)


def ended_by_a_person(incident: Incident) -> bool:
    return not incident.open and incident.updates[-1].author != "vigia"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.one_of(STEPS, WORDS), min_size=3, max_size=14))
def test_words_break_no_rule_of_incidents_tickets_and_intervals(begin, steps: list[Step | Say]):
    lookout = begin()
    over: set[str] = set()
    for step in steps:
        go_or_say(lookout, step)
        require_one_at_a_time(lookout)
        # What a person ended never opens again by itself.
        found = {one.id: one for one in lookout.incidents()}
        assert all(ended_by_a_person(found[name]) for name in over if name in found)
        over |= {one.id for one in found.values() if ended_by_a_person(one)}
    for server in SERVERS:
        say(lookout, Say(verb="release", place=SERVERS.index(server), minutes=1))
    cancel_all(lookout)
    lookout.bureau.keep_house()
    lookout.all_steady()
    lookout.wait(RESOLVE_AFTER + MINUTE, every=MINUTE)
    require_every_end(lookout)
    require_one_ticket_each(lookout)
    require_unbroken_intervals(lookout)
    require_the_same_tables(lookout)
    assert {lookout.status(server) for server in SERVERS} == {Status.OPERATIONAL}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.one_of(STEPS, WORDS), max_size=12))
def test_no_word_makes_us_forget_a_new_fault(begin, steps: list[Step | Say]):
    """Once nobody keeps anything quiet and all was well, whatever fails is told."""
    lookout = begin()
    for step in steps:
        go_or_say(lookout, step)
    for server in SERVERS:
        say(lookout, Say(verb="release", place=SERVERS.index(server), minutes=1))
    cancel_all(lookout)
    lookout.bureau.keep_house()
    lookout.all_steady()
    for server in SERVERS:
        lookout.see(f"{server}/http down", times=6)
        with lookout.database.reading() as tx:
            incident = readings.open_incident_of(tx, server)
        assert incident is not None
        assert incident.audience is Audience.PUBLIC
        assert f"{server}/http" in map(str, incident.checks)
