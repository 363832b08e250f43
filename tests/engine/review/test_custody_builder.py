"""Which key a policy, grant or alias belongs to, where its key id is known only after apply."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine.review.custody_builder import build_custody
from engine.review.plan_reader import read_plan
from engine.review.resources import Moment
from tests.engine.review.plan_builder import PlanBuilder, key_id

KEY, GRANT = "aws_kms_key", "aws_kms_grant"


def _keys_of_the_grant(references: list[str], *, index: int | None = None) -> tuple[tuple[str, ...], bool]:
    """The keys that a new grant may belong to, of three new ones, and whether that is certain."""
    builder = PlanBuilder()
    for number in (0, 1):
        builder.add(KEY, number + 1, ("create",), name="k", index=number)
    plan = builder.add(KEY, 3, ("create",), name="other").add(GRANT, 1, ("create",), unknown=("key_id",)).plan()
    for change in plan["resource_changes"][:2]:
        change["address"] = f"{change['address']}[{change['index']}]"
    plan["resource_changes"][-1] |= {} if index is None else {"index": index}
    expression: dict[str, Any] = {"references": references}
    plan["configuration"]["root_module"]["resources"][-1]["expressions"]["key_id"] = expression
    custody = build_custody(read_plan("plan.json", json.dumps(plan).encode()))
    links = {address: attached.links for address, key in custody.keys.items() for attached in key.grants}
    (link,) = {tuple(each[Moment.PLANNED].keys): each[Moment.PLANNED] for each in links.values()}.values()
    return link.keys, link.certain


@pytest.mark.parametrize("number", [0, 1])
def test_a_reference_to_an_instance_names_that_instance(number: int) -> None:
    instance = f"aws_kms_key.k[{number}]"
    references = [f"{instance}.key_id", instance, "aws_kms_key.k"]
    assert _keys_of_the_grant(references) == ((instance,), True)


@pytest.mark.parametrize("number", [0, 1])
def test_a_reference_by_the_own_index_names_the_same_instance(number: int) -> None:
    assert _keys_of_the_grant(["aws_kms_key.k", "count.index"], index=number) == ((f"aws_kms_key.k[{number}]",), True)


def test_a_reference_to_any_instance_is_uncertain() -> None:
    assert _keys_of_the_grant(["aws_kms_key.k"]) == (("aws_kms_key.k[0]", "aws_kms_key.k[1]"), False)


def test_a_choice_of_two_keys_is_uncertain() -> None:
    references = ["aws_kms_key.k[0].key_id", "aws_kms_key.k[0]", "aws_kms_key.k", "aws_kms_key.other"]
    assert _keys_of_the_grant(references) == (("aws_kms_key.k[0]", "aws_kms_key.other"), False)


def test_what_is_partly_known_is_uncertain() -> None:
    references = ["aws_kms_key.other.key_id", "aws_kms_key.other", "local.x"]
    assert _keys_of_the_grant(references) == (("aws_kms_key.other",), False)


def test_an_imported_key_is_known_by_its_id_too() -> None:
    plan = PlanBuilder().add("aws_kms_external_key", 1).add(GRANT, 1)
    (key,) = build_custody(read_plan("plan.json", plan.data())).keys.values()
    assert key.key_id == key_id(1)
    assert [attached.resource.address for attached in key.grants] == ["aws_kms_grant.generation_1_vendor"]
