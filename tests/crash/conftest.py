"""One process that forks, one counter of requests, and tenants before each operation, for all of these tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.crash.trace import RequestCounter
from tests.crash.world import Tenant, World
from tests.crash.zygote import Zygote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engine.sandbox import Sandbox
    from tests.sandbox_fixtures import Account


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, customer: Account, vendor: Account) -> Iterator[World]:
    with Zygote(tmp_path_factory.mktemp("reports")) as zygote:
        yield World(tmp_path_factory.mktemp("tenants"), zygote, customer, vendor)


@pytest.fixture(scope="module")
def requests(sandbox: Sandbox) -> Iterator[RequestCounter]:
    counter = RequestCounter(sandbox)
    yield counter
    counter.restore(sandbox)


@pytest.fixture(scope="module")
def before(world: World) -> Callable[[str, str], Tenant]:
    """A tenant right before an operation, made once for each kind of ledger."""
    made: dict[tuple[str, str], Tenant] = {}

    def tenant_before(operation: str, kind: str) -> Tenant:
        if (operation, kind) not in made:
            made[operation, kind] = Tenant.before(operation, kind, world)
        return made[operation, kind]

    return tenant_before
