"""Roles that are known only after apply: the owner's where the owner makes them, else perhaps another account's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from engine.review import review_plan
from tests.engine.review.declarations import declaration
from tests.engine.review.plan_builder import CUSTOMER, OTHER, POLICIES, PlanBuilder

if TYPE_CHECKING:
    from engine.review import Report

PLANS = Path(__file__).with_name("plans")
KEY, KEY_POLICY, GRANT = "aws_kms_key", "aws_kms_key_policy", "aws_kms_grant"
OWNER_ONLY: dict[str, Any] = {"policy": POLICIES["owner only"]}


def _review(plan: dict[str, Any]) -> Report:
    return review_plan("plan.json", json.dumps(plan).encode(), declaration(2), base=declaration(2))


def _with_new_role(attribute: str, provider: dict[str, Any] | None = None, taken: str = "arn") -> dict[str, Any]:
    """A grant of which one principal is a role that the same plan makes, where given by another provider."""
    plan = PlanBuilder().add(KEY, 1, before=OWNER_ONLY).add(GRANT, 1, name="vendor")
    plan.add(GRANT, 1, ("create",), unknown=(attribute,))
    document = plan.plan()
    resources = document["configuration"]["root_module"]["resources"]
    resources[-1]["expressions"][attribute] = {"references": [f"aws_iam_role.r.{taken}", "aws_iam_role.r"]}
    role = {"address": "aws_iam_role.r", "mode": "managed", "type": "aws_iam_role", "name": "r"}
    resources.append(role | {"provider_config_key": "aws" if provider is None else "aws.other"})
    for resource in resources[:-1]:
        resource["provider_config_key"] = "aws"
    region = {"region": {"constant_value": "us-east-1"}}
    document["configuration"]["provider_config"] = {
        "aws": {"name": "aws", "expressions": region},
        "aws.other": {"name": "aws", "alias": "other", "expressions": provider or {}},
    }
    return document


@pytest.mark.parametrize("attribute", ["grantee_principal", "retiring_principal"])
def test_a_role_that_the_plan_makes_is_the_owners(attribute: str) -> None:
    assert _review(_with_new_role(attribute)).findings == ()
    elsewhere = {"region": {"constant_value": "eu-west-1"}}
    assert _review(_with_new_role(attribute, elsewhere)).findings == ()


@pytest.mark.parametrize("attribute", ["grantee_principal", "retiring_principal"])
def test_a_role_that_is_made_with_other_credentials_may_be_anothers(attribute: str) -> None:
    provider = {"assume_role": [{"role_arn": {"constant_value": f"arn:aws:iam::{OTHER}:role/deploy"}}]}
    findings = _review(_with_new_role(attribute, provider)).findings
    assert [(finding.policy, finding.outcome.value) for finding in findings] == [
        ("other-account-gains-access", "unknown")
        if attribute == "grantee_principal"
        else ("spare-grant-retirable-by-others", "unknown")
    ]


def _assuming(arn: Any, kind: str = "assume_role") -> dict[str, Any]:
    return {kind: [{"role_arn": {"constant_value": arn}}]}


BY_A_VARIABLE: dict[str, Any] = {"assume_role": [{"role_arn": {"references": ["var.role"]}}]}
MINE, ANOTHERS = f"arn:aws:iam::{CUSTOMER}:role/deploy", f"arn:aws:iam::{OTHER}:role/deploy"
CALLERS: dict[str, tuple[dict[str, Any], bool]] = {
    "a role of the account": (_assuming(MINE), True),
    "a role of the account, by web identity": (_assuming(MINE, "assume_role_with_web_identity"), True),
    "from there a role of another account": (
        _assuming(MINE, "assume_role_with_web_identity") | _assuming(ANOTHERS),
        False,
    ),
    "two roles in a row": (
        {"assume_role": [*_assuming(ANOTHERS)["assume_role"], *_assuming(MINE)["assume_role"]]},
        False,
    ),
    "two roles in a row, the first of the account": (
        {"assume_role": [*_assuming(MINE)["assume_role"], *_assuming(ANOTHERS)["assume_role"]]},
        False,
    ),
    "no role after all": ({"assume_role": []}, False),
    "an ARN that is none": (_assuming("deploy"), False),
    "a role by a variable": (BY_A_VARIABLE, False),
    "that, in the account alone": (BY_A_VARIABLE | {"allowed_account_ids": {"constant_value": [CUSTOMER]}}, True),
    "that, in two accounts": (BY_A_VARIABLE | {"allowed_account_ids": {"constant_value": [CUSTOMER, OTHER]}}, False),
    "in no account": ({"allowed_account_ids": {"constant_value": []}}, True),
    "in an account that is no text": ({"allowed_account_ids": {"constant_value": [123456789012]}}, True),
    "in another account alone": ({"allowed_account_ids": {"constant_value": [OTHER]}}, False),
    "by way of a FIPS endpoint": ({"use_fips_endpoint": {"constant_value": True}}, True),
}


@pytest.mark.parametrize(("provider", "owners"), CALLERS.values(), ids=CALLERS)
def test_what_a_provider_makes_is_the_owners_where_its_account_is_told_to_be(
    provider: dict[str, Any], owners: bool
) -> None:
    for attribute in ("grantee_principal", "retiring_principal"):
        assert (_review(_with_new_role(attribute, provider)).findings == ()) is owners
    assert (_told_of_others(_role_in_a_document(provider)) == []) is owners


def test_the_account_that_the_keys_own_provider_tells_is_the_one_that_counts() -> None:
    """A key that is to be made elsewhere than declared is not the declared account's."""
    plan = _with_new_role("grantee_principal", _assuming(MINE))
    assert _review(plan).findings == ()
    plan["configuration"]["provider_config"]["aws"]["expressions"] = _assuming(ANOTHERS)
    assert [finding.outcome.value for finding in _review(plan).findings] == ["unknown"]
    plan["configuration"]["provider_config"]["aws.other"]["expressions"] = _assuming(f"{ANOTHERS}-iam")
    assert _review(plan).findings == ()


