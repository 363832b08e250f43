"""The evaluator held against two others: moto's own IAM evaluation, and the rules of conditions read literally.

moto evaluates single statements: effect, action, resource, principal, `StringEquals`. Where it differs from AWS,
the difference has a name below, one example that shows it (and fails when moto mends it), and a correction as
narrow as the difference: what moto is asked is rewritten so that the difference cannot show. With the corrections
both must agree on everything that is generated; no case is passed over.

moto knows neither accounts, roles' sessions, grants nor states; of these the other tests speak.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from fnmatch import fnmatchcase
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moto.iam.access_control import IAMPolicyStatement, PermissionResult

from engine.access import Caller, Request, Verdict, evaluate, parse_key_policy
from tests.engine.access.builders import KEY, OTHER, OWNER, allow, ask, caller, deny, document, user

YES, NO = Verdict.YES, Verdict.NO
BOB, EVE, ALICE = user(OWNER, "bob"), user(OTHER, "eve"), user(OWNER, "Alice")
TAG, STAGE = "aws:PrincipalTag/team", "kms:EncryptionContext:stage"


class Difference(Enum):
    """Where moto's evaluation of one statement is not AWS's."""

    LETTERS = "moto tells actions by their letters' case; AWS does not (IAM User Guide, Action)"
    QUESTION_MARK = "moto makes `?` a quantifier of the character before it; it stands for one character"
    OTHERS = "moto refuses a call by a statement that names somebody else; such a statement says nothing of it"
    EVERYONE = 'moto knows everyone as {"AWS": "*"} alone; "*" and a list with a star mean the same'
    NO_RESOURCE = "moto lets a statement without Resource allow; in a key policy it has no effect"
    UNMET = "moto refuses a call by a statement whose condition does not hold; such a statement says nothing of it"
    ABSENT = "moto lets a condition on a key hold that the call does not bring; it does not hold"
    UNKNOWN = "moto lets a condition hold whose operator it does not know, which is every one but StringEquals"
    NOT_PRINCIPAL = "moto passes over NotPrincipal; it is the opposite of Principal"


@dataclass(frozen=True)
class Example:
    """One statement on which moto and the evaluator differ.

    Attributes:
        statement: The statement; an Allow for everyone's every action stands beside a Deny.
        action: The action that is asked for.
        brings: What the call brings.
        moto: What moto says of the statement.
        ours: What the evaluator says of the policy.
    """

    statement: dict[str, Any]
    action: str
    brings: dict[str, str]
    moto: PermissionResult
    ours: Verdict


PERMITTED, DENIED, NEUTRAL = PermissionResult.PERMITTED, PermissionResult.DENIED, PermissionResult.NEUTRAL
BLUE = {"StringEquals": {TAG: "blue"}}
EXAMPLES = {
    Difference.LETTERS: Example(allow(BOB, "KMS:decrypt"), "kms:Decrypt", {}, NEUTRAL, YES),
    Difference.QUESTION_MARK: Example(allow(BOB, "kms:?ecrypt"), "kms:Decrypt", {}, NEUTRAL, YES),
    Difference.OTHERS: Example(deny(EVE, "kms:*"), "kms:Decrypt", {}, DENIED, YES),
    Difference.EVERYONE: Example(allow([EVE, "*"]), "kms:Decrypt", {}, DENIED, YES),
    Difference.NO_RESOURCE: Example(allow(BOB, Resource=None), "kms:Decrypt", {}, PERMITTED, NO),
    Difference.UNMET: Example(deny(BOB, "kms:*", Condition=BLUE), "kms:Decrypt", {TAG: "red"}, DENIED, YES),
    Difference.ABSENT: Example(allow(BOB, Condition=BLUE), "kms:Decrypt", {}, PERMITTED, NO),
    Difference.UNKNOWN: Example(
        allow(BOB, Condition={"StringLike": {TAG: "b*"}}), "kms:Decrypt", {TAG: "red"}, PERMITTED, NO
    ),
    Difference.NOT_PRINCIPAL: Example(allow(None, NotPrincipal={"AWS": BOB}), "kms:Decrypt", {}, PERMITTED, NO),
}


@pytest.mark.parametrize("difference", list(Difference), ids=lambda difference: difference.name)
def test_moto_differs_where_it_is_said_to(difference: Difference) -> None:
    example = EXAMPLES[difference]
    statement = IAMPolicyStatement(example.statement)
    assert statement.is_action_permitted(example.action, KEY, BOB, example.brings) is example.moto, difference.value
    base = [allow(BOB, "kms:*")] if example.statement["Effect"] == "Deny" else []
    context = {name: (value,) for name, value in example.brings.items()}
    policy = document(*base, example.statement)
    assert ask(policy, caller(BOB), example.action, context=context, complete=True).verdict is example.ours


ACTIONS = ("kms:Decrypt", "kms:Encrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:PutKeyPolicy", "kms:DescribeKey")
PATTERNS = (*ACTIONS, "kms:*", "*", "kms:Re*", "kms:*crypt", "KMS:DE*", "kms:?ecrypt", "kms:ReEncrypt??", "s3:*")
RESOURCES = ("*", KEY, f"{KEY}0", KEY[:-1] + "?", KEY[:-4] + "*", "arn:aws:kms:*", "arn:aws:kms:*:*:key/*")
VALUES = ("blue", "red", "BLUE", "b*")


@st.composite
def statements(draw: st.DrawFn) -> dict[str, Any]:
    """A statement of what both speak of, in every spelling that a key policy may have."""
    people = st.sampled_from([BOB, BOB, ALICE, EVE, "*"])
    principal = draw(
        st.one_of(
            st.just("*"),
            people.map(lambda one: {"AWS": one}),
            st.builds(dict, AWS=st.lists(people, min_size=1, max_size=3)),
        )
    )
    listed = st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=3)
    resources = st.lists(st.sampled_from(RESOURCES), min_size=1, max_size=2)
    statement: dict[str, Any] = {
        "Effect": draw(st.sampled_from(["Allow", "Allow", "Allow", "Deny"])),
        "Principal": principal,
        draw(st.sampled_from(["Action", "Action", "NotAction"])): draw(st.one_of(listed, st.sampled_from(PATTERNS))),
    }
    if draw(st.integers(0, 7)):
        statement["Resource"] = draw(st.one_of(resources, st.sampled_from(RESOURCES)))
    if draw(st.integers(0, 2)) == 0:
        wanted = st.one_of(st.sampled_from(VALUES), st.lists(st.sampled_from(VALUES), min_size=1, max_size=2))
        keys = draw(st.sampled_from([[TAG], [STAGE], [TAG, STAGE]]))
        statement["Condition"] = {"StringEquals": {key: draw(wanted) for key in keys}}
    return statement


def corrected(statement: dict[str, Any], who: str, brings: dict[str, str]) -> dict[str, Any] | None:
    """The statement as moto understands it, or None where it says nothing of the call; each step has its name."""
    if "Resource" not in statement:
        return None  # NO_RESOURCE
    named = statement["Principal"]["AWS"] if isinstance(statement["Principal"], dict) else "*"
    people = [named] if isinstance(named, str) else named
    if "*" in people:
        people = "*"  # EVERYONE
    elif who not in people:
        return None  # OTHERS
    if not IAMPolicyStatement(statement)._check_conditions(brings):
        return None  # UNMET: by moto's own word
    element = "NotAction" if "NotAction" in statement else "Action"
    listed = statement[element] if isinstance(statement[element], list) else [statement[element]]
    resources = statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
    return {
        **statement,
        "Principal": {"AWS": people},
        element: [action.lower().replace("?", ".") for action in listed],  # LETTERS, QUESTION_MARK
        "Resource": [resource.replace("?", ".") for resource in resources],  # QUESTION_MARK
    }


def moto_says(policy: list[dict[str, Any]], action: str, who: str, brings: dict[str, str]) -> Verdict:
    """moto's verdict on a policy: its own on every statement, put together as `IAMPolicy` does."""
    results = set()
    for statement in policy:
        understood = corrected(statement, who, brings)
        if understood is not None:
            asked = IAMPolicyStatement(understood)
            results.add(asked.is_action_permitted(action.lower(), KEY, who, brings))  # LETTERS
    return YES if PERMITTED in results and DENIED not in results else NO


