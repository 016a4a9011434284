"""A farm of targets for large fleets: one nginx that notes each look, and a service that watches it, whole."""

from __future__ import annotations

import resource
import subprocess
import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import psutil
import trustme

from tests.journeys.house import House, free_port, wait_for

PAGE = "all is well\n" * 160
_CONFIGURATION = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;
worker_rlimit_nofile 16384;
events {{ worker_connections 8192; }}
http {{
  log_format looks '$msec $request_uri'; access_log {folder}/looks looks;
  ssl_session_cache off; ssl_session_tickets off; ssl_protocols TLSv1.3;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  root {folder};
  server {{ listen 127.0.0.1:{http} backlog=4096; location / {{ try_files /index.html =404; }} }}
  server {{ listen 127.0.0.1:{https} ssl backlog=4096; ssl_certificate {folder}/leaf.pem; ssl_certificate_key {folder}/leaf.pem;
    location / {{ try_files /index.html =404; }} }}
}}
"""


class Farm:
    """A real nginx that answers every path, and its notes of when each was asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.http, self.https = free_port(), free_port()
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir()
        # nginx started by root reads the page as somebody else.
        folder.chmod(0o755)
        (folder / "index.html").write_text(PAGE)
        authority = trustme.CA()
        leaf = authority.issue_cert("127.0.0.1")
        self.ca = folder / "ca.pem"
        authority.cert_pem.write_to_path(str(self.ca))
        leaf.private_key_pem.write_to_path(str(folder / "leaf.pem"))
        leaf.cert_chain_pems[0].write_to_path(str(folder / "leaf.pem"), append=True)
        (folder / "nginx.conf").write_text(
            _CONFIGURATION.format(folder=folder, http=self.http, https=self.https)
        )

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._process = subprocess.Popen(
            ["nginx", "-p", str(self.folder), "-c", str(self.folder / "nginx.conf")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for(self._listens, what="nginx")

    def stop(self) -> None:
        """Stop it: from now on every connection is refused."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def looks(self) -> dict[str, list[float]]:
        """Return when each path was asked for, in seconds of the wall clock."""
        found: dict[str, list[float]] = defaultdict(list)
        for line in (self.folder / "looks").read_text().splitlines():
            moment, path = line.split(" ", 1)
            found[path].append(float(moment))
        return found

    def asked(self) -> int:
        """Return how many requests were answered so far."""
        with (self.folder / "looks").open("rb") as notes:
            return sum(chunk.count(b"\n") for chunk in iter(lambda: notes.read(1 << 20), b""))

    def _listens(self) -> bool:
        connections = psutil.Process(self._process.pid).net_connections() if self._process else []
        return any(each.status == psutil.CONN_LISTEN for each in connections)


@dataclass(slots=True)
class Spent:
    """CPU seconds of a whole service, all of its processes summed."""

    house: House
    _began: dict[int, float] = field(init=False)

    def __post_init__(self) -> None:
        self._began = self._now()

    def seconds(self) -> float:
        return sum(spent - self._began.get(pid, 0.0) for pid, spent in self._now().items())

    def _now(self) -> dict[int, float]:
        found = {}
        for process in self.house.processes():
            times = process.cpu_times()
            found[process.pid] = times.user + times.system
        return found


def memory_mib(house: House) -> float:
    """Return the proportional set size of all processes of a service."""
    total = 0
    for process in house.processes():
        for line in Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1])
    return total / 1024


def fleet(checks: Sequence[str], *, every: str, timeout: str = "5s", more: str = "") -> str:
    """Return a configuration with a server for each check, in groups of fifty."""
    groups = range(-(-len(checks) // 50))
    lines = [
        "site: {name: Nodored, url: https://estado.nodored.test}",
        "listen: 127.0.0.1:0",
        f"defaults: {{every: {every}, timeout: {timeout}, confirm: {{attempts: 3, retry: 1s}}}}",
        more,
        f"groups: [{', '.join(f'{{id: g{number}, name: Grupo {number}}}' for number in groups)}]",
        "servers:",
        *(
            f"  - {{id: s{number}, group: g{number // 50}, host: 127.0.0.1, checks: [{check}]}}"
            for number, check in enumerate(checks)
        ),
    ]
    return "\n".join(line for line in lines if line) + "\n"


@contextmanager
def watched(folder: Path, configuration: str) -> Iterator[House]:
    """Lend a service that runs, with the readers that it has anyway: a visitor and a scrape every few seconds."""
    folder.mkdir()
    house = House(folder, configuration)
    stop = threading.Event()
    readers = threading.Thread(target=_read, args=(house, stop), daemon=True)
    house.start()
    try:
        house.ready()
        readers.start()
        yield house
    finally:
        stop.set()
        if readers.is_alive():
            readers.join(10)
        house.end()


def _read(house: House, stop: threading.Event) -> None:
    while not stop.wait(15):
        for path in ("/", "/metrics"):
            house.get(path)


def floor(url: str, seconds: int = 3) -> float:
    """Return the CPU seconds that wrk spends on 1,000 requests, each on a connection of its own: the machine's pace now."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        ["wrk", "-t1", "-c16", f"-d{seconds}s", "-H", "Connection: close", url],
        capture_output=True,
        text=True,
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    requests = next(int(line.split()[0]) for line in done.stdout.splitlines() if "requests in" in line)
    return 1000 * spent / requests


def gaps(looks: Sequence[float], start: float, end: float) -> list[float]:
    """Return the seconds between one look and the next, of those between two moments."""
    counted = [moment for moment in looks if start <= moment <= end]
    return [later - earlier for earlier, later in pairwise(counted)]


def share(values: Sequence[float], part: float) -> float:
    """Return the value below which that part of the values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]
