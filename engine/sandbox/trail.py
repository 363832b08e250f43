"""CloudTrail's event history, as far as it is needed: calls of KMS that failed (CloudTrail API, "LookupEvents").

Who looks before a key is released asks whether somebody still tries to use it. The sandbox keeps the latest
failed calls, for the caller's account and for the key's, and answers LookupEvents by `ResourceName`. Unlike
CloudTrail it has no delay.
"""

from __future__ import annotations

import json
import re
import uuid
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from engine.arn import partition_of
from engine.sandbox.http_messages import HttpResponse

if TYPE_CHECKING:
    from engine.sandbox.clock import SandboxClock
    from engine.sandbox.kms.service import KmsRequest

TRAIL = "cloudtrail"
_OPERATION = "LookupEvents"
_KEPT = 10_000
_PAGE = 50  # CloudTrail's own
_KEY_NAME = re.compile(r"(arn:[a-z0-9-]+:kms:[a-z0-9-]+:[0-9]{12}:key/)?(mrk-)?[0-9a-f-]{32,36}", re.ASCII)
_KEY_MEMBERS = ("KeyId", "SourceKeyId", "DestinationKeyId")


@dataclass(frozen=True, slots=True)
class FailedCall:
    """A call of KMS that was refused."""

    at: datetime
    event_id: str
    operation: str
    key_arns: tuple[str, ...]
    error_code: str
    principal_arn: str
    accounts: frozenset[str]
    region: str


class Trail:
    """The failed calls of one sandbox; appending and reading are each one step, so threads may share it."""

    def __init__(self, clock: SandboxClock) -> None:
        self._clock = clock
        self._calls: deque[FailedCall] = deque(maxlen=_KEPT)

    def record(self, request: KmsRequest, answer: bytes) -> None:
        """Keep a call that was refused."""
        try:
            members, error = json.loads(request.body), json.loads(answer)
        except ValueError:
            return
        named = [members.get(name) for name in _KEY_MEMBERS] if isinstance(members, dict) else []
        # By alias or by the ciphertext alone a call is about a key too; one that is gone is known by its name alone.
        by_name = [_arn(name, request) for name in map(str, named) if _KEY_NAME.fullmatch(name)]
        arns = tuple(dict.fromkeys([*request.touched, *by_name]))
        accounts = {request.principal.account_id, *(arn.split(":")[4] for arn in arns)}
        self._calls.append(
            FailedCall(
                self._clock.now(),
                str(uuid.uuid4()),
                request.operation,
                arns,
                str(error.get("__type", "")),
                request.principal.arn,
                frozenset(accounts),
                request.region,
            )
        )

    def answer(self, target: str, body: bytes, account_id: str, region: str) -> HttpResponse | None:
        """Answer a request to CloudTrail; None where it is not LookupEvents."""
        if target.rpartition(".")[2] != _OPERATION:
            return None
        members = json.loads(body or b"{}")
        wanted = {
            a["AttributeValue"] for a in members.get("LookupAttributes", []) if a["AttributeKey"] == "ResourceName"
        }
        since = datetime.fromtimestamp(members.get("StartTime", 0), UTC)
        until = datetime.fromtimestamp(members["EndTime"], UTC) if "EndTime" in members else None
        found = [
            call
            for call in reversed(tuple(self._calls))
            if account_id in call.accounts
            and call.region == region
            and (not wanted or wanted & set(call.key_arns))
            and call.at >= since
            and (until is None or call.at <= until)
        ]
        start, size = int(members.get("NextToken", "0")), int(members.get("MaxResults", _PAGE))
        page: dict[str, Any] = {"Events": [_event(call) for call in found[start : start + size]]}
        if start + size < len(found):
            page["NextToken"] = str(start + size)
        headers = (("x-amzn-RequestId", str(uuid.uuid4())), ("Content-Type", "application/x-amz-json-1.1"))
        return HttpResponse(HTTPStatus.OK, headers, json.dumps(page).encode())


def _arn(name: str, request: KmsRequest) -> str:
    if name.startswith("arn:"):
        return name
    return f"arn:{partition_of(request.region)}:kms:{request.region}:{request.principal.account_id}:key/{name}"


def _event(call: FailedCall) -> dict[str, Any]:
    record = {
        "eventTime": call.at.isoformat(),
        "eventSource": "kms.amazonaws.com",
        "eventName": call.operation,
        "errorCode": call.error_code,
        "userIdentity": {"arn": call.principal_arn},
    }
    return {
        "EventId": call.event_id,
        "EventName": call.operation,
        "EventTime": call.at.timestamp(),
        "EventSource": "kms.amazonaws.com",
        "Username": call.principal_arn.rpartition("/")[2],
        "Resources": [{"ResourceType": "AWS::KMS::Key", "ResourceName": arn} for arn in call.key_arns],
        "CloudTrailEvent": json.dumps(record),
    }
