"""What the page costs: rendering 300 servers, an answer from the cache, and the same against nginx's static file."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psutil
from werkzeug.test import create_environ

from tests.conftest import SteppingClock
from tests.web.builders import MemoryReader
from tests.web.scenes import crowd, one_down
from web.application import create_app, create_server_application

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
SECONDS, ROUNDS, CONNECTIONS = 3, 3, 64
NGINX = """daemon off; worker_processes 1; pid {folder}/pid; error_log stderr crit;
events {{ worker_connections 1024; }}
http {{ access_log off; types {{ text/html html; }} gzip_static on; keepalive_requests 1000000;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{ listen 127.0.0.1:{port}; root {folder}; index index.html; }} }}
"""


def cpu_ms(work: Callable[[], object], times: int) -> float:
    """Return the CPU milliseconds of one call, the median of some rounds."""
    took = []
    for _ in range(5):
        before = time.process_time()
        for _ in range(times):
            work()
        took.append((time.process_time() - before) / times)
    return statistics.median(took) * 1000


def rendering() -> None:
    reader = MemoryReader(SteppingClock(NOW), crowd(300))
    client = create_app(reader).test_client()
    page = client.get("/").data
    print(f"page of 300 servers   {len(page):>8,} bytes, gzip {len(gzip.compress(page, 6)):,}")
    print(f"  rendered            {cpu_ms(lambda: client.get('/'), 3):>8.1f} ms CPU")
    print(f"  /history.rss        {cpu_ms(lambda: client.get('/history.rss'), 3):>8.1f} ms CPU")
    application = create_server_application(reader)
    environ = create_environ("/", headers={"Accept-Encoding": "gzip"})

    def answer() -> bytes:
        return b"".join(application(environ, lambda *_: None))

    packed = len(answer())
    print(f"  from the cache      {cpu_ms(answer, 20_000) * 1000:>8.1f} µs CPU ({packed:,} bytes gzip)")
    brotli = create_environ("/", headers={"Accept-Encoding": "br"})
    print(f"  packed with brotli  {len(b''.join(application(brotli, lambda *_: None))):>8,} bytes")


def family_cpu(pid: int) -> float:
    """Return the CPU seconds that a process and its children have used."""
    root = psutil.Process(pid)
    return sum(sum(process.cpu_times()[:2]) for process in (root, *root.children(recursive=True)))


def load(pid: int, url: str) -> float:
    """Return CPU milliseconds for each answer under load; an answer that is none stops the bench."""
    before = family_cpu(pid)
    told = subprocess.run(
        ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "-H", "Accept-Encoding: gzip", url],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    if "Non-2xx" in told:
        raise RuntimeError(told)
    answers = int(re.search(r"(\d+) requests in", told)[1])  # type: ignore[index]
    return (family_cpu(pid) - before) * 1000 / answers


@contextmanager
def ours(folder: Path) -> Iterator[tuple[int, str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.web.serve", str(folder), "127.0.0.1:0"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        wait_for(folder / "address")
        yield process.pid, f"http://{(folder / 'address').read_text().strip()}/"
    finally:
        process.terminate()
        process.wait()


@contextmanager
def nginx(folder: Path, port: int, body: bytes) -> Iterator[tuple[int, str]]:
    (folder / "index.html").write_bytes(body)
    (folder / "index.html.gz").write_bytes(gzip.compress(body, 6))
    (folder / "conf").write_text(NGINX.format(folder=folder, port=port))
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    process = subprocess.Popen([program, "-c", str(folder / "conf"), "-p", str(folder)])
    try:
        wait_for(folder / "pid")
        yield process.pid, f"http://127.0.0.1:{port}/"
    finally:
        process.terminate()
        process.wait()


def wait_for(path: Path) -> None:
    pause = threading.Event()
    while not path.exists():
        pause.wait(0.05)


def serving() -> None:
    """Take turns, so that whatever else the machine does weighs on both alike."""
    page = create_app(MemoryReader(SteppingClock(NOW), one_down())).test_client().get("/").data
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        Path(two).chmod(0o755)
        with ours(Path(one)) as (web, here), nginx(Path(two), 18_473, page) as (other, there):
            load(web, here)
            rounds = [(load(web, here), load(other, there)) for _ in range(ROUNDS)]
    mine, theirs = (statistics.median(column) for column in zip(*rounds, strict=True))
    print(f"CPU for 1,000 answers ({len(page):,} bytes, {CONNECTIONS} connections, gzip)")
    print(f"  byte cache          {mine:>8.3f} s")
    print(f"  nginx static file   {theirs:>8.3f} s")
    print(f"  ratio               {mine / theirs:>8.2f}  (aim: at most 1.5)")


def main() -> None:
    rendering()
    if shutil.which("wrk") and (shutil.which("nginx") or Path("/usr/sbin/nginx").exists()):
        serving()
    else:
        print("not compared with nginx: needs wrk and nginx")


if __name__ == "__main__":
    main()
