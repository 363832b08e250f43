"""Which keys are in scope: by ARN, evidence, tags, address, as a replica, or because the vendor can use them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from engine.review import Report, ReviewVerdict, review_plan
from engine.review.custody_builder import build_custody
from engine.review.declared import Declared
from engine.review.examination import make_context
from engine.review.plan_reader import read_plan
from tests.engine.review.declarations import declaration, proof
from tests.engine.review.plan_builder import (
    CUSTOMER,
    OPERATIONS,
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

KEY, GRANT, ALIAS, POLICY = "aws_kms_key", "aws_kms_grant", "aws_kms_alias", "aws_kms_key_policy"
# A key without tags that the vendor cannot use: nothing but what a test adds puts it into scope.
PLAIN: dict[str, Any] = {"tags": None, "tags_all": {}, "policy": POLICIES["owner only"]}
DELETED = ("delete",)


def _deletes(name: str, **before: Any) -> bytes:
    return PlanBuilder().add(KEY, 1, DELETED, name=name, before={**PLAIN, **before}).data()


def _blocked(report: Report) -> bool:
    return report.verdict is ReviewVerdict.BLOCK


def test_a_key_that_is_nothing_to_anybody_is_out_of_scope() -> None:
    report = review_plan("p", _deletes("other"), declaration())
    assert report.keys == ()
    assert not _blocked(report)


def test_by_the_declared_arn() -> None:
    declared = declaration(generation_1={"key_arn": key_arn(1)})
    report = review_plan("p", _deletes("other"), declared)
    assert _blocked(report)
    assert report.keys[0].generation == 1


FAMILY = "mrk-" + "1" * 32


def _of_the_family(region: str, account: str = CUSTOMER) -> str:
    return f"arn:aws:kms:{region}:{account}:key/{FAMILY}"


@pytest.mark.parametrize("kind", [KEY, "aws_kms_replica_key"])
@pytest.mark.parametrize("elsewhere", ["primary", "replica"])
def test_by_the_declared_arn_of_the_same_family_in_another_region(kind: str, elsewhere: str) -> None:
    regions = ("us-east-1", "eu-west-1") if elsewhere == "replica" else ("eu-west-1", "us-east-1")
    declared = declaration(
        generation_1={"key_arn": _of_the_family(regions[0]), "multi_region": True}, region=regions[0]
    )
    before = {**PLAIN, "arn": _of_the_family(regions[1]), "key_id": FAMILY, "id": FAMILY}
    if kind != KEY:
        before["primary_key_arn"] = _of_the_family("ap-south-1")
    report = review_plan("p", PlanBuilder().add(kind, 1, DELETED, name="other", before=before).data(), declared)
    assert [finding.policy for finding in report.blocking] == ["generation-destroyed"]
    assert report.keys[0].generation == 1


def test_a_key_of_another_account_is_of_no_family_of_ours() -> None:
    declared = declaration(generation_1={"key_arn": _of_the_family("us-east-1"), "multi_region": True})
    before = {"arn": _of_the_family("us-east-1", OTHER), "key_id": FAMILY, "id": FAMILY}
    assert review_plan("p", _deletes("other", **before), declared).keys == ()


@pytest.mark.parametrize("arn", ["x", f"arn:key/{FAMILY}", _of_the_family("us-east-1") + ":x"])
def test_what_is_no_arn_of_a_key_is_of_no_family(arn: str) -> None:
    declared = declaration(generation_1={"key_arn": _of_the_family("us-east-1"), "multi_region": True})
    assert review_plan("p", _deletes("other", arn=arn), declared).keys == ()


def test_by_the_evidence() -> None:
    report = review_plan("p", _deletes("other"), declaration(), proof=proof({1: "current"}))
    assert _blocked(report)
    assert report.keys[0].generation == 1


def test_by_the_declared_address() -> None:
    declared = declaration(generation_1={"address": "aws_kms_key.other"})
    assert _blocked(review_plan("p", _deletes("other"), declared))


def test_by_the_declared_address_before_a_move() -> None:
    declared = declaration(generation_1={"address": "aws_kms_key.old"})
    plan = PlanBuilder().add(
        KEY, 1, ("update",), name="new", before=PLAIN, after={"is_enabled": False}, previous_address="aws_kms_key.old"
    )
    assert _blocked(review_plan("p", plan.data(), declared))


def test_by_the_address_that_our_stacks_give() -> None:
    assert _blocked(review_plan("p", _deletes("generation_1"), declaration()))


def test_the_stacks_address_in_a_module_is_somebody_elses() -> None:
    plan = PlanBuilder().add(KEY, 1, DELETED, before=PLAIN).plan()
    entry = plan["resource_changes"][0]
    entry |= {"address": "module.m.aws_kms_key.generation_1", "module_address": "module.m"}
    assert not _blocked(review_plan("p", json.dumps(plan).encode(), declaration()))


def test_the_stacks_address_with_the_tags_of_another_tenant_is_somebody_elses() -> None:
    tags = {"keyturn:tenant": "southwind", "keyturn:generation": "1"}
    data = _deletes("generation_1", tags=tags, tags_all=tags)
    assert not _blocked(review_plan("p", data, declaration()))


@pytest.mark.parametrize("where", ["tags", "tags_all"])
def test_by_the_tags(where: str) -> None:
    tags = {"keyturn:tenant": "northwind", "keyturn:generation": "1"}
    report = review_plan("p", _deletes("other", **{where: tags}), declaration())
    assert _blocked(report)
    assert report.keys[0].generation == 1


def test_by_tags_that_only_the_state_before_the_drift_had() -> None:
    tags = {"keyturn:tenant": "northwind", "keyturn:generation": "1"}
    plan = PlanBuilder().add(KEY, 1, DELETED, name="other", before=PLAIN)
    plan.drifted(KEY, 1, {**PLAIN, "tags": tags}, name="other", observed=PLAIN)
    assert _blocked(review_plan("p", plan.data(), declaration()))


@pytest.mark.parametrize("number", ["0", "01", "x", "", "-1", "1.0", "99999999999999999999"])
def test_a_tag_that_is_no_generation_is_none(number: str) -> None:
    tags = {"keyturn:tenant": "northwind", "keyturn:generation": number}
    assert not _blocked(review_plan("p", _deletes("other", tags=tags), declaration()))


def test_a_tagged_generation_that_nobody_declared_is_in_scope() -> None:
    tags = {"keyturn:tenant": "northwind", "keyturn:generation": "7"}
    report = review_plan("p", _deletes("other", tags=tags), declaration())
    assert _blocked(report)
    assert report.keys[0].role == "undeclared"


def test_by_the_vendors_access_through_the_policy() -> None:
    assert _blocked(review_plan("p", _deletes("other", policy=POLICIES["standard"]), declaration()))


def test_by_the_vendors_access_through_a_grant() -> None:
    plan = PlanBuilder().add(KEY, 1, DELETED, name="other", before=PLAIN).add(GRANT, 1, DELETED)
    assert _blocked(review_plan("p", plan.data(), declaration()))


def test_by_the_vendors_access_through_a_policy_resource() -> None:
    plan = PlanBuilder().add(KEY, 1, DELETED, name="other", before=PLAIN).add(POLICY, 1, DELETED)
    assert _blocked(review_plan("p", plan.data(), declaration()))


def test_a_grant_to_another_account_is_no_access_of_the_vendors() -> None:
    plan = PlanBuilder().add(KEY, 1, DELETED, name="other", before=PLAIN)
    plan.add(GRANT, 1, DELETED, before={"grantee_principal": root(OTHER)})
    assert not _blocked(review_plan("p", plan.data(), declaration()))


OF_AN_ORGANISATION = document(
    statement({"AWS": "*"}, "kms:*", Condition={"StringEquals": {"aws:PrincipalOrgID": "o-1"}})
)


def test_a_wildcard_that_only_may_mean_the_vendor_does_not_put_a_key_into_scope() -> None:
    assert not _blocked(review_plan("p", _deletes("other", policy=OF_AN_ORGANISATION), declaration()))


def test_a_grant_to_others_beside_such_a_wildcard_does_not_put_the_key_into_scope_either() -> None:
    plan = PlanBuilder().add(KEY, 1, DELETED, name="other", before={**PLAIN, "policy": OF_AN_ORGANISATION})
    assert not _blocked(review_plan("p", plan.data(), declaration()))
    others = {"grantee_principal": "backup.amazonaws.com"}
    assert not _blocked(review_plan("p", plan.add(GRANT, 1, DELETED, before=others).data(), declaration()))


@pytest.mark.parametrize(("account", "blocked"), [(OTHER, False), (VENDOR, True)], ids=["others", "the vendor"])
def test_a_policy_that_kms_refuses_puts_a_key_into_scope_where_it_names_the_vendor(account: str, blocked: bool) -> None:
    refused = document(OWNER, statement("*", "kms:Decrypt"), statement({"AWS": root(account)}, USE, effect="allow"))
    assert _blocked(review_plan("p", _deletes("other", policy=refused), declaration())) is blocked


def test_a_wildcard_for_everybody_means_the_vendor_too() -> None:
    assert _blocked(review_plan("p", _deletes("other", policy=POLICIES["anybody"]), declaration()))


def test_a_replica_is_its_primary_keys_generation() -> None:
    multi_region = {"key_id": "mrk-" + "0" * 32, "id": "mrk-" + "0" * 32, "multi_region": True}
    arn = f"arn:aws:kms:us-east-1:123456789012:key/{multi_region['key_id']}"
    plan = PlanBuilder().add(KEY, 1, before={**multi_region, "arn": arn})
    plan.add(
        "aws_kms_replica_key",
        1,
        DELETED,
        before={
            **multi_region,
            "arn": arn.replace("us-east-1", "us-west-2"),
            "primary_key_arn": arn,
            "policy": POLICIES["owner only"],
        },
    )
    report = review_plan("p", plan.data(), declaration(generation_1={"multi_region": True}))
    assert _blocked(report)
    assert [key.generation for key in report.keys] == [1, 1]


def test_a_generation_of_either_declaration_is_in_scope() -> None:
    base = declaration(2)
    data = PlanBuilder().add(KEY, 2, DELETED, before=PLAIN).data()
    report = review_plan("p", data, declaration(1), base=base)
    assert "generation-destroyed" in {finding.policy for finding in report.blocking}


def test_the_vendor_is_the_one_that_the_target_branch_declares() -> None:
    data = PlanBuilder().add(KEY, 1, ("update",), after={"policy": POLICIES["another account instead"]}).data()
    report = review_plan("p", data, declaration(vendor_account=OTHER), base=declaration(vendor_account=VENDOR))
    policies = {finding.policy for finding in report.blocking}
    assert {"vendor-access-lost", "other-account-instead-of-vendor", "declared-vendor-changed"} <= policies


def test_a_key_that_only_a_grant_names_is_known_by_its_arn() -> None:
    declared = declaration(generation_1={"key_arn": key_arn(1)})
    deleted = PlanBuilder().add(GRANT, 1, DELETED, before={"key_id": key_arn(1)}).data()
    report = review_plan("p", deleted, declared)
    assert _blocked(report)
    assert [(f.policy, f.outcome.value) for f in report.blocking] == [("vendor-access-lost", "unknown")]
    added = PlanBuilder().add(GRANT, 1, ("create",), after={"key_id": key_arn(1)}).data()
    assert not _blocked(review_plan("p", added, declared))
    bare = PlanBuilder().add(GRANT, 1, DELETED, before={"key_id": key_id(1)}).data()
    report = review_plan("p", bare, declared)
    assert _blocked(report)
    assert [key.generation for key in report.keys] == [1]


@pytest.mark.parametrize("name", [key_arn(1), key_id(1)], ids=["its ARN", "its id"])
def test_evidence_proves_of_a_key_what_it_knows_of_the_generation_by_its_arn_or_by_its_id(name: str) -> None:
    plan = PlanBuilder().add(GRANT, 1, DELETED, before={"key_id": name})
    proved = proof({1: "retired"})
    declared = Declared(declaration(), None, proved)
    context = make_context(read_plan("p", plan.data()), declared, datetime(2030, 1, 1, tzinfo=UTC))
    (subject,) = context.subjects.values()
    assert (subject.number, subject.proof) == (1, proved.of_number(1))


def test_a_grant_whose_key_cannot_be_told_gives_no_certain_access() -> None:
    plan = PlanBuilder().add(KEY, 1, ("update",), after={"policy": POLICIES["owner only"]})
    plan.add(GRANT, 1, ("create",), unknown=("key_id",), points_to=9, after={"operations": OPERATIONS})
    report = review_plan("p", plan.data(), declaration())
    assert "vendor-access-lost" in {finding.policy for finding in report.blocking}


def test_without_the_target_branchs_declaration_the_report_says_so() -> None:
    plan = PlanBuilder().add(KEY, 1).data()
    assert any("judged by its own declaration" in note for note in review_plan("p", plan, declaration()).notes)
    judged = review_plan("p", plan, declaration(), base=declaration())
    assert not any("judged by its own declaration" in note for note in judged.notes)


def test_a_name_with_a_number_beyond_reason_is_no_generation() -> None:
    assert not _blocked(review_plan("p", _deletes("generation_" + "9" * 6000), declaration()))


def test_the_account_of_a_key_is_that_of_its_arn() -> None:
    plan = PlanBuilder().add(KEY, 1, before={"arn": key_arn(1, account=OTHER)})
    (key,) = build_custody(read_plan("p", plan.data())).keys.values()
    assert key.account_id == OTHER
