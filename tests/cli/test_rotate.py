"""`keyturn rotate`, `confirm` and `retire`: forward only, and the old key never too early."""

from __future__ import annotations

import pytest

from tests.builders import declared_generations, key_arn
from tests.cli.conftest import VENDOR, Repository


def fill(repository: Repository, *names: str) -> None:
    for name in names:
        folder = repository.folder / "tenant" / "onedrive" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "notes.txt").write_text(f"of {name}")
    ended = repository.keyturn("run", "backup", "--source", "tenant", *VENDOR)
    assert ended.exit_code == 0, ended.err


def data_keys(repository: Repository) -> dict[int, int]:
    generations = repository.keyturn("status", "--offline", "--json").document["generations"]
    return {generation["number"]: generation["data_keys"] for generation in generations}


@pytest.mark.requirement("EKM-28")
@pytest.mark.requirement("EKM-32")
@pytest.mark.requirement("EKM-33")
@pytest.mark.requirement("EKM-36")
def test_every_data_key_moves_and_the_move_is_complete_when_the_console_is_confirmed(repository: Repository) -> None:
    repository.enabled()
    fill(repository, "anna", "bob")
    second = repository.with_second_generation()
    ended = repository.keyturn("rotate", "--to", "2", "--key-arn", second, *VENDOR, "--json")
    assert (ended.exit_code, ended.document["moved"], ended.document["complete"]) == (0, 2, False)
    assert data_keys(repository) == {1: 0, 2: 2}
    confirmed = repository.keyturn("confirm", "2", "--key-arn", second, "--by", "Ada", "--json")
    assert confirmed.document["integrated"] is True
    assert "generation 2 is fully integrated" in repository.keyturn("status", "--offline").out


@pytest.mark.requirement("EKM-31")
def test_a_key_that_fails_validation_leaves_the_old_one_in_force(repository: Repository) -> None:
    first = repository.enabled()
    fill(repository, "anna")
    second = repository.with_second_generation()
    repository.customer.kms.disable_key(KeyId=second)
    before = repository.ledger_state()
    ended = repository.keyturn("rotate", "--to", "2", "--key-arn", second, *VENDOR)
    assert ended.exit_code == 1
    assert "its state is Disabled" in ended.err
    assert repository.ledger_state() == before
    assert repository.keyturn("status", "--offline", "--json").document["key_arn"] == first
    assert repository.keyturn("run", "backup", "--source", "tenant", *VENDOR).exit_code == 0


@pytest.mark.requirement("EKM-30")
def test_a_tenant_that_is_not_enabled_cannot_rotate(repository: Repository) -> None:
    arn = repository.deploy(1)
    assert repository.keyturn("enable", "--key-arn", arn).exit_code == 1
    second = repository.with_second_generation()
    before = repository.ledger_state()
    ended = repository.keyturn("rotate", "--to", "2", "--key-arn", second)
    assert ended.exit_code == 1
    assert "EKM-30" in ended.err
    assert repository.ledger_state() == before


@pytest.mark.requirement("EKM-11")
def test_neither_an_earlier_generation_nor_a_used_key_comes_back(repository: Repository) -> None:
    first = repository.enabled()
    second = repository.with_second_generation()
    assert repository.keyturn("rotate", "--to", "2", "--key-arn", second, *VENDOR).exit_code == 0
    before = repository.ledger_state()
    repository.declare(declared_generations(3))
    for arguments in (("1", first), ("3", first), ("3", second), ("2", first)):
        ended = repository.keyturn("rotate", "--to", arguments[0], "--key-arn", arguments[1], *VENDOR)
        assert ended.exit_code == 1
        assert "EKM-11" in ended.err
    repository.declare(declared_generations(2))
    assert repository.ledger_state() == before


def test_a_key_of_an_undeclared_generation_is_refused(repository: Repository) -> None:
    repository.enabled()
    ended = repository.keyturn("rotate", "--to", "2", "--key-arn", str(key_arn(2)))
    assert ended.exit_code == 3
    assert "generation 2 is not declared" in ended.err


