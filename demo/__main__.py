"""`make demo`: a fault becomes an incident, a ticket and a feed item within a minute, before your eyes."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from string import Template

from demo.past import invent
from demo.servers import MailServer, NameServer, WebServer, make_certificates
from monitor.clock import SystemClock
from monitor.inventory import load
from monitor.station.names import DATABASE
from monitor.store.database import Database

TEMPLATE = Path(__file__).with_name("servers.yaml")
# One round of faults, in seconds from its start: what happens, and the sentence that is printed.
ROUND_S = 240


class Fleet:
    """The servers of the demo, each with the fault that it is good for."""

    def __init__(self, folder: Path) -> None:
        certificates = make_certificates(folder, SystemClock().now())
        self._certificates = certificates
        self._web, self._panel = WebServer(), WebServer()
        self._shop = WebServer(certificates["good"])
        self._mail = MailServer()
        self._names = NameServer()
        self.places = {
            "WEB": str(self._web.port),
            "PANEL": str(self._panel.port),
            "SHOP": str(self._shop.port),
            "MAIL": str(self._mail.port),
            "NAMES": f"127.0.0.1:{self._names.port}",
            "CA": str(certificates["ca"].absolute()),
        }

    def script(self) -> Sequence[tuple[float, str, Callable[[], None]]]:
        """Return when what happens in a round, in order."""
        return (
            (15, "correo.demo stops listening: connections are refused", self._mail.stop),
            (50, "panel.demo becomes slow", lambda: self._be_slow(1.2)),
            (85, "correo.demo listens again", self._mail.start),
            (95, "tienda.demo shows the certificate of another host", lambda: self._show("wrong")),
            (120, "panel.demo is quick again", lambda: self._be_slow(0.0)),
            (140, "the name web.demo does not exist any more", lambda: self._names.dead.add("web.demo")),
            (165, "tienda.demo shows its own certificate again", lambda: self._show("good")),
            (195, "the name web.demo is back", self._names.dead.clear),
        )

    def _be_slow(self, seconds: float) -> None:
        self._panel.delay = seconds

    def _show(self, role: str) -> None:
        self._shop.present(self._certificates[role])

    def close(self) -> None:
        self._mail.stop()
        for server in (self._web, self._panel, self._shop, self._names):
            server.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo until Ctrl-C; return the service's exit status."""
    options = _options(arguments)
    options.data.mkdir(parents=True, exist_ok=True)
    fleet = Fleet(options.data)
    config = options.data / "servers.yaml"
    config.write_text(Template(TEMPLATE.read_text()).substitute(fleet.places, LISTEN=options.listen))
    loaded = load(config, environment=os.environ, listen=options.listen, data=options.data)
    database = Database.open(options.data / DATABASE, owner=True)
    try:
        invent(database, loaded.fleet, SystemClock().now())
    finally:
        database.close()
    with _service(config, options) as service:
        stopping = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: stopping.set())
        story = threading.Thread(target=_tell, args=(fleet, options.data, stopping), daemon=True)
        story.start()
        while service.poll() is None and not stopping.wait(0.2):
            pass
        stopping.set()
    fleet.close()
    return service.returncode


@contextlib.contextmanager
def _service(config: Path, options: argparse.Namespace) -> Iterator[subprocess.Popen[bytes]]:
    arguments = ["run", "--config", str(config), "--data", str(options.data), "--listen", options.listen]
    service = subprocess.Popen([sys.executable, "-m", "monitor.cli", *arguments])
    try:
        yield service
    finally:
        if service.poll() is None:
            service.terminate()
        service.wait()


def _tell(fleet: Fleet, data: Path, stopping: threading.Event) -> None:
    """Play round after round, and say what happens when it happens."""
    print("  The history before today is made up; the servers and their faults are real. Look, meanwhile:")
    print(
        f"    .venv/bin/vigia status --data {data}      .venv/bin/vigia desk list --data {data}", flush=True
    )
    clock = SystemClock()
    while True:
        beginning = clock.monotonic()
        for at, words, action in fleet.script():
            if stopping.wait(max(0.0, beginning + at - clock.monotonic())):
                return
            action()
            print(f"  {at:>4.0f} s  {words}", flush=True)
        if stopping.wait(max(0.0, beginning + ROUND_S - clock.monotonic())):
            return


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make demo", description="Watch a small fleet break and recover.")
    parser.add_argument(
        "--data", type=Path, default=Path("var/demo"), help="where the demo keeps its database"
    )
    parser.add_argument("--listen", default="127.0.0.1:8080", help="HOST:PORT; port 0 takes a free one")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
