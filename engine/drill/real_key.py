"""A drill on a real key: only on one that is meant for it, and given back whatever happens.

- The key carries the tag `keyturn:drill`, and neither the tag of a tenant nor of a generation. It is no declared
  generation, none that the ledger knows, and no declared alias points to it or to one of its family. What cannot be
  found out refuses.
- Its ARN is typed. A deletion is never scheduled: nothing in this module can.
- What the vendor had is written into a file before anything is taken away, and given back from it at the end; a drill
  that was killed is given back at the beginning of the next one.
- AWS takes a while to let a change take effect: each is waited for, as whoever uses the key sees it.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, assert_never

from engine.access import VENDOR_REQUIRED_ACTIONS, KeyState
from engine.arn import parse_key_arn
from engine.declaration import GENERATION_TAG, TENANT_TAG
from engine.drill.model import Rehearsed, Way
from engine.drill.tenant import drill_tenant
from engine.envelope.data_keys import KeyAccess, wipe
from engine.errors import AwsError, KeyAccessError, RefusedError
from engine.ledger.interface import PAYLOAD, encryption_context
from engine.revocation.access import give_back, look, take_away
from engine.revocation.saved import SavedAccess, read_saved, write_saved

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from engine.declaration import Declaration
    from engine.kms import Kms
    from engine.lifecycle import TenantState

DRILL_TAG = "keyturn:drill"
_ANSWERS = 3  # in a row, before a change counts as in effect everywhere
_SETTLE_SECONDS = 360.0  # a change of a policy or grant may take five minutes (AWS KMS, "Eventual consistency")
_DENIED = "Keyturn drill"


@dataclass(frozen=True, slots=True)
class RealKey:
    """A key that a drill may be done on; `require_drill_key` makes it.

    Attributes:
        arn: Its ARN.
        owner: AWS KMS as the customer.
        vendor: AWS KMS as the vendor, or None where the customer's own credentials use the key.
        vendor_account_id: The vendor's account.
        saved: The file that keeps what is taken away.
    """

    arn: str
    owner: Kms
    vendor: Kms | None
    vendor_account_id: str
    saved: Path

    @property
    def ways(self) -> tuple[Way, ...]:
        """The ways that can be rehearsed: without the vendor's credentials, the customer would lock itself out."""
        return (Way.DISABLE,) if self.vendor is None else (Way.DISABLE, Way.POLICY, Way.DENY)

    def rehearse(self, ways: tuple[Way, ...], folder: Path, tell: Callable[[str], None]) -> Iterator[Rehearsed]:
        """Rehearse each way, and give the access back however that ends.

        Args:
            ways: Some of `ways`.
            folder: An empty folder for the tenant of the drill.
            tell: Told what is being done.

        Raises:
            RefusedError: The key is not enabled: giving back would enable it.
            KeyturnError: The key cannot be used in the first place, or a change did not take effect.
        """
        if self.owner.describe(self.arn).state is not KeyState.ENABLED:
            raise _refused(f"{self.arn} is not enabled, and would be behind the drill", "enable it first")
        seen = look(self.owner, self.arn, self.vendor_account_id)
        if any(grant.issuing_account == self.vendor_account_id for grant in seen.grants):
            raise RefusedError("drill", f"{self.arn} has grants that the vendor made: they could not be given back")
        write_saved(self.saved, [seen])
        try:
            with drill_tenant(folder, self.arn, self.vendor_account_id, KeyAccess(self.owner, self.vendor)) as tenant:
                tell("every workflow, with the key in use")
                before = tenant.run_all("before")
                for way in ways:
                    tell(f"every workflow: {way.title}")
                    self._revoke(way, seen)
                    self._settle(usable=False)
                    revoked = tenant.run_all(f"{way.value}-revoked")
                    self.give_back(seen)
                    self._settle(usable=True)
                    tell("every workflow, with the access given back")
                    after = tenant.run_all(f"{way.value}-after")
                    yield Rehearsed(way, self.arn, before, revoked, after)
                    before = after
        finally:
            self.give_back(seen)
            self.saved.unlink(missing_ok=True)

    def give_back_what_an_earlier_drill_took(self) -> bool:
        """Give back what a drill that was killed took away; whether there was one."""
        earlier = read_saved(self.saved).get(self.arn)
        if earlier is None:
            return False
        self.give_back(earlier)
        self.saved.unlink(missing_ok=True)
        return True

    def give_back(self, seen: SavedAccess) -> None:
        """Bring the key back to what it was seen as; doing it again changes nothing."""
        if self.owner.describe(self.arn).state is KeyState.DISABLED:
            self.owner.enable_key(self.arn)
        if json.loads(self.owner.policy(self.arn)) != json.loads(seen.policy):
            self.owner.put_policy(self.arn, seen.policy)
        give_back(self.owner, seen, self.vendor_account_id)

    def _revoke(self, way: Way, seen: SavedAccess) -> None:
        match way:
            case Way.DISABLE:
                self.owner.disable_key(self.arn)
            case Way.POLICY:
                take_away(self.owner, seen, self.vendor_account_id)
            case Way.DENY:
                self.owner.put_policy(self.arn, _with_deny(seen.policy, self.arn, self.vendor_account_id))
            case Way.SCHEDULE_DELETION | Way.GRANT | Way.KEY_STORE:
                raise ValueError(f"{way.value} is never rehearsed on a real key")
            case _:
                assert_never(way)

    def _settle(self, *, usable: bool) -> None:
        """Wait until a change is in effect, as whoever uses the key sees it."""
        caller, in_a_row = self.vendor or self.owner, 0
        deadline = time.monotonic() + _SETTLE_SECONDS
        while in_a_row < _ANSWERS:
            if _is_usable(caller, self.arn) is usable:
                in_a_row += 1
                continue
            in_a_row = 0
            if time.monotonic() > deadline:
                state = "usable" if usable else "unusable"
                raise AwsError(f"{self.arn} did not become {state} in {_SETTLE_SECONDS:.0f} s")
            time.sleep(1)


