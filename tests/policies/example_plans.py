"""Turns the examples of the rule files into plans, declarations and evidence (policies/README.md tells their form)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from engine.review.declared import Declared
from engine.review.events import Event
from engine.review.examination import detect, make_context
from engine.review.plan_reader import read_plan
from engine.review.review import review_plan
from tests.engine.review.declarations import declaration, proof
from tests.engine.review.plan_builder import CONTENTS, POLICIES, PlanBuilder, key_arn, key_id, root

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.review.report import Report

KINDS = {
    "key": "aws_kms_key",
    "external_key": "aws_kms_external_key",
    "replica_key": "aws_kms_replica_key",
    "grant": "aws_kms_grant",
    "alias": "aws_kms_alias",
    "key_policy": "aws_kms_key_policy",
    "key_store": "aws_kms_custom_key_store",
    "hsm_cluster": "aws_cloudhsm_v2_cluster",
    "organization_policy": "aws_organizations_policy",
    "organization_attachment": "aws_organizations_policy_attachment",
}
_EXAMPLE_KEYS = {
    *("name", "outcome", "also", "plan", "plan_says"),
    *("declaration", "base", "evidence", "certificate", "integrated", "proved_revoked"),
}
_OPTIONS = {
    "actions",
    "before",
    "after",
    "unknown",
    "drift",
    "only_drift",
    "name",
    "deposed",
    "previous_address",
    "importing",
    "points_to",
    "deferred",
    "only_known",
}


def review_example(example: Mapping[str, Any]) -> Report:
    """Review the plan of an example as it says."""
    unknown = set(example) - _EXAMPLE_KEYS
    assert not unknown, f"an example has no {unknown}"
    data, declared = inputs_of(example)
    return review_plan("plan.json", data, declared.change, base=declared.base, proof=declared.proof)


def events_of(example: Mapping[str, Any]) -> tuple[Event, ...]:
    """The events that the plan of an example makes."""
    data, declared = inputs_of(example)
    context = make_context(read_plan("plan.json", data), declared, datetime(2030, 1, 1, tzinfo=UTC))
    return tuple(told for told in detect(context) if isinstance(told, Event))


def inputs_of(example: Mapping[str, Any]) -> tuple[bytes, Declared]:
    """The plan of an example, and what it is judged by."""
    base = example.get("base")
    evidence = example.get("evidence")
    proved = None
    if evidence is not None:
        proved = proof(
            {int(number): standing for number, standing in evidence.items()},
            revoked=example.get("proved_revoked", False),
            certificate=example.get("certificate", True),
            integrated=example.get("integrated", True),
        )
    declared = Declared(
        declaration(**example.get("declaration", {})), None if base is None else declaration(**base), proved
    )
    return plan_of(example).data(), declared


def plan_of(example: Mapping[str, Any]) -> PlanBuilder:
    """The plan of an example."""
    builder = PlanBuilder(**example.get("plan_says", {}))
    for entry in example.get("plan", []):
        _add(builder, dict(entry))
    return builder


def _add(builder: PlanBuilder, entry: dict[str, Any]) -> None:
    word = next(iter(entry))
    kind, number = KINDS[word], entry.pop(word)
    assert not set(entry) - _OPTIONS, f"an example's resource has no {set(entry) - _OPTIONS}"
    before, after = (_attributes(entry.pop(part, {})) for part in ("before", "after"))
    drift = entry.pop("drift", None)
    if drift is not None:
        builder.drifted(
            kind,
            number,
            {**before, **({} if drift == "gone" else _attributes(drift))},
            name=entry.get("name"),
            gone=drift == "gone",
            observed=before,
        )
    if entry.pop("only_drift", False):
        return
    if entry.pop("only_known", False):
        builder.known(kind, number, name=entry.get("name"), **before)
        return
    if entry.pop("importing", False):
        entry["importing"] = key_id(number)
    deferred = entry.pop("deferred", False)
    builder.add(
        kind,
        number,
        tuple(entry.pop("actions", ["no-op"])),
        before=before,
        after=after,
        unknown=tuple(entry.pop("unknown", ())),
        points_to=entry.pop("points_to", None),
        **entry,
    )
    if deferred:
        builder.defer()


def _attributes(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes as the examples abbreviate them: policies by name, targets and grantees by number."""
    found = dict(changes)
    if found.get("policy") in POLICIES:
        found["policy"] = POLICIES[found["policy"]]
    if found.get("content") in CONTENTS:
        found["content"] = CONTENTS[found["content"]]
    if "generation_tag" in found:
        tags = {"keyturn:tenant": "northwind", "keyturn:generation": str(found.pop("generation_tag"))}
        found |= {"tags": tags, "tags_all": tags}
    if "target" in found:
        target = found.pop("target")
        found |= {"target_key_id": key_id(target), "target_key_arn": key_arn(target)}
    if "grantee_account" in found:
        found["grantee_principal"] = root(found.pop("grantee_account"))
    if "key_of" in found:
        number = found.pop("key_of")
        found |= {"arn": key_arn(number), "key_id": key_id(number), "id": key_id(number)}
    return found
