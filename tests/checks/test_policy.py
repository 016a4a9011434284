"""Which addresses a look may go to: a table, and whole looks that are led astray."""

from __future__ import annotations

from pathlib import Path

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st

from monitor.checks.policy import RANGES, TargetPolicy, networks_of
from monitor.observation import Cause, Observation, Outcome
from tests.servers import peers
from tests.servers.looking import looker

INSIDE = TargetPolicy(refuse=("private", "loopback", "shared"))
TABLE = [
    ("192.0.2.10", None),
    ("8.8.8.8", None),
    ("172.15.255.255", None),
    ("172.32.0.0", None),
    ("100.63.255.255", None),
    ("100.128.0.0", None),
    ("126.255.255.255", None),
    ("128.0.0.0", None),
    ("2001:db8::1", None),
    ("2600::", None),
    ("::ffff:192.0.2.10", None),
    ("64:ff9b::c000:20a", None),
    ("10.0.0.0", "private"),
    ("10.255.255.255", "private"),
    ("172.16.0.1", "private"),
    ("172.31.255.255", "private"),
    ("192.168.0.1", "private"),
    ("fc00::1", "private"),
    ("fdff::1", "private"),
    ("fec0::1", "private"),
    ("::ffff:10.0.0.1", "private"),
    ("::10.0.0.1", "private"),
    ("64:ff9b::a00:1", "private"),
    ("2002:a00:1::", "private"),
    ("2001:0:1:1:1:1:f5ff:fffe", "private"),
    ("127.0.0.1", "loopback"),
    ("127.255.255.254", "loopback"),
    ("::1", "loopback"),
    ("::ffff:127.0.0.1", "loopback"),
    ("64:ff9b::7f00:1", "loopback"),
    ("100.64.0.1", "shared"),
    ("169.254.0.1", "link-local"),
    ("fe80::1", "link-local"),
    ("fe80::1%eth0", "link-local"),
    ("169.254.169.254", "metadata"),
    ("::ffff:169.254.169.254", "metadata"),
    ("64:ff9b::a9fe:a9fe", "metadata"),
    ("168.63.129.16", "metadata"),
    ("224.0.0.1", "multicast"),
    ("ff02::1", "multicast"),
    ("0.0.0.0", "unspecified"),
    ("::", "unspecified"),
    ("255.255.255.255", "broadcast"),
]


@pytest.mark.parametrize(("address", "refusal"), TABLE)
def test_the_table_of_addresses(address: str, refusal: str | None):
    assert INSIDE.refusal(address) == refusal


def test_metadata_is_refused_also_where_it_lies_in_a_private_range():
    assert TargetPolicy().refusal("fd00:ec2::254") == "metadata"
    assert TargetPolicy().refusal("fd00:ec2::253") is None


@pytest.mark.parametrize("word", ["metadata", "169.254.169.254", "169.254.0.0/16", "link-local"])
def test_what_is_listed_is_looked_at(word: str):
    assert TargetPolicy(allow=(word,)).refusal("169.254.169.254") is None
    assert TargetPolicy(allow=(word,)).refusal("224.0.0.1") == "multicast"


@given(st.ip_addresses(v=4), st.sampled_from(sorted(RANGES)))
def test_clothes_change_nothing(address, word: str):
    policy = TargetPolicy(refuse=(word,))
    refusal = policy.refusal(str(address))
    assert policy.refusal(f"::ffff:{address}") == refusal
    assert policy.refusal(f"64:ff9b::{address}") == refusal
    assert policy.refusal(str(address)) == (
        word if any(address in one for one in networks_of(word)) else refusal
    )


def seen_by(
    folder: Path, policy: TargetPolicy, kind: str, behave: peers.Behaviour
) -> tuple[Observation, int]:
    async def main() -> tuple[Observation, int]:
        async with peers.peer(behave) as found, looker(folder, policy=policy) as looking:
            options = {"url": f"http://ok.test:{found.port}/"} if kind == "http" else {"port": found.port}
            return await looking.look(kind, options), len(found.asked)

    return uvloop.run(main())


@pytest.mark.parametrize("kind", ["tcp", "tls", "http"])
def test_a_refused_address_is_never_connected_to(tmp_path: Path, kind: str):
    seen, asked = seen_by(tmp_path, TargetPolicy(refuse=("loopback",)), kind, peers.answer())
    assert (seen.outcome, seen.cause, asked) == (Outcome.UNKNOWN, Cause.RIGHTS, 0)
    assert "127.0.0.1 is not looked at (loopback); list it under `targets: {allow: [...]}`" in seen.found


def test_a_redirect_is_held_to_the_policy_as_well(tmp_path: Path):
    behave = peers.redirect("http://169.254.169.254/latest/meta-data/")
    seen, asked = seen_by(tmp_path, TargetPolicy(), "http", behave)
    assert (seen.outcome, seen.cause, asked) == (Outcome.DOWN, Cause.PROTOCOL, 1)
    assert "169.254.169.254" in seen.found


def test_of_several_addresses_the_allowed_one_is_used(tmp_path: Path):
    async def main() -> Observation:
        async with (
            peers.peer(peers.answer()) as found,
            looker(tmp_path, hosts="169.254.169.254 both.test\n127.0.0.1 both.test") as looking,
        ):
            return await looking.look("http", {"url": f"http://both.test:{found.port}/"})

    seen = uvloop.run(main())
    assert (seen.outcome, seen.address) == (Outcome.OK, "127.0.0.1")
