"""KMS keys, aliases and grants as frozen records.

A change makes a new record that takes the old one's place in the store, so whoever reads one sees one
moment. Key material is never shown. Records hold plain values alone, so that they can be written down.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.access import KeyPolicy
    from engine.access.model import Grant, KeyState

SYMMETRIC = "SYMMETRIC_DEFAULT"
ENCRYPT_DECRYPT = "ENCRYPT_DECRYPT"
DEFAULT_ROTATION_PERIOD = 365  # days
MADE_BY_KMS, IMPORTED = "AWS_KMS", "EXTERNAL"
MANAGED_BY_CUSTOMER, MANAGED_BY_AWS = "CUSTOMER", "AWS"
IN_CLOUDHSM, IN_EXTERNAL_KEY_STORE = "AWS_CLOUDHSM", "EXTERNAL_KEY_STORE"


class RotationType(Enum):
    """How a key came to new material; the value is KMS's name of it."""

    AUTOMATIC = "AUTOMATIC"
    ON_DEMAND = "ON_DEMAND"


@dataclass(frozen=True, slots=True)
class KeyMaterial:
    """One version of a key's material.

    Attributes:
        material_id: 64 hexadecimal digits that name it.
        secret: The symmetric key, or the private key in PKCS #8 (DER); None while it is to be imported again.
        rotated: When a rotation made it current; None for the first.
        rotation_type: Which kind of rotation; None for the first.
        valid_to: When imported material expires; None where it does not.
        description: What its importer says of it.
    """

    material_id: str
    secret: bytes | None = field(repr=False)
    rotated: datetime | None = None
    rotation_type: RotationType | None = None
    valid_to: datetime | None = None
    description: str | None = None

    @classmethod
    def generate(cls, secret: bytes | None = None) -> KeyMaterial:
        """Material with a new id: of this secret, or of 256 random bits."""
        return cls(secrets.token_hex(32), secrets.token_bytes(32) if secret is None else secret)


@dataclass(frozen=True, slots=True)
class GrantRecord:
    """A grant on a key.

    Attributes:
        grant: Who may do what, as the evaluator of access takes it.
        tokens: The grant tokens that were handed out for it.
        issuing_account: The account that made it.
        created: When.
    """

    grant: Grant
    tokens: tuple[str, ...]
    issuing_account: str
    created: datetime


@dataclass(frozen=True, slots=True)
class Rotation:
    """Automatic rotation that is switched on: its period, and from when it is counted."""

    period_in_days: int
    counted_from: datetime

    @property
    def next_date(self) -> datetime:
        """When the material will be rotated next."""
        return self.counted_from + timedelta(days=self.period_in_days)


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A KMS key at one moment.

    Attributes:
        partition: The AWS partition.
        region: Its Region.
        account_id: Its owner.
        key_id: A UUID, or `mrk-` and 32 hexadecimal digits.
        spec: Its key spec, such as `SYMMETRIC_DEFAULT`.
        usage: Its key usage, such as `ENCRYPT_DECRYPT`.
        origin: Where its material comes from.
        state: Its key state.
        description: Its description.
        created: When it was made.
        policy_text: Its key policy, as it was written.
        policy: The same, parsed.
        tags: Its tags, in the order in which they were set.
        materials: Its material, the current one last; empty before the first import.
        grants: Its grants, the oldest first.
        rotation: Automatic rotation, or None where it is off.
        deletion_date: When it will be deleted, in the state PendingDeletion alone.
        primary_region: Where the primary of a multi-Region key is; None for a key of a single Region.
        deletion_window: Days from its last replica's deletion to its own, in PendingReplicaDeletion alone.
        pending_material: Imported material that the next rotation on demand makes current.
        custom_key_store_id: The custom key store that it is in, or None.
        xks_key_id: The external key that stands behind it, or None.
        state_once_connected: Its state when its custom key store is connected again, in Unavailable alone.
        manager: Whether the customer or AWS administers it.
    """

    partition: str
    region: str
    account_id: str
    key_id: str
    spec: str
    usage: str
    origin: str
    state: KeyState
    description: str
    created: datetime
    policy_text: str
    policy: KeyPolicy
    tags: tuple[tuple[str, str], ...]
    materials: tuple[KeyMaterial, ...]
    grants: tuple[GrantRecord, ...] = ()
    rotation: Rotation | None = None
    deletion_date: datetime | None = None
    primary_region: str | None = None
    deletion_window: int | None = None
    pending_material: KeyMaterial | None = None
    custom_key_store_id: str | None = None
    xks_key_id: str | None = None
    state_once_connected: KeyState | None = None
    manager: str = MANAGED_BY_CUSTOMER

    @property
    def arn(self) -> str:
        """The full key ARN."""
        return f"arn:{self.partition}:kms:{self.region}:{self.account_id}:key/{self.key_id}"

    @property
    def material(self) -> KeyMaterial | None:
        """The current material; None before the first import."""
        return self.materials[-1] if self.materials else None

    @property
    def multi_region(self) -> bool:
        """Whether it is a multi-Region key."""
        return self.primary_region is not None

    @property
    def replica(self) -> bool:
        """Whether it is a replica of a multi-Region key, not its primary."""
        return self.primary_region not in (None, self.region)

    @property
    def complete(self) -> bool:
        """Whether all of its material is there: nothing is to be imported, first or again."""
        return bool(self.materials) and all(material.secret is not None for material in self.materials)

    @property
    def symmetric_encryption(self) -> bool:
        """Whether it encrypts and decrypts under a symmetric key."""
        return self.spec == SYMMETRIC and self.usage == ENCRYPT_DECRYPT


@dataclass(frozen=True, slots=True)
class AliasRecord:
    """An alias: a name, of one account and Region, for one of its keys."""

    partition: str
    region: str
    account_id: str
    name: str
    key_id: str
    created: datetime
    updated: datetime

    @property
    def arn(self) -> str:
        """The alias ARN."""
        return f"arn:{self.partition}:kms:{self.region}:{self.account_id}:{self.name}"


def default_policy(partition: str, account_id: str) -> str:
    """The key policy that KMS gives a key without one (AWS KMS Developer Guide, "Default key policy")."""
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Id": "key-default-1",
            "Statement": [
                {
                    "Sid": "Enable IAM User Permissions",
                    "Effect": "Allow",
                    "Principal": {"AWS": f"arn:{partition}:iam::{account_id}:root"},
                    "Action": "kms:*",
                    "Resource": "*",
                }
            ],
        },
        indent=2,
    )
