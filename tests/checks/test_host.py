"""Looks at this machine itself."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
import uvloop

from monitor.checks import KINDS
from monitor.checks.contract import Look, OwnFaultError
from monitor.checks.host import DiskOptions, HostCheck, HostOptions
from monitor.health.words import Service
from monitor.observation import Cause, Observation, Outcome
from tests.servers.looking import check_of, looker, plan_of


def look(folder: Path, options: dict[str, Any]) -> Observation:
    async def main() -> Observation:
        async with looker(folder) as looking:
            return await looking.look("host", options)

    return uvloop.run(main())


def test_generous_bounds_are_kept(tmp_path: Path) -> None:
    options = {"load": {"warn": 10_000}, "memory": {"warn": 100}, "disk": {"path": "/", "warn": 100}}
    assert look(tmp_path, options).outcome is Outcome.OK


def test_a_bound_that_is_passed_is_a_warning_and_never_down(tmp_path: Path) -> None:
    seen = look(tmp_path, {"memory": {"warn": 0.001}, "disk": {"path": str(tmp_path), "warn": 100}})
    assert (seen.outcome, seen.cause) == (Outcome.WARN, Cause.CAPACITY)
    assert seen.found.startswith("memory ")
    assert seen.reproduce == f"free -m; df -P {tmp_path}"


def test_a_path_that_is_not_there_is_our_own_trouble(tmp_path: Path) -> None:
    seen = look(tmp_path, {"disk": {"path": str(tmp_path / "gone")}})
    assert (seen.outcome, seen.cause) == (Outcome.UNKNOWN, Cause.OWN)
    assert "No such file" in seen.found


def test_a_file_system_that_hangs_holds_neither_the_loop_nor_more_than_one_thread(tmp_path: Path) -> None:
    async def main() -> tuple[Look, str, int]:
        check = HostCheck(HostOptions(disk=DiskOptions(path=str(tmp_path))))
        async with looker(tmp_path) as looking:
            deadline = asyncio.get_running_loop().time() + 60
            check.asked.add(str(tmp_path))
            before = threading.active_count()
            with pytest.raises(OwnFaultError) as raised:
                await check.look(looking.tools, deadline)
            started = threading.active_count() - before
            check.asked.clear()
            return await check.look(looking.tools, deadline), str(raised.value), started

    seen, said, started = uvloop.run(main())
    assert "has not answered" in said
    assert started == 0
    assert seen.outcome in {Outcome.OK, Outcome.WARN}


def test_alone_it_looks_at_all_three(tmp_path: Path) -> None:
    kind = KINDS["host"]
    options = kind.options.model_validate(kind.complete({}, ""))
    assert options.model_dump() == {
        "load": {"warn": 4.0},
        "memory": {"warn": 95.0},
        "disk": {"path": "/", "warn": 95.0},
    }
    assert kind.service(options) is Service.NETWORK


@pytest.mark.system("df", "free", "uptime", "nproc")
def test_the_line_to_repeat_it_runs() -> None:
    async def main() -> int:
        line = check_of(plan_of("host", {})).reproduce()
        run = await asyncio.create_subprocess_shell(line, stdout=asyncio.subprocess.DEVNULL)
        return await run.wait()

    assert asyncio.run(main()) == 0
