"""Every kind of helpdesk on its bench, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor.actions.desk import StoredDesk
from monitor.actions.letters import StoredLetters
from monitor.clock import SystemClock, fresh_ulid
from monitor.store.database import Database
from monitor.tickets import KINDS
from monitor.tickets.port import Action, Helpdesk, HelpdeskTools, Order, Priority
from tests.conftest import SteppingClock
from tests.contracts.benches import BENCHES, NEEDS, Ability, Bench, Ground, Keeper

PAGE = "https://estado.nodored.example"


@dataclass(frozen=True)
class Stand:
    """One kind at its bench: the helpdesk as we speak to it, and our name of the ticket that this test is about."""

    kind: str
    bench: Bench
    helpdesk: Helpdesk
    ground: Ground
    reference: str

    def lacks(self, ability: Ability) -> str:
        """Return why the product cannot do it, empty if it can."""
        return self.bench.lacks.get(ability, "")

    def shown(self, priority: Priority) -> Priority:
        """Return as what a priority of ours is read back."""
        return self.bench.counts.get(priority, priority)

    def built(self, **options: Any) -> Helpdesk:
        """Return the same helpdesk with other options, as another process would speak to it."""
        return build(self.kind, {**self.bench.options, **options}, self.ground)

    def order(self, action: Action = Action.CREATE, ticket: str = "", seq: int = 1, **changes: Any) -> Order:
        """Return an action on the ticket of this test; `reference` in `changes` makes it another one's."""
        reference = changes.pop("reference", self.reference)
        values: dict[str, Any] = {
            "action": action,
            "reference": reference,
            "key": f"{reference}-{action}-{seq}",
            "ticket": ticket,
            "subject": f"[{reference}] gye1: fuera de servicio",
            "body": "Se confirmó una falla: ñandú, «comillas», \N{PILE OF POO}.",
            "priority": Priority.HIGH,
            "department": "soporte",
            "language": "es",
            "internal": action is not Action.CREATE,
        }
        return Order(**{**values, **changes})

    def another(self) -> str:
        """Return a reference that no other test has."""
        return fresh_reference(self.ground)

    def settle(self) -> None:
        """Let so much time pass that nothing can be hidden from a look-up any more."""
        self.ground.step(self.helpdesk.search_lag or timedelta(0))


def fresh_reference(ground: Ground) -> str:
    return f"VG-TESTHAUS-{fresh_ulid(ground.tools.now())}"


def build(kind: str, raw: dict[str, Any], ground: Ground) -> Helpdesk:
    registered = KINDS[kind]
    return registered.build(registered.options.model_validate(raw), ground.tools)


def kinds() -> list[Any]:
    """Return every registered kind; one whose programs are missing is skipped by their names."""
    return [pytest.param(kind, marks=pytest.mark.system(*NEEDS.get(kind, ()))) for kind in sorted(KINDS)]


@pytest.fixture
def ground(tmp_path: Path, keeper: Keeper) -> Iterator[Ground]:
    clock = SteppingClock(SystemClock().now().replace(microsecond=0))
    database = Database.open(tmp_path / "vigia.db", owner=True)
    tools = HelpdeskTools(
        book=StoredDesk(database, PAGE), letters=StoredLetters(database), now=clock.now, page=PAGE
    )
    yield Ground(directory=tmp_path, keeper=keeper, database=database, tools=tools, clock=clock)
    database.close()


@pytest.fixture(params=kinds())
def stand(request: pytest.FixtureRequest, ground: Ground) -> Iterator[Stand]:
    kind = request.param
    bench = BENCHES[kind](ground)
    try:
        helpdesk = build(kind, bench.options, ground)
        yield Stand(kind, bench, helpdesk, ground, fresh_reference(ground))
    finally:
        bench.close()
