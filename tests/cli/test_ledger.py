"""`keyturn ledger`: a ledger is deleted, brought back, and every backup restored byte for byte."""

from __future__ import annotations

import shutil
import stat
from typing import TYPE_CHECKING

import pytest

from tests.builders import DECLARATION, declared_generations
from tests.cli.conftest import VENDOR
from tests.cli.test_rotate import fill
from tests.ledger_stores import KINDS, SqliteStore

if TYPE_CHECKING:
    from tests.cli.conftest import Repository
    from tests.ledger_stores import LedgerStore


@pytest.fixture(params=KINDS)
def kept(request: pytest.FixtureRequest, repository: Repository) -> LedgerStore:
    """A tenant whose ledger is of this kind; where it is."""
    if request.param == "sqlite_store":
        store: LedgerStore = SqliteStore(repository.folder / ".keyturn" / "ledger.db")
    else:
        store = request.getfixturevalue(request.param)
    repository.declare(f"{DECLARATION}ledger: {_declared(store)}\n")
    return store


def _declared(store: LedgerStore) -> str:
    return "sqlite:///.keyturn/ledger.db" if isinstance(store, SqliteStore) else store.declared


def rotate(repository: Repository, store: LedgerStore) -> str:
    repository.declare(f"{declared_generations(2)}ledger: {_declared(store)}\n")
    second = repository.deploy(2)
    ended = repository.keyturn("rotate", "--to", "2", "--key-arn", second, *VENDOR)
    assert ended.exit_code == 0, ended.err
    return second


def restored(repository: Repository) -> dict[str, str]:
    shutil.rmtree(repository.folder / "restored", ignore_errors=True)
    ended = repository.keyturn("run", "restore", "--to", "restored", *VENDOR)
    assert ended.exit_code == 0, ended.err
    top = repository.folder / "restored" / "onedrive"
    return {path.parent.name: path.read_text() for path in top.rglob("notes.txt")}


@pytest.mark.requirement("EKM-34")
@pytest.mark.requirement("EKM-35")
def test_a_deleted_ledger_is_recovered_from_the_vault_alone(repository: Repository, kept: LedgerStore) -> None:
    repository.enabled()
    fill(repository, "anna")
    second = rotate(repository, kept)
    fill(repository, "anna", "bob")
    kept.delete()
    lost = repository.keyturn("run", "restore", "--to", "restored", *VENDOR)
    assert lost.exit_code == 3
    assert "there must have been one" in lost.err
    ended = repository.keyturn("ledger", "recover", "--json")
    assert ended.exit_code == 0, ended.err
    assert (ended.document["from_vault"], ended.document["current"], ended.document["to_be_proved"]) == (2, 2, True)
    assert repository.keyturn("verify").exit_code == 0
    assert restored(repository) == {"anna": "of anna", "bob": "of bob"}
    assert repository.keyturn("retire", "1").exit_code == 1
    proved = repository.keyturn("rotate", "--to", "2", *VENDOR, "--json")
    assert (proved.exit_code, proved.document["moved"]) == (0, 2)
    confirmed = repository.keyturn("confirm", "2", "--key-arn", second, "--json")
    assert confirmed.document["integrated"] is True
    assert restored(repository) == {"anna": "of anna", "bob": "of bob"}


@pytest.mark.requirement("EKM-34")
def test_a_deleted_ledger_is_recovered_from_a_backup_and_what_the_vault_has_newer(
    repository: Repository, kept: LedgerStore
) -> None:
    repository.enabled()
    fill(repository, "anna")
    ended = repository.keyturn("ledger", "backup", "ledger.backup", "--json")
    assert ended.exit_code == 0, ended.err
    assert ended.document["data_keys"] == 1
    assert stat.S_IMODE((repository.folder / "ledger.backup").stat().st_mode) == 0o600
    rotate(repository, kept)
    fill(repository, "bob")
    kept.delete()
    ended = repository.keyturn("ledger", "recover", "--from", "ledger.backup")
    assert ended.exit_code == 0, ended.err
    assert "0 as in the backup, 2 newer ones from the vault" in ended.out
    assert "`keyturn rotate --to 2` proves" in ended.out
    events = [entry["event"] for entry in repository.keyturn("history", "--json").document]
    assert events[:3] == ["created", "registered", "enabled"]
    assert events[-1] == "recovered"
    assert repository.keyturn("verify").exit_code == 0
    assert restored(repository) == {"anna": "of anna", "bob": "of bob"}


