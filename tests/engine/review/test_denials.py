"""Which statements deny no more than others, by their form."""

from __future__ import annotations

from typing import Any

import pytest

from engine.review.denials import deny_no_more

ORGANIZATION, ACCOUNT = "aws:PrincipalOrgID", "aws:PrincipalAccount"


def _deny(conditions: Any = None, **more: Any) -> dict[str, Any]:
    statement = {"Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*", **more}
    return statement if conditions is None else {**statement, "Condition": conditions}


def _but(operator: str, *values: Any, key: str = ORGANIZATION) -> dict[str, Any]:
    return _deny({operator: {key: list(values)}})


NO_STRANGERS = _but("StringNotEquals", "o-1")
ALLOW = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([], []),
        ([_deny()], []),
        ([_deny()], [_deny()]),
        ([_deny()], [_deny(Sid="Other")]),
        ([_deny()], [NO_STRANGERS]),
        ([_deny(), NO_STRANGERS], [NO_STRANGERS]),
        ([NO_STRANGERS], [_but("StringNotEquals", "o-2", "o-1")]),
        ([NO_STRANGERS], [_deny({"stringnotequals": {"AWS:principalorgid": "o-1"}})]),
        ([NO_STRANGERS], [_deny({"StringNotEquals": {ORGANIZATION: "o-1", ACCOUNT: "345678901234"}})]),
        ([_but("StringNotLikeIfExists", "o-1")], [_but("StringNotLikeIfExists", "o-1", "o-2")]),
        ([_but("StringEquals", "o-1", "o-2")], [_but("StringEquals", "o-1")]),
        ([_but("StringEquals", "o-1")], [_deny({"StringEquals": {ORGANIZATION: "o-1", ACCOUNT: "345678901234"}})]),
        ([_but("ArnLikeIfExists", "a", "b")], [_but("ArnLikeIfExists", "b")]),
        ([ALLOW, _deny()], [NO_STRANGERS, ALLOW]),
    ],
)
def test_what_denies_no_more(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> None:
    assert deny_no_more(tuple(before), tuple(after))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([], [NO_STRANGERS]),
        ([ALLOW], [_deny()]),
        ([NO_STRANGERS], [_deny()]),
        ([NO_STRANGERS], [_but("StringNotEquals", "o-2")]),
        ([NO_STRANGERS], [_but("StringNotEqualsIfExists", "o-1")]),
        ([NO_STRANGERS], [_but("StringNotEquals", "o-1", key=ACCOUNT)]),
        ([NO_STRANGERS], [NO_STRANGERS, _deny()]),
        ([_but("StringNotEquals", "o-1", "o-2")], [NO_STRANGERS]),
        ([_but("StringEquals", "o-1")], [_but("StringEquals", "o-1", "o-2")]),
        ([_but("StringEquals", "o-1")], [_but("StringEquals")]),
        ([_but("ForAllValues:StringNotEquals", "o-1")], [_but("ForAllValues:StringNotEquals", "o-1", "o-2")]),
        ([_but("ForAnyValue:StringEquals", "o-1", "o-2")], [_but("ForAnyValue:StringEquals", "o-1")]),
        ([_but("Bool", "true")], [_but("Bool", "true", "false")]),
        ([NO_STRANGERS], [{**NO_STRANGERS, "Action": "*"}]),
        ([NO_STRANGERS], [{**NO_STRANGERS, "Resource": "arn:aws:kms:*:*:key/*"}]),
        ([_deny()], [_deny("x")]),
        ([_deny()], [_deny({"StringEquals": "x"})]),
        ([_deny()], [_but("StringEquals", 1)]),
        ([_deny()], [_deny({"StringEquals": {ORGANIZATION: "a"}, "stringequals": {ORGANIZATION: "b"}})]),
        ([ALLOW, _deny()], [_deny()]),
        ([ALLOW], [NO_STRANGERS, {**ALLOW, "Action": "kms:*"}]),
    ],
)
def test_what_may_deny_more(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> None:
    assert not deny_no_more(tuple(before), tuple(after))
