"""Where an alias comes from and goes to, as a reader is told: made, moved, moved outside, made anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from engine.review import review_plan
from tests.engine.review.declarations import declaration, proof
from tests.engine.review.plan_builder import POLICIES, PlanBuilder, key_arn, key_id

if TYPE_CHECKING:
    from engine.declaration import Declaration

KEY, ALIAS = "aws_kms_key", "aws_kms_alias"
ITS_NAME = "alias/northwind-ekm"
FOREIGN: dict[str, Any] = {"tags": None, "tags_all": {}, "policy": POLICIES["owner only"]}
FIRST, SECOND = declaration(3, generation_1={"alias": "alias/first"}), declaration(3, current=2)
Told = list[tuple[str, str, str]]


def keys(*numbers: int) -> PlanBuilder:
    """These generations, and a key of another team."""
    plan = PlanBuilder().add(KEY, 7, name="foreign", before=FOREIGN)
    for number in numbers or (1, 2, 3):
        plan.add(KEY, number)
    return plan


def made(number: int, *, unknown: tuple[str, ...] = (), name: str = ITS_NAME) -> PlanBuilder:
    return keys().add(ALIAS, number, ("create",), after={"name": name}, unknown=unknown, points_to=9)


def moved(before: int, after: int, *numbers: int) -> PlanBuilder:
    return keys(*numbers).add(ALIAS, before, ("update",), after={"target_key_id": key_id(after)})


def left(recorded: int, found: int) -> PlanBuilder:
    """An alias that was moved outside Terraform, and that the plan leaves there."""
    return keys().add(ALIAS, found).drifted(ALIAS, recorded, observed={"target_key_id": key_id(found)})


def moved_outside(recorded: int, found: int, planned: int) -> PlanBuilder:
    return moved(found, planned).drifted(ALIAS, recorded, observed={"target_key_id": key_id(found)})


def _told(plan: PlanBuilder, declared: Declaration, **more: Any) -> Told:
    """The rule, the outcome and what is said of the alias."""
    findings = review_plan("p", plan.data(), declared, **more).findings
    return [
        (finding.policy, finding.outcome.value, finding.message.partition(" would ")[2] or finding.message)
        for finding in findings
        if finding.policy.startswith("alias-")
    ]


def back(before: str, after: str) -> Told:
    return [("alias-moved-back", "fail", f"point to {after}, an earlier generation (before: {before})")]


def elsewhere(before: str, after: str) -> Told:
    return [("alias-moved-elsewhere", "fail", f"point to {after} instead of {before}")]


ONE, TWO, THREE = (f"generation {number}" for number in (1, 2, 3))
THE_FOREIGN_KEY, NOT_TOLD = "aws_kms_key.foreign", "a key that the plan does not tell"
NOT_READY: Told = [("alias-not-ready", "unknown", f"point to {NOT_TOLD}, which cannot be used")]
CASES: dict[str, tuple[PlanBuilder, Declaration, Told]] = {
    "the declared alias is made on another team's key": (made(7), FIRST, elsewhere(NOT_TOLD, THE_FOREIGN_KEY)),
    "a generation's own alias is made on another team's key": (
        made(7, name="alias/first"),
        FIRST,
        elsewhere(NOT_TOLD, THE_FOREIGN_KEY),
    ),
    "the declared alias is made on a later generation": (
        made(3),
        SECOND,
        [("alias-moved-early", "fail", f"move from {NOT_TOLD} to {THREE}, and nothing proves that one integrated")],
    ),
    "an alias of other people is made on their key": (made(7, name="alias/theirs"), FIRST, []),
    "another alias is made on an earlier generation": (made(1, name="alias/more"), SECOND, []),
    "the declared alias is made on nobody knows which key, where there is no earlier one": (
        made(1, unknown=("target_key_id",)),
        FIRST,
        NOT_READY,
    ),
    "another alias is made on nobody knows which key": (
        made(1, unknown=("target_key_id",), name="alias/first"),
        declaration(3, current=2, generation_1={"alias": "alias/first"}),
        NOT_READY,
    ),
    "the declared alias is made on nobody knows which key, which may be an earlier one": (
        made(1, unknown=("target_key_id",)),
        SECOND,
        [
            (
                "alias-moved-back",
                "unknown",
                f"it cannot be told from the plan where {ITS_NAME} will point (now: {NOT_TOLD}, then: {NOT_TOLD})",
            )
        ],
    ),
    "from another team's key to a later generation": (moved(7, 2), FIRST, elsewhere(THE_FOREIGN_KEY, TWO)),
    "from another team's key to an earlier generation": (moved(7, 1), SECOND, elsewhere(THE_FOREIGN_KEY, ONE)),
    "from another team's key to the current generation": (moved(7, 2), SECOND, []),
    "from no key to a generation": (
        keys().add(ALIAS, 1, ("update",), before={"target_key_id": None}, after={"target_key_id": key_id(1)}),
        FIRST,
        elsewhere(NOT_TOLD, ONE),
    ),
    "from one key outside the plan to another": (moved(8, 9), FIRST, elsewhere(key_id(8), key_id(9))),
    "from a generation's key to another key of the same number": (
        PlanBuilder()
        .add(KEY, 1)
        .add(KEY, 9, name="twin", before={"tags_all": {"keyturn:tenant": "northwind", "keyturn:generation": "1"}})
        .add(ALIAS, 1, ("update",), after={"target_key_id": key_id(9)}),
        FIRST,
        [("alias-moved-early", "fail", f"point to another key than before under the name of {ONE}")],
    ),
    "moved back outside, and left so": (left(2, 1), SECOND, back(TWO, ONE)),
    "moved outside, and then to a later one by the plan": (
        moved_outside(2, 1, 3),
        SECOND,
        [("alias-moved-early", "fail", f"move from {ONE} to {THREE}, and nothing proves that one integrated")],
    ),
    "deleted outside, and made again as it was": (
        keys().add(ALIAS, 2, ("create",)).drifted(ALIAS, 2, gone=True),
        SECOND,
        [],
    ),
    "deleted outside, and made again on an earlier one": (
        keys().add(ALIAS, 1, ("create",)).drifted(ALIAS, 2, gone=True),
        SECOND,
        back(TWO, ONE),
    ),
    "moved back outside, then renamed, and another takes its name": (
        keys()
        .add(ALIAS, 1, ("delete", "create"), after={"name": "alias/more", "target_key_id": key_id(1)})
        .add(ALIAS, 3, ("create",), name="successor")
        .drifted(ALIAS, 3, observed={"target_key_id": key_id(1)}),
        SECOND,
        [("alias-moved-early", "fail", f"move from {ONE} to {THREE}, and nothing proves that one integrated")],
    ),
    "moved outside, and then to an earlier one by the plan": (moved_outside(2, 3, 1), SECOND, back(THREE, ONE)),
}


@pytest.mark.parametrize("name", CASES)
def test_an_aliass_way_is_told(name: str) -> None:
    plan, declared, told = CASES[name]
    assert _told(plan, declared) == told


def test_an_alias_that_is_made_anew_elsewhere_is_found_where_it_will_be() -> None:
    plan = keys().add(ALIAS, 1, ("delete",)).add(ALIAS, 2, ("create",), name="anew")
    (finding,) = review_plan("p", plan.data(), SECOND).findings
    assert (finding.policy, finding.address) == ("alias-moved-early", "aws_kms_alias.anew")


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        (made(3), f"{ITS_NAME} would move from {NOT_TOLD} to {THREE}"),
        (keys().add(ALIAS, 1, ("delete",)), f"{ITS_NAME} of {ONE} would be deleted"),
        (keys().drifted(ALIAS, 1, gone=True), f"{ITS_NAME} of {ONE} would be deleted"),
    ],
    ids=["made", "deleted", "deleted outside"],
)
def test_an_alias_is_named_whether_it_comes_or_goes(plan: PlanBuilder, said: str) -> None:
    (finding,) = review_plan("p", plan.data(), SECOND).findings
    assert finding.message.startswith(said)


BOTH_PROVED = proof({1: "retained", 2: "current"})


def test_a_key_that_the_same_plan_destroys_is_not_ready_for_the_alias() -> None:
    plan = keys(1).add(KEY, 2, ("delete",)).add(ALIAS, 1, ("update",), after={"target_key_id": key_id(2)})
    assert _told(plan, SECOND, proof=BOTH_PROVED) == [
        ("alias-not-ready", "fail", f"point to {TWO}, which cannot be used")
    ]


@pytest.mark.parametrize("target", [key_id(2), key_arn(2)])
def test_of_a_key_outside_the_plan_it_is_not_known_whether_it_is_ready(target: str) -> None:
    plan = keys(1).add(ALIAS, 1, ("update",), after={"target_key_id": target})
    assert _told(plan, SECOND, proof=BOTH_PROVED) == [
        ("alias-not-ready", "unknown", f"point to {TWO}, which cannot be used")
    ]


def test_of_a_revoked_key_it_is_not_said_that_the_alias_cannot_use_it() -> None:
    off = {"is_enabled": False, "policy": POLICIES["owner only"]}
    plan = PlanBuilder().add(KEY, 1, before=off).add(ALIAS, 1, ("create",))
    assert _told(plan, declaration(revoked=True)) == []
    assert [rule for rule, *_ in _told(plan, declaration())] == ["alias-not-ready"]


@pytest.mark.parametrize(
    "harmless",
    [
        keys().add(ALIAS, 7, name="theirs", before={"name": "alias/theirs"}),
        keys().add(ALIAS, 7, ("update",), name="theirs", before={"name": "alias/theirs"}, after={"name_prefix": "x"}),
        keys().add(ALIAS, 1, name="first", before={"name": "alias/first"}),
        keys().add(ALIAS, 3, ("create",), name="third", after={"name": "alias/third"}),
    ],
    ids=["untouched, of other people", "of other people", "untouched", "new"],
)
def test_beside_a_harmless_alias_one_that_moves_back_is_told(harmless: PlanBuilder) -> None:
    plan = harmless.add(ALIAS, 2, ("update",), after={"target_key_id": key_id(1)})
    assert _told(plan, SECOND) == back(TWO, ONE)


def test_where_an_alias_may_point_to_one_of_many_three_are_named() -> None:
    family = "mrk-" + "0" * 32
    plan = keys()
    for region in ("us-east-1", "us-east-2", "us-west-1", "us-west-2"):
        arn = f"arn:aws:kms:{region}:123456789012:key/{family}"
        plan.add(KEY, 7, name=region, before={**FOREIGN, "arn": arn, "key_id": family, "id": family})
    plan.add(ALIAS, 1, ("update",), after={"target_key_id": family})
    ((rule, outcome, message),) = _told(plan, FIRST)
    assert (rule, outcome) == ("alias-moved-back", "unknown")
    assert message.endswith("then: aws_kms_key.us-east-1 or aws_kms_key.us-east-2 or aws_kms_key.us-west-1)")
