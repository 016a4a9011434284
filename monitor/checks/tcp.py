"""Is a TCP port open? Connects, hangs up, and says nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic import Field

from monitor.checks.connecting import open_connection
from monitor.checks.contract import DEFAULT_TIMEOUT, Family, Kind, Look, Options, Tools
from monitor.checks.shell import word
from monitor.checks.targets import FamilyName, Host, Port, at_host, bracketed, port_or_place, service_of_port
from monitor.health.words import Service
from monitor.observation import Outcome


class TcpOptions(Options):
    """What a `tcp` check takes."""

    port: Port = Field(description="The TCP port that has to accept a connection.")
    host: Host = Field(description="The name or address to connect to; the server's host if left out.")
    family: FamilyName = Field(default="any", description="Which addresses to use: any, ipv4 or ipv6.")


@dataclass(frozen=True, slots=True)
class TcpCheck:
    """A look that connects and hangs up."""

    options: TcpOptions

    @property
    def target(self) -> str:
        return f"{bracketed(self.options.host)}:{self.options.port}"

    async def look(self, tools: Tools, deadline: float) -> Look:
        options = self.options
        connected = await open_connection(tools, options.host, options.port, Family(options.family), deadline)
        connected.socket.close()
        return Look(outcome=Outcome.OK, address=connected.address, phases=connected.phases)

    def reproduce(self, look: Look | None = None, timeout: timedelta = DEFAULT_TIMEOUT) -> str:
        host = look.address if look is not None and look.address is not None else self.options.host
        return f"nc -vz -w {max(1, round(timeout.total_seconds()))} {word(host)} {self.options.port}"


def _short(value: object) -> dict[str, Any]:
    return port_or_place(value, 'the short form of tcp is a port (22) or a host and a port ("192.0.2.1:22")')


def _service(options: TcpOptions) -> Service:
    return service_of_port(options.port)


KIND = Kind(name="tcp", options=TcpOptions, build=TcpCheck, complete=at_host, short=_short, service=_service)
