"""Orders to helpdesks, for whoever tries one product alone."""

from __future__ import annotations

from typing import Any

from monitor.tickets.port import Action, DeliveryError, Fate, Helpdesk, Order, Priority

REFERENCE = "VG-TESTHAUS-01JD9ZK3V8QW5R7T2M4N6P8S0A"
OTHER = "VG-TESTHAUS-01JD9ZK3V8QW5R7T2M4N6P8S0B"


def order(action: Action = Action.CREATE, ticket: str = "", seq: int = 1, **changes: Any) -> Order:
    """Return an action on the ticket of `REFERENCE`, or of `reference` in `changes`; what follows a creation is internal."""
    reference = changes.pop("reference", REFERENCE)
    values: dict[str, Any] = {
        "action": action,
        "reference": reference,
        "key": f"{reference}-{action}-{seq}",
        "ticket": ticket,
        "subject": f"[{reference}] gye1: fuera de servicio",
        "body": f"Palabras de {action} {seq}.",
        "priority": Priority.URGENT,
        "department": "soporte",
        "language": "es",
        "internal": action is not Action.CREATE,
    }
    return Order(**{**values, **changes})


def fate_of(helpdesk: Helpdesk, asked: Order) -> Fate:
    """Return what becomes of an order that does not succeed."""
    try:
        helpdesk.perform(asked)
    except DeliveryError as error:
        return error.fate
    raise AssertionError(f"{asked.action} succeeded")
