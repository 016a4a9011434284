"""The configuration file as it may be written: the one source for validation, for the JSON Schema and for its texts.

The models hold what the file holds, one by one. What relates several places to each other stands in `relations`, the
checks and the helpdesk in `plans` and `helpdesk`, because their options belong to their kinds.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from monitor.checks.nagios import Folder
from monitor.inventory.fields import (
    Address,
    CheckName,
    ClockTime,
    Country,
    Date,
    Email,
    Host,
    Identifier,
    Language,
    Length,
    ListenAddress,
    NameServer,
    Network,
    OperatorUrl,
    Place,
    Probers,
    SiteUrl,
    TargetRange,
    Text,
    Texts,
    Weekdays,
    WindowRule,
    Zone,
    lasting,
    minutes_of,
)
from monitor.language.refusals import RefusalError

_SECOND, _MINUTE, _DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1)
_YEAR = timedelta(days=366)
_FOR_LONG = timedelta(days=7300)

Every = Annotated[Length, lasting(_SECOND, _YEAR)]
Timeout = Annotated[Length, lasting(timedelta(milliseconds=100), 10 * _MINUTE)]
Retry = Annotated[Length, lasting(_SECOND, timedelta(hours=1))]
Settling = Annotated[Length, lasting(timedelta(0), 7 * _DAY)]
Keeping = Annotated[Length, lasting(_DAY, _FOR_LONG)]
Promised = Annotated[Length, lasting(timedelta(hours=1), 30 * _DAY)]
Averaging = Annotated[Length, lasting(_DAY, _YEAR)]
WindowLength = Annotated[Length, lasting(_MINUTE, _DAY)]
DrillPatience = Annotated[Length, lasting(timedelta(hours=1), 30 * _DAY)]
DrillLength = Annotated[Length, lasting(timedelta(seconds=10), timedelta(hours=1))]
Times = Annotated[int, Field(ge=1, le=100)]


class Model(BaseModel):
    """A mapping of the file: nothing unknown, nothing converted."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Site(Model):
    """The page that customers read."""

    name: Text = Field(description="What the page is called: the name of the company.")
    url: SiteUrl | None = Field(
        default=None,
        description="The page's address for links in feeds, mail and tickets; the listen address if left out.",
    )
    timezone: Zone = Field(default="UTC", description="The IANA zone in which people here read times.")
    languages: list[Language] = Field(
        default=["es", "en"],
        min_length=1,
        description="Languages of the page; the first is the default.",
    )


class Confirm(Model):
    """How a failure is confirmed."""

    attempts: Times = Field(default=3, description="How many looks in a row make a change sure.")
    retry: Retry = Field(
        default=timedelta(seconds=15), description="How long these looks are apart, such as 15s."
    )


class Recover(Confirm):
    """How a recovery is confirmed."""

    attempts: Times = Field(default=2, description="How many good looks in a row make a recovery sure.")


class Rhythm(Model):
    """How often is looked, and how often again before anything is believed."""

    every: Every = Field(default=_MINUTE, description="How often to look, such as 60s.")
    timeout: Timeout = Field(default=timedelta(seconds=10), description="How long one look may take.")
    confirm: Confirm = Field(default_factory=Confirm, description="When a failure is believed.")
    recover: Recover = Field(default_factory=Recover, description="When a recovery is believed.")


class Defaults(Rhythm):
    """What holds for every check and server that says nothing else."""

    resolve_after: Settling = Field(
        default=5 * _MINUTE, description="How long an incident is monitored before it resolves by itself."
    )
    reopen_within: Settling = Field(
        default=30 * _MINUTE, description="A relapse this soon after its end reopens an incident."
    )


class CheckCommon(Rhythm):
    """The keys that every check takes beside the options of its kind."""

    name: CheckName = Field(
        default="", description="The check's id on its server; the name of its kind if left out."
    )
    impact: Literal["outage", "degraded", "none"] = Field(
        default="outage",
        description="What the failure of this check means for its server; by kind if left out, outage for nearly all.",
    )
    service: Literal["web", "mail", "panel", "databases", "files", "names", "network"] = Field(
        default="network", description="What customers get by what is checked; by kind if left out."
    )


class Keep(Model):
    """How long measurements are kept; days are kept for ever."""

    observations: Keeping = Field(default=35 * _DAY, description="Every single look.")
    five_minutes: Keeping = Field(default=90 * _DAY, description="Sums of five minutes.")
    hours: Keeping = Field(default=730 * _DAY, description="Sums of an hour.")


