"""Differences of access: what a key's policy, grants and tags give to whom, against what is declared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.access import (
    VENDOR_REQUIRED_ACTIONS,
    Caller,
    KeyState,
    Request,
    Verdict,
    evaluate,
    parse_key_policy,
    vendor_excess,
)
from engine.declaration import GENERATION_TAG, TENANT_TAG
from engine.diagnosis.model import Case, Difference, KeyFacts
from engine.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from engine.declaration import Declaration
    from engine.lifecycle import TenantState


def compare_access(declaration: Declaration, state: TenantState, case: Case, facts: KeyFacts) -> Iterator[Difference]:
    """What policy, grants and tags give the vendor, against what it needs and what is declared."""
    known = case.known
    if known is None or facts.details is None or facts.policy is None or facts.grants is None or facts.tags is None:
        yield Difference(
            case.number,
            "access",
            f"not to be seen ({'; '.join(facts.troubles) or 'no reason given'})",
            "policy, grants and tags",
            "Whether the vendor can use the key is not known.",
            "look at the permissions of these credentials",
        )
        return
    arn, details = str(known.key_arn), facts.details
    try:
        policy = parse_key_policy(facts.policy)
    except InputError as error:
        yield Difference(
            case.number, "key policy", error.message, "a policy that can be read", "", "`npx cdktf deploy`"
        )
        return
    yield from _tags(declaration, case, facts.tags)
    vendor = Caller.account(declaration.vendor.account_id, known.key_arn.partition)
    lacking = [
        action.removeprefix("kms:")
        for action in VENDOR_REQUIRED_ACTIONS
        if evaluate(policy, facts.grants, vendor, Request(action, arn, known.key_arn.account_id)).verdict
        is not Verdict.YES
    ]
    if lacking and known.must_stay_enabled and not state.revoked:
        yield Difference(
            case.number,
            "vendor access",
            f"lacks {', '.join(lacking)}",
            "all that backups and restores need",
            "Backups and restores of what stands under this key fail.",
            "`npx cdktf deploy`",
        )
    if not lacking and state.revoked and details.state is KeyState.ENABLED:
        yield Difference(
            case.number,
            "revocation",
            "an enabled key with complete access for the vendor",
            "a disabled key, or none of the vendor's statements and grants",
            "The vendor can read and write what stands under this key.",
            "`keyturn revoke`",
        )
    if excess := vendor_excess(policy, facts.grants, vendor, arn, known.key_arn.account_id):
        names = ", ".join(sorted({str(getattr(item, "action", item)).removeprefix("kms:") for item in excess}))
        yield Difference(
            case.number,
            "vendor access",
            f"more than it needs: {names}",
            "what backups and restores need, and nothing else",
            "The vendor could change or destroy your key.",
            "`npx cdktf deploy`",
        )
    if case.expected_policy is not None and policy.canonical() != parse_key_policy(case.expected_policy).canonical():
        yield Difference(
            case.number,
            "key policy",
            "another meaning than declared",
            f"what `keyturn policy show {case.number}` prints",
            "Somebody changed it outside of the code, or the change is not deployed.",
            "`npx cdktf diff` shows it, `npx cdktf deploy` mends it",
        )


def _tags(declaration: Declaration, case: Case, tags: Mapping[str, str]) -> Iterator[Difference]:
    if case.declared is None or not case.declared.made_by_stacks:
        return
    expected = {TENANT_TAG: declaration.tenant, GENERATION_TAG: str(case.number)}
    wrong = {name: tags.get(name) for name, value in expected.items() if tags.get(name) != value}
    if wrong:
        yield Difference(
            case.number,
            "tags",
            ", ".join(f"{name} = {value}" for name, value in wrong.items()),
            ", ".join(f"{name} = {expected[name]}" for name in wrong),
            "Review and validation know the key by its tags.",
            "`npx cdktf deploy`",
        )
