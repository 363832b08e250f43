from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import botocore
import pytest

from engine.access import (
    CROSS_ACCOUNT,
    CRYPTOGRAPHIC,
    GRANT_OPERATIONS,
    KEY_ACTIONS,
    KEY_OPERATIONS,
    KeyState,
    state_refusal,
)
from engine.access.operations import KEYLESS_ACTIONS, operation_of
from engine.errors import InputError

KEY_PARAMETERS = {"KeyId", "TargetKeyId", "SourceKeyId", "AliasName"}
LISTS = {"ListAliases"}  # names a key to filter by, not to work on

# AWS KMS Developer Guide, "Key states of AWS KMS keys", row by row: the footnote of each refusal, `.` where it
# succeeds or depends on something else than the state. Columns: Enabled, Disabled, pending deletion, pending
# import, Unavailable, Creating, Updating.
GUIDE = """
CancelKeyDeletion                    4 4 . 4 4 4 4
CreateAlias                          . . 3 . . . .
CreateGrant                          . 1 2 5 . 14 .
Decrypt                              . 1 2 5 11 14 .
DeleteAlias                          . . . . . . .
DeleteImportedKeyMaterial            . . . . 9 14 15
DescribeKey                          . . . . . . .
DisableKey                           . . 3 5 . 14 15
DisableKeyRotation                   . 1 3 6 7 14 .
EnableKey                            . . 3 5 . 14 15
EnableKeyRotation                    . 1 3 6 7 14 .
Encrypt                              . 1 2 5 11 14 .
GenerateDataKey                      . 1 2 5 11 14 .
GenerateDataKeyPair                  . 1 2 5 11 14 .
GenerateDataKeyPairWithoutPlaintext  . 1 2 5 11 14 .
GenerateDataKeyWithoutPlaintext      . 1 2 5 11 14 .
GenerateMac                          . 1 2 5 11 14 .
GetKeyPolicy                         . . . . . . .
GetKeyRotationStatus                 . . . 6 7 . .
GetParametersForImport               . . 3 . 9 14 15
GetPublicKey                         . 1 2 5 11 14 .
ImportKeyMaterial                    . . 3 . 9 14 .
ListAliases                          . . . . . . .
ListGrants                           . . . . . . .
ListKeyPolicies                      . . . . . . .
ListResourceTags                     . . . . . . .
PutKeyPolicy                         . . . . . . .
ReEncrypt                            . 1 2 5 11 14 .
ReplicateKey                         . 1 2 5 11 14 15
RetireGrant                          . . . . . . .
RevokeGrant                          . . . . . . .
ScheduleKeyDeletion                  . . 3 . . . 15
Sign                                 . 1 2 5 11 14 .
TagResource                          . . 3 . . . .
UntagResource                        . . 3 . . . .
UpdateAlias                          . . 3 . . . .
UpdateKeyDescription                 . . 3 . . . .
UpdatePrimaryRegion                  . 1 2 5 11 14 .
Verify                               . 1 2 5 11 14 .
VerifyMac                            . 1 2 5 11 14 .
"""
COLUMNS = (
    (KeyState.ENABLED,),
    (KeyState.DISABLED,),
    (KeyState.PENDING_DELETION, KeyState.PENDING_REPLICA_DELETION),
    (KeyState.PENDING_IMPORT,),
    (KeyState.UNAVAILABLE,),
    (KeyState.CREATING,),
    (KeyState.UPDATING,),
)
FOOTNOTES = {
    "1": "DisabledException",
    "2": "KMSInvalidStateException",  # or [3], or DisabledException
    "3": "KMSInvalidStateException",
    "4": "KMSInvalidStateException",
    "5": "KMSInvalidStateException",
    "6": "UnsupportedOperationException",
    "7": "UnsupportedOperationException",
    "9": "UnsupportedOperationException",
    "11": "KMSInvalidStateException",
    "14": "KMSInvalidStateException",
    "15": "KMSInvalidStateException",
}
ROWS = [line.split() for line in GUIDE.strip().splitlines()]


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_the_guides_table(row: list[str]) -> None:
    operation, *cells = row
    for states, cell in zip(COLUMNS, cells, strict=True):
        for state in states:
            refusal = state_refusal(operation, state)
            assert (refusal.code if refusal else ".") == FOOTNOTES.get(cell, "."), (operation, state)
            if refusal is not None:
                assert refusal.other_codes == (("DisabledException",) if cell == "2" else ())


