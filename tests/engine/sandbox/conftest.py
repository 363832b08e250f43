"""Fixtures of the sandbox's own tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.sandbox import Identity
from tests.builders import CUSTOMER
from tests.sandbox_fixtures import Account, start_sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def own() -> Iterator[Account]:
    """The customer's account in a sandbox of the module's own, whose clock may be moved."""
    with start_sandbox() as sandbox:
        yield Account(sandbox, Identity.CUSTOMER, CUSTOMER)
