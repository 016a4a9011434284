"""Any process may be killed at any moment: nothing acknowledged is lost, nothing is said or asked twice."""

from __future__ import annotations

import random
import subprocess
import threading

import pytest

from tests.journeys.house import House, Nginx, running, wait_for
from tests.journeys.test_main_journey import is_out, is_up, public_incidents

pytestmark = [pytest.mark.journey, pytest.mark.system("nginx"), pytest.mark.timeout(600)]

ROLES = ("watch", "web", "worker", "all")


@pytest.mark.parametrize("seed", [11, 23])
def test_kill_dash_nine_loses_and_doubles_nothing(house: House, nginx: Nginx, seed: int) -> None:
    """Ten kills at random moments of outages and recoveries; with both seeds each role is met several times."""
    chance = random.Random(seed)
    pause = threading.Event()
    roles = [ROLES[index % len(ROLES)] for index in range(10)]
    chance.shuffle(roles)
    with running(house):
        wait_for(lambda: is_up(house), what="the first green")
        known: set[str] = set()
        for number, role in enumerate(roles):
            if number % 2 == 0:
                nginx.stop()
            else:
                nginx.start()
            pause.wait(chance.uniform(0, 5))
            known |= acknowledged(house)
            kill(house, role)
            wait_for(lambda: house.get("/healthz").ok, what=f"the page after killing {role}\n{house.tail()}")
            house.ready()
            assert known <= acknowledged(house), "an update that was published is gone"
            wait_for(lambda: is_out(house) if number % 2 == 0 else is_up(house), what=f"the truth after killing {role}")  # noqa: B023 - asked before the next turn
        wait_for(lambda: public_incidents(house)[0]["stage"] == "resolved", what="the end of the incident")
        wait_for(lambda: house.vigia("ticket", "list")[0]["status"] == "closed", what="the end of the ticket")
        assert len(public_incidents(house)) == 1
        assert len(house.vigia("ticket", "list")) == 1
        assert len(house.vigia("desk", "list")) == 1
        findings = {finding["subject"]: finding["detail"] for finding in house.vigia("doctor")}
        assert findings["database"] == "integrity check: ok"


def acknowledged(house: House) -> set[str]:
    """Return the updates that readers may have seen."""
    incidents = wait_for(lambda: [*house.vigia("incident", "list"), {"updates": []}], what="the incidents")
    return {update["id"] for incident in incidents for update in incident["updates"]}


def kill(house: House, role: str) -> None:
    """Kill a role; all of them means `run` itself, which must take everything with it."""
    if role != "all":
        house.kill(role)
        return
    old = house.processes()
    address = house.address
    house.kill("run")
    wait_for(lambda: not any(process.is_running() and process.status() != "zombie" for process in old), what="the end of all")
    assert not answers(address), "a survivor of the old processes answers"
    house.start()
    wait_for(lambda: house.address != address or house.get("/healthz").ok, what="a new start")


def answers(address: str) -> bool:
    got = subprocess.run(
        ["curl", "-s", "-o", "/dev/null", "--max-time", "2", f"http://{address}/healthz"], check=False
    )
    return got.returncode == 0
