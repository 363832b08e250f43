"""Access key ids that tell their account, in the form that AWS itself uses.

An id is `AKIA` (a user's) or `ASIA` (a session's) and 16 letters of base32, that is 80 bits: a 1, the
account number in 40 bits, and 39 random bits. So any account works without being configured, and every
request's account follows from its credentials. (The layout is not documented by AWS; it is public knowledge
since the offset of ids made from 2019 on was found, and moto makes its ids in the same way.)
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets

from engine.arn import is_account_id

USER_PREFIX = "AKIA"
SESSION_PREFIX = "ASIA"

_FORM = re.compile(rf"({USER_PREFIX}|{SESSION_PREFIX})[A-Z2-7]{{16}}", re.ASCII)
_RANDOM_BITS = 39
_ACCOUNT_BITS = 40


def make_access_key_id(account_id: str, prefix: str = USER_PREFIX) -> str:
    """Make a new id for an account of twelve digits.

    Raises:
        ValueError: The account is not twelve digits.
    """
    if not is_account_id(account_id):
        raise ValueError(f"{account_id!r} is not an account id")
    number = (1 << _ACCOUNT_BITS | int(account_id)) << _RANDOM_BITS | secrets.randbits(_RANDOM_BITS)
    return prefix + base64.b32encode(number.to_bytes(10, "big")).decode("ascii")


def account_of_access_key(access_key_id: str) -> str | None:
    """The account that an id was made for, or None where it is not an id of this form."""
    if not _FORM.fullmatch(access_key_id):
        return None
    try:
        number = int.from_bytes(base64.b32decode(access_key_id[4:]), "big")
    except binascii.Error:
        return None
    if number >> (_ACCOUNT_BITS + _RANDOM_BITS) != 1:
        return None
    account = number >> _RANDOM_BITS & (1 << _ACCOUNT_BITS) - 1
    return f"{account:012d}" if account < 10**12 else None
