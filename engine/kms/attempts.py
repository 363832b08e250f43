"""Who still tries to use a key that is disabled, as CloudTrail's event history tells.

A use that is refused leaves no trace in GetKeyLastUsage; CloudTrail keeps it for 90 days, with some minutes of
delay (AWS CloudTrail User Guide, "Working with CloudTrail event history"). Needs `cloudtrail:LookupEvents`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from engine.access.operations import CRYPTOGRAPHIC
from engine.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Iterator

HISTORY = timedelta(days=90)
_USES = CRYPTOGRAPHIC | {"ReEncrypt", "CreateGrant"}


@dataclass(frozen=True, slots=True)
class FailedAttempt:
    """A use of a key that AWS refused.

    Attributes:
        at: When, UTC.
        operation: The KMS operation.
        error_code: What AWS answered.
        caller: Whose it was: an ARN, or another name that CloudTrail gives.
    """

    at: datetime
    operation: str
    error_code: str
    caller: str


def failed_attempts(region: str, key_arn: str, since: datetime) -> tuple[FailedAttempt, ...]:
    """Every failed use of a key that CloudTrail knows.

    Args:
        region: The key's Region.
        key_arn: The key's full ARN.
        since: From when on, UTC.

    Raises:
        AwsError: CloudTrail cannot be asked.
    """
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    config = Config(connect_timeout=5, read_timeout=20, retries={"mode": "standard", "max_attempts": 4})
    try:
        client: Any = boto3.Session(region_name=region).client("cloudtrail", config=config)
        pages = client.get_paginator("lookup_events").paginate(
            LookupAttributes=[{"AttributeKey": "ResourceName", "AttributeValue": key_arn}], StartTime=since
        )
        return tuple(attempt for page in pages for attempt in _attempts(page["Events"]))
    except (BotoCoreError, ClientError, ValueError) as error:
        raise AwsError(
            f"CloudTrail does not tell whether somebody tried to use {key_arn}: {error}",
            "these credentials need cloudtrail:LookupEvents",
        ) from error


def _attempts(events: list[Any]) -> Iterator[FailedAttempt]:
    for event in events:
        record = json.loads(event["CloudTrailEvent"])
        code = record.get("errorCode")
        if code and event.get("EventSource") == "kms.amazonaws.com" and event["EventName"] in _USES:
            caller = str(record.get("userIdentity", {}).get("arn") or event.get("Username") or "unknown")
            yield FailedAttempt(event["EventTime"], event["EventName"], str(code), caller)
