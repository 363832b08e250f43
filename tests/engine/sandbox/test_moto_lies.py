"""Where moto's KMS is not AWS's: each row holds on the sandbox and fails on plain moto.

A row is a few calls and what AWS answers. It is run twice, on the sandbox and on moto's own server, so the
list stays a list of real differences: a row that passes on both is no row any more.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
import pytest
from botocore.config import Config

from tests.builders import REGION, VENDOR
from tests.engine.sandbox.imported_material import import_material
from tests.engine.sandbox.key_stores import external, make_store
from tests.engine.sandbox.keys import OWNER, VENDOR_STATEMENT, make_key
from tests.sandbox_fixtures import Account, refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_kms import KMSClient

Lie = Callable[["KMSClient", "KMSClient"], object]  # as the customer, as the vendor
LIES: dict[str, Lie] = {}

SERVER = """
import sys
from moto.moto_server.threaded_moto_server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
server.stop()
"""


def in_region(kms: KMSClient, region: str) -> KMSClient:
    """A client of the same endpoint and credentials in another Region."""
    credentials = kms._request_signer._credentials  # type: ignore[attr-defined]
    connect: Any = boto3.session.Session(
        credentials.access_key, credentials.secret_key, botocore_session=botocore.session.Session()
    ).client
    config = Config(retries={"total_max_attempts": 1}, parameter_validation=False)
    client: KMSClient = connect("kms", region_name=region, endpoint_url=kms.meta.endpoint_url, config=config)
    return client


def lie(function: Lie) -> Lie:
    LIES[str(getattr(function, "__name__", ""))] = function
    return function


@pytest.fixture(scope="module")
def plain_moto() -> Iterator[KMSClient]:
    """A client of moto's own server, in a process of its own: moto's data is per process."""
    with ExitStack() as stack:
        process = stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-c", SERVER],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        )
        assert process.stdout is not None
        endpoint = f"http://127.0.0.1:{int(process.stdout.readline())}"

        connect: Any = boto3.session.Session("key", "secret", botocore_session=botocore.session.Session()).client
        config = Config(retries={"total_max_attempts": 1}, parameter_validation=False)
        yield connect("kms", region_name=REGION, endpoint_url=endpoint, config=config)
        assert process.stdin is not None
        process.stdin.close()


@lie
def a_disabled_key_encrypts(kms: KMSClient, _vendor: KMSClient) -> None:
    key = make_key(kms)
    kms.disable_key(KeyId=key.rpartition("/")[2])
    with refused("DisabledException"):
        kms.encrypt(KeyId=key, Plaintext=b"data")


@lie
def a_disabled_key_decrypts(kms: KMSClient, _vendor: KMSClient) -> None:
    key = make_key(kms)
    blob = kms.encrypt(KeyId=key, Plaintext=b"data")["CiphertextBlob"]
    kms.disable_key(KeyId=key.rpartition("/")[2])
    with refused("DisabledException"):
        kms.decrypt(CiphertextBlob=blob)


@lie
def a_disabled_key_makes_data_keys(kms: KMSClient, _vendor: KMSClient) -> None:
    key = make_key(kms)
    kms.disable_key(KeyId=key.rpartition("/")[2])
    with refused("DisabledException"):
        kms.generate_data_key(KeyId=key, KeySpec="AES_256")


@lie
def a_disabled_key_rewraps(kms: KMSClient, _vendor: KMSClient) -> None:
    key, other = make_key(kms), make_key(kms)
    blob = kms.encrypt(KeyId=key, Plaintext=b"data")["CiphertextBlob"]
    kms.disable_key(KeyId=key.rpartition("/")[2])
    with refused("DisabledException"):
        kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=other)


@lie
def a_key_pending_deletion_encrypts(kms: KMSClient, _vendor: KMSClient) -> None:
    key = make_key(kms)
    kms.schedule_key_deletion(KeyId=key.rpartition("/")[2])
    with refused("KMSInvalidStateException"):
        kms.encrypt(KeyId=key, Plaintext=b"data")


@lie
def a_key_is_not_disabled_by_its_arn(kms: KMSClient, _vendor: KMSClient) -> None:
    key = make_key(kms)
    kms.disable_key(KeyId=key)
    assert kms.describe_key(KeyId=key)["KeyMetadata"].get("KeyState") == "Disabled"


@lie
def a_deletion_is_not_scheduled_by_arn(kms: KMSClient, _vendor: KMSClient) -> None:
    key = make_key(kms)
    kms.schedule_key_deletion(KeyId=key)
    assert kms.describe_key(KeyId=key)["KeyMetadata"].get("KeyState") == "PendingDeletion"


@lie
def a_key_policy_stops_nobody(kms: KMSClient, vendor: KMSClient) -> None:
    key = make_key(kms, OWNER)
    with refused("AccessDeniedException"):
        vendor.encrypt(KeyId=key, Plaintext=b"data")


@lie
def a_revoked_grant_stops_nobody(kms: KMSClient, vendor: KMSClient) -> None:
    key = make_key(kms, OWNER)
    grant = kms.create_grant(KeyId=key, GranteePrincipal=f"arn:aws:iam::{VENDOR}:root", Operations=["Encrypt"])
    vendor.encrypt(KeyId=key, Plaintext=b"data")
    kms.revoke_grant(KeyId=key, GrantId=grant["GrantId"])
    with refused("AccessDeniedException"):
        vendor.encrypt(KeyId=key, Plaintext=b"data")


@lie
def another_regions_arn_is_accepted(kms: KMSClient, _vendor: KMSClient) -> None:
    key = make_key(kms)
    with refused("NotFoundException"):
        kms.describe_key(KeyId=key.replace("us-east-1", "eu-west-1"))


@lie
def another_accounts_arn_is_accepted(kms: KMSClient, _vendor: KMSClient) -> None:
    key = make_key(kms)
    parts = key.split(":")
    parts[4] = "999999999999"
    with refused("AccessDeniedException"):
        kms.encrypt(KeyId=":".join(parts), Plaintext=b"data")


@lie
def re_encrypt_ignores_a_wrong_source(kms: KMSClient, _vendor: KMSClient) -> None:
    key, wrong = make_key(kms), make_key(kms)
    blob = kms.encrypt(KeyId=key, Plaintext=b"data")["CiphertextBlob"]
    with refused("IncorrectKeyException"):
        kms.re_encrypt(CiphertextBlob=blob, SourceKeyId=wrong, DestinationKeyId=key)


@lie
def decrypt_calls_a_wrong_key_a_denied_one(kms: KMSClient, _vendor: KMSClient) -> None:
    key, wrong = make_key(kms), make_key(kms)
    blob = kms.encrypt(KeyId=key, Plaintext=b"data")["CiphertextBlob"]
    with refused("IncorrectKeyException"):
        kms.decrypt(CiphertextBlob=blob, KeyId=wrong)


@lie
def encryption_contexts_run_together(kms: KMSClient, _vendor: KMSClient) -> None:
    key = make_key(kms)
    blob = kms.encrypt(KeyId=key, Plaintext=b"data", EncryptionContext={"a": "bc"})["CiphertextBlob"]
    with refused("InvalidCiphertextException"):
        kms.decrypt(CiphertextBlob=blob, EncryptionContext={"ab": "c"})


@lie
def a_dry_run_is_a_real_one(kms: KMSClient, _vendor: KMSClient) -> None:
    with refused("DryRunOperationException"):
        kms.encrypt(KeyId=make_key(kms), Plaintext=b"data", DryRun=True)


@lie
def anything_is_a_grant_token(kms: KMSClient, _vendor: KMSClient) -> None:
    with refused("InvalidGrantTokenException"):
        kms.encrypt(KeyId=make_key(kms), Plaintext=b"data", GrantTokens=["nonsense"])


@lie
def the_key_material_has_no_name(kms: KMSClient, _vendor: KMSClient) -> None:
    assert kms.generate_data_key(KeyId=make_key(kms), KeySpec="AES_256")["KeyMaterialId"]


@lie
def a_key_without_its_material_is_enabled(kms: KMSClient, _vendor: KMSClient) -> None:
    key = make_key(kms, Origin="EXTERNAL")
    assert kms.describe_key(KeyId=key)["KeyMetadata"].get("KeyState") == "PendingImport"
    with refused("KMSInvalidStateException"):
        kms.encrypt(KeyId=key, Plaintext=b"data")


@lie
def a_policy_may_lock_its_writer_out(kms: KMSClient, _vendor: KMSClient) -> None:
    with refused("MalformedPolicyDocumentException"):
        make_key(kms, VENDOR_STATEMENT)


@lie
def a_replica_opens_nothing(kms: KMSClient, _vendor: KMSClient) -> None:
    key = make_key(kms, MultiRegion=True)
    blob = kms.encrypt(KeyId=key, Plaintext=b"data")["CiphertextBlob"]
    kms.replicate_key(KeyId=key, ReplicaRegion="eu-west-1")
    europe = in_region(kms, "eu-west-1")
    assert europe.decrypt(CiphertextBlob=blob)["KeyId"] == key.replace("us-east-1", "eu-west-1")


@lie
def a_primary_goes_before_its_replicas(kms: KMSClient, _vendor: KMSClient) -> None:
    key = make_key(kms, MultiRegion=True)
    kms.replicate_key(KeyId=key, ReplicaRegion="eu-west-1")
    kms.schedule_key_deletion(KeyId=key.rpartition("/")[2])
    assert kms.describe_key(KeyId=key)["KeyMetadata"].get("KeyState") == "PendingReplicaDeletion"


@lie
def other_material_is_imported_in_place_of_the_first(kms: KMSClient, _vendor: KMSClient) -> None:
    key = make_key(kms, Origin="EXTERNAL")
    import_material(kms, key, b"1" * 32)
    kms.delete_imported_key_material(KeyId=key)
    with refused("IncorrectKeyMaterialException"):
        import_material(kms, key, b"2" * 32)


@lie
def nobody_knows_when_a_key_was_used(kms: KMSClient, _vendor: KMSClient) -> None:
    key = make_key(kms)
    kms.encrypt(KeyId=key, Plaintext=b"data")
    assert kms.get_key_last_usage(KeyId=key)["KeyLastUsage"].get("Operation") == "Encrypt"


@lie
def there_are_no_custom_key_stores(kms: KMSClient, _vendor: KMSClient) -> None:
    store = make_store(kms, external())
    key = make_key(kms, Origin="EXTERNAL_KEY_STORE", CustomKeyStoreId=store, XksKeyId="key-1")
    kms.disconnect_custom_key_store(CustomKeyStoreId=store)
    assert kms.describe_key(KeyId=key)["KeyMetadata"].get("KeyState") == "Unavailable"


@lie
def a_key_of_a_service_can_be_deleted(kms: KMSClient, _vendor: KMSClient) -> None:
    metadata = kms.describe_key(KeyId="alias/aws/sns")["KeyMetadata"]
    assert metadata.get("KeyManager") == "AWS"
    with refused("AccessDeniedException"):
        kms.schedule_key_deletion(KeyId=metadata["KeyId"])


@lie
def a_rotation_leaves_no_trace(kms: KMSClient, _vendor: KMSClient) -> None:
    key = make_key(kms)
    first = kms.describe_key(KeyId=key)["KeyMetadata"].get("CurrentKeyMaterialId")
    kms.rotate_key_on_demand(KeyId=key.rpartition("/")[2])
    listed = kms.list_key_rotations(KeyId=key, IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"]
    assert [entry.get("KeyMaterialId") == first for entry in listed] == [True, False]


@pytest.mark.parametrize("name", sorted(LIES))
def test_the_sandbox_does_not_lie(customer: Account, vendor: Account, name: str) -> None:
    LIES[name](customer.kms, vendor.kms)


@pytest.mark.parametrize("name", sorted(LIES))
def test_plain_moto_does(plain_moto: KMSClient, name: str) -> None:
    try:
        LIES[name](plain_moto, plain_moto)
    except (Exception, pytest.fail.Exception):  # noqa: BLE001 - however it shows
        return
    pytest.fail("moto does this as AWS does: the row is to go")
