from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.engine.sandbox.keys import OWNER, VENDOR_STATEMENT, allow, make_key, root
from tests.sandbox_fixtures import Account, refused

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient

CONTEXT = {"tenant": "northwind", "workload": "mailbox-1", "purpose": "backup"}


@pytest.fixture(scope="module")
def kms(customer: Account) -> KMSClient:
    return customer.kms


@pytest.fixture(scope="module")
def key(kms: KMSClient) -> str:
    return make_key(kms)


@pytest.fixture(scope="module")
def other_key(kms: KMSClient) -> str:
    return make_key(kms)


@pytest.mark.parametrize("size", [1, 32, 4096])
def test_what_is_encrypted_comes_back(kms: KMSClient, key: str, size: int) -> None:
    encrypted = kms.encrypt(KeyId=key, Plaintext=b"x" * size, EncryptionContext=CONTEXT)
    assert encrypted["KeyId"] == key
    assert encrypted["EncryptionAlgorithm"] == "SYMMETRIC_DEFAULT"
    assert "KeyMaterialId" not in encrypted
    decrypted = kms.decrypt(CiphertextBlob=encrypted["CiphertextBlob"], EncryptionContext=CONTEXT)
    assert decrypted["Plaintext"] == b"x" * size
    assert decrypted["KeyId"] == key


@pytest.mark.parametrize("size", [0, 4097])
def test_a_plaintext_has_1_to_4096_bytes(kms: KMSClient, key: str, size: int) -> None:
    with refused("ValidationException") as refusal:
        kms.encrypt(KeyId=key, Plaintext=b"secret!"[:1] * size)
    assert "'plaintext'" in refusal.message


def test_the_material_is_named_where_aws_names_it(kms: KMSClient, key: str, other_key: str) -> None:
    material = kms.describe_key(KeyId=key)["KeyMetadata"].get("CurrentKeyMaterialId")
    other_material = kms.describe_key(KeyId=other_key)["KeyMetadata"].get("CurrentKeyMaterialId")
    assert material
    assert material != other_material
    made = kms.generate_data_key(KeyId=key, KeySpec="AES_256")
    assert made["KeyMaterialId"] == material
    assert kms.generate_data_key_without_plaintext(KeyId=key, KeySpec="AES_256")["KeyMaterialId"] == material
    assert kms.decrypt(CiphertextBlob=made["CiphertextBlob"])["KeyMaterialId"] == material
    moved = kms.re_encrypt(CiphertextBlob=made["CiphertextBlob"], DestinationKeyId=other_key)
    assert (moved["SourceKeyMaterialId"], moved["DestinationKeyMaterialId"]) == (material, other_material)


@pytest.mark.parametrize(
    ("made_with", "opened_with"),
    [
        (CONTEXT, {}),
        ({}, CONTEXT),
        (CONTEXT, {**CONTEXT, "tenant": "southwind"}),
        (CONTEXT, {**CONTEXT, "more": "of it"}),
        ({"a": "bc"}, {"ab": "c"}),
        ({"a": "b", "c": "d"}, {"a": "bcd"}),
        ({"tenant": "x"}, {"Tenant": "x"}),
    ],
)
def test_another_encryption_context_does_not_open(
    kms: KMSClient, key: str, made_with: dict[str, str], opened_with: dict[str, str]
) -> None:
    blob = kms.encrypt(KeyId=key, Plaintext=b"data", EncryptionContext=made_with)["CiphertextBlob"]
    with refused("InvalidCiphertextException"):
        kms.decrypt(CiphertextBlob=blob, EncryptionContext=opened_with)


def test_the_order_of_the_encryption_context_does_not_matter(kms: KMSClient, key: str) -> None:
    blob = kms.encrypt(KeyId=key, Plaintext=b"data", EncryptionContext=CONTEXT)["CiphertextBlob"]
    backwards = dict(reversed(CONTEXT.items()))
    assert kms.decrypt(CiphertextBlob=blob, EncryptionContext=backwards)["Plaintext"] == b"data"


@pytest.mark.parametrize("at", [0, 5, 40, 50, -1])
def test_a_changed_ciphertext_does_not_open(kms: KMSClient, key: str, at: int) -> None:
    blob = bytearray(kms.encrypt(KeyId=key, Plaintext=b"data")["CiphertextBlob"])
    blob[at] ^= 1
    with refused("InvalidCiphertextException"):
        kms.decrypt(CiphertextBlob=bytes(blob), KeyId=key)
    with refused("InvalidCiphertextException"):
        kms.decrypt(CiphertextBlob=bytes(blob))


@pytest.mark.parametrize("blob", [b"x", b"not a ciphertext of anybody's" * 4, b"\x01" * 20])
def test_what_is_no_ciphertext_is_refused(kms: KMSClient, key: str, blob: bytes) -> None:
    with refused("InvalidCiphertextException"):
        kms.decrypt(CiphertextBlob=blob, KeyId=key)


