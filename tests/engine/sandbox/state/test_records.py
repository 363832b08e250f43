"""Every kind of record that KMS keeps can be written down and read again, and is then the same."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import TYPE_CHECKING

from engine.sandbox.kms.store import KeyStore
from engine.sandbox.state.records import decode_record, encode_record
from tests.engine.sandbox.imported_material import import_material
from tests.engine.sandbox.key_stores import cloudhsm, external, make_store
from tests.engine.sandbox.keys import make_key

if TYPE_CHECKING:
    from tests.sandbox_fixtures import Account


def test_what_is_written_down_is_the_same_when_it_is_read(own: Account) -> None:
    kms, clock = own.kms, own.sandbox.clock
    family = make_key(kms, MultiRegion=True, Tags=[{"TagKey": "a", "TagValue": "b"}])
    kms.replicate_key(KeyId=family, ReplicaRegion="eu-west-1")
    kms.enable_key_rotation(KeyId=family)
    kms.rotate_key_on_demand(KeyId=family)
    kms.encrypt(KeyId=family, Plaintext=b"data")
    kms.create_grant(
        KeyId=family,
        GranteePrincipal=f"arn:aws:iam::{own.account_id}:role/Reader",
        Operations=["Decrypt"],
        Constraints={"EncryptionContextSubset": {"a": "b"}},
    )
    imported = make_key(kms, Origin="EXTERNAL")
    import_material(kms, imported, secrets.token_bytes(32), ValidTo=clock.now() + timedelta(days=9))
    import_material(
        kms, imported, secrets.token_bytes(32), ImportType="NEW_KEY_MATERIAL", KeyMaterialDescription="next"
    )
    proxy, cluster = make_store(kms, external()), make_store(kms, cloudhsm())
    make_key(kms, Origin="EXTERNAL_KEY_STORE", CustomKeyStoreId=proxy, XksKeyId="key-1")
    make_key(kms, Origin="AWS_CLOUDHSM", CustomKeyStoreId=cluster)
    kms.disconnect_custom_key_store(CustomKeyStoreId=proxy)
    kms.describe_key(KeyId="alias/aws/s3")
    kms.schedule_key_deletion(KeyId=family)
    store = own.sandbox._kms.store
    with store.lock:
        records = dict(store.records())
    assert {name[0] for name in records} == {"keys", "aliases", "custom_key_stores", "uses", "imports", "owners"}
    restored = KeyStore(clock.now)
    for name, record in records.items():
        again = decode_record(encode_record(record))
        assert again == record, name
        restored.restore(name, again)
    assert dict(restored.records()) == records
