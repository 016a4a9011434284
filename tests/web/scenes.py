"""Whole pages' worth of snapshots, by the name of what they show."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from monitor.health.words import Service, Status, Why
from monitor.identifiers import ServerId
from monitor.incidents.incident import Impact, Stage
from monitor.status.snapshot import Day, Freshness, ServerView, Snapshot
from tests.web import builders
from tests.web.builders import FINE, NOW, a_day, group, server, snapshot

_STORY = {
    "back_2": a_day(Status.MAJOR_OUTAGE, down_s=2040, incidents=(builders.incident(7).id,)),
    "back_11": a_day(Status.DEGRADED_PERFORMANCE, degraded_s=5400),
    "back_12": a_day(Status.PARTIAL_OUTAGE, down_s=30_000),
    "back_25": a_day(Status.UNDER_MAINTENANCE, maintenance_s=7200),
    "back_40": a_day(Status.MAJOR_OUTAGE, down_s=86_400),
    **{f"back_{back}": Day(date=NOW.date(), worst=None, no_data_s=86_400) for back in range(80, 90)},
}
ALL_SERVICES = dict.fromkeys(Service, Status.OPERATIONAL)
LONG = "servidor-de-alojamiento-compartido-con-un-nombre-muy-largo-numero-uno"


def fine() -> Snapshot:
    """Everything works, after a past that was not spotless."""
    past = (
        builders.resolved(7, NOW - timedelta(days=2, hours=3), timedelta(minutes=34)),
        builders.resolved(
            8, NOW - timedelta(days=12), timedelta(hours=2), impact=Impact.MINOR, servers=("uio1",)
        ),
    )
    machines = (server("gye1", days=builders.days(**_STORY), uptime=0.99874), server("uio1"), server("cue1"))
    names = (
        server("ns1", services={Service.NAMES: Status.OPERATIONAL}),
        server("ns2", services={Service.NAMES: Status.OPERATIONAL}),
    )
    return snapshot(
        group(*machines),
        group(*names, name="dns", title={"es": "Servidores de nombres", "en": "Name servers"}),
        recent_incidents=past,
        past_windows=(builders.completed("kernel", NOW - timedelta(days=5)),),
    )


def one_down() -> Snapshot:
    """Mail is down on one server."""
    services = {**FINE, Service.MAIL: Status.MAJOR_OUTAGE}
    hit = server(
        "gye1", Status.PARTIAL_OUTAGE, services=services, days=builders.days(**_STORY), uptime=0.99874
    )
    return snapshot(group(hit, server("uio1"), server("cue1")), open_incidents=(builders.incident(),))


def many() -> Snapshot:
    """Trouble of every kind at once."""
    down = dict.fromkeys(ALL_SERVICES, Status.MAJOR_OUTAGE)
    slow = {
        **ALL_SERVICES,
        Service.WEB: Status.DEGRADED_PERFORMANCE,
        Service.DATABASES: Status.PARTIAL_OUTAGE,
    }
    care = dict.fromkeys(ALL_SERVICES, Status.UNDER_MAINTENANCE)
    blind = dict.fromkeys(ALL_SERVICES, Status.UNKNOWN)
    machines = (
        server("gye1", Status.MAJOR_OUTAGE, services=down, days=builders.days(**_STORY), uptime=0.99874),
        server("uio1", Status.PARTIAL_OUTAGE, services=slow),
        server("cue1", Status.UNDER_MAINTENANCE, services=care),
        server("loj1", Status.UNKNOWN, services=blind, last_known=Status.OPERATIONAL, uptime=None),
        server("amb1", services=ALL_SERVICES),
    )
    return snapshot(
        group(*machines),
        open_incidents=(
            builders.incident(1, impact=Impact.CRITICAL),
            builders.incident(2, servers=("uio1", "amb1"), stage=Stage.MONITORING, impact=Impact.MINOR),
        ),
        active_windows=(builders.running("router", servers=frozenset({ServerId("cue1")})),),
        upcoming_windows=(builders.window(),),
        recent_incidents=fine().recent_incidents,
    )


def maintenance() -> Snapshot:
    """Planned work is under way, nothing else."""
    care = dict.fromkeys(FINE, Status.UNDER_MAINTENANCE)
    return snapshot(
        group(server("gye1", Status.UNDER_MAINTENANCE, services=care), server("uio1")),
        active_windows=(builders.running(),),
        upcoming_windows=(
            builders.window(
                "next", starts_at=NOW + timedelta(days=3), ends_at=NOW + timedelta(days=3, hours=2)
            ),
        ),
    )


def stale() -> Snapshot:
    """Nothing was heard for two minutes."""
    return snapshot(heard_at=NOW - timedelta(minutes=2), freshness=Freshness.STALE)


def grey() -> Snapshot:
    """Nothing was heard for ten minutes, and one server was down then."""
    hit = server("uio1", Status.UNKNOWN, last_known=Status.MAJOR_OUTAGE)
    return snapshot(
        group(server("gye1"), hit), heard_at=NOW - timedelta(minutes=10), freshness=Freshness.GREY
    )


def blocked() -> Snapshot:
    """Our own view is blocked: one server cannot be seen, which was fine before."""
    hidden = server("uio1", Status.UNKNOWN, last_known=Status.OPERATIONAL, because=Why.ISOLATED)
    return snapshot(group(server("gye1"), hidden), blocked_since=NOW - timedelta(minutes=10))


def empty() -> Snapshot:
    """Nothing is watched yet."""
    return snapshot(groups=())


def long_names() -> Snapshot:
    """Names that no column was made for."""
    down = {**ALL_SERVICES, Service.DATABASES: Status.MAJOR_OUTAGE}
    machine = server(LONG, Status.PARTIAL_OUTAGE, name=f"{LONG}.cuenca.ecuador.example.com", services=down)
    other = server("b" * 60, services=ALL_SERVICES)
    title = {
        "es": f"{LONG}.example.com: sin servicio en bases de datos",
        "en": f"{LONG}.example.com: no service in databases",
    }
    return snapshot(
        group(machine, other), open_incidents=(builders.incident(1, servers=(LONG,), title=title),)
    )


def crowd(count: int = 300) -> Snapshot:
    """Three hundred servers in ten groups, every fifth with a past."""

    def machine(number: int) -> ServerView:
        past = builders.days(**_STORY) if number % 5 == 0 else builders.days()
        return server(
            f"srv{number:03}", days=past, services=ALL_SERVICES, uptime=0.9991 if number % 5 == 0 else 1.0
        )

    tenth = count // 10
    return snapshot(
        *(
            group(*(machine(part * tenth + index) for index in range(tenth)), name=f"g{part}")
            for part in range(10)
        )
    )


SCENES: dict[str, Callable[[], Snapshot]] = {
    "fine": fine,
    "one_down": one_down,
    "many": many,
    "maintenance": maintenance,
    "stale": stale,
    "grey": grey,
    "blocked": blocked,
    "empty": empty,
    "long_names": long_names,
}
