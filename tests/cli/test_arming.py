"""An operator ends the care of a first start."""

from __future__ import annotations

import shutil
from pathlib import Path

from monitor.store import readings
from monitor.store.database import Database
from tests.cli.conftest import Installation, Vigia


def test_a_new_directory_is_armed_once(vigia: Vigia, config: Path, tmp_path: Path):
    data = tmp_path / "new"
    data.mkdir()
    Database.open(data / "vigia.db", owner=True).close()
    answer = vigia("arm", "--author", "ana", "--config", config, "--data", data)
    assert (answer.status, answer.out) == (0, "Armed. Deliveries that are no longer looked up first: 0.\n")
    again = vigia("arm", "--config", config, "--data", data)
    assert again.status == 1
    assert "armed already" in again.err
    database = Database.open(data / "vigia.db", owner=False)
    with database.reading() as tx:
        assert not readings.is_learning(tx)
    database.close()
    shutil.rmtree(data)


def test_the_name_of_the_service_arms_nothing(vigia: Vigia, config: Path, tmp_path: Path):
    Database.open(tmp_path / "vigia.db", owner=True).close()
    answer = vigia("arm", "--author", "vigia", "--config", config, "--data", tmp_path)
    assert answer.status == 1
    assert "--author" in answer.err


def test_an_installation_at_work_is_armed_already(vigia: Vigia, installation: Installation):
    assert vigia("arm", *installation.where).status == 1


def test_the_doctor_names_looks_from_the_future(vigia: Vigia, installation: Installation):
    with installation.database.writing() as tx:
        tx.execute("UPDATE hot SET started_ms = started_ms + 86400000")
    answer = vigia("doctor", *installation.where)
    assert "dated in the future" in answer.out
