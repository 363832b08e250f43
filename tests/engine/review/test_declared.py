"""What the declarations of the change and of the target branch make of a key together."""

from __future__ import annotations

import pytest

from engine.review.declared import Declared, Role
from tests.engine.review.declarations import declaration, proof

STATES = {
    "generation_1": {"state": "deleted"},
    "generation_2": {"state": "released"},
    "generation_3": {"state": "retired"},
}


def _roles(declared: Declared) -> list[Role]:
    return [declared.role(number) for number in range(9)]


def test_a_generations_role_is_told_by_its_state_and_by_the_current_one() -> None:
    declared = Declared(declaration(7, current=5, **STATES), None, None)
    assert _roles(declared) == [
        Role.UNDECLARED,
        Role.DELETED,
        Role.RELEASED,
        Role.RETIRED,
        Role.RETAINED,
        Role.CURRENT,
        Role.NEXT,
        Role.NEXT,
        Role.UNDECLARED,
    ]
    assert declared.role(None) is Role.UNDECLARED


@pytest.mark.parametrize(("change", "base"), [(3, 5), (5, 3)], ids=["lowered", "raised"])
def test_what_is_current_for_either_of_the_two_declarations_is_current(change: int, base: int) -> None:
    declared = Declared(declaration(6, current=change), declaration(6, current=base), None)
    retained, current = Role.RETAINED, Role.CURRENT
    assert _roles(declared)[1:7] == [retained, retained, current, retained, current, Role.NEXT]


def test_the_target_branch_tells_a_generations_state_and_the_change_that_of_a_new_one() -> None:
    base = declaration(2, current=2)
    declared = Declared(declaration(3, current=2, generation_1={"state": "retired"}), base, None)
    assert _roles(declared)[1:5] == [Role.RETAINED, Role.CURRENT, Role.NEXT, Role.UNDECLARED]
    assert declared.trusted is base
    assert declared.both[0] is base


@pytest.mark.parametrize(
    ("base", "proved", "before", "not_now"),
    [
        (None, None, False, False),
        (False, None, False, False),
        (True, None, True, False),
        (True, False, False, True),
        (False, True, True, False),
        (None, True, True, False),
        (None, False, False, True),
    ],
)
def test_evidence_tells_of_a_revocation_and_without_it_the_target_branch(
    base: bool | None, proved: bool | None, before: bool, not_now: bool
) -> None:
    declared = Declared(
        declaration(revoked=True),
        None if base is None else declaration(revoked=base),
        None if proved is None else proof({1: "current"}, revoked=proved),
    )
    assert (declared.revoked_before, declared.proved_not_revoked) == (before, not_now)
