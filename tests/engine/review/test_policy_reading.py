"""Policies that are known only after apply, in the reading that gives least and the one that gives most."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine.review.policy_reading import NOTHING_KNOWN, read_document
from engine.review.values import Attributes
from tests.engine.review.plan_builder import CUSTOMER, USE, VENDOR, root

ROLE = f"arn:aws:iam::{CUSTOMER}:role/later"


def _block(identifiers: list[Any], actions: list[str], effect: str | None = None, **more: Any) -> dict[str, Any]:
    return {
        "sid": "",
        "effect": effect,
        "actions": actions,
        "resources": ["*"],
        "principals": [{"type": "AWS", "identifiers": identifiers}],
        "not_principals": [],
        "not_actions": None,
        "not_resources": None,
        "condition": [],
        **more,
    }


def _read(blocks: list[Any], markers: Any) -> Any:
    unknown = {"json": True, "id": True, "statement": markers}
    return read_document(Attributes({"statement": blocks}, unknown))


def _statements(text: str | None) -> list[Any]:
    assert text is not None
    found = json.loads(text)["Statement"]
    assert isinstance(found, list)
    return found


def test_statements_that_are_known_stand_in_both_readings() -> None:
    reading = _read([_block([root(VENDOR)], USE)], [{"actions": [False] * 5, "principals": [{"identifiers": [False]}]}])
    assert reading.certain
    assert _statements(reading.least)[0]["Principal"] == {"AWS": [root(VENDOR)]}


def test_an_unknown_principal_of_an_allow_is_nobody_at_least_and_anybody_at_most() -> None:
    reading = _read([_block([None], ["kms:Decrypt"])], [{"principals": [{"identifiers": [True]}]}])
    assert _statements(reading.least) == []
    assert _statements(reading.most)[0]["Principal"] == {"AWS": "*"}


def test_an_unknown_principal_of_a_deny_is_anybody_at_least_and_nobody_at_most() -> None:
    reading = _read([_block([None], ["kms:Decrypt"], "Deny")], [{"principals": [{"identifiers": [True]}]}])
    assert _statements(reading.least)[0]["Principal"] == {"AWS": "*"}
    assert _statements(reading.least)[0]["Effect"] == "Deny"
    assert _statements(reading.most) == []


def test_an_unknown_effect_denies_at_least_and_allows_at_most() -> None:
    reading = _read([_block([root(VENDOR)], ["kms:Decrypt"])], [{"effect": True}])
    assert _statements(reading.least)[0]["Effect"] == "Deny"
    assert _statements(reading.most)[0]["Effect"] == "Allow"


def test_unknown_actions_are_every_action() -> None:
    reading = _read([_block([root(VENDOR)], [])], [{"actions": True}])
    assert _statements(reading.most)[0]["Action"] == "kms:*"


def test_an_unknown_condition_may_be_none() -> None:
    condition = [{"test": "StringEquals", "variable": "aws:PrincipalOrgID", "values": [None]}]
    reading = _read([_block([root(VENDOR)], USE, condition=condition)], [{"condition": [{"values": [True]}]}])
    assert _statements(reading.least) == []
    assert "Condition" not in _statements(reading.most)[0]


def test_a_known_condition_is_kept() -> None:
    condition = [{"test": "StringEquals", "variable": "aws:PrincipalOrgID", "values": ["o-1"]}]
    reading = _read([_block([root(VENDOR)], USE, condition=condition)], [{}])
    assert _statements(reading.least)[0]["Condition"] == {"StringEquals": {"aws:PrincipalOrgID": ["o-1"]}}


def test_elements_that_exclude_are_kept() -> None:
    block = _block([], [], not_actions=["kms:Delete*"], not_resources=["x"])
    block |= {"principals": [], "not_principals": [{"type": "AWS", "identifiers": [ROLE]}]}
    (statement,) = _statements(_read([block], [{}]).least)
    assert statement["NotPrincipal"] == {"AWS": [ROLE]}
    assert statement["NotAction"] == ["kms:Delete*"]
    assert statement["NotResource"] == ["x"]


def test_the_wildcard_principal_is_the_wildcard() -> None:
    block = _block([], USE, principals=[{"type": "*", "identifiers": ["*"]}])
    assert _statements(_read([block], [{}]).least)[0]["Principal"] == "*"


@pytest.mark.parametrize(
    ("blocks", "markers"),
    [
        (None, None),
        ("x", [{}]),
        ([5], [{}]),
        ([_block([], [])], [True]),
        ([_block([], [])], True),
        ([_block([], []), _block([], [])], [{}]),
        ([_block([root(VENDOR)], USE)], [{}, {}]),
        ([_block([root(VENDOR)], USE)], [{}, {"effect": True}]),
        ([_block([], [], principals=["x"])], [{}]),
        ([_block([], [], condition={"test": "x"})], [{}]),
    ],
)
def test_what_cannot_be_read_tells_nothing(blocks: Any, markers: Any) -> None:
    assert _read(blocks, markers) is NOTHING_KNOWN


@pytest.mark.parametrize(
    "name", ["source_json", "override_json", "source_policy_documents", "override_policy_documents"]
)
def test_other_documents_that_come_in_tell_nothing(name: str) -> None:
    document = Attributes({"statement": [_block([root(VENDOR)], USE)], name: ["{}"]}, {"statement": [{}]})
    assert read_document(document) is NOTHING_KNOWN


def test_an_unknown_principal_of_the_configurations_own_is_the_owners() -> None:
    unknown = {"statement": [{"principals": [{"identifiers": [True]}]}]}
    document = Attributes({"statement": [_block([None], ["kms:PutKeyPolicy"])]}, unknown)
    reading = read_document(document, {(0, 0): ROLE})
    assert reading.certain
    assert _statements(reading.least)[0]["Principal"] == {"AWS": [ROLE]}
    assert not read_document(document, {(0, 1): ROLE}).certain


@pytest.mark.parametrize(
    ("blocks", "principal"),
    [
        ([("*", ["*"])], "*"),
        ([("AWS", [ROLE]), ("*", ["*"])], "*"),
        ([("*", ["x"])], {"*": ["x"]}),
        ([("AWS", ["*"])], {"AWS": ["*"]}),
        ([("AWS", ["*", ROLE])], {"AWS": ["*", ROLE]}),
        ([("AWS", [ROLE]), ("AWS", [VENDOR])], {"AWS": [ROLE, VENDOR]}),
        ([("Service", ["*"])], {"Service": ["*"]}),
        ([("Federated", ["x"]), ("AWS", [VENDOR])], {"Federated": ["x"], "AWS": [VENDOR]}),
        ([("AWS", None)], {"AWS": []}),
        ([(None, ["*"])], {"None": ["*"]}),
    ],
)
def test_blocks_of_principals_are_the_elements_that_terraform_makes_of_them(
    blocks: list[tuple[str | None, list[str] | None]], principal: Any
) -> None:
    told = [{"type": kind, "identifiers": identifiers} for kind, identifiers in blocks]
    reading = _read([_block([], USE, principals=told)], [{}])
    assert _statements(reading.least)[0]["Principal"] == principal


@pytest.mark.parametrize(
    ("marker", "action", "resource"),
    [
        ({"resources": True}, ["kms:Decrypt"], "*"),
        ({"resources": [True]}, ["kms:Decrypt"], "*"),
        ({"not_resources": True}, ["kms:Decrypt"], "*"),
        ({"actions": True}, "kms:*", ["arn:x"]),
        ({"not_actions": True}, "kms:*", ["arn:x"]),
        ({"condition": True}, ["kms:Decrypt"], ["arn:x"]),
    ],
)
def test_what_is_not_known_is_widened_and_what_is_known_stays(marker: Any, action: Any, resource: Any) -> None:
    reading = _read([_block([root(VENDOR)], ["kms:Decrypt"], resources=["arn:x"])], [marker])
    assert _statements(reading.least) == []
    (statement,) = _statements(reading.most)
    assert (statement["Action"], statement["Resource"]) == (action, resource)


@pytest.mark.parametrize(("resources", "resource"), [(["arn:x"], ["arn:x"]), ([], "*"), (None, "*")])
def test_a_statement_is_about_the_resources_that_it_lists_or_all(resources: Any, resource: Any) -> None:
    reading = _read([_block([root(VENDOR)], USE, resources=resources)], [{}])
    assert _statements(reading.least)[0]["Resource"] == resource


@pytest.mark.parametrize(("sid", "told"), [("x", {"Sid": "x"}), ("", {}), (None, {}), (5, {})])
def test_a_statement_keeps_its_name_where_it_has_one(sid: Any, told: dict[str, str]) -> None:
    block = _block([root(VENDOR)], USE, sid=sid)
    named = {key: value for key, value in _statements(_read([block], [{}]).least)[0].items() if key == "Sid"}
    assert named == told
    del block["sid"]
    assert "Sid" not in _statements(_read([block], [{}]).least)[0]


@pytest.mark.parametrize("kind", ["Service", "Federated", "*", "A"])
def test_only_an_unknown_principal_of_aws_is_the_owners(kind: str) -> None:
    block = _block([], USE, principals=[{"type": kind, "identifiers": [None]}])
    unknown = {"statement": [{"principals": [{"identifiers": [True]}]}]}
    assert not read_document(Attributes({"statement": [block]}, unknown), {(0, 0): ROLE}).certain


@pytest.mark.parametrize("marks", [[{"identifiers": [True]}] * 2, [], [{"identifiers": [True]}] * 3])
def test_principals_of_which_more_or_less_is_marked_than_there_are_stay_unknown(marks: list[Any]) -> None:
    unknown = {"statement": [{"principals": marks, "effect": False, "actions": [False]}]}
    reading = read_document(Attributes({"statement": [_block([None], USE)]}, unknown), {(0, 0): ROLE, (0, 1): ROLE})
    assert reading.certain is (marks == [])
