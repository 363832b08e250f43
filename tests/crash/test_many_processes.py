"""Two to eight processes at one operation at once, some of them killed: nothing is lost, nothing is done twice."""

from __future__ import annotations

import random
import signal
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import VENDOR
from tests.crash.world import KINDS, Tenant

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.crash.world import World

    TenantBefore = Callable[[str, str], Tenant]

_ENDS = {
    "enable": {"enabled": 1, "rewrapped": 1},
    "rotate": {"rotation_started": 1, "rewrapped": 1},
    "retire": {"retired": 1},
    "release": {"released": 1},
}


def events(tenant: Tenant) -> Counter[str]:
    with closing(tenant.ledger()) as ledger:
        return Counter(entry.event for entry in ledger.journal())


def rush(tenant: Tenant, processes: int, seed: int) -> tuple[int, int]:
    """Let so many processes run at once, every other one killed somewhere; then go on. Says how many of each."""
    chance = random.Random(seed)  # noqa: S311 - so that a failure can be repeated
    with closing(tenant.ledger()) as ledger:
        before = ledger.head().state
    earlier = events(tenant)
    runs = [tenant.run_of(kill_at=chance.randint(1, 60) if number % 2 else None) for number in range(processes)]
    ended = tenant.world.zygote.run(*runs)
    killed = sum(end.exit_code == -signal.SIGKILL for end in ended)
    for run, end in zip(runs, ended, strict=True):
        # Whoever was not killed is done, or was told that another was first.
        assert end.exit_code in ({0, 1} if run.kill_at is None else {0, 1, -signal.SIGKILL}), end.err
        assert "Traceback" not in end.err
    tenant.assert_nothing_is_lost(before)
    tenant.resume()
    tenant.assert_nothing_is_lost(before)
    tenant.assert_done()
    happened = events(tenant)
    happened.subtract(earlier)
    for event, count in _ENDS[tenant.command[0]].items():
        assert happened[event] == count, f"{event}: {happened[event]} times"
    return processes, killed


@pytest.mark.requirement("EKM-34")
@pytest.mark.parametrize(("operation", "kind", "processes"), [("rotate", "sqlite", 4), ("retire", "dynamodb", 2)])
def test_processes_at_once_end_in_one_outcome(
    operation: str, kind: str, processes: int, before: TenantBefore, tell: Callable[[str], None]
) -> None:
    tenant = before(operation, kind).copy()
    started, killed = rush(tenant, processes, seed=processes)
    tenant.assert_every_payload_is_restored()
    tenant.delete()
    tell(f"{operation} on {kind}: {started} processes at once, {killed} of them killed")


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("processes", [2, 3, 4, 5, 6, 7, 8])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("operation", list(_ENDS))
def test_two_to_eight_processes_at_once_end_in_one_outcome(
    operation: str, kind: str, processes: int, before: TenantBefore
) -> None:
    for seed in range(3):
        tenant = before(operation, kind).copy()
        rush(tenant, processes, seed)
        tenant.assert_every_payload_is_restored()
        tenant.delete()


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", KINDS)
def test_workers_that_are_killed_one_after_the_other_move_everything_in_the_end(kind: str, world: World) -> None:
    tenant = Tenant.before("rotate", kind, world, workloads=24)
    with closing(tenant.ledger()) as ledger:
        before = ledger.head().state
    assert tenant.run(kill_at=40).exit_code == -signal.SIGKILL
    chance = random.Random(24)  # noqa: S311 - so that a failure can be repeated
    for _ in range(6):
        resumed = ("rotate", "--to", "2", *VENDOR)
        runs = [tenant.run_of(*resumed, kill_at=chance.randint(5, 80)) for _ in range(4)]
        tenant.world.zygote.run(*runs)
        tenant.assert_nothing_is_lost(before)
    tenant.resume()
    tenant.assert_nothing_is_lost(before)
    tenant.assert_done()
    tenant.assert_every_payload_is_restored()
