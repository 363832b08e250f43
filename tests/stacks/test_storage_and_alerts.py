"""Stacks beside the tenants': the ledger's table, the vault's bucket, detective controls, and their state."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from engine.errors import InputError
from engine.ledger.dynamodb_table import TABLE
from stacks.synthesis import Synthesis
from tests.stacks.declared import CUSTOMER, VENDOR, declare, read_stack

if TYPE_CHECKING:
    from pathlib import Path

STORED = {"ledger": "dynamodb://keyturn-ledger", "vault": "s3://northwind-vault/backups"}
ALERTED = {"alerts": {"emails": ["keys@example.com", "audit@example.com"], "idle_hours": 24}}


def stacks(folder: Path, *changes: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The synthesised stacks of some declarations, by name."""
    Synthesis(tuple(declare(**change) for change in changes), folder).write()
    return {path.name: read_stack(folder, path.name) for path in (folder / "stacks").iterdir()}


def decoded(expression: str) -> Any:
    """What a call of `jsonencode` encodes; references in it stand as they are."""
    assert expression.startswith("${jsonencode(")
    inner = expression.removeprefix("${jsonencode(").removesuffix(")}")
    quoted = re.sub(r"(?<=[\[, ])(data\.[\w.\-]+|aws_[\w.]+)", r'"\1"', inner)
    return json.loads(re.sub(r'("[\w:\-]+") = ', r"\1: ", quoted))


def test_by_default_there_is_a_stack_for_the_tenant_alone(tmp_path: Path) -> None:
    assert set(stacks(tmp_path, {})) == {"northwind"}


def test_the_table_of_a_shared_ledger_is_the_one_that_the_ledger_uses(tmp_path: Path) -> None:
    table = stacks(tmp_path, STORED)["ledger-keyturn-ledger"]["resource"]["aws_dynamodb_table"]["ledger"]
    assert table["name"] == "keyturn-ledger"
    assert (table["hash_key"], table["range_key"]) == (TABLE.partition_key, TABLE.sort_key)
    assert table["point_in_time_recovery"] == [{"enabled": True}]
    assert table["deletion_protection_enabled"] is True
    assert table["lifecycle"] == {"prevent_destroy": True}
    (index,) = table["local_secondary_index"]
    assert (index["name"], index["range_key"]) == (TABLE.index.name, TABLE.index.sort_key)


def test_the_bucket_of_a_vault_is_versioned_encrypted_and_private(tmp_path: Path) -> None:
    found = stacks(tmp_path, STORED)["vault-northwind-vault"]["resource"]
    bucket = found["aws_s3_bucket"]["vault"]
    assert (bucket["bucket"], bucket["force_destroy"]) == ("northwind-vault", False)
    assert bucket["lifecycle"] == {"prevent_destroy": True}
    versioning = found["aws_s3_bucket_versioning"]["vault_versioning"]
    assert versioning["versioning_configuration"] == [{"status": "Enabled"}]
    blocked = found["aws_s3_bucket_public_access_block"]["vault_public_access"]
    names = ("block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets")
    assert [blocked[name] for name in names] == [True] * 4
    assert "aws_s3_bucket_server_side_encryption_configuration" in found
    (statement,) = json.loads(found["aws_s3_bucket_policy"]["vault_policy"]["policy"])["Statement"]
    assert (statement["Effect"], statement["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


def test_tenants_share_a_table_and_a_bucket(tmp_path: Path) -> None:
    other = {"tenant": "contoso", "alias": "alias/contoso-ekm", **STORED}
    assert set(stacks(tmp_path, STORED, other)) == {
        "northwind",
        "contoso",
        "ledger-keyturn-ledger",
        "vault-northwind-vault",
    }


def test_what_threatens_the_keys_is_told(tmp_path: Path) -> None:
    found = stacks(tmp_path, ALERTED)["northwind-alerts"]["resource"]
    patterns = {name: decoded(rule["event_pattern"]) for name, rule in found["aws_cloudwatch_event_rule"].items()}
    told = {event for pattern in patterns.values() for event in pattern.get("detail", {}).get("eventName", ())}
    assert told >= {
        *("DisableKey", "ScheduleKeyDeletion", "PutKeyPolicy", "RevokeGrant"),
        *("DeleteAlias", "DeleteImportedKeyMaterial"),
    }
    denied = patterns["vendor_denied"]["detail"]
    assert denied["userIdentity"] == {"accountId": [VENDOR]}
    assert "AccessDenied" in denied["errorCode"]
    assert (
        found["aws_cloudwatch_event_rule"]["vendor_denied"]["state"] == "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"
    )
    key = patterns["key_changed"]["detail"]["resources"]["ARN"]
    assert key == denied["resources"]["ARN"] == patterns["key_lost"]["resources"]
    assert "generation_1arn" in key[0]
    targets = found["aws_cloudwatch_event_target"].values()
    assert len(targets) == len(patterns)
    assert all(target["arn"] == "${aws_sns_topic.alerts.arn}" for target in targets)
    emails = [entry["endpoint"] for entry in found["aws_sns_topic_subscription"].values()]
    assert emails == ["keys@example.com", "audit@example.com"]
    alarm = found["aws_cloudwatch_metric_alarm"]["key_unused"]
    assert (alarm["evaluation_periods"], alarm["treat_missing_data"]) == (24, "breaching")
    (published,) = decoded(found["aws_sns_topic_policy"]["alerts_policy"]["policy"])["Statement"]
    assert published["Condition"] == {"StringEquals": {"aws:SourceAccount": CUSTOMER}}


def test_replicas_and_existing_keys_are_watched_too(tmp_path: Path) -> None:
    arn = f"arn:aws:kms:us-east-1:{CUSTOMER}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    generations = [{"number": 1, "multi_region": True, "replicas": ["eu-west-1"]}, {"number": 2, "key_arn": arn}]
    found = stacks(tmp_path, {**ALERTED, "generations": generations})["northwind-alerts"]["resource"]
    pattern = decoded(found["aws_cloudwatch_event_rule"]["key_changed"]["event_pattern"])
    watched = pattern["detail"]["resources"]["ARN"]
    assert arn in watched
    assert len(watched) == 3


@pytest.mark.parametrize(
    ("declared", "key"),
    [("s3://states/keyturn/", "keyturn/northwind.tfstate"), ("s3://states", "northwind.tfstate")],
)
def test_the_state_is_kept_in_s3_with_its_own_locking(tmp_path: Path, declared: str, key: str) -> None:
    found = stacks(tmp_path, {**STORED, **ALERTED, "terraform_state": declared})
    backends = {name: stack["terraform"]["backend"] for name, stack in found.items()}
    assert backends["northwind"] == {
        "s3": {"bucket": "states", "key": key, "region": "us-east-1", "encrypt": True, "use_lockfile": True}
    }
    assert len({backend["s3"]["key"] for backend in backends.values()}) == len(backends) == 4


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"alerts": {"emails": ["nobody"]}}, "an e-mail address"),
        ({"alerts": {"emails": []}}, "at least one e-mail address"),
        ({"alerts": {"emails": ["a@example.com"], "idle_hours": 0}}, "from 1 to 168"),
        ({"terraform_state": "gs://states"}, "s3://bucket"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused(change: dict[str, Any], expected: str) -> None:
    with pytest.raises(InputError) as caught:
        declare(**change)
    assert any(expected in str(mistake) for mistake in caught.value.mistakes)
