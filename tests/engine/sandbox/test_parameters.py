"""What a client library lets through, KMS refuses, in its own words."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.loaders import Loader
from hypothesis import given
from hypothesis import strategies as st

from engine.sandbox.kms.errors import KmsError
from engine.sandbox.kms.parameters import ParameterModel

MODEL = ParameterModel()
SERVICE = Loader().load_service_model("kms", "service-2")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@pytest.mark.parametrize(
    ("operation", "document", "message"),
    [
        (
            "Encrypt",
            {},
            (
                "2 validation errors detected: Value null at 'keyId' failed to satisfy constraint: Member must not be "
                "null; Value null at 'plaintext' failed to satisfy constraint: Member must not be null"
            ),
        ),
        (
            "Encrypt",
            {"KeyId": "a", "Plaintext": "A" * 5464},
            (
                "1 validation error detected: Value at 'plaintext' failed to satisfy constraint: "
                "Member must have length less than or equal to 4096"
            ),
        ),
        (
            "GenerateDataKey",
            {"KeyId": "a", "NumberOfBytes": 1025},
            (
                "1 validation error detected: Value '1025' at 'numberOfBytes' failed to satisfy constraint: "
                "Member must have value less than or equal to 1024"
            ),
        ),
        (
            "GenerateDataKey",
            {"KeyId": "a", "KeySpec": "AES"},
            (
                "1 validation error detected: Value 'AES' at 'keySpec' failed to satisfy constraint: "
                "Member must satisfy enum value set: [AES_256, AES_128]"
            ),
        ),
        (
            "CreateAlias",
            {"AliasName": "a b", "TargetKeyId": "k"},
            (
                "1 validation error detected: Value 'a b' at 'aliasName' failed to satisfy constraint: "
                "Member must satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$"
            ),
        ),
        (
            "TagResource",
            {"KeyId": "a", "Tags": [{"TagKey": ""}]},
            (
                "2 validation errors detected: Value null at 'tags.1.member.tagValue' failed to satisfy constraint: "
                "Member must not be null; Value '' at 'tags.1.member.tagKey' failed to satisfy constraint: "
                "Member must have length greater than or equal to 1"
            ),
        ),
    ],
)
def test_every_breach_is_told_in_awss_words(operation: str, document: Any, message: str) -> None:
    with pytest.raises(KmsError) as raised:
        MODEL.parse(operation, json.dumps(document).encode())
    assert raised.value.code == "ValidationException"
    assert raised.value.message == message


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b'{"KeyId": 1, "Plaintext": "AA=="}',
        b'{"KeyId": "a", "Plaintext": "?"}',
        b'{"KeyId": "a", "Plaintext": ["AA=="]}',
        b'{"KeyId": "a", "Plaintext": "AA==", "EncryptionContext": {"a": 1}}',
        b'{"KeyId": "a", "Plaintext": "AA==", "EncryptionContext": []}',
        b'{"KeyId": "a", "Plaintext": "AA==", "GrantTokens": "x"}',
        b'{"KeyId": "a", "Plaintext": "AA==", "DryRun": "true"}',
        b'{"KeyId": "a\\ud800", "Plaintext": "AA=="}',
        b"[" * 100_000,
    ],
)
def test_what_cannot_be_read_is_refused(body: bytes) -> None:
    with pytest.raises(KmsError) as raised:
        MODEL.parse("Encrypt", body)
    assert raised.value.code == "SerializationException"


def test_a_plaintext_is_never_repeated() -> None:
    with pytest.raises(KmsError) as raised:
        MODEL.parse("Encrypt", json.dumps({"KeyId": "a", "Plaintext": "c2VjcmV0" * 1000}).encode())
    assert "c2VjcmV0" not in raised.value.message
    assert "secret" not in raised.value.message


def test_an_unknown_member_is_passed_over() -> None:
    parameters = MODEL.parse("DescribeKey", b'{"KeyId": "a", "Newer": {"x": 1}, "GrantTokens": null}')
    assert "Newer" not in parameters
    assert "GrantTokens" not in parameters
    assert parameters.text("KeyId") == "a"


@given(st.sampled_from(sorted(MODEL.operations)), st.dictionaries(st.text(max_size=8), JSON, max_size=4), st.data())
def test_no_request_breaks_the_parser(operation: str, document: dict[str, Any], data: st.DataObject) -> None:
    shape = SERVICE["operations"][operation].get("input", {}).get("shape")
    members = sorted(SERVICE["shapes"][shape]["members"]) if shape else []
    for name in data.draw(st.lists(st.sampled_from(members), max_size=3)) if members else []:
        document[name] = data.draw(JSON)
    try:
        MODEL.parse(operation, json.dumps(document).encode())
    except KmsError as error:
        assert error.code in {"ValidationException", "SerializationException"}
