"""What goes wrong with a file: another file, a damaged one, a locked one, one that cannot be written."""

from __future__ import annotations

import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.errors import DamagedError, InputError, MachineError
from engine.ledger import sqlite_connection
from engine.ledger.opening import open_ledger, open_or_create_ledger
from engine.ledger.sqlite_connection import connect
from engine.ledger.sqlite_making import create_sqlite_ledger, open_sqlite_ledger, restore_sqlite_ledger
from engine.ledger.sqlite_schema import STEPS, require_schema
from engine.ledger.verification import verify_data_keys, verify_journal
from engine.lifecycle import Register
from engine.transitions import carry_out
from tests.builders import ACTOR, DECLARATION, NOW, cloud_state, declaration, declared_generations, key_arn
from tests.engine.ledger.test_backup import backed_up
from tests.engine.ledger.test_ledger import data_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.ledger.interface import DataKey

ROOT = Path(__file__).resolve().parents[3]


def make(path: Path) -> None:
    create_sqlite_ledger(path, cloud_state(), ACTOR, NOW).close()


def test_a_ledger_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "ledger.db"
    make(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_missing_ledger_is_not_made_by_opening_it(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        open_sqlite_ledger(tmp_path / "ledger.db")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"not a database at all" * 100, b"SQLite format 3\x00" + bytes(200)])
def test_a_file_that_is_no_ledger_is_named_as_damaged_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(content)
    with pytest.raises(DamagedError):
        open_sqlite_ledger(path)
    assert path.read_bytes() == content


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE mine (a)")
    connection.close()
    with pytest.raises(DamagedError) as caught:
        open_sqlite_ledger(path)
    assert "not a ledger of Keyturn" in caught.value.message


def test_a_ledger_of_a_newer_version_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    make(path)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(InputError) as caught:
        open_sqlite_ledger(path)
    assert "schema version 99" in caught.value.message


def test_a_maker_that_is_killed_leaves_nothing_in_the_ledgers_place(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    program = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from engine.ledger import sqlite_making\n"
        "from tests.builders import ACTOR, NOW, cloud_state\n"
        "build = sqlite_making._build\n"
        "def killed(*arguments):\n"
        "    build(*arguments)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "sqlite_making._build = killed\n"
        "sqlite_making.create_sqlite_ledger(Path(sys.argv[1]), cloud_state(), ACTOR, NOW)\n"
    )
    result = subprocess.run([sys.executable, "-c", program, str(path)], check=False, cwd=ROOT)
    assert result.returncode == -signal.SIGKILL
    assert not path.exists()
    make(path)
    open_sqlite_ledger(path).close()


