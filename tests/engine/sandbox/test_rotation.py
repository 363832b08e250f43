"""Rotation: on demand, and by itself when its time has come. The ARN stays; older ciphertexts open."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tests.engine.sandbox.keys import make_key
from tests.sandbox_fixtures import Account, refused

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient


def materials(kms: KMSClient, key: str) -> list[dict[str, Any]]:
    pages = kms.get_paginator("list_key_rotations").paginate(KeyId=key, IncludeKeyMaterial="ALL_KEY_MATERIAL")
    return [dict(entry) for page in pages for entry in page["Rotations"]]


def current(kms: KMSClient, key: str) -> str | None:
    return kms.describe_key(KeyId=key)["KeyMetadata"].get("CurrentKeyMaterialId")


def test_a_rotation_on_demand_gives_new_material_and_leaves_the_old(customer: Account) -> None:
    kms = customer.kms
    key = make_key(kms)
    first = current(kms, key)
    blob = kms.encrypt(KeyId=key, Plaintext=b"data")["CiphertextBlob"]
    assert kms.rotate_key_on_demand(KeyId=key)["KeyId"] == key
    second = current(kms, key)
    assert first != second
    opened = kms.decrypt(CiphertextBlob=blob, KeyId=key)
    assert (opened["Plaintext"], opened["KeyMaterialId"]) == (b"data", first)
    moved = kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=key)
    assert (moved["SourceKeyMaterialId"], moved["DestinationKeyMaterialId"]) == (first, second)
    entries = materials(kms, key)
    assert [(entry["KeyMaterialId"], entry["KeyMaterialState"]) for entry in entries] == [
        (first, "NON_CURRENT"),
        (second, "CURRENT"),
    ]
    assert "RotationDate" not in entries[0]
    completed = kms.list_key_rotations(KeyId=key)["Rotations"]
    assert [(entry.get("KeyMaterialId"), entry.get("RotationType")) for entry in completed] == [(second, "ON_DEMAND")]
    assert kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"] is False


def test_a_key_is_rotated_on_demand_25_times_and_no_more(customer: Account) -> None:
    key = make_key(customer.kms)
    for _ in range(25):
        customer.kms.rotate_key_on_demand(KeyId=key)
    last = current(customer.kms, key)
    with refused("LimitExceededException"):
        customer.kms.rotate_key_on_demand(KeyId=key)
    assert current(customer.kms, key) == last
    assert len(customer.kms.list_key_rotations(KeyId=key, Limit=10)["Rotations"]) == 10
    assert len(materials(customer.kms, key)) == 26


def test_automatic_rotation_comes_with_its_date(own: Account) -> None:
    kms, clock = own.kms, own.sandbox.clock
    key = make_key(kms)
    blob = kms.encrypt(KeyId=key, Plaintext=b"data")["CiphertextBlob"]
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=100)
    first_date = kms.get_key_rotation_status(KeyId=key)["NextRotationDate"]
    clock.advance(timedelta(days=99))
    assert len(materials(kms, key)) == 1
    clock.advance(timedelta(days=202))
    entries = materials(kms, key)
    assert [entry.get("RotationType") for entry in entries] == [None, *["AUTOMATIC"] * 3]
    assert entries[1]["RotationDate"] == first_date
    assert kms.get_key_rotation_status(KeyId=key)["NextRotationDate"] == first_date + timedelta(days=300)
    assert kms.decrypt(CiphertextBlob=blob)["KeyMaterialId"] == entries[0]["KeyMaterialId"]


def test_a_rotation_on_demand_leaves_the_schedule_alone(own: Account) -> None:
    key = make_key(own.kms)
    own.kms.enable_key_rotation(KeyId=key)
    date = own.kms.get_key_rotation_status(KeyId=key)["NextRotationDate"]
    own.sandbox.clock.advance(timedelta(days=100))
    own.kms.rotate_key_on_demand(KeyId=key)
    assert own.kms.get_key_rotation_status(KeyId=key)["NextRotationDate"] == date


def test_a_key_that_is_about_to_be_rotated_is_not_rotated_on_demand(own: Account) -> None:
    key = make_key(own.kms)
    own.kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
    own.sandbox.clock.advance(timedelta(days=90) - timedelta(minutes=10))
    before = materials(own.kms, key)
    with refused("ConflictException"):
        own.kms.rotate_key_on_demand(KeyId=key)
    assert materials(own.kms, key) == before
    own.sandbox.clock.advance(timedelta(minutes=10))
    own.kms.rotate_key_on_demand(KeyId=key)
    assert [entry.get("RotationType") for entry in materials(own.kms, key)] == [None, "AUTOMATIC", "ON_DEMAND"]


def test_a_disabled_key_is_rotated_only_once_it_is_enabled_again(own: Account) -> None:
    kms, key = own.kms, make_key(own.kms)
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
    kms.disable_key(KeyId=key)
    own.sandbox.clock.advance(timedelta(days=200))
    assert len(materials(kms, key)) == 1
    kms.enable_key(KeyId=key)
    assert len(materials(kms, key)) == 2
    kms.disable_key(KeyId=key)
    with refused("DisabledException"):
        kms.rotate_key_on_demand(KeyId=key)


def test_what_does_not_rotate_says_so(customer: Account) -> None:
    kms = customer.kms
    key = make_key(kms, KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
    with refused("UnsupportedOperationException"):
        kms.rotate_key_on_demand(KeyId=key)
    with refused("UnsupportedOperationException"):
        kms.list_key_rotations(KeyId=key)
    with refused("AccessDeniedException"):
        kms.rotate_key_on_demand(KeyId=key.replace(customer.account_id, "999999999999"))