# ABSENT: every call brings the keys that the statements ask for. UNKNOWN, NOT_PRINCIPAL: no statement has these.
bringing = st.fixed_dictionaries({TAG: st.sampled_from(VALUES), STAGE: st.sampled_from(VALUES)})


@settings(max_examples=300)  # cheap, and many policies allow nothing
@given(
    st.lists(statements(), min_size=1, max_size=4), st.sampled_from(ACTIONS), st.sampled_from([BOB, ALICE]), bringing
)
def test_moto_agrees(policy: list[dict[str, Any]], action: str, who: str, brings: dict[str, str]) -> None:
    request = Request(action, KEY, OWNER, {name: (value,) for name, value in brings.items()}, complete=True)
    ours = evaluate(parse_key_policy(document(*policy)), (), Caller(OWNER, who, NO), request)
    assert ours.verdict is moto_says(policy, action, who, brings)


# The rules of conditions, read literally from the IAM User Guide's pages "Condition operators", "Conditions with
# multiple context keys or values" and "Single-valued vs. multivalued context keys".
OPERATORS = ("StringEquals", "StringNotEquals", "StringLike", "StringNotLike", "StringEqualsIgnoreCase")
KEYS = (TAG, STAGE, "aws:RequestTag/x")


def matches(operator: str, wanted: str, value: str) -> bool:
    if operator.endswith("Like"):
        return fnmatchcase(value, wanted.replace("[", "[[]"))
    return value.lower() == wanted.lower() if operator.endswith("IgnoreCase") else value == wanted


