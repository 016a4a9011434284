"""Looks by plugins: real ones, and ones that do what no plugin should."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest
import uvloop
from pydantic import ValidationError

from monitor.checks import nagios
from monitor.checks.nagios import FOLDERS, KIND, NagiosOptions, judged, plugin_path
from monitor.checks.plugins import running
from monitor.checks.plugins.running import ENVIRONMENT, OUTPUT_LIMIT, Ran, run, status_of
from monitor.health.words import CheckImpact, Service
from monitor.inventory import ConfigurationError, load
from monitor.observation import Cause, Measure, Observation, Outcome
from tests.journeys.house import lives, wait_for
from tests.servers.looking import NO_SECRETS, TestSecrets, check_of, looker, plan_of
from tests.servers.nasty import NASTY
from tests.servers.peers import refused_port

REAL = pytest.mark.system("/usr/lib/nagios/plugins/check_dummy")
# Half a second is promised for the look, two for the last of its processes; the rest is for a machine that others use too.
PATIENCE_S = 4.0

Make = Callable[[str, str], str]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "plugins"
    found.mkdir(mode=0o755)
    return found


@pytest.fixture
def make(folder: Path) -> Make:
    """Writes a plugin and returns its name."""

    def one_more(name: str, body: str) -> str:
        path = folder / name
        path.write_text(body)
        path.chmod(0o755)
        return name

    return one_more


def look(
    folder: Path,
    options: Mapping[str, Any],
    *,
    seconds: float = 30.0,
    secrets: TestSecrets = NO_SECRETS,
) -> Observation:
    async def main() -> Observation:
        async with looker(folder) as looking:
            while True:
                seen = await looking.look("nagios", options, seconds=seconds, secrets=secrets)
                await everybody_left()
                if not seen.found.startswith("our own clockwork stood still"):
                    return seen

    return uvloop.run(main())


async def everybody_left() -> None:
    """Wait until the last keeper has done its work, which may take longer than the look."""
    for _ in range(1200):
        if not running._leaving:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("a keeper stays for ever")


def looked(folder: Path, *command: object, **more: Any) -> Observation:
    return look(folder, {"command": list(command), "folders": [str(folder)]}, **more)


def marked(mark: str) -> list[psutil.Process]:
    """Return every process that lives and whose command line carries the mark."""
    found = []
    for process in psutil.process_iter():
        try:
            if any(mark in word for word in process.cmdline()) and lives(process):
                found.append(process)
        except psutil.Error:
            continue
    return found


@REAL
class TestRealPlugins:
    @pytest.mark.parametrize(
        ("status", "outcome", "cause", "found"),
        [
            (0, Outcome.OK, None, "OK: words"),
            (1, Outcome.WARN, Cause.STATUS, "WARNING: words"),
            (2, Outcome.DOWN, Cause.STATUS, "CRITICAL: words"),
            (3, Outcome.UNKNOWN, Cause.OWN, "UNKNOWN: words"),
        ],
    )
    def test_the_exit_status_is_the_verdict(
        self, tmp_path: Path, status: int, outcome: Outcome, cause: Cause | None, found: str
    ) -> None:
        seen = look(tmp_path, {"command": ["check_dummy", status, "words"]})
        assert (seen.outcome, seen.cause, seen.found) == (outcome, cause, found)

    def test_figures_are_measures(self, tmp_path: Path) -> None:
        seen = look(tmp_path, {"command": ["check_load", "-w", "900,900,900", "-c", "999,999,999"]})
        assert seen.outcome is Outcome.OK
        assert [(one.name, one.unit) for one in seen.measures] == [
            ("load1", ""),
            ("load5", ""),
            ("load15", ""),
        ]

    def test_a_port_is_open_and_then_it_is_not(self, tmp_path: Path) -> None:
        async def main() -> tuple[Observation, int]:
            server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
            port = server.sockets[0].getsockname()[1]
            async with server, looker(tmp_path) as looking:
                command = ["check_tcp", "-H", "127.0.0.1", "-p", port]
                return await looking.look("nagios", {"command": command}, seconds=30), port

        seen, _ = uvloop.run(main())
        assert (seen.outcome, seen.measures[0].unit) == (Outcome.OK, "seconds")
        seen = look(tmp_path, {"command": ["check_tcp", "-H", "127.0.0.1", "-p", refused_port()]})
        assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.STATUS)
        assert "refused" in seen.found

    @pytest.mark.system("timeout")
    @pytest.mark.parametrize(("status", "works"), [(0, True), (2, False)])
    def test_the_line_to_repeat_it_sees_the_same(self, tmp_path: Path, status: int, works: bool) -> None:
        options = {"command": ["check_dummy", status, "it's $HOME; `date`"]}
        seen = look(tmp_path, options)
        line = check_of(plan_of("nagios", options)).reproduce()
        ran = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=60, check=False)
        assert (ran.returncode == 0) is works
        assert ran.stdout.strip() == seen.found

    def test_a_name_that_is_nearly_right_is_told_in_the_file(self, tmp_path: Path) -> None:
        path = tmp_path / "servers.yaml"
        path.write_text(
            "site: {name: Nodored}\ngroups: [{id: a, name: A}]\nplugins: {folders: [/usr/lib/nagios/plugins]}\n"
            "servers: [{id: gye1, group: a, checks: [{nagios: {command: [check_laod]}}]}]\n"
        )
        with pytest.raises(ConfigurationError) as raised:
            load(path, environment={})
        told = 'there is no such plugin in /usr/lib/nagios/plugins; did you mean "check_load"?'
        assert told in raised.value.report("en")
        assert '¿quiso decir "check_load"?' in raised.value.report("es")


class TestWhatPluginsPrint:
    def test_the_first_line_is_found_and_the_rest_shown(self, folder: Path, make: Make) -> None:
        make("long", "#!/bin/sh\necho 'DISK ok | a=1'\necho /: 20%\necho 'x | b=2'\necho c=3\nexit 1\n")
        seen = looked(folder, "long")
        assert (seen.outcome, seen.found, seen.excerpt) == (Outcome.WARN, "DISK ok", "DISK ok \n/: 20%\nx")
        assert seen.measures == (Measure("a", 1.0), Measure("b", 2.0), Measure("c", 3.0))

    def test_without_output_its_complaint_is_found(self, folder: Path, make: Make) -> None:
        make("silent", "#!/bin/sh\nexit 2\n")
        make("complains", "#!/bin/sh\necho 'no such host' >&2\nexit 2\n")
        assert looked(folder, "silent").found == "it printed nothing"
        seen = looked(folder, "complains")
        assert (seen.outcome, seen.found, seen.excerpt) == (Outcome.DOWN, "no such host", "no such host")

    def test_bytes_that_are_no_text_do_no_harm(self, folder: Path, make: Make) -> None:
        make("binary", "#!/bin/sh\nprintf 'OK \\377\\000\\033[31m|\\377=1\\n'\n")
        seen = looked(folder, "binary")
        assert seen.outcome is Outcome.OK
        assert "\x1b" not in seen.found

    @pytest.mark.parametrize(
        ("body", "found"),
        [
            ("exit 127", "it ended with status 127"),
            ("echo odd; exit 255", "it ended with status 255: odd"),
            ("kill -SEGV $$", "it was ended by signal 11 (SIGSEGV)"),
        ],
    )
    def test_another_end_tells_nothing_of_the_target(
        self, folder: Path, make: Make, body: str, found: str
    ) -> None:
        make("odd", f"#!/bin/sh\n{body}\n")
        seen = looked(folder, "odd")
        assert (seen.outcome, seen.cause, seen.found) == (Outcome.UNKNOWN, Cause.OWN, found)

    def test_it_knows_nothing_but_its_arguments(self, folder: Path, make: Make) -> None:
        make(
            "tells",
            f"#!{sys.executable} -IS\nimport os, sys\nprint(sorted(os.environ), os.getcwd(), sys.argv[1:], sys.stdin.read())\n",
        )
        seen = looked(folder, "tells", "$HOME", "a b", "; rm -rf /", "`id`", 8, "*")
        shown = ["$HOME", "a b", "; rm -rf /", "`id`", "8", "*"]
        assert (
            seen.found == f"{sorted([*ENVIRONMENT, 'LC_CTYPE'])} / {shown}"
            or seen.found == f"{sorted(ENVIRONMENT)} / {shown}"
        )

    def test_it_hears_signals_as_programs_do(self, folder: Path, make: Make) -> None:
        """What Python ignores must not be ignored by plugins: a pipe that nobody reads ends a program."""
        make("signals", "#!/bin/sh\ngrep -E 'Sig(Ign|Blk)' /proc/self/status\nexit 1\n")
        seen = looked(folder, "signals")
        _, blocked, _, ignored = seen.excerpt.split()
        # The C library keeps two signals for itself (32 and 33): no program can hear them, whoever ignored them.
        theirs = 0b11 << 31
        assert (int(blocked, 16) & ~theirs, int(ignored, 16) & ~theirs) == (0, 0)

    def test_a_secret_is_filled_in_and_never_shown(self, folder: Path, make: Make) -> None:
        make("echoes", '#!/bin/sh\necho "login $2"\nexit 2\n')
        secrets = TestSecrets({"PLUGIN_PASSWORD": "hunter2-and-more"})
        seen = looked(folder, "echoes", "-p", "${PLUGIN_PASSWORD}", secrets=secrets)
        assert seen.found == "login ${PLUGIN_PASSWORD}"
        assert "hunter2" not in repr(seen)
        assert seen.reproduce.endswith('/echoes -p "${PLUGIN_PASSWORD}"')


class TestNasty:
    @pytest.mark.parametrize("what", sorted(NASTY))
    def test_nothing_of_it_is_left(self, folder: Path, make: Make, what: str) -> None:
        mark = f"7{time.monotonic_ns() % 10**9:09}"
        make("nasty", NASTY[what].replace("{mark}", mark))
        began = time.monotonic()
        seen = looked(folder, "nasty", seconds=1.0)
        assert time.monotonic() - began < 20 * PATIENCE_S
        assert seen.took_ms < 1000 * (1.0 + PATIENCE_S)
        assert len(seen.excerpt.encode()) <= OUTPUT_LIMIT
        wait_for(
            lambda: not marked(mark), what=f"the end of everything, but {marked(mark)} live", patience=10
        )
        assert seen.outcome in {Outcome.OK, Outcome.DOWN, Outcome.UNKNOWN}
        if seen.outcome is Outcome.DOWN:
            assert seen.cause is Cause.TIMEOUT_TOTAL

    @pytest.mark.parametrize(
        ("what", "found"),
        [
            ("prints a gigabyte", "it printed more than 64 KiB"),
            ("complains without end", "it printed more than 64 KiB"),
            ("kills itself", "it was ended by signal 9 (SIGKILL)"),
            ("ends in a way of its own", "it ended with status 77: strange"),
            ("is no program", "it ended with status 126: cannot run "),
            ("is written for nobody", "it ended with status 126: cannot run "),
            ("fills the memory", "no room"),
            ("opens everything", "True"),
        ],
    )
    def test_it_is_told_what_became_of_it(self, folder: Path, make: Make, what: str, found: str) -> None:
        make("nasty", NASTY[what].replace("{mark}", "70000000001"))
        seen = looked(folder, "nasty")
        assert (seen.outcome, seen.cause) == (Outcome.UNKNOWN, Cause.OWN)
        assert seen.found.startswith(found)

    def test_a_plugin_that_is_late_is_down(self, folder: Path, make: Make) -> None:
        make("late", "#!/bin/sh\necho begun\nexec sleep 71234567891\n")
        seen = looked(folder, "late", seconds=0.5)
        assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.TIMEOUT_TOTAL)
        assert seen.found == "not done in time: begun"

    def test_one_that_is_told_to_end_may_tidy_up(self, folder: Path, make: Make, tmp_path: Path) -> None:
        make(
            "tidies",
            f"#!/bin/sh\ntrap 'echo tidy > {tmp_path}/tidy; exit 0' TERM\nwhile :; do sleep 0.02; done\n",
        )
        looked(folder, "tidies", seconds=1.0)
        assert (tmp_path / "tidy").read_text() == "tidy\n"

    def test_a_look_that_is_dropped_takes_its_plugin_with_it(self, folder: Path, make: Make) -> None:
        mark = "71234567892"
        make("waits", f"#!/bin/sh\ntrap '' TERM\nsleep {mark} & wait\n")

        async def main() -> None:
            loop = asyncio.get_running_loop()
            task = asyncio.create_task(run([str(folder / "waits")], loop.time() + 60))
            for _ in range(600):
                await asyncio.sleep(0.05)
                if marked(mark):
                    break
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await everybody_left()

        uvloop.run(main())
        assert not marked(mark)

    def test_a_plugin_dies_with_the_process_that_looks(
        self, folder: Path, make: Make, tmp_path: Path
    ) -> None:
        """Also by a signal that nobody can act upon: the plugin's whole family goes."""
        mark = "71234567893"
        make("waits", f"#!/bin/sh\ntrap '' TERM\n(setsid sleep {mark} &)\nsleep {mark}\n")
        script = (
            "import asyncio, sys\nfrom monitor.checks.plugins.running import run\n"
            "async def main():\n    await run([sys.argv[1]], asyncio.get_running_loop().time() + 300)\n"
            "asyncio.run(main())\n"
        )
        root = Path(__file__).parents[2]
        looking = subprocess.Popen([sys.executable, "-c", script, str(folder / "waits")], cwd=root)
        try:
            wait_for(lambda: len(marked(mark)) == 2, what="the plugin")
        finally:
            looking.send_signal(signal.SIGKILL)
            looking.wait(10)
        wait_for(lambda: not marked(mark), what="the end of the plugin")

    @pytest.mark.parametrize("arguments", [[], ["no number", "1", "/bin/true"], ["1", "1", "/bin/true"]])
    def test_a_keeper_that_fails_is_no_verdict(self, arguments: list[str]) -> None:
        """What Python ends with when it fails, 1 and 2, would be a warning and an outage."""
        keeper = [sys.executable, "-IS", str(Path(nagios.__file__).with_name("keeper.py")), *arguments]
        gone = [sys.executable, "-IS", "/nonexistent/keeper.py"]
        for command in (keeper, gone):
            failed = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
            assert failed.returncode in {1, 2}
            look = judged(Ran(output="", errors=failed.stderr, status=status_of(failed.returncode)))
            assert look.outcome is Outcome.UNKNOWN

    def test_many_at_once_end_and_leave_nothing(self, folder: Path, make: Make) -> None:
        """Neither processes nor open files."""
        mark = "71234567894"
        make("waits", f"#!/bin/sh\n(setsid sleep {mark} &)\nsleep {mark}\n")
        make("fine", "#!/bin/sh\necho OK\n")

        async def main() -> list[int | None]:
            loop = asyncio.get_running_loop()
            await run([str(folder / "fine")], loop.time() + 60)
            before = psutil.Process().num_fds()
            ran = await asyncio.gather(
                *(run([str(folder / "waits")], loop.time() + 3) for _ in range(10)),
                *(run([str(folder / "fine")], loop.time() + 60) for _ in range(20)),
            )
            await everybody_left()
            assert psutil.Process().num_fds() <= before
            return [one.status for one in ran]

        assert uvloop.run(main()) == [None] * 10 + [0] * 20
        assert not marked(mark)


