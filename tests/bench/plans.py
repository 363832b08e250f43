"""Makes the plans of the review's benchmark, in the shape of Terraform's own JSON: no two resources are alike.

Each key has a policy, an administrator, a description and tags of its own, and gives the vendor's account its access:
every one of them is in scope.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

CUSTOMER, VENDOR = "123456789012", "210987654321"
COMPUTED = ("arn", "id", "key_id", "multi_region", "rotation_period_in_days")
DECLARATION = {
    "version": 1,
    "tenant": "northwind",
    "druva": {"account_id": VENDOR, "activated": True},
    "products": ["microsoft365", "google_workspace", "entra_id"],
    "aws": {"account_id": CUSTOMER, "region": "us-east-1"},
    "key_administrators": [f"arn:aws:iam::{CUSTOMER}:role/KeyAdmin"],
    "allow_key_deletion": True,
    "break_glass": [],
    "vendor_access": "both",
    "alias": "alias/northwind-ekm",
    "current": 1,
    "revoked": False,
    "generations": [{"number": 1, "description": "first key"}],
}


def write_keys(path: Path, count: int) -> None:
    """Write a plan that creates so many keys that the vendor can use: some 2.2 kB each."""
    _write(path, [_key(number) for number in range(count)])


def write_changed_keys(path: Path, count: int) -> None:
    """Write a plan that puts another policy on each of so many keys: the administrator of each is renamed."""
    changes = [_key(number) for number in range(count)]
    for number, entry in enumerate(changes):
        before = _attributes(number)
        after = before | {"policy": before["policy"].replace(f"role/Administrator{number}", f"role/Keeper{number}")}
        entry["change"] |= {"actions": ["update"], "before": before, "after": after, "after_unknown": {}}
        entry["change"]["before_sensitive"] = entry["change"]["after_sensitive"]
    _write(path, changes)


def write_others(path: Path, size: int) -> None:
    """Write a plan of at least this size in bytes, with nothing of KMS in it."""
    one = len(json.dumps([_bucket(0), _planned(_bucket(0))], separators=(",", ":")))
    _write(path, [_bucket(number) for number in range(size // one + 1)])


def write_dangerous(path: Path) -> None:
    """Write a small plan that deletes one of two keys."""
    deleted = _key(2)
    deleted["change"] |= {"actions": ["delete"], "before": _attributes(2), "after": None, "after_unknown": {}}
    _write(path, [_key(1), deleted])


def _write(path: Path, changes: list[dict[str, Any]]) -> None:
    names = dict.fromkeys((change["type"], change["name"]) for change in changes)
    configured = [
        {"address": f"{kind}.{name}", "mode": "managed", "type": kind, "name": name, "expressions": {"policy": {}}}
        for kind, name in names
    ]
    plan = {
        "format_version": "1.2",
        "terraform_version": "1.13.3",
        "planned_values": {
            "root_module": {"resources": [_planned(entry) for entry in changes if entry["change"]["after"] is not None]}
        },
        "resource_changes": changes,
        "configuration": {"root_module": {"resources": configured}},
        "timestamp": "2030-01-01T00:00:00Z",
        "applyable": True,
        "complete": True,
        "errored": False,
    }
    with path.open("w", encoding="utf-8") as stream:
        json.dump(plan, stream, separators=(",", ":"))


def _entry(kind: str, number: int, change: dict[str, Any]) -> dict[str, Any]:
    return {
        "address": f"{kind}.this[{number}]",
        "mode": "managed",
        "type": kind,
        "name": "this",
        "index": number,
        "provider_name": "registry.terraform.io/hashicorp/aws",
        "change": change,
    }


def _planned(entry: dict[str, Any]) -> dict[str, Any]:
    """The resource of a change, as `planned_values` shows it."""
    resource = {name: value for name, value in entry.items() if name != "change"}
    values = entry["change"]["after"]
    return resource | {"schema_version": 0, "values": values, "sensitive_values": entry["change"]["after_sensitive"]}


def _key(number: int) -> dict[str, Any]:
    change: dict[str, Any] = {
        "actions": ["create"],
        "before": None,
        "after": {name: value for name, value in _attributes(number).items() if name not in COMPUTED},
        "after_unknown": dict.fromkeys(COMPUTED, True) | {"tags": {}, "tags_all": {}},
        "before_sensitive": False,
        "after_sensitive": {"tags": {}, "tags_all": {}},
    }
    return _entry("aws_kms_key", number, change)


def _attributes(number: int) -> dict[str, Any]:
    identifier = f"{number:08x}-1111-2222-3333-444444444444"
    tags = {"team": f"team-{number}"}
    return {
        "arn": f"arn:aws:kms:us-east-1:{CUSTOMER}:key/{identifier}",
        "bypass_policy_lockout_safety_check": False,
        "custom_key_store_id": "",
        "customer_master_key_spec": "SYMMETRIC_DEFAULT",
        "deletion_window_in_days": 30,
        "description": f"key {number} of northwind",
        "enable_key_rotation": False,
        "id": identifier,
        "is_enabled": True,
        "key_id": identifier,
        "key_usage": "ENCRYPT_DECRYPT",
        "multi_region": False,
        "policy": _policy(number),
        "rotation_period_in_days": 0,
        "tags": tags,
        "tags_all": tags,
        "timeouts": None,
        "xks_key_id": "",
    }


def _policy(number: int) -> str:
    def statement(sid: str, principal: str, actions: str | list[str]) -> dict[str, Any]:
        return {"Sid": sid, "Effect": "Allow", "Principal": {"AWS": principal}, "Action": actions, "Resource": "*"}

    use = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]
    administer = ["kms:DescribeKey", "kms:PutKeyPolicy"]
    statements = [
        statement("Enable IAM User Permissions", f"arn:aws:iam::{CUSTOMER}:root", "kms:*"),
        statement("Administrator", f"arn:aws:iam::{CUSTOMER}:role/Administrator{number}", administer),
        statement("Allow use of the Key for Druva inSync", f"arn:aws:iam::{VENDOR}:root", use),
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, separators=(",", ":"))


def _bucket(number: int) -> dict[str, Any]:
    before = {
        "arn": f"arn:aws:s3:::bucket-{number:08}",
        "bucket": f"bucket-{number:08}",
        "force_destroy": False,
        "policy": _policy(number),
        "tags": {"team": f"team-{number:08}"},
    }
    change = {
        "actions": ["update"],
        "before": before,
        "after": before | {"force_destroy": True},
        "after_unknown": {},
        "before_sensitive": {"tags": {}},
        "after_sensitive": {"tags": {}},
    }
    return _entry("aws_s3_bucket", number, change)
