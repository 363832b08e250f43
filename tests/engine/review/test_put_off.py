"""Changes that are put off to a later plan, and changes that cannot be read: whom they concern."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine.review import review_plan
from tests.engine.review.declarations import declaration
from tests.engine.review.plan_builder import CUSTOMER, POLICIES, PlanBuilder, key_id, root

KEY, GRANT, ALIAS = "aws_kms_key", "aws_kms_grant", "aws_kms_alias"
FOREIGN: dict[str, Any] = {"tags": None, "tags_all": {}, "policy": POLICIES["owner only"]}
OWNERS = {"grantee_principal": root(CUSTOMER)}


def keys() -> PlanBuilder:
    """Two generations, and a key of another team."""
    return PlanBuilder().add(KEY, 1).add(KEY, 2).add(KEY, 7, name="foreign", before=FOREIGN)


def put_off(kind: str, number: int, *actions: str, plan: PlanBuilder | None = None, **more: Any) -> PlanBuilder:
    return (plan or keys()).add(kind, number, actions, **more).defer()


def not_ours() -> PlanBuilder:
    return put_off(GRANT, 7, "delete", name="theirs", before=OWNERS)


CASES: dict[str, tuple[PlanBuilder, list[str]]] = {
    "a grant of a generation, behind one of another": (
        put_off(GRANT, 2, "delete", name="z", plan=keys().add(GRANT, 1, name="a")),
        ["generation 2"],
    ),
    "a grant of a generation, before one of another": (
        put_off(GRANT, 2, "delete", name="a", plan=keys().add(GRANT, 1, name="z")),
        ["generation 2"],
    ),
    "a new grant on nobody knows which key": (
        put_off(GRANT, 7, "create", name="z", unknown=("key_id",), points_to=9),
        ["aws_kms_grant.z"],
    ),
    "another team's grant": (not_ours(), []),
    "another team's grant, and then a generation's": (put_off(GRANT, 1, "delete", plan=not_ours()), ["generation 1"]),
    "an alias that goes from one generation to another": (
        put_off(ALIAS, 1, "update", after={"target_key_id": key_id(2)}),
        ["generation 1"],
    ),
    "a new alias of nobody knows which key": (
        put_off(ALIAS, 7, "create", name="x", after={"name": "alias/x"}, unknown=("target_key_id",), points_to=9),
        ["aws_kms_alias.x"],
    ),
    "a new key": (put_off(KEY, 8, "create", name="x", after=FOREIGN), []),
    "a new key of which the tags are not known": (
        put_off(KEY, 8, "create", name="x", after=FOREIGN, unknown=("tags_all",)),
        ["aws_kms_key.x"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_put_off_is_told_of_the_key_that_it_concerns(name: str) -> None:
    plan, told = CASES[name]
    findings = review_plan("p", plan.data(), declaration(2)).findings
    assert [f.message.partition(": a change")[0] for f in findings if f.policy == "change-deferred"] == told


@pytest.mark.parametrize(
    ("tag", "tenant", "told"),
    [
        ("keyturn:tenant", "northwind", ["unread-kms-resource"]),
        ("keyturn:tenant", "southwind", []),
        ("team", "northwind", []),
    ],
)
def test_a_key_that_cannot_be_read_is_told_where_its_tag_names_the_tenant(
    tag: str, tenant: str, told: list[str]
) -> None:
    properties = json.dumps({"Tags": [{"Key": tag, "Value": tenant}]})
    change = {"actions": ["delete"], "before": {"type_name": "AWS::KMS::Key", "properties": properties}, "after": None}
    kind = "aws_cloudcontrolapi_resource"
    plan = keys()
    plan.changes.append({"address": f"{kind}.x", "mode": "managed", "type": kind, "name": "x", "change": change})
    assert [finding.policy for finding in review_plan("p", plan.data(), declaration(2)).findings] == told
