"""Where two ways of judging the same past differ."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from monitor.identifiers import CheckKey, IncidentId, ServerId
from monitor.incidents.incident import Audience, Impact, Incident, Stage
from monitor.rehearsal.alarms import Alarm
from monitor.rehearsal.comparing import Difference, What, differences
from tests.health.looks import START

UNTIL = START + timedelta(hours=10)
SPANS = st.lists(st.tuples(st.integers(0, 300), st.integers(1, 60) | st.none()), max_size=6)


def alarm(
    begins: int,
    lasts: int | None,
    server: str = "gye1",
    check: str = "http",
    audience: Audience = Audience.PUBLIC,
) -> Alarm:
    """Return an incident from one minute on, that lasted so many or is still open."""
    started = START + timedelta(minutes=begins)
    incident = Incident(
        id=IncidentId("I"),
        title={},
        stage=Stage.INVESTIGATING,
        impact=Impact.MAJOR,
        servers=(ServerId(server),),
        checks=(CheckKey(ServerId(server), check),),
        started_at=started,
        opened_at=started,
        ended_at=None if lasts is None else started + timedelta(minutes=lasts),
        audience=audience,
    )
    return Alarm(incident=incident, worst=Impact.MAJOR)


def found(in_force: list[Alarm], proposed: list[Alarm]) -> list[Difference]:
    return list(differences(in_force, proposed, UNTIL))


def test_what_only_one_side_tells_is_raised_or_avoided():
    one, other = alarm(0, 5), alarm(60, 5)
    assert [(each.what, each.alarms) for each in found([one], [other])] == [
        (What.AVOIDED, (one,)),
        (What.RAISED, (other,)),
    ]


def test_what_overlaps_is_one_trouble_told_otherwise():
    short, shorter, long = alarm(0, 5), alarm(8, 2), alarm(0, 20)
    (difference,) = found([short, shorter], [long])
    assert (difference.what, difference.in_force, difference.proposed) == (
        What.CHANGED,
        (short, shorter),
        (long,),
    )


def test_one_that_is_open_touches_all_that_follow():
    (difference,) = found([alarm(0, None)], [alarm(200, 5)])
    assert difference.what is What.CHANGED


def test_servers_and_warnings_of_their_checks_are_matters_of_their_own():
    public = alarm(0, 5)
    others = [
        alarm(0, 5, server="uio1"),
        alarm(0, 5, audience=Audience.OPERATORS),
        alarm(0, 5, check="disk", audience=Audience.OPERATORS),
    ]
    assert [each.what for each in found([public], others)] == [What.AVOIDED, *[What.RAISED] * 3]


@given(spans=SPANS, others=SPANS)
def test_every_alarm_is_told_once_or_is_the_same_on_both_sides(spans, others):
    one = [alarm(*span) for span in sorted(set(spans), key=str)]
    other = [alarm(*span) for span in sorted(set(others), key=str)]
    told = found(one, other)
    assert found(one, one) == []
    for side, alarms in (("in_force", one), ("proposed", other)):
        shown = [each for difference in told for each in getattr(difference, side)]
        assert all(shown.count(each) <= alarms.count(each) for each in shown)
        left = [each for each in alarms if each not in shown]
        assert all(each in one and each in other for each in left)
