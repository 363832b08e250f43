"""Which policy is in force after an apply: what the AWS provider does with `aws_kms_key_policy`, done by the review."""

from __future__ import annotations

from typing import Any

import pytest

from engine.review import Report, ReviewVerdict, review_plan
from engine.review.custody_builder import build_custody
from engine.review.plan_reader import read_plan
from engine.review.policy_reading import NOTHING_KNOWN, PolicyReading, default_policy, known
from engine.review.resources import Moment
from tests.engine.review.declarations import declaration
from tests.engine.review.plan_builder import (
    CUSTOMER,
    OWNER,
    POLICIES,
    PlanBuilder,
    document,
    key_arn,
    key_id,
    statement,
)

KEY, KEY_POLICY = "aws_kms_key", "aws_kms_key_policy"
STANDARD, OWNER_ONLY = POLICIES["standard"], POLICIES["owner only"]
FOREIGN: dict[str, Any] = {"tags": None, "tags_all": {}, "policy": OWNER_ONLY}
BYPASSED = {"bypass_policy_lockout_safety_check": True}
TO_ANOTHER = {"key_id": key_id(7)}


def one_key(*actions: str, own: dict[str, Any] | None = None, **more: Any) -> PlanBuilder:
    """Generation 1 and another key, and a policy resource on the generation."""
    builder = PlanBuilder().add(KEY, 1, ("update",) if own else ("no-op",), after=own)
    return builder.add(KEY, 7, name="foreign", before=FOREIGN).add(KEY_POLICY, 1, actions, **more)


def on_another(number: int, key_actions: tuple[str, ...] = (), before: str = STANDARD, **more: Any) -> PlanBuilder:
    """A policy resource on another key that comes to name a generation's in place."""
    of_the_other = {"key_id": key_id(7), "id": key_id(7), "policy": before}
    builder = PlanBuilder().add(KEY, 1).add(KEY, 7, name="foreign", before=FOREIGN)
    if number != 1:
        builder.add(KEY, number, key_actions, after={"policy": OWNER_ONLY})
    return builder.add(KEY_POLICY, number, ("update",), before=of_the_other, **more)


def moved_to_the_generation(*actions: str, policy: str) -> PlanBuilder:
    """A policy resource that is replaced: the old one is on another key, the new one on the generation's."""
    before = {"key_id": key_id(7), "id": key_id(7), "policy": OWNER_ONLY}
    builder = PlanBuilder().add(KEY, 1).add(KEY, 7, name="foreign", before=FOREIGN)
    return builder.add(KEY_POLICY, 1, actions, before=before, after={"key_id": key_id(1), "policy": policy})