class TestWhichPluginsMayRun:
    def test_the_first_folder_that_has_it_wins(self, tmp_path: Path) -> None:
        for name in ("one", "two"):
            (tmp_path / name).mkdir(mode=0o755)
        (tmp_path / "two" / "check_x").touch(mode=0o755)
        folders = [str(tmp_path / "none"), str(tmp_path / "one"), str(tmp_path / "two")]
        assert plugin_path("check_x", folders) == str(tmp_path / "two" / "check_x")

    @pytest.mark.parametrize("what", ["file", "folder", "target", "target's folder"])
    @pytest.mark.parametrize("mode", [0o020, 0o002])
    def test_one_that_others_may_change_is_refused(self, tmp_path: Path, what: str, mode: int) -> None:
        elsewhere, folder = tmp_path / "elsewhere", tmp_path / "plugins"
        elsewhere.mkdir(mode=0o755)
        folder.mkdir(mode=0o755)
        (elsewhere / "real").touch(mode=0o755)
        (folder / "check_x").symlink_to(elsewhere / "real")
        (folder / "check_y").touch(mode=0o755)
        assert plugin_path("check_x", [str(folder)])
        loose = {
            "file": folder / "check_y",
            "folder": folder,
            "target": elsewhere / "real",
            "target's folder": elsewhere,
        }[what]
        loose.chmod(loose.stat().st_mode | mode)
        name = "check_y" if what == "file" else "check_x"
        with pytest.raises(
            ValueError, match=f"{loose} has to belong to root, and nobody else may write there"
        ):
            plugin_path(name, [str(folder)])

    @pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
    def test_one_that_belongs_to_another_is_refused(self, folder: Path, make: Make) -> None:
        make("check_x", "#!/bin/sh\n")
        os.chown(folder / "check_x", 65534, 65534)
        with pytest.raises(ValueError, match="has to belong to root"):
            plugin_path("check_x", [str(folder)])

    def test_one_that_cannot_be_run_is_told_apart(self, folder: Path, make: Make) -> None:
        make("check_x", "#!/bin/sh\n")
        (folder / "check_x").chmod(0o644)
        with pytest.raises(ValueError, match="cannot be run: chmod"):
            plugin_path("check_x", [str(folder)])

    def test_one_that_is_gone_when_it_is_looked_by_is_our_own_trouble(self, folder: Path, make: Make) -> None:
        make("check_x", "#!/bin/sh\n")
        plan = plan_of("nagios", {"command": ["check_x"], "folders": [str(folder)]}, 5.0)
        check = check_of(plan)
        (folder / "check_x").unlink()

        async def main() -> Observation:
            async with looker(folder) as looking:
                return await looking.prober.look_once(plan, check)

        seen = uvloop.run(main())
        assert (seen.outcome, seen.cause) == (Outcome.UNKNOWN, Cause.OWN)
        assert "there is no such plugin in " in seen.found

    def test_without_any_of_the_folders_their_package_is_named(self) -> None:
        with pytest.raises(ValueError, match="none of the folders /a, /b exists: install monitoring-plugins"):
            plugin_path("check_x", ["/a", "/b"])


