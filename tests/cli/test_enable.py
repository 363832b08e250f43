"""`keyturn enable`: in the order of EKM-25, with an explicit agreement, and no way back."""

from __future__ import annotations

import json
import os
import pty
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tests.builders import DECLARATION, declared_generations, key_arn
from tests.cli.conftest import AGREEMENT, DIGEST, VENDOR, Repository


@pytest.mark.requirement("EKM-22")
@pytest.mark.requirement("EKM-23")
@pytest.mark.requirement("EKM-25")
@pytest.mark.requirement("EKM-27")
def test_a_key_is_validated_saved_agreed_to_and_enabled_in_this_order(repository: Repository) -> None:
    arn = repository.deploy(1)
    ended = repository.keyturn("enable", "--key-arn", arn, *AGREEMENT, *VENDOR)
    assert ended.exit_code == 0
    said = [line.split(":")[0] for line in ended.err.splitlines() if not line.startswith("  ")]
    assert said == ["validated", "saved", "enabled"]
    assert ended.out.splitlines()[:2] == ["External Cloud Key Management: Enabled", f"KMS key ARN: {arn}"]
    events = [entry["event"] for entry in repository.keyturn("history", "--json").document]
    assert events == ["created", "registered", "enabled", "rewrapped"]
    status = repository.keyturn("status").out
    assert "External Cloud Key Management: Enabled" in status
    assert f"KMS key ARN: {arn}" in status


@pytest.mark.requirement("EKM-26")
def test_who_agreed_to_which_terms_is_in_the_journal(repository: Repository) -> None:
    repository.enabled()
    (enabled,) = [e for e in repository.keyturn("history", "--json").document if e["event"] == "enabled"]
    assert (enabled["details"]["agreed_by"], enabled["details"]["terms_sha256"]) == ("Ada", DIGEST)
    assert enabled["identity"].startswith("arn:aws:iam::123456789012:")
    assert enabled["at"]


@pytest.mark.requirement("EKM-26")
@pytest.mark.parametrize("arguments", [(), ("--terms", "terms.txt")])
def test_without_an_agreement_the_key_stays_registered_and_nothing_is_enabled(
    repository: Repository, arguments: tuple[str, ...]
) -> None:
    arn = repository.deploy(1)
    ended = repository.keyturn("enable", "--key-arn", arn, *arguments)
    assert ended.exit_code == 1
    assert "not agreed to" in ended.err
    assert f"--agree-terms {DIGEST if arguments else 'SHA256'}" in ended.err
    assert "EKM-26" in ended.err
    status = repository.keyturn("status", "--offline", "--json").document
    assert status["external_cloud_key_management"] == "Disabled"
    assert status["generations"][0]["ledger"] == "registered"


def test_other_terms_than_those_agreed_to_are_refused_before_anything_happens(repository: Repository) -> None:
    arn = repository.deploy(1)
    ended = repository.keyturn(
        *("enable", "--key-arn", arn, "--terms", "terms.txt", "--agree-terms", "00" * 32, "--agreed-by", "Ada")
    )
    assert ended.exit_code == 3
    assert DIGEST in ended.err
    assert not repository.ledger_exists()


def test_yes_is_no_agreement(repository: Repository) -> None:
    assert repository.keyturn("enable", "--key-arn", str(key_arn(1)), "--yes").exit_code == 2
    assert not repository.ledger_exists()


@pytest.mark.requirement("EKM-03")
def test_before_druva_support_activated_the_account_enabling_is_refused_with_that_reason(
    repository: Repository,
) -> None:
    repository.declare(DECLARATION.replace("activated: true", "activated: false"))
    ended = repository.keyturn("enable", "--key-arn", repository.deploy(1), *AGREEMENT)
    assert ended.exit_code == 1
    assert "Druva Support has not activated" in ended.err
    assert "EKM-03" in ended.err
    assert not repository.ledger_exists()


@pytest.mark.requirement("EKM-24")
def test_a_key_that_fails_validation_saves_nothing(repository: Repository) -> None:
    arn = repository.deploy(1)
    repository.customer.kms.disable_key(KeyId=arn)
    ended = repository.keyturn("enable", "--key-arn", arn, *AGREEMENT)
    assert ended.exit_code == 1
    assert "its state is Disabled" in ended.err
    assert "nothing was saved" in ended.err
    assert not repository.ledger_exists()


