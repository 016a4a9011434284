"""Every kind of check, one a file; KINDS is the only registry."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from monitor.checks import host, http, imap, ldap, mailflow, ping, pop3, smtp, tcp, tls
from monitor.checks.contract import Kind

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            http.KIND,
            tcp.KIND,
            tls.KIND,
            ping.KIND,
            host.KIND,
            ldap.KIND,
            smtp.KIND,
            imap.KIND,
            pop3.KIND,
            mailflow.KIND,
        )
    }
)

__all__ = ["KINDS"]
