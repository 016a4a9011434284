"""A conversation over TCP, in clear or inside TLS, that no peer can drag out or blow up.

One deadline holds for the whole look, `BYTES_LIMIT` for everything that comes back. Whatever goes wrong is raised as a
TargetFaultError that carries address, phases and what was heard so far, so that a kind only has to say what it expected.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from monitor.checks.contract import Family, Look, TargetFaultError, Tools
from monitor.checks.wire.connecting import connect, fault_of, over_addresses
from monitor.checks.wire.securing import Identity, NotTlsError, TlsClient, Trust
from monitor.observation import EXCERPT_LIMIT, FOUND_LIMIT, Cause, Measure, Outcome

BYTES_LIMIT = 1024 * 1024
LINE_LIMIT = 8192
_CHUNK = 65536


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a conversation is held."""

    host: str
    port: int
    family: Family = Family.ANY


class Stream:
    """One connection to one address. Reading and writing raise TargetFaultError when the peer fails us."""

    def __init__(self, opened: socket.socket, address: str, deadline: float, began: float) -> None:
        self.address = address
        self.identity: Identity | None = None
        self.phases: dict[str, float] = {}
        self.deadline = deadline
        self._socket = opened
        self._began = began
        self._asked = time.perf_counter()
        self._tls: TlsClient | None = None
        self._buffer = bytearray()
        self._heard = bytearray()
        self._taken = 0
        self._ended = False

    async def read_some(self) -> bytes:
        """Return whatever comes next, b"" at the end."""
        if not self._buffer:
            await self._more()
        data, self._buffer = bytes(self._buffer), bytearray()
        return data

    async def read_line(self, limit: int = LINE_LIMIT) -> bytes:
        """Return the next line without its end."""
        line = await self.read_until(b"\n", limit)
        return line.removesuffix(b"\n").removesuffix(b"\r")

    async def read_until(self, mark: bytes, limit: int = LINE_LIMIT) -> bytes:
        """Return everything up to and with `mark`, at most `limit` bytes."""
        searched = 0
        while (found := self._buffer.find(mark, max(0, searched - len(mark)))) < 0:
            searched = len(self._buffer)
            if searched > limit:
                raise self.fault(Cause.PROTOCOL, f"sent more than {limit} bytes without an end")
            await self._more_or_fault()
        end = found + len(mark)
        if end > limit:
            raise self.fault(Cause.PROTOCOL, f"sent more than {limit} bytes without an end")
        return self._take(end)

    async def read_exactly(self, size: int) -> bytes:
        """Return exactly so many bytes."""
        if size > BYTES_LIMIT:
            raise self.fault(Cause.PROTOCOL, f"announced {size} bytes, more than is read")
        while len(self._buffer) < size:
            await self._more_or_fault()
        return self._take(size)

    async def write(self, data: bytes) -> None:
        """Send all of `data`."""
        if "first_byte" not in self.phases:
            self._asked = time.perf_counter()
        await self._send(self._tls.encrypt(data) if self._tls is not None else data)

    async def secure(self, trust: Trust, resumes: Stream | None = None) -> Identity:
        """Begin TLS, greet, and judge the certificate; nothing is said to a peer whose certificate is not as it should be.

        With `resumes` the TLS session of another conversation goes on, where the peer agrees.
        """
        if self._buffer:
            raise self.fault(Cause.PROTOCOL, "said more in clear after it had agreed to TLS")
        began = time.perf_counter()
        tls = TlsClient(trust, resumes._tls if resumes is not None else None)  # noqa: SLF001 - of our kind
        try:
            while True:
                done = tls.shake()
                await self._send(tls.outgoing())
                if done:
                    break
                tls.feed(await self._hear(Cause.TIMEOUT_TLS, "hung up during the TLS handshake"))
            self._tls, self.identity = tls, tls.identity()
        except NotTlsError as error:
            raise self.fault(Cause.PROTOCOL, f"no TLS handshake: {error}"[:FOUND_LIMIT]) from error
        self.phases["tls"] = self.phases.get("tls", 0.0) + 1000 * (time.perf_counter() - began)
        if (wrong := tls.fault(self.identity)) is not None:
            raise wrong
        return self.identity

    def extend(self, deadline: float) -> None:
        """Let the conversation go on until `deadline`; connecting may have been given less."""
        self.deadline = deadline

    def close(self) -> None:
        """Hang up; inside TLS the other side is told so, or its log would speak of a connection that broke."""
        if self._tls is not None and self._socket.fileno() >= 0:
            with contextlib.suppress(OSError):
                self._socket.send(self._tls.farewell())
        self._socket.close()

    def excerpt(self) -> str:
        """Return the beginning of what was heard; where nothing was said yet, the certificates that were shown."""
        if not self._heard and self.identity is not None:
            return str(self.identity)[:EXCERPT_LIMIT]
        return self._heard.decode(errors="replace")[:EXCERPT_LIMIT]

    def fault(self, cause: Cause, found: str) -> TargetFaultError:
        """Return a fault at the target with everything that is known so far."""
        return self.completed(TargetFaultError(cause, found))

    def late(self, cause: Cause | None = None) -> TargetFaultError:
        """Return the fault of a peer whose time is up, by how far it came unless `cause` says so."""
        seconds = time.perf_counter() - self._began
        if cause is Cause.TIMEOUT_TLS:
            return self.fault(cause, f"no TLS handshake within {seconds:.1f} s")
        if "first_byte" not in self.phases:
            return self.fault(Cause.TIMEOUT_FIRST_BYTE, f"no answer within {seconds:.1f} s")
        return self.fault(Cause.TIMEOUT_TOTAL, f"the answer did not end within {seconds:.1f} s")

    def completed(self, fault: TargetFaultError) -> TargetFaultError:
        """Give a fault what it does not say itself: the address, the phases, what was heard, the certificate's end."""
        look = fault.look
        fault.look = replace(
            look,
            address=look.address or self.address,
            phases=self._measured() | dict(look.phases),
            excerpt=look.excerpt or self.excerpt(),
            tls_expires_at=look.tls_expires_at or (self.identity.ends_at if self.identity else None),
        )
        return fault

    def seen(
        self,
        outcome: Outcome = Outcome.OK,
        cause: Cause | None = None,
        found: str = "",
        *,
        measures: tuple[Measure, ...] = (),
    ) -> Look:
        """Return the look that this conversation was."""
        return Look(
            outcome=outcome,
            cause=cause,
            found=found,
            address=self.address,
            phases=self._measured(),
            excerpt=self.excerpt(),
            tls_expires_at=self.identity.ends_at if self.identity else None,
            measures=measures,
        )

    def _measured(self) -> dict[str, float]:
        return self.phases | {"total": 1000 * (time.perf_counter() - self._began)}

    def _take(self, size: int) -> bytes:
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    async def _more_or_fault(self) -> None:
        if not await self._more():
            raise self.fault(Cause.RESET, "hung up before its answer was whole")

    async def _more(self) -> bool:
        """Read on into the buffer; False at the end."""
        while not self._ended:
            data = await self._clear()
            if data is None:
                continue
            if not data:
                self._ended = True
                break
            if "first_byte" not in self.phases:
                self.phases["first_byte"] = 1000 * (time.perf_counter() - self._asked)
            self._buffer += data
            room = 4 * EXCERPT_LIMIT - len(self._heard)
            self._heard += data[: max(0, room)]
            return True
        return False

    async def _clear(self) -> bytes | None:
        """Return bytes in clear, b"" at the end, None when TLS needs more of the wire first."""
        if self._tls is None:
            return await self._received()
        try:
            data = self._tls.decrypt()
            if data is None:
                # What came may ask for something: new keys, another handshake.
                await self._send(self._tls.outgoing())
                arrived = await self._received()
                if not arrived:
                    return b""
                self._tls.feed(arrived)
                return None
        except NotTlsError as error:
            raise self.fault(Cause.PROTOCOL, f"broken TLS: {error}") from error
        return data

    async def _hear(self, late: Cause, hung_up: str) -> bytes:
        arrived = await self._received(late)
        if not arrived:
            raise self.fault(Cause.RESET, hung_up)
        return arrived

    async def _received(self, late: Cause | None = None) -> bytes:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout_at(self.deadline):
                # Where bytes always lie ready nothing else would ever have its turn, not even the deadline.
                await asyncio.sleep(0)
                data = await loop.sock_recv(self._socket, _CHUNK)
        except TimeoutError as error:
            raise self.late(late) from error
        except OSError as error:
            raise self._broken(error) from error
        self._taken += len(data)
        if self._taken > BYTES_LIMIT:
            raise self.fault(Cause.PROTOCOL, f"sent more than {BYTES_LIMIT // 1024} KiB")
        return data

    async def _send(self, data: bytes) -> None:
        if not data:
            return
        try:
            async with asyncio.timeout_at(self.deadline):
                await asyncio.get_running_loop().sock_sendall(self._socket, data)
        except TimeoutError as error:
            raise self.late() from error
        except OSError as error:
            raise self._broken(error) from error

    def _broken(self, error: OSError) -> Exception:
        fault = fault_of(error.errno or 0, self.address)
        return self.completed(fault) if isinstance(fault, TargetFaultError) else fault


@asynccontextmanager
async def open_stream(
    tools: Tools, place: Place, deadline: float, trust: Trust | None = None
) -> AsyncIterator[Stream]:
    """Lend a conversation with the first address of `place` that takes us, inside TLS from its first byte with `trust`.

    A fault that is raised inside gets what the stream knows: address, phases, excerpt, certificate.
    """
    began = time.perf_counter()

    async def attempt(address: str, within: float | None) -> Stream:
        now = asyncio.get_running_loop().time()
        until = deadline if within is None else min(deadline, now + within)
        connected = await connect(address, place.port, until)
        stream = Stream(connected.socket, address, until, began)
        stream.phases |= connected.phases
        try:
            if trust is not None:
                await stream.secure(trust)
        except TargetFaultError as fault:
            stream.close()
            raise stream.completed(fault) from None
        except BaseException:
            stream.close()
            raise
        stream.extend(deadline)
        return stream

    stream, named = await over_addresses(tools, place.host, place.family, deadline, attempt)
    stream.phases = named | stream.phases
    try:
        yield stream
    except TargetFaultError as fault:
        raise stream.completed(fault) from None
    finally:
        stream.close()
