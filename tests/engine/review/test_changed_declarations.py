"""What a change does to the declaration that it is judged by, held against the target branch's."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from engine.review import review_plan
from tests.engine.review.declarations import declaration, proof
from tests.engine.review.plan_builder import CUSTOMER, PlanBuilder, key_arn

if TYPE_CHECKING:
    from engine.declaration import Declaration

ADMINISTRATORS = [f"arn:aws:iam::{CUSTOMER}:role/{name}" for name in ("KeyAdmin", "Second")]
RETIRED, RELEASED, DELETED = ({"state": state} for state in ("retired", "released", "deleted"))


def declared(*generations: dict[str, Any], current: int | None = None, **more: Any) -> Declaration:
    count = len(generations) or 3
    numbered = {f"generation_{number}": entry for number, entry in enumerate(generations, start=1)}
    return declaration(count, current=current or count, **numbered, **more)


def _told(base: Declaration, change: Declaration, plan: PlanBuilder | None = None, **more: Any) -> list[str]:
    data = (plan or PlanBuilder()).data()
    return [finding.message for finding in review_plan("p", data, change, base=base, **more).findings]


def not_proved(number: int, before: str, after: str) -> str:
    return f"generation {number} would be declared {after} (now {before}), and nothing proves it released"


def changed(number: int, what: str) -> str:
    return f"generation {number} would be changed or taken out of the declaration ({what})"


RETIRED_UNPROVED = "generation 2 would be declared retired, and nothing proves that nothing depends on it"
CASES: dict[str, tuple[Declaration, Declaration, list[str]]] = {
    "nothing": (declared(RETIRED, RELEASED, {}), declared(RETIRED, RELEASED, {}), []),
    "an administrator is added": (
        declared(key_administrators=ADMINISTRATORS[:1]),
        declared(key_administrators=ADMINISTRATORS),
        [],
    ),
    "a state goes back": (declared(DELETED, {}, {}), declared(RETIRED, {}, {}), [changed(1, "state")]),
    "an earlier one goes on, a later one stays": (
        declared(RETIRED, RETIRED, {}),
        declared(RELEASED, RETIRED, {}),
        [not_proved(1, "retired", "released")],
    ),
    "a later one goes on, an earlier one stays": (
        declared(RELEASED, {}, {}),
        declared(RELEASED, RETIRED, {}),
        [RETIRED_UNPROVED],
    ),
    "several things of one": (
        declared({"origin": "EXTERNAL", "multi_region": True}, {}),
        declared({}, {}),
        [changed(1, "origin, multi_region")],
    ),
    "one is changed, and a later one too": (
        declared({"multi_region": True}, {"origin": "EXTERNAL"}, {}),
        declared({}, {}, {}),
        [changed(1, "multi_region"), changed(2, "origin")],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_a_change_declares_anew_is_told(name: str) -> None:
    base, change, told = CASES[name]
    assert _told(base, change) == told


def test_one_that_is_taken_out_hides_no_later_one_that_is_changed() -> None:
    both = declared({}, {})
    change = replace(both, generations=both.generations[1:])
    assert _told(declared({}, {"origin": "EXTERNAL"}), change) == [changed(1, "(none)"), changed(2, "origin")]


@pytest.mark.parametrize(
    ("before", "after"),
    [({}, RELEASED), ({}, DELETED), (RETIRED, DELETED)],
    ids=["released at once", "deleted at once", "deleted before it is released"],
)
def test_a_step_that_is_left_out_is_told_whatever_is_proved(before: dict[str, Any], after: dict[str, Any]) -> None:
    proved = proof({1: after["state"], 2: "current"})
    now = before.get("state", "active")
    assert _told(declared(before, {}), declared(after, {}), proof=proved) == [
        f"generation 1 would be declared {after['state']} at once (now {now}): a step is left out"
    ]


def test_the_arn_of_a_generations_key_is_right_beside_a_replica_of_it() -> None:
    multi_region: dict[str, Any] = {"multi_region": True, "replicas": ["us-west-2"]}
    plan = PlanBuilder().add("aws_kms_key", 1, before={"multi_region": True}).add("aws_kms_replica_key", 1)
    assert _told(declared(multi_region), declared({**multi_region, "key_arn": key_arn(1)}), plan) == []
