"""Helpdesks: one port, one product a file, and the machine that delivers exactly one ticket per problem.

`KINDS` is the only registry: validation, command line, console and documentation walk it.
"""

from __future__ import annotations

from collections.abc import Mapping

from monitor.tickets.desk import DESK
from monitor.tickets.djangohelpdesk import DJANGOHELPDESK
from monitor.tickets.email import EMAIL
from monitor.tickets.port import HelpdeskKind
from monitor.tickets.redmine import REDMINE
from monitor.tickets.rt import RT
from monitor.tickets.webhook import WEBHOOK
from monitor.tickets.whmcs import WHMCS
from monitor.tickets.zammad import ZAMMAD
from monitor.tickets.zendesk import ZENDESK

KINDS: Mapping[str, HelpdeskKind] = {
    kind.name: kind for kind in (DESK, DJANGOHELPDESK, EMAIL, REDMINE, RT, WEBHOOK, WHMCS, ZAMMAD, ZENDESK)
}

__all__ = ["KINDS"]