@pytest.mark.parametrize("attribute", ["grantee_principal", "retiring_principal"])
def test_the_owner_is_who_makes_the_key_not_who_makes_the_grant(attribute: str) -> None:
    plan = _with_new_role(attribute, _assuming(ANOTHERS))
    grants = [r for r in plan["configuration"]["root_module"]["resources"] if r["type"] == GRANT]
    grants[-1]["provider_config_key"] = "aws.other"
    assert [finding.outcome.value for finding in _review(plan).findings] == ["unknown"]


@pytest.mark.parametrize("told", [True, False], ids=["of another module", "of which the plan does not tell"])
def test_two_providers_that_read_alike_may_be_two_accounts(told: bool) -> None:
    provider = {"assume_role": [{"role_arn": {"references": ["var.deploy_role"]}}]}
    plan = _with_new_role("grantee_principal", provider)
    providers = plan["configuration"]["provider_config"]
    providers["aws"]["expressions"] = provider
    assert _review(plan).findings == ()
    if told:
        providers["aws.other"]["module_address"] = "module.elsewhere"
    else:
        providers.clear()
    findings = _review(plan).findings
    assert [(finding.policy, finding.outcome.value) for finding in findings] == [
        ("other-account-gains-access", "unknown")
    ]


@pytest.mark.parametrize(("modules", "told"), [(("module.a", "module.b"), True), (("module.a", "module.a"), False)])
def test_two_providers_of_modules_are_alike_where_they_are_of_the_same_one(
    modules: tuple[str, str], told: bool
) -> None:
    plan = _with_new_role("grantee_principal", BY_A_VARIABLE)
    providers = plan["configuration"]["provider_config"]
    providers["aws"]["expressions"] = BY_A_VARIABLE
    providers["aws"]["module_address"], providers["aws.other"]["module_address"] = modules
    assert bool(_review(plan).findings) is told


