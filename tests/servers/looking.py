"""Whole looks for tests: the real prober with a hosts file and a CA file of the test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from monitor.checks import KINDS
from monitor.checks.building import build
from monitor.checks.contract import Check, Tools
from monitor.checks.policy import TargetPolicy
from monitor.clock import SystemClock
from monitor.fleet.fleet import CheckPlan
from monitor.health.state import Attempts, Policy
from monitor.identifiers import CheckKey, ServerId
from monitor.observation import Observation
from monitor.prober import Prober, ResolverSettings
from monitor.prober.resolver import Resolver
from monitor.prober.transport import CurlTransport, system_ca_file

POLICY = Policy(
    confirm=Attempts(attempts=3, retry=timedelta(seconds=15)),
    recover=Attempts(attempts=2, retry=timedelta(seconds=15)),
)


@dataclass(frozen=True, slots=True)
class TestSecrets:
    """Secrets by name."""

    __test__ = False
    values: Mapping[str, str]

    def fill(self, text: str) -> str:
        for name, value in self.values.items():
            text = text.replace(f"${{{name}}}", value)
        return text

    def hide(self, text: str) -> str:
        for name, value in self.values.items():
            text = text.replace(value, f"${{{name}}}")
        return text


NO_SECRETS = TestSecrets({})


def plan_of(kind: str, options: Mapping[str, Any], timeout: float = 2.0, name: str = "") -> CheckPlan:
    """Return a plan of server gye1 for one check, its options completed for the host 127.0.0.1."""
    return CheckPlan(
        key=CheckKey(ServerId("gye1"), name or kind),
        kind=kind,
        options=KINDS[kind].complete(dict(options), "127.0.0.1"),
        every=timedelta(seconds=60),
        timeout=timedelta(seconds=timeout),
        policy=POLICY,
    )


def check_of(plan: CheckPlan, secrets: TestSecrets = NO_SECRETS) -> Check:
    """Return the check of a plan, built as the station builds it."""
    return build(plan.kind, plan.options, secrets)


@dataclass(frozen=True, slots=True)
class Looker:
    """Looks once, with everything that a look uses."""

    tools: Tools
    prober: Prober

    async def look(
        self,
        kind: str,
        options: Mapping[str, Any],
        *,
        seconds: float = 2.0,
        secrets: TestSecrets = NO_SECRETS,
    ) -> Observation:
        plan = plan_of(kind, options, seconds)
        return await self.prober.look_once(plan, check_of(plan, secrets))


@asynccontextmanager
async def looker(
    folder: Path,
    ca_file: Path | None = None,
    *,
    settings: ResolverSettings | None = None,
    hosts: str = "",
    policy: TargetPolicy | None = None,
) -> AsyncIterator[Looker]:
    """Lend a prober that knows `ok.test`, trusts `ca_file`, and asks no name server of the machine."""
    hosts_file = folder / "hosts"
    hosts_file.write_text(f"127.0.0.1 ok.test other.test\n{hosts}\n")
    resolver = Resolver(settings, hosts=hosts_file, resolv_conf=folder / "resolv.conf")
    transport = CurlTransport(None if ca_file is None else str(ca_file))
    clock = SystemClock()
    tools = Tools(
        resolver=resolver,
        transport=transport,
        now=clock.now,
        ca_file=str(ca_file) if ca_file else system_ca_file(),
        policy=policy or TargetPolicy(),
    )
    prober = Prober(tools=tools, clock=clock, deliver=lambda _observation: None)
    try:
        yield Looker(tools, prober)
    finally:
        await prober.close()
        await resolver.close()
        await transport.close()
