"""All tables of the suite; a module a group of operations."""

from __future__ import annotations

from tests.conformance.tables import cross_account, identifiers, key_states

TABLES = (*key_states.TABLES, *identifiers.TABLES, *cross_account.TABLES)
