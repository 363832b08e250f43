"""`keyturn release`: the end of an old key, never sooner than it may."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from engine.access import KeyState
from engine.ledger.sqlite_making import open_sqlite_ledger
from engine.lifecycle import Observe
from engine.transitions import carry_out
from stacks.key_policy import RETENTION_SID
from tests.builders import ACTOR, CUSTOMER, REGION, VENDOR, declared_generations
from tests.cli.conftest import VENDOR as AS_VENDOR
from tests.cli.test_revoke import grants, rotated, statements, with_replicas
from tests.sandbox_fixtures import refused
from tests.tenant_keys import make_key

if TYPE_CHECKING:
    from tests.cli.conftest import Repository
    from tests.sandbox_fixtures import Account

OVERRIDE = ("--override-by", "Ada", "--override-reason", "looked in CloudTrail")


def declare(repository: Repository, days: int = 0) -> None:
    repository.declare(declared_generations(2) + f"retention_days: {days}\n")


def retired(repository: Repository) -> tuple[str, str]:
    """A tenant whose first generation is retired; its key is still enabled."""
    first, second = rotated(repository)
    assert repository.keyturn("confirm", "2", "--key-arn", second).exit_code == 0
    declare(repository)
    ended = repository.keyturn("retire", "1")
    assert ended.exit_code == 0, ended.err
    return first, second


def standing(repository: Repository) -> Any:
    return repository.keyturn("status", "--offline", "--json").document["generations"][0]["ledger"]


def events(repository: Repository) -> list[str]:
    return [entry["event"] for entry in repository.keyturn("history", "--json").document]


@pytest.mark.requirement("EKM-09")
@pytest.mark.requirement("EKM-17")
@pytest.mark.requirement("EKM-34")
def test_a_whole_end_retired_disabled_soaked_released_deleted(repository: Repository) -> None:
    first, _ = retired(repository)
    kms = repository.customer.kms
    with refused("AccessDeniedException"):  # the retention deny, until the key is released
        kms.schedule_key_deletion(KeyId=first, PendingWindowInDays=7)
    enabled = repository.keyturn("release", "1")
    assert enabled.exit_code == 1
    assert "last seen Enabled, not Disabled" in enabled.err
    kms.disable_key(KeyId=first)
    released = repository.keyturn("release", "1")
    assert released.exit_code == 0, released.err
    assert standing(repository) == "released"
    too_early = repository.keyturn("release", "1")
    assert too_early.exit_code == 1
    assert "is still Disabled" in too_early.err
    policy = {
        "Version": "2012-10-17",
        "Statement": [s for s in statements(repository, first) if s["Sid"] != RETENTION_SID],
    }
    kms.put_key_policy(KeyId=first, PolicyName="default", Policy=json.dumps(policy))
    kms.schedule_key_deletion(KeyId=first, PendingWindowInDays=7)
    deleted = repository.keyturn("release", "1")
    assert deleted.exit_code == 0, deleted.err
    assert standing(repository) == "deleted"
    kept = [name for name in events(repository) if name in {"retired", "observed", "released", "deleted"}]
    assert kept == ["retired", "observed", "observed", "released", "observed", "deleted"]
    assert repository.keyturn("run", "restore", "--to", "restored", "--vendor-profile", "vendor").exit_code == 0


@pytest.mark.requirement("EKM-17")
def test_the_soak_begins_with_the_first_look_at_the_disabled_key(repository: Repository) -> None:
    first, _ = retired(repository)
    declare(repository, days=7)
    repository.customer.kms.disable_key(KeyId=first)
    ended = repository.keyturn("release", "1")
    assert ended.exit_code == 1
    assert f"recorded: the key of generation 1 is {KeyState.DISABLED.value}" in ended.err
    assert "7 days after it was seen disabled" in ended.err
    before = repository.ledger_state()
    assert repository.keyturn("release", "1", *OVERRIDE).exit_code == 1  # time is nothing that a person can answer for
    assert repository.ledger_state() == before


@pytest.mark.requirement("EKM-17")
def test_a_failed_attempt_to_use_the_disabled_key_keeps_it(repository: Repository, vendor: Account) -> None:
    first, _ = retired(repository)
    declare(repository, days=7)
    repository.customer.kms.disable_key(KeyId=first)
    assert repository.keyturn("release", "1").exit_code == 1
    with refused("DisabledException"):
        vendor.kms.encrypt(KeyId=first, Plaintext=b"still here")
    declare(repository)
    before = repository.ledger_state()
    for extra in ((), OVERRIDE):
        ended = repository.keyturn("release", "1", *extra)
        assert ended.exit_code == 1
        assert "1 attempts to use the disabled key were seen" in ended.err
        assert "Encrypt by arn:aws:" in ended.err
    assert repository.ledger_state() == before


def test_a_soak_that_is_longer_than_cloudtrails_history_is_told_to_be_known_in_part(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = retired(repository)
    repository.customer.kms.disable_key(KeyId=first)
    monkeypatch.setattr("engine.kms.attempts.HISTORY", timedelta(hours=1))
    ended = repository.keyturn("release", "1")
    assert ended.exit_code == 0
    assert "tells of failed attempts since" in ended.err


@pytest.mark.requirement("EKM-17")
def test_a_use_before_it_was_retired_does_not_keep_a_key_that_was_once_seen_disabled(
    repository: Repository, vendor: Account
) -> None:
    first, second = rotated(repository)
    with closing(open_sqlite_ledger(repository.folder / ".keyturn" / "ledger.db")) as ledger:
        carry_out(ledger, Observe(1, KeyState.DISABLED), ACTOR, datetime.now(UTC))  # as before a recovery kept it again
    vendor.kms.encrypt(KeyId=first, Plaintext=b"still here")
    assert repository.keyturn("confirm", "2", "--key-arn", second).exit_code == 0
    declare(repository)
    assert repository.keyturn("retire", "1").exit_code == 0
    repository.customer.kms.disable_key(KeyId=first)
    ended = repository.keyturn("release", "1")
    assert ended.exit_code == 0, ended.err


@pytest.mark.requirement("EKM-17")
def test_a_key_that_was_enabled_and_used_between_two_looks_is_kept_until_it_soaks_anew(
    repository: Repository, vendor: Account
) -> None:
    first, _ = retired(repository)
    declare(repository, days=7)
    kms = repository.customer.kms
    kms.disable_key(KeyId=first)
    assert repository.keyturn("release", "1").exit_code == 1
    kms.enable_key(KeyId=first)
    vendor.kms.encrypt(KeyId=first, Plaintext=b"still here")
    kms.disable_key(KeyId=first)
    declare(repository)
    before = repository.ledger_state()
    for extra in ((), OVERRIDE):
        ended = repository.keyturn("release", "1", *extra)
        assert ended.exit_code == 1
        assert "it was enabled again since it was seen disabled" in ended.err
    assert repository.ledger_state() == before
    kms.enable_key(KeyId=first)
    assert repository.keyturn("release", "1").exit_code == 1
    kms.disable_key(KeyId=first)
    assert repository.keyturn("release", "1").exit_code == 0


@pytest.mark.requirement("EKM-17")
def test_where_cloudtrail_cannot_be_asked_a_person_answers_for_it(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = retired(repository)
    repository.customer.kms.disable_key(KeyId=first)
    monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDTRAIL", "http://127.0.0.1:9")
    ended = repository.keyturn("release", "1")
    assert ended.exit_code == 1
    assert "CloudTrail does not tell" in ended.err
    assert "nobody looked for failed attempts" in ended.err
    assert standing(repository) == "retired"
    assert repository.keyturn("release", "1", *OVERRIDE[:2]).exit_code == 2
    assert repository.keyturn("release", "1", *OVERRIDE).exit_code == 0
    assert standing(repository) == "released"


@pytest.mark.requirement("EKM-33")
@pytest.mark.requirement("EKM-34")
def test_a_ledger_that_has_lost_a_data_key_lets_no_key_go(repository: Repository, tmp_path_factory: Any) -> None:
    _, second = rotated(repository)
    assert repository.keyturn("confirm", "2", "--key-arn", second).exit_code == 0
    declare(repository)
    with closing(sqlite3.connect(repository.folder / ".keyturn" / "ledger.db", isolation_level=None)) as ledger:
        assert ledger.execute("DELETE FROM data_keys").rowcount == 1
    before = repository.ledger_state()
    key = str(tmp_path_factory.mktemp("keys") / "evidence.pem")
    assert repository.keyturn("evidence", "new-key", key).exit_code == 0
    for command in (
        ("retire", "1"),
        ("evidence", "certificate", "1", "certificate.json", "--signing-key", key),
        ("status", "--evidence", "evidence.json", "--signing-key", key),
    ):
        ended = repository.keyturn(*command)
        assert ended.exit_code == 5, ended.err
        assert "the journal tells of 1 data keys, but the ledger has 0" in ended.err
    assert repository.ledger_state() == before
    assert not list(repository.folder.glob("*.json"))


@pytest.mark.requirement("EKM-33")
def test_a_key_that_was_used_after_the_rotation_was_complete_is_not_retired(
    repository: Repository, vendor: Account
) -> None:
    first, second = rotated(repository)
    assert repository.keyturn("confirm", "2", "--key-arn", second).exit_code == 0
    declare(repository)
    vendor.kms.encrypt(KeyId=first, Plaintext=b"somebody else's data")
    before = repository.ledger_state()
    for extra in ((), OVERRIDE):
        ended = repository.keyturn("retire", "1", *extra)
        assert ended.exit_code == 1
        assert "after the newer one was integrated" in ended.err
    assert repository.ledger_state() == before


def test_a_generation_that_is_not_retired_or_not_known_is_not_released(repository: Repository) -> None:
    repository.enabled()
    before = repository.ledger_state()
    for number, reason in (("1", "it is current, not retired"), ("9", "the ledger does not know it")):
        ended = repository.keyturn("release", number)
        assert ended.exit_code == 1
        assert reason in ended.err
    assert repository.ledger_state() == before


@pytest.mark.requirement("EKM-33")
def test_the_certificate_is_signed_once_it_is_true(repository: Repository, tmp_path_factory: Any) -> None:
    first, second = rotated(repository)
    key = str(tmp_path_factory.mktemp("apart") / "evidence.key")
    assert repository.keyturn("evidence", "new-key", key).exit_code == 0
    too_early = repository.keyturn("evidence", "certificate", "1", "certificate.json", "--signing-key", key)
    assert too_early.exit_code == 1
    assert "is not complete" in too_early.err
    assert not (repository.folder / "certificate.json").exists()
    assert repository.keyturn("confirm", "2", "--key-arn", second).exit_code == 0
    made = repository.keyturn("evidence", "certificate", "1", "certificate.json", "--signing-key", key, "--json")
    assert made.exit_code == 0, made.err
    assert (made.document["key_arn"], made.document["moved_to"], made.document["data_keys"]) == (first, 2, 1)
    document = json.loads((repository.folder / "certificate.json").read_text())
    assert document["statement"]["kind"] == "keyturn certificate 1"


@pytest.mark.requirement("EKM-34")
def test_the_newer_key_must_carry_over_the_vendors_access_and_the_grants_first(repository: Repository) -> None:
    first, second = rotated(repository)
    assert repository.keyturn("confirm", "2", "--key-arn", second).exit_code == 0
    declare(repository)
    kms = repository.customer.kms
    worker = f"arn:aws:iam::{CUSTOMER}:root"
    kms.create_grant(KeyId=first, GranteePrincipal=worker, Operations=["Decrypt"])
    kept = [statement for statement in statements(repository, second) if VENDOR not in json.dumps(statement)]
    policy = json.loads(kms.get_key_policy(KeyId=second, PolicyName="default")["Policy"])
    without = json.dumps({**policy, "Statement": kept})
    kms.put_key_policy(KeyId=second, PolicyName="default", Policy=without)
    for grant in grants(repository, second):
        kms.revoke_grant(KeyId=second, GrantId=grant["GrantId"])
    before = repository.ledger_state()
    ended = repository.keyturn("retire", "1", *OVERRIDE)
    assert ended.exit_code == 1
    assert "the vendor lacks Encrypt, Decrypt" in ended.err
    assert f"{worker} has no grant of Decrypt" in ended.err
    assert repository.ledger_state() == before
    kms.put_key_policy(KeyId=second, PolicyName="default", Policy=json.dumps(policy))
    kms.create_grant(KeyId=second, GranteePrincipal=worker, Operations=["Decrypt", "Encrypt"])
    ended = repository.keyturn("retire", "1")
    assert ended.exit_code == 0, ended.err


@pytest.mark.requirement("EKM-34")
def test_a_newer_key_without_the_older_ones_replicas_does_not_take_its_place(repository: Repository) -> None:
    first = with_replicas(repository, "eu-west-1", declared="[eu-west-1]")
    assert repository.keyturn("confirm", "1", "--key-arn", first, "--by", "Ada").exit_code == 0
    text = (repository.folder / "ekm.yaml").read_text() + "  - number: 2\n    multi_region: true\nretention_days: 0\n"
    second = make_key(repository.customer, repository.declare(text), 2, MultiRegion=True)
    assert repository.keyturn("rotate", "--to", "2", "--key-arn", second, *AS_VENDOR).exit_code == 0
    assert repository.keyturn("confirm", "2", "--key-arn", second, "--by", "Ada").exit_code == 0
    ended = repository.keyturn("retire", "1")
    assert ended.exit_code == 1
    assert "it has no replica in eu-west-1" in ended.err
    policy = repository.customer.kms.get_key_policy(KeyId=second, PolicyName="default")["Policy"]
    repository.customer.kms.replicate_key(KeyId=second, ReplicaRegion="eu-west-1", Policy=policy)
    ended = repository.keyturn("retire", "1")
    assert ended.exit_code == 0, ended.err
    # The retired key counts as disabled once its replica is, too.
    repository.customer.kms.disable_key(KeyId=first)
    enabled = repository.keyturn("release", "1")
    assert enabled.exit_code == 1
    assert "last seen Enabled, not Disabled" in enabled.err
    replica = first.replace(REGION, "eu-west-1")
    repository.customer.client("kms", "eu-west-1").disable_key(KeyId=replica)
    released = repository.keyturn("release", "1")
    assert released.exit_code == 0, released.err
