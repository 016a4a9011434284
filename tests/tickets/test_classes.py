"""To whom a problem goes and how urgent it is: by its kind, never by the product."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest
from pydantic import ValidationError

from monitor.fleet import Fleet
from monitor.health.words import Service
from monitor.incidents.incident import Audience, CheckEvidence, Impact, Incident, Origin, Stage
from monitor.incidents.problem import Problem, problem_of
from monitor.journal.entries import Reason
from monitor.observation import Cause, Outcome
from monitor.tickets import orders, wording
from monitor.tickets.classes import FIRST, SHIPPED, ProblemClass, graded, require_order
from monitor.tickets.orders import Present
from monitor.tickets.port import Action, HelpdeskOptions
from monitor.tickets.priorities import Priority
from monitor.tickets.story import Story
from tests.tickets import builders

LATER = builders.START + timedelta(minutes=10)


def fleet() -> Fleet:
    """A server whose check smtp is about mail."""
    base = builders.fleet()
    servers = tuple(
        replace(server, checks=tuple(_placed(plan) for plan in server.checks)) for server in base.servers
    )
    return replace(base, servers=servers)


def _placed(plan):
    return replace(plan, service=Service.MAIL if plan.kind == "smtp" else Service.WEB)


WEB = builders.evidence("http")
MAIL = builders.evidence("smtp")
HOST_KEY = builders.evidence("http", cause=Cause.HOST_KEY, kind="ssh")
LISTED = builders.evidence("smtp", cause=Cause.LISTED, kind="blocklist", outcome=Outcome.WARN)
ENDING = builders.evidence("http", cause=Cause.CERTIFICATE_ENDING, kind="tls", outcome=Outcome.WARN)
EXPIRED = builders.evidence("http", cause=Cause.CERTIFICATE_EXPIRED, kind="tls")
FULL = builders.evidence("http", cause=Cause.CAPACITY, kind="host", outcome=Outcome.WARN)


@pytest.mark.parametrize(
    ("impact", "servers", "found", "problem"),
    [
        (Impact.CRITICAL, 1, [WEB], Problem.SERVER),
        (Impact.MAJOR, 1, [WEB], Problem.SERVER),
        (Impact.MINOR, 1, [WEB], Problem.DEGRADED),
        (Impact.MINOR, 1, [MAIL], Problem.DEGRADED),
        (Impact.MAJOR, 1, [MAIL], Problem.MAIL),
        (Impact.CRITICAL, 1, [MAIL], Problem.SERVER),
        (Impact.MAJOR, 1, [MAIL, WEB], Problem.SERVER),
        (Impact.MAJOR, 2, [MAIL], Problem.SERVER),
        (Impact.MINOR, 7, [WEB], Problem.DEGRADED),
        (Impact.CRITICAL, 1, [HOST_KEY], Problem.SECURITY),
        (Impact.MINOR, 1, [HOST_KEY, WEB], Problem.SECURITY),
        (Impact.CRITICAL, 1, [HOST_KEY, WEB], Problem.SERVER),
        (Impact.CRITICAL, 40, [HOST_KEY], Problem.SERVER),
        (Impact.CRITICAL, 1, [EXPIRED], Problem.SERVER),
        (Impact.NONE, 1, [EXPIRED], Problem.EXPIRY),
        (Impact.NONE, 1, [ENDING], Problem.EXPIRY),
        (Impact.NONE, 1, [LISTED], Problem.SECURITY),
        (Impact.NONE, 1, [FULL], Problem.CAPACITY),
        (Impact.NONE, 1, [builders.evidence("http", cause=Cause.STATUS, kind="nagios")], Problem.CAPACITY),
        (Impact.NONE, 1, [MAIL], Problem.MAIL),
        (Impact.NONE, 1, [WEB], Problem.DEGRADED),
        (Impact.CRITICAL, 1, [], Problem.SERVER),
        (Impact.MINOR, 1, [], Problem.DEGRADED),
    ],
)
def test_the_kind_of_a_problem_follows_from_what_was_found(
    impact: Impact, servers: int, found: list[CheckEvidence], problem: Problem
) -> None:
    assert problem_of(impact, servers, found, fleet()) is problem


def test_what_was_found_on_a_server_that_is_gone_has_a_kind_all_the_same() -> None:
    gone = builders.evidence("smtp", server=builders.ServerId("retired"))
    assert problem_of(Impact.NONE, 1, [gone], fleet()) is Problem.DEGRADED


def test_nothing_ranks_above_server_faults_and_security_however_it_is_configured() -> None:
    """Every pair of priorities that a file can give a class and one of the first two."""
    others = [problem for problem in Problem if problem not in FIRST]
    refused = 0
    for first, other, high, low in product(FIRST, others, Priority, Priority):
        classes = {other: ProblemClass(priority=high), first: ProblemClass(priority=low)}
        table = graded(classes)
        wrong = any(table[each].priority.rank > table[top].priority.rank for each in others for top in FIRST)
        if wrong:
            refused += 1
            with pytest.raises(ValueError, match="server faults and security come first"):
                require_order(classes)
        else:
            assert require_order(classes) is classes
    assert refused


def test_the_shipped_table_keeps_the_policy() -> None:
    assert require_order({}) == {}
    assert [SHIPPED[first].priority for first in FIRST] == [Priority.URGENT, Priority.URGENT]
    assert [problem for problem, grade in SHIPPED.items() if grade.ticket] == [
        Problem.SERVER,
        Problem.SECURITY,
        Problem.EXPIRY,
        Problem.CAPACITY,
    ]


def test_the_configuration_changes_a_row_and_leaves_the_rest() -> None:
    options = HelpdeskOptions.model_validate(
        {"classes": {"expiry": {"priority": "high", "department": "comercial", "urgency": {"es": "¡Ya!"}}}}
    )
    table = graded(options.classes)
    assert (table[Problem.EXPIRY].priority, table[Problem.EXPIRY].department) == (Priority.HIGH, "comercial")
    assert table[Problem.EXPIRY].ticket
    assert {problem: grade for problem, grade in table.items() if problem is not Problem.EXPIRY} == {
        problem: grade for problem, grade in SHIPPED.items() if problem is not Problem.EXPIRY
    }


@pytest.mark.parametrize(
    "classes",
    [
        {"servers": {}},
        {"expiry": {"priority": "asap"}},
        {"expiry": {"urgency": {"fr": "Vite"}}},
        {"expiry": {"urgency": {"es": ""}}},
        {"expiry": {"urgent": True}},
        {"server": {"priority": "high"}},
    ],
)
def test_a_table_that_cannot_be_is_refused(classes: object) -> None:
    with pytest.raises(ValidationError):
        HelpdeskOptions.model_validate({"classes": classes})


def story(whole: Incident, *found: CheckEvidence, **classes: ProblemClass) -> Story:
    return Story(
        incident=whole,
        entries=(builders.opened(whole, *found),),
        fleet=fleet(),
        reference="VG-TESTHAUS-X",
        department="soporte",
        language="es",
        classes=graded({Problem(name): one for name, one in classes.items()}),
    )


def staff(**changes: object) -> Incident:
    words = builders.incident().updates[0]
    return builders.incident(
        audience=Audience.OPERATORS,
        impact=Impact.NONE,
        updates=(replace(words, text={"es": "Vence pronto."}),),
        **changes,
    )


def test_the_head_of_a_ticket_says_how_urgent_it_is() -> None:
    body = wording.creation(story(builders.incident(), WEB))
    assert body.startswith("AVERÍA DE SERVIDOR: va antes que todo lo demás.\n\n")
    own = ProblemClass(urgency={"es": "Llame al de guardia."})
    assert wording.creation(story(builders.incident(), WEB, server=own)).startswith(
        "Llame al de guardia.\n\n"
    )


def test_a_class_with_a_department_of_its_own_gets_the_ticket_there_and_keeps_it() -> None:
    told = story(builders.incident(), HOST_KEY, security=ProblemClass(department="seguridad"))
    made = orders.order_of(Action.CREATE, 1, told, told.entries[0], None)
    assert made is not None
    assert made.department == "seguridad"
    worse = builders.updated(told.incident, Reason.JOINED, LATER, MAIL)
    grown = replace(told, entries=(*told.entries, worse))
    present = Present(ticket="7", priority=Priority.URGENT, department="seguridad")
    said = orders.order_of(Action.COMMENT, 2, grown, worse, present)
    assert said is not None
    assert said.department == "seguridad"


def test_a_matter_of_the_staff_has_a_ticket_if_the_table_says_so() -> None:
    told = story(staff(), ENDING)
    made = orders.order_of(Action.CREATE, 1, told, told.entries[0], None)
    assert made is not None
    assert made.priority is Priority.NORMAL
    assert made.body.startswith(
        "VENCIMIENTO: nadie lo nota todavía; renuévelo antes de su fecha.\n\nVence pronto."
    )
    # What customers do not read of has no page to link to.
    assert "/incidents/" not in made.body
    assert "Publicado" not in made.body
    spared = story(staff(), ENDING, expiry=ProblemClass(ticket=False))
    assert orders.order_of(Action.CREATE, 1, spared, spared.entries[0], None) is None
    end = builders.resolved(spared.incident, LATER)
    assert orders.order_of(Action.RESOLVE, 2, spared, end, None) is None


def test_what_customers_notice_has_a_ticket_whatever_the_table_says() -> None:
    told = story(builders.incident(impact=Impact.MINOR), WEB, degraded=ProblemClass(ticket=False))
    made = orders.order_of(Action.CREATE, 1, told, told.entries[0], None)
    assert made is not None
    assert made.priority is Priority.HIGH
    with pytest.raises(ValueError, match="no ticket yet"):
        orders.order_of(Action.RESOLVE, 2, told, builders.resolved(told.incident, LATER), None)


def test_a_matter_of_the_staff_that_is_settled_says_so() -> None:
    over = staff(stage=Stage.RESOLVED, ended_at=LATER, resolved_at=LATER)
    told = story(over, ENDING)
    made = orders.order_of(Action.CREATE, 1, told, told.entries[0], None)
    assert made is not None
    assert "Está resuelto desde el 22 de noviembre de 2026, 10:10" in made.body
    closed = wording.resolution(told, builders.resolved(over, LATER, ended_at=LATER))
    assert closed == (
        "Novedad 600. Empezó el 22 de noviembre de 2026, 10:00, hora de Ecuador, y duró 10 minutos."
    )


@pytest.mark.parametrize(
    ("before", "impact", "found", "after"),
    [
        (Priority.HIGH, Impact.MAJOR, WEB, Priority.URGENT),
        (Priority.HIGH, Impact.MINOR, HOST_KEY, Priority.URGENT),
        (Priority.URGENT, Impact.MINOR, WEB, None),
        (Priority.HIGH, Impact.MINOR, WEB, None),
    ],
)
def test_what_grows_worse_raises_its_ticket_and_nothing_lowers_it(
    before: Priority, impact: Impact, found: CheckEvidence, after: Priority | None
) -> None:
    told = story(builders.incident(impact=Impact.MINOR), WEB)
    entry = builders.updated(told.incident, Reason.JOINED, LATER, found, impact=impact)
    grown = replace(told, entries=(*told.entries, entry))
    order = orders.order_of(Action.PRIORITY, 2, grown, entry, Present(ticket="7", priority=before))
    assert (None if order is None else order.priority) == after


def test_a_ticket_that_a_person_asked_for_is_opened() -> None:
    told = story(staff(origin=Origin.OPERATOR), WEB, degraded=ProblemClass(ticket=False))
    assert orders.order_of(Action.CREATE, 1, told, told.entries[0], None) is not None
