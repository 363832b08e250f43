"""Killed at every durable write and around every call, an operation loses nothing and can be gone on with.

The bounded matrix, in every run of the tests, tries some points of each operation; the full one (`make soak`)
tries all of them. Both say how many they tried, and hold the count against a trace taken outside the process.
"""

from __future__ import annotations

import signal
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.builders import cloud_state
from tests.crash.points import AFTER, BEFORE
from tests.crash.trace import Trace, traced
from tests.crash.world import KINDS, OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.lifecycle import TenantState
    from tests.crash.trace import RequestCounter
    from tests.crash.world import Tenant
    from tests.crash.zygote import Ended

    TenantBefore = Callable[[str, str], Tenant]

_TELLING = ("transaction", "object", "UpdateItem", "TransactWriteItems", "PutItem", "ReEncrypt")
_SOME = {"sqlite": 6, "dynamodb": 2}


def state_of(tenant: Tenant) -> TenantState:
    with closing(tenant.ledger()) as ledger:
        return ledger.head().state


def counted(points: Sequence[str], moment: str) -> Trace:
    """What the process itself says that it did."""
    kinds = [name.split()[1] for name in points if name.startswith(f"{moment} ")]
    return Trace(kinds.count("read"), kinds.count("request"), kinds.count("transaction"), kinds.count("object"))


def undisturbed(tenant: Tenant, requests: RequestCounter) -> tuple[str, ...]:
    """All points of an operation; the trace from outside shows the same."""
    copy = tenant.copy()
    with traced(requests, copy.folder) as trace:
        ended = copy.run()
    assert ended.exit_code == 0, ended.err
    assert counted(ended.points, BEFORE) == counted(ended.points, AFTER) == trace
    copy.assert_nothing_is_lost(state_of(tenant))
    copy.assert_done()
    copy.assert_every_payload_is_restored()
    copy.delete()
    return ended.points


def killed_at(tenant: Tenant, number: int, requests: RequestCounter, *, restores: bool) -> Ended:
    """Kill an operation at one point, look at what is left, go on, and look again."""
    copy, before = tenant.copy(), state_of(tenant)
    with traced(requests, copy.folder) as trace:
        ended = copy.run(kill_at=number)
    if ended.exit_code == -signal.SIGKILL:
        assert len(ended.points) == number
        took_effect = counted(ended.points, AFTER).total
        # DynamoDB's census asks several shards at once: some are under way when the process is killed.
        assert trace.total == took_effect if tenant.store is None else trace.total >= took_effect
        copy.assert_nothing_is_lost(before)
    copy.resume()
    copy.assert_nothing_is_lost(before)
    copy.assert_done()
    if restores:
        copy.assert_every_payload_is_restored()
    copy.delete()
    return ended


def matrix(tenant: Tenant, requests: RequestCounter, most: int | None, tell: Callable[[str], None]) -> None:
    points = undisturbed(tenant, requests)
    numbers = _chosen(points, most)
    # That every data key opens to what it was is asserted each time; a restore of all payloads takes longer.
    tried = [
        killed_at(tenant, number, requests, restores=most is None or number == numbers[len(numbers) // 2])
        for number in numbers
    ]
    killed = sum(ended.exit_code == -signal.SIGKILL for ended in tried)
    # What takes longer is stored in more steps: a run may come to its end before it reaches so many points.
    assert all(
        ended.exit_code == -signal.SIGKILL or len(ended.points) < number
        for ended, number in zip(tried, numbers, strict=True)
    )
    assert killed >= len(numbers) * 2 // 3
    kind = "sqlite" if tenant.store is None else "dynamodb"
    count = counted(points, BEFORE)
    tell(
        f"{tenant.command[0]} on {kind}: killed at {killed} of {len(points) - 2 * count.reads} points."
        f" From outside: {count.requests} requests, {count.transactions} transactions, {count.objects} objects,"
        f" a point before and one after each: {2 * count.total}; and {count.reads} mere reads"
    )


def _chosen(points: Sequence[str], most: int | None) -> list[int]:
    """All points but around mere reads of DynamoDB; or some of these, durable writes and moved data keys first."""
    numbers = [number for number, point in enumerate(points, start=1) if point.split()[1] != "read"]
    if most is None or len(numbers) <= most:
        return numbers
    telling = [number for number in numbers if any(word in points[number - 1] for word in _TELLING)]
    chosen = _spread(telling, most)
    return sorted(chosen + _spread([number for number in numbers if number not in telling], most - len(chosen)))


def _spread(numbers: Sequence[int], most: int) -> list[int]:
    """At most so many of these, evenly."""
    if len(numbers) <= most:
        return list(numbers)
    return [numbers[index * len(numbers) // most] for index in range(most)]


@pytest.mark.requirement("EKM-34")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_killed_at_some_points_nothing_is_lost_and_the_operation_goes_on(
    operation: str,
    kind: str,
    before: TenantBefore,
    requests: RequestCounter,
    tell: Callable[[str], None],
) -> None:
    matrix(before(operation, kind), requests, _SOME[kind], tell)


def test_killed_while_the_first_ledger_is_made_there_is_a_whole_one_or_none(before: TenantBefore) -> None:
    tenant = before("begin", "sqlite")
    whole = tenant.copy()
    points = whole.run().points
    numbers = [number for number, point in enumerate(points, start=1) if not point.endswith("request")]
    made = points.index(f"{AFTER} ledger") + 1
    for number in sorted({numbers[0], made - 2, made - 1, made, made + 1, numbers[-1]}):
        copy = tenant.copy()
        assert copy.run(kill_at=number).exit_code == -signal.SIGKILL
        assert copy.has_ledger() == (number >= made)
        if copy.has_ledger():
            copy.assert_nothing_is_lost(cloud_state())
        copy.resume()
        copy.assert_done()
        copy.delete()
    whole.delete()


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_killed_at_every_point_nothing_is_lost_and_the_operation_goes_on(
    operation: str,
    kind: str,
    before: TenantBefore,
    requests: RequestCounter,
    tell: Callable[[str], None],
) -> None:
    matrix(before(operation, kind), requests, None, tell)
