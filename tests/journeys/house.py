"""The whole service as real processes, and the real programs that it is tried with."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import psutil
import requests

from monitor.errors import VigiaError

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60.0
Fact = TypeVar("Fact")


def wait_for(fact: Callable[[], Fact | None], *, what: str, patience: float = PATIENCE_S) -> Fact:
    """Return the first truthy answer of `fact`, asked ten times a second; AssertionError names what never came."""
    pause = threading.Event()
    last: object = None
    for _ in range(int(patience * 10)):
        try:
            last = fact()
            if last:
                return last
        except (requests.RequestException, VigiaError, psutil.Error, OSError, ValueError) as error:
            last = error
        pause.wait(0.1)
    raise AssertionError(f"{what} did not come within {patience:.0f} s; last seen: {last!r}")


def lives(process: psutil.Process) -> bool:
    """Is a process still there? One that only waits to be collected is not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def free_port() -> int:
    """Return a port that nobody listens on, and that the system gives to nobody by itself.

    One that it hands out to connections might be taken while a server of ours is stopped; a connection to it may even
    meet itself. The dice are the system's: seeded ones would fall alike in every worker.
    """
    dice = random.SystemRandom()
    while True:
        port = dice.randrange(10_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def is_listening(address: str) -> bool:
    host, _, port = address.rpartition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


class Nginx:
    """A real nginx on one port, stopped and started at will; `more` is added to its server."""

    def __init__(self, folder: Path, more: str = "") -> None:
        self.port = free_port()
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "index.html").write_text("<title>sano</title>\n")
        (folder / "nginx.conf").write_text(
            f"""
            daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;
            events {{ worker_connections 256; }}
            http {{
              access_log off;
              client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
              fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
              server {{ listen 127.0.0.1:{self.port}; root {folder}; {more} }}
            }}
            """
        )

    def start(self) -> None:
        """Start it, unless it runs: a second one could not listen, and the first would be forgotten."""
        if self._process is not None:
            return
        self._process = subprocess.Popen(
            ["nginx", "-p", str(self._folder), "-c", str(self._folder / "nginx.conf")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for(self._answers, what="nginx")

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    def _answers(self) -> bool:
        return requests.get(f"http://127.0.0.1:{self.port}/", timeout=2).ok


class House:
    """`vigia run` as an operator starts it, on a port that the system chooses."""

    def __init__(self, folder: Path, configuration: str) -> None:
        self.config = folder / "servers.yaml"
        self.data = folder / "var"
        self.log = folder / "log"
        self.config.write_text(configuration)
        self._process: subprocess.Popen[bytes] | None = None
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("VIGIA_")},
            "PYTHONPATH": str(ROOT),
        }

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def is_started(self) -> bool:
        """Was something started that nobody has waited for yet?"""
        return self._process is not None

    @property
    def address(self) -> str:
        return (self.data / "address").read_text().strip()

    def add_to_environment(self, **more: str) -> None:
        """Let what is started from now on find these as well."""
        self._environment |= more

    def start(self, *command: str) -> None:
        """Start `vigia run`, or another command that lasts; what was started before must have ended."""
        if self._process is not None:
            self._process.wait(20)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "monitor.cli", *(command or ("run",)), *self._where()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                cwd=ROOT,
                start_new_session=True,
            )

    def ready(self, patience: float = PATIENCE_S) -> None:
        """Wait until the page answers and says that it is fit to serve."""
        wait_for(
            lambda: self.get("/readyz").status_code == 200,
            what=f"the service\n{self.tail()}",
            patience=patience,
        )

    def stop(self) -> int:
        """Stop as systemd would; return the exit status."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def signal(self, number: int) -> None:
        """Send a signal to what was started, as `kill` and systemd do."""
        assert self._process is not None
        self._process.send_signal(number)

    def wait(self) -> int:
        """Return the exit status of what was started, once it has ended."""
        assert self._process is not None
        code = self._process.wait(PATIENCE_S)
        self._process = None
        return code

    def end(self) -> None:
        """Leave nothing behind, whatever state the test left."""
        left = self.processes()
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        if self._process is not None:
            self._process.wait(20)
            self._process = None
        psutil.wait_procs([*left, *self.processes()], timeout=20)

    def processes(self) -> list[psutil.Process]:
        """Return every process of this service, however it is related to us."""
        mine: list[psutil.Process] = []
        for process in psutil.process_iter(["cmdline"]):
            with contextlib.suppress(psutil.NoSuchProcess):
                if str(self.data) in (process.info["cmdline"] or []) and lives(process):
                    mine += [process, *process.children(recursive=True)]
        return list({process.pid: process for process in mine}.values())

    def process(self, role: str) -> psutil.Process:
        """Return the process of `run`, `watch` or `web`."""
        return wait_for(
            lambda: next((each for each in self.processes() if role in each.cmdline()[:4]), None),
            what=f"the process of {role}",
        )

    def kill(self, role: str) -> None:
        self.process(role).send_signal(signal.SIGKILL)

    def get(self, path: str, **options: Any) -> requests.Response:
        return requests.get(f"http://{self.address}{path}", timeout=5, allow_redirects=False, **options)

    def vigia(self, *words: str) -> Any:
        """Run a command with --json and return its document."""
        answer = subprocess.run(
            [sys.executable, "-m", "monitor.cli", *words, *self._where(), "--json"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=self._environment,
            cwd=ROOT,
            check=False,
            timeout=60,
        )
        if not answer.stdout:
            raise ValueError(f"vigia {' '.join(words)} said nothing: {answer.stderr.decode()}")
        return json.loads(answer.stdout)

    def items(self, feed: str) -> list[str]:
        """Return the guids of a feed."""
        return re.findall(r"<guid[^>]*>([^<]+)</guid>", self.get(feed).text)

    def tail(self) -> str:
        return self.log.read_text()[-4000:] if self.log.exists() else "(no log)"

    def _where(self) -> list[str]:
        return ["--config", str(self.config), "--data", str(self.data)]


@contextlib.contextmanager
def running(house: House) -> Iterator[House]:
    """Start a service, and stop it at the end unless the journey did: cleanly, and with nothing left of it."""
    house.start()
    try:
        house.ready()
        yield house
        if house.is_started:
            assert house.stop() == 0
        assert house.processes() == []
        assert not is_listening(house.address), "somebody still answers at the old address"
    except BaseException:
        print(house.tail())
        raise
    finally:
        house.end()
