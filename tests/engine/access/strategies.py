"""Generated policies, callers and calls, over few names so that they meet."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from engine.access import Caller, Grant, Request, Verdict
from tests.engine.access.builders import KEY, OTHER, OWNER, VENDOR, role, root, session, user

ACCOUNTS = (OWNER, VENDOR, OTHER)
ACTIONS = ("kms:Decrypt", "kms:Encrypt", "kms:ReEncryptFrom", "kms:CreateGrant", "kms:DescribeKey", "kms:PutKeyPolicy")
TAG, CONTEXT, VIA = "aws:RequestTag/x", "kms:EncryptionContext:tenant", "kms:ViaService"
OPERATORS = (
    "StringEquals",
    "StringNotEquals",
    "StringEqualsIgnoreCase",
    "StringLike",
    "StringNotLike",
    "StringEqualsIfExists",
    "StringNotLikeIfExists",
    "ForAllValues:StringEquals",
    "ForAnyValue:StringLike",
)
VALUES = ("a", "b", "A", "a*", "*", "?", "${aws:PrincipalTag/t}", "x${*}")
BROUGHT = ("a", "b", "A", "ab", "x*")

arns = st.one_of(
    st.sampled_from(ACCOUNTS).map(root),
    st.builds(user, st.sampled_from(ACCOUNTS), st.sampled_from(["bob", "eve"])),
    st.builds(role, st.sampled_from(ACCOUNTS), st.sampled_from(["App", "Admin"])),
    st.builds(session, st.sampled_from(ACCOUNTS), st.sampled_from(["App", "Admin"]), st.sampled_from(["one", "two"])),
)
identities = st.sampled_from(list(Verdict))
callers = st.one_of(
    st.sampled_from(ACCOUNTS).map(Caller.account),
    st.builds(lambda arn, identity: Caller(arn.split(":")[4], arn, identity), arns, identities),
)

# Callers of whom nothing is open: one principal, no role (which calls by its sessions), with known IAM policies.
known_callers = st.builds(
    lambda arn, identity: Caller(arn.split(":")[4], arn, identity),
    arns.filter(lambda arn: ":role/" not in arn),
    st.sampled_from([Verdict.YES, Verdict.NO]),
)


@st.composite
def principals(draw: st.DrawFn) -> object:
    named = st.one_of(arns, st.sampled_from(ACCOUNTS), st.just("*"))
    listed = draw(st.lists(named, min_size=1, max_size=3))
    element: dict[str, object] = {"AWS": listed}
    if draw(st.integers(0, 5)) == 0:
        element["Service"] = ["backup.amazonaws.com"]
    return draw(st.sampled_from([element] * 4 + ["*"]))


@st.composite
def conditions(draw: st.DrawFn) -> dict[str, Any]:
    block: dict[str, Any] = {}
    for operator in draw(st.lists(st.sampled_from(OPERATORS), max_size=2, unique=True)):
        key = draw(st.sampled_from([TAG, CONTEXT, VIA, "kms:GrantIsForAWSResource"]))
        block[operator] = {key: draw(st.lists(st.sampled_from(VALUES), min_size=1, max_size=3))}
    if draw(st.integers(0, 3)) == 0:
        operator = draw(st.sampled_from(["ArnLike", "ArnNotEquals", "StringLike"]))
        pattern = draw(st.one_of(arns, st.sampled_from([role(OWNER, "*"), f"arn:aws:iam::{VENDOR}:*"])))
        block.setdefault(operator, {})["aws:PrincipalArn"] = [pattern]
    if draw(st.integers(0, 5)) == 0:
        block["Null"] = {draw(st.sampled_from([TAG, VIA])): [draw(st.sampled_from(["true", "false"]))]}
    return block


@st.composite
def statements(draw: st.DrawFn, effect: str | None = None, *, plain: bool = False) -> dict[str, Any]:
    """A statement; a plain one has neither NotPrincipal nor NotAction."""
    patterns = st.sampled_from([*ACTIONS, "kms:*", "*", "kms:Re*", "kms:?ncrypt", "kms:De*"])
    listed = draw(st.lists(patterns, min_size=1, max_size=4))
    negated = st.just(False) if plain else st.sampled_from([False] * 5 + [True])
    statement: dict[str, Any] = {
        "Effect": effect or draw(st.sampled_from(["Allow", "Allow", "Deny"])),
        "NotPrincipal" if draw(negated) else "Principal": draw(principals()),
        "NotAction" if draw(negated) else "Action": listed,
        "Resource": draw(st.sampled_from([["*"], ["*"], ["*"], [KEY], [f"{KEY}0"]])),
    }
    block = draw(conditions())
    if block:
        statement["Condition"] = block
    if draw(st.booleans()):
        statement["Sid"] = draw(st.sampled_from(["Use of the key", "Sid 2"]))
    return statement


@st.composite
def policies(draw: st.DrawFn, *, plain: bool = False) -> dict[str, Any]:
    listed = draw(st.lists(statements(plain=plain), min_size=1, max_size=4))
    return {"Version": "2012-10-17", "Statement": listed}


_NEAR = [
    {"Effect": effect, "Principal": principal, "Action": action, "Resource": "*", **more}
    for effect in ("Allow", "Deny")
    for principal in ("*", {"AWS": OWNER}, {"AWS": root(OWNER)}, {"AWS": [user(OWNER, "bob"), "*"]})
    for action in ("kms:*", ["KMS:*", "kms:Decrypt"], "kms:decrypt")
    for more in ({}, {"Condition": {"Bool": {VIA: True}}}, {"Condition": {"Bool": {VIA.upper(): "True"}}})
]
# So few that two of them often mean the same.
near_policies = st.lists(st.sampled_from(_NEAR), min_size=1, max_size=2).map(
    lambda listed: {"Version": "2012-10-17", "Statement": listed}
)
grants = st.lists(
    st.builds(
        lambda grantee, operations, subset: Grant(
            "g", grantee, frozenset(operations), encryption_context_subset=subset
        ),
        arns,
        st.lists(st.sampled_from([action.removeprefix("kms:") for action in ACTIONS[:5]]), min_size=1),
        st.sampled_from([None, None, {"tenant": "a"}]),
    ),
    max_size=2,
)
contexts = st.dictionaries(
    st.sampled_from([TAG, CONTEXT, VIA, "aws:PrincipalTag/t", "kms:GrantIsForAWSResource"]),
    st.sampled_from(BROUGHT).map(lambda value: (value,)),
)


@st.composite
def requests(draw: st.DrawFn, *, complete: bool | None = None) -> Request:
    given_whole = draw(st.booleans()) if complete is None else complete
    return Request(draw(st.sampled_from(ACTIONS)), KEY, OWNER, draw(contexts), given_whole)


def _cases(draw: st.DrawFn, text: str) -> str:
    """The same text in other letters; what follows a slash or the second colon is left as it is."""
    head, slash, tail = text.partition("/")
    return draw(st.sampled_from([head, head.lower(), head.upper()])) + slash + tail


@st.composite
def respelled(draw: st.DrawFn, policy: dict[str, Any]) -> dict[str, Any]:
    """The same policy in other words."""
    listed = [_respelled_statement(draw, statement) for statement in policy["Statement"]]
    listed += draw(st.lists(st.sampled_from(listed), max_size=2))
    return {"Id": "other", "Statement": draw(st.permutations(listed)), "Version": policy["Version"]}


def _respelled_statement(draw: st.DrawFn, statement: dict[str, Any]) -> dict[str, Any]:
    other: dict[str, Any] = {}
    for element, value in statement.items():
        if element.endswith("Principal"):
            other[element] = _respelled_principals(draw, value)
        elif element.endswith("Action"):
            other[element] = _respelled_list(draw, [_cases(draw, action) for action in value])
        elif element == "Resource":
            other[element] = _respelled_list(draw, value)
        elif element == "Condition":
            other[element] = {
                draw(st.sampled_from([operator, operator.lower()])): {
                    _cases(draw, key): _respelled_list(draw, values) for key, values in keys.items()
                }
                for operator, keys in value.items()
            }
        elif element != "Sid":
            other[element] = value
    if draw(st.booleans()):
        other["Sid"] = draw(st.sampled_from(["", "another", "Use of the key"]))
    return dict(draw(st.permutations(list(other.items()))))


def _respelled_principals(draw: st.DrawFn, value: Any) -> object:
    everyone = [{"AWS": "*"}, {"AWS": ["*", "*"]}, "*"]
    if value == "*":
        return draw(st.sampled_from(everyone))
    named = [
        draw(st.sampled_from([text.split(":")[4], text])) if text.endswith(":root") else text for text in value["AWS"]
    ]
    return {**value, "AWS": _respelled_list(draw, named)}


def _respelled_list(draw: st.DrawFn, values: list[Any]) -> object:
    repeated = draw(st.permutations(values + draw(st.lists(st.sampled_from(values), max_size=2))))
    return repeated[0] if len(set(repeated)) == 1 and draw(st.booleans()) else repeated