@pytest.mark.requirement("EKM-07")
def test_a_key_outside_aws_is_refused_and_its_host_named(repository: Repository) -> None:
    ended = repository.keyturn("enable", "--key-arn", "projects/a/locations/eu/keyRings/r/cryptoKeys/k", *AGREEMENT)
    assert ended.exit_code == 3
    assert "Google Cloud KMS" in ended.err
    assert not repository.ledger_exists()


@pytest.mark.requirement("EKM-08")
def test_without_access_to_aws_it_is_said_so(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    arn = repository.deploy(1)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    ended = repository.keyturn("enable", "--key-arn", arn, *AGREEMENT)
    assert ended.exit_code == 4
    assert "UnrecognizedClientException" in ended.err
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    ended = repository.keyturn("enable", "--key-arn", arn, *AGREEMENT)
    assert ended.exit_code == 4
    assert "unavailable" in ended.err
    assert not repository.ledger_exists()


@pytest.mark.requirement("EKM-11")
def test_an_enabled_tenant_is_not_enabled_again(repository: Repository) -> None:
    repository.enabled()
    other = repository.deploy(1)
    before = repository.ledger_state()
    ended = repository.keyturn("enable", "--key-arn", other, *AGREEMENT)
    assert ended.exit_code == 1
    assert "already enabled" in ended.err
    assert "EKM-11" in ended.err
    assert repository.ledger_state() == before


def test_in_ci_a_local_ledger_is_refused_unless_it_is_asked_for(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    arn = repository.deploy(1)
    ended = repository.keyturn("enable", "--key-arn", arn, *AGREEMENT)
    assert ended.exit_code == 1
    assert "lost with this machine" in ended.err
    assert not repository.ledger_exists()
    assert repository.keyturn("enable", "--key-arn", arn, *AGREEMENT, "--local-ledger").exit_code == 0


@pytest.mark.requirement("EKM-12")
def test_data_keys_of_cloud_mode_move_to_the_first_key_and_need_the_vendor_for_it(repository: Repository) -> None:
    source = repository.folder / "tenant" / "teams" / "finance"
    source.mkdir(parents=True)
    (source / "plan.txt").write_text("the plan")
    backup = ("run", "backup", "--source", "tenant")
    assert repository.keyturn(*backup, *VENDOR).exit_code == 0
    assert repository.keyturn("status", "--offline", "--json").document["data_keys_under_service_key"] == 1
    arn = repository.deploy(1)
    refused = repository.keyturn("enable", "--key-arn", arn, *AGREEMENT)
    assert refused.exit_code == 1
    assert "EKM-12" in refused.err
    status = repository.keyturn("status", "--offline", "--json").document
    assert status["external_cloud_key_management"] == "Disabled"
    ended = repository.keyturn("enable", "--key-arn", arn, *AGREEMENT, *VENDOR, "--json")
    assert ended.document["moved"] == 1
    assert repository.keyturn("status", "--offline", "--json").document["data_keys_under_service_key"] == 0
    assert repository.keyturn("run", "restore", "--to", "restored").exit_code == 0
    assert (repository.folder / "restored" / "teams" / "finance" / "plan.txt").read_text() == "the plan"


def test_a_registered_key_may_be_replaced_before_the_agreement(repository: Repository) -> None:
    first, second = repository.deploy(1), repository.deploy(1)
    assert repository.keyturn("enable", "--key-arn", first).exit_code == 1
    assert repository.keyturn("enable", "--key-arn", second, *AGREEMENT).exit_code == 0
    assert repository.keyturn("status", "--offline", "--json").document["key_arn"] == second


@pytest.mark.requirement("EKM-21")
def test_a_keys_details_are_shown_for_the_alias(repository: Repository) -> None:
    arn = repository.enabled()
    repository.customer.kms.create_alias(AliasName="alias/northwind-ekm", TargetKeyId=arn)
    try:
        document = repository.keyturn("status", "--json").document["alias"]
        text = repository.keyturn("status").out
    finally:
        repository.customer.kms.delete_alias(AliasName="alias/northwind-ekm")
    assert document == {
        "name": "alias/northwind-ekm",
        "arn": arn,
        "status": "Enabled",
        "created": document["created"],
        "description": "generation 1",
        "regionality": "single Region",
        "origin": "AWS_KMS",
    }
    assert "regionality  single Region" in text


def test_a_status_without_aws_says_that_it_does_not_know(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.enabled()
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    ended = repository.keyturn("status", "--json")
    assert ended.exit_code == 0
    assert "unavailable" in ended.document["generations"][0]["key"]["status"]
    assert any("could not be looked at" in concern for concern in ended.document["concerns"])


def test_where_the_ledger_is_lost_enabling_does_not_advise_to_begin_anew(repository: Repository) -> None:
    repository.declare(declared_generations(2, current=2))
    ended = repository.keyturn("enable", "--key-arn", repository.deploy(1), *AGREEMENT)
    assert ended.exit_code == 3
    assert "there must have been one" in ended.err
    assert "keyturn ledger recover" in ended.err
    assert not repository.ledger_exists()


def test_a_lost_ledger_is_not_told_as_cloud_mode(repository: Repository) -> None:
    repository.declare(declared_generations(2, current=2))
    for command in (("status", "--offline"), ("run", "restore", "--to", "restored")):
        ended = repository.keyturn(*command)
        assert ended.exit_code == 3
        assert "there must have been one" in ended.err
        assert "Cloud Key Management" not in ended.out


def test_a_restore_of_a_tenant_of_which_there_is_nothing_makes_nothing(repository: Repository) -> None:
    ended = repository.keyturn("run", "restore", "--to", "restored")
    assert ended.exit_code == 3
    assert "was ever backed up" in ended.err
    assert sorted(path.name for path in repository.folder.iterdir()) == ["ekm.yaml", "terms.txt"]


@pytest.mark.requirement("EKM-25")
@pytest.mark.requirement("EKM-26")
@pytest.mark.parametrize(
    ("typed", "exit_code", "mode"),
    [("Yes, I Agree\nAda Lovelace\n", 0, "Enabled"), ("yes\n", 1, "Disabled"), ("Yes, I Agree\n\n", 1, "Disabled")],
)
def test_on_a_terminal_the_terms_are_shown_and_the_agreement_is_typed(
    repository: Repository, typed: str, exit_code: int, mode: str
) -> None:
    arn = repository.deploy(1)
    shown, code = on_a_terminal(repository, ["enable", "--key-arn", arn, "--terms", "terms.txt"], typed)
    assert code == exit_code, shown
    assert "There is no way back." in shown
    status = repository.keyturn("status", "--offline", "--json").document
    assert status["external_cloud_key_management"] == mode
    events = [entry["event"] for entry in repository.keyturn("history", "--json").document]
    assert events[1] == "registered"
    assert ("enabled" in events) is (mode == "Enabled")


def on_a_terminal(repository: Repository, arguments: list[str], typed: str) -> tuple[str, int]:
    """Run a command on a pseudo-terminal, type, and return what was shown and the exit code."""
    root = Path(__file__).resolve().parents[2]
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(repository.folder)
        os.execve(  # noqa: S606 - the command under test
            sys.executable, [sys.executable, "-m", "cli", *arguments], {**os.environ, "PYTHONPATH": str(root)}
        )
    os.write(terminal, typed.encode())
    shown = b""
    with suppress(OSError):  # a terminal whose program has ended reads as an error
        while chunk := os.read(terminal, 4096):
            shown += chunk
    _, status = os.waitpid(child, 0)
    os.close(terminal)
    return shown.decode(errors="replace"), os.waitstatus_to_exitcode(status)


@pytest.mark.requirement("EKM-19")
def test_the_key_policy_can_be_read_before_the_key_is_made(repository: Repository) -> None:
    ended = repository.keyturn("policy", "show", "1", "--json")
    sids = [statement["Sid"] for statement in ended.document["policy"]["Statement"]]
    assert "Allow use of the Key for Druva inSync" in sids
    assert [statement["sid"] for statement in ended.document["statements"]] == sids
    text = repository.keyturn("policy", "show", "1").out
    policy, _, explained = text.partition("\n\n")
    assert json.loads(policy)["Id"] == "key-consolepolicy-3"
    assert "during backups and restores" in explained
    vendor = next(entry for entry in ended.document["access"] if entry["principal"] == "Druva's account")
    assert {ability["what"]: ability["verdict"] for ability in vendor["abilities"]} == {
        "wrap and unwrap data keys": "yes",
        "see the key": "yes",
        "let AWS services use it": "yes",
        "disable and enable it": "no",
        "change its policy": "no",
        "schedule its deletion": "no",
    }
    assert "Who can do what" in explained
    assert repository.keyturn("policy", "show", "2").exit_code == 3
