"""From a host to a connection: names resolved, addresses tried in turn, and whose fault it is when none takes us."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from monitor.checks.contract import Family, OwnFaultError, TargetFaultError, Tools
from monitor.observation import Cause

Found = TypeVar("Found")

# More addresses than this are never tried in one look: the deadline is shared among them.
_TRIED = 4
_CONNECTING = frozenset({Cause.REFUSED, Cause.UNREACHABLE, Cause.TIMEOUT_CONNECT, Cause.TIMEOUT_TLS})
_AT_THE_TARGET = {
    errno.ECONNREFUSED: (Cause.REFUSED, "the connection was refused"),
    errno.ECONNRESET: (Cause.RESET, "the connection was reset"),
    errno.ECONNABORTED: (Cause.RESET, "the connection was aborted"),
    errno.EPIPE: (Cause.RESET, "the connection was closed"),
    errno.EHOSTUNREACH: (Cause.UNREACHABLE, "the host is unreachable"),
    errno.EHOSTDOWN: (Cause.UNREACHABLE, "the host is down"),
    errno.ENETUNREACH: (Cause.UNREACHABLE, "the network is unreachable"),
    errno.ETIMEDOUT: (Cause.TIMEOUT_CONNECT, "nobody answered the connection"),
}
_REMEDIES = {
    errno.EMFILE: "raise the limit of open files (ulimit -n, LimitNOFILE=)",
    errno.ENFILE: "raise the system's limit of open files (sysctl fs.file-max)",
    errno.EADDRNOTAVAIL: "no local port or source address is free; widen net.ipv4.ip_local_port_range",
    errno.EACCES: "a rule on this machine forbids it; look at its firewall",
    errno.EPERM: "a rule on this machine forbids it; look at its firewall",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    """An open socket, whose closing is the caller's business."""

    socket: socket.socket
    address: str
    phases: dict[str, float]


def fault_of(
    number: int, address: str, phases: dict[str, float] | None = None
) -> TargetFaultError | OwnFaultError:
    """Return whose fault a failed system call is, by its errno.

    "Network unreachable" without any route of our own to `address` is our trouble, not the target's.
    """
    if number == errno.ENETUNREACH and not has_route(address):
        return OwnFaultError(
            Cause.OWN, f"this machine has no route to {address}; see `ip route get {address}`"
        )
    if number in _AT_THE_TARGET:
        cause, found = _AT_THE_TARGET[number]
        return TargetFaultError(cause, found, address=address, phases=phases)
    cause = Cause.RIGHTS if number in {errno.EACCES, errno.EPERM} else Cause.OWN
    remedy = f": {_REMEDIES[number]}" if number in _REMEDIES else ""
    return OwnFaultError(cause, f"cannot reach {address}: {os.strerror(number)}{remedy}")


def has_route(address: str) -> bool:
    """Does our own routing table lead to `address`? Connecting a datagram socket asks it and sends nothing."""
    try:
        with socket.socket(_socket_family(address), socket.SOCK_DGRAM) as probe:
            probe.connect((address, 9))
    except OSError:
        return False
    return True


async def resolve(
    tools: Tools, host: str, family: Family, deadline: float
) -> tuple[tuple[str, ...], dict[str, float]]:
    """Return the addresses of `host` that a look may go to, and the `name` phase in milliseconds.

    When none of them may be looked at, OwnFaultError says what would allow it.
    """
    began = time.perf_counter()
    addresses = await tools.resolver.addresses(host, family, deadline)
    named = {"name": 1000 * (time.perf_counter() - began)}
    refusal = tools.policy.refusal
    allowed = tuple([address for address in addresses if refusal(address) is None])
    if not allowed:
        raise OwnFaultError(
            Cause.RIGHTS,
            f"{addresses[0]} is not looked at ({refusal(addresses[0])}); list it under `targets: {{allow: [...]}}` to do so",
        )
    return allowed, named


async def over_addresses(
    tools: Tools,
    host: str,
    family: Family,
    deadline: float,
    attempt: Callable[[str, float | None], Awaitable[Found]],
) -> tuple[Found, dict[str, float]]:
    """Return what `attempt` gives for the first address that takes us, and the `name` phase, as a browser would find it.

    `attempt` gets an address and how many seconds connecting may take, None for the last address: it may use all that is left.
    Only a failure to connect moves on to the next address; when all fail, the last fault at the target is raised.
    """
    addresses, named = await resolve(tools, host, family, deadline)
    tried = addresses[:_TRIED]
    fault: TargetFaultError | OwnFaultError | None = None
    for index, address in enumerate(tried):
        left = len(tried) - index
        within = None if left == 1 else (deadline - asyncio.get_running_loop().time()) / left
        try:
            return await attempt(address, within), named
        except TargetFaultError as error:
            error.look = replace(error.look, phases=named | dict(error.look.phases))
            if error.look.cause not in _CONNECTING:
                raise
            fault = error
        except OwnFaultError as error:
            fault = fault or error
    assert fault is not None, "a resolver returns at least one address or raises"  # noqa: S101 - the port's promise
    raise fault


async def open_connection(tools: Tools, host: str, port: int, family: Family, deadline: float) -> Connected:
    """Return a connected, non-blocking socket; trouble raises TargetFaultError or OwnFaultError."""

    async def attempt(address: str, within: float | None) -> Connected:
        now = asyncio.get_running_loop().time()
        return await connect(address, port, deadline if within is None else min(deadline, now + within))

    connected, named = await over_addresses(tools, host, family, deadline, attempt)
    return replace(connected, phases=named | connected.phases)


async def connect(address: str, port: int, deadline: float) -> Connected:
    """Return a connected, non-blocking socket to one address; trouble raises TargetFaultError or OwnFaultError."""
    began = time.perf_counter()
    try:
        opened = socket.socket(_socket_family(address), socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        # Small words that follow each other must not wait for the peer's slow acknowledgement, nor our stopwatch with them.
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError as error:
        raise fault_of(error.errno or 0, address) from error
    try:
        async with asyncio.timeout_at(deadline):
            await asyncio.get_running_loop().sock_connect(opened, (address, port))
    except TimeoutError as error:
        opened.close()
        phases = {"connect": 1000 * (time.perf_counter() - began)}
        raise TargetFaultError(
            Cause.TIMEOUT_CONNECT,
            f"no connection within {phases['connect'] / 1000:.1f} s",
            address=address,
            phases=phases,
        ) from error
    except OSError as error:
        opened.close()
        raise fault_of(error.errno or 0, address) from error
    except BaseException:
        opened.close()
        raise
    return Connected(socket=opened, address=address, phases={"connect": 1000 * (time.perf_counter() - began)})


def _socket_family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET
