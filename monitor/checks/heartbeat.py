"""A job that reports by itself: a backup, a cron line, a timer. It is never looked at; what is missing is its report."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from monitor.checks.contract import DEFAULT_TIMEOUT, Kind, Look, Options, OwnFaultError, Tools
from monitor.checks.options.durations import Duration, PositiveDuration, at_most
from monitor.checks.options.targets import REFERENCE
from monitor.health import heartbeat
from monitor.health.cron import parse_cron
from monitor.health.heartbeat import Schedule, default_grace
from monitor.health.words import CheckImpact, Service
from monitor.language.refusals import RefusalError
from monitor.language.zones import known_zone
from monitor.observation import Cause

_LONGEST = timedelta(days=366)
TOKEN = re.compile(r"[A-Za-z0-9_-]{16,128}")
_FILE = "file:"


def _cron(line: str) -> str:
    parse_cron(line)
    return " ".join(line.split())


def _token(text: str) -> str:
    # As it is written it is a reference; what that stands for is judged when it is filled.
    refers = text.startswith(_FILE) or REFERENCE.search(text)
    if not refers and not TOKEN.fullmatch(text):
        raise RefusalError("configuration.check.token")
    return text


class HeartbeatOptions(Options):
    """What a `heartbeat` check takes; `every` is the key that every check has, with a meaning of its own."""

    every: Annotated[Any, WithJsonSchema({"type": "string", "examples": ["24h", "1h", "5m"]})] = Field(
        default=None,
        description="The job reports at least this often; without it as often as other checks are looked at.",
    )
    cron: Annotated[str, AfterValidator(_cron)] | None = Field(
        default=None,
        description='When the job reports, as its crontab line says it: "0 3 * * *". Instead of every.',
    )
    zone: Annotated[str, AfterValidator(known_zone)] | None = Field(
        default=None, description="The IANA zone of the crontab line; that of the site if left out."
    )
    grace: Annotated[Duration, at_most(_LONGEST)] | None = Field(
        default=None,
        description="How late a report may be; a tenth of every, from 1m to 1h, or 10m with cron, if left out.",
    )
    within: Annotated[PositiveDuration, at_most(_LONGEST)] | None = Field(
        default=None, description="Warn when a run takes longer from its start to its success."
    )
    token: Annotated[str, AfterValidator(_token)] | None = Field(
        default=None,
        description="The secret part of the address, as a reference; one that we derive if left out.",
    )

    @model_validator(mode="after")
    def _has_one_rhythm(self) -> Self:
        if self.cron is not None and self.every is not None:
            raise RefusalError("options.heartbeat.rhythm")
        if self.zone is not None and self.cron is None:
            raise RefusalError("options.heartbeat.zone")
        return self


def schedule_of(options: Mapping[str, Any], every: timedelta, zone: str) -> Schedule:
    """Return when a heartbeat of these options is due; `every` is that of its plan and `zone` the site's."""
    read = HeartbeatOptions.model_validate(dict(options))
    return Schedule(
        every=every,
        grace=default_grace(every, read.cron) if read.grace is None else read.grace,
        cron=read.cron,
        zone=read.zone or zone,
        within=read.within,
    )


@dataclass(frozen=True, slots=True)
class HeartbeatCheck:
    """A job that nobody looks at."""

    options: HeartbeatOptions

    @property
    def target(self) -> str:
        return "/ping/…"

    async def look(self, tools: Tools, deadline: float) -> Look:  # noqa: ARG002 - the port's shape
        raise OwnFaultError(Cause.OWN, "a heartbeat is not looked at: it reports by itself")

    def reproduce(self, look: Look | None = None, timeout: timedelta = DEFAULT_TIMEOUT) -> str:  # noqa: ARG002 - the port's shape
        # The address is a secret; this shows it to whoever may read the configuration.
        return "vigia heartbeat list"


def _short(value: object) -> dict[str, Any]:
    if not isinstance(value, str):
        raise RefusalError("options.short.rhythm", found=value)
    return {"cron": value} if value.startswith("@") or " " in value.strip() else {"every": value}


KIND = Kind(
    name=heartbeat.KIND,
    options=HeartbeatOptions,
    build=HeartbeatCheck,
    complete=lambda options, host: options,  # noqa: ARG005 - a job reports from wherever it runs
    short=_short,
    service=lambda options: Service.NETWORK,  # noqa: ARG005 - what a job is for, its report does not tell
    bare=True,
    impact=CheckImpact.DEGRADED,
    passive=True,
    references=("token",),
)
