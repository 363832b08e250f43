"""Sessions of boto3 that share what they read: botocore parses megabytes of service descriptions for each other."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import boto3
    from botocore.loaders import Loader


def aws_session(region: str, profile: str | None = None) -> boto3.Session:
    """A session with boto3's usual chain of credentials.

    Args:
        region: The Region that its clients talk to.
        profile: A profile of the user's AWS configuration, or None for the chain's own choice.

    Raises:
        BotoCoreError: The profile does not exist.
    """
    import boto3
    from botocore.session import Session

    session = Session(profile=profile)
    session.register_component("data_loader", _loader(session.get_config_variable("data_path")))
    return boto3.Session(region_name=region, botocore_session=session)


@cache
def _loader(data_path: str | None) -> Loader:
    from botocore.loaders import create_loader

    return create_loader(data_path)
