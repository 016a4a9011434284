"""What the tables say, as the values of the house. Every function reads inside the transaction it is given."""

from monitor.store.readings.checks import (
    Look,
    check_kinds,
    check_numbers,
    evidence_of,
    healths,
    last_whole,
    memories,
)
from monitor.store.readings.fleet import (
    fleet,
    fleet_number,
    forces,
    is_known,
    retired_servers,
    standing,
    unforced,
    zone,
)
from monitor.store.readings.incidents import (
    ending_incidents,
    incident,
    incidents_between,
    last_resolved_of,
    last_warning_of,
    open_incident_of,
    open_incidents,
    open_warning_of,
    unstable_incidents,
)
from monitor.store.readings.service import (
    beat_of,
    heard_at,
    installation,
    is_learning,
    learning_since,
    publication,
)
from monitor.store.readings.spans import (
    blind_spans,
    maintenance_spans,
    server_days,
    status_spans,
)
from monitor.store.readings.strips import Fresh, Strip, fresh_looks, strip
from monitor.store.readings.tickets import TicketRow, ticket, ticket_of, tickets
from monitor.store.readings.views import BlockedView, blocked_views
from monitor.store.readings.windows import window, windows

__all__ = [
    "BlockedView",
    "Fresh",
    "Look",
    "Strip",
    "TicketRow",
    "beat_of",
    "blind_spans",
    "blocked_views",
    "check_kinds",
    "check_numbers",
    "ending_incidents",
    "evidence_of",
    "fleet",
    "fleet_number",
    "forces",
    "fresh_looks",
    "healths",
    "heard_at",
    "incident",
    "incidents_between",
    "installation",
    "is_known",
    "is_learning",
    "last_resolved_of",
    "last_warning_of",
    "last_whole",
    "learning_since",
    "maintenance_spans",
    "memories",
    "open_incident_of",
    "open_incidents",
    "open_warning_of",
    "publication",
    "retired_servers",
    "server_days",
    "standing",
    "status_spans",
    "strip",
    "ticket",
    "ticket_of",
    "tickets",
    "unforced",
    "unstable_incidents",
    "window",
    "windows",
    "zone",
]
