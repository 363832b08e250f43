"""Differences of access: what a key's policy, grants and tags give to whom, against what is declared."""

from __future__ import annotations

from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class _Key:
    """One key of the family: the primary or a replica, which has a policy and grants of its own.

    Attributes:
        arn: Its ARN.
        state: Its key state.
        policy: Its policy, or None where it was not seen.
        grants: Its grants, or None.
        role: `key` or `replica`.
        declared: Whether the declaration names it.
    """

    arn: KeyArn
    state: KeyState
    policy: str | None
    grants: tuple[Grant, ...] | None
    role: str
    declared: bool

    @property
    def on(self) -> str:
        """Which one, where it is not the generation's own key."""
        return "" if self.role == "key" else f" on {self.arn}"

    def trouble(self, part: str) -> str:
        """What the reason is called, for which a part of it was not seen."""
        return part if self.role == "key" else f"{part} {self.arn}"


def compare_access(
    declaration: Declaration, state: TenantState, case: Case, details: KeyDetails
) -> Iterator[Difference]:
    """What policies, grants and tags give the vendor, against what it needs and what is declared."""
    facts = case.facts
    if facts.tags is None:
        meaning = "Whether the key is as declared is not known."
        yield unseen(case.number, "key tags", case.why_not("tags"), meaning)
    yield from _tags(declaration, case)
    for key in _family(case, details):
        yield from _compare_key(declaration, state, case, key)


def _family(case: Case, details: KeyDetails) -> Iterator[_Key]:
    """The key and its replicas; one that could not be looked at is told with the replicas' states."""
    facts, declared = case.facts, case.declared
    yield _Key(case.known.key_arn, details.state, facts.policy, facts.grants, "key", declared is not None)
    for text, seen in facts.replicas.items():
        if seen is not None:
            arn = parse_key_arn(text)
            named = declared is not None and arn.region in declared.replicas
            yield _Key(arn, seen.state, seen.policy, seen.grants, "replica", named)


def _compare_key(declaration: Declaration, state: TenantState, case: Case, key: _Key) -> Iterator[Difference]:
    for part, value in (("policy", key.policy), ("grants", key.grants)):
        if value is None:
            meaning = f"Who can use the key is not known{key.on}."
            yield unseen(case.number, f"{key.role} {part}", case.why_not(key.trouble(part)), meaning)
    if key.grants is not None:
        yield from _grants(declaration, state, case, key, key.grants)
    if key.policy is None:
        return
    try:
        policy = parse_key_policy(key.policy)
    except InputError as error:
        meaning = f"Whether the vendor can use the key is not known{key.on}."
        expected = "a policy that can be read"
        yield Difference(case.number, f"{key.role} policy", error.message, expected, meaning, _DEPLOY)
        return
    if key.grants is not None:
        yield from _vendor(declaration, state, case, key, policy, key.grants)
    expected_policy = case.expected_policy if key.declared else None
    if expected_policy is not None and policy.canonical() != parse_key_policy(expected_policy).canonical():
        yield Difference(
            case.number,
            f"{key.role} policy",
            f"another meaning than declared{key.on}",
            f"what `keyturn policy show {case.number}` prints",
            "Somebody changed it outside of the code, or the change is not deployed.",
            f"`npx cdktf diff` shows it, {_DEPLOY} mends it",
        )


def _vendor(
    declaration: Declaration,
    state: TenantState,
    case: Case,
    key: _Key,
    policy: KeyPolicy,
    grants: tuple[Grant, ...],
) -> Iterator[Difference]:
    arn = key.arn
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
            f"lacks {', '.join(lacking)}{key.on}",
            "all that backups and restores need",
            "Backups and restores of what stands under this key fail.",
            _DEPLOY,
        )
    left = [name for name, verdict in verdicts.items() if verdict is not Verdict.NO]
    if state.revoked and key.state is KeyState.ENABLED and left:
        yield Difference(
            case.number,
            "revocation",
            f"an enabled {key.role}, on which the vendor has {', '.join(left)}{key.on}",
            "a disabled key, or none of the vendor's statements and grants",
            "The vendor can still use what stands under this key.",
            "`keyturn revoke`",
        )
    if excess := vendor_excess(policy, grants, vendor, str(arn), arn.account_id):
        names = ", ".join(sorted({item.action.removeprefix("kms:") for item in excess}))
        yield Difference(
            case.number,
            "vendor access",
            f"more than it needs{key.on}: {names}",
            "what backups and restores need, and nothing else",
            "The vendor could change or destroy your key.",
            _DEPLOY,
        )


def _grants(
    declaration: Declaration, state: TenantState, case: Case, key: _Key, grants: tuple[Grant, ...]
) -> Iterator[Difference]:
    vendor, own = declaration.vendor.account_id, declaration.account.account_id
    accounts = {grant.grant_id: principal_account(grant.grantee_principal) for grant in grants}
    theirs = [grant for grant in grants if accounts[grant.grant_id] == vendor]
    ours = [grant for grant in theirs if grant.issuing_account in {None, own}]
    by_stacks = key.declared and case.declared is not None and case.declared.made_by_stacks
    if declaration.vendor_access.by_grant and by_stacks and case.known.must_stay_enabled and not state.revoked:
        if not ours:
            yield Difference(
                case.number,
                "grant",
                f"none for the vendor{key.on}",
                f"one, as vendor_access is {declaration.vendor_access.value}",
                "The vendor's access is not given the declared way.",
                _DEPLOY,
            )
    elif ours and not declaration.vendor_access.by_grant:
        yield Difference(
            case.number,
            "grant",
            f"{len(ours)} for the vendor{key.on}",
            f"none, as vendor_access is {declaration.vendor_access.value}",
            "The vendor has access in another way than declared.",
            "`aws kms revoke-grant`",
        )
    strangers = sorted({account for account in accounts.values() if account not in {vendor, own, None}} - {None})
    if strangers:
        yield Difference(
            case.number,
            "grant",
            f"to account {', '.join(str(account) for account in strangers)}{key.on}",
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
