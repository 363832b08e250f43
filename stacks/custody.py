"""What the stacks emit for a generation, decided from the declaration alone.

The rules:

- A generation is emitted when the stacks make its key and it is not `deleted`. The key of a generation
  made elsewhere (`address`, `key_arn`) is never touched: only an alias may point to it.
- An `active` key is enabled; a `retired` or `released` one is disabled. While the tenant is revoked every
  key is disabled (EKM-10). Of a key that awaits its imported material nothing is asked: KMS can neither
  enable nor disable it.
- Every replica stands as its primary does (EKM-34).
- Until it is released, a key is kept: Terraform refuses to destroy it, and its policy denies scheduling
  its deletion. From then on the administrators' right to delete it takes effect: retention gates the use
  of that right and does not take it away for good (EKM-17).
- The vendor is named by the key policy as long as the key exists and the tenant is not revoked. So while
  a retired or released key soaks, enabling it is all that it takes to go back.
- The vendor's grant belongs to `active` generations alone: nothing depends on a retired one, and AWS KMS
  makes no grant on a disabled key, so one that was taken away by a revocation could not come back. Nor does
  it make one on a key that awaits its material: declare the import, and the grant follows.
- The alias follows `current`, once evidence proves that this generation is integrated (`stacks.evidence`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

from engine.declaration import DeclaredState, Origin

if TYPE_CHECKING:
    from engine.declaration import Declaration, DeclaredGeneration


# What backups and restores use, and nothing that passes the key on (AWS KMS API, "CreateGrant").
VENDOR_GRANT_OPERATIONS = (
    "Decrypt",
    "DescribeKey",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext",
    "ReEncryptFrom",
    "ReEncryptTo",
)


@dataclass(frozen=True, slots=True)
class Custody:
    """How one generation's key stands in the stack.

    Attributes:
        emitted: Whether the stack holds a resource for the key.
        enabled: Whether the key is enabled; None where it awaits its material.
        kept: Whether it must not be destroyed: refused by Terraform and denied by the key policy.
        vendor_by_key_policy: Whether the key policy names the vendor.
        vendor_by_grant: Whether a grant names the vendor.
    """

    emitted: bool
    enabled: bool | None
    kept: bool
    vendor_by_key_policy: bool
    vendor_by_grant: bool


def custody_of(declaration: Declaration, generation: DeclaredGeneration) -> Custody:
    """How a generation's key is to stand.

    Args:
        declaration: The tenant's declaration.
        generation: One of its generations.

    Returns:
        What the rules above say; total over every declared state.
    """
    active, kept, exists = _stage(generation.state)
    return Custody(
        emitted=generation.made_by_stacks and exists,
        enabled=None if generation.awaits_material else active and not declaration.revoked,
        kept=kept,
        vendor_by_key_policy=declaration.vendor_access.by_key_policy and exists and not declaration.revoked,
        vendor_by_grant=declaration.vendor_access.by_grant
        and active
        and not declaration.revoked
        and not generation.awaits_material,
    )


def region_identifier(region: str) -> str:
    """A Region as a part of a Terraform name: `eu_west_1`."""
    return region.replace("-", "_")


def key_addresses(generation: DeclaredGeneration) -> frozenset[str]:
    """The Terraform addresses of a generation's keys, primary and replicas; none where the stacks make none."""
    if not generation.made_by_stacks or generation.state is DeclaredState.DELETED:
        return frozenset()
    kind = "external_key" if generation.origin is Origin.EXTERNAL else "key"
    name = f"generation_{generation.number}"
    replicas = (f"aws_kms_replica_{kind}.{name}_{region_identifier(region)}" for region in generation.replicas)
    return frozenset((f"aws_kms_{kind}.{name}", *replicas))


def alias_target(declaration: Declaration) -> DeclaredGeneration:
    """The generation that the tenant's alias points to."""
    return declaration.current_generation


def _stage(state: DeclaredState) -> tuple[bool, bool, bool]:
    """Whether a key in this state is in use, is kept, and exists."""
    match state:
        case DeclaredState.ACTIVE:
            return True, True, True
        case DeclaredState.RETIRED:
            return False, True, True
        case DeclaredState.RELEASED:
            return False, False, True
        case DeclaredState.DELETED:
            return False, False, False
    assert_never(state)
