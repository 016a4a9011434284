"""What people do at the desk is shown with the incident, and to operators alone."""

from __future__ import annotations

from datetime import timedelta

from monitor.inventory import load
from monitor.station.office import Wanted, office_of
from monitor.station.reader import open_reader
from monitor.store import readings
from tests.cli.conftest import Installation, Vigia


def read_the_desk(installation: Installation) -> None:
    """Let the clerk go through all its duties once."""
    wanted = Wanted(
        configuration=load(installation.config, environment={}),
        database=installation.database,
        clock=installation.lookout.bureau.clock,
        installation="TESTHAUS",
    )
    office_of(wanted, on_result=lambda _: None, on_news=lambda: None).clerk.round()


def test_an_answer_at_the_desk_stands_in_the_private_timeline(
    vigia: Vigia, installation: Installation
) -> None:
    with installation.database.reading() as tx:
        [incident] = readings.open_incidents(tx)
    assert vigia("desk", "reply", 1, "Reinicio tcp", "--as", "ana", *installation.where).status == 0
    assert (
        vigia("desk", "reply", 1, "Disco lento", "--internal", "--as", "ben", *installation.where).status == 0
    )
    assert vigia("desk", "assign", 1, "ana", *installation.where).status == 0
    installation.lookout.clock.step(timedelta(minutes=1))
    for _ in range(2):
        read_the_desk(installation)
    shown = vigia("incident", "show", incident.id, *installation.where, "--json").document
    notes = [(note["deed"], note["author"], note["text"]) for note in shown["notes"]]
    assert ("answer", "ana", "Reinicio tcp") in notes
    assert ("note", "ben", "Disco lento") in notes
    assert [deed for deed, _, _ in notes].count("assigned") == 1
    assert shown["acknowledged"] is None
    printed = vigia("incident", "show", incident.id, *installation.where).out
    assert "Disco lento" in printed
    assert "ticket: assigned to ana  (" in printed
    assert printed.count("wrote") == 2
    reader = open_reader(installation.data)
    try:
        public = f"{reader.snapshot()}{reader.incident(incident.id)}"
    finally:
        reader.close()
    assert "Disco lento" not in public
    assert "Reinicio tcp" not in public
