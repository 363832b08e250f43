"""The errors of AWS KMS, with its codes and its words.

Codes are those of the KMS service model; the texts follow what KMS says, because people read them. What
the sandbox does not have says so: it never answers as if it had.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.sandbox.kms.custom_key_stores import CustomKeyStoreRecord


class KmsError(Exception):
    """An error answer.

    Args:
        code: The error's name in the service model, such as `NotFoundException`.
        message: The text beside it.
        status: The HTTP status; KMS answers most of its errors with 400.
    """

    def __init__(self, code: str, message: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


def not_found(message: str) -> KmsError:
    """The key, alias or grant is not there."""
    return KmsError("NotFoundException", message)


def validation(message: str) -> KmsError:
    """A parameter breaks a rule that AWS checks before anything else."""
    return KmsError("ValidationException", message)


def serialization(message: str) -> KmsError:
    """The request cannot be read."""
    return KmsError("SerializationException", message)


def access_denied(message: str) -> KmsError:
    """The caller may not."""
    return KmsError("AccessDeniedException", message)


def malformed_policy(message: str) -> KmsError:
    """The key policy is not one, or would lock its writer out."""
    return KmsError("MalformedPolicyDocumentException", message)


def invalid_state(message: str) -> KmsError:
    """The key's state does not allow the operation."""
    return KmsError("KMSInvalidStateException", message)


def invalid_store_state(store: CustomKeyStoreRecord) -> KmsError:
    """The custom key store's connection state does not allow the operation."""
    return KmsError(
        "CustomKeyStoreInvalidStateException",
        f"The custom key store {store.store_id} has the connection state {store.connection.value}, "
        "which is not valid for this operation.",
    )


def invalid_ciphertext() -> KmsError:
    """The ciphertext is damaged, or its encryption context is not the one it was made with."""
    return KmsError("InvalidCiphertextException", "")


def unsupported(message: str) -> KmsError:
    """AWS would, or would not; the sandbox in any case does not."""
    return KmsError("UnsupportedOperationException", message)
