"""What can be wrong with an installation, each finding with its remedy."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path

import psutil

from monitor.actions import asking
from monitor.actions.calendars import UnknownHolidaysError, ask, countries
from monitor.actions.selftest import Step, inspected
from monitor.clock import Clock
from monitor.errors import VigiaError
from monitor.inventory import Configuration, Settings
from monitor.station.names import DATABASE
from monitor.station.office import helpdesk_of
from monitor.station.opening import at_hand
from monitor.status.snapshot import STALE_AFTER
from monitor.store import observations, readings
from monitor.store.database import Database, engine
from monitor.subscribers.operators import ChannelError, check_url, messengers

_NETWORK_FILE_SYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "ceph", "glusterfs", "fuse.sshfs"}
)
_LEAST_FREE = 0.05
_SENTINELS = 3
_CLOCKS_DIFFER = timedelta(seconds=60)
_LARGE_WAL = 256 * 1024 * 1024


class Verdict(StrEnum):
    """How a finding is to be taken."""

    FINE = "fine"
    WARNING = "warning"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing examined; `detail` names the remedy when it is not fine."""

    subject: str
    verdict: Verdict
    detail: str


def examine(load: Callable[[], Configuration], clock: Clock) -> list[Finding]:
    """Examine machine, configuration and data, and return every finding."""
    findings = [_python(), _engine(), *_ping()]
    try:
        loaded = load()
    except VigiaError as error:
        return [*findings, Finding(subject="configuration", verdict=Verdict.BROKEN, detail=str(error))]
    servers = len(loaded.fleet.servers)
    findings.append(
        _fine("configuration", f"{loaded.path}: servers {servers}, checks {len(loaded.fleet.checks())}")
    )
    findings += _site(loaded)
    findings += _operators(loaded.settings)
    findings += _heads(loaded.settings)
    findings += _holidays(loaded, clock.now().year)
    findings += _sentinels(loaded.settings)
    findings += _data(loaded.settings.data)
    findings += _database(loaded.settings.data, clock)
    findings += _in_force(loaded)
    findings += _helpdesk(loaded, clock)
    return findings


def _helpdesk(loaded: Configuration, clock: Clock) -> Iterator[Finding]:
    """Does the helpdesk lack anything that tickets need?"""
    options = loaded.settings.helpdesk
    try:
        with at_hand(loaded.settings.data / DATABASE) as database:
            cautions = (*options.cautions(), *options.doubts())
            steps = list(inspected(helpdesk_of(loaded, database, clock), "en", cautions))
    except VigiaError:
        # What is wrong with the file is told above.
        return
    for step in steps:
        yield Finding(subject="helpdesk", verdict=_verdict(step), detail=step.detail)


def _verdict(step: Step) -> Verdict:
    if not step.ok:
        return Verdict.BROKEN
    return Verdict.WARNING if step.warns else Verdict.FINE


def _in_force(loaded: Configuration) -> Iterator[Finding]:
    """Is the file as it stands what watch goes by?"""
    path = loaded.settings.data / DATABASE
    if not path.exists():
        return
    try:
        with closing(Database.open(path, owner=False)) as database, database.reading() as tx:
            told = asking.told(tx)
    except VigiaError:
        return
    if told is not None and told.problem:
        yield _warning("in force", f"an older configuration is, because of the one on disk: {told.problem}")
    elif told is not None and told.digest != loaded.digest:
        yield _warning("in force", "an older configuration is: run `vigia apply`, or start the service")
    elif told is not None:
        yield _fine("in force", "the configuration as it stands")


def _fine(subject: str, detail: str) -> Finding:
    return Finding(subject=subject, verdict=Verdict.FINE, detail=detail)


def _warning(subject: str, detail: str) -> Finding:
    return Finding(subject=subject, verdict=Verdict.WARNING, detail=detail)


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    if (3, 11) <= sys.version_info < (3, 11, 4):
        return _warning(
            "python", f"{version}: 3.11.4 and later have important fixes; take your system's newest"
        )
    return _fine("python", version)


def _engine() -> Finding:
    found = engine()
    if found.safe:
        return _fine("sqlite", f"{found.name} {found.version}")
    return _warning(
        "sqlite",
        f"{found.name} {found.version} may corrupt a WAL database (fixed in 3.51.3): "
        "install the package pysqlite3 for this platform, or a newer SQLite",
    )


def _ping() -> Iterator[Finding]:
    for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):
        try:
            with socket.socket(socket.AF_INET, kind, socket.IPPROTO_ICMP):
                yield _fine("ping", "this user may send ICMP")
                return
        except OSError:
            continue
    yield _warning(
        "ping",
        "this user may not send ICMP, so ping checks stay unknown: set net.ipv4.ping_group_range to include the "
        "user's group, or give the process CAP_NET_RAW",
    )


