"""Runs looks: concurrency, deadlines, phases, the libcurl loop, the resolver."""

from monitor.prober.prober import PER_HOST, Known, Prober
from monitor.prober.resolver import Resolver, ResolverSettings
from monitor.prober.sentinels import Round, Sentinel, Sentinels
from monitor.prober.tools import Toolbox, open_tools

__all__ = [
    "PER_HOST",
    "Known",
    "Prober",
    "Resolver",
    "ResolverSettings",
    "Round",
    "Sentinel",
    "Sentinels",
    "Toolbox",
    "open_tools",
]