def test_an_interrupted_move_says_how_to_go_on_and_goes_on(repository: Repository) -> None:
    first = repository.enabled()
    fill(repository, "anna", "bob")
    second = repository.with_second_generation()
    repository.customer.kms.disable_key(KeyId=first)
    stopped = repository.keyturn("rotate", "--to", "2", "--key-arn", second, *VENDOR)
    assert stopped.exit_code == 4
    assert "`keyturn rotate --to 2` goes on" in stopped.err
    assert data_keys(repository) == {1: 2, 2: 0}
    repository.customer.kms.enable_key(KeyId=first)
    resumed = repository.keyturn("rotate", "--to", "2", *VENDOR)
    assert resumed.exit_code == 0
    assert "resuming the move to generation 2" in resumed.err
    assert data_keys(repository) == {1: 0, 2: 2}


@pytest.mark.requirement("EKM-35")
def test_what_was_stored_before_and_after_a_rotation_is_restored(repository: Repository) -> None:
    first = repository.enabled()
    fill(repository, "anna")
    second = repository.with_second_generation()
    assert repository.keyturn("rotate", "--to", "2", "--key-arn", second, *VENDOR).exit_code == 0
    fill(repository, "bob")
    repository.customer.kms.disable_key(KeyId=first)
    assert repository.keyturn("run", "restore", "--to", "restored", *VENDOR).exit_code == 0
    for name in ("anna", "bob"):
        assert (repository.folder / "restored" / "onedrive" / name / "notes.txt").read_text() == f"of {name}"


@pytest.mark.requirement("EKM-33")
def test_an_old_key_is_not_retired_before_everything_has_left_it(repository: Repository) -> None:
    repository.enabled()
    fill(repository, "anna")
    second = repository.with_second_generation()
    assert "it is the current one" in repository.keyturn("retire", "1").err
    assert repository.keyturn("rotate", "--to", "2", "--key-arn", second, *VENDOR).exit_code == 0
    before = repository.ledger_state()
    ended = repository.keyturn("retire", "1")
    assert ended.exit_code == 1
    assert "`keyturn confirm 2` is missing" in ended.err
    assert repository.ledger_state() == before
    assert repository.keyturn("confirm", "2", "--key-arn", second).exit_code == 0
    ended = repository.keyturn("retire", "1")
    assert ended.exit_code == 1
    assert "its key is retained until" in ended.err


@pytest.mark.requirement("EKM-34")
def test_an_old_key_on_which_nothing_depends_is_retired(repository: Repository) -> None:
    repository.enabled()
    fill(repository, "anna")
    second = repository.with_second_generation()
    assert repository.keyturn("rotate", "--to", "2", "--key-arn", second, *VENDOR).exit_code == 0
    assert repository.keyturn("confirm", "2", "--key-arn", second).exit_code == 0
    repository.declare(declared_generations(2) + "retention_days: 0\n")
    override = ("--override-by", "Ada", "--override-reason", "CloudTrail shows no use")
    assert repository.keyturn("retire", "1", *override[:2]).exit_code == 2
    ended = repository.keyturn("retire", "1", *override)
    assert ended.exit_code == 0, ended.err
    assert "generation 1 is retired" in ended.out
    (retired,) = [e for e in repository.keyturn("history", "--json").document if e["event"] == "retired"]
    assert retired["details"]["generation"] == 1


def test_a_confirmation_of_another_arn_is_refused(repository: Repository) -> None:
    repository.enabled()
    before = repository.ledger_state()
    ended = repository.keyturn("confirm", "1", "--key-arn", str(key_arn(9)), "--by", "Ada")
    assert ended.exit_code == 1
    assert "the console shows" in ended.err
    assert repository.ledger_state() == before


