"""One fault, one ticket: whatever the helpdesk and the line do meanwhile."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path

import pytest

from monitor.actions.ticket_task import note_reference
from monitor.actions.tickets import BLIND_TO_US
from monitor.identifiers import IncidentId
from monitor.incidents.incident import Impact
from monitor.journal.consequences import Channel, Delivery, DeliveryState
from monitor.journal.entries import Reason
from monitor.store import deliveries, readings
from monitor.store.database import Database
from monitor.tickets.port import reference_of
from tests.actions.conftest import INSTALLATION, House, MakeHouse
from tests.tickets import builders

REFERENCE = reference_of(INSTALLATION, builders.INCIDENT)
OTHER = IncidentId("01JD9ZK3V8QW5R7T2M4N6P8S0B")
LATER = builders.START + timedelta(minutes=10)
MINUTE = timedelta(minutes=1)


def fault() -> list[builders.Entry]:
    return [builders.opened(builders.incident())]


def test_a_fault_opens_one_urgent_ticket_and_the_journal_knows_it(house: House) -> None:
    house.happen(*fault())
    [ticket] = house.helpdesk.tickets
    with house.database.reading() as tx:
        known = readings.ticket(tx, REFERENCE)
    assert known is not None
    assert (known.ticket, known.status, known.priority) == (str(ticket.id), "open", "urgent")
    assert known.url == f"https://helpdesk.example/tickets/{ticket.id}"
    assert ticket.priority == "urgent"
    assert ticket.reference == REFERENCE
    assert house.helpdesk.complaints == []


def test_the_whole_life_of_a_fault_is_told_on_one_ticket_in_order(house: House) -> None:
    whole = builders.incident(impact=Impact.MINOR)
    house.happen(
        builders.opened(whole),
        builders.updated(whole, Reason.JOINED, LATER, builders.evidence("smtp")),
        builders.updated(whole, Reason.WORSENED, LATER + MINUTE, impact=Impact.CRITICAL),
        builders.updated(whole, Reason.EASED, LATER + 2 * MINUTE, impact=Impact.MINOR),
        builders.updated(whole, Reason.RECOVERING, LATER + 3 * MINUTE, ended_at=LATER + 3 * MINUTE),
        builders.updated(whole, Reason.RELAPSED, LATER + 4 * MINUTE, builders.evidence()),
        builders.resolved(whole, LATER + 9 * MINUTE),
        builders.reopened(whole, LATER + 12 * MINUTE),
        builders.resolved(whole, LATER + 20 * MINUTE),
    )
    [ticket] = house.helpdesk.tickets
    assert [action for action, _ in ticket.messages] == [
        "create",
        "comment",
        "comment",
        "priority",
        "comment",
        "comment",
        "comment",
        "resolve",
        "reopen",
        "resolve",
    ]
    assert (ticket.status, ticket.priority) == ("closed", "urgent")
    assert all(state is DeliveryState.DONE for _, state in house.states())


def test_the_priority_of_an_open_ticket_never_falls(house: House) -> None:
    whole = builders.incident(impact=Impact.MAJOR)
    house.happen(
        builders.opened(whole),
        builders.updated(whole, Reason.EASED, LATER, impact=Impact.MINOR),
        builders.updated(whole, Reason.WORSENED, LATER + MINUTE, impact=Impact.CRITICAL),
    )
    [ticket] = house.helpdesk.tickets
    assert ticket.priority == "urgent"
    assert "priority" not in [action for action, _ in ticket.messages]


SPOILED = ["hang", "reset", "500", "html", "drip", "endless"]
NOT_DONE = ["429", "503", "401", "302", "500_only", "html_only", "close", "403"]


@pytest.mark.parametrize("honours_keys", [True, False])
@pytest.mark.parametrize("mode", SPOILED)
def test_a_lost_answer_never_makes_a_second_ticket(
    make_house: MakeHouse, mode: str, honours_keys: bool
) -> None:
    house = make_house(honours_keys=honours_keys)
    house.helpdesk.modes.append(mode)
    house.happen(*fault())
    house.wait(2 * MINUTE)
    assert len(house.helpdesk.tickets) == 1
    assert house.states() == [("create", DeliveryState.DONE)]
    assert [asked for asked, _ in house.helpdesk.asked].count("create") == 1
    assert house.helpdesk.complaints == []


@pytest.mark.parametrize("mode", NOT_DONE)
def test_a_creation_that_failed_is_made_up_for_once(house: House, mode: str) -> None:
    house.helpdesk.modes.extend([mode, mode])
    house.happen(*fault())
    house.wait(20 * MINUTE)
    assert len(house.helpdesk.tickets) == 1
    assert house.states() == [("create", DeliveryState.DONE)]
    keys = {key for asked, key in house.helpdesk.asked if asked == "create"}
    assert keys == {f"{REFERENCE}-create-1"}


@pytest.mark.parametrize("mode", SPOILED)
def test_with_an_index_that_lags_there_is_still_one_ticket(make_house: MakeHouse, mode: str) -> None:
    house = make_house(lag=timedelta(seconds=8))
    house.helpdesk.modes.append(mode)
    house.happen(*fault())
    house.wait(2 * MINUTE)
    assert len(house.helpdesk.tickets) == 1
    assert house.states() == [("create", DeliveryState.DONE)]


def test_a_ticket_that_is_made_after_we_gave_up_waiting_is_found(house: House) -> None:
    """The helpdesk acts only when our side has hung up: what counts is the moment we stopped, not when we began."""
    house.helpdesk.modes.append("late")
    house.happen(*fault())
    house.wait(2 * MINUTE)
    assert len(house.helpdesk.tickets) == 1


def test_what_nobody_knows_the_fate_of_is_counted(house: House) -> None:
    def uncertain() -> int:
        with house.database.reading() as tx:
            return deliveries.pending(tx)["ticket"].uncertain

    house.queue(*fault())
    assert uncertain() == 0
    house.helpdesk.modes.append("500_only")
    house.steps()
    assert uncertain() == 1


def test_what_follows_waits_for_an_uncertain_creation(house: House) -> None:
    whole = builders.incident()
    house.helpdesk.modes.append("hang")
    house.helpdesk.get_modes.extend(["500", "500"])
    house.happen(
        builders.opened(whole), builders.updated(whole, Reason.JOINED, LATER, builders.evidence("smtp"))
    )
    assert [asked for asked, _ in house.helpdesk.asked] == ["create", "find"]
    house.wait(5 * MINUTE)
    [ticket] = house.helpdesk.tickets
    assert [action for action, _ in ticket.messages] == ["create", "comment"]


def test_the_fallback_hears_once_of_a_ticket_whose_fate_is_unknown_for_a_minute(house: House) -> None:
    house.helpdesk.modes.append("hang")
    house.helpdesk.get_modes.extend(["500"] * 8)
    house.happen(*fault())
    house.wait(timedelta(seconds=59), every=timedelta(seconds=1))
    assert house.fallback.heard == []
    house.wait(timedelta(seconds=1), every=timedelta(seconds=1))
    assert len(house.fallback.heard) == 1
    house.wait(10 * MINUTE)
    assert len(house.fallback.heard) == 1
    assert "gye1" in house.fallback.heard[0].title
    assert "No se sabe" in house.fallback.heard[0].body
    assert len(house.helpdesk.tickets) == 1


def test_the_fallback_asks_nobody_to_hurry_to_a_fault_that_is_over(house: House) -> None:
    whole = builders.incident()
    house.helpdesk.modes.extend(["503"] * 3)
    house.happen(builders.opened(whole), builders.resolved(whole, LATER))
    house.helpdesk.modes.clear()
    house.helpdesk.modes.append("422")
    house.wait(2 * MINUTE)
    [heard] = house.fallback.heard
    assert "La falla ya terminó, el " in heard.body
    assert "Atienda" not in heard.body


def test_the_fallback_stays_silent_when_the_fate_is_settled_in_time(house: House) -> None:
    house.helpdesk.modes.append("hang")
    house.happen(*fault())
    house.wait(5 * MINUTE)
    assert house.fallback.heard == []
    assert house.states("fallback") == [("uncertain", DeliveryState.DONE)]


def test_wrong_credentials_are_tried_again_and_told_once(house: House) -> None:
    house.helpdesk.modes.extend(["401"] * 4)
    house.happen(*fault())
    house.wait(2 * MINUTE)
    told = [message for message in house.operators.heard if "401" in message.body]
    assert len(told) == 1
    assert house.states()[0][1] is DeliveryState.RETRY
    house.wait(30 * MINUTE)
    assert len([message for message in house.operators.heard if "401" in message.body]) == 1
    assert len(house.helpdesk.tickets) == 1


def test_a_refused_creation_is_told_holds_back_what_follows_and_may_be_appealed(house: House) -> None:
    whole = builders.incident()
    house.helpdesk.modes.append("422")
    house.happen(
        builders.opened(whole), builders.updated(whole, Reason.JOINED, LATER, builders.evidence("smtp"))
    )
    house.wait(MINUTE)
    assert house.states() == [
        ("create", DeliveryState.REJECTED),
        ("comment", DeliveryState.READY),
        ("priority", DeliveryState.READY),
    ]
    assert "ticket.rejected" in house.kinds()
    assert any("422" in message.body for message in house.operators.heard)
    [heard] = house.fallback.heard
    assert "rechazó" in heard.title
    assert "«abrir el ticket» (detalle técnico: the helpdesk answers 422" in heard.body
    assert "No se sabe" not in heard.body
    assert "Atienda la falla sin esperar." in heard.body
    assert house.deliverer.appeal() == 1
    house.wait(MINUTE)
    [ticket] = house.helpdesk.tickets
    assert ticket.messages[0][0] == "create"
    assert all(state is DeliveryState.DONE for _, state in house.states())


def test_a_refused_comment_lets_the_resolution_pass(house: House) -> None:
    whole = builders.incident()
    house.happen(builders.opened(whole))
    house.helpdesk.modes.append("400")
    house.happen(
        builders.updated(whole, Reason.JOINED, LATER, builders.evidence("smtp")),
        builders.resolved(whole, LATER + 10 * MINUTE),
    )
    [ticket] = house.helpdesk.tickets
    assert ticket.status == "closed"
    assert house.states()[1] == ("comment", DeliveryState.REJECTED)


def test_a_resolution_that_is_refused_because_a_person_closed_the_ticket_alarms_nobody(house: House) -> None:
    whole = builders.incident()
    house.happen(builders.opened(whole))
    house.helpdesk.tickets[0].status = "closed"
    house.helpdesk.modes.append("422")
    house.happen(builders.resolved(whole, LATER))
    house.wait(MINUTE)
    assert house.states()[-1] == ("resolve", DeliveryState.DONE)
    assert "ticket.rejected" not in house.kinds()


def test_a_resolution_that_is_refused_while_the_ticket_is_open_is_told(house: House) -> None:
    whole = builders.incident()
    house.happen(builders.opened(whole))
    house.helpdesk.modes.append("422")
    house.happen(builders.resolved(whole, LATER))
    house.wait(MINUTE)
    assert house.states()[-1] == ("resolve", DeliveryState.REJECTED)
    assert "ticket.rejected" in house.kinds()


def test_a_conflict_is_looked_up_before_anything_else(house: House) -> None:
    house.helpdesk.modes.append("409")
    house.happen(*fault())
    house.wait(2 * MINUTE)
    assert [asked for asked, _ in house.helpdesk.asked][:2] == ["create", "find"]
    assert len(house.helpdesk.tickets) == 1


def test_a_conflict_that_stays_is_given_up_and_told(house: House) -> None:
    house.helpdesk.modes.extend(["409"] * 10)
    house.happen(*fault())
    house.wait(30 * MINUTE)
    assert house.states() == [("create", DeliveryState.REJECTED)]
    assert any("409" in message.body for message in house.operators.heard)


def test_a_ticket_that_the_helpdesk_lost_is_made_anew_and_says_so(house: House) -> None:
    whole = builders.incident()
    house.helpdesk.modes.append("lose")
    house.happen(builders.opened(whole))
    house.wait(MINUTE)
    assert house.helpdesk.tickets == []
    house.happen(builders.updated(whole, Reason.JOINED, LATER, builders.evidence("smtp")))
    house.wait(2 * MINUTE)
    [ticket] = house.helpdesk.tickets
    assert [action for action, _ in ticket.messages] == ["create", "comment"]
    assert "reemplaza" in ticket.messages[0][1]
    with house.database.reading() as tx:
        known = readings.ticket(tx, REFERENCE)
    assert known is not None
    assert known.ticket == str(ticket.id)


def test_a_reference_that_cannot_be_found_is_told_to_operators(house: House) -> None:
    house.helpdesk.drops_references = True
    house.happen(*fault())
    house.wait(2 * MINUTE)
    assert len(house.helpdesk.tickets) == 1
    assert "ticket.rejected" in house.kinds()
    assert house.states("verify") == [("verify", DeliveryState.DONE)]
    assert any("referencia" in message.body for message in house.operators.heard)


def test_where_references_are_not_found_a_ticket_that_was_perhaps_made_is_made_again_only_on_request(
    house: House,
) -> None:
    """That nothing is found proves nothing there: a person has to look, and hears of it at once."""
    house.helpdesk.drops_references = True
    house.happen(*fault())
    house.wait(2 * MINUTE)
    house.helpdesk.modes.append("hang")
    second = builders.incident(OTHER, builders.UIO1, opened_at=LATER)
    house.happen(builders.opened(second))
    house.wait(5 * MINUTE)
    assert len(house.helpdesk.tickets) == 2
    with house.database.reading() as tx:
        [row] = deliveries.of_incident(tx, OTHER, "ticket")
    assert (row.state, row.detail) == (DeliveryState.AMBIGUOUS, BLIND_TO_US)
    assert len(house.fallback.heard) == 1
    assert house.kinds().count("ticket.rejected") == 2
    house.deliverer.appeal(OTHER)
    house.wait(2 * MINUTE)
    assert len(house.helpdesk.tickets) == 3


def test_where_references_are_not_found_it_is_looked_for_until_they_are_or_a_day_is_over(
    house: House,
) -> None:
    """One ticket that got lost is no reason to leave the next fault without one for good."""
    house.helpdesk.modes.append("lose")
    house.happen(*fault())
    house.wait(2 * MINUTE)
    house.helpdesk.modes.append("500_only")
    second = builders.incident(OTHER, builders.UIO1, opened_at=LATER)
    house.happen(builders.opened(second))
    house.wait(5 * MINUTE)
    assert house.helpdesk.tickets == []
    with house.database.writing() as tx:
        note_reference(tx, "webhook", found=True)
    house.wait(2 * MINUTE)
    assert [ticket.reference for ticket in house.helpdesk.tickets] == [reference_of(INSTALLATION, OTHER)]


def test_a_doubt_that_lasts_for_a_day_is_left_to_a_person(house: House) -> None:
    house.helpdesk.drops_references = True
    house.happen(*fault())
    house.wait(2 * MINUTE)
    house.helpdesk.modes.append("hang")
    house.happen(builders.opened(builders.incident(OTHER, builders.UIO1, opened_at=LATER)))
    house.wait(25 * 60 * MINUTE, every=60 * MINUTE)
    with house.database.reading() as tx:
        [row] = deliveries.of_incident(tx, OTHER, "ticket")
    assert (row.state, row.detail) == (DeliveryState.REJECTED, BLIND_TO_US)
    assert len(house.helpdesk.tickets) == 2
    assert house.kinds().count("ticket.rejected") == 2
    assert len(house.fallback.heard) == 1


def test_a_comment_that_waits_hides_nothing_of_a_helpdesk_that_does_not_find_references(house: House) -> None:
    """The look at the first ticket comes to its end, so that the lost answer of the next creation makes no second ticket."""
    house.helpdesk.drops_references = True
    whole = builders.incident()
    house.happen(builders.opened(whole))
    soon = house.clock.now() + timedelta(seconds=1)
    house.helpdesk.modes.extend(["500_only"] * 10)
    house.happen(builders.updated(whole, Reason.EASED, soon, builders.evidence("smtp")))
    house.wait(MINUTE)
    assert house.states("verify") == [("verify", DeliveryState.DONE)]
    assert house.states()[1] == ("comment", DeliveryState.RETRY)
    assert any("referencia" in message.body for message in house.operators.heard)
    house.helpdesk.modes.clear()
    house.wait(10 * MINUTE)
    house.helpdesk.modes.append("hang")
    second = builders.incident(OTHER, builders.UIO1, opened_at=house.clock.now())
    house.happen(builders.opened(second))
    house.wait(10 * MINUTE)
    assert len(house.helpdesk.tickets) == 2


def test_a_ticket_that_was_found_before_is_looked_at_again_until_what_waits_for_it_is_over(
    house: House,
) -> None:
    whole = builders.incident()
    house.happen(builders.opened(whole))
    house.wait(MINUTE)
    house.queue(builders.updated(whole, Reason.EASED, LATER, builders.evidence("smtp")))
    house.helpdesk.modes.extend(["500_only"] * 4)
    house.helpdesk.tickets[0].reference = "changed by somebody"
    house.deliverer.recheck()
    house.steps()
    assert house.states("verify")[-1] == ("verify", DeliveryState.RETRY)
    house.wait(5 * MINUTE)
    assert house.states()[:2] == [("create", DeliveryState.DONE), ("comment", DeliveryState.DONE)]
    assert house.states("verify")[-1] == ("verify", DeliveryState.DONE)


def two_faults(house: House) -> None:
    for number, server in enumerate((builders.GYE1, builders.UIO1)):
        identity = IncidentId(f"01JD9ZK3V8QW5R7T2M4N6P8S{number}B")
        house.queue(builders.opened(builders.incident(identity, server)))


def test_all_wait_for_a_helpdesk_that_asked_one_of_us_for_a_pause(house: House) -> None:
    two_faults(house)
    house.helpdesk.modes.append("429")
    house.steps()
    assert [asked for asked, _ in house.helpdesk.asked] == ["create"]
    house.wait(timedelta(seconds=10))
    assert len(house.helpdesk.tickets) == 2


def test_a_ticket_that_the_index_does_not_show_yet_is_waited_for(make_house: MakeHouse) -> None:
    """Its look comes at once, and what is hidden until the search lag is over must alarm nobody."""
    house = make_house(lag=timedelta(seconds=8))
    house.happen(*fault())
    assert house.states("verify") == [("verify", DeliveryState.RETRY)]
    house.wait(MINUTE)
    assert [(row.state, row.detail) for row in house.rows("verify")] == [(DeliveryState.DONE, "")]
    assert "ticket.rejected" not in house.kinds()


def test_who_asks_for_a_pause_is_not_asked_by_the_next_look_either(house: House) -> None:
    two_faults(house)
    house.helpdesk.get_modes.extend(["429"] * 5)
    house.steps()
    assert len(house.helpdesk.tickets) == 2
    assert len(house.helpdesk.get_modes) == 4


def test_letters_that_were_refused_are_not_sent_again_because_the_helpdesk_is_asked_again(
    house: House,
) -> None:
    asked = Delivery(channel=Channel.MAIL, incident=IncidentId("desk-1"), action="letter")
    with house.database.writing() as tx:
        deliveries.add(tx, asked, entry=1, seq=1, due=builders.START, state=DeliveryState.REJECTED)
    assert house.deliverer.appeal() == 0


def test_a_helpdesk_that_doubles_a_ticket_by_itself_is_put_in_order(house: House) -> None:
    house.helpdesk.modes.append("twice")
    house.happen(*fault())
    house.wait(2 * MINUTE)
    first, second = house.helpdesk.tickets
    assert (first.status, second.status) == ("open", "closed")
    assert str(first.id) in second.messages[-1][1]
    assert house.results.count("duplicate") == 1


def test_a_fault_that_is_over_before_its_ticket_still_gets_one_closed_ticket(house: House) -> None:
    whole = builders.incident()
    house.helpdesk.modes.append("503")
    house.happen(builders.opened(whole))
    house.queue(
        builders.updated(whole, Reason.JOINED, LATER, builders.evidence("smtp"), impact=Impact.CRITICAL),
        builders.resolved(whole, LATER + 10 * MINUTE),
    )
    house.wait(2 * MINUTE)
    [ticket] = house.helpdesk.tickets
    assert ticket.priority == "normal"
    assert "ya se recuperó" in ticket.messages[0][1]
    assert "gye1/smtp" in ticket.messages[0][1]
    assert [action for action, _ in ticket.messages] == ["create", "resolve"]
    assert ticket.status == "closed"


def test_a_late_creation_tells_what_waited_behind_it_and_the_rest_is_left_out(house: House) -> None:
    whole = builders.incident()
    house.helpdesk.modes.append("503")
    house.happen(builders.opened(whole))
    house.queue(
        builders.updated(whole, Reason.JOINED, LATER, builders.evidence("smtp")),
        builders.resolved(whole, LATER + 10 * MINUTE),
        builders.reopened(whole, LATER + 12 * MINUTE),
    )
    house.wait(2 * MINUTE)
    [ticket] = house.helpdesk.tickets
    assert [action for action, _ in ticket.messages] == ["create"]
    assert (ticket.status, ticket.priority) == ("open", "urgent")
    assert all(state is DeliveryState.DONE for _, state in house.states())


def test_what_waits_behind_a_creation_in_doubt_is_said_for_the_answer_may_be_that_of_the_first_attempt(
    make_house: MakeHouse,
) -> None:
    """The helpdesk lists the ticket later than it says, and gives the same key the same answer: its ticket holds the first text."""
    house = make_house(honours_keys=True, lag=timedelta(seconds=40))
    whole = builders.incident(impact=Impact.MINOR)
    house.helpdesk.modes.append("hang")
    house.happen(builders.opened(whole))
    house.queue(
        builders.updated(
            whole, Reason.WORSENED, house.clock.now(), builders.evidence("smtp"), impact=Impact.CRITICAL
        )
    )
    house.wait(2 * MINUTE)
    [ticket] = house.helpdesk.tickets
    assert [asked for asked, _ in house.helpdesk.asked].count("create") == 2
    assert [action for action, _ in ticket.messages] == ["create", "comment", "priority"]
    assert "gye1/smtp" in ticket.messages[1][1]
    assert ticket.priority == "urgent"


@pytest.mark.parametrize("mode", ["hang", "reset", "500"])
def test_a_resolution_with_a_lost_answer_is_not_repeated(house: House, mode: str) -> None:
    whole = builders.incident()
    house.happen(builders.opened(whole))
    house.helpdesk.modes.append(mode)
    house.happen(builders.resolved(whole, LATER))
    house.wait(2 * MINUTE)
    [ticket] = house.helpdesk.tickets
    assert [action for action, _ in ticket.messages] == ["create", "resolve"]


def test_a_comment_with_a_lost_answer_is_sent_again_under_the_same_key(make_house: MakeHouse) -> None:
    house = make_house(honours_keys=True)
    whole = builders.incident()
    house.happen(builders.opened(whole))
    house.helpdesk.modes.append("hang")
    house.happen(builders.updated(whole, Reason.JOINED, LATER, builders.evidence("smtp")))
    house.wait(2 * MINUTE)
    [ticket] = house.helpdesk.tickets
    assert [action for action, _ in ticket.messages] == ["create", "comment"]
    assert [key for asked, key in house.helpdesk.asked if asked == "comment"] == [
        f"{REFERENCE}-comment-2"
    ] * 2


def test_no_ticket_of_another_helpdesk_is_touched(house: House) -> None:
    """After a change of helpdesk the ids of the old one mean other people's tickets in the new one."""
    whole = builders.incident()
    house.happen(builders.opened(whole))
    with house.database.writing() as tx:
        tx.execute("UPDATE tickets SET helpdesk = 'desk', ticket = '1'")
    stranger = house.helpdesk.tickets[0]
    stranger.reference = "somebody else's"
    house.happen(builders.updated(whole, Reason.JOINED, LATER, builders.evidence("smtp")))
    house.wait(MINUTE)
    assert [action for action, _ in stranger.messages] == ["create"]
    assert [action for action, _ in house.helpdesk.tickets[1].messages] == ["create", "comment"]


