"""Which addresses a look may go to: pure. Every resolved address is held to it, also behind a redirect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network

RANGES: Mapping[str, tuple[Network, ...]] = {
    name: tuple(ip_network(network) for network in networks)
    for name, networks in {
        "loopback": ("127.0.0.0/8", "::1/128"),
        "private": ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fec0::/10"),
        "shared": ("100.64.0.0/10",),
        "link-local": ("169.254.0.0/16", "fe80::/10"),
        # Where clouds hand out the credentials of a machine to whoever asks from it.
        "metadata": (
            "169.254.169.254/32",
            "169.254.170.2/32",
            "100.100.100.200/32",
            "168.63.129.16/32",
            "192.0.0.192/32",
            "fd00:ec2::254/128",
        ),
        "multicast": ("224.0.0.0/4", "ff00::/8"),
        "unspecified": ("0.0.0.0/8", "::/128"),
        "broadcast": ("255.255.255.255/32",),
    }.items()
}
"""Ranges that have a name, the ones that a configuration may refuse or allow by it."""

# Nothing that a customer of a host uses lives there, and much that must not be asked by accident.
_ALWAYS = ("metadata", "link-local", "multicast", "unspecified", "broadcast")


@dataclass(frozen=True, slots=True)
class TargetPolicy:
    """What the configuration refuses beside what is always refused, and what it allows against both.

    Each word is the name of one of `RANGES`, a network or an address.
    """

    refuse: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()

    def refusal(self, address: str) -> str | None:
        """Return the range for which an address literal is refused, None when a look may go there."""
        return _refusal(self.refuse, self.allow, address)


@lru_cache(maxsize=8192)
def _refusal(refuse: tuple[str, ...], allow: tuple[str, ...], address: str) -> str | None:
    found = plain(address)
    if any(_within(found, word) for word in allow):
        return None
    return next((word for word in (*refuse, *_ALWAYS) if _within(found, word)), None)


def networks_of(word: str) -> tuple[Network, ...]:
    """Return the networks that a name of `RANGES`, a network or an address stands for; anything else raises ValueError."""
    return RANGES[word] if word in RANGES else (ip_network(word),)


def plain(address: str) -> IPv4Address | IPv6Address:
    """Return an address as what it is: an IPv4 one also when it comes mapped, by 6to4, by Teredo or translated by NAT64."""
    found = ip_address(address.partition("%")[0])
    if isinstance(found, IPv4Address):
        return found
    return (
        found.ipv4_mapped or found.sixtofour or (found.teredo or (None, None))[1] or _inside(found) or found
    )


def _inside(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address inside 64:ff9b::/96 or the old ::/96, unless that is the IPv6 loopback or nothing at all."""
    prefix, low = int(address) >> 32, int(address) & 0xFFFFFFFF
    return IPv4Address(low) if prefix == 0x0064_FF9B << 64 or (prefix == 0 and low > 1) else None


def _within(address: IPv4Address | IPv6Address, word: str) -> bool:
    return any(address in network for network in networks_of(word))
