"""What passes between `vigia apply` and watch: an order to apply a file, and what became of the file as it stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pydantic import TypeAdapter

from monitor.clock import fresh_ulid
from monitor.store import readings
from monitor.store.database import Transaction
from monitor.store.observations import note, publish

CONFIGURATION = "configuration"
_ORDER = "configuration.order"


@dataclass(frozen=True, slots=True)
class Order:
    """Somebody wants the file with this digest in force, whatever goes with it; `id` tells one order from the next."""

    id: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What watch makes of the configuration file.

    `digest` is that of the file read last, empty when it could not be read; it is in force unless there is a `problem`. `order` is the id of the
    order that was carried out last.
    """

    path: str
    digest: str
    problem: str = ""
    order: str = ""


_ORDERS = TypeAdapter(Order)
_TOLD = TypeAdapter(Told)


def order(tx: Transaction, digest: str, moment: datetime) -> Order:
    """Leave the order to apply the file with this digest, and return it."""
    given = Order(fresh_ulid(moment), digest)
    note(tx, _ORDER, _ORDERS.dump_json(given).decode())
    return given


def newest(tx: Transaction) -> Order | None:
    """Return the order that was left last, None if there never was one."""
    noted = readings.installation(tx, _ORDER)
    return None if noted is None else _ORDERS.validate_json(noted)


def tell(tx: Transaction, told: Told, moment: datetime) -> None:
    """Let readers know what became of the file."""
    publish(tx, CONFIGURATION, moment, _TOLD.dump_json(told).decode())


def told(tx: Transaction) -> Told | None:
    """Return what watch made of its file, None before it first read one."""
    found = readings.publication(tx, CONFIGURATION)
    return None if found is None else _TOLD.validate_json(found[1])
