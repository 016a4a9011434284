"""What a look costs, beside requests in threads and aiohttp on uvloop: CPU seconds for 1,000 looks, interleaved in one run.

All sides ask one nginx on loopback over fresh connections, verify by a CA file of real size, resolve a name from a hosts file,
read a bounded body within a deadline, judge the status and make an observation. Ours is the whole way: prober, resolver, transport,
http check. aiohttp takes the phases too, keeps no cookies from one look for the next, and has our resolver and policy, which cost
it less than the system's resolver in threads; who answered and when the certificate ends only ours notes.
"""

from __future__ import annotations

import asyncio
import gc
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from threading import local
from typing import Any

import aiohttp
import requests
import trustme
import uvloop
from aiohttp.abc import AbstractResolver, ResolveResult
from requests import certs
from requests.adapters import HTTPAdapter

sys.path.insert(0, str(Path(__file__).parents[2]))

from monitor.checks.contract import BODY_LIMIT, Family, Tools
from monitor.checks.policy import TargetPolicy
from monitor.clock import SystemClock
from monitor.identifiers import CheckKey, ServerId
from monitor.observation import Observation, Outcome
from monitor.prober import Prober
from monitor.prober.resolver import Resolver
from monitor.prober.transport import CurlTransport
from tests.servers.looking import check_of, plan_of

LOOKS = int(os.environ.get("LOOKS", "1000"))
ROUNDS = int(os.environ.get("ROUNDS", "4"))
AT_ONCE = 200
NAME = "localhost"
# The most that ours may cost of theirs.
AIMS = {"http": {"requests": 0.25, "aiohttp": 0.5}, "https": {"requests": 0.5, "aiohttp": 0.9}}


def cpu() -> float:
    """Return the CPU seconds that this process has used, nginx not among them."""
    return time.process_time()


@contextmanager
def nginx(folder: Path) -> Iterator[tuple[dict[str, str], Path]]:
    """Run a private nginx; give its URLs by scheme and the CA file to trust."""
    authority = trustme.CA()
    leaf = authority.issue_cert(NAME)
    ca_file = folder / "ca.pem"
    ca_file.write_text(Path(certs.where()).read_text() + authority.cert_pem.bytes().decode())
    leaf.private_key_pem.write_to_path(str(folder / "leaf.pem"))
    leaf.cert_chain_pems[0].write_to_path(str(folder / "leaf.pem"), append=True)
    # nginx started by root reads the page as somebody else.
    folder.chmod(0o755)
    (folder / "page").mkdir()
    (folder / "page" / "index.html").write_text("all is well\n" * 680)
    ports = free_port(), free_port()
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1;\n"
        "events { worker_connections 1024; }\n"
        f"http {{ access_log off; root {folder}/page; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;\n"
        f"fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;\n"
        "ssl_session_cache off; ssl_session_tickets off;\n"
        f"server {{ listen 127.0.0.1:{ports[0]}; }}\n"
        f"server {{ listen 127.0.0.1:{ports[1]} ssl; ssl_certificate {folder}/leaf.pem; ssl_certificate_key {folder}/leaf.pem; }} }}\n"
    )
    program = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin") or "nginx"
    server = subprocess.Popen(
        [program, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]
    )
    try:
        for port in ports:
            wait_for(port)
        yield {"http": f"http://{NAME}:{ports[0]}/", "https": f"https://{NAME}:{ports[1]}/"}, ca_file
    finally:
        server.terminate()
        server.wait()


