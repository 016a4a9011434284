"""How long a fresh clone takes to serve its page, with a stopwatch: `python -m tests.soak.start`.

Once with empty package caches, which asks the package index for everything, and once with what the first start left.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from tempfile import TemporaryDirectory

import requests

from monitor.clock import SystemClock
from tests.journeys.house import ROOT, free_port

COLD_WITHIN_S, WARM_WITHIN_S = 90.0, 15.0


def main() -> int:
    """Start twice, measure and print; 1 when a start took too long."""
    with TemporaryDirectory(prefix="vigia-start-") as name:
        folder = Path(name)
        caches = {"PIP_CACHE_DIR": f"{folder}/pip", "UV_CACHE_DIR": f"{folder}/uv"}
        cold, warm = start(folder / "cold", caches), start(folder / "warm", caches)
    print(f"  a fresh clone serves its page after {cold:.1f} s with cold caches, {warm:.1f} s with warm ones")
    return int(cold > COLD_WITHIN_S or warm > WARM_WITHIN_S)


def start(clone: Path, caches: dict[str, str]) -> float:
    """Return after how many seconds `make run` in a fresh clone answers."""
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    address = f"127.0.0.1:{free_port()}"
    clock, pause = SystemClock(), threading.Event()
    environment = {
        name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")
    }
    began = clock.monotonic()
    process = subprocess.Popen(
        ["make", "run", f"LISTEN={address}", f"DATA={clone}/var"],
        cwd=clone,
        env={**environment, **caches},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        while not answers(address):
            if process.poll() is not None:
                raise AssertionError(f"make run ended with {process.returncode}")
            pause.wait(0.1)
        return clock.monotonic() - began
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(20)
        shutil.rmtree(clone, ignore_errors=True)


def answers(address: str) -> bool:
    try:
        return requests.get(f"http://{address}/", timeout=2).ok
    except requests.RequestException:
        return False


if __name__ == "__main__":
    sys.exit(main())