def test_the_wrong_key_is_noticed(kms: KMSClient, key: str, other_key: str) -> None:
    blob = kms.encrypt(KeyId=key, Plaintext=b"data")["CiphertextBlob"]
    with refused("IncorrectKeyException"):
        kms.decrypt(CiphertextBlob=blob, KeyId=other_key)
    with refused("IncorrectKeyException"):
        kms.re_encrypt(CiphertextBlob=blob, SourceKeyId=other_key, DestinationKeyId=key)
    assert kms.re_encrypt(CiphertextBlob=blob, SourceKeyId=key, DestinationKeyId=key)["KeyId"] == key


def test_a_key_is_accepted_by_id_arn_and_alias(kms: KMSClient, key: str) -> None:
    kms.create_alias(AliasName="alias/every-form", TargetKeyId=key)
    alias_arn = key.rpartition(":")[0] + ":alias/every-form"
    for identifier in (key, key.rpartition("/")[2], "alias/every-form", alias_arn):
        encrypted = kms.encrypt(KeyId=identifier, Plaintext=b"data")
        assert encrypted["KeyId"] == key
        opened = kms.decrypt(CiphertextBlob=encrypted["CiphertextBlob"], KeyId=identifier)
        assert opened["KeyId"] == key


def test_what_an_alias_pointed_to_still_opens_after_it_moved(kms: KMSClient, key: str, other_key: str) -> None:
    kms.create_alias(AliasName="alias/moving", TargetKeyId=key)
    blob = kms.encrypt(KeyId="alias/moving", Plaintext=b"data")["CiphertextBlob"]
    kms.update_alias(AliasName="alias/moving", TargetKeyId=other_key)
    assert kms.decrypt(CiphertextBlob=blob)["KeyId"] == key
    with refused("IncorrectKeyException"):
        kms.decrypt(CiphertextBlob=blob, KeyId="alias/moving")


@pytest.mark.parametrize(
    ("members", "size"), [({"KeySpec": "AES_256"}, 32), ({"KeySpec": "AES_128"}, 16), ({"NumberOfBytes": 64}, 64)]
)
def test_a_data_key_has_the_size_that_was_asked(kms: KMSClient, key: str, members: dict[str, Any], size: int) -> None:
    made = kms.generate_data_key(KeyId=key, EncryptionContext=CONTEXT, **members)
    assert len(made["Plaintext"]) == size
    opened = kms.decrypt(CiphertextBlob=made["CiphertextBlob"], EncryptionContext=CONTEXT)
    assert opened["Plaintext"] == made["Plaintext"]
    hidden = kms.generate_data_key_without_plaintext(KeyId=key, **members)
    assert "Plaintext" not in hidden
    assert len(kms.decrypt(CiphertextBlob=hidden["CiphertextBlob"])["Plaintext"]) == size


@pytest.mark.parametrize(
    "members", [{}, {"KeySpec": "AES_256", "NumberOfBytes": 32}, {"KeySpec": "AES_512"}, {"NumberOfBytes": 1025}]
)
def test_a_data_key_needs_one_valid_size(kms: KMSClient, key: str, members: dict[str, Any]) -> None:
    with refused("ValidationException"):
        kms.generate_data_key(KeyId=key, **members)


def test_re_encrypt_needs_a_permission_on_either_key(customer: Account, vendor: Account) -> None:
    from_only = make_key(customer.kms, OWNER, allow(root(vendor.account_id), "kms:ReEncryptFrom", "kms:Encrypt"))
    to_only = make_key(customer.kms, OWNER, allow(root(vendor.account_id), "kms:ReEncryptTo", "kms:Encrypt"))
    blob = vendor.kms.encrypt(KeyId=from_only, Plaintext=b"data")["CiphertextBlob"]
    blob_of_other = vendor.kms.encrypt(KeyId=to_only, Plaintext=b"data")["CiphertextBlob"]
    assert vendor.kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=to_only)["KeyId"] == to_only
    with refused("AccessDeniedException") as refusal:
        vendor.kms.re_encrypt(CiphertextBlob=blob_of_other, SourceKeyId=to_only, DestinationKeyId=from_only)
    assert "kms:ReEncryptFrom" in refusal.message
    with refused("AccessDeniedException") as refusal:
        vendor.kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=from_only)
    assert "kms:ReEncryptTo" in refusal.message


def test_whether_both_keys_are_one_is_a_condition(customer: Account, vendor: Account) -> None:
    same = {"Bool": {"kms:ReEncryptOnSameKey": "true"}}
    rule = allow(root(vendor.account_id), "kms:ReEncrypt*", Condition=same)
    key = make_key(customer.kms, OWNER, rule, allow(root(vendor.account_id), "kms:Encrypt"))
    other = make_key(customer.kms, OWNER, rule)
    blob = vendor.kms.encrypt(KeyId=key, Plaintext=b"data")["CiphertextBlob"]
    vendor.kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=key)
    with refused("AccessDeniedException"):
        vendor.kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=other)


