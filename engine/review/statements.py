"""Statements of key policies as parsed JSON: which of them may matter to a question, found out cheaply.

What a statement means is decided by `engine.access`. Here is only what keeps a question from being put at all: a
statement that names other accounts alone says nothing about an account, and the console's first statement answers who
can put the policy.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from engine.arn import is_principal_arn, principal_account
from engine.review.accepted_policies import has_variables, takes_head, without_variables

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Statements = tuple[dict[str, Any], ...]

# A wildcard as the principal, or a list with one, or everybody but some.
_ANYBODY = re.compile(r'"NotPrincipal"|"(?:Principal|AWS)"\s*:\s*(?:"\*"|\[[^\]]*"\*")|"(?:Federated|CanonicalUser)"')

_SPACED = re.compile(r'"\s+:')
_DECODER = json.JSONDecoder()

_NO_ACCOUNTS = frozenset[str]()
account_of_principal = lru_cache(maxsize=4096)(principal_account)


def parse_statements(text: str) -> Statements | None:
    """The statements of a policy's text, as they read in version 2012-10-17; None where it is no policy."""
    try:
        document, end = _DECODER.raw_decode(text)
    except (ValueError, RecursionError):
        document, end = None, 0
    if end != len(text):  # spaces around it, or no policy: the slower way knows
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            return None
    found = document.get("Statement") if isinstance(document, dict) else None
    if isinstance(found, dict):
        found = [found]
    if not isinstance(found, list) or not all(isinstance(statement, dict) for statement in found):
        return None
    if not takes_head(document) or _ambiguous(text, document, found):
        return None
    return tuple(found) if has_variables(document) else tuple(without_variables(statement) for statement in found)


def _ambiguous(text: str, document: dict[str, Any], statements: list[dict[str, Any]]) -> bool:
    """Whether a name stands twice in an object: which of the two AWS would take, nobody can tell."""
    try:
        if not may_name_twice(text, len(document) + sum(count_names(statement) for statement in statements)):
            return False
        json.loads(text, object_pairs_hook=_require_each_once)
    except (ValueError, RecursionError):
        return True
    return False


def may_name_twice(text: str, names: int) -> bool:
    """Whether JSON of which so many names were read may hold more of them, one of them twice in an object."""
    return names != text.count('":') or _SPACED.search(text) is not None  # jsonencode writes no space there


def count_names(value: dict[str, Any]) -> int:
    """How many names an object has, with those of the objects that are its values."""
    count = len(value)
    for inner in value.values():
        if inner.__class__ is dict:
            count += count_names(inner)
    return count


def _require_each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a name stands twice")
    return document


def names_another_partition(statements: Statements, partition: str) -> bool:
    """Whether a principal's ARN is of another AWS partition: KMS takes no such policy."""
    for statement in statements:
        for element in ("Principal", "NotPrincipal"):
            principal = statement.get(element)
            names = principal.get("AWS") if isinstance(principal, dict) else None
            for name in names if isinstance(names, list) else (names,):
                if isinstance(name, str) and name.startswith("arn:") and name.split(":", 2)[1] != partition:
                    return True
    return False


def may_name(text: str, account_id: str) -> bool:
    """Whether a policy's text may say anything about an account: it names it, or speaks of anybody."""
    return account_id in text or "\\u" in text or _ANYBODY.search(text) is not None


def named_accounts(statement: dict[str, Any]) -> tuple[frozenset[str], bool, bool]:
    """Whom a statement names as its principals.

    Returns:
        The accounts; whether it may speak of any other account too (a wildcard, NotPrincipal, a name that does not
        tell its account); and whether a name is that of no account, such as a service's.
    """
    principal = statement.get("Principal")
    if not isinstance(principal, dict):
        return _NO_ACCOUNTS, True, False
    accounts: set[str] = set()
    any_other = "NotPrincipal" in statement
    outside = False
    for kind, value in principal.items():
        if kind != "AWS":
            outside = True
            any_other = any_other or kind != "Service"
            continue
        for name in value if isinstance(value, list) else (value,):
            account = principal_account(name) if isinstance(name, str) else None
            if account is None:
                any_other = True
                outside = outside or name != "*"
            else:
                any_other = any_other or "*" in name
                accounts.add(account)
    return frozenset(accounts), any_other, outside


def named_in_denials(statements: Iterable[dict[str, Any]], prefix: str) -> tuple[str, ...]:
    """The principals under a prefix that Deny statements name anywhere, a wildcard in one taken as a name."""
    found: list[str] = []
    for statement in statements:
        if statement.get("Effect") == "Deny":
            parts = [statement.get(name) for name in ("Principal", "NotPrincipal", "Condition")]
            found.extend(
                text.replace("*", "any").replace("?", "x") for text in _texts(parts) if text.startswith(prefix)
            )
    return tuple(dict.fromkeys(name for name in found if is_principal_arn(name)))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)


def names_everyone(principal: Any) -> bool:
    """Whether a Principal element is the wildcard, in any of its forms."""
    if principal == "*":
        return True
    names = principal.get("AWS") if isinstance(principal, dict) else None
    return names == "*" or (isinstance(names, list) and "*" in names)


def names_resources(statement: dict[str, Any]) -> bool:
    """Whether a statement is about anything narrower than every resource, so that the key's ARN matters."""
    return statement.get("Resource") not in ("*", ["*"])


def names_region(condition: Any) -> bool:
    """Whether a condition is about the Region of the call, which is the key's."""
    return "requestedregion" in str(condition).lower()


def without_denials(statements: Statements) -> Statements:
    """The statements but for those that deny."""
    return tuple(statement for statement in statements if statement.get("Effect") != "Deny")


def administers_plainly(statement: dict[str, Any]) -> str | None:
    """The principal of the console's first statement, which gives it everything; None where it is another statement."""
    principal = statement.get("Principal")
    name = principal.get("AWS") if isinstance(principal, dict) else None
    plain = (
        statement.get("Action") == "kms:*"
        and statement.get("Resource") == "*"
        and statement.keys() <= {"Sid", "Effect", "Principal", "Action", "Resource"}
    )
    return name if plain and isinstance(name, str) else None


def may_deny_putting(statement: dict[str, Any]) -> bool:
    """Whether a statement that denies may deny the change of the key's policy."""
    actions = statement.get("Action")
    listed = actions if isinstance(actions, list) else [actions]
    return not all(
        isinstance(action, str) and "*" not in action and "?" not in action and action.lower() != "kms:putkeypolicy"
        for action in listed
    )


def principals_of(statements: Statements, account_id: str) -> tuple[str, ...]:
    """The principals of an account that Allow statements name, but for its root."""
    found: list[str] = []
    for statement in statements:
        principal = statement.get("Principal")
        names = principal.get("AWS") if isinstance(principal, dict) and statement.get("Effect") == "Allow" else None
        found.extend(
            name
            for name in (names if isinstance(names, list) else [names])
            if isinstance(name, str) and is_principal_arn(name) and principal_account(name) == account_id
        )
    return tuple(dict.fromkeys(name for name in found if not name.endswith(":root")))
