"""What every call brings to the conditions of a policy: who calls, when, from where.

(IAM User Guide, "AWS global condition context keys")
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from engine.sandbox.credentials import Principal


def context_of(principal: Principal, now: datetime, region: str, source_address: str) -> dict[str, tuple[str, ...]]:
    """The global condition keys of a call.

    Args:
        principal: Who calls.
        now: The sandbox's time.
        region: The Region that the request was signed for.
        source_address: The client's IP address.
    """
    context: dict[str, tuple[str, ...]] = {
        "aws:CurrentTime": (now.strftime("%Y-%m-%dT%H:%M:%SZ"),),
        "aws:EpochTime": (str(int(now.timestamp())),),
        "aws:PrincipalAccount": (principal.account_id,),
        "aws:PrincipalArn": (principal.principal_arn,),
        "aws:PrincipalIsAWSService": ("false",),
        "aws:PrincipalType": (principal.kind,),
        "aws:RequestedRegion": (region,),
        "aws:SecureTransport": ("true",),
        "aws:SourceIp": (source_address,),
        "aws:ViaAWSService": ("false",),
        "aws:userid": (principal.user_id,),
    }
    if principal.role_arn is None:
        context["aws:username"] = (principal.arn.rsplit("/", 1)[-1],)
    for name, value in principal.tags.items():
        context[f"aws:PrincipalTag/{name}"] = (value,)
    return context
