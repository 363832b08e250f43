"""What CreateGrant asks for: the grant itself, and the condition keys that it brings to policies.

Grants to AWS services, and constraints on the resource that a service acts for, are not the sandbox's.
(AWS KMS API Reference, CreateGrant; Developer Guide, "Grant operations")
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from engine.access.model import Grant
from engine.arn import is_principal_arn
from engine.sandbox.kms.conditions import direct_grant_context, encryption_context
from engine.sandbox.kms.errors import KmsError, unsupported, validation

if TYPE_CHECKING:
    from engine.sandbox.kms.call import Call
    from engine.sandbox.kms.conditions import Context
    from engine.sandbox.kms.model import KeyRecord

# What a grant on a key can hold besides, by the key's usage (AWS KMS Developer Guide, "Grant operations").
_ON_EVERY_KEY = frozenset({"CreateGrant", "DescribeKey", "RetireGrant"})
_SYMMETRIC_OPERATIONS = frozenset(
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
_ASYMMETRIC_OPERATIONS = {
    "ENCRYPT_DECRYPT": frozenset({"Decrypt", "Encrypt", "GetPublicKey", "ReEncryptFrom", "ReEncryptTo"}),
    "SIGN_VERIFY": frozenset({"GetPublicKey", "Sign", "Verify"}),
    "GENERATE_VERIFY_MAC": frozenset({"GenerateMac", "VerifyMac"}),
    "KEY_AGREEMENT": frozenset({"DeriveSharedSecret", "GetPublicKey"}),
    "ENCAPSULATE_DECAPSULATE": frozenset({"Decapsulate", "Encapsulate", "GetPublicKey"}),
}


def read_grant(call: Call) -> Grant:
    """The grant that CreateGrant asks for, with a new id.

    Raises:
        KmsError: A principal is none, or the sandbox does not have what is asked for.
    """
    parameters = call.parameters
    if "GranteeServicePrincipal" in parameters or "RetiringServicePrincipal" in parameters:
        raise unsupported("The sandbox has no grants to AWS services")
    if "GranteePrincipal" not in parameters:
        raise validation("GranteePrincipal must be specified")
    grantee, retiring = parameters.text("GranteePrincipal"), parameters.optional_text("RetiringPrincipal")
    for principal in (grantee, retiring):
        if principal is not None and not is_principal_arn(principal):
            raise invalid_principal(principal)
    operations = frozenset(parameters.texts("Operations"))
    if not operations:
        raise validation("Operations must not be empty")
    constraints = parameters.structure("Constraints")
    if "SourceArn" in constraints:
        raise unsupported("The sandbox has no grants with a SourceArn constraint")
    return Grant(
        grant_id=secrets.token_hex(32),
        grantee_principal=grantee,
        operations=operations,
        retiring_principal=retiring,
        encryption_context_equals=constraints.optional_pairs("EncryptionContextEquals"),
        encryption_context_subset=constraints.optional_pairs("EncryptionContextSubset"),
        name=parameters.optional_text("Name"),
    )


def check_grant(grant: Grant, key: KeyRecord) -> None:
    """Refuse a grant of what the key cannot do. Raises `KmsError` (`ValidationException`)."""
    constrained = grant.encryption_context_equals is not None or grant.encryption_context_subset is not None
    possible = _SYMMETRIC_OPERATIONS if key.symmetric_encryption else _ASYMMETRIC_OPERATIONS[key.usage]
    if other := grant.operations - _ON_EVERY_KEY - possible:
        raise validation(f"Operations {', '.join(sorted(other))} are not supported by the key {key.arn}")
    if constrained and not key.symmetric_encryption:
        raise validation("Grant constraints on an encryption context are for symmetric encryption keys")


def grant_context(grant: Grant) -> Context:
    """The condition keys that a grant to be made brings."""
    context: Context = {
        **direct_grant_context(),
        **constraint_context(grant),
        "kms:GrantOperations": tuple(sorted(grant.operations)),
        "kms:GranteePrincipal": (grant.grantee_principal,),
    }
    if grant.retiring_principal is not None:
        context["kms:RetiringPrincipal"] = (grant.retiring_principal,)
    return context


def constraint_context(grant: Grant) -> Context:
    """The condition keys of a grant's constraints, which CreateGrant and RetireGrant bring."""
    context: Context = {}
    kinds: tuple[str, ...] = ()
    for kind, pairs in (
        ("EncryptionContextEquals", grant.encryption_context_equals),
        ("EncryptionContextSubset", grant.encryption_context_subset),
    ):
        if pairs is not None:
            kinds = (*kinds, kind)
            context |= encryption_context(pairs)
    if kinds:
        context["kms:GrantConstraintType"] = kinds
    return context


def invalid_principal(principal: str) -> KmsError:
    """Something given as a principal is not the ARN of one."""
    return KmsError("InvalidArnException", f"{principal} is not the ARN of a principal")