DANGEROUS: dict[str, tuple[PlanBuilder, tuple[str, ...]]] = {
    "a policy comes to name another key, and its text loses Druva: it is put on the old key": (
        one_key("update", after={**TO_ANOTHER, "policy": OWNER_ONLY}),
        ("vendor-access-lost",),
    ),
    "a policy comes to name a key whose own policy loses Druva: that key gets nothing": (
        on_another(2, ("update",), after={"key_id": key_id(2)}),
        ("vendor-access-lost",),
    ),
    "a policy without Druva is replaced and comes from another key onto a generation's": (
        moved_to_the_generation("delete", "create", policy=OWNER_ONLY),
        ("vendor-access-lost",),
    ),
    "it is destroyed": (one_key("delete"), ("vendor-access-lost",)),
    "a deposed one is destroyed beside the one that stays": (
        one_key("no-op").add(KEY_POLICY, 1, ("delete",), deposed="0123abcd"),
        ("vendor-access-lost",),
    ),
    "it is replaced, the new one first": (
        one_key("create", "delete", after={"key_id": key_id(1)}),
        ("vendor-access-lost",),
    ),
    "it is replaced and goes to another key": (one_key("delete", "create", after=TO_ANOTHER), ("vendor-access-lost",)),
    "the key's own loses Druva and the policy comes to name another key: either may be put last": (
        one_key("update", own={"policy": OWNER_ONLY}, after={**TO_ANOTHER, "policy": STANDARD + " "}),
        ("vendor-access-lost",),
    ),
    "it is destroyed, and the key's own says the same as before with a space: either may be put last": (
        one_key("delete", own={"policy": STANDARD + " "}),
        ("vendor-access-lost",),
    ),
    "it bypasses the lockout check from now on, and is destroyed first": (
        one_key("create", "delete", after={**BYPASSED, "key_id": key_id(1)}),
        ("vendor-access-lost", "lockout-check-bypassed"),
    ),
    "it bypasses the lockout check and is destroyed, and the key's own loses Druva": (
        one_key("delete", own={"policy": OWNER_ONLY}, before=BYPASSED),
        ("vendor-access-lost",),
    ),
}
HARMLESS: dict[str, PlanBuilder] = {
    "a policy comes to name another key, and says the same": one_key("update", after=TO_ANOTHER),
    "a policy comes to name a key that is not known yet": one_key("update", unknown=("key_id",)),
    "a policy without Druva comes to name a generation's key, which gets nothing": on_another(
        1, before=OWNER_ONLY, after={"key_id": key_id(1), "policy": document(OWNER, statement("*", "*", "Deny"))}
    ),
    "it is destroyed and bypassed the lockout check: it stays in force": one_key("delete", before=BYPASSED),
    "it is replaced, the old one first": one_key("delete", "create", after={"key_id": key_id(1)}),
    "it is replaced, the new one first, and the old one bypassed the lockout check": one_key(
        "create", "delete", before=BYPASSED, after={**BYPASSED, "key_id": key_id(1)}
    ),
    "it goes to another key and bypassed the lockout check": one_key(
        "delete", "create", before=BYPASSED, after={**TO_ANOTHER, "bypass_policy_lockout_safety_check": False}
    ),
    "it comes from another key, the new one first: what is destroyed last was on the other": moved_to_the_generation(
        "create", "delete", policy=STANDARD
    ),
    "it is put after the key's own": one_key("update", own={"policy": OWNER_ONLY}, after={"policy": STANDARD + " "}),
}


def _review(plan: PlanBuilder) -> Report:
    return review_plan("plan.json", plan.data(), declaration(2), base=declaration(2))


@pytest.mark.parametrize("name", DANGEROUS)
def test_a_key_that_loses_druva_by_what_the_provider_puts_is_blocked(name: str) -> None:
    plan, expected = DANGEROUS[name]
    assert tuple(finding.policy for finding in _review(plan).blocking) == expected


@pytest.mark.parametrize("name", HARMLESS)
def test_what_the_provider_leaves_as_it_is_passes(name: str) -> None:
    report = _review(HARMLESS[name])
    assert report.verdict is ReviewVerdict.PASS, [f"{f.policy}: {f.message}" for f in report.findings]


def test_a_new_key_gets_nothing_of_a_policy_that_comes_to_name_it_in_place() -> None:
    report = _review(on_another(2, ("create",), unknown=("key_id",)))
    assert [finding.policy for finding in report.findings] == ["new-generation-without-vendor"]


def test_the_reader_is_told_that_the_policy_stays_where_it_is() -> None:
    (note,) = [note for note in _review(one_key("update", after=TO_ANOTHER)).notes if "another key" in note]
    assert note == (
        "aws_kms_key_policy.generation_1 comes to name another key: the AWS provider leaves the policy on generation 1"
    )
    (note,) = [note for note in _review(on_another(1, after={"key_id": key_id(1)})).notes if "another key" in note]
    assert note.endswith("the AWS provider leaves the policy on aws_kms_key.foreign")
    assert not [note for note in _review(one_key("no-op")).notes if "another key" in note]


def _planned(plan: PlanBuilder, address: str = "aws_kms_key.generation_1") -> PolicyReading:
    custody = build_custody(read_plan("plan.json", plan.data()))
    return custody.policies.in_force(custody.keys[address], Moment.PLANNED, CUSTOMER, "aws")


