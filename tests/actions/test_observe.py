"""Looks are stored, judged and decided upon in one transaction, or not at all."""

from __future__ import annotations

from dataclasses import replace

import pytest

from monitor.actions.observe import observe
from monitor.errors import StoreError
from monitor.health.blindness import BLIND_AFTER
from monitor.health.words import State
from monitor.incidents.incident import Audience
from monitor.store import readings
from monitor.store.database import Transaction
from tests.actions.builders import GYE1, RETRY, Lookout, fleet, gye1, key, look

COUNTED = ("entries", "observations", "evidence", "streaks", "incidents", "deliveries")


def counts(tx: Transaction) -> dict[str, int]:
    return {table: tx.rows(f"SELECT COUNT(*) FROM {table}")[0][0] for table in COUNTED}  # noqa: S608 - names of ours


def test_every_look_is_stored_and_only_confirmed_changes_are_decided_upon(lookout: Lookout):
    assert not lookout.see("gye1/http down", times=2).decided
    assert lookout.see("gye1/http down").decided
    with lookout.database.reading() as tx:
        assert counts(tx)["evidence"] == 3


def test_a_change_its_server_its_incident_and_its_ticket_are_one_batch(lookout: Lookout):
    lookout.see("gye1/http ok", "gye1/smtp ok", "gye1/tls ok")
    lookout.see("gye1/http down", times=3)
    with lookout.database.reading() as tx:
        newest = tx.rows(
            "SELECT kind FROM entries WHERE batch = (SELECT id FROM batches ORDER BY last_number DESC LIMIT 1)"
        )
        queued = tx.rows("SELECT action FROM deliveries WHERE channel = 'ticket'")
    assert [row["kind"] for row in newest] == ["check.went_down", "server.changed", "incident.opened"]
    assert [row["action"] for row in queued] == ["create"]


def test_a_transaction_that_fails_leaves_no_trace(lookout: Lookout):
    lookout.see("gye1/http down", times=2)
    held = lookout.bureau.picture
    with lookout.database.reading() as tx:
        before = counts(tx)
    deciding = look("gye1/http", "down", lookout.clock.step(RETRY))

    def fail_late() -> None:
        with lookout.database.writing() as tx:
            assert observe(tx, held, [deciding], lookout.clock.now()).entries
            raise StoreError("disk full")

    with pytest.raises(StoreError, match="disk full"):
        fail_late()
    with lookout.database.reading() as tx:
        assert counts(tx) == before
    # The very same look is judged anew, and decides once.
    assert lookout.bureau.record([deciding]).decided
    assert len(lookout.incidents()) == 1


def test_looks_at_checks_that_are_watched_no_more_are_left_out(lookout: Lookout):
    with lookout.database.reading() as tx:
        before = counts(tx)
    recorded = lookout.see("gye1/gone down", "nowhere/http down", times=3)
    assert not recorded.decided
    assert recorded.again == ()
    with lookout.database.reading() as tx:
        assert counts(tx) == before


def test_a_check_that_is_retired_is_not_judged_by_a_look_that_was_under_way(lookout: Lookout):
    lookout.see("gye1/smtp down", times=2)
    lookout.bureau.apply(fleet(replace(gye1(), checks=gye1().checks[:1])))
    assert not lookout.see("gye1/smtp down").decided
    assert lookout.incidents() == []


def test_streaks_survive_a_restart(lookout: Lookout):
    lookout.see("gye1/http ok")
    first = lookout.clock.now() + RETRY
    lookout.see("gye1/http down", times=2)
    again = lookout.restart()
    assert again.bureau.picture.health(key("gye1/http")).state is State.SUSPECT
    again.see("gye1/http down")
    assert again.incident().started_at == first
    again.database.close()


def test_several_looks_at_one_check_in_a_batch_are_judged_in_their_order(lookout: Lookout):
    at = [lookout.clock.step(RETRY) for _ in range(3)]
    lookout.bureau.record([look("gye1/http", "down", moment) for moment in at])
    assert lookout.incident().started_at == at[0]


def test_a_late_look_is_stored_and_changes_nothing(lookout: Lookout):
    lookout.see("gye1/http down", times=2)
    health = lookout.bureau.picture.health(key("gye1/http"))
    late = look("gye1/http", "down", lookout.clock.now() - 3 * RETRY)
    assert not lookout.bureau.record([late]).decided
    assert lookout.bureau.picture.health(key("gye1/http")) == health


def test_our_own_trouble_neither_raises_nor_resets_a_streak(lookout: Lookout):
    lookout.see("gye1/http down", times=2)
    lookout.see("gye1/http unknown", times=BLIND_AFTER - 1)
    assert not any(each.audience is Audience.PUBLIC for each in lookout.incidents())
    lookout.see("gye1/http down")
    assert [each.servers for each in lookout.incidents() if each.audience is Audience.PUBLIC] == [(GYE1,)]


def test_a_check_in_doubt_is_looked_at_again_after_its_retry_gap(lookout: Lookout):
    lookout.see("gye1/http ok")
    assert lookout.see("gye1/http down", "gye1/smtp ok").again == ((key("gye1/http"), RETRY),)
    assert lookout.see("gye1/http ok").again == ()


def test_a_younger_look_alone_is_noted_for_readers_when_watch_publishes(lookout: Lookout):
    lookout.see("gye1/http ok")
    lookout.see("gye1/http ok")
    with lookout.database.reading() as tx:
        stored = readings.healths(tx)[key("gye1/http")]
    assert stored.looked_at == lookout.clock.now() - RETRY
    lookout.bureau.publish("", "")
    with lookout.database.reading() as tx:
        assert readings.healths(tx)[key("gye1/http")].looked_at == lookout.clock.now()


def test_two_servers_in_one_batch_are_told_apart(lookout: Lookout):
    lookout.see("gye1/http down", "uio1/http down", times=3)
    assert sorted(incident.servers for incident in lookout.incidents()) == [(GYE1,), ("uio1",)]
    assert [lookout.told(incident.id) for incident in lookout.incidents()] == [["create"], ["create"]]
