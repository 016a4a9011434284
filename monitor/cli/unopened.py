"""Tickets that the helpdesk does not hold yet, for all commands that name one."""

from __future__ import annotations

from monitor.store import deliveries, readings
from monitor.store.database import Transaction
from monitor.store.deliveries import DeliveryRow
from monitor.tickets.port import reference_of


def unopened_tickets(tx: Transaction) -> list[tuple[str, DeliveryRow]]:
    """Return what is to be opened, by its reference; none before there is an installation."""
    installation = readings.installation(tx, "id")
    if installation is None:
        return []
    return [(reference_of(installation, row.incident), row) for row in deliveries.unopened(tx)]
