"""Keys of every origin carry backups and restores, and each origin's own way to fail is told for what it is."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from engine.arn import parse_key_arn
from engine.catalogue import APPLICATIONS, Product, WorkflowKind, find_workflow
from engine.envelope.data_keys import KeyAccess
from engine.errors import ExitCode, KeyAccessError, KeyFailure
from engine.jobs.backup import backup
from engine.jobs.restore import RestoreRequest, restore
from engine.kms import Kms
from engine.lifecycle import Enable, Register
from engine.sandbox import Identity
from engine.transitions import carry_out
from engine.validation import validate_key
from tests.builders import ACTOR, CUSTOMER, DECLARATION, NOW, VENDOR, cloud_state, declaration
from tests.engine.jobs.world import COPY, MANUAL_BACKUP, World, succeeded, tree
from tests.engine.sandbox.imported_material import import_material
from tests.engine.sandbox.key_stores import cloudhsm, external, make_store
from tests.sandbox_fixtures import Account, start_sandbox
from tests.tenant_keys import callers, make_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from engine.declaration import Declaration
    from engine.jobs.operation import JobContext
    from engine.sandbox import Sandbox

WORKLOAD = "exchange_online/anna"
MATERIAL = secrets.token_bytes(32)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """One of the module's own: its clock is moved."""
    with start_sandbox() as running:
        yield running


@pytest.fixture(scope="module")
def customer(sandbox: Sandbox) -> Account:
    return Account(sandbox, Identity.CUSTOMER, CUSTOMER)


@pytest.fixture(scope="module")
def vendor(sandbox: Sandbox) -> Account:
    return Account(sandbox, Identity.VENDOR, VENDOR)


@dataclass(frozen=True)
class Tenant:
    """A key of one origin, declared as what it is, with the store that it is in."""

    declaration: Declaration
    key: str
    store: str | None = None


def made(customer: Account, text: str, store: str | None = None, **members: Any) -> Tenant:
    declared = declaration(DECLARATION + text)
    key = make_key(customer, declared, 1, grant=not text.startswith("    origin: EXTERNAL\n"), **members)
    return Tenant(declared, key, store)


def kms_key(customer: Account) -> Tenant:
    return made(customer, "")


def imported_key(customer: Account) -> Tenant:
    tenant = made(customer, "    origin: EXTERNAL\n", Origin="EXTERNAL")
    import_material(customer.kms, tenant.key, MATERIAL, ValidTo=customer.sandbox.clock.now() + timedelta(days=10))
    grant(customer, tenant)
    return tenant


def cloudhsm_key(customer: Account) -> Tenant:
    store = make_store(customer.kms, cloudhsm())
    text = f"    origin: AWS_CLOUDHSM\n    custom_key_store_id: {store}\n"
    return made(customer, text, store, Origin="AWS_CLOUDHSM", CustomKeyStoreId=store)


def external_key(customer: Account) -> Tenant:
    store = make_store(customer.kms, external())
    text = f"    origin: EXTERNAL_KEY_STORE\n    custom_key_store_id: {store}\n    xks_key_id: key-1\n"
    return made(customer, text, store, Origin="EXTERNAL_KEY_STORE", CustomKeyStoreId=store, XksKeyId="key-1")


def multi_region_key(customer: Account) -> Tenant:
    return made(customer, "    multi_region: true\n", MultiRegion=True)


def grant(customer: Account, tenant: Tenant) -> None:
    """The vendor's grant, which a key that still waits for its material cannot have."""
    vendor = f"arn:aws:iam::{tenant.declaration.vendor.account_id}:root"
    operations: Any = ["Encrypt", "Decrypt", "ReEncryptFrom", "ReEncryptTo", "GenerateDataKey", "DescribeKey"]
    operations += ["GenerateDataKeyWithoutPlaintext"]
    customer.kms.create_grant(KeyId=tenant.key, GranteePrincipal=vendor, Operations=operations)


ORIGINS: dict[str, Callable[[Account], Tenant]] = {
    "made by KMS": kms_key,
    "imported": imported_key,
    "CloudHSM": cloudhsm_key,
    "external key store": external_key,
    "multi-Region": multi_region_key,
}


def enabled(tenant: Tenant, folder: Path, customer: Account, vendor: Account, workload: str = WORKLOAD) -> JobContext:
    """A tenant enabled on this key, whose jobs use it as the vendor."""
    world = World(folder)
    arn = parse_key_arn(tenant.key)
    carry_out(world.ledger, Register(1, arn, activated=True), ACTOR, NOW)
    carry_out(world.ledger, Enable(1, arn, "Anna Admin", "0" * 64), ACTOR, NOW)
    world.write(f"{workload}/1.eml", "a message")
    access = KeyAccess(Kms(customer.kms), Kms(vendor.kms, "the vendor"), customer.sandbox.service_key_arn)
    return replace(world.context, declaration=tenant.declaration, access=access)


