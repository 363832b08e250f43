from __future__ import annotations

from itertools import product

import pytest

from engine.declaration import DeclaredState, VendorAccess
from stacks.custody import Custody, alias_target, custody_of
from tests.stacks.declared import EXISTING_KEY, declare

NEWER = {"number": 2}


def custody(state: str, access: str = "both", *, revoked: bool = False) -> Custody:
    declaration = declare(
        vendor_access=access, revoked=revoked, current=2, generations=[{"number": 1, "state": state}, NEWER]
    )
    return custody_of(declaration, declaration.generation(1))


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("active", Custody(emitted=True, enabled=True, kept=True, vendor_by_key_policy=True, vendor_by_grant=True)),
        ("retired", Custody(emitted=True, enabled=False, kept=True, vendor_by_key_policy=True, vendor_by_grant=False)),
        (
            "released",
            Custody(emitted=True, enabled=False, kept=False, vendor_by_key_policy=True, vendor_by_grant=False),
        ),
        (
            "deleted",
            Custody(emitted=False, enabled=False, kept=False, vendor_by_key_policy=False, vendor_by_grant=False),
        ),
    ],
)
def test_a_generation_loses_step_by_step_what_its_state_no_longer_needs(state: str, expected: Custody) -> None:
    assert custody(state) == expected


@pytest.mark.requirement("EKM-10")
def test_a_revoked_tenant_has_no_enabled_key_and_no_vendor_access_in_any_state() -> None:
    for state, access in product(DeclaredState, VendorAccess):
        found = custody(state.value, access.value, revoked=True)
        assert (found.enabled, found.vendor_by_key_policy, found.vendor_by_grant) == (False, False, False)


def test_revoking_keeps_every_key_that_was_kept() -> None:
    for state in DeclaredState:
        revoked, usual = custody(state.value, revoked=True), custody(state.value)
        assert (revoked.emitted, revoked.kept) == (usual.emitted, usual.kept)


@pytest.mark.parametrize(
    ("access", "by_policy", "by_grant"), [("key_policy", True, False), ("grant", False, True), ("both", True, True)]
)
def test_the_vendor_gets_the_access_that_is_declared(access: str, by_policy: bool, by_grant: bool) -> None:
    found = custody("active", access)
    assert (found.vendor_by_key_policy, found.vendor_by_grant) == (by_policy, by_grant)


@pytest.mark.parametrize("made_elsewhere", [{"key_arn": EXISTING_KEY}, {"address": "module.keys.aws_kms_key.ekm[0]"}])
def test_a_key_made_elsewhere_is_not_emitted(made_elsewhere: dict[str, str]) -> None:
    declaration = declare(generations=[{"number": 1, **made_elsewhere}])
    assert not custody_of(declaration, declaration.generation(1)).emitted


def test_the_alias_follows_the_current_generation() -> None:
    declaration = declare(current=2, generations=[{"number": 1}, NEWER, {"number": 3}])
    assert alias_target(declaration).number == 2
