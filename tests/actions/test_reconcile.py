"""Each night the tickets of a week are held against the helpdesk: what was lost is opened anew, what stands twice is put in order."""

from __future__ import annotations

from datetime import timedelta

from monitor.actions.ticket_task import NOT_FINDABLE
from monitor.identifiers import IncidentId, ServerId
from monitor.journal.consequences import DeliveryState
from monitor.journal.entries import Entry, Kind, Reason, TicketNoted
from monitor.language.phrases import Phrase
from monitor.store import readings
from monitor.store.readings import TicketRow
from monitor.tickets.port import reference_of
from monitor.tickets.webhook import Webhook
from tests.actions.conftest import INSTALLATION, House, MakeHouse, options, webhook
from tests.conftest import SteppingClock
from tests.servers.helpdesk import Helpdesk, Ticket
from tests.tickets import builders

REFERENCE = reference_of(INSTALLATION, builders.INCIDENT)
LATER = builders.START + timedelta(minutes=10)
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)


def night(house: House) -> int:
    """Let a night come, and all that follows from it be done."""
    house.clock.step(DAY)
    found = house.deliverer.recheck()
    house.wait(10 * MINUTE)
    return found


def known(house: House) -> TicketRow:
    with house.database.reading() as tx:
        row = readings.ticket(tx, REFERENCE)
    assert row is not None
    return row


def opened(house: House) -> Ticket:
    house.happen(builders.opened(builders.incident()))
    return house.helpdesk.tickets[0]


def test_a_ticket_that_was_deleted_is_opened_anew_and_says_which_it_replaces(house: House) -> None:
    first = opened(house)
    house.helpdesk.tickets.clear()
    assert night(house) == 1
    [second] = house.helpdesk.tickets
    assert [action for action, _ in second.messages] == ["create"]
    assert f"({first.id})" in second.messages[0][1]
    assert known(house).ticket == str(second.id)
    assert house.states()[-1] == ("create", DeliveryState.DONE)
    assert house.results.count("lost") == 1
    # The journal knows it now: the next night finds nothing to do.
    night(house)
    assert len(house.helpdesk.tickets) == 1
    assert house.results.count("lost") == 1


def test_what_is_over_is_opened_anew_and_closed(house: House) -> None:
    opened(house)
    house.happen(builders.resolved(builders.incident(), LATER))
    house.helpdesk.tickets.clear()
    night(house)
    [ticket] = house.helpdesk.tickets
    assert [action for action, _ in ticket.messages] == ["create", "resolve"]
    assert (ticket.status, ticket.priority) == ("closed", "normal")
    assert known(house).status == "closed"


def test_what_happens_next_goes_to_the_new_ticket(house: House) -> None:
    opened(house)
    house.helpdesk.tickets.clear()
    night(house)
    house.happen(builders.resolved(builders.incident(), house.clock.now()))
    house.wait(MINUTE)
    [ticket] = house.helpdesk.tickets
    assert [action for action, _ in ticket.messages] == ["create", "resolve"]


def test_after_a_week_nothing_is_looked_at(house: House) -> None:
    opened(house)
    house.helpdesk.tickets.clear()
    house.clock.step(7 * DAY)
    assert night(house) == 0
    assert house.helpdesk.tickets == []


def test_two_tickets_are_put_in_order_and_the_journal_follows(house: House) -> None:
    first = opened(house)
    copy = Ticket(
        id=first.id + 1,
        reference=REFERENCE,
        subject=first.subject,
        priority="urgent",
        status="open",
        listed_at=first.listed_at,
    )
    house.helpdesk.tickets.append(copy)
    with house.database.writing() as tx:
        tx.execute("UPDATE tickets SET ticket = ?", (str(copy.id),))
    night(house)
    assert (first.status, copy.status) == ("open", "closed")
    assert str(first.id) in copy.messages[-1][1]
    assert known(house).ticket == str(first.id)
    assert house.results.count("duplicate") == 1
    assert house.helpdesk.complaints == []
    # Closed already, it is no duplicate again.
    night(house)
    assert house.results.count("duplicate") == 1
    assert len(copy.messages) == 1


def older(house: House, status: str = "open") -> Ticket:
    """Return a ticket of the same reference, older than ours, that turns up only now."""
    made = Ticket(
        id=0,
        reference=REFERENCE,
        subject="what became of the first creation",
        priority="urgent",
        status=status,
        listed_at=house.clock.now(),
    )
    house.helpdesk.tickets.insert(0, made)
    return made


def test_an_older_ticket_that_turns_up_when_all_is_over_is_closed_with_it(house: House) -> None:
    ours = opened(house)
    house.happen(builders.resolved(builders.incident(), LATER))
    found = older(house)
    night(house)
    assert (found.status, ours.status) == ("closed", "closed")
    assert [action for action, _ in found.messages] == ["resolve"]
    assert house.helpdesk.complaints == []
    assert (known(house).ticket, known(house).status) == ("0", "closed")
    # All of them closed, the journal stays where it is.
    ours.messages.clear()
    found.messages.clear()
    night(house)
    assert (known(house).ticket, known(house).status) == ("0", "closed")
    assert ours.messages == found.messages == []


def test_an_open_ticket_is_not_closed_in_favour_of_a_closed_one_while_the_fault_lasts(house: House) -> None:
    ours = opened(house)
    older(house, status="closed")
    night(house)
    assert ours.status == "open"
    assert (known(house).ticket, known(house).status) == (str(ours.id), "open")


