"""GetKeyLastUsage."""

from __future__ import annotations

from tests.conformance.things import Ciphertext, Key
from tests.conformance.words import PRESENT, Call, Identity, Row, Table, api, gives, refused

_UNUSED, _USED = Key("never used"), Key("used once")
_BLOB = Ciphertext(_USED)
_NOWHERE = "00000000-0000-4000-8000-000000000000"

GET_KEY_LAST_USAGE = Table(
    "GetKeyLastUsage",
    api("GetKeyLastUsage"),
    (
        Row(
            "never used",
            {"KeyId": _UNUSED.id},
            gives({"KeyLastUsage.Operation": None, "KeyCreationDate": PRESENT, "TrackingStartDate": PRESENT}),
        ),
        Row(
            "the last operation and when",
            {"KeyId": _USED.id},
            gives({"KeyLastUsage": {"Operation": "Decrypt", "Timestamp": PRESENT}}),
            given=(Call("Decrypt", {"CiphertextBlob": _BLOB.blob}),),
            judgement="no page says how soon a use is told of",
        ),
        Row(
            "looking at it is no use",
            {"KeyId": _UNUSED.id},
            gives({"KeyLastUsage.Operation": None}),
            given=(Call("DescribeKey", {"KeyId": _UNUSED.id}),),
        ),
        Row(
            "across accounts",
            {"KeyId": _USED.arn},
            refused("AccessDenied"),
            caller=Identity.OTHER,
            judgement="the page says that it is not done across accounts, not by which error",
        ),
        Row("a key that is not there", {"KeyId": _NOWHERE}, refused("NotFound")),
    ),
)

TABLES = (GET_KEY_LAST_USAGE,)
