"""Grant tokens: opaque to clients, and here the place of their grant.

A token lets its grant be used before it has spread everywhere. The sandbox's grants take effect at once,
so a token adds nothing; one that is none is refused all the same. The token of a grant that is gone gives
nothing and is no error.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.sandbox.kms.errors import KmsError

if TYPE_CHECKING:
    from engine.sandbox.kms.call import Call
    from engine.sandbox.kms.model import KeyRecord

_PREFIX = "grant"
_SEPARATOR = "|"


@dataclass(frozen=True, slots=True)
class TokenPlace:
    """Where the grant of a token is."""

    account_id: str
    region: str
    key_id: str
    grant_id: str


def make_grant_token(key: KeyRecord, grant_id: str) -> str:
    """Make a new token for a grant on a key."""
    parts = (_PREFIX, key.account_id, key.region, key.key_id, grant_id, secrets.token_hex(16))
    return base64.b64encode(_SEPARATOR.join(parts).encode()).decode()


def read_grant_token(token: str) -> TokenPlace:
    """Read a token. Raises `KmsError` (`InvalidGrantTokenException`) where it is none."""
    try:
        parts = base64.b64decode(token, validate=True).decode().split(_SEPARATOR)
    except (binascii.Error, ValueError) as error:
        raise _invalid() from error
    if len(parts) != 6 or parts[0] != _PREFIX:
        raise _invalid()
    return TokenPlace(*parts[1:5])


def check_grant_tokens(call: Call) -> None:
    """Refuse a call whose `GrantTokens` are not all tokens."""
    for token in call.parameters.texts("GrantTokens"):
        read_grant_token(token)


def _invalid() -> KmsError:
    return KmsError("InvalidGrantTokenException", "The grant token is not valid")
