"""A helpdesk that lacks something is told to operators once, until it is mended."""

from __future__ import annotations

from datetime import timedelta

import pytest

from monitor.actions.append import append
from monitor.actions.fitness import Inspector
from monitor.incidents.incident import Audience, Trouble
from monitor.store import readings
from monitor.tickets.port import DeliveryError, Helpdesk
from tests.actions.conftest import House, webhook

HOUR, MINUTES = timedelta(hours=1), timedelta(minutes=5)


def inspector(house: House, told: list[bool], helpdesk: Helpdesk | None = None) -> Inspector:
    return Inspector(
        house.database,
        helpdesk or webhook(house.helpdesk, house.clock),
        lambda tx, entries: append(tx, entries, house.clock.now()),
        told.append,
    )


def incidents(house: House) -> list[tuple[Trouble | None, bool]]:
    with house.database.reading() as tx:
        found = readings.incidents_between(tx, house.clock.now() - 24 * HOUR, house.clock.now() + HOUR)
    assert {one.audience for one in found} <= {Audience.OPERATORS}
    return [(one.trouble, one.open) for one in found]


def test_what_is_lacking_is_one_incident_for_operators_until_it_is_mended(house: House) -> None:
    told: list[bool] = []
    clerk = inspector(house, told)
    house.helpdesk.knows_us = False
    assert clerk.inspect(house.clock.now())
    house.steps()
    assert not clerk.inspect(house.clock.step(MINUTES))
    assert incidents(house) == [(Trouble.HELPDESK, True)]
    # Another process finds it told.
    assert not inspector(house, told).inspect(house.clock.step(MINUTES))
    house.helpdesk.knows_us = True
    assert clerk.inspect(house.clock.step(MINUTES))
    assert incidents(house) == [(Trouble.HELPDESK, False)]
    assert told == [False, False, False, True]
    house.steps()
    assert [message.body.count("401") for message in house.operators.heard] == [1, 0]
    assert house.helpdesk.tickets == []


def test_a_fit_helpdesk_is_asked_once_an_hour(house: House) -> None:
    told: list[bool] = []
    clerk = inspector(house, told)
    for _ in range(24):
        assert not clerk.inspect(house.clock.step(MINUTES))
    assert told == [True, True]
    assert incidents(house) == []


def test_of_one_that_is_away_nothing_is_known(house: House) -> None:
    told: list[bool] = []
    clerk = inspector(house, told)
    house.helpdesk.get_modes.extend(["503", "500"])
    for _ in range(2):
        with pytest.raises(DeliveryError):
            clerk.inspect(house.clock.step(MINUTES))
    assert (told, incidents(house)) == ([], [])
    assert not clerk.inspect(house.clock.step(MINUTES))
    assert told == [True]
