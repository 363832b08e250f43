"""Validation of a key before it is enabled or rotated to (EKM-23, EKM-29, EKM-31).

What is checked, in this order; every check is reported, not the first failure alone:

- **place**: the ARN is in the customer's own account, in the declared partition and Region (EKM-05, EKM-07).
- **declared**: where the declaration names a key for the generation, it is this one.
- **unused**: no generation has or had this key, or another replica of it (EKM-11).
- **found**: DescribeKey finds it. Missing access to KMS is AWS's no, not the key's (EKM-08).
- **kind**: customer managed, symmetric, for encryption and decryption (EKM-14).
- **origin**: the declared one, and multi-Region only where declared (EKM-06).
- **enabled**: its real state is Enabled, as observed now (EKM-09).
- **tags**: a key of our stacks carries this tenant and generation; another one none that contradict.
- **administrators**: every declared administrator can rotate and revoke, or may by its IAM policies (EKM-16).
- **vendor access**: by key policy and grants, the vendor's account can do all that backups and restores need
  (EKM-18, EKM-20). What depends on something that cannot be known from here is not a yes.
- **vendor paths**: each declared way of access suffices alone: the key policy, the grant, or both (EKM-34).
- **round trip**: the key really wraps and unwraps, for the customer (EKM-01).
- **vendor round trip**: the same as the vendor, where its credentials are given. A customer's own trial
  proves nothing about the vendor, so without them this is *not exercised*, and said so.
"""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from engine.access import VENDOR_REQUIRED_ACTIONS, Caller, KeyState, Request, Verdict, evaluate, parse_key_policy
from engine.arn import parse_key_arn, partition_of
from engine.declaration import GENERATION_TAG, TENANT_TAG
from engine.errors import KeyAccessError, KeyFailure, RefusedError
from engine.ledger.interface import encryption_context

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engine.arn import KeyArn
    from engine.declaration import Declaration, DeclaredGeneration
    from engine.kms import KeyDetails, Kms
    from engine.lifecycle import TenantState

_ADMINISTRATION = ("kms:DisableKey", "kms:EnableKey", "kms:PutKeyPolicy", "kms:RevokeGrant")


class Outcome(Enum):
    """What came of a check."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_EXERCISED = "not exercised"


@dataclass(frozen=True, slots=True)
class Check:
    """One check: its name, what came of it, what was seen, and the requirements behind it."""

    name: str
    outcome: Outcome
    message: str
    requirements: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ValidationReport:
    """Every check of one key."""

    number: int
    key_arn: KeyArn
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether no check failed; an empty report is not a pass."""
        return bool(self.checks) and all(check.outcome is not Outcome.FAILED for check in self.checks)

    def require(self) -> None:
        """Go on only with a key that passed.

        Raises:
            RefusedError: A check failed; the message names each of them, and nothing is saved (EKM-24).
        """
        if self.passed:
            return
        failed = [check for check in self.checks if check.outcome is Outcome.FAILED]
        reasons = "; ".join(f"{check.name}: {check.message}" for check in failed) or "nothing was checked"
        requirements = tuple(dict.fromkeys(name for check in failed for name in check.requirements))
        raise RefusedError(
            "validation",
            f"the key {self.key_arn} is not fit to be generation {self.number}: {reasons}",
            ("EKM-24", *requirements),
            "nothing was saved; mend the key and run the command again",
        )


@dataclass(frozen=True, slots=True)
class Callers:
    """With whose credentials a key is validated.

    Attributes:
        customer: The key owner's.
        vendor: The vendor's, or None where they are not given.
        vendor_account_id: The account that those credentials really are of, as STS says; None without them.
    """

    customer: Kms
    vendor: Kms | None = None
    vendor_account_id: str | None = None


def validate_key(
    declaration: Declaration, number: int, key_arn: str, state: TenantState, callers: Callers
) -> ValidationReport:
    """Validate a key for a generation.

    Args:
        declaration: The tenant's declaration.
        number: The generation, which must be declared.
        key_arn: The key's full ARN, as a person gave it.
        state: The ledger's state, for the keys that were used before.
        callers: With whose credentials.

    Returns:
        Every check that could be made; where a key is out of place or not found, the later ones are left out.

    Raises:
        InputError: The ARN is not a key ARN, or the generation is not declared (EKM-07, EKM-23).
        KeyAccessError: KMS cannot be reached, or not with these credentials (EKM-08).
    """
    arn = parse_key_arn(key_arn)
    generation = declaration.generation(number)
    checks = [_place(declaration, arn), _declared(generation, arn), _unused(state, number, arn)]
    if all(check.outcome is Outcome.PASSED for check in checks):
        checks.extend(_real_checks(declaration, generation, arn, callers))
    return ValidationReport(number, arn, tuple(checks))


