"""Imported key material: waited for, used, expired, deleted, and only ever the same again."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from engine.sandbox.kms.key_pairs import make_private_key, public_key
from tests.engine.sandbox.imported_material import OAEP, import_material, wrap
from tests.engine.sandbox.keys import OWNER, allow, make_key, root
from tests.sandbox_fixtures import Account, refused

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient


def describe(kms: KMSClient, key: str) -> dict[str, Any]:
    return dict(kms.describe_key(KeyId=key)["KeyMetadata"])


def rotations(kms: KMSClient, key: str) -> list[dict[str, Any]]:
    return [
        dict(entry) for entry in kms.list_key_rotations(KeyId=key, IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"]
    ]


def private_key(spec: str) -> bytes:
    material = make_private_key(spec)
    assert material is not None
    return material


@pytest.mark.parametrize("algorithm", ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"])
def test_a_key_is_enabled_by_the_import_of_its_material(customer: Account, algorithm: str) -> None:
    key = make_key(customer.kms, Origin="EXTERNAL")
    material_id = import_material(customer.kms, key, secrets.token_bytes(32), algorithm)
    metadata = describe(customer.kms, key)
    assert (metadata["KeyState"], metadata["Enabled"]) == ("Enabled", True)
    assert metadata["CurrentKeyMaterialId"] == material_id
    assert metadata["ExpirationModel"] == "KEY_MATERIAL_DOES_NOT_EXPIRE"
    assert "ValidTo" not in metadata
    blob = customer.kms.encrypt(KeyId=key, Plaintext=b"data")["CiphertextBlob"]
    opened = customer.kms.decrypt(CiphertextBlob=blob)
    assert (opened["Plaintext"], opened["KeyMaterialId"]) == (b"data", material_id)


def test_deleted_material_makes_the_key_wait_for_the_same_material_and_no_other(customer: Account) -> None:
    kms, material = customer.kms, secrets.token_bytes(32)
    key = make_key(kms, Origin="EXTERNAL")
    material_id = import_material(kms, key, material)
    blob = kms.encrypt(KeyId=key, Plaintext=b"data")["CiphertextBlob"]
    assert kms.delete_imported_key_material(KeyId=key)["KeyMaterialId"] == material_id
    metadata = describe(kms, key)
    assert (metadata["KeyState"], metadata["CurrentKeyMaterialId"]) == ("PendingImport", material_id)
    assert "ExpirationModel" not in metadata
    with refused("KMSInvalidStateException"):
        kms.decrypt(CiphertextBlob=blob)
    with refused("IncorrectKeyMaterialException"):
        import_material(kms, key, secrets.token_bytes(32))
    assert describe(kms, key)["KeyState"] == "PendingImport"
    assert import_material(kms, key, material) == material_id
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"data"


def test_expired_material_is_gone_until_it_is_imported_again(own: Account) -> None:
    kms, material = own.kms, secrets.token_bytes(32)
    key = make_key(kms, Origin="EXTERNAL")
    valid_to = (own.sandbox.clock.now() + timedelta(days=10)).replace(microsecond=0)
    import_material(kms, key, material, ValidTo=valid_to)
    metadata = describe(kms, key)
    assert (metadata["ExpirationModel"], metadata["ValidTo"]) == ("KEY_MATERIAL_EXPIRES", valid_to)
    blob = kms.encrypt(KeyId=key, Plaintext=b"data")["CiphertextBlob"]
    own.sandbox.clock.advance(timedelta(days=9, hours=23))
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"data"
    own.sandbox.clock.advance(timedelta(hours=2))
    assert describe(kms, key)["KeyState"] == "PendingImport"
    with refused("KMSInvalidStateException"):
        kms.decrypt(CiphertextBlob=blob)
    import_material(kms, key, material)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"data"
    own.sandbox.clock.advance(timedelta(days=400))
    assert describe(kms, key)["KeyState"] == "Enabled"


def test_an_import_token_is_for_one_key_and_one_day(own: Account) -> None:
    kms, material = own.kms, secrets.token_bytes(32)
    key, other = (make_key(kms, Origin="EXTERNAL") for _ in range(2))
    parameters = kms.get_parameters_for_import(KeyId=key, WrappingAlgorithm=OAEP, WrappingKeySpec="RSA_2048")
    members: Any = {
        "ImportToken": parameters["ImportToken"],
        "EncryptedKeyMaterial": wrap(parameters["PublicKey"], OAEP, material),
        "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE",
    }
    with refused("InvalidImportTokenException"):
        kms.import_key_material(KeyId=other, **members)
    with refused("InvalidImportTokenException"):
        kms.import_key_material(KeyId=key, **{**members, "ImportToken": b"no token"})
    with refused("InvalidCiphertextException"):
        kms.import_key_material(KeyId=key, **{**members, "EncryptedKeyMaterial": b"x" * 256})
    own.sandbox.clock.advance(timedelta(hours=25))
    with refused("ExpiredImportTokenException"):
        kms.import_key_material(KeyId=key, **members)
    assert describe(kms, key)["KeyState"] == "PendingImport"


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"ExpirationModel": "KEY_MATERIAL_EXPIRES"}, "ValidationException"),
        (
            {"ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": datetime(2020, 1, 1, tzinfo=UTC)},
            "ValidationException",
        ),
        ({"ValidTo": datetime.now(UTC) + timedelta(days=366)}, "ValidationException"),
        (
            {"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE", "ValidTo": datetime.now(UTC) + timedelta(days=1)},
            "ValidationException",
        ),
        ({"KeyMaterialId": "0" * 64}, "IncorrectKeyMaterialException"),
        ({"ImportType": "EXISTING_KEY_MATERIAL"}, "IncorrectKeyMaterialException"),
    ],
)
def test_an_import_that_contradicts_itself_is_refused(customer: Account, members: dict[str, Any], code: str) -> None:
    key = make_key(customer.kms, Origin="EXTERNAL")
    with refused(code):
        import_material(customer.kms, key, secrets.token_bytes(32), **members)
    assert describe(customer.kms, key)["KeyState"] == "PendingImport"


@pytest.mark.parametrize("size", [16, 31, 33])
def test_material_has_256_bits(customer: Account, size: int) -> None:
    key = make_key(customer.kms, Origin="EXTERNAL")
    with refused("IncorrectKeyMaterialException"):
        import_material(customer.kms, key, secrets.token_bytes(size))


@pytest.mark.parametrize(
    ("spec", "usage", "algorithms"),
    [
        ("RSA_2048", "SIGN_VERIFY", ["RSA_AES_KEY_WRAP_SHA_1"]),
        ("ECC_NIST_EDWARDS25519", "SIGN_VERIFY", ["RSAES_OAEP_SHA_256", "RSA_AES_KEY_WRAP_SHA_256"]),
        ("HMAC_256", "GENERATE_VERIFY_MAC", ["RSAES_OAEP_SHA_1"]),
    ],
)
def test_keys_of_other_specs_take_their_first_material_for_good(
    customer: Account, spec: str, usage: str, algorithms: list[str]
) -> None:
    kms = customer.kms
    material, other = (secrets.token_bytes(32) if spec == "HMAC_256" else private_key(spec) for _ in range(2))
    for algorithm in algorithms:
        key = make_key(kms, KeySpec=spec, KeyUsage=usage, Origin="EXTERNAL")
        import_material(kms, key, material, algorithm)
        assert describe(kms, key)["KeyState"] == "Enabled"
        kms.delete_imported_key_material(KeyId=key)
        with refused("IncorrectKeyMaterialException"):
            import_material(kms, key, other, algorithm)
        with refused("ValidationException"):
            import_material(kms, key, other, algorithm, ImportType="NEW_KEY_MATERIAL")
        import_material(kms, key, material, algorithm)
        if spec != "HMAC_256":
            assert kms.get_public_key(KeyId=key)["PublicKey"] == public_key(material)


@pytest.mark.parametrize(
    ("spec", "usage", "algorithm"),
    [
        ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "RSA_AES_KEY_WRAP_SHA_256"),
        ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "RSAES_PKCS1_V1_5"),
        ("RSA_2048", "SIGN_VERIFY", "RSAES_OAEP_SHA_256"),
        ("ECC_NIST_P521", "SIGN_VERIFY", "RSAES_OAEP_SHA_256"),
    ],
)
def test_a_wrapping_that_does_not_suit_the_material_is_refused(
    customer: Account, spec: str, usage: str, algorithm: str
) -> None:
    key = make_key(customer.kms, KeySpec=spec, KeyUsage=usage, Origin="EXTERNAL")
    with refused("UnsupportedOperationException"):
        import_material(customer.kms, key, secrets.token_bytes(32), algorithm)


def test_a_private_key_of_another_kind_is_not_imported(customer: Account) -> None:
    key = make_key(customer.kms, KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY", Origin="EXTERNAL")
    for material in (private_key("ECC_NIST_P384"), private_key("ECC_NIST_EDWARDS25519"), secrets.token_bytes(32)):
        with refused("IncorrectKeyMaterialException"):
            import_material(customer.kms, key, material)
    assert describe(customer.kms, key)["KeyState"] == "PendingImport"


def test_a_key_that_kms_made_takes_no_import(customer: Account) -> None:
    key = make_key(customer.kms)
    with refused("UnsupportedOperationException"):
        customer.kms.get_parameters_for_import(KeyId=key, WrappingAlgorithm=OAEP, WrappingKeySpec="RSA_2048")
    with refused("UnsupportedOperationException"):
        customer.kms.delete_imported_key_material(KeyId=key)


def test_another_account_cannot_import_whatever_the_policy_says(customer: Account, vendor: Account) -> None:
    key = make_key(customer.kms, OWNER, allow(root(vendor.account_id), "kms:*"), Origin="EXTERNAL")
    with refused("AccessDeniedException"):
        import_material(vendor.kms, key, secrets.token_bytes(32))
    import_material(customer.kms, key, secrets.token_bytes(32))
    with refused("AccessDeniedException"):
        vendor.kms.delete_imported_key_material(KeyId=key)
    assert describe(customer.kms, key)["KeyState"] == "Enabled"


def test_imported_material_is_rotated_on_demand_once_the_next_is_there(customer: Account) -> None:
    kms, first, second = customer.kms, secrets.token_bytes(32), secrets.token_bytes(32)
    key = make_key(kms, Origin="EXTERNAL")
    first_id = import_material(kms, key, first, KeyMaterialDescription="first")
    blob = kms.encrypt(KeyId=key, Plaintext=b"data")["CiphertextBlob"]
    with refused("KMSInvalidStateException"):
        kms.rotate_key_on_demand(KeyId=key)
    with refused("IncorrectKeyMaterialException"):
        import_material(kms, key, first, ImportType="NEW_KEY_MATERIAL")
    second_id = import_material(kms, key, second, ImportType="NEW_KEY_MATERIAL")
    assert [(entry["KeyMaterialId"], entry["KeyMaterialState"]) for entry in rotations(kms, key)] == [
        (first_id, "CURRENT"),
        (second_id, "PENDING_ROTATION"),
    ]
    kms.rotate_key_on_demand(KeyId=key)
    entries = rotations(kms, key)
    assert [(entry["KeyMaterialId"], entry["KeyMaterialState"]) for entry in entries] == [
        (first_id, "NON_CURRENT"),
        (second_id, "CURRENT"),
    ]
    assert entries[0]["KeyMaterialDescription"] == "first"
    assert entries[1]["RotationType"] == "ON_DEMAND"
    assert kms.generate_data_key(KeyId=key, KeySpec="AES_256")["KeyMaterialId"] == second_id
    assert kms.decrypt(CiphertextBlob=blob)["KeyMaterialId"] == first_id
    # Without the first, nothing works; the key waits for all of its material.
    kms.delete_imported_key_material(KeyId=key, KeyMaterialId=first_id)
    assert [entry["ImportState"] for entry in rotations(kms, key)] == ["PENDING_IMPORT", "IMPORTED"]
    assert describe(kms, key)["KeyState"] == "PendingImport"
    import_material(kms, key, first)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"data"


def test_material_that_waits_for_a_rotation_can_be_replaced(customer: Account) -> None:
    kms = customer.kms
    key = make_key(kms, Origin="EXTERNAL")
    import_material(kms, key, secrets.token_bytes(32))
    waiting = import_material(kms, key, secrets.token_bytes(32), ImportType="NEW_KEY_MATERIAL")
    with refused("IncorrectKeyMaterialException"):
        import_material(kms, key, secrets.token_bytes(32), ImportType="NEW_KEY_MATERIAL")
    kms.delete_imported_key_material(KeyId=key, KeyMaterialId=waiting)
    assert describe(kms, key)["KeyState"] == "Enabled"
    other = import_material(kms, key, secrets.token_bytes(32), ImportType="NEW_KEY_MATERIAL")
    assert rotations(kms, key)[-1]["KeyMaterialId"] == other


def test_a_cancelled_deletion_leaves_a_key_without_material_waiting(customer: Account) -> None:
    kms = customer.kms
    key = make_key(kms, Origin="EXTERNAL")
    import_material(kms, key, secrets.token_bytes(32))
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    kms.delete_imported_key_material(KeyId=key)
    assert describe(kms, key)["KeyState"] == "PendingDeletion"
    kms.cancel_key_deletion(KeyId=key)
    assert describe(kms, key)["KeyState"] == "PendingImport"


def test_deleted_material_opens_nothing_even_while_the_state_is_still_on_its_way(own: Account) -> None:
    kms = own.kms
    key = make_key(kms, Origin="EXTERNAL")
    import_material(kms, key, secrets.token_bytes(32))
    blob = kms.encrypt(KeyId=key, Plaintext=b"data")["CiphertextBlob"]
    own.sandbox.faults.add("delay state=60s")
    try:
        kms.delete_imported_key_material(KeyId=key)
        with refused("KMSInvalidStateException"):
            kms.decrypt(CiphertextBlob=blob)
        with refused("KMSInvalidStateException"):
            kms.encrypt(KeyId=key, Plaintext=b"data")
    finally:
        own.sandbox.faults.clear()
