"""Small builders of what many tests need: declarations, ARNs, states, times."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from engine.arn import KeyArn
from engine.declaration import Declaration, parse_declaration
from engine.ledger.actor import Actor
from engine.ledger.sqlite import SqliteLedger
from engine.lifecycle import TenantState

if TYPE_CHECKING:
    from engine.ledger.interface import DataKey, Ledger

CUSTOMER = "123456789012"
VENDOR = "210987654321"
REGION = "us-east-1"
NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
ACTOR = Actor(f"arn:aws:iam::{CUSTOMER}:role/KeyAdmin", "keyturn test", "0")

DECLARATION = f"""\
version: 1
tenant: northwind
druva: {{account_id: "{VENDOR}", activated: true}}
products: [microsoft365, google_workspace, entra_id]
aws: {{account_id: "{CUSTOMER}", region: {REGION}}}
key_administrators: ["arn:aws:iam::{CUSTOMER}:role/KeyAdmin"]
allow_key_deletion: true
break_glass: []
vendor_access: both
alias: alias/northwind-ekm
current: 1
revoked: false
generations:
  - number: 1
    description: first key
"""


def key_arn(number: int, *, account_id: str = CUSTOMER, region: str = REGION) -> KeyArn:
    """A key ARN of its own for each number."""
    return KeyArn("aws", region, account_id, f"00000000-0000-4000-8000-{number:012d}")


def declaration(text: str = DECLARATION) -> Declaration:
    """The declaration of this text."""
    return parse_declaration("ekm.yaml", text.encode())


def declared_generations(count: int, current: int = 1, **replacements: str) -> str:
    """The text of a declaration with so many generations."""
    text = DECLARATION.replace("current: 1\n", f"current: {current}\n")
    text += "".join(f"  - number: {number}\n" for number in range(2, count + 1))
    for old, new in replacements.items():
        text = text.replace(old, new)
    return text


def cloud_state() -> TenantState:
    """A tenant of which nothing is known yet."""
    return TenantState("northwind", CUSTOMER, REGION, VENDOR)


def store_altered(ledger: Ledger, altered: DataKey) -> None:
    """Write a record past all rules, as a damaged disk or an intruder does."""
    assert isinstance(ledger, SqliteLedger)
    ledger._connection.execute(
        "UPDATE data_keys SET generation = ?, key_arn = ?, ciphertext = ?, verified = ? WHERE data_key_id = ?",
        (altered.generation, altered.key_arn, altered.ciphertext, int(altered.verified), altered.data_key_id),
    )