class Resolver(Model):
    """The name servers to ask instead of the system's."""

    servers: list[NameServer] = Field(
        min_length=1, description="Their addresses; with a port if it is not 53."
    )
    reference: Host | None = Field(
        default=None,
        description="A name that always exists: if even that is not answered, the fault is our resolver's.",
    )


class Targets(Model):
    """Which addresses may be looked at."""

    refuse: list[TargetRange] = Field(
        default=[],
        description="Ranges that are not looked at, by name (private, loopback, shared) or as networks.",
    )
    allow: list[TargetRange] = Field(
        default=[],
        description="Ranges that are looked at all the same; without that link-local and cloud metadata addresses never are.",
    )


class Plugins(Model):
    """Where the programs lie that checks may run."""

    folders: list[Folder] = Field(
        default=[],
        description="Folders of monitoring plugins, instead of those where distributions put them.",
    )


class SentinelName(Model):
    """A name that a sentinel is asked for."""

    name: Host = Field(description="The name to ask for.")
    server: NameServer = Field(
        description="The address of the name server to ask; with a port if it is not 53."
    )


class Sentinel(Model):
    """A target apart from the servers that tells whether we ourselves are online; exactly one of the three."""

    tcp: Place | None = Field(default=None, description='An address and a port: "192.0.2.1:53".')
    dns: SentinelName | None = Field(default=None, description="A name and the name server to ask.")
    ping: Address | None = Field(default=None, description="An address to ping.")

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if len(self.model_fields_set) != 1 or self.model_dump(exclude_none=True) == {}:
            raise RefusalError("configuration.sentinel")
        return self


class Group(Model):
    """Servers that customers know together."""

    id: Identifier = Field(description="The id that servers name it by.")
    name: Texts = Field(description="What customers read: one text, or one a language.")


class Server(Model):
    """What customers know by name: a machine or a named service."""

    id: Identifier = Field(description="The server's id, part of addresses and never changed.")
    name: Text | None = Field(default=None, description="What customers read; the id if left out.")
    group: Identifier = Field(description="The id of its group.")
    host: Host | None = Field(default=None, description="The default target of its checks.")
    addresses: list[Address] = Field(default=[], description="Addresses on which customers' sites live.")
    depends_on: list[Identifier] = Field(
        default=[], description="Servers without which this one cannot be reached."
    )
    plans: list[Identifier] = Field(default=[], description="The plans whose customers live on it.")
    description: Texts | None = Field(default=None, description="A line for the server's page.")
    resolve_after: Settling = Field(default=5 * _MINUTE, description="Instead of the default.")
    reopen_within: Settling = Field(default=30 * _MINUTE, description="Instead of the default.")
    checks: list[Any] = Field(min_length=1, description="The ways to look at it.")


class Window(Model):
    """A planned window that comes again by a rule."""

    id: Identifier = Field(description="The window's id.")
    servers: list[Identifier] = Field(min_length=1, description="The servers that it keeps quiet.")
    rule: WindowRule = Field(description='When it starts: "every sunday 02:00", in the zone of the site.')
    lasts: WindowLength = Field(description="How long it lasts, 24h at most.")
    title: Texts = Field(description="What customers read: one text, or one a language.")


class Shift(Model):
    """A part of some days of the week."""

    days: Weekdays = Field(default="mon-fri", description="Days of the week: mon-fri, or mon,wed,fri.")
    opens: ClockTime = Field(default="08:00", alias="from", description="When the day begins, as a text.")
    closes: ClockTime = Field(default="18:00", alias="to", description="When the day ends, as a text.")

    @model_validator(mode="after")
    def _ends_after_it_began(self) -> Self:
        if minutes_of(self.opens) >= minutes_of(self.closes):
            raise RefusalError("configuration.shift", opens=self.opens, closes=self.closes)
        return self


class Hours(Shift):
    """When people answer."""

    also: list[Shift] = Field(
        default=[], description="Further parts: the afternoon after a pause, or Saturday morning."
    )
    holidays: Country | None = Field(
        default=None, description="The country whose holidays are free, such as EC."
    )
    closed: list[Date] = Field(default=[], description="Further dates that are free: 2026-12-24.")
    open: list[Date] = Field(default=[], description="Holidays on which people answer all the same.")


class Department(Model):
    """A department of the helpdesk that customers know by name."""

    id: Identifier = Field(description="The id that the helpdesk's settings name it by.")
    name: Texts = Field(description="What customers read: one text, or one a language.")
    email: Email | None = Field(default=None, description="Its address for customers.")
    hours: Hours | None = Field(default=None, description="Its own service hours, instead of those of all.")
    head: OperatorUrl | None = Field(
        default=None, description="An Apprise URL: who hears of tickets that nobody answers in time."
    )


