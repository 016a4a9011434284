"""A private nginx on free ports of loopback, ended with the test."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PATIENCE = 60.0


def free_port() -> int:
    """Return a port that was free a moment ago: nginx cannot be asked which one it took."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def nginx(folder: Path, servers: str) -> Iterator[None]:
    """Run nginx with the `server` blocks given."""
    places = " ".join(
        f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    configuration = folder / "nginx.conf"
    # Started by root, it would read as somebody who may not look into folders of tests.
    user = "user root root;" if os.geteuid() == 0 else ""
    configuration.write_text(
        f"{user} daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1;\n"
        f"events {{ worker_connections 64; }}\nhttp {{ access_log off; {places}\n{servers}\n}}\n"
    )
    program = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin") or "nginx"
    run = subprocess.Popen(
        [program, "-p", str(folder), "-c", str(configuration), "-e", str(folder / "error.log")]
    )
    try:
        yield
    finally:
        run.terminate()
        run.wait()


def wait_for(port: int, host: str = "127.0.0.1") -> None:
    """Wait until somebody listens."""
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            if probe.connect_ex((host, port)) == 0:
                return
    raise AssertionError(f"nothing listens on {host} port {port}")
