"""What AWS KMS can be asked, as one table: which calls name a key, cross accounts, may be granted.

Sources: the KMS service model (API version 2014-11-01) for the operations and their cross-account use, and
the AWS KMS Developer Guide: "Allowing users in other accounts to use a KMS key", "Grants in AWS KMS" (grant
operations), "AWS KMS condition keys" (which calls bring which key).

An action is a permission, an operation a call. They have the same name except for `ReEncrypt`, which asks
for `kms:ReEncryptFrom` on the source key and `kms:ReEncryptTo` on the destination key.
"""

from __future__ import annotations

import re
from types import MappingProxyType

from engine.errors import InputError

_ACTION = re.compile(r"kms:([a-z]+)", re.ASCII | re.IGNORECASE)

# With an encryption context parameter: cryptographic operations of symmetric encryption keys.
WITH_ENCRYPTION_CONTEXT = frozenset(
    {
        "Decrypt",
        "Encrypt",
        "GenerateDataKey",
        "GenerateDataKeyPair",
        "GenerateDataKeyPairWithoutPlaintext",
        "GenerateDataKeyWithoutPlaintext",
        "ReEncryptFrom",
        "ReEncryptTo",
    }
)
CRYPTOGRAPHIC = WITH_ENCRYPTION_CONTEXT | {
    "Decapsulate",
    "DeriveSharedSecret",
    "Encapsulate",
    "GenerateMac",
    "Sign",
    "Verify",
    "VerifyMac",
}
# What a grant can hold.
GRANT_OPERATIONS = CRYPTOGRAPHIC | {"CreateGrant", "DescribeKey", "GetPublicKey", "RetireGrant"}
# "If you give a user in a different account permission for other operations, those permissions have no effect."
CROSS_ACCOUNT = CRYPTOGRAPHIC | {
    "CreateGrant",
    "DescribeKey",
    "GetKeyRotationStatus",
    "GetPublicKey",
    "ListGrants",
    "RetireGrant",
    "RevokeGrant",
}
# Permissions on a key, all of them.
KEY_ACTIONS = CROSS_ACCOUNT | {
    "CancelKeyDeletion",
    "CreateAlias",
    "DeleteAlias",
    "DeleteImportedKeyMaterial",
    "DisableKey",
    "DisableKeyRotation",
    "EnableKey",
    "EnableKeyRotation",
    "GetKeyLastUsage",
    "GetKeyPolicy",
    "GetParametersForImport",
    "ImportKeyMaterial",
    "ListKeyPolicies",
    "ListKeyRotations",
    "ListResourceTags",
    "PutKeyPolicy",
    "ReplicateKey",
    "RotateKeyOnDemand",
    "ScheduleKeyDeletion",
    "SynchronizeMultiRegionKey",
    "TagResource",
    "UntagResource",
    "UpdateAlias",
    "UpdateKeyDescription",
    "UpdatePrimaryRegion",
}
# Permissions that no key policy can give: the call names no key, or lists across keys.
KEYLESS_ACTIONS = frozenset(
    {
        "ConnectCustomKeyStore",
        "CreateCustomKeyStore",
        "CreateKey",
        "DeleteCustomKeyStore",
        "DescribeCustomKeyStores",
        "DisconnectCustomKeyStore",
        "GenerateRandom",
        "ListAliases",
        "ListKeys",
        "ListRetirableGrants",
        "UpdateCustomKeyStore",
    }
)

_BY_LOWER_CASE = {name.lower(): name for name in KEY_ACTIONS | KEYLESS_ACTIONS}

# RetireGrant brings the constraint of the grant that it retires.
_ENCRYPTION_CONTEXT_ACTIONS = WITH_ENCRYPTION_CONTEXT | {"CreateGrant", "RetireGrant"}
_RE_ENCRYPT = frozenset({"ReEncryptFrom", "ReEncryptTo"})
_SIGNING = frozenset({"Sign", "Verify"})
_IMPORT = frozenset({"ImportKeyMaterial"})
_CREATE_GRANT = frozenset({"CreateGrant"})
_IMPORT_PARAMETERS = frozenset({"GetParametersForImport"})
# Condition keys taken from a parameter of the request: no other call brings them (names in lower case).
_REQUEST_PARAMETER_KEYS = MappingProxyType(
    {
        "kms:bypasspolicylockoutsafetycheck": frozenset({"CreateKey", "PutKeyPolicy"}),
        "kms:datakeypairspec": frozenset({"GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext"}),
        "kms:encryptionalgorithm": WITH_ENCRYPTION_CONTEXT,
        "kms:encryptioncontextkeys": _ENCRYPTION_CONTEXT_ACTIONS,
        "kms:expirationmodel": _IMPORT,
        "kms:grantconstrainttype": frozenset({"CreateGrant", "RetireGrant"}),
        "kms:granteeprincipal": _CREATE_GRANT,
        "kms:grantisforawsresource": frozenset({"CreateGrant", "ListGrants", "RevokeGrant"}),
        "kms:grantoperations": _CREATE_GRANT,
        "kms:keyagreementalgorithm": frozenset({"DeriveSharedSecret"}),
        "kms:macalgorithm": frozenset({"GenerateMac", "VerifyMac"}),
        "kms:messagetype": _SIGNING,
        "kms:primaryregion": frozenset({"UpdatePrimaryRegion"}),
        "kms:reencryptonsamekey": _RE_ENCRYPT,
        "kms:replicaregion": frozenset({"ReplicateKey"}),
        "kms:retiringprincipal": _CREATE_GRANT,
        "kms:rotationperiodindays": frozenset({"EnableKeyRotation"}),
        "kms:schedulekeydeletionpendingwindowindays": frozenset({"ScheduleKeyDeletion"}),
        "kms:signingalgorithm": _SIGNING,
        "kms:validto": _IMPORT,
        "kms:wrappingalgorithm": _IMPORT_PARAMETERS,
        "kms:wrappingkeyspec": _IMPORT_PARAMETERS,
    }
)
ENCRYPTION_CONTEXT_PREFIX = "kms:encryptioncontext:"


def action_name(action: str) -> str:
    """The name of an action without its service, spelled as AWS spells it where it is a known one.

    Args:
        action: Such as `kms:Decrypt`; the case of the letters does not matter.

    Raises:
        InputError: It is not an action of KMS, or has a wildcard.
    """
    found = _ACTION.fullmatch(action)
    if found is None:
        raise InputError(f"{action!r} is not an action of AWS KMS", "an action has the form kms:Decrypt")
    return _BY_LOWER_CASE.get(found[1].lower(), found[1])


def operation_of(action: str) -> str:
    """The operation that an action's name permits: `ReEncrypt` for its two halves, else the same name."""
    return "ReEncrypt" if action in _RE_ENCRYPT else action


def may_bring(action: str, condition_key: str) -> bool:
    """Whether a call can bring a condition key at all.

    Args:
        action: The action's name without its service.
        condition_key: The key's name in lower case.

    Returns:
        False only where AWS documents that the key comes from a parameter that this call does not have.
    """
    if condition_key.startswith(ENCRYPTION_CONTEXT_PREFIX):
        return action in _ENCRYPTION_CONTEXT_ACTIONS or action not in KEY_ACTIONS
    actions = _REQUEST_PARAMETER_KEYS.get(condition_key)
    return actions is None or action in actions or action not in KEY_ACTIONS
