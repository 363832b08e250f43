"""A revocation, an outage, throttling, an altered record and a wrong key: each is told as what it is."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING

import pytest

from engine.jobs.patience import Patience
from tests.cli.conftest import VENDOR, Repository
from tests.cli.test_revoke import grants, statements
from tests.cli.test_rotate import fill

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.sandbox import Sandbox

FAULTS = {
    "throttled": "throttle kms:GenerateDataKey kms:Decrypt",
    "unavailable": "error kms:GenerateDataKey kms:Decrypt status=500 code=KMSInternalException",
}


def take_policy_away(repository: Repository, arn: str) -> None:
    kept = [s for s in statements(repository, arn) if "210987654321" not in json.dumps(s["Principal"])]
    policy = json.dumps({"Version": "2012-10-17", "Statement": kept})
    repository.customer.kms.put_key_policy(KeyId=arn, PolicyName="default", Policy=policy)
    for grant in grants(repository, arn):
        repository.customer.kms.revoke_grant(KeyId=arn, GrantId=grant["GrantId"])


def schedule_deletion(repository: Repository, arn: str) -> None:
    allowed = [statement for statement in statements(repository, arn) if statement["Effect"] == "Allow"]
    policy = json.dumps({"Version": "2012-10-17", "Statement": allowed})
    repository.customer.kms.put_key_policy(KeyId=arn, PolicyName="default", Policy=policy)
    repository.customer.kms.schedule_key_deletion(KeyId=arn, PendingWindowInDays=7)


def disable(repository: Repository, arn: str) -> None:
    repository.customer.kms.disable_key(KeyId=arn)


def alter_record(repository: Repository, arn: str) -> None:
    assert arn
    with sqlite3.connect(repository.folder / ".keyturn" / "ledger.db") as ledger:
        ledger.execute("UPDATE data_keys SET ciphertext = ?", (b"altered" * 20,))


@pytest.mark.requirement("EKM-10")
@pytest.mark.parametrize(
    ("cause", "told"),
    [
        (disable, "revoked"),
        (schedule_deletion, "revoked"),
        (take_policy_away, "revoked"),
        (alter_record, "tampered"),
    ],
)
def test_what_was_done_to_a_key_or_a_record_is_told_as_that(
    repository: Repository, cause: Callable[[Repository, str], None], told: str
) -> None:
    arn = repository.enabled()
    fill(repository, "anna")
    cause(repository, arn)
    ended = repository.keyturn("run", "restore", "--to", "restored", *VENDOR)
    assert ended.exit_code in {4, 5}
    assert f"failed: {told}" in ended.err
    assert not list((repository.folder / "restored").rglob("notes.txt"))


@pytest.mark.parametrize("told", FAULTS)
def test_an_outage_or_throttling_is_never_told_as_a_revocation(
    repository: Repository, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, told: str
) -> None:
    repository.enabled()
    fill(repository, "anna")
    monkeypatch.setattr(Patience.__init__, "__defaults__", ((),))  # a job waits for KMS longer than a test should
    with sandbox.faults.during(FAULTS[told]):
        ended = repository.keyturn("run", "restore", "--to", "restored", *VENDOR)
    assert ended.exit_code == 4
    assert f"failed: {told}" in ended.err
    assert "revoked" not in ended.err
    assert repository.keyturn("run", "restore", "--to", "restored", *VENDOR).exit_code == 0


def test_kms_out_of_reach_prevents_neither_status_nor_an_honest_revocation(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.enabled()
    text = (repository.folder / "ekm.yaml").read_text()
    with monkeypatch.context() as offline:
        offline.setenv("AWS_ENDPOINT_URL_KMS", "http://127.0.0.1:9")
        status = repository.keyturn("status")
        assert status.exit_code == 0
        assert "could not be looked at: unavailable" in status.err
        ended = repository.keyturn("revoke", "--yes")
    assert ended.exit_code == 4
    assert "FAILED" in ended.err
    assert "failed: unavailable" in ended.err
    assert "run the command again" in ended.err
    assert "revoked: true" in (repository.folder / "ekm.yaml").read_text()  # the next deploy keeps it so
    assert repository.keyturn("revoke", "--yes").exit_code == 0
    assert repository.keyturn("reinstate", "--yes").exit_code == 0
    assert (repository.folder / "ekm.yaml").read_text() == text
