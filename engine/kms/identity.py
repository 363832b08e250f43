"""Who the credentials in use belong to, as AWS STS tells; for the journal and for the vendor's account.

`sts:GetCallerIdentity` needs no permission (AWS STS API Reference, "GetCallerIdentity").
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.errors import AwsError


@dataclass(frozen=True, slots=True)
class Identity:
    """An AWS principal: its ARN and its account."""

    arn: str
    account_id: str


def caller_identity(region: str, profile: str | None = None) -> Identity:
    """Ask STS who the credentials belong to.

    Args:
        region: The Region whose STS is asked.
        profile: A profile of the user's AWS configuration, or None for boto3's usual chain.

    Raises:
        AwsError: There are no credentials, they are refused, or STS cannot be reached (EKM-08).
    """
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    from engine.kms.session import aws_session

    whose = f"the profile {profile!r}" if profile else "the AWS credentials in use"
    config = Config(connect_timeout=5, read_timeout=10, retries={"mode": "standard", "max_attempts": 3})
    try:
        session = aws_session(region, profile)
        answer = session.client("sts", config=config).get_caller_identity()
    except (BotoCoreError, ClientError, ValueError) as error:
        raise AwsError(
            f"AWS does not tell who {whose} belong to: {error} [EKM-08]",
            "give AWS credentials: a profile, a role or the AWS_… variables; AWS_ENDPOINT_URL names another endpoint",
        ) from error
    return Identity(answer["Arn"], answer["Account"])
