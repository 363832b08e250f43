"""Differences of access: what a key's policy, grants and tags give to whom, against what is declared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.access import (
    VENDOR_REQUIRED_ACTIONS,
    Caller,
    Grant,
    KeyPolicy,
    KeyState,
    Request,
    Verdict,
    evaluate,
    parse_key_policy,
    vendor_excess,
)
from engine.arn import parse_key_arn, principal_account
from engine.declaration import GENERATION_TAG, TENANT_TAG
from engine.diagnosis.model import Case, Difference, unseen
from engine.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.arn import KeyArn
    from engine.declaration import Declaration
    from engine.kms import KeyDetails
    from engine.lifecycle import TenantState

_DEPLOY = "`npx cdktf deploy`"


def compare_access(
    declaration: Declaration, state: TenantState, case: Case, details: KeyDetails
) -> Iterator[Difference]:
    """What policy, grants and tags give the vendor, against what it needs and what is declared."""
    facts = case.facts
    yield from _replicas(declaration, state, case)
    for what, value in (("policy", facts.policy), ("grants", facts.grants), ("tags", facts.tags)):
        if value is None:
            yield unseen(case.number, f"key {what}", case.why_not(what), "Whether the key is as declared is not known.")
    yield from _tags(declaration, case)
    if facts.grants is not None:
        yield from _grants(declaration, state, case, facts.grants)
    if facts.policy is None:
        return
    try:
        policy = parse_key_policy(facts.policy)
    except InputError as error:
        meaning = "Whether the vendor can use the key is not known."
        yield Difference(case.number, "key policy", error.message, "a policy that can be read", meaning, _DEPLOY)
        return
    if facts.grants is not None:
        yield from _vendor(declaration, state, case, case.known.key_arn, details.state, policy, facts.grants)
    if case.expected_policy is not None and policy.canonical() != parse_key_policy(case.expected_policy).canonical():
        yield Difference(
            case.number,
            "key policy",
            "another meaning than declared",
            f"what `keyturn policy show {case.number}` prints",
            "Somebody changed it outside of the code, or the change is not deployed.",
            f"`npx cdktf diff` shows it, {_DEPLOY} mends it",
        )


def _replicas(declaration: Declaration, state: TenantState, case: Case) -> Iterator[Difference]:
    """The vendor's access to each replica, which has a policy and grants of its own."""
    for text, seen in case.facts.replicas.items():
        if seen is None:
            continue  # told with the replicas' states
        if seen.policy is None or seen.grants is None:
            what = "policy" if seen.policy is None else "grants"
            meaning = f"Whether the vendor can use {text} is not known."
            yield unseen(case.number, f"replica {what}", case.why_not(f"{what} {text}"), meaning)
            continue
        try:
            policy = parse_key_policy(seen.policy)
        except InputError as error:
            meaning = f"Whether the vendor can use {text} is not known."
            yield Difference(case.number, "replica policy", error.message, "one that can be read", meaning, _DEPLOY)
            continue
        yield from _vendor(declaration, state, case, parse_key_arn(text), seen.state, policy, seen.grants)


def _vendor(
    declaration: Declaration,
    state: TenantState,
    case: Case,
    arn: KeyArn,
    key_state: KeyState,
    policy: KeyPolicy,
    grants: tuple[Grant, ...],
) -> Iterator[Difference]:
    on = "" if arn == case.known.key_arn else f" on {arn}"
    vendor = Caller.account(declaration.vendor.account_id, arn.partition)
    verdicts = {
        action.removeprefix("kms:"): evaluate(
            policy,
            grants,
            vendor,
            Request(action, str(arn), arn.account_id, declaration.vendor_narrowing.context(action)),
        ).verdict
        for action in VENDOR_REQUIRED_ACTIONS
    }
    lacking = [name for name, verdict in verdicts.items() if verdict is not Verdict.YES]
    if lacking and case.known.must_stay_enabled and not state.revoked:
        yield Difference(
            case.number,
            "vendor access",
            f"lacks {', '.join(lacking)}{on}",
            "all that backups and restores need",
            "Backups and restores of what stands under this key fail.",
            _DEPLOY,
        )
    left = [name for name, verdict in verdicts.items() if verdict is not Verdict.NO]
    if state.revoked and key_state is KeyState.ENABLED and left:
        yield Difference(
            case.number,
            "revocation",
            f"{f'the enabled replica {arn}' if on else 'an enabled key'}, on which the vendor has {', '.join(left)}",
            "a disabled key, or none of the vendor's statements and grants",
            "The vendor can still use what stands under this key.",
            "`keyturn revoke`",
        )
    if excess := vendor_excess(policy, grants, vendor, str(arn), arn.account_id):
        names = ", ".join(sorted({item.action.removeprefix("kms:") for item in excess}))
        yield Difference(
            case.number,
            "vendor access",
            f"more than it needs{on}: {names}",
            "what backups and restores need, and nothing else",
            "The vendor could change or destroy your key.",
            _DEPLOY,
        )


def _grants(
    declaration: Declaration, state: TenantState, case: Case, grants: tuple[Grant, ...]
) -> Iterator[Difference]:
    vendor, own = declaration.vendor.account_id, declaration.account.account_id
    accounts = {grant.grant_id: principal_account(grant.grantee_principal) for grant in grants}
    theirs = [grant for grant in grants if accounts[grant.grant_id] == vendor]
    ours = [grant for grant in theirs if grant.issuing_account in {None, own}]
    by_stacks = case.declared is not None and case.declared.made_by_stacks
    if declaration.vendor_access.by_grant and by_stacks and case.known.must_stay_enabled and not state.revoked:
        if not ours:
            yield Difference(
                case.number,
                "grant",
                "none for the vendor",
                f"one, as vendor_access is {declaration.vendor_access.value}",
                "The vendor's access is not given the declared way.",
                _DEPLOY,
            )
    elif ours and not declaration.vendor_access.by_grant:
        yield Difference(
            case.number,
            "grant",
            f"{len(ours)} for the vendor",
            f"none, as vendor_access is {declaration.vendor_access.value}",
            "The vendor has access in another way than declared.",
            "`aws kms revoke-grant`",
        )
    strangers = sorted({account for account in accounts.values() if account not in {vendor, own, None}} - {None})
    if strangers:
        yield Difference(
            case.number,
            "grant",
            f"to account {', '.join(str(account) for account in strangers)}",
            "none but to the vendor's and your own account",
            "Somebody else can use the key.",
            "`aws kms revoke-grant`, after finding out who made it",
        )


def _tags(declaration: Declaration, case: Case) -> Iterator[Difference]:
    tags = case.facts.tags
    if tags is None or case.declared is None or not case.declared.made_by_stacks:
        return
    expected = {TENANT_TAG: declaration.tenant, GENERATION_TAG: str(case.number)}
    wrong = {name: tags.get(name) for name, value in expected.items() if tags.get(name) != value}
    if wrong:
        yield Difference(
            case.number,
            "tags",
            ", ".join(f"{name} = {value or 'missing'}" for name, value in wrong.items()),
            ", ".join(f"{name} = {expected[name]}" for name in wrong),
            "Review and validation know the key by its tags.",
            _DEPLOY,
        )
