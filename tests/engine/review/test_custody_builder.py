"""Which key a policy, grant or alias belongs to, where its key id is known only after apply."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine.review import review_plan
from engine.review.custody_builder import build_custody
from engine.review.plan_reader import read_plan
from engine.review.resources import Moment
from engine.review.values import UNKNOWN
from tests.engine.review.declarations import declaration
from tests.engine.review.plan_builder import CUSTOMER, PlanBuilder, key_arn, key_id

KEY, GRANT, REPLICA = "aws_kms_key", "aws_kms_grant", "aws_kms_replica_key"


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


MODULES = [
    "",
    'module.l["b"]',
    'module.m["a"]',
    'module.m["b"]',
    'module.m["c"]',
    'module.n["b"]',
    'module.m["b"].module.m',
]


@pytest.mark.parametrize(
    ("module", "keys", "certain"),
    [
        ('module.m["b"]', ['module.m["b"]'], True),
        ("module.m", ['module.m["a"]', 'module.m["b"]', 'module.m["c"]'], False),
        ('module.m["d"]', [], False),
    ],
    ids=["one instance", "any instance", "one that is not there"],
)
def test_the_output_of_a_module_names_the_keys_in_its_instances(module: str, keys: list[str], certain: bool) -> None:
    builder = PlanBuilder()
    for place in MODULES:
        builder.add(KEY, 1, ("create",), name="k", module_address=place)
    plan = builder.add(GRANT, 1, ("create",), unknown=("key_id",)).plan()
    for change in plan["resource_changes"][:-1]:
        change["address"] = f"{change['module_address']}.{KEY}.k".removeprefix(".")
    output = {"expression": {"references": [f"{KEY}.k.key_id", f"{KEY}.k"]}}
    references = [f"{module}.key", module, "module.m"]
    root = plan["configuration"]["root_module"]
    root["resources"][-1]["expressions"]["key_id"] = {"references": references}
    root["module_calls"] = {name: {"module": {"outputs": {"key": output}}} for name in ("l", "m", "n")}
    custody = build_custody(read_plan("plan.json", json.dumps(plan).encode()))
    found = [address for address, key in custody.keys.items() if key.grants]
    assert found == [f"{place}.{KEY}.k" for place in keys]
    for address in found:
        (attached,) = custody.keys[address].grants
        assert attached.belongs(address, Moment.PLANNED) is (True if certain else UNKNOWN)


@pytest.mark.parametrize(
    ("action", "keys"), [("delete", ("aws_kms_key.k[1]",)), ("forget", ("aws_kms_key.k[0]", "aws_kms_key.k[1]"))]
)
def test_a_reference_names_what_is_there_in_the_end(action: str, keys: tuple[str, ...]) -> None:
    builder = PlanBuilder().add(KEY, 1, (action,), name="k", index=0).add(KEY, 2, name="k", index=1)
    plan = builder.add(GRANT, 1, ("create",), unknown=("key_id",)).plan()
    for change in plan["resource_changes"][:2]:
        change["address"] = f"{change['address']}[{change['index']}]"
    references = {"references": ["aws_kms_key.k"]}
    plan["configuration"]["root_module"]["resources"][-1]["expressions"]["key_id"] = references
    custody = build_custody(read_plan("plan.json", json.dumps(plan).encode()))
    assert tuple(address for address, key in custody.keys.items() if key.grants) == keys


@pytest.mark.parametrize("known", [True, False], ids=["by its ARN", "by a reference"])
def test_a_replica_is_known_by_its_primary(known: bool) -> None:
    plan = PlanBuilder().add(KEY, 1).add(KEY, 2)
    plan.add(REPLICA, 1, ("create",), unknown=() if known else ("primary_key_arn",), points_to=2)
    custody = build_custody(read_plan("plan.json", plan.data()))
    assert custody.keys[f"{REPLICA}.generation_1_west"].primary == f"{KEY}.generation_{1 if known else 2}"


@pytest.mark.parametrize("names", [(key_id(1), key_arn(1)), (key_arn(1), key_id(1))], ids=["id first", "ARN first"])
def test_a_key_that_is_named_by_id_and_by_arn_is_one_and_has_the_arn(names: tuple[str, str]) -> None:
    plan = PlanBuilder().add(GRANT, 1, before={"key_id": names[0]})
    plan.add(GRANT, 1, name="other", before={"key_id": names[1]})
    (key,) = build_custody(read_plan("plan.json", plan.data())).keys.values()
    assert (key.arn, key.key_id, len(key.grants)) == (key_arn(1), key_id(1), 2)


def test_a_choice_of_two_resources_of_one_id_is_uncertain() -> None:
    plan = PlanBuilder().add(KEY, 1).add(KEY, 1, name="twin").add(GRANT, 1)
    references = ["var.first", f"{KEY}.generation_1.key_id", f"{KEY}.generation_1", f"{KEY}.twin.key_id", f"{KEY}.twin"]
    plan.configuration[-1]["expressions"]["key_id"] = {"references": references}
    custody = build_custody(read_plan("plan.json", plan.data()))
    (attached,) = {id(attached): attached for key in custody.keys.values() for attached in key.grants}.values()
    assert attached.links[Moment.PLANNED].keys == (f"{KEY}.generation_1", f"{KEY}.twin")
    assert not attached.links[Moment.PLANNED].certain
    references[1:3] = []
    (attached,) = build_custody(read_plan("plan.json", plan.data())).keys[f"{KEY}.twin"].grants
    assert attached.belongs(f"{KEY}.twin", Moment.PLANNED) is True
    assert attached.belongs(f"{KEY}.twin", Moment.RECORDED) is UNKNOWN  # what referred to it then is not told


def test_a_key_that_drifted_is_one_by_its_arn_and_by_its_id() -> None:
    for name in (key_arn(1), key_id(1)):
        plan = (
            PlanBuilder().add(KEY, 1).drifted(KEY, 1, {"description": "before"}).add(GRANT, 1, before={"key_id": name})
        )
        ((address, key),) = build_custody(read_plan("plan.json", plan.data())).keys.items()
        assert [attached.belongs(address, moment) for attached in key.grants for moment in Moment] == [True] * 3


def test_a_new_key_whose_arn_the_plan_tells_has_it() -> None:
    names = {"arn": key_arn(1), "key_id": key_id(1)}
    (key,) = build_custody(
        read_plan("plan.json", PlanBuilder().add(KEY, 1, ("create",), after=names).data())
    ).keys.values()
    assert (key.arn, key.key_id, key.account_id) == (key_arn(1), key_id(1), CUSTOMER)


def test_keys_that_are_sensitive_are_told_apart_by_number() -> None:
    plan = PlanBuilder()
    for number in (1, 2, 3):
        plan.add(GRANT, number, ("delete",))
        plan.changes[-1]["change"]["before_sensitive"] = {"key_id": number != 2}
    report = review_plan("plan.json", plan.data(), declaration())
    assert [(key.address, key.key_arn) for key in report.keys] == [
        ("(sensitive key 1)", None),
        (key_id(2), None),
        ("(sensitive key 2)", None),
    ]
