"""Every error of AWS KMS told in our words, once, here.

How an error is classified, by its code and never by its text:

- *revoked*: the customer took the key away. `DisabledException`; `KMSInvalidStateException` of a key that
  DescribeKey then shows as disabled, pending deletion or without its material; for a ciphertext that the key
  once made, `NotFoundException`, and `AccessDeniedException` where the key is another account's than the
  caller's: its policy or grant no longer gives what it gave.
- *unavailable*: KMS, or the key store behind the key, cannot be reached. A trouble of an external key store
  also surfaces as `KMSInvalidStateException`; DescribeKey then shows `Unavailable`, or cannot be asked
  either. **Unreachable is not revoked.**
- *throttled*: AWS asks to slow down.
- *tampered*: the ciphertext or its encryption context is not what was once wrapped.
- *misconfigured*: the wrong key, Region, account or usage.
- *denied*: the caller's credentials are missing, expired, or not allowed to do it by their own account.

DescribeKey succeeds in every key state and does not see a changed policy, so it is only ever asked second:
the call itself is the check (AWS KMS Developer Guide, "Key states of AWS KMS keys").
"""

from __future__ import annotations

from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol

from engine.access.model import KeyState
from engine.errors import KeyAccessError, KeyFailure

if TYPE_CHECKING:
    from collections.abc import Iterator


_BY_CODE = {
    "DisabledException": KeyFailure.REVOKED,
    "DependencyTimeoutException": KeyFailure.UNAVAILABLE,
    "KeyUnavailableException": KeyFailure.UNAVAILABLE,
    "KMSInternalException": KeyFailure.UNAVAILABLE,
    "InternalFailure": KeyFailure.UNAVAILABLE,
    "InternalServerError": KeyFailure.UNAVAILABLE,
    "ServiceUnavailable": KeyFailure.UNAVAILABLE,
    "ServiceUnavailableException": KeyFailure.UNAVAILABLE,
    "PriorRequestNotComplete": KeyFailure.UNAVAILABLE,
    "RequestTimeout": KeyFailure.UNAVAILABLE,
    "RequestTimeoutException": KeyFailure.UNAVAILABLE,
    "CloudHsmClusterNotActiveException": KeyFailure.UNAVAILABLE,
    "ThrottlingException": KeyFailure.THROTTLED,
    "Throttling": KeyFailure.THROTTLED,
    "TooManyRequestsException": KeyFailure.THROTTLED,
    "RequestLimitExceeded": KeyFailure.THROTTLED,
    "RequestThrottled": KeyFailure.THROTTLED,
    "RequestThrottledException": KeyFailure.THROTTLED,
    "ThrottledException": KeyFailure.THROTTLED,
    "InvalidCiphertextException": KeyFailure.TAMPERED,
    "IncorrectKeyException": KeyFailure.MISCONFIGURED,
    "InvalidKeyUsageException": KeyFailure.MISCONFIGURED,
    "InvalidArnException": KeyFailure.MISCONFIGURED,
    "InvalidGrantTokenException": KeyFailure.MISCONFIGURED,
    "MalformedPolicyDocumentException": KeyFailure.MISCONFIGURED,
    "NotFoundException": KeyFailure.MISCONFIGURED,
    "UnsupportedOperationException": KeyFailure.MISCONFIGURED,
    "UnknownOperationException": KeyFailure.MISCONFIGURED,
    "ValidationException": KeyFailure.MISCONFIGURED,
    "ValidationError": KeyFailure.MISCONFIGURED,
    "AccessDenied": KeyFailure.DENIED,
    "AccessDeniedException": KeyFailure.DENIED,
    "ExpiredToken": KeyFailure.DENIED,
    "ExpiredTokenException": KeyFailure.DENIED,
    "IncompleteSignature": KeyFailure.DENIED,
    "InvalidClientTokenId": KeyFailure.DENIED,
    "InvalidIdentityToken": KeyFailure.DENIED,
    "InvalidSignatureException": KeyFailure.DENIED,
    "MissingAuthenticationToken": KeyFailure.DENIED,
    "NotAuthorized": KeyFailure.DENIED,
    "OptInRequired": KeyFailure.DENIED,
    "RequestExpired": KeyFailure.DENIED,
    "SignatureDoesNotMatch": KeyFailure.DENIED,
    "UnrecognizedClientException": KeyFailure.DENIED,
}

_TAKEN_AWAY = {KeyState.DISABLED, KeyState.PENDING_DELETION, KeyState.PENDING_IMPORT, KeyState.PENDING_REPLICA_DELETION}

_HINTS = {
    KeyFailure.REVOKED: "whoever owns the key can enable it again, cancel its deletion or restore its policy",
    KeyFailure.UNAVAILABLE: "this says nothing about the key: try again when AWS KMS can be reached",
    KeyFailure.THROTTLED: "AWS KMS asks to slow down; try again, or ask AWS for a higher quota",
    KeyFailure.TAMPERED: "the wrapped data key or its context was altered; restore it from a backup of the ledger",
    KeyFailure.MISCONFIGURED: "compare the key's ARN, Region and account with the declaration",
    KeyFailure.DENIED: "check the credentials in use, their IAM policy, the key policy and the grants",
}


