"""All tables of the suite; a module a group of operations."""

from __future__ import annotations

from tests.conformance.tables import (
    aliases,
    cross_account,
    cryptography,
    custom_key_stores,
    grants,
    identifiers,
    imported_material,
    key_states,
    keys,
    last_usage,
    multi_region,
    policies,
    rotation,
    signatures,
    tags,
)

_MODULES = (
    key_states,
    identifiers,
    cross_account,
    cryptography,
    custom_key_stores,
    keys,
    aliases,
    grants,
    policies,
    tags,
    rotation,
    signatures,
    imported_material,
    multi_region,
    last_usage,
)
TABLES = tuple(table for module in _MODULES for table in module.TABLES)
