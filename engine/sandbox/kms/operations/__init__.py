"""The operations that the sandbox has, one module a group, in one table.

An operation of AWS KMS that is not in it is refused as unknown; it never seems to succeed.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from engine.sandbox.kms.operations import (
    aliases,
    cryptography,
    custom_key_stores,
    data_keys,
    grants,
    imports,
    keys,
    last_usage,
    policies,
    replicas,
    rotation,
    signatures,
    states,
    tags,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.sandbox.kms.call import Operation

_ALL: tuple[Operation, ...] = (
    *keys.OPERATIONS,
    *states.OPERATIONS,
    *policies.OPERATIONS,
    *tags.OPERATIONS,
    *rotation.OPERATIONS,
    *aliases.OPERATIONS,
    *grants.OPERATIONS,
    *cryptography.OPERATIONS,
    *data_keys.OPERATIONS,
    *signatures.OPERATIONS,
    *imports.OPERATIONS,
    *replicas.OPERATIONS,
    *custom_key_stores.OPERATIONS,
    *last_usage.OPERATIONS,
)
OPERATIONS: Mapping[str, Operation] = MappingProxyType({operation.name: operation for operation in _ALL})
