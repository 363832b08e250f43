"""A tenant with five data keys of cloud mode."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.ledger.sqlite_making import create_sqlite_ledger
from tests.builders import ACTOR, NOW, cloud_state, key_arn
from tests.engine.rotation.tenant import SERVICE, FailingKms, Tenant

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def tenant(tmp_path: Path) -> Iterator[Tenant]:
    kms = FailingKms()
    for arn in (SERVICE, key_arn(1)):
        kms.add_key(arn)
    tenant = Tenant(create_sqlite_ledger(tmp_path / "ledger.db", cloud_state(), ACTOR, NOW), kms)
    for number in range(5):
        tenant.add(f"onedrive/user-{number}")
    yield tenant
    tenant.ledger.close()