def test_every_attempt_is_on_record(house: House) -> None:
    house.helpdesk.modes.extend(["429", "hang"])
    house.happen(*fault())
    house.wait(2 * MINUTE)
    with house.database.reading() as tx:
        attempts = deliveries.attempts_of(tx, house.rows()[0].id)
    assert [attempt.outcome for attempt in attempts] == ["not_sent", "uncertain"]
    assert attempts[0].detail == "the helpdesk answers 429"


def test_a_helpdesk_that_asks_for_patience_is_left_alone_for_that_long(house: House) -> None:
    house.helpdesk.modes.append("429")
    house.happen(*fault())
    assert house.rows()[0].due_at >= builders.START + timedelta(seconds=7)


def test_an_order_that_cannot_be_made_is_given_up_and_told(house: House) -> None:
    """A comment without a ticket is a fault of ours: it must neither block the channel nor vanish."""
    whole = builders.incident()
    house.queue(builders.opened(whole))
    with house.database.writing() as tx:
        tx.execute("UPDATE deliveries SET state = 'done' WHERE action = 'create'")
    house.happen(builders.updated(whole, Reason.EASED, LATER))
    assert ("comment", DeliveryState.REJECTED) in house.states()
    assert any("our own fault" in message.body for message in house.operators.heard)


def test_a_database_that_is_locked_delays_a_result_and_loses_none(house: House, tmp_path: Path) -> None:
    """The helpdesk has acted already when the file is locked by somebody else: its answer waits."""
    perform = house.helpdesk.act
    locked, other = threading.Event(), Database.open(tmp_path / "vigia.db", owner=False)

    def hold() -> None:
        with other.writing():
            locked.set()
            released.wait(60)

    released, holder = threading.Event(), threading.Thread(target=hold)

    def act(fields: dict[str, object], key: str) -> object:
        answer = perform(fields, key)
        holder.start()
        locked.wait(60)
        threading.Timer(1.5, released.set).start()
        return answer

    house.helpdesk.act = act  # type: ignore[method-assign,assignment]
    house.queue(builders.opened(builders.incident()))
    house.deliverer.step()
    holder.join()
    other.close()
    assert house.states() == [("create", DeliveryState.DONE)]
    assert len(house.helpdesk.tickets) == 1
