"""What every helpdesk can do for us, and how it says that something went wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from monitor.errors import VigiaError
from monitor.identifiers import IncidentId
from monitor.incidents.problem import Problem
from monitor.language.phrases import Phrase
from monitor.tickets.classes import ProblemClass, require_order
from monitor.tickets.priorities import Priority as Priority  # noqa: PLC0414 - part of the port

if TYPE_CHECKING:
    # It is made of what stands here.
    from monitor.tickets.letterbook import LetterBook


class TicketStatus(StrEnum):
    """The life of a ticket as seen from here."""

    OPEN = "open"
    ANSWERED = "answered"
    CLOSED = "closed"


class Action(StrEnum):
    """What may be asked of a helpdesk about the ticket of one incident."""

    CREATE = "create"
    COMMENT = "comment"
    PRIORITY = "priority"
    RESOLVE = "resolve"
    REOPEN = "reopen"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One action on one ticket, with all that a helpdesk needs.

    `reference` is our own name of the ticket (`VG-<install8>-<ULID>`): letters, digits and `-`; it is empty for a ticket that
    we did not open, of which only the priority is ever raised. `ticket` is the helpdesk's id, empty for `create`. `key` is
    `<reference>-<action>-<seq>`, the same for every attempt. `department` is the id that we know it by. What is `internal` is for
    the department alone.
    """

    action: Action
    reference: str
    key: str
    ticket: str
    subject: str
    body: str
    priority: Priority
    department: str
    language: str
    internal: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What the helpdesk answered: its id of the ticket and where people read it."""

    ticket: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A ticket of ours as the helpdesk holds it; to one that is `frozen` nothing can be written any more, so that it is closed for good."""

    ticket: str
    reference: str
    url: str
    status: TicketStatus
    priority: Priority
    answered_at: datetime | None = None
    frozen: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A ticket of anybody in the departments that we follow, as the helpdesk keeps it.

    `department` is our id of it. `answered_at` is the first word to the requester by a person who is neither the requester nor
    we; `reference` is empty for what we did not open. Moments are in UTC, whatever zone the helpdesk writes.
    """

    ticket: str
    url: str
    department: str
    subject: str
    requester: str
    priority: Priority
    status: TicketStatus
    opened_at: datetime
    answered_at: datetime | None
    closed_at: datetime | None
    reference: str = ""


class Deed(StrEnum):
    """What a person may have done on a ticket at the helpdesk."""

    ANSWER = "answer"
    NOTE = "note"
    ASSIGNED = "assigned"
    PRIORITY = "priority"
    CLOSED = "closed"
    REOPENED = "reopened"
    MERGED = "merged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """One thing that a person did or wrote on a ticket; what we did ourselves is none.

    `key` is the helpdesk's own name of it, the same whenever it is read. `body` is what was written, plain text of at most
    `WORD_LIMIT` characters; for an assignment the person, for a merge the ticket that is kept, for a priority ours.
    """

    key: str
    deed: Deed
    author: str
    at: datetime
    body: str = ""


WORD_LIMIT = 4000


class Fate(StrEnum):
    """How sure we are of what became of an action that did not succeed.

    `not_sent` and `forbidden` surely changed nothing; `uncertain` may have; `missing` means that the ticket which
    the order names is gone; `conflict` that the helpdesk holds something else under our key.
    """

    NOT_SENT = "not_sent"
    UNCERTAIN = "uncertain"
    REFUSED = "refused"
    FORBIDDEN = "forbidden"
    CONFLICT = "conflict"
    MISSING = "missing"


class DeliveryError(VigiaError):
    """An action was not confirmed; `retry_after` is what the other side asked for, if it did.

    `remedy` is the catalogues' key of the sentence that tells what to do about `detail`, where the fate alone would tell it wrong.
    """

    def __init__(
        self, fate: Fate, detail: str, *, retry_after: timedelta | None = None, remedy: str = ""
    ) -> None:
        super().__init__(detail)
        self.fate = fate
        self.detail = detail
        self.retry_after = retry_after
        self.remedy = remedy

    @property
    def told(self) -> Phrase:
        """What operators read of it, with what to do about it."""
        usual = "helpdesk.forbidden" if self.fate is Fate.FORBIDDEN else "helpdesk.away"
        return Phrase(self.remedy or usual, {"detail": self.detail})


class Records(Protocol):
    """What a helpdesk lets us read of its tickets. Calls block as those of Helpdesk do, and raise the same error."""

    def cases(self, since: datetime) -> tuple[Case, ...]:
        """Return every ticket of the followed departments that was opened or changed at `since` or later, in any order."""

    def words(self, ticket: str) -> tuple[Word, ...]:
        """Return what people did on one ticket, oldest first; one that is gone raises DeliveryError with `missing`."""


class Helpdesk(Protocol):
    """One helpdesk product. Calls block; a total deadline of 30 s holds for each exchange."""

    @property
    def name(self) -> str:
        """The kind, as in the configuration."""

    @property
    def search_lag(self) -> timedelta | None:
        """How long after its creation a ticket may still be missing in `find`; None if nothing can be looked up there."""

    @property
    def records(self) -> Records | None:
        """How its tickets are read; None if they cannot be."""

    def inspect(self) -> tuple[Phrase, ...]:
        """Return everything about it that would keep a ticket from being opened and found again, each with its remedy.

        Reads only: credentials, the department's queue, the field for the reference, every priority and status that we would
        use. Raises DeliveryError if it cannot be asked.
        """

    def perform(self, order: Order) -> Receipt:
        """Carry out one action, or raise DeliveryError with its fate."""

    def find(self, reference: str) -> tuple[Found, ...]:
        """Return every ticket that carries exactly this reference, lowest id first, or raise DeliveryError.

        Nothing is found where nothing can be looked up. One that people merged into another is not found under its own id.
        """


def reference_of(installation: str, incident: IncidentId) -> str:
    """Return our name for the ticket of an incident: it tells installations apart that share a helpdesk."""
    return f"VG-{installation}-{incident}"


class HelpdeskOptions(BaseModel):
    """The keys that every helpdesk takes; each product adds its own.

    `priorities` tells how the product counts what we call low, normal, high and urgent; a word that is left out is
    sent as the product's own default for it. `departments` tells how it calls each of our departments, where that is not the name that its
    kind was configured with. `follow_ups` says whether what follows the creation is for the department alone, so that it never counts as an
    answer, or for whoever opened the ticket. `reopen_closed` says whether a ticket that a person closed while the fault goes on is opened
    again, or only told of it. `classes` changes the table of classes (`monitor.tickets.classes`). `fallback` holds Apprise URLs.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    department: str = "soporte"
    language: Literal["es", "en"] = "es"
    follow_ups: Literal["internal", "public"] = "internal"
    reopen_closed: bool = False
    priorities: Mapping[Priority, str | int] = Field(default_factory=dict)
    departments: Mapping[str, str | int] = Field(default_factory=dict)
    classes: Annotated[dict[Problem, ProblemClass], AfterValidator(require_order)] = Field(default={})
    fallback: tuple[SecretStr, ...] = ()

    def cautions(self) -> tuple[Phrase, ...]:
        """Return what may go wrong at some helpdesks as this one is configured, each with its remedy; it keeps no ticket from being opened."""
        return ()

    def doubts(self) -> tuple[Phrase, ...]:
        """Return what of the options no helpdesk of this kind tells to who only reads: a self-test that writes nothing does not pass with it."""
        return ()


class DeskBook(Protocol):
    """Where the built-in desk keeps its tickets; every call is one transaction of its own."""

    def open(self, order: Order, at: datetime) -> Receipt:
        """Record a new ticket, or return the one that already carries this reference."""

    def act(self, order: Order, at: datetime) -> Receipt:
        """Record a comment, a priority, a resolution or a reopening once per `order.key`."""

    def find(self, reference: str) -> tuple[Found, ...]:
        """Return the ticket that is kept under this reference, if there is one."""

    def cases(self, since: datetime) -> tuple[Case, ...]:
        """Return every ticket that was opened or changed at `since` or later."""

    def words(self, ticket: str) -> tuple[Word, ...]:
        """Return what people of the departments did on one ticket, oldest first; NotFoundError for one that never was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HelpdeskTools:
    """What the station lends to a helpdesk when it is built."""

    book: DeskBook
    letters: LetterBook
    now: Callable[[], datetime]
    page: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HelpdeskKind:
    """A helpdesk product as the registry holds it."""

    name: str
    options: type[HelpdeskOptions]
    build: Callable[[Any, HelpdeskTools], Helpdesk]
