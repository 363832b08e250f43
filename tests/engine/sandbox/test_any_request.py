"""Whatever is asked, KMS answers: with success or with an error that AWS has, never by failing itself.

Requests are drawn from the service model: members present or not, with values that mean something (keys in every
state, aliases, grants, tokens) and values that do not. A refused request changes nothing.
"""

from __future__ import annotations

import base64
import json
from http import HTTPStatus
from typing import Any

import pytest
from botocore.loaders import Loader
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.sandbox.clock import SandboxClock
from engine.sandbox.credentials import Principal
from engine.sandbox.kms.operations import OPERATIONS
from engine.sandbox.kms.service import KmsRequest, KmsService
from tests.builders import CUSTOMER, REGION, VENDOR

MODEL: dict[str, Any] = Loader().load_service_model("kms", "service-2")
SHAPES: dict[str, Any] = MODEL["shapes"]
# What every operation may answer beside its own errors, or AWS answers although the model does not list it.
COMMON = frozenset(
    {
        "AccessDeniedException",
        "ValidationException",
        "SerializationException",
        "UnsupportedOperationException",  # what the sandbox does not have it refuses so
        "NotFoundException",
        "InvalidArnException",
        "InvalidGrantTokenException",
        "InvalidMarkerException",
        "LimitExceededException",
        "TagException",
        "NotAuthorizedException",
        "InvalidKeyUsageException",
    }
)
WHO = {
    account: Principal(account, f"arn:aws:iam::{account}:user/admin", "AIDAEXAMPLE", "User", None)
    for account in (CUSTOMER, VENDOR)
}
# Making key pairs of RSA takes seconds.
QUICK = {"KeySpec": ["SYMMETRIC_DEFAULT", "ECC_NIST_P256", "HMAC_256", "AES_256"], "KeyPairSpec": ["ECC_NIST_P256"]}


class World:
    """A service with keys of every kind, and the values that requests are made of."""

    def __init__(self) -> None:
        self.service = KmsService(SandboxClock())
        owner = f"arn:aws:iam::{CUSTOMER}:root"
        statements = [
            {"Effect": "Allow", "Principal": {"AWS": owner}, "Action": "kms:*", "Resource": "*"},
            {"Effect": "Allow", "Principal": {"AWS": VENDOR}, "Action": "kms:*", "Resource": "*"},
        ]
        self.policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
        made = [
            self._key(),
            self._key(Policy=self.policy),
            self._key(Origin="EXTERNAL"),
            self._key(MultiRegion=True),
            self._key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY"),
            self._key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC"),
            self._key(),
            self._key(),
        ]
        self.call("DisableKey", KeyId=made[-1])
        self.call("ScheduleKeyDeletion", KeyId=made[-2])
        self.call("CreateAlias", AliasName="alias/one", TargetKeyId=made[0])
        blob = self.call("Encrypt", KeyId=made[0], Plaintext=_base64(b"data"))["CiphertextBlob"]
        grant = self.call("CreateGrant", KeyId=made[0], GranteePrincipal=owner, Operations=["Decrypt"])
        keys = [
            *made,
            *(arn.rpartition("/")[2] for arn in made),
            "alias/one",
            made[0].replace("us-east-1", "eu-west-1"),
        ]
        texts = ["", "x", "arn:", "arn:aws:kms", "alias/", "é", "0" * 64, owner, VENDOR, "us-west-2", "default", "*"]
        self.values: dict[str, list[Any]] = {
            "KeyIdType": [*keys, "arn:aws:kms:us-east-1", "not-a-key", *texts],
            "CiphertextType": [blob, _base64(b"x"), _base64(b"x" * 100), "not base64", 5],
            "GrantIdType": [grant["GrantId"], *texts],
            "GrantTokenType": [grant["GrantToken"], *texts],
            "PolicyType": [self.policy, "{}", "[]", "{", *texts],
            "PrincipalIdType": [owner, f"arn:aws:iam::{VENDOR}:role/r", *texts],
            "AliasNameType": ["alias/one", "alias/two", "alias/aws/s3", *texts],
            "string": [*texts, None],
            "blob": ["", _base64(b"x"), _base64(b"x" * 32), _base64(b"x" * 4096), "not base64"],
            "integer": [-1, 0, 1, 7, 30, 32, 90, 1024, 10**9, None],
            "boolean": [True, False, None],
            "timestamp": [0, 1.5, 2 * 10**9, 10**15, None],
        }

    def _key(self, **members: Any) -> str:
        return str(self.call("CreateKey", **members)["KeyMetadata"]["Arn"])

    def call(self, operation: str, **members: Any) -> dict[str, Any]:
        status, answer = self.send(operation, members, CUSTOMER)
        assert status == HTTPStatus.OK, answer
        return answer

    def send(self, operation: str, members: object, account: str) -> tuple[HTTPStatus, dict[str, Any]]:
        request = KmsRequest(operation, json.dumps(members).encode(), WHO[account], REGION, "127.0.0.1")
        status, body = self.service.handle(request)
        return status, json.loads(body)

    def value(self, shape_name: str, name: str) -> st.SearchStrategy[Any]:
        """Values of a shape: likely ones, unlikely ones, of another type now and then."""
        shape = SHAPES[shape_name]
        if name in QUICK:
            return st.sampled_from([*QUICK[name], "", None])
        if shape_name in self.values:
            return st.sampled_from(self.values[shape_name])
        if "enum" in shape:
            return st.sampled_from([*shape["enum"], "", "NONE"])
        match shape["type"]:
            case "structure":
                return self.structure(shape)
            case "list":
                return st.lists(self.value(shape["member"]["shape"], ""), max_size=3)
            case "map":
                return st.dictionaries(
                    st.sampled_from(["a", "A", "aws:x", "é"]), st.sampled_from(["", "b", "é"]), max_size=2
                )
            case kind:
                return st.sampled_from(self.values[kind])

    def structure(self, shape: Any) -> st.SearchStrategy[dict[str, Any]]:
        members = {name: self.value(member["shape"], name) for name, member in shape.get("members", {}).items()}
        required = {name: members[name] for name in shape.get("required", ())}
        return st.fixed_dictionaries(required, optional={n: s for n, s in members.items() if n not in required})


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


WORLD = World()


def snapshot(world: World) -> object:
    keys = world.service.store.keys_everywhere(REGION)
    return keys, [world.service.store.aliases(account, REGION) for account in (CUSTOMER, VENDOR)]


@pytest.mark.parametrize("operation", sorted(OPERATIONS))
def test_whatever_is_asked_is_answered(operation: str) -> None:
    shape = SHAPES[MODEL["operations"][operation]["input"]["shape"]]
    own = {error["shape"] for error in MODEL["operations"][operation].get("errors", ())}

    @settings(max_examples=30)
    @given(WORLD.structure(shape), st.sampled_from([CUSTOMER, VENDOR]))
    def ask(members: dict[str, Any], account: str) -> None:
        before = snapshot(WORLD)
        status, answer = WORLD.send(operation, members, account)
        if status != HTTPStatus.OK:
            assert answer["__type"] in own | COMMON
            assert snapshot(WORLD) == before

    ask()
