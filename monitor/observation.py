"""What one look found: the values that every later judgement is made of."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from monitor.identifiers import CheckKey

FOUND_LIMIT = 200
EXCERPT_LIMIT = 2000
# Of the places that redirects led to the last are kept, each cut to FOUND_LIMIT.
VIA_LIMIT = 10
# A look may bring so many figures; a plugin that prints a thousand would fill the disk.
MEASURES_LIMIT = 32
MEASURE_NAME = r"[a-z][a-z0-9_]{0,62}"
# What a check may know from one look to the next.
MEMORY_KEYS_LIMIT = 64
MEMORY_LIMIT = 4096


class Outcome(StrEnum):
    """The verdict of one look. `unknown` is our own trouble and says nothing about the target."""

    OK = "ok"
    WARN = "warn"
    DOWN = "down"
    UNKNOWN = "unknown"


class Cause(StrEnum):
    """Why a look was not `ok`: a closed list, so that texts exist in every language and labels stay bounded."""

    NAME = "name"
    REFUSED = "refused"
    RESET = "reset"
    UNREACHABLE = "unreachable"
    TIMEOUT_NAME = "timeout_name"
    TIMEOUT_CONNECT = "timeout_connect"
    TIMEOUT_TLS = "timeout_tls"
    TIMEOUT_FIRST_BYTE = "timeout_first_byte"
    TIMEOUT_TOTAL = "timeout_total"
    CERTIFICATE_EXPIRED = "certificate_expired"
    CERTIFICATE_HOST = "certificate_host"
    CERTIFICATE_ISSUER = "certificate_issuer"
    CERTIFICATE_ENDING = "certificate_ending"
    STATUS = "status"
    CONTENT = "content"
    PROTOCOL = "protocol"
    SLOW = "slow"
    LOSS = "loss"
    CAPACITY = "capacity"
    RIGHTS = "rights"
    OWN = "own"
    LOGIN = "login"
    OVERDUE = "overdue"
    LISTED = "listed"
    DOMAIN_ENDING = "domain_ending"
    HOST_KEY = "host_key"
    DNSSEC = "dnssec"
    ISOLATED = "isolated"
    RESOLVER = "resolver"


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure that a look took beside its time: the offset of a clock, the perfdata of a plugin, echoes lost.

    `name` matches `MEASURE_NAME`, `unit` is a base unit (`seconds`, `bytes`, `ratio`, `percent`) or empty for a mere count.
    """

    name: str
    value: float
    unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One look at one check, as the prober hands it to the recorder.

    `phases` maps phase names (name, connect, tls, first_byte, total) to milliseconds since the look began
    each phase, not cumulated. `found` is one short line of fact ("503, expected 2xx"). `excerpt` is a bounded piece of
    what came back and is never shown to customers. `reproduce` is a shell line that repeats this very look with
    secrets left out; it is empty for looks that are `ok`. `via` names the places that redirects led to,
    in order, and is as private as the excerpt. `remember` replaces what the check knows from earlier looks (a host key, when a
    registry was asked); None leaves that as it is. A look that is `doubtful` was made while we saw only in part: a change needs more of them to be
    believed.
    """

    check: CheckKey
    started_at: datetime
    took_ms: float
    outcome: Outcome
    cause: Cause | None = None
    found: str = ""
    address: str | None = None
    phases: Mapping[str, float] = field(default_factory=dict)
    excerpt: str = ""
    reproduce: str = ""
    tls_expires_at: datetime | None = None
    sequence: int = 0
    via: tuple[str, ...] = ()
    measures: tuple[Measure, ...] = ()
    remember: Mapping[str, str] | None = None
    doubtful: bool = False


def sound_measures(measures: Iterable[Measure]) -> tuple[Measure, ...]:
    """Return the measures that can be kept: well named, finite, one of each name, at most `MEASURES_LIMIT`."""
    kept: dict[str, Measure] = {}
    for one in measures:
        if math.isfinite(one.value) and re.fullmatch(MEASURE_NAME, one.name):
            kept.setdefault(one.name, one)
    return tuple(kept.values())[:MEASURES_LIMIT]


def sound_memory(memory: Mapping[str, str]) -> dict[str, str]:
    """Return what of a memory can be kept: at most `MEMORY_KEYS_LIMIT` keys, and nothing longer than `MEMORY_LIMIT`.

    What is too long is left out whole: half a key of a host would be another host's.
    """
    short = {key: value for key, value in memory.items() if max(len(key), len(value)) <= MEMORY_LIMIT}
    return dict(list(short.items())[:MEMORY_KEYS_LIMIT])