def test_what_waits_for_a_ticket_that_is_gone_opens_it_anew_and_the_night_does_not(house: House) -> None:
    opened(house)
    house.wait(MINUTE)
    house.helpdesk.tickets.clear()
    house.deliverer.recheck()
    house.clock.step(MINUTE)
    house.helpdesk.modes.append("500_only")
    now = house.clock.now()
    house.happen(builders.updated(builders.incident(), Reason.EASED, now, builders.evidence("smtp")))
    house.wait(10 * MINUTE)
    [ticket] = house.helpdesk.tickets
    assert [action for action, _ in ticket.messages] == ["create", "comment"]
    assert house.results.count("lost") == 0


def test_a_helpdesk_that_never_kept_references_is_told_once_and_gets_no_second_ticket(house: House) -> None:
    house.helpdesk.drops_references = True
    opened(house)
    house.wait(MINUTE)
    for _ in range(3):
        night(house)
    assert len(house.helpdesk.tickets) == 1
    assert house.kinds().count("ticket.rejected") == 1
    assert house.results.count("lost") == 0


NAMES = [IncidentId(f"01JD9ZK3V8QW5R7T2M4N6P8S{number:02}") for number in range(4)]


def several(house: House, mode_of_last: str) -> None:
    """Open a ticket for each of four faults, the last one in this mode; let the first look at each come to its end."""
    servers = {name: ServerId(f"server{number}") for number, name in enumerate(NAMES)}
    house.record(builders.applied(builders.START, *servers.values()))
    for name, server in servers.items():
        house.helpdesk.modes.append(mode_of_last if name is NAMES[-1] else "ok")
        house.happen(builders.opened(builders.incident(name, server)))
        house.wait(MINUTE)


def test_a_ticket_that_was_lost_before_the_first_look_is_opened_anew_once_others_are_found(
    house: House,
) -> None:
    several(house, "lose")
    assert len(house.helpdesk.tickets) == 3
    assert house.kinds().count("ticket.rejected") == 1
    night(house)
    [made] = house.helpdesk.of(reference_of(INSTALLATION, NAMES[-1]))
    assert "reemplaza" in made.messages[0][1]
    assert len(house.helpdesk.tickets) == 4
    assert house.results.count("lost") == 1


def test_a_helpdesk_that_keeps_no_references_any_more_gets_one_ticket_anew_and_not_all(house: House) -> None:
    """It still finds what it kept before, so that only a ticket that is opened anew can show it; that is done once."""
    several(house, "ok")
    house.helpdesk.drops_references = True
    for ticket in house.helpdesk.tickets[1:]:
        ticket.reference = ""
    with house.database.writing() as tx:
        tx.execute("UPDATE deliveries SET detail = ? WHERE channel = 'verify' AND seq = 1", (NOT_FINDABLE,))
    for _ in range(4):
        night(house)
    assert len(house.helpdesk.tickets) == 5


class MoodyWebhook(Webhook):
    """One of which somebody takes away, and gives back, what it needs to find a ticket."""

    fit = True

    def inspect(self) -> tuple[Phrase, ...]:
        return () if self.fit else (Phrase("helpdesk.webhook.lists_anything"),)


def test_a_helpdesk_that_is_not_fit_is_not_believed_that_a_ticket_is_lost(
    make_house: MakeHouse, clock: SteppingClock
) -> None:
    server = Helpdesk(clock.now)
    port = MoodyWebhook(options(server), clock.now)
    try:
        house = make_house(port=port)
        house.happen(builders.opened(builders.incident()))
        [ticket] = server.tickets
        ticket.reference, port.fit = "", False
        night(house)
        assert len(server.tickets) == 1
        # Mended, with its references: nothing was lost.
        ticket.reference, port.fit = REFERENCE, True
        house.wait(10 * MINUTE)
        assert len(server.tickets) == 1
        assert house.states("verify")[-1] == ("verify", DeliveryState.DONE)
    finally:
        server.close()


def test_what_a_person_merged_stays_merged(house: House) -> None:
    opened(house)
    body = TicketNoted(
        incident=builders.INCIDENT,
        reference=REFERENCE,
        key="9",
        deed="merged",
        author="ana",
        at=LATER,
        body="12",
    )
    house.queue(Entry(kind=Kind.TICKET_NOTED, moment=LATER, subject=builders.INCIDENT, body=body))
    house.helpdesk.tickets.clear()
    night(house)
    assert house.helpdesk.tickets == []


def test_a_ticket_of_another_helpdesk_is_left_alone(house: House) -> None:
    opened(house)
    with house.database.writing() as tx:
        tx.execute("UPDATE tickets SET helpdesk = 'desk'")
    house.helpdesk.tickets.clear()
    asked = len(house.helpdesk.asked)
    night(house)
    assert house.helpdesk.tickets == []
    assert len(house.helpdesk.asked) == asked


def test_a_helpdesk_that_is_away_at_night_is_asked_again(house: House) -> None:
    opened(house)
    house.helpdesk.tickets.clear()
    house.helpdesk.get_modes.extend(["500", "503", "hang"])
    night(house)
    assert len(house.helpdesk.tickets) == 1


def test_every_ticket_is_looked_at(house: House) -> None:
    names = [IncidentId(f"01JD9ZK3V8QW5R7T2M4N6P8S{number:02}") for number in range(5)]
    for name in names:
        whole = builders.incident(name)
        house.happen(builders.opened(whole), builders.resolved(whole, LATER))
    del house.helpdesk.tickets[1:4]
    assert night(house) == 5
    assert {ticket.reference for ticket in house.helpdesk.tickets} == {
        reference_of(INSTALLATION, name) for name in names
    }
    assert house.results.count("lost") == 3
    assert webhook(house.helpdesk, house.clock).find(reference_of(INSTALLATION, names[2]))