def test_re_encrypt_moves_the_encryption_context_too(kms: KMSClient, key: str, other_key: str) -> None:
    blob = kms.encrypt(KeyId=key, Plaintext=b"data", EncryptionContext={"a": "b"})["CiphertextBlob"]
    with refused("InvalidCiphertextException"):
        kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=other_key)
    moved = kms.re_encrypt(
        CiphertextBlob=blob,
        SourceEncryptionContext={"a": "b"},
        DestinationKeyId=other_key,
        DestinationEncryptionContext={"c": "d"},
    )["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=moved, EncryptionContext={"c": "d"})["Plaintext"] == b"data"


def test_a_dry_run_tells_what_would_happen(customer: Account, vendor: Account) -> None:
    key = make_key(customer.kms, OWNER, VENDOR_STATEMENT)
    bare = make_key(customer.kms)
    blob = vendor.kms.encrypt(KeyId=key, Plaintext=b"data")["CiphertextBlob"]
    with refused("DryRunOperationException"):
        vendor.kms.encrypt(KeyId=key, Plaintext=b"data", DryRun=True)
    with refused("DryRunOperationException"):
        vendor.kms.generate_data_key(KeyId=key, KeySpec="AES_256", DryRun=True)
    with refused("DryRunOperationException"):
        vendor.kms.decrypt(CiphertextBlob=blob, DryRun=True)
    with refused("DryRunOperationException"):
        vendor.kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=key, DryRun=True)
    with refused("InvalidCiphertextException"):
        vendor.kms.decrypt(CiphertextBlob=blob, EncryptionContext={"a": "b"}, DryRun=True)
    with refused("AccessDeniedException"):
        vendor.kms.encrypt(KeyId=bare, Plaintext=b"data", DryRun=True)
    customer.kms.disable_key(KeyId=key)
    with refused("DisabledException"):
        vendor.kms.encrypt(KeyId=key, Plaintext=b"data", DryRun=True)


def test_a_dry_run_without_a_ciphertext_needs_the_key_and_the_modifier(customer: Account, vendor: Account) -> None:
    key = make_key(customer.kms, OWNER, VENDOR_STATEMENT)
    bare = make_key(customer.kms)
    ignore: dict[str, Any] = {"DryRun": True, "DryRunModifiers": ["IGNORE_CIPHERTEXT"]}
    with refused("DryRunOperationException"):
        vendor.kms.decrypt(KeyId=key, **ignore)
    with refused("DryRunOperationException"):
        vendor.kms.re_encrypt(SourceKeyId=key, DestinationKeyId=key, **ignore)
    with refused("AccessDeniedException"):
        vendor.kms.decrypt(KeyId=bare, **ignore)
    with refused("AccessDeniedException"):
        vendor.kms.re_encrypt(SourceKeyId=key, DestinationKeyId=bare, **ignore)
    with refused("ValidationException"):
        vendor.kms.decrypt(**ignore)
    with refused("ValidationException"):
        vendor.kms.decrypt(KeyId=key)
    with refused("ValidationException"):
        vendor.kms.decrypt(KeyId=key, DryRunModifiers=["IGNORE_CIPHERTEXT"])


@pytest.mark.parametrize(
    "members",
    [
        {"KeySpec": "RSA_2048", "KeyUsage": "SIGN_VERIFY"},
        {"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"},
        {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"},
    ],
)
def test_a_key_for_something_else_does_not_encrypt(kms: KMSClient, members: dict[str, Any]) -> None:
    key = make_key(kms, **members)
    with refused("InvalidKeyUsageException"):
        kms.encrypt(KeyId=key, Plaintext=b"data")
    with refused("InvalidKeyUsageException"):
        kms.generate_data_key(KeyId=key, KeySpec="AES_256")


def test_an_asymmetric_key_is_refused_rather_than_played(kms: KMSClient) -> None:
    key = make_key(kms, KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")
    with refused("UnsupportedOperationException"):
        kms.encrypt(KeyId=key, Plaintext=b"data")


@pytest.mark.parametrize(
    ("operation", "members"),
    [
        ("derive_shared_secret", {"KeyAgreementAlgorithm": "ECDH", "PublicKey": b"key"}),
        ("encapsulate", {"EncapsulationAlgorithm": "ML_KEM"}),
        ("decapsulate", {"EncapsulationAlgorithm": "ML_KEM", "SharedSecretCiphertextBlob": b"key"}),
    ],
)
def test_what_the_sandbox_does_not_have_never_seems_to_succeed(
    kms: KMSClient, key: str, operation: str, members: dict[str, Any]
) -> None:
    with refused("UnknownOperationException") as refusal:
        getattr(kms, operation)(KeyId=key, **members)
    assert refusal.message.startswith("The sandbox does not have operation ")


@pytest.mark.parametrize("size", [1, 32, 1024])
def test_random_bytes_have_the_size_that_was_asked(kms: KMSClient, size: int) -> None:
    assert len(kms.generate_random(NumberOfBytes=size)["Plaintext"]) == size