def test_whose_provider_has_the_name_that_sorts_first_means_nothing() -> None:
    plan = _with_new_role("grantee_principal", _assuming(ANOTHERS))
    for resource in plan["configuration"]["root_module"]["resources"]:
        resource["provider_config_key"] = "b" if resource["provider_config_key"] == "aws" else "a"
    providers = plan["configuration"]["provider_config"]
    providers |= {"b": providers.pop("aws"), "a": providers.pop("aws.other")}
    assert [finding.outcome.value for finding in _review(plan).findings] == ["unknown"]


def test_of_a_key_whose_provider_the_plan_does_not_tell_nothing_is_the_owners() -> None:
    for provider in (_assuming(ANOTHERS), _assuming(MINE), {}):
        plan = _with_new_role("grantee_principal", provider or {"region": {"constant_value": "eu-west-1"}})
        del plan["configuration"]["provider_config"]["aws"]
        assert [finding.outcome.value for finding in _review(plan).findings] == ["unknown"]


def test_the_name_of_a_role_may_stand_in_the_arn_of_any_account() -> None:
    findings = _review(_with_new_role("grantee_principal", taken="name")).findings
    assert [(finding.policy, finding.outcome.value) for finding in findings] == [
        ("other-account-gains-access", "unknown")
    ]


def _role_in_a_document(provider: dict[str, Any], taken: str = "arn", **statement: Any) -> dict[str, Any]:
    """A real plan in which a policy document names a new role; made by another provider, of which this differs."""
    plan: dict[str, Any] = json.loads((PLANS / "doc_role_added.json").read_bytes())
    plan["configuration"]["provider_config"]["aws.other"] = {"name": "aws", "alias": "other"}
    read = next(change for change in plan["resource_changes"] if change["mode"] == "data")
    read["change"]["after"]["statement"][2] |= {"actions": ["kms:*"], **statement}
    own = plan["configuration"]["provider_config"]["aws"]["expressions"]
    plan["configuration"]["provider_config"]["aws.other"]["expressions"] = {**own, **provider}
    for resource in plan["configuration"]["root_module"]["resources"]:
        if resource["type"] == "aws_iam_role":
            resource["provider_config_key"] = "aws.other"
        for block in resource["expressions"].get("statement", ()):
            for principals in block.get("principals", ()):
                identifiers = principals["identifiers"]
                if "aws_iam_role.r" in identifiers.get("references", ()):
                    identifiers["references"] = [f"aws_iam_role.r.{taken}", "aws_iam_role.r"]
    return plan


@pytest.mark.parametrize(
    ("provider", "taken", "told"),
    [
        ({"region": {"constant_value": "eu-west-1"}}, "arn", set()),
        (_assuming(MINE), "arn", set()),
        (
            {"assume_role": [{"role_arn": {"constant_value": "x"}}]},
            "arn",
            {"other-account-gains-access", "public-key-policy", "vendor-overprivileged"},
        ),
        ({}, "name", {"public-key-policy", "vendor-overprivileged"}),
    ],
    ids=["in another Region", "in the account", "with other credentials", "by its name"],
)
def test_a_new_role_in_a_policy_document_is_the_owners_only_where_the_owner_makes_it(
    provider: dict[str, Any], taken: str, told: set[str]
) -> None:
    plan = _role_in_a_document(provider, taken)
    findings = _review(plan).findings
    assert {finding.policy for finding in findings if finding.outcome.value == "unknown"} == told


