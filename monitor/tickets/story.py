"""The story of one incident, as tickets tell it, and its place in the table of classes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from monitor.fleet import Fleet
from monitor.identifiers import CheckKey
from monitor.incidents.incident import Audience, CheckEvidence, Impact, Incident, Origin
from monitor.incidents.problem import Problem, problem_of
from monitor.journal.entries import (
    Entry,
    IncidentOpened,
    IncidentReopened,
    IncidentResolved,
    IncidentRetracted,
    IncidentUpdated,
)
from monitor.tickets.classes import SHIPPED, Grade
from monitor.tickets.priorities import Priority


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One incident as it stands, with the entries that led there, oldest first, told in one language.

    `department` is the id that the helpdesk was configured with; a class may have another. `public` tells that what follows the creation
    is for whoever may read the ticket, and not for the department alone. `replaces` is the ticket that got lost, if this
    one is made in its place. `mass` are all incidents that the ticket tells of, this one among them; none if it tells of this one alone.
    `drill` is how urgent a drill is.
    """

    incident: Incident
    entries: tuple[Entry, ...]
    fleet: Fleet
    reference: str
    department: str
    language: str
    replaces: str = ""
    public: bool = False
    classes: Mapping[Problem, Grade] = field(default_factory=lambda: SHIPPED)
    mass: tuple[Incident, ...] = ()
    drill: Priority = Priority.LOW

    @property
    def told(self) -> tuple[Incident, ...]:
        """Every incident that the ticket tells of."""
        return self.mass or (self.incident,)


def problem(story: Story, entry: Entry | None = None) -> Problem:
    """Return what kind of problem it was with this entry; what it is now without one."""
    entries = story.entries
    if entry in entries:
        entries = entries[: entries.index(entry) + 1]
    if entry is None:
        impact = max((each.impact for each in story.told), key=lambda impact: impact.severity)
        servers = sum(len(each.servers) for each in story.told)
    else:
        impact, servers = impact_at(story, entry), len(story.incident.servers)
    return problem_of(impact, servers, evidence_so_far(entries), story.fleet)


def impact_at(story: Story, entry: Entry) -> Impact:
    """Return how bad it was with this entry."""
    if isinstance(entry.body, IncidentOpened):
        return entry.body.incident.impact
    if isinstance(entry.body, IncidentUpdated | IncidentReopened):
        return entry.body.impact
    return story.incident.impact


def priority(story: Story, entry: Entry | None = None) -> Priority:
    """Return how urgent it was with this entry; how urgent it is now without one. Of a drill the configuration says so."""
    if story.incident.drill:
        return story.drill
    return story.classes[problem(story, entry)].priority


def department(story: Story) -> str:
    """Return our id of the department that it goes to."""
    if story.incident.drill:
        return story.department
    return story.classes[problem(story)].department or story.department


def is_open(story: Story) -> bool:
    """Is anything that the ticket tells of not over yet?"""
    return any(each.open for each in story.told)


def is_recovered(story: Story, incident: Incident) -> bool:
    """Did our own looks find it well again before it ended? That a person ended it says nothing of the kind."""
    ends = (
        entry.body
        for entry in reversed(story.entries)
        if entry.subject == incident.id and isinstance(entry.body, IncidentResolved | IncidentRetracted)
    )
    end = next(ends, None)
    return not incident.open and isinstance(end, IncidentResolved) and end.recovered


def is_for_staff(story: Story) -> bool:
    """Is it a matter that customers do not read of?"""
    return story.incident.audience is Audience.OPERATORS


def opens_ticket(story: Story) -> bool:
    """Does the table have a ticket opened for it? What customers notice always has one, and what a person asked one for."""
    if not is_for_staff(story) or story.incident.origin is Origin.OPERATOR:
        return True
    return story.classes[problem(story)].ticket


def evidence_so_far(entries: Iterable[Entry]) -> tuple[CheckEvidence, ...]:
    """Return the newest evidence of every check that ever failed in these entries, in the order in which they joined."""
    newest: dict[CheckKey, CheckEvidence] = {}
    for entry in entries:
        if isinstance(entry.body, IncidentOpened | IncidentUpdated | IncidentReopened):
            newest |= {evidence.check: evidence for evidence in entry.body.evidence}
    return tuple(newest.values())
