"""The same plan told in another way is judged the same: in a module, in another order, by another tool, among others.

Every example of every rule and every real plan is told anew in each way. In a module two kinds of finding may differ,
those that hang on the very address that a declaration names.
"""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from engine.review.declared import Declared
from engine.review.review import review_plan
from tests.engine.review.declarations import declaration
from tests.policies.example_plans import inputs_of
from tests.policies.test_rules import RULES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MODULE = 'module.keys["eu.west/1"]'
OF_ADDRESSES = {"generation-address-changed", "imported-key-unproved", "other-key-under-generation"}
PLANS = sorted(Path(__file__).with_name("plans").glob("*.json"))


def _cases() -> Iterator[tuple[str, Any, Declared]]:
    for identifier, rule in RULES.items():
        for example in rule["examples"]:
            data, declared = inputs_of(example)
            yield identifier, json.loads(data), declared
    for path in PLANS:
        yield path.stem, json.loads(path.read_text(encoding="utf-8")), Declared(declaration(2), None, None)


def in_a_module(plan: Any) -> Any:
    """All of the plan within an instance of a module, whose key is hard to split."""
    for change in (*plan.get("resource_changes", ()), *plan.get("resource_drift", ())):
        _move(change)
    for deferred in plan.get("deferred_changes", ()):
        _move(deferred["resource_change"])
    for attribute in plan.get("relevant_attributes", ()):
        attribute["resource"] = f"{MODULE}.{attribute['resource']}"
    for top in (plan.get("planned_values"), plan.get("prior_state", {}).get("values")):
        if top and "root_module" in top:
            for module in _modules(top["root_module"]):
                for resource in (*module.get("resources", ()), *((module,) if "address" in module else ())):
                    resource["address"] = f"{MODULE}.{resource['address']}"
            top["root_module"] = {"child_modules": [{**top["root_module"], "address": MODULE}]}
    if "configuration" in plan:
        inner = plan["configuration"]["root_module"]
        variables = inner.get("variables", {})
        call = {
            "source": "./keys",
            "for_each_expression": {"constant_value": ["eu.west/1"]},
            "expressions": {name: {"references": [f"var.{name}"]} for name in variables},
            "module": inner,
        }
        plan["configuration"]["root_module"] = {"module_calls": {"keys": call}, "variables": variables}
    return plan


def _move(change: dict[str, Any]) -> None:
    change["module_address"] = ".".join(filter(None, (MODULE, change.get("module_address"))))
    for name in {"address", "previous_address"} & set(change):
        change[name] = f"{MODULE}.{change[name]}"


def _modules(module: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield module
    for child in module.get("child_modules", ()):
        yield from _modules(child)


def in_another_order(plan: Any) -> Any:
    """The members of every object and the resources of every list in an order of chance."""
    chance = random.Random(1)  # noqa: S311 - an order, no secret

    def mix(node: Any) -> Any:
        if isinstance(node, dict):
            members = list(node.items())
            chance.shuffle(members)
            return {name: mix(value) for name, value in members}
        if isinstance(node, list):
            items = [mix(item) for item in node]
            if all(isinstance(item, dict) and "address" in item for item in items):
                chance.shuffle(items)
            return items
        return node

    return mix(plan)


def with_policies_spelled_differently(plan: Any) -> Any:
    """Statements in the reverse order, one value as a list, lists reversed."""

    def spell(node: Any, name: str = "") -> Any:
        if isinstance(node, dict):
            return {member: spell(value, member) for member, value in node.items()}
        if isinstance(node, list):
            return [spell(item) for item in node]
        return _respelled(node) if name == "policy" and isinstance(node, str) else node

    return spell(plan)


def _respelled(text: str) -> str:
    try:
        policy = json.loads(text)
    except ValueError:
        return text
    statements = policy["Statement"] if isinstance(policy["Statement"], list) else [policy["Statement"]]
    return json.dumps({**policy, "Statement": [_reversed(one) for one in reversed(statements)]}, indent=1)


def _reversed(statement: dict[str, Any]) -> dict[str, Any]:
    def as_list(value: Any) -> list[Any]:
        return value[::-1] if isinstance(value, list) else [value]

    said: dict[str, Any] = {
        name: as_list(value) if name.endswith(("Action", "Resource")) else value for name, value in statement.items()
    }
    for name in {"Principal", "NotPrincipal"} & set(said):
        if isinstance(said[name], dict):
            said[name] = {kind: as_list(value) for kind, value in said[name].items()}
    return dict(reversed(said.items()))


def among_other_resources(plan: Any) -> Any:
    """Resources that are not the review's business come before and behind; a refresh-only plan lists none."""
    if "resource_changes" not in plan:
        return plan
    others = [
        {
            "address": f"aws_s3_bucket.log[{number}]",
            "mode": "managed",
            "type": "aws_s3_bucket",
            "name": "log",
            "index": number,
            "provider_name": "registry.terraform.io/hashicorp/aws",
            "change": {"actions": ["no-op"], "before": {"bucket": "x"}, "after": {"bucket": "x"}, "after_unknown": {}},
        }
        for number in range(3)
    ]
    plan["resource_changes"] = [others[0], *plan["resource_changes"], *others[1:]]
    return plan


def by_a_newer_terraform(plan: Any) -> Any:
    """A later minor version of the format, with members that nobody has heard of."""
    plan |= {"format_version": "1.99", "unheard_of": [1]}
    for change in plan.get("resource_changes", ()):
        change["change"]["unheard_of"] = {"a": 1}
    return plan


def by_opentofu(plan: Any) -> Any:
    """The provider comes from OpenTofu's registry."""
    return json.loads(json.dumps(plan).replace("registry.terraform.io/", "registry.opentofu.org/"))


def _judged(plan: Any, declared: Declared) -> list[tuple[str, str, bool, str]]:
    data = json.dumps(plan).encode()
    report = review_plan("plan.json", data, declared.change, base=declared.base, proof=declared.proof)
    return sorted(
        (one.policy, one.outcome.value, one.blocks, one.address.replace(f"{MODULE}.", "")) for one in report.findings
    )


@pytest.mark.parametrize(
    "retell",
    [
        in_a_module,
        in_another_order,
        with_policies_spelled_differently,
        among_other_resources,
        by_a_newer_terraform,
        by_opentofu,
    ],
)
def test_a_plan_that_is_told_in_another_way_is_judged_the_same(retell: Callable[[Any], Any]) -> None:
    different = {}
    for name, plan, declared in _cases():
        if retell is in_a_module and name in OF_ADDRESSES:
            continue
        as_it_is, anew = _judged(plan, declared), _judged(retell(copy.deepcopy(plan)), declared)
        if as_it_is != anew:
            different[name] = set(as_it_is) ^ set(anew)
    assert not different
