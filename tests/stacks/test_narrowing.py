"""The vendor narrowed where the declaration asks for it: in policy, grant, guards and `policy show` alike."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from engine.access import Verdict
from engine.errors import InputError
from stacks.findings import EmittedResource
from stacks.guards import judge_resource
from stacks.key_policy import VENDOR_SIGHT_SID, VENDOR_USE_SID, key_policy
from stacks.policy_access import access_of
from tests.stacks.declared import VENDOR, declare, emitted

if TYPE_CHECKING:
    from pathlib import Path

CONTEXT = {"keyturn:tenant": "northwind"}
BY_CONTEXT = {"vendor_narrowing": {"encryption_context": CONTEXT}}
BY_BOTH = {
    "vendor_access": "key_policy",
    "vendor_narrowing": {"encryption_context": CONTEXT, "principal_tags": {"service": "backup"}},
}


def statements(**changes: Any) -> dict[str, dict[str, Any]]:
    document = json.loads(key_policy(declare(**changes), 1).to_json())
    return {statement["Sid"]: statement for statement in document["Statement"]}


def test_the_vendors_use_asks_for_what_is_declared_and_seeing_the_key_stands_apart() -> None:
    found = statements(**BY_BOTH)
    use, sight = found[VENDOR_USE_SID], found[VENDOR_SIGHT_SID]
    assert use["Condition"] == {
        "StringEquals": {"kms:EncryptionContext:keyturn:tenant": "northwind", "aws:PrincipalTag/service": "backup"}
    }
    assert "kms:DescribeKey" not in use["Action"]
    assert (sight["Action"], sight["Condition"]) == (
        "kms:DescribeKey",
        {"StringEquals": {"aws:PrincipalTag/service": "backup"}},
    )
    assert "Condition" not in statements(**BY_CONTEXT)[VENDOR_SIGHT_SID]


def test_what_is_not_narrowed_stays_as_the_console_writes_it() -> None:
    found = statements()
    assert VENDOR_SIGHT_SID not in found
    assert "Condition" not in found[VENDOR_USE_SID]
    assert "kms:DescribeKey" in found[VENDOR_USE_SID]["Action"]


def test_the_grant_asks_for_the_same_encryption_context(tmp_path: Path) -> None:
    narrowed = emitted(tmp_path, declare(**BY_CONTEXT))["resource"]["aws_kms_grant"]["generation_1_vendor"]
    assert narrowed["constraints"] == [{"encryption_context_subset": CONTEXT}]


def test_policy_show_says_what_the_vendors_access_hangs_on() -> None:
    vendor = next(one for one in access_of(declare(**BY_CONTEXT), 1) if one.name == "Druva's account")
    use, sight = vendor.abilities[:2]
    assert (use.verdict, sight.verdict) == (Verdict.DEPENDS, Verdict.YES)
    assert use.depends_on


def judged(folder: Path, kind: str, name: str, change: Any, **declared: Any) -> set[str]:
    declaration = declare(**declared)
    attributes = emitted(folder, declaration)["resource"][kind][name]
    assert judge_resource(declaration, EmittedResource(kind, name, attributes)) == ()
    return {finding.guard for finding in judge_resource(declaration, EmittedResource(kind, name, change(attributes)))}


@pytest.mark.parametrize("sid", [VENDOR_USE_SID, VENDOR_SIGHT_SID])
@pytest.mark.parametrize("change", ["without", "narrower"])
def test_the_guards_refuse_a_policy_that_narrows_otherwise(tmp_path: Path, sid: str, change: str) -> None:
    def altered(attributes: dict[str, Any]) -> dict[str, Any]:
        document = json.loads(attributes["policy"])
        for statement in document["Statement"]:
            if statement["Sid"] == sid:
                more = {"aws:PrincipalTag/team": "restore"}
                condition = {**statement.pop("Condition", {}).get("StringEquals", {}), **more}
                if change == "narrower":
                    statement["Condition"] = {"StringEquals": condition}
        return {**attributes, "policy": json.dumps(document)}

    assert judged(tmp_path, "aws_kms_key", "generation_1", altered, **BY_BOTH) == {"vendor_statement"}


@pytest.mark.parametrize("constraints", [None, [{"encryption_context_subset": {"keyturn:tenant": "southwind"}}]])
def test_the_guards_refuse_a_grant_that_narrows_otherwise(tmp_path: Path, constraints: Any) -> None:
    def altered(attributes: dict[str, Any]) -> dict[str, Any]:
        return {**attributes, "constraints": constraints}

    assert judged(tmp_path, "aws_kms_grant", "generation_1_vendor", altered, **BY_CONTEXT) == {"grant"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vendor_narrowing": {"principal_tags": {"service": "backup"}}}, "a grant cannot ask for tags"),
        ({"vendor_narrowing": {"encryption_context": {"keyturn:workload": "anna"}}}, "not every call has"),
        ({"vendor_narrowing": {"encryption_context": {"keyturn:tenant": "southwind"}}}, "not every call has"),
        ({"vendor_narrowing": {}}, "vendor_narrowing"),
        ({"vendor_narrowing": {"encryption_context": {"a": 1}}}, "vendor_narrowing"),
        ({"vendor_narrowing": {"encryption_context": {"a": "$" + "{b}"}}}, "vendor_narrowing"),
    ],
)
def test_a_narrowing_that_no_call_could_meet_is_refused_with_its_place(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as refusal:
        declare(**changes)
    lines = [str(line) for line in refusal.value.diagnostics()]
    assert any(message in line for line in lines), lines


@pytest.mark.parametrize(
    ("region", "partition"), [("us-gov-west-1", "aws-us-gov"), ("cn-north-1", "aws-cn"), ("eu-central-1", "aws")]
)
def test_policy_and_grant_are_of_the_partition_of_the_region(tmp_path: Path, region: str, partition: str) -> None:
    administrator = f"arn:{partition}:iam::123456789012:role/KeyAdmin"
    declaration = declare(
        aws={"account_id": "123456789012", "region": region},
        key_administrators=[administrator],
        break_glass=[administrator],
    )
    found = emitted(tmp_path, declaration)["resource"]
    vendor = f"arn:{partition}:iam::{VENDOR}:root"
    assert found["aws_kms_grant"]["generation_1_vendor"]["grantee_principal"] == vendor
    policy = found["aws_kms_key"]["generation_1"]["policy"]
    assert policy.count(f"arn:{partition}:") == policy.count("arn:") == 5
    assert json.loads(policy)["Statement"][2]["Principal"] == {"AWS": vendor}
    druva = next(one for one in access_of(declaration, 1) if one.name == "Druva's account")
    assert (druva.arn, druva.abilities[0].verdict) == (vendor, Verdict.YES)
