"""A key that is there already and comes to stand for a generation: imported, tagged, or known by another ARN."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from engine.review import review_plan
from tests.engine.review.declarations import declaration
from tests.engine.review.plan_builder import CUSTOMER, POLICIES, TENANT, PlanBuilder, key_arn, key_id

if TYPE_CHECKING:
    from engine.declaration import Declaration

KEY, ALIAS, REPLICA = "aws_kms_key", "aws_kms_alias", "aws_kms_replica_key"
UNTAGGED: dict[str, Any] = {"tags": None, "tags_all": {}}
FOREIGN: dict[str, Any] = {**UNTAGGED, "policy": POLICIES["owner only"]}
ONE, TWO, THREE = declaration(2), declaration(2, current=2), declaration(3, current=2)
MULTI_REGION = declaration(generation_1={"multi_region": True, "replicas": ["us-west-2"]})
UNPROVED, ANOTHER = [("imported-key-unproved", "fail")], [("other-key-under-generation", "fail")]
PERHAPS_ANOTHER = [("other-key-under-generation", "unknown")]


def tagged(number: int) -> dict[str, Any]:
    tags = {"keyturn:tenant": TENANT, "keyturn:generation": str(number)}
    return {"tags": tags, "tags_all": tags}


def imported(number: int, plan: PlanBuilder | None = None, **more: Any) -> PlanBuilder:
    return (plan or PlanBuilder()).add(KEY, number, importing=key_id(number), before=UNTAGGED, **more)


def becomes(number: int) -> PlanBuilder:
    """A key without tags that the plan tags as a generation's."""
    return PlanBuilder().add(KEY, 2).add(KEY, 5, ("update",), name="x", before=UNTAGGED, after=tagged(number))


CASES: dict[str, tuple[PlanBuilder, Declaration, list[tuple[str, str]]]] = {
    "imported for the current generation, and the alias is made by the same plan": (
        imported(1).add(ALIAS, 1, ("create",)),
        ONE,
        UNPROVED,
    ),
    "imported for the current generation, and an alias of other people points elsewhere": (
        imported(1, PlanBuilder().add(KEY, 7, name="x", before=FOREIGN)).add(ALIAS, 7, before={"name": "alias/theirs"}),
        ONE,
        UNPROVED,
    ),
    "imported for the current generation, and the alias points to another": (
        imported(1, PlanBuilder().add(KEY, 7, name="x", before=FOREIGN)).add(ALIAS, 7),
        ONE,
        PERHAPS_ANOTHER,
    ),
    "imported for the next generation, while the alias points to the current one": (
        imported(2, PlanBuilder().add(KEY, 1).add(ALIAS, 1)),
        ONE,
        [],
    ),
    "tagged as an older generation of which nothing else is known": (becomes(1), TWO, PERHAPS_ANOTHER),
    "tagged as the next generation": (becomes(3), THREE, []),
    "imported where the generation has a key of a greater ARN": (
        imported(1, PlanBuilder().add(KEY, 9, name="old", before=tagged(1))),
        ONE,
        ANOTHER,
    ),
    "imported where the generation has a key of a smaller ARN": (
        imported(9, PlanBuilder().add(KEY, 1, name="old", before=tagged(1)), name="generation_1"),
        ONE,
        ANOTHER,
    ),
    "a replica is imported beside its key": (
        PlanBuilder().add(KEY, 1, before={"multi_region": True}).add(REPLICA, 1, importing=key_id(1)),
        MULTI_REGION,
        [],
    ),
}


def _told(plan: PlanBuilder, declared: Declaration) -> list[tuple[str, str]]:
    return [(f.policy, f.outcome.value) for f in review_plan("p", plan.data(), declared).findings]


@pytest.mark.parametrize("name", CASES)
def test_a_key_that_comes_to_stand_for_a_generation(name: str) -> None:
    plan, declared, told = CASES[name]
    assert _told(plan, declared) == told


def _arn(digit: str, region: str) -> str:
    return f"arn:aws:kms:{region}:{CUSTOMER}:key/mrk-{digit * 32}"


@pytest.mark.parametrize(
    ("arn", "told"),
    [
        (_arn("5", "us-east-1"), []),
        (_arn("5", "eu-west-1"), []),
        (_arn("1", "us-east-1"), ANOTHER),
        (_arn("9", "us-east-1"), ANOTHER),
        (key_arn(1), ANOTHER),
        (key_arn(1, "ap-south-1"), ANOTHER),
    ],
)
def test_a_generations_key_is_the_declared_one_or_of_its_family(arn: str, told: list[tuple[str, str]]) -> None:
    declared = declaration(generation_1={"key_arn": _arn("5", "us-east-1"), "multi_region": True})
    identifier = arn.rpartition("/")[2]
    before = {"arn": arn, "key_id": identifier, "id": identifier, "multi_region": True}
    plan = PlanBuilder().add(KEY, 1, ("update",), before=before, after={"description": "x"})
    assert _told(plan, declared) == told
