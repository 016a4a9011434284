"""A reader in memory, and snapshots rich enough to show everything that a page can show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from monitor.clock import Clock
from monitor.fleet import Department, Site
from monitor.health.words import Indicator, Service, Status
from monitor.identifiers import CheckKey, GroupId, IncidentId, ServerId, UpdateId, WindowId
from monitor.incidents.incident import Impact, Incident, Retraction, Stage, Update
from monitor.maintenance.window import Window, WindowStage
from monitor.status.snapshot import Day, Freshness, GroupView, ServerView, Snapshot
from monitor.status.support import DepartmentView, Presence, SupportView
from monitor.support.answers import AnswerTime
from monitor.support.escalation import Promise
from monitor.support.hours import Holiday, Hours
from monitor.support.reach import Way
from web.reader import Metrics, Month, Point, Readiness, Series

NOW = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
SITE = Site(name="Nodored", url="https://estado.example", timezone="America/Guayaquil")
FINE: Mapping[Service, Status] = {
    Service.WEB: Status.OPERATIONAL,
    Service.MAIL: Status.OPERATIONAL,
    Service.PANEL: Status.OPERATIONAL,
    Service.NETWORK: Status.OPERATIONAL,
}
OFFICES = (
    Department(
        id="soporte", name={"es": "Soporte técnico", "en": "Technical support"}, email="soporte@example.com"
    ),
)


def answered(department: str, mean: timedelta | None, sample: int = 12, waiting: int = 0) -> AnswerTime:
    """Return what the tickets of a department showed a minute ago."""
    return AnswerTime(
        department=department,
        since=NOW - timedelta(days=30, minutes=1),
        until=NOW - timedelta(minutes=1),
        answered=sample,
        counted=0,
        waiting=waiting,
        mean=mean,
        median=mean,
        p90=None if mean is None else 2 * mean,
    )


def support(**changes: object) -> SupportView:
    """Return support as the policy has it: closed on a Sunday, with three departments, one of which nobody asked lately."""
    names = {
        "pagos": ("Pagos y facturación", "Payments and billing", timedelta(seconds=50)),
        "soporte": ("Soporte técnico", "Technical support", timedelta(hours=23, minutes=40)),
        "comercial": ("Asesoría comercial", "Sales advice", None),
    }
    spoken = ("profesionales", "empresas")
    plain = SupportView(
        departments=tuple(
            DepartmentView(
                id=name,
                name={"es": es, "en": en},
                email=f"{name}@example.com",
                hours=None,
                presence=None,
                answer=answered(name, mean, sample=0 if mean is None else 12),
            )
            for name, (es, en, mean) in names.items()
        ),
        ways=(
            Way(kind="ticket", url="https://clientes.example.com"),
            Way(kind="chat", plans=spoken),
            Way(kind="phone", number="+593 7 256 2711", plans=spoken),
        ),
        plans={
            "profesionales": {"es": "Profesionales Web", "en": "Profesionales Web"},
            "empresas": {"es": "Empresas", "en": "Empresas"},
        },
        hours=Hours(country="EC"),
        presence=Presence(open_until=None, opens_at=NOW + timedelta(hours=22)),
        promise=Promise(),
        holidays=(
            Holiday(day=date(2026, 12, 24)),
            Holiday(day=date(2026, 12, 25), name={"es": "Navidad", "en": "Christmas Day"}),
        ),
        unanswered={"pagos": 0, "soporte": 3, "comercial": 0},
    )
    answers = tuple(each.answer for each in plain.departments if each.answer is not None)
    return replace(plain, answers=answers, **changes)  # type: ignore[arg-type]


def ulid_of(number: int) -> str:
    """Return a name that looks like any other, told apart by its number."""
    return f"01KAH0000000000000000{number:05d}"


def days(**special: Day) -> tuple[Day, ...]:
    """Return ninety plain days up to today; `back_3=...` puts another in the place of the one three days ago."""
    today = NOW.astimezone(ZoneInfo(SITE.timezone)).date()
    plain = [Day(date=today - timedelta(days=back), worst=Status.OPERATIONAL) for back in range(89, -1, -1)]
    for name, day in special.items():
        back = int(name.removeprefix("back_"))
        plain[89 - back] = replace(day, date=today - timedelta(days=back))
    return tuple(plain)


def a_day(worst: Status | None, **spans: int) -> Day:
    """Return a day to be put in place by `days`."""
    return Day(date=NOW.date(), worst=worst, **spans)


def server(key: str = "gye1", status: Status = Status.OPERATIONAL, **changes: object) -> ServerView:
    """Return a server, fine unless told otherwise."""
    plain = ServerView(
        id=ServerId(key),
        name=f"{key}.nodored.com",
        group=GroupId("hosting"),
        status=status,
        last_known=status,
        since=NOW - timedelta(days=3),
        services=FINE,
        checks=(),
        days=days(),
        uptime=1.0,
        description={},
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def group(*servers: ServerView, name: str = "hosting", title: Mapping[str, str] | None = None) -> GroupView:
    """Return a group with the worst status of its servers."""
    order = [Status.OPERATIONAL, Status.UNDER_MAINTENANCE, Status.UNKNOWN, Status.DEGRADED_PERFORMANCE]
    order += [Status.PARTIAL_OUTAGE, Status.MAJOR_OUTAGE]
    worst = max((one.status for one in servers), key=order.index, default=Status.UNKNOWN)
    titles = title or {"es": "Hosting compartido", "en": "Shared hosting"}
    return GroupView(id=GroupId(name), name=titles, status=worst, servers=servers)


def update(
    number: int, stage: Stage, at: datetime, es: str = "Ya trabajamos en ello.", en: str = "We are on it."
) -> Update:
    """Return a published word."""
    return Update(id=UpdateId(ulid_of(number)), stage=stage, text={"es": es, "en": en}, at=at)


def incident(number: int = 1, *, servers: Iterable[str] = ("gye1",), **changes: object) -> Incident:
    """Return an open public incident that began 18 minutes ago."""
    opened = NOW - timedelta(minutes=16)
    hit = tuple(ServerId(name) for name in servers)
    plain = Incident(
        id=IncidentId(ulid_of(number)),
        title={
            "es": "gye1.nodored.com: sin servicio en correo",
            "en": "gye1.nodored.com: no service in mail",
        },
        stage=Stage.INVESTIGATING,
        impact=Impact.MAJOR,
        servers=hit,
        checks=(CheckKey(server=hit[0], check="smtp"),) if hit else (),
        started_at=opened - timedelta(minutes=2),
        opened_at=opened,
        updates=(
            update(
                number * 100,
                Stage.INVESTIGATING,
                opened,
                "El correo de gye1.nodored.com está fuera de servicio desde las 09:42, hora de Ecuador. "
                "Nuestro equipo técnico ya está avisado; publicaremos aquí cada novedad.",
                "Mail on gye1.nodored.com is out of service since 09:42, Ecuador time. "
                "Our technical team has been told; we will publish every update here.",
            ),
        ),
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def resolved(number: int, began: datetime, lasted: timedelta, **changes: object) -> Incident:
    """Return an incident that is over."""
    ended = began + lasted
    plain = incident(
        number,
        stage=Stage.RESOLVED,
        started_at=began,
        opened_at=began + timedelta(minutes=1),
        ended_at=ended,
        resolved_at=ended + timedelta(minutes=5),
        updates=(
            update(number * 100, Stage.INVESTIGATING, began + timedelta(minutes=1)),
            update(
                number * 100 + 1,
                Stage.MONITORING,
                ended + timedelta(minutes=1),
                "Funciona de nuevo.",
                "Works again.",
            ),
            update(
                number * 100 + 2,
                Stage.RESOLVED,
                ended + timedelta(minutes=5),
                "Quedó resuelto.",
                "It is resolved.",
            ),
        ),
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def retracted(number: int) -> Incident:
    """Return an incident that was a false alarm."""
    at = NOW - timedelta(minutes=5)
    told = incident(number)
    last = update(
        number * 100 + 1, Stage.RESOLVED, at, "Se cortó nuestra propia línea.", "Our own line was cut."
    )
    return replace(
        told,
        stage=Stage.RESOLVED,
        ended_at=at,
        resolved_at=at,
        retracted=Retraction(author="ana", at=at, reason="Se cortó nuestra propia línea."),
        updates=(*told.updates, replace(last, author="ana")),
    )


def window(name: str = "backups", **changes: object) -> Window:
    """Return a window that is planned for tomorrow."""
    plain = Window(
        id=WindowId(name),
        title={"es": "Respaldos y actualización del núcleo", "en": "Backups and kernel update"},
        servers=frozenset({ServerId("gye1")}),
        starts_at=NOW + timedelta(hours=14),
        ends_at=NOW + timedelta(hours=16),
        time_zone=SITE.timezone,
        planned_at=NOW - timedelta(days=2),
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def running(name: str = "backups", **changes: object) -> Window:
    """Return a window that is in progress for two hours more."""
    started = NOW - timedelta(hours=1)
    return window(
        name,
        **{
            "stage": WindowStage.IN_PROGRESS,
            "starts_at": started,
            "started_at": started,
            "ends_at": NOW + timedelta(hours=2),
            **changes,
        },
    )


def completed(name: str, began: datetime, **changes: object) -> Window:
    """Return a window that is over after two hours."""
    ended = began + timedelta(hours=2)
    times = {"starts_at": began, "started_at": began, "ends_at": ended, "ended_at": ended}
    return window(name, **{"stage": WindowStage.COMPLETED, **times, **changes})


def snapshot(*groups: GroupView, **changes: object) -> Snapshot:
    """Return the present, fresh and fine with one server unless told otherwise."""
    plain = Snapshot(
        number=1,
        generated_at=NOW,
        heard_at=NOW,
        freshness=Freshness.FRESH,
        site=SITE,
        indicator=Indicator.NONE,
        groups=groups or (group(server()),),
        open_incidents=(),
        recent_incidents=(),
        active_windows=(),
        upcoming_windows=(),
        past_windows=(),
        departments=OFFICES,
        support=support(),
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def series(check: str = "http", service: Service = Service.WEB) -> Series:
    """Return a day of response times with a gap and a slow hour."""
    points = []
    for index in range(288):
        moment = NOW - timedelta(minutes=5 * (287 - index))
        slow = 5 if 120 <= index < 132 else 1
        typical = None if 200 <= index < 206 else (80.0 + (index * 7) % 23) * slow
        points.append(Point(moment=moment, p50_ms=typical, p95_ms=None if typical is None else typical * 2.2))
    return Series(check=check, service=service, points=tuple(points))


@dataclass
class MemoryReader:
    """A reader over values that a test sets; `asked` counts how often the present was read."""

    clock: Clock
    present: Snapshot
    incidents: dict[str, Incident] = field(default_factory=dict)
    months: dict[tuple[int, int], Month] = field(default_factory=dict)
    times: tuple[Series, ...] = ()
    fitness: Readiness = field(default_factory=lambda: Readiness(ok=True))
    fault: Exception | None = None

    def snapshot(self) -> Snapshot:
        if self.fault is not None:
            raise self.fault
        return self.present

    def show(self, **changes: object) -> Snapshot:
        """Change the present as a decision would: under the next number."""
        self.present = replace(self.present, number=self.present.number + 1, **changes)  # type: ignore[arg-type]
        return self.present

    def incident(self, incident: IncidentId) -> Incident | None:
        known = (*self.present.open_incidents, *self.present.recent_incidents)
        return self.incidents.get(incident) or next((one for one in known if one.id == incident), None)

    def month(self, year: int, month: int) -> Month:
        return self.months.get((year, month), Month(incidents=(), windows=()))

    def response_times(self, server: ServerId) -> tuple[Series, ...]:
        return self.times

    def metrics(self) -> Metrics:
        text = '# HELP vigia_check_up One if the check is up.\n# TYPE vigia_check_up gauge\nvigia_check_up{server="gye1"} 1\n'
        return Metrics(text=text, openmetrics=text + "# EOF\n")

    def readiness(self) -> Readiness:
        return self.fitness
