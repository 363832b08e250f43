"""Plans that somebody might try: every dangerous shape is blocked, every harmless one passes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from engine.review import ReviewVerdict, review_plan
from tests.engine.review.declarations import declaration, proof
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
    from engine.declaration import Declaration

KEY, KEY_POLICY, ALIAS, GRANT = "aws_kms_key", "aws_kms_key_policy", "aws_kms_alias", "aws_kms_grant"
REPLICA, EXTERNAL, STORE = "aws_kms_replica_key", "aws_kms_external_key", "aws_kms_custom_key_store"
FOREIGN: dict[str, Any] = {"tags": None, "tags_all": {}, "policy": POLICIES["owner only"]}
UNTAGGED: dict[str, Any] = {"tags": None, "tags_all": {}}
OWNER_ONLY: dict[str, Any] = {"policy": POLICIES["owner only"]}


def updated(policy: str, before: str = POLICIES["standard"]) -> PlanBuilder:
    return PlanBuilder().add(KEY, 1, ("update",), before={"policy": before}, after={"policy": policy})


def denied(action: str | list[str], principal: Any = "*", **more: Any) -> PlanBuilder:
    return updated(document(OWNER, FOR_VENDOR, statement(principal, action, "Deny", **more)))


def denied_if(operator: str, key: str, value: str | list[str]) -> PlanBuilder:
    return denied("kms:Decrypt", Condition={operator: {key: value}})


def allowed_if(operator: str, key: str, value: str) -> PlanBuilder:
    return updated(document(OWNER, {**FOR_VENDOR, "Condition": {operator: {key: value}}}))


def allowed_to(principal: Any) -> PlanBuilder:
    return updated(document(OWNER, statement(principal, USE)))


def foreign(kind: str = KEY, *actions: str, **more: Any) -> PlanBuilder:
    return PlanBuilder().add(kind, 7, actions or ("no-op",), name="foreign", before=FOREIGN, **more)


def with_grant(*actions: str, **after: Any) -> PlanBuilder:
    return PlanBuilder().add(KEY, 1, before=OWNER_ONLY).add(GRANT, 1, actions, after=after)


def with_store(*actions: str, **after: Any) -> PlanBuilder:
    in_store = {"custom_key_store_id": "cks-0123456789abcdef1"}
    return PlanBuilder().add(KEY, 1, before=in_store).add(STORE, 1, actions, after=after)


ONLY_ITS_ARN_IS_DECLARED = declaration(2, generation_1={"key_arn": key_arn(1)})
IN_A_STORE = declaration(2, generation_1={"origin": "AWS_CLOUDHSM", "custom_key_store_id": "cks-0123456789abcdef1"})

DENIALS = {
    "deny outside an organisation": denied_if("StringNotEquals", "aws:PrincipalOrgID", "o-abc"),
    "deny outside an organisation, if it is told": denied_if("StringNotEqualsIfExists", "aws:PrincipalOrgID", "o-abc"),
    "deny outside of a VPC endpoint": denied_if("StringNotEquals", "aws:SourceVpce", "vpce-1"),
    "deny to other accounts": denied_if("StringNotEquals", "aws:PrincipalAccount", CUSTOMER),
    "deny to the vendor's account": denied_if("StringEquals", "aws:PrincipalAccount", VENDOR),
    "deny to callers of other accounts": denied_if("StringNotEquals", "kms:CallerAccount", CUSTOMER),
    "deny to callers of the vendor": denied_if("StringEquals", "kms:CallerAccount", [VENDOR]),
    "deny by a pattern of ARNs": denied_if("ArnLike", "aws:PrincipalArn", f"arn:aws:iam::{VENDOR}:*"),
    "deny by a pattern of texts": denied_if("StringLike", "aws:PrincipalArn", "arn:aws:iam::2109*"),
    "deny to all but our own": denied_if("ArnNotLike", "aws:PrincipalArn", f"arn:aws:iam::{CUSTOMER}:*"),
    "deny outside of a network": denied_if("NotIpAddress", "aws:SourceIp", "10.0.0.0/8"),
    "deny from a day on": denied_if("DateGreaterThan", "aws:CurrentTime", "2030-06-01T00:00:00Z"),
    "deny but through a service": denied_if("StringNotEquals", "kms:ViaService", "s3.us-east-1.amazonaws.com"),
    "deny without an encryption context": denied_if("Null", "kms:EncryptionContext:tenant", "true"),
    "deny but for AWS services": denied_if("Bool", "aws:ViaAWSService", "false"),
    "deny for other source accounts": denied_if("StringNotEquals", "aws:SourceAccount", CUSTOMER),
    "deny outside of organisational units": denied_if("ForAllValues:StringNotLike", "aws:PrincipalOrgPaths", "o-a/*"),
    "deny by an operator that there is not": denied_if("StringFoo", "aws:PrincipalOrgID", "o-abc"),
    "deny without a second factor": denied_if("BoolIfExists", "aws:MultiFactorAuthPresent", "false"),
    "deny outside of a Region": denied_if("StringNotEquals", "aws:RequestedRegion", "eu-west-1"),
    "deny to everybody but the owner": updated(
        document(
            OWNER,
            FOR_VENDOR,
            {"Effect": "Deny", "NotPrincipal": {"AWS": root(CUSTOMER)}, "Action": "kms:*", "Resource": "*"},
        )
    ),
    "deny everything but describing": updated(
        document(OWNER, FOR_VENDOR, {"Effect": "Deny", "Principal": "*", "NotAction": "kms:Describe*", "Resource": "*"})
    ),
    "deny by a pattern of actions": denied("kms:*crypt"),
    "deny in capitals": denied("KMS:DECRYPT"),
    "deny with a question mark": denied("kms:Decryp?"),
    "deny everything": denied("*"),
    "deny data keys without plaintext": denied("kms:GenerateDataKeyWithout*"),
    "deny on the key by its ARN": denied("kms:Decrypt", Resource=key_arn(1)),
}
POLICIES_THAT_LOSE_THE_VENDOR = {
    "one role of the vendor": allowed_to({"AWS": f"arn:aws:iam::{VENDOR}:role/x"}),
    "one user of the vendor": allowed_to({"AWS": [f"arn:aws:iam::{VENDOR}:user/x"]}),
    "one session of the vendor": allowed_to({"AWS": f"arn:aws:sts::{VENDOR}:assumed-role/x/y"}),
    "a service in its place": allowed_to({"Service": "backup.amazonaws.com"}),
    "a federated principal in its place": allowed_to({"Federated": "cognito-identity.amazonaws.com"}),
    "a canonical user in its place": allowed_to({"CanonicalUser": "abc"}),
    "the id of a deleted identity": allowed_to({"AWS": "AROAEXAMPLE123456789"}),
    "the vendor's account in another partition": allowed_to({"AWS": f"arn:aws-us-gov:iam::{VENDOR}:root"}),
    "the vendor's ARN with a space before it": allowed_to({"AWS": f" {root(VENDOR)}"}),
    "a pattern of the vendor's principals": allowed_to({"AWS": f"arn:aws:iam::{VENDOR}:*"}),
    "through a service alone": allowed_if("StringEquals", "kms:ViaService", "s3.us-east-1.amazonaws.com"),
    "for AWS resources alone": allowed_if("Bool", "kms:GrantIsForAWSResource", "true"),
    "until a day": allowed_if("DateLessThan", "aws:CurrentTime", "2030-02-01T00:00:00Z"),
    "with an encryption context": allowed_if("StringEquals", "kms:EncryptionContext:a", "b"),
    "from a source account": allowed_if("StringEquals", "aws:SourceAccount", VENDOR),
    "for another calling account": allowed_if("StringEquals", "kms:CallerAccount", OTHER),
    "of another key": updated(document(OWNER, {**FOR_VENDOR, "Resource": key_arn(7)})),
    "without Decrypt": updated(
        document(OWNER, statement({"AWS": root(VENDOR)}, [a for a in USE if "Decrypt" not in a]))
    ),
    "without DescribeKey": updated(
        document(OWNER, statement({"AWS": root(VENDOR)}, [a for a in USE if "Describe" not in a]))
    ),
    "no JSON": updated("{"),
    "no statement": updated('{"Version":"2012-10-17","Statement":[]}'),
    "a number for a statement": updated('{"Version":"2012-10-17","Statement":[1]}'),
    "the statements twice": updated(
        f'{{"Version":"2012-10-17","Statement":[{json.dumps(OWNER)}],"Statement":{json.dumps([OWNER, FOR_VENDOR])}}}'
    ),
    "the statements twice, one with a space": updated(
        f'{{"Version":"2012-10-17","Statement" :[{json.dumps(OWNER)}],"Statement":{json.dumps([OWNER, FOR_VENDOR])}}}'
    ),
    "an element in another case": updated(json.dumps({"Version": "2012-10-17", "statement": [OWNER, FOR_VENDOR]})),
    "written with escapes": updated(POLICIES["owner only"].replace("kms:*", "kms:\\u002a")),
}
POLICIES_THAT_GIVE_TOO_MUCH = {
    "everything of KMS to the vendor": updated(document(OWNER, statement({"AWS": root(VENDOR)}, "kms:*"))),
    "everything to the vendor": updated(document(OWNER, statement({"AWS": root(VENDOR)}, "*"))),
    "all but the policy to the vendor": updated(
        document(
            OWNER,
            {"Effect": "Allow", "Principal": {"AWS": root(VENDOR)}, "NotAction": "kms:PutKeyPolicy", "Resource": "*"},
        )
    ),
    "grants without a condition to the vendor": updated(
        document(OWNER, FOR_VENDOR, statement({"AWS": root(VENDOR)}, "kms:CreateGrant"))
    ),
    "use to anybody": updated(POLICIES["anybody"]),
}
POLICIES_THAT_GIVE_TOO_MUCH |= {
    f"{action} to {name}": updated(document(OWNER, FOR_VENDOR, statement(principal, action)))
    for action in ("kms:CreateGrant", "kms:ReEncryptFrom", "kms:RevokeGrant")
    for name, principal in (("a third account", {"AWS": root(OTHER)}), ("anybody", "*"))
}
KEYS = {
    "an undeclared key that the vendor can use is destroyed": PlanBuilder().add(
        KEY, 7, ("delete",), before=UNTAGGED, name="x"
    ),
    "its access stood in a policy of its own": PlanBuilder()
    .add(KEY, 7, ("delete",), before=FOREIGN, name="x")
    .add(KEY_POLICY, 7, ("delete",), name="x"),
    "its access stood in a grant": PlanBuilder()
    .add(KEY, 7, ("delete",), before=FOREIGN, name="x")
    .add(GRANT, 7, ("delete",), name="x"),
    "its access was taken away outside before": PlanBuilder()
    .add(KEY, 7, ("delete",), before=FOREIGN, name="x")
    .drifted(KEY, 7, UNTAGGED, name="x", observed=FOREIGN),
    "destroyed under one address, imported under another": PlanBuilder()
    .add(KEY, 1, ("delete",))
    .add(KEY, 1, ("no-op",), name="other", importing=key_id(1)),
    "a deposed object": PlanBuilder().add(KEY, 1).add(KEY, 1, ("delete",), deposed="4e2a1f0c"),
    "an external key": PlanBuilder().add(EXTERNAL, 1, ("delete",)),
    "an external key is disabled": PlanBuilder().add(EXTERNAL, 1, ("update",), after={"enabled": False}),
    "a replica": PlanBuilder().add(KEY, 1, before={"multi_region": True}).add(REPLICA, 1, ("delete",)),
    "gone, and no change tells of it": PlanBuilder().drifted(KEY, 1, gone=True),
    "an RSA key as the next generation": PlanBuilder()
    .add(KEY, 1)
    .add(KEY, 2, ("create",), after={"customer_master_key_spec": "RSA_2048"}),
    "an HMAC key as the next generation": PlanBuilder()
    .add(KEY, 1)
    .add(KEY, 2, ("create",), after={"customer_master_key_spec": "HMAC_256", "key_usage": "GENERATE_VERIFY_MAC"}),
    "its tags are taken off": PlanBuilder().add(KEY, 1, ("update",), after=UNTAGGED),
    "its store is destroyed": with_store("delete"),
    "its store moves to another cluster": with_store("update", cloud_hsm_cluster_id="cluster-z"),
}
KEYS |= {
    f"{' then '.join(actions)}": PlanBuilder().add(KEY, 1, actions)
    for actions in (("create", "delete"), ("forget", "create"), ("create", "forget"))
}
KEYS |= {
    "material is replaced": PlanBuilder().add(
        EXTERNAL, 1, ("update",), before={"key_material_base64": "a"}, after={"key_material_base64": "b"}
    ),
    "material is about to expire": PlanBuilder().add(
        EXTERNAL, 1, ("update",), after={"valid_to": "2030-01-05T00:00:00Z"}
    ),
    "material expires at no time that can be read": PlanBuilder().add(
        EXTERNAL, 1, ("update",), after={"valid_to": "soon"}
    ),
    "its change is put off": PlanBuilder().add(KEY, 1, ("update",), after={"is_enabled": False}).defer(),
    "its policy's change is put off": PlanBuilder()
    .add(KEY, 1)
    .add(KEY_POLICY, 1, ("create",), after=OWNER_ONLY)
    .defer(),
}
LINKED = {
    "the alias goes to a key of no generation": foreign()
    .add(KEY, 1)
    .add(ALIAS, 1, ("update",), after={"target_key_id": key_id(7), "target_key_arn": key_arn(7)}),
    "the alias goes to a key outside the plan": PlanBuilder()
    .add(KEY, 1)
    .add(ALIAS, 1, ("update",), after={"target_key_id": key_arn(9), "target_key_arn": key_arn(9)}),
    "the alias is forgotten": PlanBuilder().add(KEY, 1).add(ALIAS, 1, ("forget",)),
    "the alias was moved outside, and stays so": foreign()
    .add(KEY, 1)
    .add(ALIAS, 7)
    .drifted(ALIAS, 1, observed={"target_key_id": key_id(7)}),
    "the alias was deleted outside": PlanBuilder().add(KEY, 1).drifted(ALIAS, 1, gone=True),
    "a policy of its own, by ARN": PlanBuilder()
    .add(KEY, 1)
    .add(KEY_POLICY, 1, ("create",), after={"key_id": key_arn(1), **OWNER_ONLY}),
    "a policy of its own, by alias": PlanBuilder()
    .add(KEY, 1)
    .add(ALIAS, 1)
    .add(KEY_POLICY, 1, ("create",), after={"key_id": "alias/northwind-ekm", **OWNER_ONLY}),
    "a policy of its own, by the alias's ARN": PlanBuilder()
    .add(KEY, 1)
    .add(KEY_POLICY, 1, ("create",), after={"key_id": f"arn:aws:kms:us-east-1:{CUSTOMER}:alias/x", **OWNER_ONLY}),
    "a policy of its own under another name, without a move": PlanBuilder()
    .add(KEY, 1, before=OWNER_ONLY)
    .add(KEY_POLICY, 1, ("delete",), name="a")
    .add(KEY_POLICY, 1, ("create",), name="b"),
    "two policies of its own": PlanBuilder()
    .add(KEY, 1)
    .add(KEY_POLICY, 1)
    .add(KEY_POLICY, 1, ("create",), name="z", after=OWNER_ONLY),
    "the policy of a key outside the plan is destroyed": PlanBuilder().add(KEY_POLICY, 9, ("delete",)),
    "its own policy is put over a separate one that nothing puts again": PlanBuilder()
    .add(KEY, 1, ("update",), after=OWNER_ONLY)
    .add(KEY_POLICY, 1),
    "its policy of its own was taken away outside": PlanBuilder()
    .add(KEY, 1, before=OWNER_ONLY)
    .drifted(KEY_POLICY, 1, gone=True),
    "the grant is bound to an encryption context": with_grant(
        "delete", "create", constraints=[{"encryption_context_equals": {"a": "b"}, "encryption_context_subset": None}]
    ),
    "the grant goes to one role": with_grant("create", "delete", grantee_principal=f"arn:aws:iam::{VENDOR}:role/x"),
    "the grant moves to another key": with_grant("delete", "create", key_id=key_id(7)),
    "the grant was retired outside": PlanBuilder().add(KEY, 1, before=OWNER_ONLY).drifted(GRANT, 1, gone=True),
}
UNDER_A_CONDITION = POLICIES["vendor under a condition"]
CONDITIONS = {
    "another organisation": updated(POLICIES["vendor under another condition"], UNDER_A_CONDITION),
    "one organisation less": updated(
        UNDER_A_CONDITION,
        document(OWNER, {**FOR_VENDOR, "Condition": {"StringEquals": {"aws:PrincipalOrgID": ["o-2", "o-1234567890"]}}}),
    ),
    "another role of the vendor": updated(
        document(OWNER, statement({"AWS": f"arn:aws:iam::{VENDOR}:role/y"}, USE)),
        document(OWNER, statement({"AWS": f"arn:aws:iam::{VENDOR}:role/x"}, USE)),
    ),
    "a denial under a condition beside it": updated(
        document(
            OWNER,
            json.loads(UNDER_A_CONDITION)["Statement"][1],
            statement("*", "kms:Decrypt", "Deny", Condition={"StringNotEquals": {"aws:SourceVpce": "vpce-1"}}),
        ),
        UNDER_A_CONDITION,
    ),
    "another encryption context of the grant": PlanBuilder()
    .add(KEY, 1, before=OWNER_ONLY)
    .add(
        GRANT,
        1,
        ("create", "delete"),
        before={"constraints": [{"encryption_context_equals": {"a": "b"}, "encryption_context_subset": None}]},
        after={"constraints": [{"encryption_context_equals": {"a": "z"}, "encryption_context_subset": None}]},
    ),
}
LINKED |= {
    "the alias is made on the next generation": PlanBuilder().add(KEY, 1).add(KEY, 2).add(ALIAS, 2, ("create",)),
    "a plan of OpenTofu's that leaves a key out": PlanBuilder(complete=None).add(GRANT, 1, ("create",)).known(KEY, 1),
}
DANGEROUS = {
    **{f"{name} [condition]": plan for name, plan in CONDITIONS.items()},
    **{f"{name} [denial]": plan for name, plan in DENIALS.items()},
    **{f"{name} [policy]": plan for name, plan in POLICIES_THAT_LOSE_THE_VENDOR.items()},
    **{f"{name} [too much]": plan for name, plan in POLICIES_THAT_GIVE_TOO_MUCH.items()},
    **{f"{name} [key]": plan for name, plan in KEYS.items()},
    **{f"{name} [link]": plan for name, plan in LINKED.items()},
}
MULTI_REGION = {"multi_region": True}
WITH_A_REPLICA = declaration(2, generation_1={"multi_region": True, "replicas": ["us-west-2"]})


def with_replica(*actions: str, unknown: tuple[str, ...] = (), **after: Any) -> PlanBuilder:
    return PlanBuilder().add(KEY, 1, before=MULTI_REGION).add(REPLICA, 1, actions, after=after, unknown=unknown)


DANGEROUS_FOR_A_REPLICA = {
    "its policy loses the vendor": with_replica("update", **OWNER_ONLY),
    "it is disabled": with_replica("update", enabled=False),
    "it is made without the vendor": with_replica("create", **OWNER_ONLY),
    "it is made with a policy that is not known": with_replica("create", unknown=("policy",)),
    "a policy of its own, by its ARN": with_replica("no-op").add(
        KEY_POLICY, 1, ("create",), after={"key_id": key_arn(1, "us-west-2"), **OWNER_ONLY}
    ),
}
DANGEROUS_FOR_A_KEY_KNOWN_BY_ITS_ARN = {
    "its policy loses the vendor": PlanBuilder().add(KEY_POLICY, 1, ("update",), after=OWNER_ONLY),
    "its policy is destroyed": PlanBuilder().add(KEY_POLICY, 1, ("delete",)),
    "its alias is destroyed": PlanBuilder().add(ALIAS, 1, ("delete",)),
    "its grant is destroyed": PlanBuilder().add(GRANT, 1, ("delete",)),
}
AT_ADDRESSES = declaration(2, generation_1={"address": "aws_kms_key.a"}, generation_2={"address": "aws_kms_key.b"})
ITS_POLICY_BY_ID = PlanBuilder().add(KEY_POLICY, 1, ("create",), after={"key_id": key_id(1), **OWNER_ONLY})
HARMLESS = {
    "the creation of another team's key is put off": PlanBuilder()
    .add(KEY, 1)
    .add(KEY, 7, ("create",), name="x", after=FOREIGN)
    .defer(),
    "a third account may encrypt": updated(document(OWNER, FOR_VENDOR, statement({"AWS": root(OTHER)}, "kms:Encrypt"))),
    "the alias was moved outside, and comes back to the current generation": foreign()
    .add(KEY, 1)
    .add(
        ALIAS,
        1,
        ("update",),
        before={"target_key_id": key_id(7), "target_key_arn": key_arn(7)},
        after={"target_key_id": key_id(1), "target_key_arn": key_arn(1)},
    )
    .drifted(ALIAS, 1, observed={"target_key_id": key_id(7)}),
    "one value more in the condition": updated(
        document(OWNER, {**FOR_VENDOR, "Condition": {"StringEquals": {"aws:PrincipalOrgID": ["o-2", "o-1234567890"]}}}),
        UNDER_A_CONDITION,
    ),
    "a statement an action, under the condition": updated(
        document(OWNER, *({**json.loads(UNDER_A_CONDITION)["Statement"][1], "Action": action} for action in USE)),
        UNDER_A_CONDITION,
    ),
    "a condition beside the vendor's own": updated(POLICIES["vendor under either condition"], UNDER_A_CONDITION),
    "a denial that cannot hit the vendor, beside a condition": updated(
        document(
            OWNER,
            json.loads(UNDER_A_CONDITION)["Statement"][1],
            statement("*", "kms:*", "Deny", Condition={"Bool": {"aws:SecureTransport": "false"}}),
        ),
        UNDER_A_CONDITION,
    ),
    "a separate policy is put after its own": PlanBuilder()
    .add(KEY, 1, ("update",), after=OWNER_ONLY)
    .add(KEY_POLICY, 1, ("update",), before=OWNER_ONLY, after={"policy": POLICIES["standard"]}),
    "automatic rotation is switched on": PlanBuilder().add(KEY, 1, ("update",), after={"enable_key_rotation": True}),
    "a key of another team is made": PlanBuilder().add(KEY, 1).add(KEY, 7, ("create",), name="x", after=FOREIGN),
    "the alias is made anew under another address": PlanBuilder()
    .add(KEY, 1)
    .add(ALIAS, 1, ("delete",))
    .add(ALIAS, 1, ("create",), name="n"),
    "deny without encryption on the way": denied("kms:*", Condition={"Bool": {"aws:SecureTransport": "false"}}),
    "deny the deletion": denied(
        "kms:ScheduleKeyDeletion", Condition={"ArnNotEquals": {"aws:PrincipalArn": f"arn:aws:iam::{CUSTOMER}:role/X"}}
    ),
    "deny to a third account": denied("kms:*", {"AWS": root(OTHER)}),
    "the vendor by its number": allowed_to({"AWS": VENDOR}),
    "the vendor in a list": allowed_to({"AWS": [VENDOR, root(CUSTOMER)]}),
    "with encryption on the way": allowed_if("Bool", "aws:SecureTransport", "true"),
    "for the vendor as the calling account": allowed_if("StringEquals", "kms:CallerAccount", VENDOR),
    "the same with escapes": updated(POLICIES["standard"].replace("kms:*", "kms:\\u002a")),
    "the same with spaces": updated(f"  {POLICIES['standard']}\n"),
    "a key that is none of ours is destroyed": foreign(KEY, "delete"),
    "forgotten under one address, imported under another": PlanBuilder()
    .add(KEY, 1, ("forget",))
    .add(KEY, 1, ("no-op",), name="other", importing=key_id(1)),
    "another alias for a generation": PlanBuilder()
    .add(KEY, 1)
    .add(ALIAS, 1, ("create",), name="b", after={"name": "alias/x"}),
    "a grant is forgotten, and stays in force": with_grant("forget"),
    "a generation that the vendor never could use, unchanged": PlanBuilder().add(KEY, 1, before=OWNER_ONLY),
    "whether it is enabled is no longer said": PlanBuilder().add(KEY, 1, ("update",), after={"is_enabled": None}),
}


def _judged(plan: PlanBuilder, declared: Declaration | None = None) -> tuple[ReviewVerdict, list[str]]:
    report = review_plan("plan.json", plan.data(), declared or declaration(2))
    return report.verdict, [f"{finding.policy}: {finding.message}" for finding in report.findings]


@pytest.mark.parametrize("name", DANGEROUS)
def test_a_dangerous_plan_is_blocked(name: str) -> None:
    verdict, findings = _judged(DANGEROUS[name])
    assert verdict is ReviewVerdict.BLOCK, findings


@pytest.mark.parametrize("name", DANGEROUS_FOR_A_KEY_KNOWN_BY_ITS_ARN)
def test_what_belongs_to_a_key_outside_the_plan_is_blocked(name: str) -> None:
    verdict, findings = _judged(DANGEROUS_FOR_A_KEY_KNOWN_BY_ITS_ARN[name], ONLY_ITS_ARN_IS_DECLARED)
    assert verdict is ReviewVerdict.BLOCK, findings


@pytest.mark.parametrize("name", DANGEROUS_FOR_A_REPLICA)
def test_a_replica_is_as_precious_as_its_key(name: str) -> None:
    verdict, findings = _judged(DANGEROUS_FOR_A_REPLICA[name], WITH_A_REPLICA)
    assert verdict is ReviewVerdict.BLOCK, findings


def _policies(plan: PlanBuilder, declared: Declaration, **more: Any) -> set[str]:
    report = review_plan("plan.json", plan.data(), declared, **more)
    return {finding.policy for finding in report.findings if finding.blocks}


@pytest.mark.requirement("EKM-11")
@pytest.mark.parametrize(
    "more",
    [(), ((KEY, 2, ("create",), "a"),)],
    ids=["and the old number has none", "and the old number gets a new one"],
)
def test_a_key_without_tags_that_moves_to_the_next_generations_address_stays_the_old_one(more: Any) -> None:
    plan = PlanBuilder().add(KEY, 1, before=UNTAGGED, name="b", previous_address="aws_kms_key.a")
    for kind, number, actions, name in more:
        plan.add(kind, number, actions, name=name, after=UNTAGGED)
    report = review_plan("plan.json", plan.data(), AT_ADDRESSES)
    messages = {finding.policy: finding.message for finding in report.findings}
    assert messages["used-key-arn"] == "generation 2: the key that would stand for it is known as generation 1"
    assert ("generation-recreated" in messages) is bool(more)


def test_a_key_that_only_the_evidence_names_is_known_by_its_bare_id() -> None:
    assert "vendor-access-lost" in _policies(ITS_POLICY_BY_ID, declaration(1), proof=proof({1: "current"}))


def test_a_key_of_which_only_the_arn_is_declared_is_known_by_its_bare_id() -> None:
    report = review_plan("p", ITS_POLICY_BY_ID.data(), declaration(1, generation_1={"key_arn": key_arn(1)}))
    assert [(key.address, key.generation) for key in report.keys] == [(key_id(1), 1)]


def test_a_policy_on_a_key_elsewhere_may_be_that_of_a_generation_that_nothing_places() -> None:
    assert _policies(ITS_POLICY_BY_ID, declaration(1)) == {"unplaced-key-policy"}
    assert not _policies(ITS_POLICY_BY_ID, declaration(1, generation_1={"key_arn": key_arn(9)}))


@pytest.mark.requirement("EKM-35")
def test_a_replica_gives_the_vendor_no_way_around_a_revocation() -> None:
    plan = PlanBuilder().add(KEY, 1, before={**MULTI_REGION, **OWNER_ONLY, "is_enabled": False})
    plan.add(REPLICA, 1, ("create",))
    revoked = proof({1: "current"}, revoked=True)
    assert "revocation-undone" in _policies(plan, WITH_A_REPLICA, base=WITH_A_REPLICA, proof=revoked)


def test_a_key_of_another_provider_region_is_no_generation() -> None:
    plan = PlanBuilder().add(KEY, 1).add(KEY, 2, ("create",)).plan()
    plan["configuration"]["provider_config"] = {
        "aws.west": {"name": "aws", "alias": "west", "expressions": {"region": {"constant_value": "us-west-2"}}}
    }
    plan["configuration"]["root_module"]["resources"][1]["provider_config_key"] = "aws.west"
    report = review_plan("plan.json", json.dumps(plan).encode(), declaration(2))
    assert [(finding.policy, finding.message) for finding in report.findings if finding.blocks] == [
        (
            "wrong-key-place",
            "generation 2: its key is a new one in us-west-2, which is not the declared account and Region",
        )
    ]


def test_a_replica_is_told_from_its_key() -> None:
    report = review_plan("plan.json", with_replica("update", enabled=False).data(), WITH_A_REPLICA)
    assert [finding.message.split(":")[0] for finding in report.blocking] == ["generation 1 (replica)"]


def test_a_replica_with_the_vendors_access_is_harmless() -> None:
    verdict, findings = _judged(with_replica("create"), WITH_A_REPLICA)
    assert verdict is ReviewVerdict.PASS, findings


@pytest.mark.parametrize("name", HARMLESS)
def test_a_harmless_plan_passes(name: str) -> None:
    verdict, findings = _judged(HARMLESS[name])
    assert verdict is ReviewVerdict.PASS, findings


def test_a_key_store_that_was_pointed_elsewhere_outside_and_is_left_so_is_blocked() -> None:
    plan = with_store("no-op").drifted(STORE, 1, {"cloud_hsm_cluster_id": "cluster-of-old"})
    assert _policies(plan, IN_A_STORE) == {"key-store-changed"}


def _of_another_type(kind: str, action: str, before: Any, after: Any) -> PlanBuilder:
    plan = PlanBuilder().add(KEY, 1)
    change = {"actions": [action], "before": before, "after": after, "after_unknown": {}}
    plan.changes.append({"address": f"{kind}.x", "mode": "managed", "type": kind, "name": "x", "change": change})
    return plan


OF_ANOTHER_TYPE = {
    "an alias of another provider": _of_another_type(
        "awscc_kms_alias", "update", {"alias_name": "alias/northwind-ekm"}, {"alias_name": "alias/northwind-ekm"}
    ),
    "a key by Cloud Control": _of_another_type(
        "aws_cloudcontrolapi_resource", "delete", {"type_name": "AWS::KMS::Key", "identifier": key_id(1)}, None
    ),
    "a tenant's key by Cloud Control, in properties": _of_another_type(
        "aws_cloudcontrolapi_resource",
        "delete",
        {
            "type_name": "AWS::KMS::Key",
            "properties": json.dumps({"Tags": [{"Key": "keyturn:tenant", "Value": "northwind"}]}),
        },
        None,
    ),
    "what a newer provider makes for a key in scope": _of_another_type(
        "aws_kms_key_state", "create", None, {"key_id": key_id(1)}
    ),
}
HARMLESS_OF_ANOTHER_TYPE = {
    "a queue by Cloud Control": _of_another_type(
        "aws_cloudcontrolapi_resource", "delete", {"type_name": "AWS::SQS::Queue", "properties": key_id(1)}, None
    ),
    "a key of another provider is made": _of_another_type("awscc_kms_key", "create", None, {"key_policy": VENDOR}),
}


@pytest.mark.parametrize("name", OF_ANOTHER_TYPE)
def test_a_resource_that_cannot_be_judged_is_blocked_where_it_concerns_a_key_in_scope(name: str) -> None:
    assert _policies(OF_ANOTHER_TYPE[name], declaration(2)) == {"unread-kms-resource"}


@pytest.mark.parametrize("name", HARMLESS_OF_ANOTHER_TYPE)
def test_a_resource_that_cannot_be_judged_and_concerns_nobody_passes(name: str) -> None:
    assert not _policies(HARMLESS_OF_ANOTHER_TYPE[name], declaration(2))


def test_a_new_password_of_a_key_store_is_harmless() -> None:
    verdict, findings = _judged(with_store("update", key_store_password="another"), IN_A_STORE)
    assert verdict is ReviewVerdict.PASS, findings
