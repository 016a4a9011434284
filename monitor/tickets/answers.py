"""What a helpdesk answers, taken in by its shape: whatever does not fit leaves the fate uncertain."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from monitor.tickets.client import Reply, UnreadableError
from monitor.tickets.port import WORD_LIMIT, Order


class Shape(BaseModel):
    """A part of an answer; what a product adds beside it is left alone."""

    model_config = ConfigDict(extra="ignore", frozen=True)


ShapeT = TypeVar("ShapeT", bound=Shape)


def read(shape: type[ShapeT], reply: Reply) -> ShapeT:
    """Return the body of an answer as this shape, or raise DeliveryError with `uncertain`."""
    try:
        return shape.model_validate_json(reply.body)
    except ValidationError as error:
        raise UnreadableError from error


def _in_utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


# A moment in UTC, whatever offset it was written with; one without any is taken for UTC.
Moment = Annotated[datetime, AfterValidator(_in_utc)]


def shortened(words: str) -> str:
    """Return what somebody wrote as a `Word` may hold it."""
    plain = words.strip()
    return plain if len(plain) <= WORD_LIMIT else plain[: WORD_LIMIT - 1] + "…"


def short_subject(subject: str, limit: int) -> str:
    """Return a subject that a product takes; our reference stands at its beginning and is never lost."""
    return subject if len(subject) <= limit else subject[: limit - 1] + "…"


def is_number(ticket: str) -> bool:
    """May this be a ticket of a product that counts its tickets? Anything else is none, and belongs in no address."""
    return ticket.isascii() and ticket.isdigit() and len(ticket) <= 9


def body_of(order: Order) -> str:
    """Return what opens a ticket; the reference stands in it, too, for people who search."""
    return order.body if order.reference in order.body else f"{order.body}\n\n{order.reference}"


def same_words(one: str | None, other: str | None) -> bool:
    """Do both say the same, whatever spaces and line ends a product puts between the words?"""
    return (one or "").split() == (other or "").split()


def said_before(ours: Sequence[str | None], body: str) -> bool:
    """Are the last of our own words on a ticket, given oldest first, those of this body?

    For where no key of an action is kept: one whose answer was lost comes again before anything else is said. The same words after
    others are news.
    """
    return bool(ours) and same_words(ours[-1], body)