@pytest.mark.requirement("EKM-11")
def test_where_only_data_keys_of_the_services_key_are_left_it_is_said_that_enabling_comes_first(
    repository: Repository,
) -> None:
    fill(repository, "anna")
    (repository.folder / ".keyturn" / "ledger.db").unlink()
    ended = repository.keyturn("ledger", "recover")
    assert ended.exit_code == 0, ended.err
    assert "if it was, `keyturn enable` comes next" in ended.out


def test_recovery_and_backup_overwrite_nothing(repository: Repository, kept: LedgerStore) -> None:
    repository.enabled()
    assert repository.keyturn("ledger", "backup", "ledger.backup").exit_code == 0
    content = (repository.folder / "ledger.backup").read_bytes()
    fill(repository, "anna")
    before = repository.keyturn("history", "--json").out
    for source in ((), ("--from", "ledger.backup")):
        ended = repository.keyturn("ledger", "recover", *source)
        assert ended.exit_code == 1
        assert "recovery never overwrites one" in ended.err
    assert repository.keyturn("history", "--json").out == before
    again = repository.keyturn("ledger", "backup", "ledger.backup")
    assert again.exit_code == 3
    assert (repository.folder / "ledger.backup").read_bytes() == content
    assert kept.open() is not None


def test_a_damaged_backup_recovers_nothing(repository: Repository) -> None:
    repository.enabled()
    fill(repository, "anna")
    assert repository.keyturn("ledger", "backup", "ledger.backup").exit_code == 0
    (repository.folder / ".keyturn" / "ledger.db").unlink()
    text = (repository.folder / "ledger.backup").read_text()
    (repository.folder / "ledger.backup").write_text(text.replace("Ada", "Eve"))
    ended = repository.keyturn("ledger", "recover", "--from", "ledger.backup")
    assert ended.exit_code == 5
    assert "is damaged" in ended.err
    assert not repository.ledger_exists()


@pytest.mark.requirement("EKM-34")
def test_a_vault_that_is_not_there_is_not_taken_for_one_with_nothing_newer(repository: Repository) -> None:
    repository.enabled()
    fill(repository, "anna")
    assert repository.keyturn("ledger", "backup", "ledger.backup").exit_code == 0
    fill(repository, "bob")
    (repository.folder / ".keyturn" / "ledger.db").unlink()
    vault = repository.folder / ".keyturn" / "vault"
    vault.rename(repository.folder / "unmounted")
    ended = repository.keyturn("ledger", "recover", "--from", "ledger.backup")
    assert ended.exit_code == 3
    assert "is its disk mounted?" in ended.err
    assert not repository.ledger_exists()
    assert not vault.exists()
    (repository.folder / "unmounted").rename(vault)
    assert repository.keyturn("ledger", "recover", "--from", "ledger.backup").exit_code == 0
    assert restored(repository) == {"anna": "of anna", "bob": "of bob"}
    proved = repository.keyturn("rotate", "--to", "1", *VENDOR, "--json")
    assert (proved.exit_code, proved.document["moved"], proved.document["complete"]) == (0, 2, True)


@pytest.mark.requirement("EKM-34")
def test_a_wrapped_data_key_in_the_vault_that_cannot_be_read_is_named_before_anything_is_made(
    repository: Repository,
) -> None:
    fill(repository, "anna", "bob")
    (repository.folder / ".keyturn" / "ledger.db").unlink()
    first, _ = sorted((repository.folder / ".keyturn" / "vault" / "keys").rglob("*.json"))
    first.write_bytes(b"nothing")
    ended = repository.keyturn("ledger", "recover")
    assert ended.exit_code == 5
    assert first.name in ended.err
    assert "bring them back from a copy of the vault" in ended.err
    assert not repository.ledger_exists()
    first.unlink()
    assert repository.keyturn("ledger", "recover", "--json").document["from_vault"] == 1


def test_without_vault_or_backup_there_is_nothing_to_recover_from(repository: Repository) -> None:
    ended = repository.keyturn("ledger", "recover")
    assert ended.exit_code == 3
    assert "nothing to recover from" in ended.err
    assert sorted(path.name for path in repository.folder.iterdir()) == ["ekm.yaml", "terms.txt"]


@pytest.mark.requirement("EKM-34")
def test_in_ci_a_ledger_on_this_machine_serves_only_where_that_is_said(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.enabled()
    second = repository.with_second_generation()
    monkeypatch.setenv("CI", "true")
    before = repository.ledger_state()
    rotation = ("rotate", "--to", "2", "--key-arn", second, *VENDOR)
    ended = repository.keyturn(*rotation)
    assert ended.exit_code == 1
    assert "CI is set and the ledger is a SQLite file" in ended.err
    assert repository.keyturn("enable", "--key-arn", second).exit_code == 1
    assert repository.ledger_state() == before
    assert repository.keyturn(*rotation, "--local-ledger").exit_code == 0
