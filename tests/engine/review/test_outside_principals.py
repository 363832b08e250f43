"""Who is let in that is no account, statement by statement and grant by grant; and who may retire Druva's grant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from engine.review import review_plan
from tests.engine.review.declarations import declaration
from tests.engine.review.plan_builder import (
    CUSTOMER,
    FOR_VENDOR,
    OTHER,
    OWNER,
    POLICIES,
    PlanBuilder,
    document,
    key_id,
    root,
    statement,
)

if TYPE_CHECKING:
    from engine.review import Report

KEY, KEY_POLICY, GRANT = "aws_kms_key", "aws_kms_key_policy", "aws_kms_grant"
BACKUP, BARE = {"Service": "backup.amazonaws.com"}, {"AWS": "AROAEXAMPLE123456789"}
IN_AN_ORGANISATION = {"StringEquals": {"aws:PrincipalOrgID": "o-1234567890"}}
NOTHING_NEW = statement({"AWS": root(CUSTOMER)}, "kms:ListGrants")
SERVICE, WILDCARD = "service-principal-allowed", "wildcard-principal"
Statement = dict[str, Any]


def allow(principal: Any, action: str = "kms:Decrypt", **more: Any) -> Statement:
    return statement(principal, action, **more)


def deny(principal: Any) -> Statement:
    return statement(principal, "kms:Decrypt", "Deny")


def policy(*statements: Statement) -> dict[str, Any]:
    return {"policy": document(OWNER, FOR_VENDOR, *statements)}


def updated(before: tuple[Statement, ...], *after: Statement) -> PlanBuilder:
    return PlanBuilder().add(KEY, 1, ("update",), before=policy(*before), after=policy(*after))


def _review(plan: PlanBuilder) -> Report:
    return review_plan("p", plan.data(), declaration(2))


def _told(plan: PlanBuilder) -> list[str]:
    return [finding.policy for finding in _review(plan).findings]


STATEMENTS: dict[str, tuple[PlanBuilder, list[str]]] = {
    "a service": (updated((), allow(BACKUP)), [SERVICE]),
    "a service, denied beside it": (updated((), allow(BACKUP), deny(BACKUP)), [SERVICE]),
    "a service, behind another that is denied": (
        updated((), deny({"Service": "a.amazonaws.com"}), allow(BACKUP)),
        [SERVICE],
    ),
    "a service, behind anybody under a condition": (
        updated((), allow("*", Condition=IN_AN_ORGANISATION), allow(BACKUP)),
        [SERVICE, WILDCARD],
    ),
    "a service and anybody under a condition, in one statement": (
        updated((), allow({"AWS": "*", **BACKUP}, Condition=IN_AN_ORGANISATION)),
        [SERVICE, WILDCARD],
    ),
    "anybody under a condition, and a service that may encrypt": (
        updated((), allow({"AWS": "*"}, Condition=IN_AN_ORGANISATION), allow(BACKUP, "kms:Encrypt")),
        [WILDCARD],
    ),
    "a service is denied": (updated((), deny(BACKUP)), []),
    "a service that was there": (updated((allow(BACKUP),), allow(BACKUP), NOTHING_NEW), []),
    "a service that may do less": (updated((allow(BACKUP),), allow(BACKUP, "kms:Encrypt")), []),
    "a service that may do more": (
        updated((allow(BACKUP),), allow(BACKUP, "kms:*")),
        ["service-principal-administers"],
    ),
    "a bare id": (updated((), allow(BARE)), [SERVICE]),
    "a bare id that may encrypt": (updated((), allow(BARE, "kms:Encrypt")), []),
    "a bare id that may do less": (updated((allow(BARE),), allow(BARE, "kms:Encrypt")), []),
    "a canonical user": (updated((), allow({"CanonicalUser": "abc"})), [SERVICE]),
    "a service, in one of two policies of which either may be in force": (
        PlanBuilder().add(KEY, 1, ("update",), after=policy(allow(BACKUP))).add(KEY_POLICY, 1, ("delete",)),
        ["vendor-access-lost", SERVICE],
    ),
}


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_statement_for_who_is_no_account_is_told_where_it_is_new(name: str) -> None:
    plan, told = STATEMENTS[name]
    assert _told(plan) == told


def granted(
    was: str, grantee: str, operations: tuple[str, ...] = ("Decrypt",), number: int = 1, **more: Any
) -> PlanBuilder:
    before = {"grantee_principal": was, "operations": ["Decrypt"]}
    after = {"grantee_principal": grantee, "operations": list(operations), "key_id": key_id(number), **more}
    plan = PlanBuilder().add(KEY, 1).add(KEY, 2)
    return plan.add(GRANT, 1, ("delete", "create"), name="s", before=before, after=after)


A, M, Z = (f"{letter}.amazonaws.com" for letter in "amz")
GRANTS: dict[str, tuple[PlanBuilder, list[tuple[str, str]]]] = {
    "for a service that was of a smaller name": (granted(A, M), [(SERVICE, "generation 1")]),
    "for a service that was of a greater name": (granted(Z, M), [(SERVICE, "generation 1")]),
    "for the same service": (granted(M, M, name="renamed"), []),
    "for the same service, with more operations": (
        granted(M, M, ("Decrypt", "CreateGrant")),
        [(SERVICE, "generation 1")],
    ),
    "for the same service, on another key": (granted(M, M, number=2), [(SERVICE, "generation 2")]),
    "for a service that may describe the key": (granted(root(CUSTOMER), M, ("DescribeKey",)), []),
    "for an account": (granted(M, root(CUSTOMER)), []),
}


@pytest.mark.parametrize("name", GRANTS)
def test_a_grant_to_who_is_no_account_is_told_where_it_is_new_to_the_key(name: str) -> None:
    plan, told = GRANTS[name]
    assert [(f.policy, f.message.partition(":")[0]) for f in _review(plan).findings] == told


@pytest.mark.parametrize(
    ("grantee", "said"),
    [
        (M, f"let the service {M} decrypt with it, or give that right"),
        (BARE["AWS"], f"allow {BARE['AWS']}, of which nobody can tell the account"),
    ],
)
def test_a_grantee_is_told_as_what_it_is(grantee: str, said: str) -> None:
    (finding,) = _review(granted(root(CUSTOMER), grantee)).findings
    assert finding.message == f"generation 1: its policy or a grant would {said}"


def test_names_are_told_unless_the_policy_is_sensitive() -> None:
    plan = updated((), allow({"Service": [Z, A]}))
    (finding,) = _review(plan).findings
    assert f"the service {A}, {Z} " in finding.message
    plan.changes[0]["change"]["after_sensitive"] = {"policy": True}
    (finding,) = _review(plan).findings
    assert "the service (sensitive value) " in finding.message


def test_a_service_that_was_there_was_looked_at() -> None:
    assert SERVICE not in _review(updated((allow(BACKUP),), allow(BACKUP), NOTHING_NEW)).not_exercised


RETIRABLE = {"retiring_principal": root(OTHER)}
ALONE, SPARE = "grant-retirable-by-others", "spare-grant-retirable-by-others"


@pytest.mark.parametrize(
    ("policy_of_the_key", "told"),
    [("standard", [SPARE]), ("vendor cannot rewrap", [ALONE]), ("vendor denied", [SPARE]), ("owner only", [ALONE])],
)
def test_who_may_retire_the_grant_matters_where_the_policy_gives_less(policy_of_the_key: str, told: list[str]) -> None:
    plan = (
        PlanBuilder()
        .add(KEY, 1, before={"policy": POLICIES[policy_of_the_key]})
        .add(GRANT, 1, ("create",), after=RETIRABLE)
    )
    assert _told(plan) == told


@pytest.mark.parametrize("before", [{}, RETIRABLE], ids=["by nobody else before", "by another account before too"])
def test_a_grant_that_others_may_retire_is_told_of_the_key_that_it_goes_to(before: dict[str, Any]) -> None:
    plan = PlanBuilder().add(KEY, 1).add(KEY, 2)
    plan.add(GRANT, 1, ("delete", "create"), before=before, after={**RETIRABLE, "key_id": key_id(2)})
    told = {(finding.policy, finding.message.partition(":")[0]) for finding in _review(plan).findings}
    assert told == {("grant-removed", "generation 1"), (SPARE, "generation 2")}


def test_a_grant_that_goes_can_be_retired_by_nobody() -> None:
    assert _told(PlanBuilder().add(KEY, 1).add(GRANT, 1, ("delete",), before=RETIRABLE)) == ["grant-removed"]
