"""Which policy document a policy is that is known only after apply: exactly one, or nothing is known."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine.review.custody_builder import build_custody
from engine.review.plan_reader import read_plan
from engine.review.policy_reading import NOTHING_KNOWN
from engine.review.resources import Moment
from tests.engine.review.plan_builder import CUSTOMER, PlanBuilder, root

KEY, DOCUMENT = "aws_kms_key", "data.aws_iam_policy_document"


def _documents(*places: tuple[str, str, str | int | None]) -> list[dict[str, Any]]:
    """Documents to be read at apply, by module, name and index; each has a statement with its place as its name."""
    found: list[dict[str, Any]] = []
    for module, name, index in places:
        block = {
            "sid": f"{module}{name}{index}",
            "actions": ["kms:*"],
            "principals": [{"type": "AWS", "identifiers": [root(CUSTOMER)]}],
        }
        found.append(
            {
                "address": f"{module}.{DOCUMENT}.{name}[{json.dumps(index)}]",
                "mode": "data",
                "type": "aws_iam_policy_document",
                "name": name,
                "change": {
                    "actions": ["read"],
                    "before": None,
                    "after": {"statement": [block]},
                    "after_unknown": {"json": True},
                },
                **({"module_address": module} if module else {}),
                **({} if index is None else {"index": index}),
            }
        )
    return found


def _policy(
    references: list[str], documents: list[dict[str, Any]], *, module: str = "", index: str | int | None = None
) -> str | None:
    """The name of the document's statement that a key's policy is read as; None where nothing is known of it."""
    plan = PlanBuilder().add(KEY, 1, ("update",), unknown=("policy",)).plan()
    (key,) = plan["resource_changes"]
    key |= ({"module_address": module} if module else {}) | ({} if index is None else {"index": index})
    root_module = plan["configuration"]["root_module"]
    root_module["variables"] = {"v": {}}
    root_module["resources"][0]["expressions"]["policy"] = {"references": references}
    if module:
        plan["configuration"]["root_module"] = {"module_calls": {"m": {"expressions": {}, "module": root_module}}}
    plan["resource_changes"].extend(documents)
    custody = build_custody(read_plan("plan.json", json.dumps(plan).encode()))
    (found,) = custody.keys.values()
    reading = custody.policies.in_force(found, Moment.PLANNED, CUSTOMER, "aws")
    if reading is NOTHING_KNOWN or reading.least is None:
        return None
    (statement,) = json.loads(reading.least)["Statement"]
    return str(statement["Sid"])


TEXT = [f"{DOCUMENT}.p.json", f"{DOCUMENT}.p"]
NEIGHBOURS = _documents(("", "a", None), ("", "p", None), ("", "z", None))


@pytest.mark.parametrize(
    ("references", "found"),
    [
        (TEXT, "pNone"),
        ([f"{DOCUMENT}.p.minified_json", f"{DOCUMENT}.p"], "pNone"),
        ([*TEXT, "var.v"], "pNone"),
        ([*TEXT, "local.x"], None),
        ([*TEXT, f"{DOCUMENT}.a.json", f"{DOCUMENT}.a"], None),
        ([f"{DOCUMENT}.p.statement", f"{DOCUMENT}.p"], None),
        ([f"{DOCUMENT}.p.statement", f"{DOCUMENT}.p", "local.x"], None),
        ([f"{DOCUMENT}.absent.json", f"{DOCUMENT}.absent"], None),
        (["var.v"], None),
        (["local.x"], None),
        ([], None),
    ],
    ids=str,
)
def test_a_policy_is_the_one_document_that_it_refers_to(references: list[str], found: str | None) -> None:
    assert _policy(references, NEIGHBOURS) == found


@pytest.mark.parametrize("index", ["b", 1])
def test_an_instance_has_its_own_document_or_the_one_without_instances(index: str | int) -> None:
    instances = _documents(*(("", "p", other) for other in ("a", "b", "c", 0, 1, 2)))
    for references in (
        [*TEXT, "each.key"],
        [*TEXT, "count.index"],
        [f"{DOCUMENT}.p[{json.dumps(index)}].json", f"{DOCUMENT}.p[{json.dumps(index)}]", f"{DOCUMENT}.p"],
    ):
        assert _policy(references, instances, index=index) == f"p{index}"
    assert _policy([*TEXT, "each.key"], NEIGHBOURS, index=index) == "pNone"
    assert _policy(TEXT, NEIGHBOURS, index=index) == "pNone"
    assert _policy([*TEXT, "each.key"], _documents(("", "a", None), ("", "p", "z")), index=index) is None


@pytest.mark.parametrize("index", [None, "b", 1])
@pytest.mark.parametrize("named", ["a", 0])
def test_the_instance_that_a_policy_names_is_its_document_whichever_instance_the_key_is(
    index: str | int | None, named: str | int
) -> None:
    instances = _documents(*(("", "p", other) for other in ("a", "b", 0, 1)))
    instance = f"{DOCUMENT}.p[{json.dumps(named)}]"
    references = [f"{instance}.json", instance, f"{DOCUMENT}.p"]
    assert _policy(references, instances, index=index) == f"p{named}"
    another = f"{DOCUMENT}.p[2]"
    assert _policy([f"{another}.json", another, *references], instances, index=index) is None
    assert _policy([f"{another}.json", another, f"{DOCUMENT}.p"], instances, index=index) is None


@pytest.mark.parametrize(
    "choosing",
    [["each.value"], ["each.value.policy", "each.value"], ["var.v", "each.key"], ["count.index", "var.v"]],
    ids=str,
)
def test_an_instance_that_may_be_chosen_by_something_beside_the_own_key_is_not_known(choosing: list[str]) -> None:
    instances = _documents(*(("", "p", other) for other in ("a", "b")))
    references = [f"{DOCUMENT}.p", *choosing]  # as Terraform tells of `p[each.value]` and `p[var.v[each.key]]`
    assert _policy(references, instances, index="a") is None
    assert _policy(references, NEIGHBOURS, index="a") == "pNone"


@pytest.mark.parametrize("chosen_by", ["var.v", "local.x"])
def test_an_instance_that_something_else_chooses_may_be_any(chosen_by: str) -> None:
    instances = _documents(*(("", "p", other) for other in ("a", "b")))
    for index in (None, "b"):
        assert _policy([*TEXT, chosen_by], instances, index=index) is None


@pytest.mark.parametrize("index", [None, "b"])
def test_a_document_of_the_keys_own_module_is_the_one(index: str | None) -> None:
    modules = ("", "module.l", "module.m", "module.n", "module.m.module.m")
    everywhere = _documents(*((module, "p", None) for module in modules))
    assert _policy(TEXT, everywhere, module="module.m", index=index) == "module.mpNone"
    elsewhere = [document for document in everywhere if document.get("module_address") != "module.m"]
    assert _policy(TEXT, elsewhere, module="module.m", index=index) is None