def _check(name: str, problem: str | None, good: str, *requirements: str) -> Check:
    if problem is None:
        return Check(name, Outcome.PASSED, good, requirements)
    return Check(name, Outcome.FAILED, problem, requirements)


def _place(declaration: Declaration, arn: KeyArn) -> Check:
    account, partition = declaration.account, partition_of(declaration.account.region)
    problem = None
    if arn.account_id == declaration.vendor.account_id:
        problem = f"the key is in Druva's own account {arn.account_id}, not in yours ({account.account_id})"
    elif arn.account_id != account.account_id:
        problem = f"the key is in the account {arn.account_id}, not in yours ({account.account_id})"
    elif arn.partition != partition or arn.region != account.region:
        problem = f"the key is in {arn.partition} {arn.region}, not in {partition} {account.region}"
    return _check("place", problem, f"account {arn.account_id}, Region {arn.region}", "EKM-05")


def _declared(generation: DeclaredGeneration, arn: KeyArn) -> Check:
    problem = None
    if generation.key_arn is not None and generation.key_arn != arn:
        problem = f"the declaration says that generation {generation.number} is {generation.key_arn}"
    if generation.state.value != "active":
        problem = f"the declaration says that generation {generation.number} is {generation.state.value}"
    return _check("declared", problem, f"generation {generation.number} is declared", "EKM-29")


def _unused(state: TenantState, number: int, arn: KeyArn) -> Check:
    users = [g.number for g in state.generations if g.key_arn.family == arn.family and g.number != number]
    problem = f"it is or was the key of generation {users[0]}" if users else None
    return _check("unused", problem, "never used for another generation", "EKM-11")


def _real_checks(
    declaration: Declaration, generation: DeclaredGeneration, arn: KeyArn, callers: Callers
) -> Iterator[Check]:
    try:
        details = callers.customer.describe(str(arn))
    except KeyAccessError as error:
        if error.aws_code != "NotFoundException":
            raise
        yield _check("found", f"AWS KMS finds no key {arn}", "", "EKM-09")
        return
    yield _check("found", None, f"created {details.created_at:%Y-%m-%d}", "EKM-09")
    yield _kind(details)
    yield _origin(generation, details)
    state_problem = None if details.state is KeyState.ENABLED else f"its state is {details.state.value}, not Enabled"
    yield _check("enabled", state_problem, "Enabled", "EKM-09")
    yield _tags(declaration, generation, callers.customer.tags(str(arn)))
    yield from _access(declaration, arn, callers.customer)
    if details.state is KeyState.ENABLED:
        yield _round_trip("round trip", declaration, arn, callers.customer)
        yield _vendor_round_trip(declaration, arn, callers)


def _kind(details: KeyDetails) -> Check:
    problem = None
    if not details.customer_managed:
        problem = "it is a key of AWS's own, not a customer managed one"
    elif (details.spec, details.usage) != ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"):
        problem = f"it is {details.spec} for {details.usage}, not a symmetric key for encryption and decryption"
    return _check("kind", problem, "customer managed, symmetric", "EKM-14")


def _origin(generation: DeclaredGeneration, details: KeyDetails) -> Check:
    problem = None
    if details.origin != generation.origin.value:
        problem = f"its origin is {details.origin}, declared is {generation.origin.value}"
    elif generation.multi_region and not details.multi_region:
        problem = "it is a single-Region key, declared is a multi-Region one"
    elif details.multi_region and not generation.multi_region:
        problem = "it is a multi-Region key, which is not declared"
    return _check("origin", problem, details.origin, "EKM-06")


def _tags(declaration: Declaration, generation: DeclaredGeneration, tags: object) -> Check:
    found = dict(tags) if isinstance(tags, dict) else {}
    expected = {TENANT_TAG: declaration.tenant, GENERATION_TAG: str(generation.number)}
    wrong = [
        f"{name} is {found[name]!r} instead of {value!r}" if name in found else f"{name} is missing"
        for name, value in expected.items()
        if found.get(name) != value and (name in found or generation.made_by_stacks)
    ]
    good = "of this tenant and generation" if found.keys() >= expected.keys() else "none that contradict"
    return _check("tags", "; ".join(wrong) or None, good, "EKM-29")


