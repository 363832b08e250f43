"""Who can do what with a key, told before it is made."""

from __future__ import annotations

from typing import Any

import pytest

from stacks.policy_access import access_of
from tests.stacks.declared import ADMINISTRATOR, CUSTOMER, declare

BREAK_GLASS = f"arn:aws:iam::{CUSTOMER}:role/BreakGlass"


def answers(name: str, **changes: Any) -> list[str]:
    """The verdicts on one principal, in the order of the abilities."""
    found = access_of(declare(**changes), 1)
    return [ability.verdict.value for entry in found if entry.name == name for ability in entry.abilities]


@pytest.mark.requirement("EKM-16")
@pytest.mark.requirement("EKM-17")
def test_an_administrator_manages_the_key_and_cannot_delete_it_before_its_release() -> None:
    assert answers("Key administrator") == ["depends", "yes", "yes", "yes", "yes", "no"]
    released: dict[str, Any] = {"generations": [{"number": 1, "state": "released"}, {"number": 2}], "current": 2}
    assert answers("Key administrator", **released)[-1] == "yes"
    assert answers("Key administrator", **released, allow_key_deletion=False)[-1] == "depends"  # on IAM, by the root


@pytest.mark.requirement("EKM-18")
@pytest.mark.parametrize(
    ("access", "expected"),
    [
        ("both", ["yes", "yes", "yes", "no", "no", "no"]),
        ("key_policy", ["yes", "yes", "yes", "no", "no", "no"]),
        ("grant", ["yes", "yes", "no", "no", "no", "no"]),
    ],
)
def test_the_vendor_uses_the_key_by_either_way_and_never_manages_it(access: str, expected: list[str]) -> None:
    assert answers("Druva's account", vendor_access=access) == expected


@pytest.mark.requirement("EKM-10")
def test_a_revoked_tenants_vendor_can_do_nothing() -> None:
    assert answers("Druva's account", revoked=True) == ["no"] * 6


def test_nobody_else_can_do_anything() -> None:
    assert answers("Any other account") == ["no"] * 6


def test_break_glass_may_delete_as_far_as_its_account_lets_it() -> None:
    assert answers("Break-glass principal", break_glass=[BREAK_GLASS])[-1] == "depends"
    found = access_of(declare(break_glass=[BREAK_GLASS, ADMINISTRATOR]), 1)
    assert [entry.arn for entry in found if entry.name == "Break-glass principal"] == [BREAK_GLASS, ADMINISTRATOR]