def test_operations_newer_than_the_guides_edition() -> None:
    assert KEY_OPERATIONS - {row[0] for row in ROWS} == {
        "Decapsulate",
        "DeriveSharedSecret",
        "Encapsulate",
        "GetKeyLastUsage",
        "ListKeyRotations",
        "RotateKeyOnDemand",
    }
    refused = state_refusal("RotateKeyOnDemand", KeyState.DISABLED)
    assert refused is not None
    assert refused.code == "DisabledException"


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (KeyState.DISABLED, "arn:k is disabled."),
        (KeyState.PENDING_DELETION, "arn:k is pending deletion."),
        (KeyState.PENDING_REPLICA_DELETION, "arn:k is pending replica deletion."),
        (KeyState.PENDING_IMPORT, "arn:k is pending import."),
        (KeyState.UNAVAILABLE, "arn:k is unavailable."),
        (KeyState.CREATING, "arn:k is creating."),
    ],
)
def test_messages_are_aws_own(state: KeyState, message: str) -> None:
    refusal = state_refusal("Decrypt", state)
    assert refusal is not None
    assert refusal.message_for("arn:k") == message
    assert refusal.message == message.replace("arn:k", "The KMS key")


def test_an_operation_that_kms_does_not_have_is_refused() -> None:
    with pytest.raises(InputError, match="'Explode' is not an operation"):
        state_refusal("Explode", KeyState.ENABLED)


def test_operations_without_a_key_have_no_state() -> None:
    for operation in sorted(KEYLESS_ACTIONS):
        for state in KeyState:
            assert state_refusal(operation, state) is None


@pytest.fixture(scope="module")
def service_model() -> dict[str, Any]:
    """The KMS service model of AWS's own SDK."""
    folder = Path(botocore.__file__).parent / "data" / "kms" / "2014-11-01"
    packed = folder / "service-2.json.gz"
    text = gzip.decompress(packed.read_bytes()) if packed.exists() else (folder / "service-2.json").read_bytes()
    model: dict[str, Any] = json.loads(text)
    return model


def parameters(model: dict[str, Any], operation: str) -> set[str]:
    return set(model["shapes"][model["operations"][operation]["input"]["shape"]]["members"])


def test_every_operation_that_names_a_key_is_in_the_table(service_model: dict[str, Any]) -> None:
    operations = service_model["operations"]
    named = {name for name in operations if parameters(service_model, name) & KEY_PARAMETERS}
    assert named == KEY_OPERATIONS
    assert {operation_of(action) for action in KEY_ACTIONS} | LISTS == named | {"SynchronizeMultiRegionKey"}
    assert set(operations) - named == KEYLESS_ACTIONS - LISTS


def test_the_states_that_kms_has_are_ours(service_model: dict[str, Any]) -> None:
    assert set(service_model["shapes"]["KeyState"]["enum"]) == {state.value for state in KeyState}


def test_every_error_code_is_one_that_the_operation_has(service_model: dict[str, Any]) -> None:
    for operation in KEY_OPERATIONS:
        errors = {error["shape"] for error in service_model["operations"][operation].get("errors", ())}
        for state in KeyState:
            refusal = state_refusal(operation, state)
            assert refusal is None or {refusal.code, *refusal.other_codes} <= errors, (operation, state)


def test_grant_operations_are_those_of_kms(service_model: dict[str, Any]) -> None:
    assert set(service_model["shapes"]["GrantOperation"]["enum"]) == GRANT_OPERATIONS


def test_cross_account_use_is_that_of_kms(service_model: dict[str, Any]) -> None:
    """`Cross-account use: Yes` stands in the description of every operation that KMS takes from elsewhere."""
    described = set()
    for name, operation in service_model["operations"].items():
        text = operation["documentation"].replace("<b>", "").replace("</b>", "")
        if name in KEY_OPERATIONS and "Cross-account use: Yes" in text:
            described.add(name)
    ours = {operation_of(action) for action in CROSS_ACCOUNT}
    assert described == ours
    assert CRYPTOGRAPHIC < CROSS_ACCOUNT < KEY_ACTIONS