@pytest.mark.requirement("EKM-06")
@pytest.mark.parametrize("origin", ORIGINS)
def test_a_key_of_any_origin_passes_and_serves_every_product(
    customer: Account, vendor: Account, tmp_path: Path, origin: str
) -> None:
    tenant = ORIGINS[origin](customer)
    report = validate_key(tenant.declaration, 1, tenant.key, cloud_state(), callers(customer, vendor))
    assert report.passed, report.checks
    for product in Product:
        folder = tmp_path / product.value
        folder.mkdir()
        workload = next(one.name for one in APPLICATIONS if one.product is product) + "/anna"
        context = enabled(tenant, folder, customer, vendor, workload)
        manual = find_workflow(product, WorkflowKind.BACKUP, "manual")
        assert succeeded(backup(context, manual, folder / "source"))
        copy = find_workflow(product, WorkflowKind.RESTORE)
        assert succeeded(restore(context, copy, RestoreRequest(folder / "restored")))
        assert tree(folder / "restored" / workload) == tree(folder / "source" / workload)


def let_expire(customer: Account, _tenant: Tenant) -> None:
    customer.sandbox.clock.advance(timedelta(days=11))


def import_again(customer: Account, tenant: Tenant) -> None:
    import_material(customer.kms, tenant.key, MATERIAL)


def disconnect(customer: Account, tenant: Tenant) -> None:
    customer.kms.disconnect_custom_key_store(CustomKeyStoreId=str(tenant.store))


def connect(customer: Account, tenant: Tenant) -> None:
    customer.kms.connect_custom_key_store(CustomKeyStoreId=str(tenant.store))


def cut_off(customer: Account, tenant: Tenant) -> None:
    customer.sandbox.set_key_store_reachable(str(tenant.store), reachable=False)


def join_again(customer: Account, tenant: Tenant) -> None:
    customer.sandbox.set_key_store_reachable(str(tenant.store), reachable=True)


def disable_the_primary(customer: Account, tenant: Tenant) -> None:
    customer.kms.replicate_key(KeyId=tenant.key, ReplicaRegion="eu-west-1")
    customer.kms.disable_key(KeyId=tenant.key)


def enable_the_primary(customer: Account, tenant: Tenant) -> None:
    customer.kms.enable_key(KeyId=tenant.key)


# How a key of an origin goes away, what that is called, and how it comes back.
LOSSES: dict[str, tuple[str, Callable[[Account, Tenant], None], KeyFailure, Callable[[Account, Tenant], None]]] = {
    "its material expires": ("imported", let_expire, KeyFailure.REVOKED, import_again),
    "its CloudHSM store is disconnected": ("CloudHSM", disconnect, KeyFailure.UNAVAILABLE, connect),
    "its external store is disconnected": ("external key store", disconnect, KeyFailure.UNAVAILABLE, connect),
    "its external key manager is down": ("external key store", cut_off, KeyFailure.UNAVAILABLE, join_again),
    "only its replica is left enabled": ("multi-Region", disable_the_primary, KeyFailure.REVOKED, enable_the_primary),
}


@pytest.mark.requirement("EKM-06")
@pytest.mark.parametrize("loss", LOSSES)
def test_a_key_that_goes_away_stops_jobs_and_is_told_for_what_it_is(
    customer: Account, vendor: Account, tmp_path: Path, loss: str
) -> None:
    origin, take_away, failure, give_back = LOSSES[loss]
    tenant = ORIGINS[origin](customer)
    context = enabled(tenant, tmp_path, customer, vendor)
    assert succeeded(backup(context, MANUAL_BACKUP, tmp_path / "source"))
    take_away(customer, tenant)
    for report in (
        backup(context, MANUAL_BACKUP, tmp_path / "source"),
        restore(context, COPY, RestoreRequest(tmp_path / "restored")),
    ):
        assert report.exit_code is ExitCode.AWS
        for result in report.results:
            assert isinstance(result.error, KeyAccessError)
            assert result.error.failure is failure
    give_back(customer, tenant)
    assert succeeded(restore(context, COPY, RestoreRequest(tmp_path / "restored")))
    assert tree(tmp_path / "restored" / WORKLOAD) == tree(tmp_path / "source" / WORKLOAD)