def test_excess_that_the_vendor_had_hides_none_that_it_may_gain() -> None:
    plan = _role_in_a_document({}, "name")
    key = next(change for change in plan["resource_changes"] if change["type"] == KEY)
    before = json.loads(key["change"]["before"]["policy"])
    before["Statement"][1]["Action"].append("kms:DisableKey")
    key["change"]["before"]["policy"] = json.dumps(before)
    read = next(change for change in plan["resource_changes"] if change["mode"] == "data")
    read["change"]["after"]["statement"][1]["actions"].append("kms:DisableKey")
    (told,) = [finding for finding in _review(plan).findings if finding.policy == "vendor-overprivileged"]
    assert told.outcome.value == "unknown"
    assert "kms:DisableKey" not in told.message


OTHERS = {"assume_role": [{"role_arn": {"constant_value": f"arn:aws:iam::{OTHER}:role/deploy"}}]}


def _told_of_others(plan: dict[str, Any]) -> list[tuple[str, bool]]:
    """What is said of other accounts, and whether it blocks."""
    report = _review(plan)
    return [
        (f.outcome.value, f in report.blocking) for f in report.findings if f.policy == "other-account-gains-access"
    ]


def _blocking(plan: dict[str, Any]) -> list[tuple[str, str]]:
    return [(finding.policy, finding.outcome.value) for finding in _review(plan).blocking]


BLOCKED = [("unknown", True)]


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ({"actions": ["kms:*"]}, BLOCKED),
        ({"actions": ["*"]}, BLOCKED),
        ({"actions": ["kms:DescribeKey", "KMS:DECRYPT"]}, BLOCKED),
        ({"actions": ["kms:ReEncrypt*"]}, BLOCKED),
        ({"actions": ["kms:Decryp?"]}, BLOCKED),
        ({"actions": ["kms:CreateGrant"]}, BLOCKED),
        ({"actions": [], "not_actions": ["kms:Delete*"]}, BLOCKED),
        ({"actions": None, "not_actions": ["kms:Delete*"]}, BLOCKED),
        ({"actions": ["kms:DescribeKey", "kms:Get*"]}, []),
        ({"actions": ["kms:Decrypt2", "xkms:Decrypt", "kms.Decrypt"]}, []),
        ({"effect": "Deny"}, []),
    ],
)
def test_a_role_that_other_credentials_make_is_told_where_it_is_allowed_to_use_the_key(
    statement: dict[str, Any], told: list[tuple[str, bool]]
) -> None:
    assert _told_of_others(_role_in_a_document(OTHERS, **statement)) == told


@pytest.mark.parametrize(
    ("marker", "told"),
    [
        ({"effect": True, "principals": [{"identifiers": [True]}]}, BLOCKED),
        ({"actions": [True], "principals": [{"identifiers": [True]}]}, BLOCKED),
        ({"principals": True}, BLOCKED),
        ({"principals": []}, []),
        ({"principals": [{"identifiers": [False]}]}, []),
    ],
)
def test_what_is_not_known_of_a_statement_is_taken_at_its_worst(marker: Any, told: list[tuple[str, bool]]) -> None:
    effect = "Deny" if "effect" in marker else None
    actions = ["kms:DescribeKey"] if "actions" in marker else ["kms:*"]
    plan = _role_in_a_document(
        OTHERS, effect=effect, actions=actions, principals=[{"type": "AWS", "identifiers": ["x"]}]
    )
    read = next(change for change in plan["resource_changes"] if change["mode"] == "data")
    read["change"]["after_unknown"]["statement"][2] = marker
    assert _told_of_others(plan) == told