def free_port() -> int:
    """Return a port that was free a moment ago: nginx cannot be asked which one it took."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int) -> None:
    """Wait until somebody listens."""
    for _ in range(20_000):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
    raise RuntimeError(f"nothing listens on port {port}")


async def our_looks(url: str, ca_file: Path, looks: int) -> float:
    """Return the CPU seconds of that many whole looks, begun as the scheduler begins them."""
    clock = SystemClock()
    resolver, transport = Resolver(), CurlTransport(str(ca_file))
    # None of the sides keeps what it saw, unless it was wrong.
    wrong: list[Observation] = []
    under_way = 0
    done = asyncio.Event()

    def deliver(observation: Observation) -> None:
        nonlocal under_way
        if observation.outcome is not Outcome.OK:
            wrong.append(observation)
        under_way -= 1
        if under_way == 0:
            done.set()

    prober = Prober(
        tools=Tools(resolver=resolver, transport=transport, now=clock.now),
        clock=clock,
        deliver=deliver,
        per_host=AT_ONCE,
    )
    plans = [
        plan_of("http", {"url": url, "family": "ipv4"}, 30.0, f"check{number}") for number in range(AT_ONCE)
    ]
    checks: dict[CheckKey, tuple[object, object]] = {plan.key: (plan, check_of(plan)) for plan in plans}
    prober.replace(checks)  # type: ignore[arg-type]
    began = 0.0
    for turn in range(looks // AT_ONCE + 1):
        if turn == 1:
            # The first turn parses the CA file, once for the life of the process.
            began = cpu()
        done.clear()
        under_way = len(plans)
        for plan in plans:
            assert prober.begin(plan.key, clock.monotonic())
        await done.wait()
        # A look is over a moment after its observation was delivered.
        await asyncio.sleep(0)
    spent = cpu() - began
    assert not wrong, wrong[:3]
    await prober.close()
    await resolver.close()
    await transport.close()
    return spent


class SteadyContext(ssl.SSLContext):
    """A context that threads can share: urllib3 sets the protocols anew for each connection, under the feet of the others."""

    def set_alpn_protocols(self, alpn_protocols: object) -> None:
        pass


class SharedContext(HTTPAdapter):
    """Lends every connection one context, so that requests parses the CA file once."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__()

    def init_poolmanager(self, *args: object, **keywords: object) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **keywords)  # type: ignore[no-untyped-call]

    def build_connection_pool_key_attributes(self, request, verify, cert=None):
        host, pool = super().build_connection_pool_key_attributes(request, verify, cert)
        return host, {key: value for key, value in pool.items() if key not in {"ca_certs", "ca_cert_dir"}}

    def cert_verify(self, conn, url, verify, cert) -> None:
        conn.cert_reqs = "CERT_REQUIRED"


def their_looks(url: str, ca_file: Path, looks: int) -> float:
    """Return the CPU seconds of that many requests from a pool of threads, a session each, one context shared."""
    context = SteadyContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(ca_file)
    mine = local()
    clock, key = SystemClock(), CheckKey(ServerId("gye1"), "http")

    def look(_number: int) -> Outcome:
        began = clock.monotonic()
        if not hasattr(mine, "session"):
            mine.session = requests.Session()
            mine.session.trust_env = False
            mine.session.mount("https://", SharedContext(context))
        with mine.session.get(
            url, timeout=30, stream=True, headers={"Connection": "close", "Accept-Encoding": "identity"}
        ) as answer:
            body = bytearray()
            for chunk in answer.iter_content(16384):
                body += chunk
                if len(body) > BODY_LIMIT:
                    break
            outcome = Outcome.OK if answer.status_code // 100 == 2 else Outcome.DOWN
        seen = Observation(
            check=key, started_at=clock.now(), took_ms=1000 * (clock.monotonic() - began), outcome=outcome
        )
        return seen.outcome

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(look, range(AT_ONCE)))
        began = cpu()
        assert set(pool.map(look, range(looks))) == {Outcome.OK}
        return cpu() - began


class CheckedNames(AbstractResolver):
    """Lends aiohttp our resolver: the hosts file first, and every address held to the policy."""

    def __init__(self) -> None:
        self._resolver, self._policy = Resolver(), TargetPolicy()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        deadline = asyncio.get_running_loop().time() + 30
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=family,
                proto=0,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for address in await self._resolver.addresses(host, Family.IPV4, deadline)
            if self._policy.refusal(address) is None
        ]

    async def close(self) -> None:
        await self._resolver.close()


