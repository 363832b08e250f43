"""KMS keys, aliases and grants as frozen records.

A change makes a new record that takes the old one's place in the store, so whoever reads one sees one
moment. Key material is never shown.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.access import KeyPolicy
    from engine.access.model import Grant, KeyState

SYMMETRIC = "SYMMETRIC_DEFAULT"
ENCRYPT_DECRYPT = "ENCRYPT_DECRYPT"
DEFAULT_ROTATION_PERIOD = 365  # days


@dataclass(frozen=True, slots=True)
class KeyMaterial:
    """One version of a key's material: 64 hexadecimal digits that name it, and the secret."""

    material_id: str
    secret: bytes = field(repr=False)

    @classmethod
    def generate(cls) -> KeyMaterial:
        """New random material of 256 bits."""
        return cls(secrets.token_hex(32), secrets.token_bytes(32))


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
    """Automatic rotation that is switched on."""

    period_in_days: int
    enabled_at: datetime

    @property
    def next_date(self) -> datetime:
        """When the material would be rotated next."""
        return self.enabled_at + timedelta(days=self.period_in_days)


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
        multi_region: Whether it is a multi-Region key.
        state: Its key state.
        description: Its description.
        created: When it was made.
        policy_text: Its key policy, as it was written.
        policy: The same, parsed.
        tags: Its tags, in the order in which they were set.
        materials: Its material, the current one last; empty while an import is pending.
        grants: Its grants, the oldest first.
        rotation: Automatic rotation, or None where it is off.
        deletion_date: When it will be deleted, in the state PendingDeletion alone.
    """

    partition: str
    region: str
    account_id: str
    key_id: str
    spec: str
    usage: str
    origin: str
    multi_region: bool
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

    @property
    def arn(self) -> str:
        """The full key ARN."""
        return f"arn:{self.partition}:kms:{self.region}:{self.account_id}:key/{self.key_id}"

    @property
    def material(self) -> KeyMaterial | None:
        """The current material; None while an import is pending."""
        return self.materials[-1] if self.materials else None

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
