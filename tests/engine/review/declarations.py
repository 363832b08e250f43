"""Declarations and proofs for tests, as typed values."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from engine.arn import parse_key_arn
from engine.declaration import Declaration, parse_declaration
from engine.review.proof import GenerationProof, RotationProof, Standing
from tests.engine.review.plan_builder import CUSTOMER, TENANT, VENDOR, key_arn

if TYPE_CHECKING:
    from collections.abc import Mapping


def declaration(generations: int = 1, **changes: Any) -> Declaration:
    """A checked declaration of so many generations.

    Args:
        generations: How many there are; each may be changed by `generation_N={...}`.
        changes: Top-level values that differ; `vendor_account`, `activated`, `account` and `region` stand further down.
    """
    entries = [{"number": number, **changes.pop(f"generation_{number}", {})} for number in range(1, generations + 1)]
    document = {
        "version": 1,
        "tenant": TENANT,
        "druva": {
            "account_id": changes.pop("vendor_account", VENDOR),
            "activated": changes.pop("activated", True),
        },
        "products": ["microsoft365", "google_workspace", "entra_id"],
        "aws": {"account_id": changes.pop("account", CUSTOMER), "region": changes.pop("region", "us-east-1")},
        "key_administrators": [f"arn:aws:iam::{CUSTOMER}:role/KeyAdmin"],
        "allow_key_deletion": True,
        "break_glass": [],
        "vendor_access": "both",
        "alias": "alias/northwind-ekm",
        "current": 1,
        "revoked": False,
        "generations": entries,
        **changes,
    }
    return parse_declaration("ekm.yaml", json.dumps(document).encode())


def proof(
    standings: Mapping[int, str], *, revoked: bool = False, certificate: bool = True, integrated: bool = True
) -> RotationProof:
    """What is proved: the standing of each generation; `retired` and later ones with their certificate."""
    done = (Standing.RETIRED, Standing.RELEASED, Standing.DELETED)
    return RotationProof(
        tenant=TENANT,
        revoked=revoked,
        generations=tuple(
            GenerationProof(
                number=number,
                key_arn=parse_key_arn(key_arn(number)),
                standing=Standing(standing),
                integrated=integrated and Standing(standing) is not Standing.REGISTERED,
                certificate=certificate and Standing(standing) in done,
            )
            for number, standing in standings.items()
        ),
    )
