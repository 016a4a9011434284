"""Every kind of check, one a file; KINDS is the only registry."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from monitor.checks import (
    blocklist,
    dns,
    domain,
    ftp,
    heartbeat,
    host,
    http,
    imap,
    ldap,
    mailflow,
    memcached,
    mysql,
    nagios,
    ntp,
    ping,
    pop3,
    postgresql,
    prometheus,
    redis,
    smtp,
    ssh,
    tcp,
    tls,
)
from monitor.checks.contract import Kind

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            http.KIND,
            tcp.KIND,
            tls.KIND,
            ping.KIND,
            ntp.KIND,
            host.KIND,
            dns.KIND,
            blocklist.KIND,
            domain.KIND,
            heartbeat.KIND,
            ldap.KIND,
            smtp.KIND,
            imap.KIND,
            pop3.KIND,
            mailflow.KIND,
            mysql.KIND,
            postgresql.KIND,
            redis.KIND,
            memcached.KIND,
            nagios.KIND,
            prometheus.KIND,
            ssh.KIND,
            ftp.KIND,
        )
    }
)


def is_passive(kind: str) -> bool:
    """Is it a kind that is never looked at, because what it watches reports by itself?"""
    return kind in KINDS and KINDS[kind].passive


__all__ = ["KINDS", "is_passive"]
