"""A first start opens nothing before everything was looked at, and a directory that was put back asks before it sends (rule D14)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from monitor.actions import arm
from monitor.actions.desk import StoredDesk
from monitor.actions.letters import StoredLetters
from monitor.errors import RefusedError
from monitor.health.words import Status
from monitor.incidents.incident import Audience
from monitor.journal.consequences import Channel
from monitor.journal.entries import StationArmed
from monitor.store import readings, schema
from monitor.store.database import Database
from monitor.tickets import KINDS
from monitor.tickets.desk import DESK, DeskOptions
from monitor.tickets.port import Helpdesk as Port
from monitor.tickets.port import HelpdeskTools
from tests.actions.builders import MINUTE, Lookout
from tests.actions.conftest import webhook
from tests.actions.stations import Station
from tests.conftest import SteppingClock
from tests.servers.helpdesk import Helpdesk

SECOND = timedelta(seconds=1)
GOLDEN = Path(__file__).parents[1] / "golden/journals"
OTHERS = ("gye1/smtp ok", "gye1/tls ok", "gye1/disk ok", "uio1/http ok", "uio1/tcp ok")


class NewLookout(Lookout):
    """One that begins as a new installation does."""

    ARMS = False


@pytest.fixture
def fresh(tmp_path: Path, clock: SteppingClock) -> Iterator[NewLookout]:
    made = NewLookout(Database.open(tmp_path / "vigia.db", owner=True), clock)
    yield made
    made.database.close()


def armed(lookout: Lookout) -> list[StationArmed]:
    return [entry.body for entry in lookout.entries() if isinstance(entry.body, StationArmed)]


def test_nothing_is_opened_before_everything_was_looked_at_once(fresh: NewLookout):
    fresh.see("gye1/http down", times=3)
    fresh.bureau.keep_house()
    assert fresh.status() is Status.MAJOR_OUTAGE or fresh.status() is Status.PARTIAL_OUTAGE
    assert fresh.incidents() == []
    fresh.see(*OTHERS[:-1])
    fresh.bureau.keep_house()
    assert (fresh.incidents(), armed(fresh)) == ([], [])
    fresh.see(OTHERS[-1])
    fresh.bureau.keep_house()
    assert armed(fresh) == [StationArmed(early=False)]
    incident = fresh.incident()
    assert incident.started_at < incident.opened_at
    assert fresh.told().count("create") == 1
    fresh.bureau.keep_house()
    assert len(armed(fresh)) == 1


def test_a_check_that_is_never_looked_at_holds_nobody_up_for_longer_than_its_turn(fresh: NewLookout):
    fresh.see("gye1/http down", times=3)
    fresh.wait(MINUTE + 10 * SECOND - 3 * 15 * SECOND - SECOND, every=SECOND)
    assert fresh.incidents() == []
    fresh.wait(2 * SECOND, every=SECOND)
    assert fresh.incident().open


def test_matters_of_the_staff_wait_as_well(fresh: NewLookout):
    fresh.see("gye1/tls ending", times=3)
    assert fresh.incidents() == []
    fresh.see("gye1/http ok", *OTHERS)
    fresh.bureau.keep_house()
    (matter,) = fresh.incidents()
    assert matter.audience is Audience.OPERATORS


def test_a_restart_before_the_round_is_over_goes_on_with_it(fresh: NewLookout):
    fresh.see("gye1/http down", times=2)
    again = fresh.restart()
    again.see("gye1/http down", times=2)
    again.bureau.keep_house()
    assert again.incidents() == []
    again.see(*OTHERS)
    again.bureau.keep_house()
    assert again.incident().open
    once_more = again.restart()
    assert not once_more.bureau.picture.learning
    once_more.database.close()


def test_a_person_ends_it_while_watch_works(fresh: NewLookout):
    fresh.see("gye1/http down", times=3)
    with fresh.database.writing() as tx:
        assert arm.arm(tx, "ana", fresh.clock.now()) == 0
    fresh.bureau.keep_house()
    assert fresh.incident().open
    assert armed(fresh) == [StationArmed(early=True)]
    with fresh.database.writing() as tx, pytest.raises(RefusedError, match="armed already"):
        arm.arm(tx, "ana", fresh.clock.now())


def test_a_directory_of_an_earlier_release_is_armed(database: Database):
    golden = json.loads((GOLDEN / "0.1.json").read_text())
    with database.writing() as tx:
        for table in schema.JOURNAL:
            columns = ", ".join("?" * len(golden[table][0]))
            tx.executemany(f"INSERT INTO {table} VALUES ({columns})", golden[table])  # noqa: S608 - names of ours
    with database.reading() as tx:
        assert not readings.is_learning(tx)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database.open(tmp_path / "other.db", owner=True)
    yield made
    made.close()


Begin = Callable[[str], Station]


@pytest.fixture
def desk(clock: SteppingClock) -> Iterator[Helpdesk]:
    server = Helpdesk(clock.now, lag=5 * SECOND)
    yield server
    server.close()


@pytest.fixture
def begin(tmp_path: Path, clock: SteppingClock, desk: Helpdesk) -> Iterator[Begin]:
    opened: list[Station] = []

    def one(name: str) -> Station:
        opened.append(Station(tmp_path / name, clock, lambda _: webhook(desk, clock)))
        return opened[-1]

    yield one
    for station in opened:
        station.database.close()


def test_a_copy_finds_the_ticket_that_the_original_opened(begin: Begin, desk: Helpdesk, tmp_path: Path):
    original = begin("here")
    original.lookout.see("gye1/http down", times=3)
    original.copy(tmp_path / "there")
    original.steps()
    copy = begin("there")
    copy.wait(MINUTE)
    assert len(desk.tickets) == 1
    assert copy.tickets() == original.tickets()
    # From then on it goes on with it.
    copy.lookout.see("gye1/http ok", times=2)
    copy.lookout.wait(6 * MINUTE)
    copy.wait(MINUTE)
    assert [ticket.status for ticket in desk.tickets] == ["closed"]
    assert desk.complaints == []


def test_a_copy_creates_what_nobody_has_created(begin: Begin, desk: Helpdesk, tmp_path: Path):
    original = begin("here")
    original.lookout.see("gye1/http down", times=3)
    original.copy(tmp_path / "there")
    copy = begin("there")
    copy.steps()
    assert desk.tickets == []
    copy.wait(MINUTE)
    assert len(desk.tickets) == 1


def test_a_person_may_spare_the_copy_its_care(begin: Begin, desk: Helpdesk, tmp_path: Path):
    original = begin("here")
    original.lookout.see("gye1/http down", times=3)
    original.copy(tmp_path / "there")
    copy = begin("there")
    with copy.database.writing() as tx:
        assert arm.arm(tx, "ana", copy.clock.now()) >= 1
    copy.steps()
    assert len(desk.tickets) == 1


def test_a_restart_in_the_same_directory_is_no_restoration(begin: Begin, desk: Helpdesk):
    original = begin("here")
    original.lookout.see("gye1/http down", times=3)
    original.database.close()
    again = begin("here")
    again.steps()
    assert len(desk.tickets) == 1
    # Nothing was looked for before it was sent.
    assert desk.asked[0][0] == "create"


def test_a_backup_that_is_copied_back_in_place_is_known(begin: Begin, desk: Helpdesk, tmp_path: Path):
    original = begin("here")
    original.lookout.see("gye1/http down", times=3)
    backup = original.copy(tmp_path / "backup")
    original.database.close()
    later = begin("here")
    later.steps()
    later.database.close()
    # The same file with the content of before: its place in the file system tells nothing.
    (tmp_path / "here/vigia.db").write_bytes((backup / "vigia.db").read_bytes())
    restored = begin("here")
    restored.wait(MINUTE)
    assert len(desk.tickets) == 1


def test_a_copy_with_the_desk_in_it_has_one_ticket_of_its_own(tmp_path: Path, clock: SteppingClock):
    def port(database: Database) -> Port:
        tools = HelpdeskTools(
            book=StoredDesk(database, "https://e.test"),
            letters=StoredLetters(database),
            now=clock.now,
            page="https://e.test",
        )
        return KINDS[DESK.name].build(DeskOptions(), tools)

    original = Station(tmp_path / "here", clock, port)
    original.lookout.see("gye1/http down", times=3)
    original.copy(tmp_path / "there")
    copy = Station(tmp_path / "there", clock, port)
    copy.wait(2 * MINUTE)
    assert len(copy.tickets()) == 1
    with copy.database.reading() as tx:
        assert tx.rows("SELECT COUNT(*) FROM desk_tickets")[0][0] == 1
    assert copy.lookout.told(channel=Channel.TICKET) == ["create"]
    for station in (original, copy):
        station.database.close()
