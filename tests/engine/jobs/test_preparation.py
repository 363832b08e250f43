"""Discovery and configuration use the key where the seeds say so, and not where they do not."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from engine.catalogue import APPLICATIONS, WORKFLOWS, Product, WorkflowKind, find_workflow
from engine.errors import ExitCode, InputError, KeyAccessError
from engine.jobs.operation import existing_key
from engine.jobs.preparation import configure, discover, inventory_label
from engine.jobs.report import Outcome
from tests.builders import key_arn
from tests.engine.jobs.world import only, succeeded

if TYPE_CHECKING:
    from engine.catalogue import Workflow
    from tests.engine.jobs.world import World

DISCOVERIES = [workflow for workflow in WORKFLOWS if workflow.kind is WorkflowKind.DISCOVERY]
WITH_KEY = find_workflow(Product.MICROSOFT_365, WorkflowKind.CONFIGURATION, "workloads that use the key")
WITHOUT_KEY = find_workflow(Product.MICROSOFT_365, WorkflowKind.CONFIGURATION, "other workloads")
USING_KEY = ["groups/one", "public_folder/one", "sharepoint/one", "teams/one"]


@pytest.fixture
def tenant(world: World) -> World:
    """A tenant with a workload of each application, and a folder beside them."""
    for application in APPLICATIONS:
        world.write(f"{application.name}/one/file")
    world.write("files x/y/file")
    return world


def inventory(world: World, workflow: Workflow) -> list[str]:
    """The labels in the newest inventory."""
    with existing_key(world.context, inventory_label(workflow), "payload") as key:
        reader = world.vault.open_snapshot(key.record, key.lease, world.vault.find_snapshot(key.record))
        (entry,) = reader.entries()
        document = json.loads(b"".join(bytes(piece) for piece in reader.content(entry)))  # type: ignore[arg-type]
        reader.close()
    return [workload["workload"] for workload in document["workloads"]]


@pytest.mark.requirement("EKM-37")
@pytest.mark.requirement("EKM-38")
@pytest.mark.parametrize("workflow", DISCOVERIES, ids=lambda workflow: workflow.title)
def test_a_discovery_keeps_an_encrypted_inventory_and_fails_when_the_key_is_revoked(
    tenant: World, workflow: Workflow
) -> None:
    report = discover(tenant.context, workflow, tenant.source)
    assert succeeded(report)
    expected = sorted(f"{application}/one" for application in workflow.applications)
    assert inventory(tenant, workflow) == list(only(report).found) == expected
    assert only(report).files == len(expected)
    assert not any(b"/one" in path.read_bytes() for path in (tenant.vault_folder / "data").rglob("*") if path.is_file())
    tenant.revoke()
    report = discover(tenant.context, workflow, tenant.source)
    error = only(report).error
    assert isinstance(error, KeyAccessError)
    assert workflow.title in error.message
    assert str(key_arn(1)) in error.message
    assert report.exit_code is ExitCode.AWS
    tenant.reinstate()
    tenant.write(f"{workflow.applications[0]}/two/file")
    assert succeeded(discover(tenant.context, workflow, tenant.source))
    assert len(inventory(tenant, workflow)) == len(expected) + 1


@pytest.mark.requirement("EKM-37")
@pytest.mark.parametrize(
    "workflow", [w for w in DISCOVERIES if "EKM-37" in w.requirements], ids=lambda workflow: workflow.title
)
def test_a_discovery_may_look_at_one_application_alone_but_at_none_of_another_workflow(
    tenant: World, workflow: Workflow
) -> None:
    for application in workflow.applications:
        report = discover(tenant.context, workflow, tenant.source, [application])
        assert only(report).found == (f"{application}/one",)
    tenant.kms.calls.clear()
    for other in ("exchange_online", "gmail", "directory", "outlook"):
        with pytest.raises(InputError, match=other):
            discover(tenant.context, workflow, tenant.source, [other])
    assert not tenant.kms.calls


def test_an_inventory_is_nothing_that_a_restore_brings_back(tenant: World) -> None:
    discover(tenant.context, DISCOVERIES[0], tenant.source)
    tenant.back_up()
    report = tenant.restore()
    assert succeeded(report)
    assert not any("inventory" in result.workload for result in report.results)


@pytest.mark.requirement("EKM-39")
@pytest.mark.requirement("EKM-40")
def test_with_the_key_revoked_workloads_that_use_it_cannot_be_configured(tenant: World) -> None:
    tenant.revoke()
    report = configure(tenant.context, WITH_KEY, tenant.source)
    assert [result.workload for result in report.results] == USING_KEY
    assert all(isinstance(result.error, KeyAccessError) for result in report.results)
    assert tenant.ledger.census().total == 0
    tenant.reinstate()
    assert succeeded(configure(tenant.context, WITH_KEY, tenant.source))
    assert tenant.ledger.census().total == len(USING_KEY)


@pytest.mark.requirement("EKM-39")
@pytest.mark.requirement("EKM-40")
def test_a_configured_workload_is_configured_again_only_if_its_key_still_opens(tenant: World) -> None:
    configure(tenant.context, WITH_KEY, tenant.source)
    assert succeeded(configure(tenant.context, WITH_KEY, tenant.source))
    tenant.revoke()
    assert len(configure(tenant.context, WITH_KEY, tenant.source).failures) == len(USING_KEY)


@pytest.mark.requirement("EKM-40")
def test_configuring_other_workloads_does_not_use_the_key(tenant: World) -> None:
    tenant.revoke()
    report = configure(tenant.context, WITHOUT_KEY, tenant.source)
    assert [result.workload for result in report.results] == ["exchange_online/one", "onedrive/one"]
    assert succeeded(report)
    assert not tenant.kms.calls


def test_a_workload_that_a_configuration_is_not_for_is_refused(tenant: World) -> None:
    report = configure(tenant.context, WITHOUT_KEY, tenant.source, ["teams/one", "onedrive/one"])
    teams, onedrive = report.results
    assert isinstance(teams.error, InputError)
    assert onedrive.outcome is Outcome.COMPLETED
    with pytest.raises(InputError):
        configure(tenant.context, DISCOVERIES[0], tenant.source)
    with pytest.raises(InputError):
        discover(tenant.context, WITH_KEY, tenant.source)


def test_a_discovery_whose_last_inventory_is_lost_says_so_once(tenant: World) -> None:
    workflow = DISCOVERIES[0]
    for _ in range(2):
        assert succeeded(discover(tenant.context, workflow, tenant.source))
    record = tenant.record(inventory_label(workflow))
    for snapshot in tenant.vault.snapshots(record):
        (tenant.vault_folder / "snapshots" / record.data_key_id / f"{snapshot}.json").unlink()
        shutil.rmtree(tenant.vault_folder / "data" / record.data_key_id / snapshot.text)
    told = only(discover(tenant.context, workflow, tenant.source))
    assert told.outcome is Outcome.WITH_PROBLEMS
    assert f"the ledger tells of snapshot {snapshot}" in told.problems[0].reason
    assert only(discover(tenant.context, workflow, tenant.source)).outcome is Outcome.COMPLETED
