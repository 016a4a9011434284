"""The file: how it is opened, who may write, and what its troubles are called."""

from __future__ import annotations

import stat
import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlite_utils import Database as Plain

from monitor.errors import BusyError, SchemaError, StoreError
from monitor.store.database import Database, engine


@pytest.fixture
def other(database: Database) -> Iterator[Database]:
    """The same file as web opens it, with little patience."""
    opened = Database.open(database.path, owner=False, busy_timeout=timedelta(milliseconds=50))
    yield opened
    opened.close()


def beats(database: Database) -> list[str]:
    with database.reading() as tx:
        return [row["name"] for row in tx.rows("SELECT name FROM beats ORDER BY name")]


def add(database: Database, name: str) -> None:
    with database.writing() as tx:
        tx.execute("INSERT INTO beats VALUES (?, 1)", (name,))


def test_the_engine_is_one_without_the_reset_bug():
    assert engine().name == "pysqlite3"
    assert engine().safe
    assert tuple(map(int, engine().version.split("."))) >= (3, 51, 3)


def test_nobody_else_may_read_the_file_or_its_companions(database):
    add(database, "watch")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in database.path.parent.iterdir()}
    assert modes == dict.fromkeys(("vigia.db", "vigia.db-wal", "vigia.db-shm"), 0o600)


def test_every_connection_syncs_each_commit_and_holds_references(database, other):
    for opened in (database, other):
        with opened.writing() as tx:
            assert tx.rows("PRAGMA synchronous")[0][0] == 2
            assert tx.rows("PRAGMA foreign_keys")[0][0] == 1
            assert tx.rows("PRAGMA journal_mode")[0][0] == "wal"


def test_only_the_owner_checkpoints(database, other):
    with database.reading() as mine, other.reading() as theirs:
        assert mine.rows("PRAGMA wal_autocheckpoint")[0][0] == 1000
        assert theirs.rows("PRAGMA wal_autocheckpoint")[0][0] == 0
    with pytest.raises(StoreError, match="only the owner"):
        other.checkpoint()


def test_a_checkpoint_moves_the_log_into_the_file(database):
    add(database, "watch")
    assert database.size().wal > 0
    database.checkpoint()
    assert database.size().wal == 0
    assert beats(database) == ["watch"]


def test_a_second_opening_by_the_owner_keeps_what_is_there(database):
    add(database, "watch")
    database.close()
    again = Database.open(database.path, owner=True)
    assert beats(again) == ["watch"]
    assert again.integrity() == "ok"
    again.close()


def test_a_missing_file_is_refused_with_the_command_that_makes_it(tmp_path):
    with pytest.raises(SchemaError, match="start `vigia run` or `vigia watch` once"):
        Database.open(tmp_path / "vigia.db", owner=False)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_file_is_older_than_this_program(tmp_path):
    path = tmp_path / "vigia.db"
    path.touch()
    with pytest.raises(SchemaError, match="older than this program"):
        Database.open(path, owner=False)


@pytest.mark.parametrize("owner", [True, False])
def test_the_database_of_another_program_is_left_alone(tmp_path, owner):
    path = tmp_path / "vigia.db"
    plain = Plain(path)
    plain["songs"].insert({"title": "Vasija de barro"})
    plain.close()
    before = path.read_bytes()
    with pytest.raises(SchemaError, match="another program"):
        Database.open(path, owner=owner)
    assert path.read_bytes() == before


@pytest.mark.parametrize("owner", [True, False])
def test_a_file_that_is_no_database_is_left_alone(tmp_path, owner):
    path = tmp_path / "vigia.db"
    path.write_text("a diary, and a long one " * 200)
    with pytest.raises(SchemaError, match="no SQLite database"):
        Database.open(path, owner=owner)
    assert path.read_text().startswith("a diary")


@pytest.mark.parametrize("owner", [True, False])
def test_the_file_of_a_newer_program_is_refused_by_name(database, owner):
    database.close()
    plain = Plain(database.path)
    plain["_sqlite_migrations"].insert(
        {"migration_set": "vigia", "name": "9.0 the palace", "applied_at": "x"}
    )
    plain.close()
    with pytest.raises(SchemaError, match=r"newer program \(9\.0 the palace\)"):
        Database.open(database.path, owner=owner)


def test_a_damaged_file_is_not_taken_into_service(database):
    with database.writing() as tx:
        tx.executemany("INSERT INTO beats VALUES (?, 1)", [(f"{number:05}" * 20,) for number in range(2000)])
    database.checkpoint()
    database.close()
    content = bytearray(database.path.read_bytes())
    content[-40 * 4096 : -20 * 4096] = b"\xff" * (20 * 4096)
    database.path.write_bytes(content)
    with pytest.raises(StoreError, match=r"damaged .*: keep a copy of it and restore the last backup"):
        Database.open(database.path, owner=True)


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(StoreError, match=r"cannot create .*missing/vigia\.db: No such file"):
        Database.open(tmp_path / "missing" / "vigia.db", owner=True)


