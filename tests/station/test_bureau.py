"""What watch holds in its head follows what is committed, and nothing else."""

from __future__ import annotations

from datetime import timedelta

import pytest

from monitor.errors import BusyError
from monitor.inventory.settings import Keep
from monitor.station.names import METRICS_OPENMETRICS, METRICS_TEXT
from monitor.store import readings
from monitor.store.database import Database
from tests.actions.builders import MINUTE, RESOLVE_AFTER, Lookout, key, look

KEEP = Keep(observations=timedelta(days=35), five_minutes=timedelta(days=90), hours=timedelta(days=730))


@pytest.fixture
def impatient(tmp_path, clock):
    """A lookout that waits for no other process."""
    path = tmp_path / "other" / "vigia.db"
    path.parent.mkdir()
    made = Lookout(Database.open(path, owner=True, busy_timeout=timedelta(milliseconds=1)), clock)
    yield made
    made.database.close()


def test_the_picture_stays_as_it_was_while_nothing_can_be_written(impatient: Lookout):
    impatient.see("gye1/http down", times=2)
    held = impatient.bureau.picture
    other = Database.open(impatient.database.path, owner=False)
    deciding = look("gye1/http", "down", impatient.clock.step(MINUTE))
    with other.writing(), pytest.raises(BusyError):
        impatient.bureau.record([deciding])
    assert impatient.bureau.picture is held
    other.close()
    assert impatient.bureau.record([deciding]).decided


def test_a_sign_of_life_that_could_not_be_given_forgets_no_look(impatient: Lookout):
    impatient.see("gye1/http ok", times=2)
    other = Database.open(impatient.database.path, owner=False)
    with other.writing(), pytest.raises(BusyError):
        impatient.bureau.publish("", "")
    other.close()
    impatient.bureau.publish("", "")
    with impatient.database.reading() as tx:
        assert readings.healths(tx)[key("gye1/http")].looked_at == impatient.clock.now()


def test_what_is_published_is_what_readers_get(lookout: Lookout):
    lookout.bureau.publish("text\n", "open\n")
    with lookout.database.reading() as tx:
        found = {name: readings.publication(tx, name) for name in (METRICS_TEXT, METRICS_OPENMETRICS)}
        assert readings.heard_at(tx) == lookout.clock.now()
    now = lookout.clock.now()
    assert found == {
        METRICS_TEXT: (now, "text\n"),
        METRICS_OPENMETRICS: (now, "open\n"),
    }


def test_a_house_in_order_is_left_alone(lookout: Lookout):
    assert lookout.bureau.keep_house() is None


def test_an_incident_that_is_due_is_resolved_by_the_round(lookout: Lookout):
    lookout.see("gye1/http down", times=3)
    lookout.all_well()
    assert lookout.bureau.keep_house() is None
    lookout.clock.step(RESOLVE_AFTER)
    kept = lookout.bureau.keep_house()
    assert kept is not None
    assert (kept.look_at, kept.decided) == ((), True)
    assert lookout.bureau.keep_house() is None


def test_the_installation_has_one_name_for_ever(lookout: Lookout):
    name = lookout.bureau.installation()
    assert len(name) == 8
    again = lookout.restart()
    assert again.bureau.installation() == name
    again.database.close()


def test_a_start_after_silence_says_since_when_nobody_looked(lookout: Lookout):
    lookout.bureau.publish("", "")
    silent = lookout.clock.now()
    lookout.clock.step(10 * MINUTE)
    again = lookout.restart()
    started = [entry.body for entry in again.entries() if entry.kind == "watch.started"]
    assert [body.blind_since for body in started] == [None, silent]
    again.database.close()


def test_settling_comes_to_an_end(lookout: Lookout):
    lookout.see("gye1/http ok", times=10)
    lookout.clock.step(timedelta(days=2))
    rounds = 0
    while lookout.bureau.settle(KEEP):
        rounds += 1
        assert rounds < 20
    with lookout.database.reading() as tx:
        assert tx.rows("SELECT COUNT(*) FROM server_days")[0][0] > 0
