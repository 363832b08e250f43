"""Which key a request means.

- A key id or an alias name means one of the caller's own account, in the Region that the request was
  signed for. A key ARN or an alias ARN may name another account's.
- An ARN of another Region or partition is refused with `NotFoundException`, as KMS does it: a key is used
  in its own Region.
- Operations that manage a key take its id or its ARN, not an alias.
- For another account's key, "it is not there" and "you may not" are one and the same answer.
  (AWS KMS Developer Guide, "Key identifiers", "Find the key ID and key ARN")
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.arn import is_account_id
from engine.sandbox.kms.errors import not_found

if TYPE_CHECKING:
    from engine.sandbox.kms.model import AliasRecord, KeyRecord
    from engine.sandbox.kms.store import KeyStore

_KEY_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|mrk-[0-9a-f]{32}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Reference:
    """What an identifier names.

    Attributes:
        partition: The AWS partition.
        region: The Region of the request.
        account_id: The account that it names.
        resource: `key/ID` or `alias/NAME`.
        alias: Whether it is an alias.
    """

    partition: str
    region: str
    account_id: str
    resource: str
    alias: bool

    @property
    def arn(self) -> str:
        """The ARN that it stands for."""
        return f"arn:{self.partition}:kms:{self.region}:{self.account_id}:{self.resource}"


@dataclass(frozen=True, slots=True)
class Target:
    """The key that was found, and the alias by which it was named, if it was."""

    key: KeyRecord
    alias: AliasRecord | None = None


def parse_identifier(text: str, *, partition: str, region: str, account_id: str, aliases: bool) -> Reference:
    """Read a `KeyId`.

    Args:
        text: What the client sent.
        partition: The partition of the request.
        region: The Region of the request.
        account_id: The caller's account.
        aliases: Whether the operation takes aliases.

    Raises:
        KmsError: `NotFoundException` where it names nothing of this Region.
    """
    if text.startswith("arn:"):
        reference = _parse_arn(text, partition, region)
    elif text.startswith("alias/"):
        reference = Reference(partition, region, account_id, text, alias=True)
    elif _KEY_ID.fullmatch(text):
        reference = Reference(partition, region, account_id, f"key/{text}", alias=False)
    else:
        raise not_found(f"Invalid keyId {text!r}")
    if reference.alias and not aliases:
        raise not_found(f"Invalid keyId {text!r}")
    return reference


def find_target(store: KeyStore, reference: Reference) -> Target | None:
    """Look up what an identifier names; None where it is not there."""
    alias = None
    key_id = reference.resource.partition("/")[2]
    if reference.alias:
        alias = store.alias(reference.account_id, reference.region, reference.resource)
        if alias is None:
            return None
        key_id = alias.key_id
    key = store.key(reference.account_id, reference.region, key_id)
    return Target(key, alias) if key is not None else None


def missing(reference: Reference) -> str:
    """KMS's words for something of the caller's own account that is not there."""
    return f"Alias {reference.arn} is not found." if reference.alias else f"Key '{reference.arn}' does not exist"


def _parse_arn(text: str, partition: str, region: str) -> Reference:
    parts = text.split(":")
    if len(parts) != 6 or parts[2] != "kms" or parts[1] != partition or not is_account_id(parts[4]):
        raise not_found(f"Invalid arn {text}")
    if parts[3] != region:
        raise not_found(f"Invalid arn {parts[3]}")
    alias = parts[5].startswith("alias/")
    if not alias and not (parts[5].startswith("key/") and _KEY_ID.fullmatch(parts[5].removeprefix("key/"))):
        raise not_found(f"Invalid arn {text}")
    return Reference(partition, region, parts[4], parts[5], alias)