class TestOptions:
    @pytest.mark.parametrize(
        ("command", "sentence"),
        [
            ([], "expected a list"),
            ("check_load -w 8", "expected a list"),
            (["/bin/sh", "-c", "id"], "expected the bare name of a plugin"),
            (["../../bin/sh"], "expected the bare name of a plugin"),
            (["check load"], "expected the bare name of a plugin"),
            (["-c"], "expected the bare name of a plugin"),
            (["${PLUGIN}"], "expected the bare name of a plugin"),
            ([8], "expected the bare name of a plugin"),
            (["sh", True], "expected a text or a number as an argument"),
            (["sh", ["-c"]], "expected a text or a number as an argument"),
            (["sh", "a\0b"], "none of them is NUL"),
            (["sh", "x" * 5000], "at most 4096 characters"),
            (["sh", "$HOSTADDRESS$"], "there are no macros here"),
            (["sh", "-H", "a$ARG1$b"], "there are no macros here"),
            (["no-such-plugin"], "there is no such plugin in /bin"),
        ],
    )
    def test_nonsense_is_refused_with_a_sentence(self, command: object, sentence: str) -> None:
        with pytest.raises(ValidationError, match=sentence):
            NagiosOptions.model_validate({"command": command, "folders": ["/bin"]})

    @pytest.mark.parametrize("folders", [[], ["bin"], [""], ["/bin\0"], [3]])
    def test_folders_are_whole_paths(self, folders: object) -> None:
        with pytest.raises(ValidationError):
            NagiosOptions.model_validate({"command": ["sh"], "folders": folders})

    def test_short_forms(self) -> None:
        assert KIND.short("check_users") == {"command": ["check_users"]}
        assert KIND.short(["check_users", "-w", 5]) == {"command": ["check_users", "-w", 5]}
        with pytest.raises(ValueError, match="short form of nagios"):
            KIND.short(7)

    def test_a_critical_plugin_is_an_outage_of_the_network_unless_told_otherwise(self) -> None:
        options = NagiosOptions(command=("sh",), folders=("/bin",))
        assert (KIND.impact, KIND.service(options)) == (CheckImpact.OUTAGE, Service.NETWORK)
        assert NagiosOptions.model_fields["folders"].default == FOLDERS

    def test_the_folders_of_the_file_hold_for_every_check_that_names_none(self, tmp_path: Path) -> None:
        path = tmp_path / "servers.yaml"
        path.write_text(
            "site: {name: Nodored}\ngroups: [{id: a, name: A}]\nplugins: {folders: [/bin]}\n"
            "servers: [{id: gye1, group: a, checks: [nagios: sh, nagios: {name: own, command: [sh], folders: [/usr/bin]}]}]\n"
        )
        plans = load(path, environment={}).fleet.checks()
        assert [plan.options["folders"] for plan in plans] == [["/bin"], ["/usr/bin"]]


@pytest.fixture(autouse=True)
def _nobody_is_left() -> Iterator[None]:
    """Every keeper goes with its plugin."""
    yield
    keeper = str(Path(nagios.__file__).with_name("keeper.py"))
    mine = psutil.Process()
    wait_for(
        lambda: not [each for each in mine.children() if lives(each) and keeper in each.cmdline()],
        what="the end of the keepers",
    )
