"""What the findings say: the particulars that a reader acts on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine.errors import UntrustedError
from engine.review import review_plan
from tests.engine.review.declarations import declaration, proof
from tests.engine.review.plan_builder import (
    OTHER,
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
OWNER_AND = statement({"AWS": root("123456789012")}, "kms:*")


def _message(plan: PlanBuilder, rule: str, generations: int = 1) -> str:
    report = review_plan("p", plan.data(), declaration(generations))
    (message,) = {finding.message for finding in report.findings if finding.policy == rule}
    return message


def test_a_destroyed_key_is_told_with_terraforms_reason_and_its_window() -> None:
    plan = PlanBuilder().add(
        KEY, 1, ("delete",), before={"deletion_window_in_days": 7}, action_reason="delete_because_each_key"
    )
    assert _message(plan, "generation-destroyed") == (
        "generation 1: its KMS key would be destroyed: its for_each key is gone; gone for good after 7 days"
    )


def test_without_a_reason_and_a_window_none_is_made_up() -> None:
    plan = PlanBuilder().add(KEY, 1, ("delete",), before={"deletion_window_in_days": None})
    assert _message(plan, "generation-destroyed") == (
        "generation 1: its KMS key would be destroyed; gone for good after 30 days"
    )


def test_an_unknown_reason_is_left_out() -> None:
    plan = PlanBuilder().add(KEY, 1, ("delete",), action_reason="delete_because_of_the_weather")
    assert "weather" not in _message(plan, "generation-destroyed")


def test_lost_access_is_told_action_by_action() -> None:
    plan = PlanBuilder().add(KEY, 1, ("update",), after={"policy": POLICIES["vendor cannot rewrap"]})
    assert _message(plan, "vendor-access-narrowed") == (
        f"generation 1: Druva's account {VENDOR} would lose by this plan: kms:ReEncryptFrom, kms:ReEncryptTo"
    )


def test_access_lost_outside_terraform_is_told_as_such() -> None:
    plan = PlanBuilder().add(KEY, 1, before={"policy": POLICIES["owner only"]})
    plan.drifted(KEY, 1, observed={"policy": POLICIES["owner only"]})
    assert "would lose outside Terraform all use of the key" in _message(plan, "vendor-access-lost")


def test_what_a_new_key_lacks_is_told() -> None:
    plan = PlanBuilder().add(KEY, 2, ("create",), after={"policy": POLICIES["vendor cannot rewrap"]})
    assert _message(plan, "new-generation-without-vendor", 2).endswith(
        "could not use the new key for: kms:ReEncryptFrom, kms:ReEncryptTo"
    )


def test_excess_is_told_up_to_five_actions() -> None:
    six = [f"kms:{name}" for name in ("DisableKey", "EnableKey", "TagResource", "UntagResource", "ListGrants")]
    six.append("kms:ScheduleKeyDeletion")
    more = document(OWNER_AND, statement({"AWS": root(VENDOR)}, [*USE, *six]))
    told = _message(PlanBuilder().add(KEY, 1, ("update",), after={"policy": more}), "vendor-overprivileged")
    assert told.endswith(" and 1 more")
    few = document(OWNER_AND, statement({"AWS": root(VENDOR)}, [*USE, "kms:DisableKey", "kms:EnableKey"]))
    many = document(OWNER_AND, statement({"AWS": root(VENDOR)}, "kms:*"))
    told = _message(PlanBuilder().add(KEY, 1, ("update",), after={"policy": few}), "vendor-overprivileged")
    assert told.endswith("would be allowed: kms:DisableKey, kms:EnableKey")
    told = _message(PlanBuilder().add(KEY, 1, ("update",), after={"policy": many}), "vendor-overprivileged")
    assert told.count("kms:") == 5
    assert int(told.removesuffix(" more").rpartition(" and ")[2]) > 10


def test_accounts_are_told_unless_the_policy_is_sensitive() -> None:
    plan = PlanBuilder().add(KEY, 1, ("update",), after={"policy": POLICIES["another account instead"]})
    assert _message(plan, "other-account-instead-of-vendor") == (
        "generation 1: the account of the vendor would change; "
        f"gains access: {OTHER}; loses it: none; declared: {VENDOR}"
    )
    for side in ("before_sensitive", "after_sensitive"):
        plan.changes[0]["change"][side] = {"policy": True}
        told = _message(plan, "other-account-instead-of-vendor")
        assert OTHER not in told
        assert "gains access: (sensitive value); loses it: none" in told
        plan.changes[0]["change"][side] = {}


def test_an_alias_is_told_with_both_ends() -> None:
    plan = PlanBuilder().add(KEY, 1).add(KEY, 2).add(ALIAS, 2, ("update",), after={"target_key_id": key_arn(1)})
    assert _message(plan, "alias-moved-back", 2) == (
        "alias/northwind-ekm would point to generation 1, an earlier generation (before: generation 2)"
    )


def test_a_sensitive_alias_is_not_named() -> None:
    plan = PlanBuilder().add(KEY, 1).add(ALIAS, 1, ("delete",))
    plan.changes[1]["change"]["before_sensitive"] = {"name": True}
    assert _message(plan, "alias-removed") == "(sensitive value) of generation 1 would be deleted"


def test_tags_are_told_by_what_they_would_say() -> None:
    gone = PlanBuilder().add(KEY, 1, ("update",), after={"tags": None, "tags_all": {}})
    assert _message(gone, "generation-tags-lost") == "generation 1: its tags would say no generation"
    other = {"keyturn:tenant": "northwind", "keyturn:generation": "2"}
    moved = PlanBuilder().add(KEY, 1, ("update",), after={"tags": other, "tags_all": other})
    assert _message(moved, "generation-tags-lost", 2) == "generation 1: its tags would say generation 2"


def test_a_sensitive_arn_is_not_reported() -> None:
    plan = PlanBuilder().add(KEY, 1, ("delete",))
    assert review_plan("p", plan.data(), declaration()).keys[0].key_arn == key_arn(1)
    plan.changes[0]["change"]["before_sensitive"] = {"arn": True}
    assert review_plan("p", plan.data(), declaration()).keys[0].key_arn is None


@pytest.mark.parametrize("sensitive", [{"arn": True}, {"id": True}, {"key_id": True}, True])
@pytest.mark.parametrize("side", ["before_sensitive", "after_sensitive"])
@pytest.mark.parametrize("gone", [True, False])
def test_an_arn_that_was_sensitive_when_last_applied_is_not_reported(gone: bool, side: str, sensitive: Any) -> None:
    plan = PlanBuilder()
    if not gone:
        plan.add(KEY, 1)
    plan.drifted(KEY, 1, gone=gone)
    assert review_plan("p", plan.data(), declaration()).keys[0].key_arn == key_arn(1)
    plan.drift[0]["change"][side] = sensitive
    hidden = side == "before_sensitive"
    assert (review_plan("p", plan.data(), declaration()).keys[0].key_arn is None) is hidden


@pytest.mark.parametrize(
    ("plan", "effect"),
    [
        (PlanBuilder().add(KEY, 1), "keeps"),
        (PlanBuilder(complete=False).known(KEY, 1), "keeps"),
        (PlanBuilder().add(KEY, 1, importing=key_id(1)), "changes"),
        (PlanBuilder().add(KEY, 1, previous_address="aws_kms_key.former"), "changes"),
        (PlanBuilder().add(KEY, 1).drifted(KEY, 1, {"description": "former"}), "changes"),
        (PlanBuilder().add(KEY, 1).defer(), "changes"),
        (PlanBuilder().add(KEY, 1, ("update",), after={"description": "other"}), "changes"),
        (PlanBuilder().add(KEY, 1).add(GRANT, 1, ("update",), after={"name": "other"}), "changes"),
        (PlanBuilder().add(KEY, 1, ("create",)), "creates"),
        (PlanBuilder().add(KEY, 1, ("delete",)), "destroys"),
        (PlanBuilder().add(KEY, 1, ("delete", "create")), "replaces"),
        (PlanBuilder().add(KEY, 1, ("forget",)), "forgets"),
        (PlanBuilder().drifted(KEY, 1, gone=True), "has lost"),
    ],
)
def test_each_key_is_reported_with_what_the_plan_does_with_it(plan: PlanBuilder, effect: str) -> None:
    (key,) = review_plan("p", plan.data(), declaration()).keys
    assert (key.generation, key.role, key.effect) == (1, "current", effect)


@pytest.mark.parametrize("former", [True, False], ids=["under its former address", "under its address"])
def test_what_was_changed_outside_is_told_of_a_key_that_moves_too(former: bool) -> None:
    disabled = {"is_enabled": False}
    plan = PlanBuilder().add(KEY, 1, before=disabled, name="moved", previous_address="aws_kms_key.generation_1")
    plan.drifted(KEY, 1, observed=disabled, name="generation_1" if former else "moved")
    report = review_plan("p", plan.data(), declaration())
    assert "key-disabled-outside" in {finding.policy for finding in report.blocking}
    assert [key.address for key in report.keys] == ["aws_kms_key.moved"]


@pytest.mark.parametrize("reason", ["drift", "instance_count_unknown"])
def test_a_deferred_change_is_told_with_its_reason(reason: str) -> None:
    plan = PlanBuilder().add(KEY, 1, ("update",)).defer(reason)
    assert _message(plan, "change-deferred") == f"generation 1: a change is put off to a later plan ({reason})"


def test_a_key_taken_over_by_nobody_is_forgotten() -> None:
    plan = PlanBuilder().add(KEY, 1, ("forget",)).add(KEY, 1, ("delete",), name="same_key")
    rules = {finding.policy for finding in review_plan("p", plan.data(), declaration()).blocking}
    assert {"generation-forgotten", "generation-destroyed"} <= rules


def test_a_replica_in_another_region_is_the_declared_key() -> None:
    family = "mrk-" + "0" * 32
    arn = f"arn:aws:kms:us-east-1:123456789012:key/{family}"
    declared = declaration(generation_1={"key_arn": arn, "multi_region": True})
    ids = {"key_id": family, "id": family}
    plan = PlanBuilder().add(KEY, 1, before={**ids, "arn": arn, "multi_region": True})
    replica = {**ids, "arn": arn.replace("us-east-1", "us-west-2"), "primary_key_arn": arn}
    plan.add("aws_kms_replica_key", 1, ("update",), before=replica, after={"description": "renamed"})
    assert review_plan("p", plan.data(), declared).findings == ()


def test_a_policy_that_may_be_either_keys_makes_both_uncertain() -> None:
    family = "mrk-" + "0" * 32
    ids = {"key_id": family, "id": family, "policy": POLICIES["owner only"]}
    arn = f"arn:aws:kms:us-east-1:123456789012:key/{family}"
    plan = PlanBuilder().add(KEY, 1, before={**ids, "arn": arn})
    plan.add(KEY, 1, name="twin", before={**ids, "arn": arn.replace("us-east-1", "us-west-2")})
    plan.add(POLICY, 1, ("update",), before={"key_id": family}, after={"policy": POLICIES["owner only"]}, points_to=9)
    report = review_plan("p", plan.data(), declaration())
    assert [(f.policy, f.outcome.value) for f in report.blocking] == [("vendor-access-lost", "unknown")] * 2


@pytest.mark.parametrize("tenant", ["southwind", "eastwind"])
def test_evidence_of_another_tenant_is_refused(tenant: str) -> None:
    foreign = replace(proof({1: "released"}), tenant=tenant)
    with pytest.raises(UntrustedError, match=tenant):
        review_plan("p", PlanBuilder().data(), declaration(), proof=foreign)
