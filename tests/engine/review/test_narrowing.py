"""A narrowing of the vendor: what the target branch declares is what its calls bring; what the change brings blocks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine.declaration import Declaration, VendorNarrowing
from engine.review.review import review_plan
from tests.engine.review.declarations import declaration
from tests.engine.review.plan_builder import FOR_VENDOR, OWNER, POLICIES, VENDOR, PlanBuilder, document, root, statement

KEY = "aws_kms_key"


def narrowed_policy(value: str = "northwind", **more: str) -> str:
    """As the stacks write it for a declared encryption context."""
    pairs = {"kms:EncryptionContext:keyturn:tenant": value, **more}
    use = {**FOR_VENDOR, "Action": [action for action in FOR_VENDOR["Action"] if action != "kms:DescribeKey"]}
    return document(
        OWNER,
        {**use, "Condition": {"StringEquals": pairs}},
        statement({"AWS": root(VENDOR)}, "kms:DescribeKey"),
    )


def declared(*, narrowed: bool) -> Declaration:
    narrowing = VendorNarrowing((("keyturn:tenant", "northwind"),)) if narrowed else VendorNarrowing()
    return replace(declaration(1), vendor_narrowing=narrowing)


def blocking(before: str, after: str, *, base: Declaration, change: Declaration) -> set[str]:
    plan = PlanBuilder().add(KEY, 1, ("update",), before={"policy": before}, after={"policy": after})
    report = review_plan("plan.json", plan.data(), change, base=base)
    return {finding.policy for finding in report.findings if finding.blocks}


@pytest.mark.parametrize("change_too", [False, True])
def test_a_narrowing_that_the_change_brings_blocks_whatever_it_declares(change_too: bool) -> None:
    base, change = declared(narrowed=False), declared(narrowed=change_too)
    assert blocking(POLICIES["standard"], narrowed_policy(), base=base, change=change) == {"vendor-access-conditional"}


def test_a_narrowing_that_the_target_branch_declares_passes() -> None:
    both = {"base": declared(narrowed=True), "change": declared(narrowed=True)}
    assert blocking(POLICIES["standard"], narrowed_policy(), **both) == set()
    assert blocking(narrowed_policy(), POLICIES["standard"], **both) == set()


@pytest.mark.parametrize(
    ("policy", "rule"),
    [
        (narrowed_policy("southwind"), "vendor-access-narrowed"),
        (narrowed_policy(**{"aws:PrincipalTag/team": "restore"}), "vendor-access-conditional"),
    ],
)
def test_another_narrowing_than_the_declared_one_blocks(policy: str, rule: str) -> None:
    both = {"base": declared(narrowed=True), "change": declared(narrowed=True)}
    assert blocking(narrowed_policy(), policy, **both) == {rule}


def test_a_new_generation_is_judged_by_the_declared_narrowing() -> None:
    def findings(**changes: Any) -> set[str]:
        plan = PlanBuilder().add(KEY, 1, ("create",), after={"policy": narrowed_policy()})
        report = review_plan("plan.json", plan.data(), **changes)
        return {finding.policy for finding in report.findings}

    assert findings(declaration=declared(narrowed=True), base=declared(narrowed=True)) == set()
    assert findings(declaration=declared(narrowed=True), base=declared(narrowed=False)) == {
        "new-generation-without-vendor"
    }
