"""What a grant gives a caller.

A grant allows its grantee the operations it lists; it never denies, and an explicit deny beats it. Its
encryption-context constraint counts for calls that have an encryption context alone, names without and
values with regard to case; its source constraint for all but `RetireGrant` (KMS API Reference,
"GrantConstraints").

**Who the grantee is.** A user, role, session, or an account. An account's administrators hand the permission
on by IAM, so for one of its principals it is what its own IAM policies say.

**Across accounts.** "Users and roles in the external account cannot use the KMS key until you attach IAM
policies that delegate those permissions, or use grants to manage access" (AWS KMS Developer Guide, "Allowing
users in other accounts to use a KMS key"): a grant to the principal itself is named as a second way, but the
page begins by asking for both policies. So it is a *yes* where the caller's own IAM allows it too, and
depends elsewhere.

**CreateGrant by a grant** passes on operations of this grant only, under constraints at least as strict
(AWS KMS Developer Guide, "Granting CreateGrant permission").

**RetireGrant** is decided by the grant: its retiring principal, its grantee where it lists the operation,
and the key's own account. A key policy can deny it, not allow it. Pass the one grant that is meant.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.access.context import Absent, Known, Unknown
from engine.access.model import Verdict
from engine.access.operations import ENCRYPTION_CONTEXT_PREFIX, WITH_ENCRYPTION_CONTEXT
from engine.access.principals import CallerKind, PrincipalKind, find_principal
from engine.access.verdicts import all_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.access.context import Facts
    from engine.access.model import Grant
    from engine.access.principals import CallerIdentity


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one statement or grant adds to an answer.

    Attributes:
        verdict: Whether it allows (or denies).
        source: The statement's name, or the grant.
        text: A clause that says what it does, such as `the statement 'X' allows kms:Decrypt`.
        depends_on: What it depends on.
    """

    verdict: Verdict
    source: str
    text: str
    depends_on: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Grantee:
    """The caller, as grants see it.

    Attributes:
        caller: Who calls.
        identity: Whether the caller's own IAM allows the action.
        foreign: Whether the key is another account's.
    """

    caller: CallerIdentity
    identity: Verdict
    foreign: bool


def grant_contribution(grant: Grant, grantee: Grantee, facts: Facts) -> Contribution | None:
    """What a grant gives.

    Args:
        grant: The grant.
        grantee: The caller.
        facts: What the call brings, with its action.

    Returns:
        What it adds; None where it does not speak of this caller and action.
    """
    source = f"grant {grant.name or grant.grant_id}"
    if facts.action == "RetireGrant":
        verdict, phrases = _may_retire(grant, grantee)
    elif facts.action in grant.operations:
        verdict, phrases = _is(grant.grantee_principal, grantee)
    else:
        return None
    if verdict is Verdict.NO:
        return None
    held, more = _constraints(grant, facts)
    verdict = all_of((verdict, held))
    if verdict is Verdict.NO:
        return Contribution(verdict, source, f"the constraint of {source} does not hold")
    text = f"{source} allows kms:{facts.action} to {grant.grantee_principal}"
    return Contribution(verdict, source, text, (*phrases, *more) if verdict is Verdict.DEPENDS else ())


def _is(principal: str, grantee: Grantee) -> tuple[Verdict, tuple[str, ...]]:
    """Whether a grant's principal is the caller, as far as it can use what the grant gives."""
    caller = grantee.caller
    own = f"the IAM policies of account {caller.account_id}"
    named = find_principal(principal)
    if named is None:
        return Verdict.NO, ()
    if named.kind is PrincipalKind.ACCOUNT:
        if named.account_id != caller.account_id:
            return Verdict.NO, ()
        if caller.kind is CallerKind.ROOT and not grantee.foreign:
            return Verdict.YES, ()
        return grantee.identity, (own,)
    if caller.is_of(named):
        if grantee.foreign and grantee.identity is not Verdict.YES:
            return Verdict.DEPENDS, (own,)
        return Verdict.YES, ()
    if caller.may_be(named):
        return Verdict.DEPENDS, (f"the caller being {named}",)
    return Verdict.NO, ()