def test_a_vault_that_is_not_there_any_more_is_not_silently_replaced(repository: Repository) -> None:
    repository.enabled()
    fill(repository, "anna")
    vault = repository.folder / ".keyturn" / "vault"
    vault.rename(repository.folder / "elsewhere")
    second = repository.with_second_generation()
    for arguments in (
        ("run", "backup", "--source", "tenant", *VENDOR),
        ("run", "restore", "--to", "restored", *VENDOR),
    ):
        ended = repository.keyturn(*arguments)
        assert ended.exit_code == 3
        assert "there must have been one" in ended.err
        assert not vault.exists()
    before = repository.ledger_state()
    assert repository.keyturn("rotate", "--to", "2", "--key-arn", second, *VENDOR).exit_code == 3
    assert repository.ledger_state() == before


def test_a_rotation_that_the_rules_refuse_leaves_no_trace(repository: Repository) -> None:
    repository.deploy(1)
    second = repository.with_second_generation()
    assert repository.keyturn("rotate", "--to", "2", "--key-arn", second).exit_code == 3
    assert sorted(path.name for path in repository.folder.iterdir()) == ["ekm.yaml", "terms.txt"]


def test_the_alias_is_not_told_to_follow_before_the_rotation_is_complete(repository: Repository) -> None:
    repository.enabled()
    second = repository.with_second_generation()
    rotated = repository.keyturn("rotate", "--to", "2", "--key-arn", second, *VENDOR)
    assert "current: 2" not in rotated.out
    assert repository.keyturn("confirm", "2", "--key-arn", second).exit_code == 0
    assert "Set `current: 2`" in repository.keyturn("status", "--offline").out


def test_confirming_again_is_answered_with_what_is_recorded(repository: Repository) -> None:
    arn = repository.enabled()
    before = repository.ledger_state()
    ended = repository.keyturn("confirm", "1", "--key-arn", arn, "--by", "Bob")
    assert ended.exit_code == 0
    assert "says Ada" in ended.out
    assert repository.ledger_state() == before


@pytest.mark.parametrize("name", ["", "  ", "Ada\n99  retired", "Ad\x1b[2Ja", "A\udcff"])
def test_a_name_that_could_not_be_shown_is_a_usage_error(repository: Repository, name: str) -> None:
    arn = repository.enabled()
    second = repository.with_second_generation()
    assert repository.keyturn("rotate", "--to", "2", "--key-arn", second, *VENDOR).exit_code == 0
    before = repository.ledger_state()
    assert repository.keyturn("confirm", "2", "--key-arn", arn, "--by", name).exit_code == 2
    assert repository.ledger_state() == before


def test_a_rotation_that_is_complete_says_so_when_it_is_asked_for_again(repository: Repository) -> None:
    repository.enabled()
    second = repository.with_second_generation()
    assert repository.keyturn("rotate", "--to", "2", "--key-arn", second, *VENDOR).exit_code == 0
    assert repository.keyturn("confirm", "2", "--key-arn", second).exit_code == 0
    before = repository.ledger_state()
    for arguments in ((), ("--key-arn", second)):
        ended = repository.keyturn("rotate", "--to", "2", *arguments)
        assert ended.exit_code == 0, ended.err
        assert "nothing is left to move" in ended.out
    assert repository.keyturn("rotate", "--to", "2", "--json").document["complete"] is True
    assert repository.ledger_state() == before


def test_a_move_that_is_complete_with_another_key_than_the_declared_one_is_no_success(repository: Repository) -> None:
    first = repository.enabled()
    assert "the move to it was complete" in repository.keyturn("rotate", "--to", "1").out
    before = repository.ledger_state()
    text = (repository.folder / "ekm.yaml").read_text()
    repository.declare(text.replace("first key", f"first key\n    key_arn: {key_arn(7)}"))
    ended = repository.keyturn("rotate", "--to", "1")
    assert ended.exit_code == 1
    assert "EKM-11" in ended.err
    repository.declare(text.replace("first key", f"first key\n    key_arn: {first}"))
    assert repository.keyturn("rotate", "--to", "1").exit_code == 0
    repository.declare(text)
    assert repository.ledger_state() == before