def require_drill_key(
    key_arn: str, typed: str, owner: Kms, declaration: Declaration, state: TenantState | None
) -> None:
    """Refuse a key that is not meant for a drill.

    Args:
        key_arn: The key's full ARN.
        typed: The ARN as somebody typed it to consent.
        owner: AWS KMS as the customer, in the key's Region.
        declaration: The declaration of the tenant whose keys must not be touched.
        state: The ledger's state, or None where there is no ledger.

    Raises:
        InputError: It is no key ARN.
        RefusedError: It is not meant for a drill, or nobody consented.
        KeyAccessError: KMS does not tell what has to be known.
    """
    arn = parse_key_arn(key_arn)
    if typed != key_arn:
        raise _refused(f"the ARN that was typed is not {key_arn}", "type it in full, to consent that its use stops")
    details = owner.describe(key_arn)
    family = {parse_key_arn(member).family for member in (*details.family, key_arn)}
    known = {g.key_arn.family for g in (state.generations if state is not None else ())}
    declared = {parse_key_arn(str(g.key_arn)).family for g in declaration.generations if g.key_arn is not None}
    if family & (known | declared):
        raise _refused(f"{key_arn} is a generation of tenant {declaration.tenant!r}", "a drill is done on no such key")
    for alias in {declaration.alias, *(g.alias for g in declaration.generations if g.alias is not None)}:
        if _points_to(owner, alias, family):
            raise _refused(f"the declared {alias} points to {key_arn}", "a drill is done on no such key")
    tags = owner.tags(key_arn)
    for tag in (TENANT_TAG, GENERATION_TAG):
        if tag in tags:
            raise _refused(
                f"{key_arn} carries the tag {tag}", "that makes it a tenant's: a drill is done on no such key"
            )
    if DRILL_TAG not in tags:
        raise _refused(f"{key_arn} does not carry the tag {DRILL_TAG}", "tag a key that nothing depends on")
    if not details.customer_managed or str(details.arn) != str(arn):
        raise _refused(f"{key_arn} is not a key of your own, by its full ARN", None)


def _points_to(owner: Kms, alias: str, family: set[str]) -> bool:
    try:
        found = owner.describe(alias)
    except KeyAccessError as error:
        if error.aws_code == "NotFoundException":
            return False
        raise
    return bool({parse_key_arn(member).family for member in (*found.family, str(found.arn))} & family)


def _refused(message: str, hint: str | None) -> RefusedError:
    return RefusedError("drill-key", message, ("EKM-09",), hint)


def _is_usable(caller: Kms, key_arn: str) -> bool:
    try:
        made, _ = caller.generate_data_key(key_arn, encryption_context("drill", "drill", PAYLOAD))
    except KeyAccessError as error:
        if error.worth_retrying:
            raise
        return False
    wipe(made)
    return True


def _with_deny(policy: str, key_arn: str, vendor_account_id: str) -> str:
    document: dict[str, Any] = json.loads(policy)
    statements = document.get("Statement", [])
    denied = {
        "Sid": _DENIED,
        "Effect": "Deny",
        "Principal": {"AWS": f"arn:{parse_key_arn(key_arn).partition}:iam::{vendor_account_id}:root"},
        "Action": list(VENDOR_REQUIRED_ACTIONS),
        "Resource": "*",
    }
    document["Statement"] = [*(statements if isinstance(statements, list) else [statements]), denied]
    return json.dumps(document)
