"""Whether a newer key carries over what an older one gave: before the older one is let go (EKM-34).

- The vendor's account has all that backups and restores need on the newer key, and on each of its replicas.
- In every Region where the older key has a replica, the newer one has one too.
- Every grant that was made by the customer on the older key has its like on the newer one: the same grantee and
  constraints, and at least its operations. Grants that the vendor made are the vendor's to make anew.

Pure: what KMS shows of both keys comes in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.access import VENDOR_REQUIRED_ACTIONS, Caller, Grant, Request, Verdict, evaluate, parse_key_policy
from engine.arn import parse_key_arn, principal_account
from engine.declaration import VendorNarrowing

if TYPE_CHECKING:
    from collections.abc import Iterator

_NOT_NARROWED = VendorNarrowing()


@dataclass(frozen=True, slots=True)
class KeyAccess:
    """What is given on one key of a family.

    Attributes:
        key_arn: The key's full ARN.
        policy: Its key policy, JSON.
        grants: Its grants.
    """

    key_arn: str
    policy: str
    grants: tuple[Grant, ...]

    @property
    def region(self) -> str:
        """Its Region."""
        return parse_key_arn(self.key_arn).region


def find_not_carried_over(
    older: tuple[KeyAccess, ...],
    newer: tuple[KeyAccess, ...],
    vendor_account_id: str,
    narrowing: VendorNarrowing = _NOT_NARROWED,
) -> tuple[str, ...]:
    """What the older key's family gave and the newer one's does not.

    Args:
        older: The older key and its replicas.
        newer: The newer key and its replicas.
        vendor_account_id: The vendor's AWS account.
        narrowing: What the vendor's calls are declared to bring.

    Returns:
        A phrase for each thing that is missing; empty where all is carried over.

    Raises:
        InputError: A key policy cannot be read.
    """
    return tuple(_missing(older, newer, vendor_account_id, narrowing))


def _missing(
    older: tuple[KeyAccess, ...], newer: tuple[KeyAccess, ...], vendor: str, narrowing: VendorNarrowing
) -> Iterator[str]:
    regions = {key.region for key in newer}
    # The key itself may have moved to another Region; a replica is asked for where the older one had one.
    if len(older) > 1 and (lost := sorted({key.region for key in older} - regions)):
        yield f"it has no replica in {', '.join(lost)}"
    for key in newer:
        if lacking := _lacking(key, vendor, narrowing):
            yield f"the vendor lacks {', '.join(lacking)} on {key.key_arn}"
    held = tuple(grant for key in newer for grant in key.grants)
    for grant in dict.fromkeys(_likeness(grant) for key in older for grant in key.grants if _is_ours(grant, vendor)):
        grantee, operations, constraints = grant
        if principal_account(grantee) == vendor:
            continue  # the vendor's access was evaluated above, whichever way it is given
        if not any(
            like[0] == grantee and operations <= like[1] and constraints == like[2] for like in map(_likeness, held)
        ):
            yield f"{grantee} has no grant of {', '.join(sorted(operations))}"


_Likeness = tuple[str, frozenset[str], tuple[object, ...]]


def _likeness(grant: Grant) -> _Likeness:
    """What makes two grants alike: grantee, operations and constraints."""
    return grant.grantee_principal, grant.operations, grant.constraints


def _is_ours(grant: Grant, vendor: str) -> bool:
    return grant.issuing_account != vendor


def _lacking(key: KeyAccess, vendor_account_id: str, narrowing: VendorNarrowing) -> list[str]:
    arn = parse_key_arn(key.key_arn)
    policy, vendor = parse_key_policy(key.policy), Caller.account(vendor_account_id, arn.partition)
    requests = [
        Request(action, key.key_arn, arn.account_id, narrowing.context(action)) for action in VENDOR_REQUIRED_ACTIONS
    ]
    return [
        request.action.removeprefix("kms:")
        for request in requests
        if evaluate(policy, key.grants, vendor, request).verdict is not Verdict.YES
    ]
