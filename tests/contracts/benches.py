"""The registry of benches: one real or fake helpdesk of every kind, with the people who work at it.

A kind comes into the contract suite by its line in `BENCHES`; one without a line fails it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Protocol, TypeVar

from monitor.store.database import Database
from monitor.tickets.port import HelpdeskTools, Priority
from tests.conftest import SteppingClock

Thing = TypeVar("Thing", bound="_Closing")


class _Closing(Protocol):
    def close(self) -> None: ...


@dataclass
class Keeper:
    """What is started once a session, because it is slow to start: a real product's server, an initialised database."""

    directory: Path
    _things: dict[str, _Closing] = field(default_factory=dict)
    _open: ExitStack = field(default_factory=ExitStack)

    def kept(self, name: str, start: Callable[[Path], Thing]) -> Thing:
        """Return the thing of this name, started in a directory of its own when it is asked for first."""
        if name not in self._things:
            place = self.directory / name
            place.mkdir()
            thing = start(place)
            self._open.callback(thing.close)
            self._things[name] = thing
        return self._things[name]  # type: ignore[return-value] # a name stands for one kind of thing

    def close(self) -> None:
        self._open.close()


@dataclass(frozen=True)
class Ground:
    """What a bench is built on: a directory of this test alone, what the session keeps, and what the helpdesk is lent.

    `tools.now` is `clock.now`: it stands still unless the test steps it. It begins at the present, because a real product has a clock of
    its own.
    """

    directory: Path
    keeper: Keeper
    database: Database
    tools: HelpdeskTools
    clock: SteppingClock

    def step(self, by: timedelta) -> datetime:
        """Let time pass for our side, and for a product that goes by our clock."""
        return self.clock.step(by)


class Ability(StrEnum):
    """What a product may do without. Whatever it is, the contract then holds it to say so."""

    FIND = "find"
    RECORDS = "records"
    DEEDS = "deeds"
    KEYS = "keys"
    MERGE = "merge"
    CUSTOMERS = "customers"
    DELETE = "delete"
    HTTP = "http"


class Bench(Protocol):
    """One helpdesk that runs, and what people do there. Inherit from it, and say only what differs.

    `options` stand below `helpdesk:` of the configuration. `lacks` names what the product cannot do, each with the reason in words;
    `KEYS` is to know an `Order.key` again, `DEEDS` to tell of a person's notes, assignments and closing besides the answers. `counts` says as what a priority is read back where the product knows fewer than four.
    """

    options: dict[str, Any]
    lacks: ClassVar[Mapping[Ability, str]] = MappingProxyType({})
    counts: ClassVar[Mapping[Priority, Priority]] = MappingProxyType({})

    def close(self) -> None:
        """End whatever this bench started; what the keeper keeps stays."""

    def human_closes(self, ticket: str) -> None: ...

    def human_answers(self, ticket: str, words: str) -> None: ...

    def human_notes(self, ticket: str, words: str) -> None: ...

    def human_assigns(self, ticket: str, person: str) -> None: ...

    def human_deletes(self, ticket: str) -> None: ...

    def human_merges(self, ticket: str, into: str) -> None: ...

    def customer_opens(self, subject: str, department: str) -> str:
        """Open somebody else's ticket in our department of this id; return the product's id of it."""
        raise NotImplementedError

    def customer_writes(self, ticket: str, words: str) -> None: ...

    def ages(self, ticket: str, by: timedelta) -> None:
        """Let its creation lie further back."""

    def messages(self, ticket: str) -> list[tuple[str, bool, str]]:
        """Return author, internal and body of everything written on a ticket, oldest first."""
        raise NotImplementedError

    def lose(self, what: str) -> None:
        """Take `reference_field`, `queue`, `priority`, `status` or `credentials` away from the product, until `close`.

        NotImplementedError says that the product has no such thing to lose.
        """
        raise NotImplementedError(what)

    def writes(self, method: str, path: str, body: bytes) -> bool:
        """Does this request, as our side sends it, change something at the product?"""
        del path, body
        return method != "GET"


def _desk(ground: Ground) -> Bench:
    from tests.servers.desk_bench import DeskBench  # noqa: PLC0415 - who asks for one bench needs not every product

    return DeskBench(ground)


def _django_helpdesk(ground: Ground) -> Bench:
    from tests.servers.django_helpdesk import DjangoHelpdeskBench  # noqa: PLC0415

    return DjangoHelpdeskBench(ground)


def _redmine(ground: Ground) -> Bench:
    from tests.servers.redmine import RedmineBench  # noqa: PLC0415

    return RedmineBench(ground)


def _rt(ground: Ground) -> Bench:
    from tests.servers.request_tracker import RtBench  # noqa: PLC0415

    return RtBench(ground)


def _webhook(ground: Ground) -> Bench:
    from tests.servers.webhook import WebhookBench  # noqa: PLC0415

    return WebhookBench(ground)


def _whmcs(ground: Ground) -> Bench:
    from tests.servers.whmcs import WhmcsBench  # noqa: PLC0415

    return WhmcsBench(ground)


def _zammad(ground: Ground) -> Bench:
    from tests.servers.zammad import ZammadBench  # noqa: PLC0415

    return ZammadBench(ground)


def _zendesk(ground: Ground) -> Bench:
    from tests.servers.zendesk import ZendeskBench  # noqa: PLC0415

    return ZendeskBench(ground)


def _email(ground: Ground) -> Bench:
    from tests.servers.email_bench import EmailBench  # noqa: PLC0415

    return EmailBench(ground, acknowledging=True)


BENCHES: Mapping[str, Callable[[Ground], Bench]] = {
    "desk": _desk,
    "djangohelpdesk": _django_helpdesk,
    "email": _email,
    "redmine": _redmine,
    "rt": _rt,
    "webhook": _webhook,
    "whmcs": _whmcs,
    "zammad": _zammad,
    "zendesk": _zendesk,
}

# The programs that a bench cannot do without, as in tools/system-packages: without them its tests are skipped by these names.
NEEDS: Mapping[str, tuple[str, ...]] = {
    "djangohelpdesk": (str(Path(__file__).parents[1] / ".system/django-helpdesk/.installed"),),
    "email": ("dovecot",),
    "redmine": ("/usr/share/redmine/config.ru", "/var/lib/redmine/Gemfile.lock"),
    "rt": ("/usr/share/request-tracker5/libexec/rt-server", "rt-setup-database-5", "sqlite3"),
}
