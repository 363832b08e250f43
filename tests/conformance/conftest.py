"""One run of the tables: where they run, and what is left behind at the end: nothing.

With the variables of `docs/conformance.md` set the rows run against AWS, else against a sandbox of their own.
"""

from __future__ import annotations

import secrets
import sys
from typing import TYPE_CHECKING

import pytest

from engine.sandbox import Identity as SandboxIdentity
from tests.conformance.cleaning import sweep
from tests.conformance.target import AwsTarget, SandboxTarget, aws_target
from tests.conformance.words import Identity
from tests.conformance.world import World
from tests.sandbox_fixtures import start_sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.sandbox import Sandbox


def sandbox_target(sandbox: Sandbox) -> SandboxTarget:
    """A sandbox as a target: the customer owns the keys, the vendor is the other account."""
    return SandboxTarget(
        sandbox,
        {
            Identity.OWNER: sandbox.credentials(SandboxIdentity.CUSTOMER),
            Identity.OTHER: sandbox.credentials(SandboxIdentity.VENDOR),
        },
    )


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    """The run. Whatever ends it, what it made is taken away."""
    mark = secrets.token_hex(4)
    target = aws_target()
    if target is None:
        with start_sandbox() as sandbox:
            yield World(sandbox_target(sandbox), mark)
        return
    try:
        yield World(target, mark)
    finally:
        _clean(target, mark)


def _clean(target: AwsTarget, mark: str) -> None:
    gone = sweep(target, mark)
    print(f"\nconformance run {mark}: {len(gone)} keys and aliases taken away", file=sys.stderr)