def test_the_arn_of_a_key_in_place_of_its_id_names_no_other_key() -> None:
    told_by_arn = {"key_id": key_arn(1), "policy": STANDARD + " "}
    report = _review(one_key("update", own={"policy": OWNER_ONLY}, after=told_by_arn))
    assert report.verdict is ReviewVerdict.PASS, [f"{f.policy}: {f.message}" for f in report.findings]
    assert not [note for note in report.notes if "another key" in note]
    another = one_key("update", before={"key_id": key_arn(1)}, after={"key_id": key_arn(7)})
    assert [note for note in _review(another).notes if "another key" in note]


def test_a_key_that_takes_the_place_of_another_gets_nothing_of_what_is_put_on_the_old_one() -> None:
    new = {"policy": OWNER_ONLY}
    replaced = PlanBuilder().add(KEY, 1, ("delete", "create"), after=new)
    replaced.add(KEY_POLICY, 1, ("update",), unknown=("key_id",))
    assert _planned(replaced) == known(OWNER_ONLY)
    told = {finding.policy for finding in _review(replaced.add(KEY, 2)).findings}
    assert "generation-replaced" in told
    assert "unplaced-key-policy" not in told
    changed = PlanBuilder().add(KEY, 1, ("delete", "create"), after=new)
    changed.add(KEY_POLICY, 1, ("update",), after={"policy": STANDARD + " "}, unknown=("key_id",))
    assert _planned(changed) == known(OWNER_ONLY)
    replaced = PlanBuilder().add(KEY, 1, ("delete", "create"), after={"policy": STANDARD})
    assert _planned(replaced.add(KEY_POLICY, 1, ("delete",))) == known(STANDARD)


def test_a_new_key_gets_what_is_put_on_it() -> None:
    replaced = PlanBuilder().add(KEY, 1, ("delete", "create"), after={"policy": OWNER_ONLY})
    replaced.add(KEY_POLICY, 1, ("delete", "create"), unknown=("key_id",))
    assert _planned(replaced) == known(STANDARD)


def test_a_lockout_check_of_which_nothing_can_be_read_leaves_the_policy_unknown() -> None:
    assert _planned(one_key("delete", before={"bypass_policy_lockout_safety_check": "x"})) is NOTHING_KNOWN


def test_the_default_and_another_policy_are_one_of_the_two() -> None:
    default = default_policy("aws", CUSTOMER)
    renamed = one_key("delete").add(KEY_POLICY, 1, ("create",), name="renamed")
    assert _planned(renamed) == PolicyReading(default.least, STANDARD)
    renamed.add(KEY_POLICY, 1, ("create",), name="second", after={"policy": POLICIES["vendor denied"]})
    assert _planned(renamed) is NOTHING_KNOWN
    renamed = one_key("delete").add(KEY_POLICY, 1, ("create",), name="renamed", unknown=("policy",))
    assert _planned(renamed) is NOTHING_KNOWN
    for other in ("second", "third"):
        renamed.add(KEY_POLICY, 1, ("create",), name=other, after={"policy": POLICIES["vendor denied"]})
    assert _planned(renamed) is NOTHING_KNOWN
    assert _planned(one_key("delete", own={"policy": default.least})) == default


@pytest.mark.parametrize(("configured", "outcome"), [(False, "fail"), (True, "unknown")], ids=["none", "some policy"])
def test_a_new_key_for_which_the_configuration_sets_no_policy_gets_the_default_one(
    configured: bool, outcome: str
) -> None:
    plan = PlanBuilder().add(KEY, 1).add(KEY, 2, ("create",), unknown=("policy",))
    if not configured:
        del plan.configuration[-1]["expressions"]["policy"]
    found = {finding.policy: finding.outcome.value for finding in _review(plan).findings}
    assert found["new-generation-without-vendor"] == outcome
    assert ("last-administrator-lost" in found) is configured
    default = NOTHING_KNOWN if configured else default_policy("aws", CUSTOMER)
    assert _planned(plan, "aws_kms_key.generation_2") == default


@pytest.mark.parametrize("side", ["before", "after"])
def test_a_deferred_policy_of_which_a_side_is_not_shown_is_blocked_as_deferred(side: str) -> None:
    plan = one_key("update", after={"policy": OWNER_ONLY})
    plan.changes[-1]["change"][side] = None
    assert [finding.policy for finding in _review(plan.defer()).blocking] == ["change-deferred"]