class SupportPlan(Model):
    """A plan as customers know it."""

    id: Identifier = Field(description="The id that channels name it by.")
    name: Texts = Field(description="What customers read: one text, or one a language.")


class Unanswered(Model):
    """Within what time every ticket is answered."""

    after: Promised = Field(
        default=_DAY, description="How long a ticket waits before its priority is raised."
    )
    count: Literal["clock", "service"] = Field(
        default="clock", description="What counts as waiting: all time, or service hours alone."
    )
    departments: list[Identifier] = Field(
        default=[], description="The departments that it holds for; all if left out."
    )


class Channel(Model):
    """A way to reach people."""

    kind: Literal["ticket", "chat", "phone", "email"] = Field(description="What kind of way it is.")
    plans: list[Identifier] = Field(default=[], description="The plans that have it; all if left out.")
    number: Text | None = Field(default=None, description="The telephone number.")
    url: SiteUrl | None = Field(default=None, description="Where it is found.")
    email: Email | None = Field(default=None, description="The address to write to.")


class Support(Model):
    """How customers reach people, and when."""

    hours: Hours = Field(default_factory=Hours, description="Service hours, in the zone of the site.")
    departments: list[Department] = Field(default=[], description="The departments of the helpdesk.")
    plans: list[SupportPlan] = Field(default=[], description="The names of plans that channels speak of.")
    channels: list[Channel] = Field(default=[], description="The ways to reach people.")
    unanswered: Unanswered = Field(
        default_factory=Unanswered, description="What becomes of a ticket that nobody answers."
    )
    average_over: Averaging = Field(
        default=30 * _DAY, description="The time over which the average time to answer is taken."
    )


class Notify(Model):
    """Who is told beside the customers."""

    operators: list[OperatorUrl] = Field(
        default=[],
        description="Apprise URLs: confirmed faults, recoveries and our own troubles go there.",
    )


class Metrics(Model):
    """Who may read /metrics beside this machine itself."""

    allow: list[Network] = Field(default=[], description="Networks that need no token, such as 192.0.2.0/24.")


class Drill(Model):
    """A rehearsed fault, once a day, through the whole way to ticket and operators."""

    server: Identifier = Field(description="The server that it pretends about.")
    at: ClockTime = Field(default="06:00", description="When, in the zone of the site, as a text.")
    warn_after: DrillPatience = Field(
        default=timedelta(hours=26), description="Operators are told when none has gone well for so long."
    )
    lasts: DrillLength = Field(
        default=5 * _MINUTE, alias="for", description="After how long it ends at the latest."
    )
    priority: Literal["low", "normal", "high", "urgent"] = Field(
        default="low", description="How urgent its tickets are."
    )


class File(Model):
    """The whole file."""

    site: Site = Field(description="The page: its name, address, zone and languages.")
    listen: ListenAddress = Field(
        default="127.0.0.1:8080", description="Where the page is served; port 0 lets the system choose."
    )
    data: Text = Field(default="var", description="The folder for everything that is written.")
    probers: Probers = Field(
        default="auto", description="How many processes look: auto, or a number from 1 to 64."
    )
    keep: Keep = Field(default_factory=Keep, description="How long measurements are kept.")
    defaults: Defaults = Field(default_factory=Defaults, description="What holds where nothing else is said.")
    resolver: Resolver | None = Field(default=None, description="Name servers instead of the system's.")
    targets: Targets = Field(
        default_factory=Targets, description="Where looks may go: ranges that are refused or allowed."
    )
    plugins: Plugins = Field(
        default_factory=Plugins, description="Where the programs lie that `nagios` checks run."
    )
    sentinels: list[Sentinel] = Field(default=[], description="Targets that tell whether we are online.")
    groups: list[Group] = Field(min_length=1, description="Groups of servers, in the order of the page.")
    servers: list[Server] = Field(min_length=1, description="What is watched, in the order of the page.")
    windows: list[Window] = Field(default=[], description="Planned windows kept as code.")
    helpdesk: Any = Field(default=None, description="Where tickets are opened.")
    support: Support = Field(default_factory=Support, description="How customers reach people.")
    notify: Notify = Field(default_factory=Notify, description="Where operators are told.")
    metrics: Metrics = Field(default_factory=Metrics, description="Who may read /metrics.")
    drill: Drill | None = Field(default=None, description="A drill every day.")
    demo: bool = Field(default=False, description="Label the page as a demonstration.")
