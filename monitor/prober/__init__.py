"""Runs looks: concurrency, deadlines, phases, the libcurl loop, the resolver."""

from monitor.prober.prober import PER_HOST, Known, Prober
from monitor.prober.resolver import ResolverSettings
from monitor.prober.tools import Toolbox, open_tools

__all__ = ["PER_HOST", "Known", "Prober", "ResolverSettings", "Toolbox", "open_tools"]