@pytest.mark.parametrize(
    ("markers", "told"),
    [
        ([{"identifiers": [True]}, {"identifiers": [False]}], BLOCKED),
        ([{"identifiers": [False]}, {"identifiers": [True]}], []),
        ([], []),
    ],
    ids=["the role of others is not known", "another principal is not known", "all is known"],
)
def test_each_block_of_principals_is_looked_at_for_itself(markers: list[Any], told: list[tuple[str, bool]]) -> None:
    blocks = [{"type": "AWS", "identifiers": ["x"]}, {"type": "AWS", "identifiers": ["y"]}]
    plan = _role_in_a_document(OTHERS, principals=blocks)
    read = next(change for change in plan["resource_changes"] if change["mode"] == "data")
    read["change"]["after_unknown"]["statement"][2]["principals"] = markers
    configured = next(r for r in plan["configuration"]["root_module"]["resources"] if r["mode"] == "data")
    principals = configured["expressions"]["statement"][2]["principals"]
    principals.append({"identifiers": {"references": ["aws_iam_user.u.arn", "aws_iam_user.u"]}})
    user = {"address": "aws_iam_user.u", "mode": "managed", "type": "aws_iam_user", "name": "u"}
    plan["configuration"]["root_module"]["resources"].append(user | {"provider_config_key": "aws"})
    assert _told_of_others(plan) == told
    principals.reverse()
    read["change"]["after_unknown"]["statement"][2]["principals"] = markers[::-1]
    assert _told_of_others(plan) == told


def test_a_document_of_which_less_is_told_than_it_holds_leaves_the_policy_unknown() -> None:
    plan = _role_in_a_document(OTHERS)
    del next(change for change in plan["resource_changes"] if change["mode"] == "data")["change"]["after_unknown"][
        "statement"
    ][2]
    assert ("vendor-access-lost", "unknown") in _blocking(plan)


def _made_anew(plan: dict[str, Any]) -> dict[str, Any]:
    """The plan, in which the key is new."""
    key = next(change for change in plan["resource_changes"] if change["type"] == KEY)
    for name in ("arn", "id", "key_id"):
        key["change"]["after_unknown"][name] = key["change"]["after"].pop(name) is not None
    key["change"] |= {"actions": ["create"], "before": None}
    return plan


def test_a_new_key_may_be_opened_to_anybody_too() -> None:
    findings = _review(_made_anew(_role_in_a_document({}, "name"))).findings
    assert ("public-key-policy", "unknown") in [(finding.policy, finding.outcome.value) for finding in findings]


@pytest.mark.parametrize("more", [1, 0, -1], ids=["more", "as many", "fewer"])
def test_a_document_tells_of_its_roles_where_it_has_as_many_statements_as_are_configured(more: int) -> None:
    plan = _role_in_a_document(OTHERS)
    change = next(change for change in plan["resource_changes"] if change["mode"] == "data")["change"]
    configured = next(r for r in plan["configuration"]["root_module"]["resources"] if r["mode"] == "data")
    for part in (change["after"], change["after_unknown"], configured["expressions"]):
        part["statement"].reverse()
    for part in (change["after"], change["after_unknown"]):
        part["statement"] = [*part["statement"], part["statement"][-1]][: 3 + more]
    assert _told_of_others(plan) == ([] if more else BLOCKED)


def test_a_statement_that_cannot_be_read_may_allow_anything() -> None:
    plan = _role_in_a_document(OTHERS)
    read = next(change for change in plan["resource_changes"] if change["mode"] == "data")["change"]
    read["after"]["statement"][2] = "x"
    assert _told_of_others(plan) == BLOCKED
    read["after_unknown"]["statement"] = []
    assert _told_of_others(plan) == []


def test_a_new_key_is_not_opened_to_others_either_and_to_its_owners_new_role_it_is() -> None:
    for provider, told in (OTHERS, BLOCKED), ({}, []):
        assert _told_of_others(_made_anew(_role_in_a_document(provider))) == told


@pytest.mark.parametrize(("taken", "told"), [("arn", BLOCKED), ("unique_id", BLOCKED), ("name", [])])
def test_a_policy_that_refers_to_a_role_of_others_itself_may_be_for_it(
    taken: str, told: list[tuple[str, bool]]
) -> None:
    plan = _role_in_a_document(OTHERS)
    for resource in plan["configuration"]["root_module"]["resources"]:
        if resource["type"] == KEY:
            resource["expressions"]["policy"]["references"] = [f"aws_iam_role.r.{taken}", "aws_iam_role.r"]
    assert _told_of_others(plan) == told