def test_what_raises_inside_a_transaction_leaves_nothing(database):
    def fail_half_way() -> None:
        with database.writing() as tx:
            tx.execute("INSERT INTO beats VALUES ('watch', 1)")
            _ = 1 / 0

    with pytest.raises(ZeroDivisionError):
        fail_half_way()
    assert beats(database) == []
    add(database, "later")
    assert beats(database) == ["later"]


def test_a_full_disk_is_an_error_of_the_store_and_passes(database):
    pages = database._writer.execute("PRAGMA page_count").fetchone()[0]
    database._writer.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreError, match="full") as caught, database.writing() as tx:
        tx.executemany(
            "INSERT INTO beats VALUES (?, 1)", [("x" * 5000 + str(number),) for number in range(50)]
        )
    assert not isinstance(caught.value, BusyError)
    assert beats(database) == []
    database._writer.execute("PRAGMA max_page_count = 1000000")
    add(database, "later")
    assert beats(database) == ["later"]


def test_the_engines_refusal_leaves_as_an_error_of_ours(database):
    add(database, "watch")
    with pytest.raises(StoreError, match="refused: UNIQUE"), database.writing() as tx:
        tx.executemany("INSERT INTO beats VALUES (?, 1)", [("web",), ("watch",)])
    assert beats(database) == ["watch"]


def test_a_reading_transaction_does_not_write(database):
    with database.reading() as tx, pytest.raises(StoreError, match="reading"):
        tx.execute("INSERT INTO beats VALUES ('watch', 1)")
    with database.reading() as tx, pytest.raises(StoreError, match="reading"):
        tx.executemany("INSERT INTO beats VALUES (?, 1)", [("watch",)])
    assert beats(database) == []


def test_a_reader_sees_one_picture_while_others_write(database, other):
    with other.reading() as tx:
        assert tx.row("SELECT 1 FROM beats") is None
        add(database, "watch")
        assert tx.row("SELECT 1 FROM beats") is None
    assert beats(other) == ["watch"]


def test_readers_do_not_wait_for_a_writer(database, other):
    with database.writing() as tx:
        tx.execute("INSERT INTO beats VALUES ('watch', 1)")
        assert beats(other) == []
        assert beats(database) == []


def test_a_database_held_elsewhere_is_busy_and_nothing_is_lost(database, other):
    with database.writing() as tx:
        tx.execute("INSERT INTO beats VALUES ('watch', 1)")
        with pytest.raises(BusyError, match="another process"):
            add(other, "web")
    add(other, "web")
    assert beats(database) == ["watch", "web"]


def test_threads_of_one_process_write_one_after_the_other(database):
    failures: list[BaseException] = []

    def write(name: str) -> None:
        try:
            for number in range(20):
                add(database, f"{name}{number}")
        except BaseException as error:  # noqa: BLE001 - told to the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(beats(database)) == 80


def test_versions_tell_who_committed(database, other):
    any_commit, outside = database.data_version(), database.outside_version()
    add(database, "watch")
    assert database.data_version() != any_commit
    assert database.outside_version() == outside
    add(other, "web")
    assert database.outside_version() != outside


def test_versions_stay_while_nothing_happens(database, other):
    seen = database.data_version(), other.data_version(), database.outside_version()
    beats(database), beats(other)
    assert (database.data_version(), other.data_version(), database.outside_version()) == seen


def test_a_backup_is_whole_while_others_write(database, tmp_path):
    add(database, "before")
    with database.writing() as tx:
        tx.execute("INSERT INTO beats VALUES ('half way', 1)")
        database.backup(tmp_path / "copy.db")
    copy = Database.open(tmp_path / "copy.db", owner=True)
    assert beats(copy) == ["before"]
    assert copy.integrity() == "ok"
    copy.close()


def test_a_backup_never_overwrites(database, tmp_path):
    (tmp_path / "copy.db").write_text("yesterday's")
    with pytest.raises(StoreError, match="exists already"):
        database.backup(tmp_path / "copy.db")
    assert (tmp_path / "copy.db").read_text() == "yesterday's"


def test_a_closed_database_says_so(database):
    database.close()
    with pytest.raises(StoreError, match="closed"), database.reading():
        pass
    with pytest.raises(StoreError, match="closed"), database.writing():
        pass
    with pytest.raises(StoreError, match="closed"):
        database.data_version()


def test_closing_waits_for_nobody_who_reads(database):
    with database.reading() as tx:
        database.close()
        assert tx.rows("SELECT 1")[0][0] == 1
