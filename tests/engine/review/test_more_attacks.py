"""Further plans that a stranger might try on the review, and ordinary ones on which it must be silent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from engine.errors import InputError
from engine.review import ReviewVerdict, review_plan
from engine.review.plan_reader import read_plan
from tests.engine.review.declarations import declaration
from tests.engine.review.plan_builder import (
    CUSTOMER,
    FOR_VENDOR,
    OTHER,
    OWNER,
    POLICIES,
    USE,
    VENDOR,
    PlanBuilder,
    document,
    key_arn,
    key_id,
    root,
    statement,
)

if TYPE_CHECKING:
    from engine.review import Report

PLANS = Path(__file__).with_name("plans")
KEY, EXTERNAL, KEY_POLICY, ALIAS, GRANT = (
    "aws_kms_key",
    "aws_kms_external_key",
    "aws_kms_key_policy",
    "aws_kms_alias",
    "aws_kms_grant",
)
UNTAGGED: dict[str, Any] = {"tags": None, "tags_all": {}}
OWNER_ONLY: dict[str, Any] = {"policy": POLICIES["owner only"]}
FOREIGN: dict[str, Any] = {**UNTAGGED, **OWNER_ONLY}
OURS = {"keyturn:tenant": "northwind", "keyturn:generation": "1"}


def updated(**after: Any) -> PlanBuilder:
    return PlanBuilder().add(KEY, 1, ("update",), after=after)


def unknown(*names: str, kind: str = KEY, **before: Any) -> PlanBuilder:
    return PlanBuilder().add(kind, 1, ("update",), before=before, unknown=names)


def policy(*statements: dict[str, Any]) -> PlanBuilder:
    return updated(policy=document(*statements))


def for_vendor(principal: Any) -> PlanBuilder:
    return policy(OWNER, statement({"AWS": principal}, USE))


def with_alias(*actions: str, unknown: tuple[str, ...] = (), **after: Any) -> PlanBuilder:
    return PlanBuilder().add(KEY, 1).add(ALIAS, 1, actions, after=after, unknown=unknown)


DENIED = document(OWNER, FOR_VENDOR, statement("*", "kms:Decrypt", "Deny"))
DANGEROUS: dict[str, PlanBuilder] = {
    "moved and replaced": PlanBuilder().add(KEY, 1, ("delete", "create"), previous_address="aws_kms_key.old"),
    "moved, and its policy changes": PlanBuilder().add(
        KEY, 1, ("update",), previous_address="aws_kms_key.old", after=OWNER_ONLY
    ),
    "removed without destroying": PlanBuilder().add(KEY, 1, ("forget",)),
    "an undeclared key is removed without destroying": PlanBuilder().add(
        KEY, 7, ("forget",), name="x", before=UNTAGGED
    ),
    "imported and disabled": PlanBuilder().add(KEY, 1, ("update",), importing=key_id(1), after={"is_enabled": False}),
    "imported, and its policy changes": PlanBuilder().add(KEY, 1, ("update",), importing=key_id(1), after=OWNER_ONLY),
    "a deposed object of another key": PlanBuilder()
    .add(KEY, 1)
    .add(KEY, 7, ("delete",), name="generation_1", deposed="00000001", before=UNTAGGED),
    "a deposed object of another key is forgotten": PlanBuilder()
    .add(KEY, 1)
    .add(KEY, 7, ("forget",), name="generation_1", deposed="00000001", before=UNTAGGED),
    "disabled outside, and the code does not say": PlanBuilder()
    .add(KEY, 1, ("update",), before={"is_enabled": False}, after={"is_enabled": None, "description": "x"})
    .drifted(KEY, 1, observed={"is_enabled": False}),
    "its grant's end is put off": PlanBuilder().add(KEY, 1, before=OWNER_ONLY).add(GRANT, 1, ("delete",)).defer(),
    "an alias's move is put off": with_alias("update", target_key_id=key_id(9)).defer(),
    "its own policy and the separate one lose the vendor": PlanBuilder()
    .add(KEY, 1, ("update",), after=OWNER_ONLY)
    .add(KEY_POLICY, 1, ("update",), after=OWNER_ONLY),
    "its own policy is put beside one of which nothing changes": PlanBuilder()
    .add(KEY, 1, ("update",), after=OWNER_ONLY)
    .add(KEY_POLICY, 1, ("update",), after={"bypass_policy_lockout_safety_check": False}),
    "one statement that is no list": updated(policy=json.dumps({"Version": "2012-10-17", "Statement": OWNER})),
    "anybody under a condition that always holds": policy(
        OWNER, FOR_VENDOR, statement("*", USE, Condition={"Bool": {"aws:SecureTransport": "true"}})
    ),
    "anybody whose ARN is anything": policy(
        OWNER, FOR_VENDOR, statement("*", USE, Condition={"StringLike": {"aws:PrincipalArn": "*"}})
    ),
    "a denial with escapes in its action": updated(policy=DENIED.replace('"kms:Decrypt",', '"kms:\\u0044ecrypt",')),
    "a denial with escapes in its effect": updated(policy=DENIED.replace('"Deny"', '"D\\u0065ny"')),
    "a denial with escapes in an element": updated(policy=DENIED.replace('"Effect": "Deny"', '"\\u0045ffect": "Deny"')),
    "an effect in small letters": policy(OWNER, {**FOR_VENDOR, "Effect": "allow"}),
    "a denial in small letters": policy(OWNER, FOR_VENDOR, {**statement("*", "kms:*"), "Effect": "deny"}),
    "the vendor by a number": for_vendor(int(VENDOR)),
    "the vendor by a number too short": for_vendor(VENDOR[1:]),
    "the vendor by a number too long": for_vendor(f"0{VENDOR}"),
    "the vendor by a number and a space": for_vendor(f"{VENDOR} "),
    "the vendor by an ARN without a resource": for_vendor(f"arn:aws:iam::{VENDOR}"),
    "another account by its bare number": for_vendor(OTHER),
    "an empty policy": updated(policy=""),
    "no policy any more": updated(policy=None),
    "a policy that is no text": updated(policy=json.loads(POLICIES["standard"])),
    "an alias of another name": with_alias("delete", "create", name="alias/other"),
    "an alias in other letters": with_alias("delete", "create", name="alias/Northwind-ekm"),
    "an alias by a prefix": with_alias("delete", "create", unknown=("name",), name_prefix="alias/north"),
    "an alias to an alias": with_alias("update", target_key_id="alias/other"),
    "an alias to nothing": with_alias("update", target_key_id=None),
    "an alias to the same id in another Region": with_alias(
        "update", target_key_id=key_arn(1, "eu-west-1"), target_key_arn=key_arn(1, "eu-west-1")
    ),
    "whether it is enabled is not known": unknown("is_enabled"),
    "whether it is enabled is a text": updated(is_enabled="false"),
    "whether it is enabled is a number": updated(is_enabled=0),
    "its deletion window is not known": unknown("deletion_window_in_days"),
    "its deletion window is a text": updated(deletion_window_in_days="7"),
    "its deletion window was the default": PlanBuilder().add(
        KEY, 1, ("update",), before={"deletion_window_in_days": None}, after={"deletion_window_in_days": 7}
    ),
    "its usage is updated": updated(key_usage="SIGN_VERIFY"),
    "its spec is updated": updated(customer_master_key_spec="RSA_2048"),
    "its spec is not known": unknown("customer_master_key_spec", customer_master_key_spec="RSA_2048"),
    "its store is updated": updated(custom_key_store_id="cks-0123456789abcdef1"),
    "whether its lockout check is bypassed is not known": unknown("bypass_policy_lockout_safety_check"),
    "whether an external key is enabled is not known": unknown("enabled", kind=EXTERNAL),
    "when its material expires is not known": unknown("valid_to", kind=EXTERNAL),
    "a grant to nobody knows whom": PlanBuilder()
    .add(KEY, 1)
    .add(GRANT, 1, ("create",), unknown=("grantee_principal",)),
    "the grant's operations are not known": PlanBuilder()
    .add(KEY, 1, before=OWNER_ONLY)
    .add(GRANT, 1, ("create", "delete"), unknown=("operations",)),
    "a no-op that is none": PlanBuilder().add(KEY, 1, after=OWNER_ONLY),
    "tags that are not known at all": unknown("tags", "tags_all"),
}
HARMLESS: dict[str, PlanBuilder] = {
    "a description": updated(description="x"),
    "a tag": updated(tags={**OURS, "a": "b"}, tags_all={**OURS, "a": "b"}),
    "a tag that is known only after apply": unknown("tags_all"),
    "tags that move to the provider's default": updated(tags={}),
    "a newer provider knows the Region": updated(region="us-east-1"),
    "a newer provider does not know the Region yet": unknown("region"),
    "computed values that are not known": unknown("arn", "key_id", "id", "rotation_period_in_days"),
    "the rotation's period is not known": unknown(
        "rotation_period_in_days", enable_key_rotation=True, rotation_period_in_days=365
    ),
    "drift of tags": PlanBuilder().add(KEY, 1).drifted(KEY, 1, {"tags": None}),
    "drift of a description": PlanBuilder().add(KEY, 1).drifted(KEY, 1, {"description": "old"}),
    "drift of what is computed": PlanBuilder().add(KEY, 1).drifted(KEY, 1, {"multi_region": None}),
    "drift of a grant's token": PlanBuilder().add(KEY, 1).add(GRANT, 1).drifted(GRANT, 1, {"grant_token": "x"}),
    "drift of an alias's computed target": PlanBuilder()
    .add(KEY, 1)
    .add(ALIAS, 1)
    .drifted(ALIAS, 1, {"target_key_arn": None}),
    "drift of a policy's spelling": PlanBuilder()
    .add(KEY, 1, before={"policy": POLICIES["standard, spelled differently"]})
    .drifted(KEY, 1, observed={"policy": POLICIES["standard, spelled differently"]}),
    "a condition stays, and a Deny under another goes": PlanBuilder().add(
        KEY,
        1,
        ("update",),
        before={
            "policy": document(
                OWNER,
                {**FOR_VENDOR, "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}},
                statement(
                    {"AWS": root(VENDOR)}, USE, "Deny", Condition={"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}
                ),
            )
        },
        after={"policy": document(OWNER, {**FOR_VENDOR, "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}})},
    ),
    "a policy on the key by its ARN, which is computed anew": PlanBuilder().add(
        KEY,
        1,
        ("update",),
        before={"policy": document(OWNER, {**FOR_VENDOR, "Resource": key_arn(1)})},
        after={"policy": document(OWNER, {**FOR_VENDOR, "Resource": key_arn(1), "Sid": "renamed"})},
        unknown=("arn",),
    ),
    "an alias's key goes from one address to another": PlanBuilder()
    .add(KEY, 1, ("forget",), name="old")
    .add(KEY, 1, importing=key_id(1))
    .add(ALIAS, 1, ("update",), unknown=("target_key_arn",)),
    "a policy's spelling": updated(policy=POLICIES["standard, spelled differently"]),
    "another administrator": policy(
        OWNER, FOR_VENDOR, statement({"AWS": f"arn:aws:iam::{CUSTOMER}:role/New"}, "kms:*")
    ),
    "a longer deletion window": PlanBuilder().add(
        KEY, 1, ("update",), before={"deletion_window_in_days": 7}, after={"deletion_window_in_days": 30}
    ),
    "the default deletion window": updated(deletion_window_in_days=None),
    "automatic rotation": updated(enable_key_rotation=True, rotation_period_in_days=365),
    "an alias's computed target": with_alias("update", unknown=("target_key_arn",)),
    "a grant by another name": PlanBuilder().add(KEY, 1).add(GRANT, 1, ("delete", "create"), after={"name": "n"}),
    "a policy of its own that says the same": PlanBuilder().add(KEY, 1).add(KEY_POLICY, 1, ("create",)),
    "the lockout check was bypassed before": PlanBuilder().add(
        KEY,
        1,
        ("update",),
        before={"bypass_policy_lockout_safety_check": True},
        after={"description": "x"},
    ),
    "an external key's computed state": PlanBuilder().add(EXTERNAL, 7, ("update",), name="x", unknown=("key_state",)),
    "another team's key": PlanBuilder()
    .add(KEY, 1)
    .add(KEY, 7, ("update",), name="x", before=FOREIGN, unknown=("tags_all",)),
    "another team's key, its policy and alias not known": PlanBuilder()
    .add(KEY, 1)
    .add(KEY, 7, ("create",), name="x", after=UNTAGGED, unknown=("policy",))
    .add(ALIAS, 7, ("create",), name="y", after={"name_prefix": "alias/x"}, unknown=("name", "target_key_id")),
    "a grant to a role of the owner's": PlanBuilder()
    .add(KEY, 1)
    .add(GRANT, 1, ("create",), name="y", after={"grantee_principal": f"arn:aws:iam::{CUSTOMER}:role/x"}),
    "a grant by which a third account may see the key": PlanBuilder()
    .add(KEY, 1)
    .add(GRANT, 1, ("create",), name="y", after={"grantee_principal": root(OTHER), "operations": ["DescribeKey"]}),
    "moved by its address alone": PlanBuilder().add(KEY, 1, name="x", previous_address="aws_kms_key.generation_1"),
}


def _review(plan: PlanBuilder | dict[str, Any]) -> Report:
    data = plan.data() if isinstance(plan, PlanBuilder) else json.dumps(plan).encode()
    return review_plan("plan.json", data, declaration(2), base=declaration(2))


@pytest.mark.parametrize("name", DANGEROUS)
def test_a_dangerous_plan_is_blocked(name: str) -> None:
    report = _review(DANGEROUS[name])
    assert report.verdict is ReviewVerdict.BLOCK, report.findings


@pytest.mark.parametrize("name", HARMLESS)
def test_on_an_ordinary_plan_the_review_is_silent(name: str) -> None:
    report = _review(HARMLESS[name])
    assert report.verdict is ReviewVerdict.PASS
    assert [f"{finding.policy}: {finding.message}" for finding in report.findings] == []


@pytest.mark.parametrize("module", ["module.a", 'module.a["x.y"].module.b[0]'])
@pytest.mark.parametrize("before", [{}, UNTAGGED], ids=["tagged", "known by the vendor's access"])
def test_a_key_in_any_module_is_as_precious(module: str, before: dict[str, Any]) -> None:
    plan = PlanBuilder().add(KEY, 1, ("delete",), name="this", index=0, before=before).plan()
    for change in plan["resource_changes"]:
        change |= {"address": f"{module}.{change['address']}", "module_address": module}
    assert [finding.policy for finding in _review(plan).blocking] == ["generation-destroyed"]


@pytest.mark.parametrize("sensitive", [{"policy": True}, True])
def test_a_policy_that_is_marked_as_sensitive_is_judged_all_the_same(sensitive: Any) -> None:
    plan = updated(**OWNER_ONLY).plan()
    for change in plan["resource_changes"]:
        change["change"] |= {"before_sensitive": sensitive, "after_sensitive": sensitive}
    assert [finding.policy for finding in _review(plan).blocking] == ["vendor-access-lost"]


@pytest.mark.parametrize(
    ("plan", "reason"),
    [
        (PlanBuilder().add(KEY, 1, ("remove",)), "the actions"),
        (PlanBuilder().add(KEY, 1, ()), "the actions"),
        (PlanBuilder().add(KEY, 1, ("read",)), "is managed, and is to be read"),
        (updated(arn=key_arn(9)), "is to be updated and has another ARN after it"),
        (updated(arn=key_arn(0)), "is to be updated and has another ARN after it"),
    ],
    ids=["an action that there is not", "no action", "a managed key is read", "an update to another key", "or to one"],
)
def test_a_change_that_contradicts_itself_is_refused(plan: PlanBuilder, reason: str) -> None:
    with pytest.raises(InputError) as caught:
        _review(plan)
    assert reason in caught.value.message


@pytest.mark.parametrize("actions", [("delete", "create"), ("create", "delete")])
def test_a_key_that_is_replaced_may_have_an_arn_that_is_known(actions: tuple[str, ...]) -> None:
    plan = PlanBuilder().add(KEY, 1, actions, after={"arn": key_arn(9), "key_id": key_id(9)})
    assert "generation-replaced" in {finding.policy for finding in _review(plan).blocking}


def test_what_is_no_key_may_have_another_arn_after_an_update() -> None:
    arn = f"arn:aws:kms:us-east-1:{CUSTOMER}:alias/other"
    plan = PlanBuilder().add(KEY, 1).add(ALIAS, 1, ("update",), name="other", before={"name": "alias/other"})
    plan.changes[1]["change"]["after"]["arn"] = arn
    assert _review(plan).verdict is ReviewVerdict.PASS


def _disguised(where: str = "resource_changes", **as_what: Any) -> dict[str, Any]:
    """A plan that destroys generation 1, of which the entry does not say plainly what it is."""
    plan = PlanBuilder().add(KEY, 1, ("delete",)).plan()
    (entry,) = plan["resource_changes"]
    entry |= as_what
    if where == "deferred_changes":
        plan |= {"resource_changes": [], where: [{"reason": "unknown", "resource_change": entry}]}
    elif where == "prior_state":
        entry["values"] = entry.pop("change")["before"]
        plan |= {"resource_changes": [], where: {"values": {"root_module": {"resources": [entry]}}}}
    elif where == "planned_values":
        plan |= {"resource_changes": [], where: {"root_module": {"resources": [entry]}}}
    else:
        plan |= {"resource_changes": [], where: [entry]}
    return plan


AS_DATA = {"mode": "data", "address": "data.aws_kms_key.generation_1"}


@pytest.mark.parametrize(
    ("plan", "reason"),
    [
        (_disguised(mode="data"), "is marked as data, and is no data source that is only read"),
        (_disguised(**AS_DATA), "is marked as data, and is no data source that is only read"),
        (
            _disguised("resource_drift", **AS_DATA),
            "resource_drift[0] (data.aws_kms_key.generation_1) is marked as data",
        ),
        (_disguised("deferred_changes", **AS_DATA), "is marked as data"),
        (_disguised("prior_state", mode="data"), "prior_state (aws_kms_key.generation_1) is marked as data"),
        (_disguised("planned_values", mode="data"), "planned_values (aws_kms_key.generation_1) is marked as data"),
        (_disguised(type="AWS_KMS_KEY"), "has the type 'AWS_KMS_KEY', which Terraform never writes so"),
        (_disguised(type="aws_kms_key "), "has the type 'aws_kms_key ', which Terraform never writes so"),
        (_disguised(type="AWSCC_kms_key"), "which Terraform never writes so"),
        (_disguised(type="AWS_IAM_Policy_Document", address="x.y"), "which Terraform never writes so"),
        (_disguised(type="AWS_CloudFormation_Stack", address="x.y"), "which Terraform never writes so"),
        (_disguised(type="AWS_Organizations_Policy", address="x.y"), "which Terraform never writes so"),
        (_disguised("prior_state", type="Aws_Kms_Key"), "prior_state has the type 'Aws_Kms_Key'"),
        (_disguised("planned_values", type="Aws_Kms_Key"), "planned_values has the type 'Aws_Kms_Key'"),
        (_disguised("deferred_changes", type="Aws_Kms_Key"), "deferred_changes[0] has the type 'Aws_Kms_Key'"),
        (_disguised(type="aws_s3_bucket"), "has another type than its address: aws_s3_bucket"),
        (_disguised(type="aws_kms_ciphertext"), "has another type than its address: aws_kms_ciphertext"),
        (_disguised(type="aws_kms_alias"), "has another type than its address: aws_kms_alias"),
        (
            _disguised(type="random_id", address='module.a["x.y"].module.b.aws_kms_key.generation_1[0]'),
            "has another type than its address: random_id",
        ),
        (_disguised(type="random_id", **AS_DATA), "has another type than its address: random_id"),
        (_disguised(type="random_id", address="module.a.aws_kms_key"), "another type than its address: random_id"),
        (_disguised(type="random_id", address="data.aws_kms_key"), "another type than its address: random_id"),
        (_disguised("prior_state", type="random_id"), "has another type than its address: random_id"),
        (_disguised("planned_values", type="random_id"), "has another type than its address: random_id"),
    ],
)
def test_a_kms_resource_in_disguise_is_refused(plan: dict[str, Any], reason: str) -> None:
    with pytest.raises(InputError) as caught:
        _review(plan)
    assert reason in caught.value.message


@pytest.mark.parametrize("mode", [None, "Data", "managed", 5])
def test_what_is_not_marked_as_data_is_judged(mode: Any) -> None:
    assert [finding.policy for finding in _review(_disguised(mode=mode)).blocking] == ["generation-destroyed"]


@pytest.mark.parametrize("address", ["data", "module", "x"])
def test_a_key_at_an_odd_address_is_judged(address: str) -> None:
    assert [finding.policy for finding in _review(_disguised(address=address)).blocking] == ["generation-destroyed"]


@pytest.mark.parametrize("actions", [["read"], ["no-op"]])
def test_a_data_source_of_a_key_is_no_key(actions: list[str]) -> None:
    plan = _disguised(**AS_DATA)
    plan["resource_changes"][0]["change"]["actions"] = actions
    plan["prior_state"] = _disguised("prior_state", **AS_DATA)["prior_state"]
    assert _review(plan).verdict is ReviewVerdict.PASS


@pytest.mark.parametrize("address", ["", 5, None])
def test_a_key_without_an_address_is_refused(address: Any) -> None:
    with pytest.raises(InputError, match="has no address"):
        _review(_disguised(address=address))


@pytest.mark.parametrize("kind", ["Other_Thing", "Acme_Thing"])
def test_a_type_of_another_provider_may_have_any_letters(kind: str) -> None:
    assert _review(_disguised(type=kind, address=f"{kind}.x")).verdict is ReviewVerdict.PASS


@pytest.mark.parametrize("where", ["resource_changes", "resource_drift", "prior_state", "planned_values"])
@pytest.mark.parametrize(
    ("kind", "address"),
    [
        ("aws_s3_bucket", "module.aws_kms_key.aws_s3_bucket.generation_1"),
        ("aws_s3_bucket", "module.a.module.aws_kms_key[0].aws_s3_bucket.aws_kms_alias"),
        ("random_id", "module.a.random_id.aws_kms_key"),
        ("random_id", "random_id.aws_kms_key"),
        ("aws_kms_ciphertext", "module.a.aws_kms_ciphertext.x"),
    ],
)
def test_modules_and_resources_may_be_named_like_a_kms_resource(where: str, kind: str, address: str) -> None:
    plan = _disguised(where, type=kind, address=address)
    read = read_plan("plan.json", json.dumps(plan).encode())
    assert (*read.changes, *read.foundations, *read.drift, *read.prior) == ()
    assert not read.stripped
    assert _review(plan).verdict is ReviewVerdict.PASS


@pytest.mark.parametrize("address", [None, 5, [], ""])
def test_another_resource_needs_no_address(address: Any) -> None:
    plan = _disguised(type="aws_s3_bucket", address=address)
    assert read_plan("plan.json", json.dumps(plan).encode()).changes == ()


def test_an_unread_type_that_is_marked_as_data_and_does_more_than_read_is_judged() -> None:
    plan = _disguised(type="aws_kms_future", mode="data", address="data.aws_kms_future.generation_1")
    assert [finding.policy for finding in _review(plan).blocking] == ["unread-kms-resource"]
