"""Progress: what is done never passes what there is to do, and both meet in the end."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from engine.catalogue import Product, WorkflowKind, find_workflow
from engine.jobs.backup import backup
from engine.jobs.progress import Pace, Progressed
from engine.jobs.restore import RestoreRequest, restore
from tests.engine.jobs.world import COPY, succeeded

if TYPE_CHECKING:
    from engine.jobs.operation import JobContext
    from tests.engine.jobs.world import World


class Watch:
    """Watches a job, and keeps what was done and expected at every step."""

    def __init__(self, world: World, *, measured: bool = True) -> None:
        self.pace = Pace()
        self.seen: list[tuple[int, float | None]] = []
        self.context: JobContext = replace(
            world.context, progress=self._progressed, plan=self.pace.planned, measured=measured
        )

    def _progressed(self, step: Progressed) -> None:
        self.pace.progressed(step)
        self.seen.append((self.pace.done, self.pace.total))


@pytest.fixture
def tenant(world: World) -> World:
    for user in ("anna", "bob", "carol"):
        world.write(f"onedrive/{user}/large", os.urandom(2_500_000))
        world.write(f"onedrive/{user}/small", "small")
    return world


@pytest.mark.parametrize("trigger", ["manual", "bulk"])
def test_a_backup_and_a_restore_know_from_the_start_about_how_much_there_is(tenant: World, trigger: str) -> None:
    size = 3 * 2_500_005
    workflow = find_workflow(Product.MICROSOFT_365, WorkflowKind.BACKUP, trigger)
    first, again, back = Watch(tenant), Watch(tenant), Watch(tenant)
    assert succeeded(backup(first.context, workflow, tenant.source))
    assert succeeded(backup(again.context, workflow, tenant.source))
    assert succeeded(restore(back.context, COPY, RestoreRequest(tenant.root / "restored")))
    for watch in (first, again, back):
        assert {total for _, total in watch.seen} == {size}
        assert watch.pace.done == size


def test_one_path_of_a_snapshot_counts_for_itself(tenant: World) -> None:
    tenant.back_up()
    watch = Watch(tenant)
    request = RestoreRequest(tenant.root / "restored", ("onedrive/bob",), paths=("small",))
    assert succeeded(restore(watch.context, COPY, request))
    assert (watch.pace.done, watch.pace.total) == (5, 5)


def test_unmeasured_a_job_goes_by_the_workloads_that_ended(tenant: World) -> None:
    watch = Watch(tenant, measured=False)
    assert succeeded(tenant.back_up())
    assert succeeded(backup(watch.context, find_workflow(Product.MICROSOFT_365, WorkflowKind.BACKUP), tenant.source))
    assert watch.seen[0][1] is None
    assert all(total is None or total >= done for done, total in watch.seen)
    assert watch.pace.total == watch.pace.done == 3 * 2_500_005