def test_a_separate_policy_of_which_a_role_of_others_is_a_part_is_told_too() -> None:
    plan = _role_in_a_document(OTHERS)
    key = next(change for change in plan["resource_changes"] if change["type"] == KEY)
    configured = next(r for r in plan["configuration"]["root_module"]["resources"] if r["type"] == KEY)
    before, after = key["change"]["before"], key["change"]["after"]
    after["policy"] = before["policy"]
    key["change"]["after_unknown"].pop("policy")
    named = {"type": KEY_POLICY, "name": "p", "address": f"{KEY_POLICY}.p"}
    attributes = {name: before[name] for name in ("key_id", "policy")} | {"bypass_policy_lockout_safety_check": False}
    will = {name: value for name, value in attributes.items() if name != "policy"}
    separate = {"actions": ["update"], "before": {**attributes, "id": before["key_id"]}, "after": will}
    plan["resource_changes"].append({**key, **named, "change": {**separate, "after_unknown": {"policy": True}}})
    plan["configuration"]["root_module"]["resources"].append({**configured, **named})
    assert _told_of_others(plan) == BLOCKED


def test_credentials_that_the_plan_does_not_tell_are_nobody_elses_yet() -> None:
    """Terraform before 1.1 names a provider that is passed to a module so, and a first deployment must not be hit."""
    for name in ("aws", "aws.other"):
        plan = _role_in_a_document(OTHERS)
        del plan["configuration"]["provider_config"][name]
        assert _told_of_others(plan) == []
    plan = _role_in_a_document({"profile": {"references": ["var.profile"]}})
    providers = plan["configuration"]["provider_config"]
    providers["aws"]["expressions"] = {"profile": {"references": ["var.profile"]}}
    providers["aws.other"] |= {"module_address": "module.elsewhere", "expressions": providers["aws"]["expressions"]}
    assert _told_of_others(plan) == []
    providers["aws.other"]["expressions"] = {"profile": {"constant_value": "another"}}
    assert _told_of_others(plan) == BLOCKED


VENDOR_TAKEN_OUT = [("vendor-access-lost", "fail")]


def _without_vendor(plan: dict[str, Any]) -> dict[str, Any]:
    read = next(change for change in plan["resource_changes"] if change["mode"] == "data")
    configured = next(r for r in plan["configuration"]["root_module"]["resources"] if r["mode"] == "data")
    for statements in (
        read["change"]["after"]["statement"],
        read["change"]["after_unknown"]["statement"],
        configured["expressions"]["statement"],
    ):
        del statements[1]
    return plan


@pytest.mark.parametrize("own", [True, False], ids=["its own", "one for all"])
def test_an_instance_of_a_key_has_its_own_document_or_the_one_for_all(own: bool) -> None:
    plan = _role_in_a_document({})
    key = next(change for change in plan["resource_changes"] if change["type"] == KEY)
    plan |= {"prior_state": {}, "planned_values": {}}
    if own:
        next(change for change in plan["resource_changes"] if change["mode"] == "data")["index"] = "a"
        configured = next(r for r in plan["configuration"]["root_module"]["resources"] if r["type"] == KEY)
        configured["expressions"]["policy"]["references"].append("each.key")
    key |= {"index": "a", "address": f'{key["address"]}["a"]'}
    assert _blocking(plan) == []
    assert _blocking(_without_vendor(plan)) == VENDOR_TAKEN_OUT


def test_a_variable_that_is_constant_beside_the_document_changes_nothing() -> None:
    plan = _role_in_a_document({})
    for resource in plan["configuration"]["root_module"]["resources"]:
        if resource["type"] == KEY:
            resource["expressions"]["policy"]["references"].append("var.vendor")
    assert _blocking(plan) == []
    assert _blocking(_without_vendor(plan)) == VENDOR_TAKEN_OUT