async def aiohttp_looks(url: str, ca_file: Path, looks: int) -> float:
    """Return the CPU seconds of that many requests by aiohttp, every one on a connection of its own, its phases taken."""
    context = ssl.create_default_context(cafile=str(ca_file))
    clock, key = SystemClock(), CheckKey(ServerId("gye1"), "http")
    connector = aiohttp.TCPConnector(
        ssl=context,
        force_close=True,
        limit=AT_ONCE,
        limit_per_host=AT_ONCE,
        use_dns_cache=False,
        family=socket.AF_INET,
        resolver=CheckedNames(),
    )

    async def look() -> Outcome:
        began = clock.monotonic()
        noted: dict[str, float] = {}
        async with session.get(url, trace_request_ctx=noted) as answer:
            body = bytearray()
            async for chunk in answer.content.iter_chunked(16384):
                body += chunk
                if len(body) > BODY_LIMIT:
                    break
            outcome = Outcome.OK if answer.status // 100 == 2 else Outcome.DOWN
        seen = Observation(
            check=key,
            started_at=clock.now(),
            took_ms=1000 * (clock.monotonic() - began),
            outcome=outcome,
            phases={
                "name": 1000 * (noted["name"] - noted["asked"]),
                "connect": 1000 * (noted["connected"] - noted["name"]),
                "first_byte": 1000 * (noted["answered"] - noted["connected"]),
                "total": 1000 * (clock.monotonic() - began),
            },
        )
        return seen.outcome

    async with aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"Accept-Encoding": "identity"},
        timeout=aiohttp.ClientTimeout(total=30),
        auto_decompress=False,
        trace_configs=[phase_trace()],
    ) as session:
        began = 0.0
        for turn in range(looks // AT_ONCE + 1):
            if turn == 1:
                began = cpu()
            assert set(await asyncio.gather(*(look() for _ in range(AT_ONCE)))) == {Outcome.OK}
        return cpu() - began


def phase_trace() -> aiohttp.TraceConfig:
    """Return what notes when the name was found, the connection stood and the answer began, as our own looks do."""
    trace = aiohttp.TraceConfig()

    def noted(moment: str):
        async def note(_session: object, context: Any, _params: object) -> None:
            context.trace_request_ctx[moment] = time.perf_counter()

        return note

    trace.on_dns_resolvehost_start.append(noted("asked"))
    trace.on_dns_resolvehost_end.append(noted("name"))
    trace.on_connection_create_end.append(noted("connected"))
    trace.on_request_end.append(noted("answered"))
    return trace


def shown(name: str, spent: list[float]) -> str:
    return f"{name} {median(spent):.2f} ({min(spent):.2f} to {max(spent):.2f})"


SIDES: dict[str, Callable[[str, Path, int], float]] = {
    "ours": lambda url, ca_file, looks: uvloop.run(our_looks(url, ca_file, looks)),
    "requests": their_looks,
    "aiohttp": lambda url, ca_file, looks: uvloop.run(aiohttp_looks(url, ca_file, looks)),
}


def forget_others() -> None:
    """Let the collector walk neither through what stands, as in the service, nor through what another side left."""
    gc.collect()
    gc.freeze()


def main() -> None:
    with tempfile.TemporaryDirectory() as named, nginx(Path(named)) as (urls, ca_file):
        print(
            f"CPU seconds for 1,000 looks at nginx on loopback, fresh connections, {ROUNDS} rounds of {LOOKS}",
            flush=True,
        )
        for scheme, url in urls.items():
            spent: dict[str, list[float]] = {side: [] for side in SIDES}
            for _ in range(ROUNDS):
                for side, measure in SIDES.items():
                    forget_others()
                    spent[side].append(1000 / LOOKS * measure(url, ca_file, LOOKS))
            print(f"{scheme:5}  " + "  ".join(shown(*each) for each in spent.items()))
            for other, aim in AIMS[scheme].items():
                ratio = median(mine / its for mine, its in zip(spent["ours"], spent[other], strict=True))
                print(f"       ours to {other} {ratio:.2f}, at most {aim}")


if __name__ == "__main__":
    main()
