"""A page redirects to one that fails: whoever has to mend it reads where the look was led, and customers do not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys import facts
from tests.journeys.house import House, Nginx, running, wait_for

pytestmark = [pytest.mark.journey, pytest.mark.system("nginx"), pytest.mark.timeout(300)]


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[Nginx]:
    """A page that leads to another by way of a third; what is there lies in a file."""
    folder = tmp_path / "nginx"
    folder.mkdir()
    server = Nginx(folder, more="location = / { return 302 /go; } location = /go { return 301 /panel.html; }")
    (folder / "panel.html").write_text("<title>sano</title>\n")
    server.start()
    yield server
    server.stop()


def test_where_redirects_led_is_kept_and_told_to_operators_alone(
    house: House, nginx: Nginx, tmp_path: Path
) -> None:
    places = [f"http://127.0.0.1:{nginx.port}/{page}" for page in ("go", "panel.html")]
    with running(house):
        wait_for(lambda: facts.is_up(house), what="the first green")
        (tmp_path / "nginx" / "panel.html").unlink()
        wait_for(lambda: facts.is_out(house), what="the outage")
        [ticket] = wait_for(lambda: house.vigia("desk", "list"), what="the ticket")
        [incident] = facts.incidents(house)

        failed = [look for look in facts.looks(house) if look.found == "404, expected 200"]
        assert list(failed[0].via) == places
        told = house.vigia("incident", "show", incident.id)["evidence"]
        assert [each["via"] for each in told] == [places]
        assert "\n".join(places) in ticket["messages"][0]["body"]
        for page in ("/", f"/incidents/{incident.id}", "/servers/gye1", "/history.rss"):
            shown = house.get(page)
            assert shown.ok
            assert "panel.html" not in shown.text