def passes(operator: str, wanted: list[str], value: str) -> bool:
    """One value: one of the condition's must match; for a negated operator none may."""
    found = any(matches(operator, one, value) for one in wanted)
    return not found if "Not" in operator else found


def holds(written: str, wanted: list[str], values: tuple[str, ...]) -> bool:
    """One operator on one key."""
    quantifier, _, name = written.rpartition(":")
    operator, if_exists = name.removesuffix("IfExists"), name.endswith("IfExists")
    if operator == "Null":
        return ("true" if not values else "false") in wanted
    each = [passes(operator, wanted, value) for value in values]
    if quantifier == "ForAllValues":
        return all(each)
    if quantifier == "ForAnyValue":
        return any(each)
    if not values:
        return if_exists or "Not" in operator
    return all(each)


@st.composite
def conditions(draw: st.DrawFn) -> dict[str, dict[str, list[str]]]:
    """Operators on keys; a key with several values is asked for by a set operator alone, as the guide demands."""
    block: dict[str, dict[str, list[str]]] = {}
    for _ in range(draw(st.integers(1, 3))):
        key = draw(st.sampled_from([*KEYS, "aws:TagKeys"]))
        operator = draw(st.sampled_from(OPERATORS))
        if key == "aws:TagKeys":
            operator = draw(st.sampled_from(["ForAllValues:", "ForAnyValue:"])) + operator
        elif draw(st.booleans()):
            operator += "IfExists"
        wanted = draw(st.lists(st.sampled_from(["blue", "red", "BLUE", "b*", "?ed", "*"]), min_size=1, max_size=2))
        if draw(st.integers(0, 4)) == 0:
            operator, wanted = "Null", [draw(st.sampled_from(["true", "false"]))]
        block.setdefault(operator, {})[key] = wanted
    return block


single = st.lists(st.sampled_from(["blue", "red", "BLUE", "b"]), max_size=1).map(tuple)
several = st.lists(st.sampled_from(["blue", "red", "BLUE", "b"]), max_size=3, unique=True).map(tuple)


@given(conditions(), st.fixed_dictionaries({**dict.fromkeys(KEYS, single), "aws:TagKeys": several}))
def test_conditions_mean_what_the_guide_says(
    block: dict[str, dict[str, list[str]]], brings: dict[str, tuple[str, ...]]
) -> None:
    literally = all(
        holds(operator, wanted, brings[key]) for operator, keys in block.items() for key, wanted in keys.items()
    )
    context = {key: values for key, values in brings.items() if values}
    allowed = ask(document(allow(BOB, Condition=block)), caller(BOB), context=context, complete=True)
    assert allowed.verdict is (YES if literally else NO)
    denied = ask(document(allow(BOB), deny("*", Condition=block)), caller(BOB), context=context, complete=True)
    assert denied.verdict is (NO if literally else YES)