def _access(declaration: Declaration, arn: KeyArn, customer: Kms) -> Iterator[Check]:
    """What administrators and vendor can do with the key, by its policy and grants."""
    policy = parse_key_policy(customer.policy(str(arn)))
    grants = customer.grants(str(arn))
    context = {
        f"kms:EncryptionContext:{name}": (value,)
        for name, value in encryption_context(declaration.tenant, "workload", "payload").items()
    }

    def as_vendor(action: str) -> Request:
        brought = {**context, **declaration.vendor_narrowing.context(action)}
        return Request(action, str(arn), arn.account_id, brought)

    def verdicts(
        caller: Caller, actions: tuple[str, ...], requests: Callable[[str], Request]
    ) -> Iterator[tuple[str, Verdict, str]]:
        for action in actions:
            decision = evaluate(policy, grants, caller, requests(action))
            yield action, decision.verdict, decision.reason

    powerless = sorted(
        {
            f"{administrator.rpartition('/')[2]} cannot {action.removeprefix('kms:')}: {reason}"
            for administrator in declaration.key_administrators
            for action, verdict, reason in verdicts(
                Caller(arn.account_id, administrator, partition=arn.partition),
                _ADMINISTRATION,
                lambda action: Request(action, str(arn), arn.account_id, context),
            )
            if verdict is Verdict.NO
        }
    )
    yield _check("administrators", "; ".join(powerless) or None, "can rotate and revoke", "EKM-16")
    vendor = Caller.account(declaration.vendor.account_id, arn.partition)
    lacking: dict[str, list[str]] = {}
    for action, verdict, reason in verdicts(vendor, VENDOR_REQUIRED_ACTIONS, as_vendor):
        if verdict is not Verdict.YES:
            why = f"{verdict.value}: {re.sub(rf'{action}(?![A-Za-z*])', 'it', reason)}"
            lacking.setdefault(why, []).append(action.removeprefix("kms:"))
    told = "; ".join(f"{', '.join(actions)} ({why})" for why, actions in lacking.items())
    problem = f"Druva's account {declaration.vendor.account_id} lacks {told}" if lacking else None
    yield _check("vendor access", problem, "all that backups and restores need", "EKM-18", "EKM-20")
    if lacking:
        return
    root_only = parse_key_policy(_root_only(arn))
    missing = []
    for way, declared, only_policy, only_grants in (
        ("the key policy", declaration.vendor_access.by_key_policy, policy, ()),
        ("a grant", declaration.vendor_access.by_grant, root_only, grants),
    ):
        if declared and any(
            evaluate(only_policy, only_grants, vendor, as_vendor(action)).verdict is not Verdict.YES
            for action in VENDOR_REQUIRED_ACTIONS
        ):
            missing.append(f"{way} alone does not give Druva's account what the declaration says it does")
    good = f"by {declaration.vendor_access.value.replace('_', ' ')}"
    yield _check("vendor paths", "; ".join(missing) or None, good, "EKM-34")


def _root_only(arn: KeyArn) -> str:
    """A key policy that gives the vendor nothing, to see what grants give alone."""
    root = f"arn:{arn.partition}:iam::{arn.account_id}:root"
    statement = {"Effect": "Allow", "Principal": {"AWS": root}, "Action": "kms:*", "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _round_trip(name: str, declaration: Declaration, arn: KeyArn, kms: Kms) -> Check:
    secret = secrets.token_bytes(32)
    context = encryption_context(declaration.tenant, "keyturn", "validation")
    try:
        wrapped = kms.wrap(str(arn), secret, context)
        returned = bytes(kms.unwrap(str(arn), wrapped.ciphertext, context))
    except KeyAccessError as error:
        if error.failure in {KeyFailure.UNAVAILABLE, KeyFailure.THROTTLED}:
            raise
        return _check(name, error.message, "", "EKM-01")
    problem = None if secrets.compare_digest(returned, secret) else "what was unwrapped is not what was wrapped"
    return _check(name, problem, f"wrapped and unwrapped as {kms.identity}", "EKM-01")


def _vendor_round_trip(declaration: Declaration, arn: KeyArn, callers: Callers) -> Check:
    name = "vendor round trip"
    if callers.vendor is None:
        message = "the vendor's access was evaluated, not tried: its credentials are not given (--vendor-profile)"
        return Check(name, Outcome.NOT_EXERCISED, message, ("EKM-01",))
    if callers.vendor_account_id != declaration.vendor.account_id:
        return _check(
            name,
            f"the vendor's credentials are of the account {callers.vendor_account_id},"
            f" not of Druva's {declaration.vendor.account_id}",
            "",
            "EKM-18",
        )
    return _round_trip(name, declaration, arn, callers.vendor)
