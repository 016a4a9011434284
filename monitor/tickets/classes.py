"""The table of classes: to whom a problem goes, how urgent it is, and whether it opens a ticket when customers notice nothing.

By kind of problem, never by product. Server faults and security come first: no class may rank above either.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from monitor.incidents.problem import Problem
from monitor.language import Language, text
from monitor.language.refusals import RefusalError
from monitor.tickets.priorities import Priority

FIRST = (Problem.SERVER, Problem.SECURITY)
"""The classes above which none may rank."""


class ProblemClass(BaseModel):
    """What the configuration says of one class; what it leaves out stays as it was shipped.

    What customers notice always opens a ticket, whatever `ticket` says.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    department: str | None = Field(
        default=None, min_length=1, description="The department that treats it; the helpdesk's if left out."
    )
    priority: Priority | None = Field(
        default=None, description="How urgent it is: low, normal, high or urgent."
    )
    urgency: dict[Literal["es", "en"], Annotated[str, Field(min_length=1)]] = Field(
        default={}, description="The first words of the ticket, one text a language."
    )
    ticket: bool | None = Field(
        default=None, description="Whether it opens a ticket although customers do not notice it."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Grade:
    """One row of the table. `department` is None for the helpdesk's own, `urgency` empty for the shipped words."""

    priority: Priority
    ticket: bool
    department: str | None = None
    urgency: Mapping[Language, str] = field(default_factory=dict)


SHIPPED: Mapping[Problem, Grade] = {
    Problem.SERVER: Grade(priority=Priority.URGENT, ticket=True),
    Problem.SECURITY: Grade(priority=Priority.URGENT, ticket=True),
    Problem.MAIL: Grade(priority=Priority.URGENT, ticket=False),
    Problem.DEGRADED: Grade(priority=Priority.HIGH, ticket=False),
    Problem.EXPIRY: Grade(priority=Priority.NORMAL, ticket=True),
    Problem.CAPACITY: Grade(priority=Priority.NORMAL, ticket=True),
}


def graded(classes: Mapping[Problem, ProblemClass]) -> Mapping[Problem, Grade]:
    """Return the whole table: what was shipped, and over it what the configuration says."""
    return {problem: _over(grade, classes.get(problem)) for problem, grade in SHIPPED.items()}


def require_order(classes: Mapping[Problem, ProblemClass]) -> Mapping[Problem, ProblemClass]:
    """Return the classes as they are; RefusalError if one ranks above server faults or security."""
    table = graded(classes)
    for problem, grade in table.items():
        for first in FIRST:
            if problem not in FIRST and grade.priority.rank > table[first].priority.rank:
                raise RefusalError(
                    "configuration.helpdesk.class_order",
                    above=problem,
                    higher=grade.priority,
                    first=first,
                    lower=table[first].priority,
                )
    return classes


def urgency(problem: Problem, grade: Grade, language: Language) -> str:
    """Return the words at the head of a ticket of this class."""
    return grade.urgency.get(language) or text(f"ticket.urgency.{problem}", language)


def _over(shipped: Grade, configured: ProblemClass | None) -> Grade:
    if configured is None:
        return shipped
    return replace(
        shipped,
        department=configured.department,
        urgency=dict[str, str](configured.urgency.items()),
        priority=configured.priority or shipped.priority,
        ticket=shipped.ticket if configured.ticket is None else configured.ticket,
    )
