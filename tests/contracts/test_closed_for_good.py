"""A helpdesk may close a ticket so that nothing can be written to it any more, while its fault goes on."""

from __future__ import annotations

from monitor.journal.consequences import DeliveryState
from monitor.journal.entries import Reason
from tests.contracts.benches import Ground
from tests.contracts.conftest import Stand, build, fresh_reference
from tests.contracts.test_helpdesk_faults import MINUTE, Deliveries
from tests.servers.zendesk import ZendeskBench
from tests.tickets import builders


def test_a_fault_that_goes_on_gets_a_new_ticket_that_is_no_duplicate_of_the_former(ground: Ground) -> None:
    """The former ticket is found as well: neither does it stand for the new one, nor is the new one closed in its favour."""
    bench = ZendeskBench(ground)
    helpdesk = build("zendesk", bench.options, ground)
    house = Deliveries(Stand("zendesk", bench, helpdesk, ground, fresh_reference(ground)), helpdesk)
    house.wait(house.settled())
    assert house.known() == "1"
    bench.automation_closes("1")
    moment = ground.tools.now()
    house.queue(builders.updated(house.incident, Reason.JOINED, moment, builders.evidence("smtp")))
    house.wait(house.settled() + 20 * MINUTE)
    former, new = bench.zendesk.tickets
    assert (house.known(), former.status, new.status) == ("2", "closed", "new")
    house.queue(builders.resolved(house.incident, ground.tools.now()))
    house.wait(house.settled())
    assert {state for _, state in house.states()} == {DeliveryState.DONE}
    assert (former.status, new.status) == ("closed", "solved")
    assert former.external_id == new.external_id == house.reference
    assert len(former.audits) == 1
    assert "(1)" in bench.messages("2")[0][2]
    assert len(bench.zendesk.tickets) == 2
    bench.close()
