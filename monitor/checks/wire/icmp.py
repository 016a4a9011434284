"""ICMP echo on the loop: by a datagram socket where the system allows it, else by a raw one."""

from __future__ import annotations

import asyncio
import errno
import secrets
import socket
import struct
import time
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import fmean

from monitor.checks.contract import OwnFaultError
from monitor.checks.wire.connecting import fault_of
from monitor.observation import Cause

_HEADER = struct.Struct("!BBHHH")
_TOKEN_BYTES = 16
_PROTOCOL_IPV6_ICMP = 58
_REMEDY = (
    "this process may not send ICMP: give it CAP_NET_RAW (systemd: AmbientCapabilities=CAP_NET_RAW), "
    'or allow its group: sysctl net.ipv4.ping_group_range="0 2147483647"'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Echoes:
    """What came back of so many that were sent, the round trips in the order of sending.

    `refused` is the reason when the network answered that the host cannot be reached.
    """

    sent: int
    round_trips_ms: tuple[float, ...]
    took_ms: float
    refused: str = ""

    @property
    def loss(self) -> float:
        """The share that did not come back, from 0 to 1."""
        return 1 - len(self.round_trips_ms) / self.sent if self.sent else 1.0

    @property
    def mean_ms(self) -> float | None:
        """The mean round trip, None when nothing came back."""
        return fmean(self.round_trips_ms) if self.round_trips_ms else None

    @property
    def jitter_ms(self) -> float | None:
        """By how much a round trip differs from the one before, on average; None when fewer than two came back."""
        steps = [abs(after - before) for before, after in pairwise(self.round_trips_ms)]
        return fmean(steps) if steps else None


@dataclass(slots=True)
class _Exchange:
    """One socket, the token that marks our echoes among everybody's, and when each was sent."""

    socket: socket.socket
    request: int
    reply: int
    token: bytes = field(default_factory=lambda: secrets.token_bytes(_TOKEN_BYTES))
    sent: dict[int, float] = field(default_factory=dict)
    back: dict[int, float] = field(default_factory=dict)
    refused: str = ""


async def echo(address: str, count: int, apart: float, deadline: float) -> Echoes:
    """Send `count` echo requests and return what came back by `deadline`; a missing right raises OwnFaultError.

    They are sent `apart` seconds from each other, or closer where half of the time would not be enough for all.
    """
    began = time.perf_counter()
    left = deadline - asyncio.get_running_loop().time()
    exchange = _open(address)
    try:
        async with asyncio.timeout_at(deadline):
            await _exchanged(exchange, address, count, min(apart, left / 2 / count))
    except TimeoutError:
        pass  # What has not come back by now is lost: the figures say so.
    finally:
        exchange.socket.close()
    return Echoes(
        sent=len(exchange.sent),
        round_trips_ms=tuple(exchange.back[sequence] for sequence in sorted(exchange.back)),
        took_ms=1000 * (time.perf_counter() - began),
        refused=exchange.refused,
    )


def packet(kind: int, sequence: int, token: bytes) -> bytes:
    """Return one echo request; the identifier is part of the token, which every system sends back unchanged."""
    identifier = int.from_bytes(token[:2])
    head = _HEADER.pack(kind, 0, 0, identifier, sequence)
    return _HEADER.pack(kind, 0, checksum(head + token), identifier, sequence) + token


def checksum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071) of `data`."""
    padded = data + b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def sequence_of(data: bytes, reply: int, token: bytes) -> int | None:
    """Return the number of the echo that `data` answers, None for anything that is not an answer to ours.

    A raw IPv4 socket hands over the IP header too; its length stands in the low half of the first byte.
    """
    if data and data[0] >> 4 == 4:
        data = data[4 * (data[0] & 15) :]
    if len(data) < _HEADER.size:
        return None
    kind, _, _, _, sequence = _HEADER.unpack_from(data)
    return int(sequence) if kind == reply and data[_HEADER.size :] == token else None


def _open(address: str) -> _Exchange:
    version6 = ":" in address
    family = socket.AF_INET6 if version6 else socket.AF_INET
    protocol = _PROTOCOL_IPV6_ICMP if version6 else socket.IPPROTO_ICMP
    opened = _socket(family, protocol)
    try:
        opened.setblocking(False)  # noqa: FBT003 - the library's shape
        opened.connect((address, 0))
    except OSError as error:
        opened.close()
        raise fault_of(error.errno or 0, address) from error
    request, reply = (128, 129) if version6 else (8, 0)
    return _Exchange(socket=opened, request=request, reply=reply)


def _socket(family: socket.AddressFamily, protocol: int) -> socket.socket:
    try:
        return socket.socket(family, socket.SOCK_DGRAM, protocol)
    except OSError as error:
        if error.errno not in {errno.EACCES, errno.EPERM, errno.EPROTONOSUPPORT}:
            raise OwnFaultError(Cause.OWN, f"cannot open an ICMP socket: {error.strerror}") from error
    try:
        return socket.socket(family, socket.SOCK_RAW, protocol)
    except PermissionError as error:
        raise OwnFaultError(Cause.RIGHTS, _REMEDY) from error
    except OSError as error:
        raise OwnFaultError(Cause.OWN, f"cannot open an ICMP socket: {error.strerror}") from error


async def _exchanged(exchange: _Exchange, address: str, count: int, apart: float) -> None:
    """Send at a steady pace and take what comes, until every echo is back or the network refuses."""
    receiving = asyncio.create_task(_receive(exchange, count))
    try:
        for sequence in range(count):
            if sequence:
                await asyncio.wait({receiving}, timeout=apart)
            if receiving.done():
                break
            await _send(exchange, address, sequence)
        await receiving
    finally:
        receiving.cancel()
        await asyncio.gather(receiving, return_exceptions=True)


async def _send(exchange: _Exchange, address: str, sequence: int) -> None:
    exchange.sent[sequence] = time.perf_counter()
    try:
        await asyncio.get_running_loop().sock_sendall(
            exchange.socket, packet(exchange.request, sequence, exchange.token)
        )
    except OSError as error:
        fault = fault_of(error.errno or 0, address)
        if isinstance(fault, OwnFaultError):
            raise fault from error
        exchange.refused = str(fault)


async def _receive(exchange: _Exchange, count: int) -> None:
    loop = asyncio.get_running_loop()
    while len(exchange.back) < count and not exchange.refused:
        try:
            data = await loop.sock_recv(exchange.socket, 2048)
        except OSError as error:
            exchange.refused = error.strerror or "the network refused"
            return
        sequence = sequence_of(data, exchange.reply, exchange.token)
        if sequence in exchange.sent and sequence not in exchange.back:
            exchange.back[sequence] = 1000 * (time.perf_counter() - exchange.sent[sequence])
