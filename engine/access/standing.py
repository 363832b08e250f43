"""How a caller stands to the principals of a statement.

**Allow.** The caller is named itself (`direct`), or its account is (`through_account`), or only something
that it may turn out to be (`only_for`).

**Deny.** An account that is named means every principal of it. An identity that cannot be told from an ARN
(a unique id, a web or SAML identity, a canonical user) may be the caller; in an Allow it is nobody.

**NotPrincipal in an Allow** allows everyone who is not listed; a listed account leaves out all of its
principals. AWS does not support it any more, but policies have it.

**NotPrincipal in a Deny** denies everyone who is not listed. Being listed is not enough: AWS checks the
account first, then the role, then the session (IAM User Guide, "NotPrincipal"). A user is let off for
certain where its account is listed too, a session where its role and its account are. A session of which
only the role or only itself is listed may be denied, so a role, which calls by its sessions, may be as well.
Without the account the principal is denied.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

from engine.access.model import Verdict
from engine.access.principals import UNVERIFIABLE, CallerKind, Principal, PrincipalKind

if TYPE_CHECKING:
    from engine.access.principals import CallerIdentity


@dataclass(frozen=True, slots=True)
class Standing:
    """How a caller stands to the principals of a statement that allows.

    Attributes:
        direct: It is named itself, or everyone is.
        through_account: Its account is named.
        only_for: Those it may be that are named, where it is not named itself.
    """

    direct: bool = False
    through_account: bool = False
    only_for: tuple[str, ...] = ()

    @property
    def none(self) -> bool:
        """Whether the statement does not speak of the caller at all."""
        return not (self.direct or self.through_account or self.only_for)


_DIRECT = Standing(direct=True)
_NONE = Standing()


@dataclass(frozen=True, slots=True)
class Principals:
    """The Principal or NotPrincipal element of a statement.

    Attributes:
        listed: The principals, in the order of the policy.
        all_but: True for NotPrincipal.
        everyone: Whether `*` is listed.
        accounts: The ids of the listed accounts.
    """

    listed: tuple[Principal, ...]
    all_but: bool
    everyone: bool
    accounts: frozenset[str]

    @classmethod
    def of(cls, listed: tuple[Principal, ...], *, all_but: bool) -> Principals:
        """Build the element from its principals."""
        accounts = {p.account_id for p in listed if p.kind is PrincipalKind.ACCOUNT and p.account_id is not None}
        everyone = any(p.kind is PrincipalKind.EVERYONE for p in listed)
        return cls(listed, all_but, everyone, frozenset(accounts))

    @property
    def canonical(self) -> tuple[bool, frozenset[tuple[str, str]]]:
        """The same for every order and spelling; beside everyone, other AWS principals say nothing more."""
        kept = {p.canonical for p in self.listed}
        if self.everyone:
            others = (PrincipalKind.SERVICE, PrincipalKind.FEDERATED, PrincipalKind.CANONICAL_USER)
            kept = {p.canonical for p in self.listed if p.kind is PrincipalKind.EVERYONE or p.kind in others}
        return self.all_but, frozenset(kept)

    def names(self, arn: str) -> bool:
        """Whether a principal is listed by this very ARN, not by its role, its account or everyone."""
        return not self.all_but and any(principal.text == arn for principal in self.listed)

    def allowed(self, caller: CallerIdentity) -> Standing:
        """How the caller stands to a statement that allows."""
        if self.all_but:
            return self._allowed_unless_listed(caller)
        if self.everyone or any(caller.is_of(principal) for principal in self.listed):
            return _DIRECT
        through_account = caller.account_id in self.accounts
        if through_account and caller.kind is CallerKind.ROOT:
            return _DIRECT
        named = tuple(str(principal) for principal in self.listed if caller.may_be(principal))
        return Standing(through_account=through_account, only_for=named) if named or through_account else _NONE

    def denied(self, caller: CallerIdentity) -> tuple[Verdict, str | None]:
        """Whether a statement that denies means the caller, with what that depends on."""
        if self.all_but:
            return self._denied_unless_listed(caller)
        if self.everyone or caller.account_id in self.accounts:
            return Verdict.YES, None
        if any(caller.is_of(principal) for principal in self.listed):
            return Verdict.YES, None
        for principal in self.listed:
            if caller.may_be(principal) or _may_stand_behind(principal, caller):
                return Verdict.DEPENDS, f"whether the caller is {principal}"
        return Verdict.NO, None

    def _allowed_unless_listed(self, caller: CallerIdentity) -> Standing:
        if self.everyone or caller.account_id in self.accounts:
            return _NONE
        if any(caller.is_of(principal) for principal in self.listed):
            return _NONE
        exceptions = [p for p in self.listed if caller.may_be(p) or _may_stand_behind(p, caller)]
        if exceptions:
            return Standing(only_for=(f"whoever is not {', '.join(str(p) for p in exceptions)}",))
        return _DIRECT

    def _denied_unless_listed(self, caller: CallerIdentity) -> tuple[Verdict, str | None]:
        if self.everyone:
            return Verdict.NO, None
        if caller.account_id not in self.accounts:
            maybe = next((p for p in self.listed if _may_stand_behind(p, caller)), None)
            if maybe is None:
                return Verdict.YES, None
            return Verdict.DEPENDS, f"whether the caller is {maybe}"
        match caller.kind:
            case CallerKind.ROOT:
                return Verdict.NO, None
            case CallerKind.WHOLE_ACCOUNT:
                return Verdict.DEPENDS, f"which principal of account {caller.account_id} calls"
            case CallerKind.USER | CallerKind.FEDERATED_USER:
                listed = any(caller.is_of(p) for p in self.listed)
            case CallerKind.ROLE:
                if any(caller.is_of(p) for p in self.listed):
                    return Verdict.DEPENDS, "whether the session of the role is listed in NotPrincipal too"
                listed = False
            case CallerKind.SESSION:
                session = any(p.text == caller.arn for p in self.listed)
                role = any(p.kind is PrincipalKind.ROLE and caller.is_of(p) for p in self.listed)
                if session is not role:
                    return Verdict.DEPENDS, "whether AWS lets off a session of which NotPrincipal lists only half"
                listed = session
            case never:
                assert_never(never)
        if listed:
            return Verdict.NO, None
        maybe = next((p for p in self.listed if caller.may_be(p) or _may_stand_behind(p, caller)), None)
        return (Verdict.YES, None) if maybe is None else (Verdict.DEPENDS, f"whether the caller is {maybe}")


def _may_stand_behind(principal: Principal, caller: CallerIdentity) -> bool:
    """Whether an identity that cannot be told from an ARN may be the caller, or have opened its session."""
    if principal.kind is PrincipalKind.USER and caller.kind is CallerKind.FEDERATED_USER:
        return principal.account_id == caller.account_id
    return principal.kind in UNVERIFIABLE
