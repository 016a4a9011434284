"""Kills parts of a running service, and measures how long it takes to be whole again."""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

from monitor.clock import SystemClock
from tests.journeys import facts
from tests.journeys.house import House, Nginx, is_listening, lives, wait_for

ROLES = ("watch", "web", "all")
_PARTS = {
    "watch": ("watch",),
    "web": ("web",),
    "all": ("run", "watch", "web"),
}
"""Who has to be gone when somebody was killed: himself, and everybody who lives by him."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Return:
    """How the service came back after one kill."""

    role: str
    ready_s: float
    """From the kill until pages, feeds and readiness answer and watch has given a new sign of life."""


def shuffled_roles(chance: random.Random, count: int) -> list[str]:
    """Return roles in random order, each about as often as the others."""
    roles = [ROLES[index % len(ROLES)] for index in range(count)]
    chance.shuffle(roles)
    return roles


def kill_and_return(house: House, role: str) -> Return:
    """Kill one role, see that none of its processes survives, and wait until everything works again."""
    doomed = [house.process(part) for part in _PARTS[role]]
    address = house.address
    clock = SystemClock()
    killed_at, began = clock.now(), clock.monotonic()
    # `run` takes the others with it; nobody else ends them.
    doomed[0].kill()
    wait_for(lambda: not any(map(lives, doomed)), what=f"the end of {role}")
    if role == "all":
        # The threads of a killed process leave one by one, and the last of them closes the socket.
        wait_for(
            lambda: not is_listening(address), what="silence at the old address, which a survivor serves"
        )
        house.start()
        wait_for(lambda: house.address != address, what="an address of the new life")

    def is_whole() -> bool:
        heard_at = facts.heard_at(house)
        return house.get("/readyz").ok and house.get("/").ok and heard_at is not None and heard_at > killed_at

    wait_for(is_whole, what=f"the service after killing {role}\n{house.tail()}")
    return Return(role=role, ready_s=clock.monotonic() - began)


def kill_through_outages(
    house: House, nginx: Nginx, roles: Sequence[str], chance: random.Random
) -> list[Return]:
    """Kill one role after the other at random moments, while the server fails and recovers; assert what must hold.

    The server is stopped and started in turns; two kills fall into each turn.
    """
    pause = threading.Event()
    returns = []
    for number, role in enumerate(roles):
        failing = number // 2 % 2 == 0
        if number % 2 == 0:
            (nginx.stop if failing else nginx.start)()
        pause.wait(chance.uniform(0, 4))
        promised, looked = facts.record(house), len(facts.looks(house))
        published = set(house.items("/updates.rss"))
        returns.append(kill_and_return(house, role))
        assert facts.record(house)[: len(promised)] == promised, (
            "a decision that was on record is gone or changed"
        )
        assert len(facts.looks(house)) >= looked, "a look that was on record is gone"
        assert published <= set(house.items("/updates.rss")), "an update that was published is gone"
        if number % 2 == 1:
            truth = partial(facts.is_out if failing else facts.is_up, house)
            wait_for(truth, what=f"the truth after killing {role}\n{house.tail()}")
    nginx.start()
    return returns


def assert_one_of_each(house: House) -> None:
    """However often it was killed: one incident, one ticket that is closed by now, no update twice, a sound database."""
    wait_for(lambda: facts.is_up(house), what="the recovery")
    wait_for(lambda: facts.incidents(house)[0].resolved_at, what="the end of the incident")
    wait_for(lambda: facts.tickets(house)[0].status == "closed", what="the end of the ticket")
    [incident] = facts.incidents(house)
    [ticket] = facts.tickets(house)
    assert ticket.incident == incident.id
    [desk] = house.vigia("desk", "list")
    assert desk["reference"] == ticket.reference
    stages = [update.stage for update in incident.updates]
    assert all(before != after for before, after in pairwise(stages)), f"said twice: {stages}"
    wait_for(
        lambda: len(house.items("/updates.rss")) == len(incident.updates), what="the last update in the feed"
    )
    assert len(set(house.items("/updates.rss"))) == len(incident.updates)
    assert facts.is_up(house, "gye2")
    assert not facts.incidents(house, "gye2"), "the neighbour was called down"
    with facts.opened(house) as database:
        assert database.integrity() == "ok"