class Asker(Protocol):
    """Whoever made the call, and can be asked for a key's state after it failed."""

    @property
    def identity(self) -> str:
        """Who calls, for messages."""
        ...

    @property
    def account_id(self) -> str | None:
        """The account of the caller, where it is known."""
        ...

    def state_or_none(self, key_arn: str) -> KeyState | None:
        """The key's state, or None where it cannot be told."""
        ...


@contextmanager
def translated(asker: Asker, operation: str, *key_arns: str, wrapped_once: bool = False) -> Iterator[None]:
    """Turn every error of botocore into a `KeyAccessError`.

    Args:
        asker: Asked for the keys' states where the error alone does not tell.
        operation: The operation's name.
        key_arns: The keys that it was tried on, or the one alias; the first is named as the error's key.
        wrapped_once: Whether the call brings a ciphertext, which proves that the key once existed.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        raise _from_client_error(asker, operation, key_arns, error, wrapped_once=wrapped_once) from error
    except BotoCoreError as error:
        raise _from_core_error(asker, operation, key_arns, error) from error


def _from_client_error(
    asker: Asker, operation: str, key_arns: tuple[str, ...], error: Any, *, wrapped_once: bool
) -> KeyAccessError:
    code = str(error.response.get("Error", {}).get("Code", "")).rpartition("#")[2]
    metadata = error.response.get("ResponseMetadata", {})
    failure = _BY_CODE.get(code)
    key_arn, standing = key_arns[0], ""
    if code in {"KMSInvalidStateException", "DisabledException"}:
        states = {arn: asker.state_or_none(arn) for arn in key_arns}
        key_arn, state = next(
            ((arn, state) for arn, state in states.items() if state not in {None, KeyState.ENABLED}), (key_arn, None)
        )
        standing = f" (key state {state.value})" if state is not None else ""
        if code == "KMSInvalidStateException":
            failure = KeyFailure.REVOKED if state in _TAKEN_AWAY else KeyFailure.UNAVAILABLE
    elif wrapped_once and code == "NotFoundException":
        failure = KeyFailure.REVOKED
    elif wrapped_once and code == "AccessDeniedException" and _is_another_accounts(asker, key_arn):
        whose = "the key's" if len(key_arns) == 1 else "either key's"
        failure, standing = KeyFailure.REVOKED, f" ({whose} policy or grant no longer allows it)"
    if failure is None:
        failure = _by_status(int(metadata.get("HTTPStatusCode", 0)))
    tried = f"{operation} as {asker.identity} with {' to '.join(key_arns)}"
    return KeyAccessError(
        failure,
        f"{tried} failed: {failure.value}; AWS answered {code or 'without a code'}{standing}",
        hint=_HINTS[failure],
        key_arn=key_arn,
        operation=operation,
        aws_code=code or None,
        request_id=metadata.get("RequestId"),
    )


def _by_status(status: int) -> KeyFailure:
    """What a code that is not known means, by the status that it came with: a proxy's, for instance."""
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return KeyFailure.THROTTLED
    return KeyFailure.UNAVAILABLE if status >= HTTPStatus.INTERNAL_SERVER_ERROR else KeyFailure.MISCONFIGURED


def _is_another_accounts(asker: Asker, key_arn: str) -> bool:
    return asker.account_id is not None and f":{asker.account_id}:" not in key_arn


def _from_core_error(asker: Asker, operation: str, key_arns: tuple[str, ...], error: Exception) -> KeyAccessError:
    from botocore.exceptions import (
        ConnectionError,  # noqa: A004 - botocore's name for it
        CredentialRetrievalError,
        HTTPClientError,
        MetadataRetrievalError,
        NoCredentialsError,
        PartialCredentialsError,
        SSOError,
        TokenRetrievalError,
    )

    without_credentials = (
        CredentialRetrievalError,
        MetadataRetrievalError,
        NoCredentialsError,
        PartialCredentialsError,
        SSOError,
        TokenRetrievalError,
    )

    if isinstance(error, without_credentials):
        failure, hint = KeyFailure.DENIED, "give AWS credentials: a profile, a role or the AWS_… variables [EKM-08]"
    elif isinstance(error, (HTTPClientError, ConnectionError)):
        failure, hint = KeyFailure.UNAVAILABLE, _HINTS[KeyFailure.UNAVAILABLE]
    else:
        failure, hint = KeyFailure.MISCONFIGURED, "check the AWS settings in use"
    return KeyAccessError(
        failure,
        f"{operation} as {asker.identity} with {' to '.join(key_arns)} failed: {failure.value}; {error}",
        hint=hint,
        key_arn=key_arns[0],
        operation=operation,
    )
