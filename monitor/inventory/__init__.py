"""The configuration file: read strictly, refused with everything that is wrong, or turned into fleet and settings."""

from __future__ import annotations

from monitor.inventory.faults import ConfigurationError, Fault
from monitor.inventory.loading import load
from monitor.inventory.references import Secrets
from monitor.inventory.schema import schema
from monitor.inventory.settings import Configuration, Keep, ResolverChoice, Settings

__all__ = [
    "Configuration",
    "ConfigurationError",
    "Fault",
    "Keep",
    "ResolverChoice",
    "Secrets",
    "Settings",
    "load",
    "schema",
]
