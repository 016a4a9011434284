"""Knot DNS on loopback: an authoritative name server with zones of a test's own, signed by itself or as they are given."""

from __future__ import annotations

import contextlib
import random
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import dns.exception
import dns.message
import dns.query

_POLICY = """\
policy:
  - id: test
    algorithm: ecdsap256sha256
    single-type-signing: on
    manual: on
    rrsig-lifetime: 14d
    rrsig-refresh: 7d
"""
_SIGNED = """\
    dnssec-signing: on
    dnssec-policy: test
"""


@dataclass(slots=True)
class Knot:
    """A running server; `port` is the same on every address."""

    port: int
    addresses: tuple[str, ...]
    process: subprocess.Popen[bytes] = field(repr=False)

    @property
    def server(self) -> str:
        return f"{self.addresses[0]}:{self.port}"

    def stop(self) -> None:
        """End the server; its port is then closed."""
        self.process.kill()
        self.process.wait()


def free_port(addresses: Sequence[str]) -> int:
    """Return a port that is free for datagrams and connections on all of these addresses."""
    dice = random.SystemRandom()
    while True:
        port = dice.randrange(10_000, 32_000)
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for address in addresses:
                for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                    stack.enter_context(socket.socket(socket.AF_INET, kind)).bind((address, port))
            return port


def zone_file(name: str, records: str, *, serial: int = 1) -> str:
    """Return a zone with an SOA record and these records, names relative to the zone."""
    head = f"$ORIGIN {name}.\n$TTL 300\n@ SOA ns1.{name}. hostmaster.{name}. {serial} 3600 600 86400 300\n"
    return f"{head}{records}\n"


def make_key(folder: Path, zone: str) -> str:
    """Make the key with which a Knot of this folder signs `zone`, and return its DS record as a zone file writes it."""
    config = _configured(folder, {}, (), 0, (zone,))
    command = ["keymgr", "-c", str(config), f"{zone}."]
    subprocess.run(
        [*command, "generate", "algorithm=ecdsap256sha256", "ksk=yes", "zsk=yes"],
        check=True,
        capture_output=True,
        timeout=60,
    )
    said = subprocess.run([*command, "ds"], check=True, capture_output=True, text=True, timeout=60).stdout
    return next(line for line in said.splitlines() if " 13 2 " in line)


def _configured(
    folder: Path, zones: Mapping[str, str], addresses: Sequence[str], port: int, signed: Sequence[str]
) -> Path:
    (folder / "db").mkdir(parents=True, exist_ok=True)
    parts = [
        f"server:\n  rundir: {folder}\n  identity: test\n",
        *(f"  listen: {address}@{port}\n" for address in addresses),
        f"log:\n  - target: stderr\n    any: error\ndatabase:\n  storage: {folder}/db\n",
        _POLICY,
        "zone:\n" if zones else "",
    ]
    for name, text in zones.items():
        path = folder / f"{name}.zone"
        path.write_text(text)
        parts.append(f"  - domain: {name}.\n    file: {path}\n    zonefile-sync: -1\n")
        parts.append(_SIGNED if name in signed else "")
    config = folder / "knot.conf"
    config.write_text("".join(parts))
    return config


@contextmanager
def knot(
    folder: Path,
    zones: Mapping[str, str],
    *,
    addresses: Sequence[str] = ("127.0.0.1",),
    port: int | None = None,
    signed: Sequence[str] = (),
) -> Iterator[Knot]:
    """Serve zone files on loopback; those that are `signed` with the key that `make_key` made for them in this folder."""
    port = port or free_port(addresses)
    config = _configured(folder, zones, addresses, port, signed)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(["/usr/sbin/knotd", "-c", str(config)], stdout=log, stderr=log)
    running = Knot(port, tuple(addresses), process)
    try:
        for zone in zones:
            _await_answers(running, zone, with_signatures=zone in signed)
        yield running
    finally:
        running.stop()


def _await_answers(running: Knot, zone: str, *, with_signatures: bool) -> None:
    """Wait until the zone is answered for, and signed if it is to be."""
    question = dns.message.make_query(f"{zone}.", "SOA", want_dnssec=True)
    for _ in range(600):
        with contextlib.suppress(dns.exception.DNSException, OSError):
            answer = dns.query.udp(question, running.addresses[0], timeout=1, port=running.port)
            if answer.answer and (len(answer.answer) > 1 or not with_signatures):
                return
        with contextlib.suppress(subprocess.TimeoutExpired):
            raise AssertionError(f"knotd ended by itself: {running.process.wait(timeout=0.1)}")
    raise AssertionError(f"knotd does not answer for {zone}")