def _site(loaded: Configuration) -> Iterator[Finding]:
    if loaded.fleet.site.url.startswith("https://"):
        yield _fine("site.url", loaded.fleet.site.url)
    else:
        yield _warning(
            "site.url", f"{loaded.fleet.site.url}: feeds and tickets link there; a public page wants https"
        )


def _operators(settings: Settings) -> Iterator[Finding]:
    if settings.operators:
        names = messengers(settings.operators)
        yield _fine("notify.operators", ", ".join(names))
    else:
        yield _warning(
            "notify.operators", "nobody is told of faults: add an Apprise URL under notify.operators"
        )


def _heads(settings: Settings) -> Iterator[Finding]:
    for department, url in settings.heads.items():
        subject = f"support.departments.{department}.head"
        try:
            yield _fine(subject, check_url(url.get_secret_value()))
        except ChannelError as error:
            yield Finding(subject=subject, verdict=Verdict.BROKEN, detail=str(error))


def _holidays(loaded: Configuration, year: int) -> Iterator[Finding]:
    for country in countries(loaded.fleet):
        try:
            yield _fine("support.hours.holidays", f"{country}: {len(ask(country, year, year))} in {year}")
        except UnknownHolidaysError as error:
            yield _warning("support.hours.holidays", str(error))


def _sentinels(settings: Settings) -> Iterator[Finding]:
    kinds = [kind for one in settings.sentinels for kind in one]
    if not kinds:
        yield _warning(
            "sentinels",
            "nothing tells a blocked view of ours from an outage of every server: name a gateway, two addresses elsewhere "
            "and a name server under `sentinels:`",
        )
    elif len(kinds) < _SENTINELS:
        yield _warning(
            "sentinels",
            f"{len(kinds)}, so that the fault of one looks like ours: name at least {_SENTINELS} of different kinds",
        )
    elif len(set(kinds)) == 1:
        yield _warning(
            "sentinels",
            f"{len(kinds)}, all {kinds[0]}, so that one rule of a firewall blocks them all: name another kind",
        )
    else:
        yield _fine("sentinels", f"{len(kinds)}: {', '.join(sorted(set(kinds)))}")


def _data(data: Path) -> Iterator[Finding]:
    if not data.exists():
        yield _warning("data", f"{data} does not exist yet; `vigia run` makes it")
        return
    if not os.access(data, os.W_OK):
        yield Finding(subject="data", verdict=Verdict.BROKEN, detail=f"{data} cannot be written by this user")
        return
    usage = shutil.disk_usage(data)
    free = usage.free / usage.total
    if free < _LEAST_FREE:
        yield Finding(subject="disk", verdict=Verdict.BROKEN, detail=f"{free:.1%} free on {data}: make room")
    else:
        yield _fine("disk", f"{free:.0%} free on {data}")
    kind = _file_system(data)
    if kind in _NETWORK_FILE_SYSTEMS:
        yield Finding(
            subject="data",
            verdict=Verdict.BROKEN,
            detail=f"{data} lies on {kind}: SQLite needs a local disk, choose another --data",
        )


def _file_system(path: Path) -> str:
    """Return the type of the file system that holds `path`, empty where it cannot be told."""
    resolved = str(path.resolve())
    holders = (part for part in psutil.disk_partitions(all=True) if _below(resolved, part.mountpoint))
    return max(holders, key=lambda part: len(part.mountpoint)).fstype if resolved else ""


def _below(path: str, mountpoint: str) -> bool:
    return path == mountpoint or path.startswith(mountpoint.rstrip("/") + "/")


def _database(data: Path, clock: Clock) -> Iterator[Finding]:
    path = data / DATABASE
    if not path.exists():
        yield _warning("database", f"{path} does not exist yet; `vigia run` makes it")
        return
    try:
        database = Database.open(path, owner=False)
    except VigiaError as error:
        yield Finding(subject="database", verdict=Verdict.BROKEN, detail=str(error))
        return
    try:
        answer = database.integrity()
        verdict = Verdict.FINE if answer == "ok" else Verdict.BROKEN
        yield Finding(subject="database", verdict=verdict, detail=f"integrity check: {answer}")
        with database.reading() as tx:
            heard = readings.heard_at(tx)
            early = observations.rows_after(tx, clock.now() + _CLOCKS_DIFFER)
    finally:
        database.close()
    if early:
        yield _warning(
            "clock",
            f"{early} looks are dated in the future, by a clock that was wrong: nobody is shown them until then; "
            "let a time service keep the clock, and look whether it is right now",
        )
    wal = path.with_name(path.name + "-wal")
    if wal.exists() and wal.stat().st_size > _LARGE_WAL:
        yield _warning("wal", f"{wal.stat().st_size >> 20} MiB: a reader holds an old snapshot; end it")
    age = timedelta.max if heard is None else clock.now() - heard
    if age > STALE_AFTER:
        yield _warning(
            "watch", "no sign of life for 90 s: the page says so; start the service with `vigia run`"
        )
    else:
        yield _fine("watch", f"last sign of life {age.total_seconds():.0f} s ago")
