"""All tables of the suite; a module a group of operations."""

from __future__ import annotations

from tests.conformance.tables import (
    aliases,
    cross_account,
    cryptography,
    grants,
    identifiers,
    key_states,
    keys,
    policies,
    rotation,
    tags,
)

_MODULES = (key_states, identifiers, cross_account, cryptography, keys, aliases, grants, policies, tags, rotation)
TABLES = tuple(table for module in _MODULES for table in module.TABLES)