def _may_retire(grant: Grant, grantee: Grantee) -> tuple[Verdict, tuple[str, ...]]:
    ways: list[tuple[Verdict, tuple[str, ...]]] = []
    if grant.retiring_principal is not None:
        ways.append(_is(grant.retiring_principal, grantee))
    if "RetireGrant" in grant.operations:
        ways.append(_is(grant.grantee_principal, grantee))
    if not grantee.foreign:
        root = grantee.caller.kind is CallerKind.ROOT
        account = f"the IAM policies of account {grantee.caller.account_id}"
        ways.append((Verdict.YES if root else grantee.identity, (account,)))
    for wanted in (Verdict.YES, Verdict.DEPENDS):
        for verdict, phrases in ways:
            if verdict is wanted:
                return verdict, phrases
    return Verdict.NO, ()


def _constraints(grant: Grant, facts: Facts) -> tuple[Verdict, tuple[str, ...]]:
    checks: list[tuple[Verdict, str]] = []
    if grant.source_arn is not None and facts.action != "RetireGrant":
        checks.append(
            (_value_is("aws:sourcearn", grant.source_arn, facts), "aws:SourceArn, the resource it is made for")
        )
    if facts.action == "CreateGrant":
        checks.append((_passes_on(grant, facts), "kms:GrantOperations, of which this grant passes on its own alone"))
    if facts.action in WITH_ENCRYPTION_CONTEXT or facts.action == "CreateGrant":
        context = "the encryption context of the call"
        if grant.encryption_context_equals is not None:
            checks.append((_context_equals(grant.encryption_context_equals, facts), context))
        if grant.encryption_context_subset is not None:
            checks.append((_context_holds(grant.encryption_context_subset, facts), context))
    depends = tuple(dict.fromkeys(phrase for verdict, phrase in checks if verdict is Verdict.DEPENDS))
    return all_of(verdict for verdict, _ in checks), depends


def _context_holds(constraint: Mapping[str, str], facts: Facts) -> Verdict:
    strictness = _strict_enough(("EncryptionContextEquals", "EncryptionContextSubset"), facts)
    pairs = (_value_is(ENCRYPTION_CONTEXT_PREFIX + name.lower(), value, facts) for name, value in constraint.items())
    return all_of((strictness, *pairs))


def _context_equals(constraint: Mapping[str, str], facts: Facts) -> Verdict:
    strictness = _strict_enough(("EncryptionContextEquals",), facts)
    pairs = [_value_is(ENCRYPTION_CONTEXT_PREFIX + name.lower(), value, facts) for name, value in constraint.items()]
    names, complete = facts.encryption_context_names()
    more = names - {name.lower() for name in constraint}
    no_more = Verdict.NO if more else (Verdict.YES if complete else Verdict.DEPENDS)
    return all_of((strictness, *pairs, no_more))


def _strict_enough(types: tuple[str, ...], facts: Facts) -> Verdict:
    """A grant made under this one must carry a constraint of one of these types; other calls carry none."""
    if facts.action != "CreateGrant":
        return Verdict.YES
    return _values_in("kms:grantconstrainttype", frozenset(types), facts)


def _passes_on(grant: Grant, facts: Facts) -> Verdict:
    return _values_in("kms:grantoperations", grant.operations, facts)


def _value_is(key: str, value: str, facts: Facts) -> Verdict:
    return _values_in(key, frozenset({value}), facts)


def _values_in(key: str, allowed: frozenset[str], facts: Facts) -> Verdict:
    """Whether the call brings the key, and with allowed values alone."""
    match facts.find(key):
        case Known(values):
            return Verdict.YES if allowed.issuperset(values) else Verdict.NO
        case Absent():
            return Verdict.NO
        case Unknown():
            return Verdict.DEPENDS
    return Verdict.DEPENDS
