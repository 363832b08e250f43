"""Declarations for the tests of the stacks: the smallest one, with single values changed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from engine.declaration import parse_declaration
from stacks.synthesis import Synthesis

if TYPE_CHECKING:
    from pathlib import Path

    from engine.declaration import Declaration

CUSTOMER = "123456789012"
VENDOR = "021098765432"
ADMINISTRATOR = f"arn:aws:iam::{CUSTOMER}:role/KeyAdmin"
EXISTING_KEY = f"arn:aws:kms:us-east-1:{CUSTOMER}:key/1234abcd-12ab-34cd-56ef-1234567890ab"


def declaration_value(**changes: Any) -> dict[str, Any]:
    """The content of an `ekm.yaml` with one generation, with these top-level values changed."""
    value: dict[str, Any] = {
        "version": 1,
        "tenant": "northwind",
        "druva": {"account_id": VENDOR, "activated": True},
        "products": ["microsoft365"],
        "aws": {"account_id": CUSTOMER, "region": "us-east-1"},
        "key_administrators": [ADMINISTRATOR],
        "allow_key_deletion": True,
        "break_glass": [],
        "vendor_access": "both",
        "alias": "alias/northwind-ekm",
        "current": 1,
        "revoked": False,
        "generations": [{"number": 1, "description": "first key"}],
    }
    return value | changes


def declaration_text(**changes: Any) -> str:
    return json.dumps(declaration_value(**changes), indent=2)  # JSON is YAML, with every text in quotes


def declare(**changes: Any) -> Declaration:
    return parse_declaration("ekm.yaml", declaration_text(**changes).encode())


def emitted(folder: Path, declaration: Declaration) -> dict[str, Any]:
    """The JSON that a declaration's stack is written as."""
    Synthesis((declaration,), folder).write()
    return read_stack(folder, declaration.tenant)


def read_stack(folder: Path, tenant: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "stacks" / tenant / "cdk.tf.json").read_text())
    return content