@pytest.mark.requirement("EKM-34")
def test_a_recovered_ledger_that_cannot_be_made_whole_is_told_and_not_put_into_place(tmp_path: Path) -> None:
    """What cannot leave the write-ahead log, because the disk is full or a reader keeps it, is not in the file."""
    with closing(create_sqlite_ledger(tmp_path / "ledger.db", cloud_state(), ACTOR, NOW)) as ledger:
        ledger.add_data_key(data_key(1), ACTOR, NOW)
        contents = backed_up(ledger, tmp_path / "ledger.backup")
    place = tmp_path / "recovered" / "ledger.db"
    readers = []

    def read_meanwhile() -> Iterator[DataKey]:
        reader = sqlite3.connect(next(place.parent.glob(".ledger.db.*.new")), isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM sqlite_master").fetchall()
        readers.append(reader)
        yield from contents.data_keys()

    with pytest.raises(MachineError, match="cannot be made"):
        restore_sqlite_ledger(place, replace(contents, data_keys=read_meanwhile))
    readers.pop().close()
    assert list(place.parent.iterdir()) == []
    restore_sqlite_ledger(place, contents)
    with closing(open_sqlite_ledger(place)) as again:
        assert verify_data_keys(again, verify_journal(again)) == 1


@pytest.mark.requirement("EKM-34")
def test_a_log_that_was_left_behind_is_not_taken_into_another_ledger(tmp_path: Path) -> None:
    """SQLite reads whatever log lies beside a file: one whose file was moved away would be written over the new one."""
    path = tmp_path / "ledger.db"
    log = path.with_name("ledger.db-wal")
    with closing(create_sqlite_ledger(path, cloud_state(), ACTOR, NOW)) as ledger:
        contents = backed_up(ledger, tmp_path / "ledger.backup")
        for number in range(1, 4):
            ledger.add_data_key(data_key(number), ACTOR, NOW)
        left_behind = log.read_bytes()  # as after a kill
    path.rename(tmp_path / "moved-away.db")
    log.write_bytes(left_behind)
    with pytest.raises(DamagedError, match="left behind by another ledger"):
        restore_sqlite_ledger(path, contents)
    with pytest.raises(DamagedError, match="left behind by another ledger"):
        create_sqlite_ledger(path, cloud_state(), ACTOR, NOW)
    assert not path.exists()
    assert log.read_bytes() == left_behind, "it holds the last changes of the ledger that was moved away"
    log.rename(tmp_path / "moved-away.db-wal")
    restore_sqlite_ledger(path, contents)
    with closing(open_sqlite_ledger(path)) as again:
        assert verify_data_keys(again, verify_journal(again)) == 0
    with closing(open_sqlite_ledger(tmp_path / "moved-away.db")) as moved:
        assert verify_data_keys(moved, verify_journal(moved)) == 3


def test_many_makers_at_once_end_with_one_whole_ledger(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from engine.ledger.opening import open_or_create_ledger\n"
        "from tests.builders import ACTOR, NOW, declaration\n"
        "folder = Path(sys.argv[1])\n"
        "open_or_create_ledger(declaration(), folder, ACTOR, NOW, vault_is_empty=True).close()\n"
    )
    for round_number in range(3):
        folder = tmp_path / str(round_number)
        arguments = [sys.executable, "-c", program, str(folder)]
        makers = [subprocess.Popen(arguments, cwd=ROOT, stderr=subprocess.PIPE, text=True) for _ in range(4)]
        for maker in makers:
            _, err = maker.communicate(timeout=180)
            assert maker.returncode == 0, err
        assert [path.name for path in (folder / ".keyturn").iterdir() if path.suffix == ".new"] == []


def test_a_head_that_was_altered_is_found(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    make(path)
    connection = sqlite3.connect(path)
    (state,) = connection.execute("SELECT state FROM head").fetchone()
    connection.execute("UPDATE head SET state = ?", (state.replace(b'"revoked":false', b'"revoked":true'),))
    connection.commit()
    connection.close()
    ledger = open_sqlite_ledger(path)
    with pytest.raises(DamagedError):
        ledger.head()
    ledger.close()


def test_a_ledger_that_another_process_keeps_locked_is_said_to_be_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_connection, "BUSY_MILLISECONDS", 50)
    path = tmp_path / "ledger.db"
    make(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    ledger = open_sqlite_ledger(path)
    with pytest.raises(MachineError) as caught:
        carry_out(ledger, Register(1, key_arn(1), activated=True), ACTOR, NOW)
    assert "locked by another process" in caught.value.message
    other.execute("ROLLBACK")
    other.close()
    assert ledger.head().state == cloud_state()
    ledger.close()


def test_a_flipped_byte_in_a_stored_entry_is_found(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    make(path)
    connection = sqlite3.connect(path)
    (raw,) = connection.execute("SELECT entry FROM journal").fetchone()
    connection.execute("UPDATE journal SET entry = ?", (raw.replace(b"northwind", b"southwind"),))
    connection.commit()
    connection.close()
    ledger = open_sqlite_ledger(path)
    with pytest.raises(DamagedError):
        ledger.head()
    ledger.close()


def test_a_ledger_of_another_tenant_is_refused(tmp_path: Path) -> None:
    path = tmp_path / ".keyturn" / "ledger.db"
    make(path)
    other = declaration(DECLARATION.replace("tenant: northwind", "tenant: southwind"))
    with pytest.raises(InputError) as caught:
        open_ledger(other, tmp_path)
    assert "'northwind'" in caught.value.message
    assert "'southwind'" in caught.value.message


@pytest.mark.parametrize(("text", "vault_is_empty"), [(declared_generations(2, current=2), True), (DECLARATION, False)])
def test_a_lost_ledger_is_not_replaced_by_a_new_one(tmp_path: Path, text: str, vault_is_empty: bool) -> None:
    with pytest.raises(InputError) as caught:
        open_or_create_ledger(declaration(text), tmp_path, ACTOR, NOW, vault_is_empty=vault_is_empty)
    assert "there must have been one" in caught.value.message
    assert not (tmp_path / ".keyturn").exists()


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "deep").write_text("a file where the folder would be")
    with pytest.raises(MachineError) as caught:
        make(tmp_path / "deep" / "ledger.db")
    assert "cannot be made" in caught.value.message


def in_a_folder_of_nobodys(program: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a program as a user without rights of its own, who may only do what permissions say."""
    prelude = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from engine.errors import MachineError\n"
        "from engine.ledger.sqlite_making import create_sqlite_ledger, open_sqlite_ledger\n"
        "from engine.lifecycle import Register\n"
        "from engine.transitions import carry_out\n"
        "from tests.builders import ACTOR, NOW, cloud_state, key_arn\n"
        "path = Path(sys.argv[1]) / 'ledger.db'\n"
        "register = Register(1, key_arn(1), activated=True)\n"
        "if os.geteuid() == 0:\n"
        "    os.setegid(65534)\n"
        "    os.seteuid(65534)\n"
    )
    arguments = [sys.executable, "-c", prelude + program, str(folder)]
    return subprocess.run(arguments, check=False, cwd=ROOT, capture_output=True, text=True)


SAY = "except MachineError as error:\n    print(error.message, error.exit_code)\n"


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    """A temporary folder that other users may enter; pytest's own may not be."""
    with tempfile.TemporaryDirectory(prefix="keyturn-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
        for inner in folder.rglob("*"):
            inner.chmod(0o755)


def test_a_ledger_that_may_not_be_written_is_said_and_left_as_it_is(open_to_all: Path) -> None:
    folder = open_to_all / "theirs"
    folder.mkdir()
    make(folder / "ledger.db")
    before = (folder / "ledger.db").read_bytes()
    (folder / "ledger.db").chmod(0o444)
    folder.chmod(0o555)
    program = "try:\n    carry_out(open_sqlite_ledger(path), register, ACTOR, NOW)\n" + SAY
    ended = in_a_folder_of_nobodys(program, folder)
    assert ended.returncode == 0, ended.stderr
    assert "cannot be opened for writing 6" in ended.stdout
    folder.chmod(0o755)
    assert (folder / "ledger.db").read_bytes() == before
    program = "try:\n    create_sqlite_ledger(path.parent / 'deep' / 'ledger.db', cloud_state(), ACTOR, NOW)\n" + SAY
    made = in_a_folder_of_nobodys(program, folder)
    assert "cannot be made: Permission denied 6" in made.stdout


def test_a_full_disk_is_said_and_nothing_changes(tmp_path: Path) -> None:
    """The disk is full for this process: its files may not grow further."""
    make(tmp_path / "ledger.db")
    program = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from engine.errors import MachineError\n"
        "from engine.ledger.sqlite_making import open_sqlite_ledger\n"
        "from tests.builders import ACTOR, NOW\n"
        "from tests.engine.ledger.test_ledger import data_key\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "ledger = open_sqlite_ledger(Path(sys.argv[1]))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "try:\n"
        "    for number in range(1000):\n"
        "        ledger.add_data_key(data_key(number), ACTOR, NOW)\n"
        "except MachineError as error:\n"
        "    print(number, error.message, error.exit_code)\n"
    )
    arguments = [sys.executable, "-c", program, str(tmp_path / "ledger.db")]
    ended = subprocess.run(arguments, check=False, cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    number, _, said = ended.stdout.partition(" ")
    assert "the disk" in said
    assert said.rstrip().endswith("6")
    ledger = open_sqlite_ledger(tmp_path / "ledger.db")
    verified = verify_journal(ledger)
    assert verify_data_keys(ledger, verified) == verified.data_keys == int(number)
    ledger.close()


def test_a_damaged_page_is_said_to_be_damaged(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    make(path)
    content = bytearray(path.read_bytes())
    content[4096:8192] = b"\xff" * 4096
    path.write_bytes(content)
    with pytest.raises(DamagedError) as caught:
        open_sqlite_ledger(path).head()
    assert "keyturn ledger recover" in (caught.value.hint or "")


NEXT = (*STEPS, ("ALTER TABLE data_keys ADD COLUMN note TEXT", "CREATE TABLE notes (note TEXT) STRICT"))


def schema(path: Path) -> tuple[int, int]:
    """The schema's version, and how many columns a data key has."""
    with closing(sqlite3.connect(path)) as connection:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        return version, len(connection.execute("PRAGMA table_info(data_keys)").fetchall())


def test_an_older_ledger_is_brought_up_to_date_with_a_copy_kept_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    ledger = create_sqlite_ledger(path, cloud_state(), ACTOR, NOW)
    ledger.add_data_key(data_key(1), ACTOR, NOW)
    with closing(connect(path)) as connection:
        copy = require_schema(connection, path, NEXT)
        assert require_schema(connection, path, NEXT) is None
    assert ledger.data_key(data_key(1).data_key_id) == data_key(1)
    ledger.close()
    assert schema(path) == (len(NEXT), 14)
    assert copy == tmp_path / f"ledger.db.schema-{len(STEPS)}"
    assert schema(copy) == (len(STEPS), 13)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    old = open_sqlite_ledger(copy)
    assert old.data_key(data_key(1).data_key_id) == data_key(1)
    old.close()
    assert sorted(found.name for found in tmp_path.iterdir()) == ["ledger.db", copy.name]


def test_a_ledger_of_the_first_schema_is_opened_and_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    ledger = create_sqlite_ledger(path, cloud_state(), ACTOR, NOW)
    ledger.add_data_key(data_key(1), ACTOR, NOW)
    ledger.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE newest_snapshots")
        connection.execute("PRAGMA user_version = 1")
    reopened = open_sqlite_ledger(path)
    assert reopened.data_key(data_key(1).data_key_id) == data_key(1)
    assert reopened.newest_snapshot(data_key(1).data_key_id) is None
    reopened.remember_snapshot(data_key(1).data_key_id, 1, "one")
    assert reopened.newest_snapshot(data_key(1).data_key_id) == "one"
    reopened.close()
    assert (tmp_path / "ledger.db.schema-1").exists()


def test_a_ledger_whose_update_fails_keeps_its_old_schema(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    make(path)
    failing = (*STEPS, ("ALTER TABLE data_keys ADD COLUMN note TEXT", "CREATE TABLE head (again TEXT) STRICT"))
    with closing(connect(path)) as connection, pytest.raises(sqlite3.OperationalError):
        require_schema(connection, path, failing)
    assert schema(path) == (len(STEPS), 13)
    open_sqlite_ledger(path).close()
