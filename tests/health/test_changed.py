"""A health is changed in a third of the time that `dataclasses.replace` takes, and comes to the same."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from monitor.health.state import Health, changed
from monitor.health.words import State
from tests.health.looks import CHECK, at, policy, watch


def test_what_is_changed_is_what_replace_makes_of_it():
    health, _ = watch("O D D D ? O D", policy())
    told = {"state": State.UP, "streak": 7, "since": at(3), "doubts": ()}
    assert changed(health, **told) == replace(health, **told)
    assert changed(health) == health


@pytest.mark.parametrize("name", [field.name for field in fields(Health)])
def test_every_other_field_stays(name):
    health, _ = watch("O D D D O", policy())
    after = changed(health, **{name: "another"})
    assert getattr(after, name) == "another"
    others = [field.name for field in fields(Health) if field.name != name]
    assert [getattr(after, other) for other in others] == [getattr(health, other) for other in others]


def test_a_field_that_a_health_does_not_have_is_refused():
    with pytest.raises(KeyError):
        changed(Health(check=CHECK), nonsense=1)
