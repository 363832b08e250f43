"""A key that Druva uses and that no generation is: every change of its custody is told as of a generation's key."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from engine.review import review_plan
from tests.engine.review.declarations import declaration
from tests.engine.review.plan_builder import POLICIES, PlanBuilder, key_id

if TYPE_CHECKING:
    from collections.abc import Callable

KEY, GRANT, KEY_POLICY = "aws_kms_key", "aws_kms_grant", "aws_kms_key_policy"
UNTAGGED: dict[str, Any] = {"tags": None, "tags_all": {}}
OWNER_ONLY: dict[str, Any] = {"policy": POLICIES["owner only"]}
OFF = {"is_enabled": False}
SOUTHWIND = {"keyturn:tenant": "southwind", "keyturn:generation": "1"}


def updated(*, before: dict[str, Any] | None = None, unknown: tuple[str, ...] = (), **after: Any) -> PlanBuilder:
    """The key with a new description, and with what else is said."""
    was = {**UNTAGGED, **(before or {})}
    return PlanBuilder().add(
        KEY, 7, ("update",), name="x", before=was, after={"description": "x", **after}, unknown=unknown
    )


def drifted(observed: dict[str, Any]) -> PlanBuilder:
    found = {**UNTAGGED, **observed}
    return updated(before=observed).drifted(KEY, 7, UNTAGGED, name="x", observed=found)


LOST, PERHAPS_LOST = "vendor-access-lost", "vendor-access-lost (unknown)"
CASES: dict[str, tuple[PlanBuilder, set[str]]] = {
    "its description": (updated(), set()),
    "its description is not known yet": (updated(unknown=("description",)), set()),
    "a tag of other people": (updated(tags={"a": "b"}, tags_all={"a": "b"}), set()),
    "another tenant's tags come": (updated(tags=SOUTHWIND, tags_all=SOUTHWIND), set()),
    "it is disabled": (updated(is_enabled=False), {"generation-disabled"}),
    "its window gets shorter": (updated(deletion_window_in_days=7), {"deletion-window-shortened"}),
    "its policy loses Druva": (updated(**OWNER_ONLY), {LOST}),
    "its policy is not known": (updated(unknown=("policy",)), {PERHAPS_LOST}),
    "whether it is enabled is not known": (updated(unknown=("is_enabled",)), {"generation-disabled (unknown)"}),
    "it was disabled outside": (drifted(OFF), {"key-disabled-outside", "drift-in-use"}),
    "its policy lost Druva outside": (drifted(OWNER_ONLY), {LOST, "drift-in-use"}),
    "its separate policy goes": (
        updated(before=OWNER_ONLY).add(KEY_POLICY, 7, ("delete",), name="x"),
        {LOST},
    ),
    "its grant goes": (updated(before=OWNER_ONLY).add(GRANT, 7, ("delete",), name="x"), {LOST}),
    "a policy that cannot be read stays": (
        updated(before={"policy": {"no": "text"}}).add(GRANT, 7, name="x"),
        {PERHAPS_LOST},
    ),
    "it is imported, of a spec that wraps nothing": (
        PlanBuilder().add(
            KEY,
            7,
            ("update",),
            name="x",
            importing=key_id(7),
            before={**UNTAGGED, "customer_master_key_spec": "RSA_2048"},
        ),
        {"wrong-key-spec"},
    ),
}


def _told(data: bytes) -> set[str]:
    """The rules that speak, but for those that only inform of what is not known."""
    findings = review_plan("p", data, declaration(), base=declaration()).findings
    return {
        finding.policy if finding.outcome.value == "fail" else f"{finding.policy} (unknown)"
        for finding in findings
        if finding.blocks or finding.outcome.value == "fail"
    }


@pytest.mark.parametrize("name", CASES)
def test_what_is_changed_of_a_key_that_druva_uses_is_told(name: str) -> None:
    plan, told = CASES[name]
    assert _told(plan.data()) == told


def _without(side: str, attribute: str) -> Callable[[dict[str, Any]], None]:
    return lambda change: change[side].pop(attribute)


@pytest.mark.parametrize(
    ("side", "attribute", "after", "told"),
    [
        ("after", "policy", {}, {PERHAPS_LOST}),
        ("after", "policy", OFF, {PERHAPS_LOST, "generation-disabled"}),
        ("before", "is_enabled", OFF, {"generation-disabled"}),
        ("before", "deletion_window_in_days", {"deletion_window_in_days": 7}, {"deletion-window-shortened"}),
    ],
)
def test_an_attribute_that_stands_on_one_side_only_is_a_change(
    side: str, attribute: str, after: dict[str, Any], told: set[str]
) -> None:
    plan = updated(**after).plan()
    del plan["resource_changes"][0]["change"][side][attribute]
    assert _told(json.dumps(plan).encode()) == told


def test_a_replacement_of_which_everything_is_told_is_one_all_the_same() -> None:
    plan = updated(description="Druva Enterprise Key Management: northwind").plan()
    plan["resource_changes"][0]["change"]["actions"] = ["delete", "create"]
    assert _told(json.dumps(plan).encode()) == {"generation-replaced"}


def test_a_policy_that_stands_there_and_is_marked_as_not_known_is_not_known() -> None:
    plan = updated().plan()
    plan["resource_changes"][0]["change"]["after_unknown"] = {"policy": True}
    assert _told(json.dumps(plan).encode()) == {PERHAPS_LOST}
