"""Which statuses of Request Tracker are final: each queue has a lifecycle, and only RT knows it."""

from __future__ import annotations

from monitor.tickets.rt_api import Api, Ticket


class Statuses:
    """Asks once for each status of a queue and keeps it in mind; lifecycles stand in RT's settings, which change with a start of RT."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._known: dict[tuple[str, str], bool] = {}

    def is_final(self, ticket: Ticket) -> bool:
        """Is this ticket closed? If people changed it since it was read, as it is now."""
        seen = (ticket.queue.id, ticket.status)
        return self._known[seen] if seen in self._known else self._learn(ticket)

    def _learn(self, ticket: Ticket) -> bool:
        for word, final in (("__Inactive__", True), ("__Active__", False)):
            # Status and class come in one answer, so that no change in between can teach us what is wrong.
            for found in self._api.tickets(f"id = {ticket.id} AND Status = '{word}'"):
                self._known[found.queue.id, found.status] = final
                return final
        # It is neither while it is being deleted.
        return False
