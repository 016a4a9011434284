"""A changed file is followed while the service runs: on its own, whole, and never by mistake."""

from __future__ import annotations

import pytest

from tests.journeys import facts
from tests.journeys.house import House, Nginx, running, wait_for

pytestmark = [pytest.mark.journey, pytest.mark.system("nginx"), pytest.mark.timeout(300)]

MORE = "  - {{id: {name}, name: {name}.nodored.com, group: hosting, host: 127.0.0.1, checks: [{{tcp: {port}}}]}}\n"


def test_a_change_is_followed_and_half_a_file_waits_for_a_person(house: House, nginx: Nginx) -> None:
    with running(house):
        wait_for(lambda: facts.is_up(house), what="the first green")
        good = house.config.read_text()
        whole = good + "".join(MORE.format(name=f"more{number}", port=nginx.port) for number in range(3))

        # The file that watch follows may be applied before anybody can ask.
        draft = house.config.with_name("draft.yaml")
        draft.write_text(whole)
        changes = house.vigia("plan", str(draft))["changes"]
        assert {change["name"] for change in changes} >= {"more0", "more1", "more2"}
        house.config.write_text(whole)
        wait_for(lambda: facts.is_up(house, "more2"), what="the added servers, without a word of anybody")
        assert house.vigia("plan")["changes"] == []

        house.config.write_text(good)
        wait_for(lambda: "vigia apply" in house.tail(), what="the refusal of a file that has lost servers")
        assert facts.knows(house, "more0")
        assert house.vigia("plan")["needs_apply"] is True
        wait_for(lambda: "vigia_configuration_valid 0.0" in house.get("/metrics").text, what="the metric")

        answer = house.vigia("apply")
        assert answer["applied"] is True
        assert {change["what"] for change in answer["changes"]} == {"retired"}
        wait_for(lambda: not facts.knows(house, "more0"), what="the retirement")
        assert facts.is_up(house)
        wait_for(lambda: "vigia_configuration_valid 1.0" in house.get("/metrics").text, what="the metric")


def test_resolver_policy_and_helpdesk_count_without_a_restart(house: House, nginx: Nginx) -> None:
    """A policy that refuses loopback stops the looks; lifted again, they go on, and nobody was told of a fault."""
    with running(house):
        wait_for(lambda: facts.is_up(house), what="the first green")
        good = house.config.read_text()
        house.config.write_text(good + "targets: {refuse: [loopback]}\n")
        wait_for(lambda: facts.looks(house)[-1].outcome == "unknown", what="looks that are not allowed")
        house.config.write_text(good)
        wait_for(lambda: facts.looks(house)[-1].outcome == "ok", what="looks that are allowed again")
        assert not facts.tickets(house)
        nginx.stop()
        wait_for(lambda: facts.tickets(house), what="the ticket")
