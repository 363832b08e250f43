"""What the tables run against: a sandbox, or AWS where its variables are set.

`KEYTURN_CONFORMANCE_OWNER_PROFILE` and `KEYTURN_CONFORMANCE_OTHER_PROFILE` name two profiles of two accounts;
`KEYTURN_CONFORMANCE_REGION` and `KEYTURN_CONFORMANCE_OTHER_REGION` two Regions (us-east-1, us-west-2).
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from engine.sandbox import Identity as SandboxIdentity
from tests.builders import REGION
from tests.conformance.words import Identity, Place
from tests.sandbox_fixtures import make_client

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.sandbox import Credentials, Sandbox

OWNER_PROFILE = "KEYTURN_CONFORMANCE_OWNER_PROFILE"
OTHER_PROFILE = "KEYTURN_CONFORMANCE_OTHER_PROFILE"
HOME_REGION = "KEYTURN_CONFORMANCE_REGION"
OTHER_REGION = "KEYTURN_CONFORMANCE_OTHER_REGION"
_ABROAD = "us-west-2"


@dataclass
class SandboxTarget:
    """A sandbox: the customer's account owns the keys, the vendor's is the other one."""

    sandbox: Sandbox
    credentials: Mapping[Identity, Credentials]
    real: bool = False
    _clients: dict[tuple[Identity, str, str], Any] = field(default_factory=dict)

    def client(self, identity: Identity, service: str, region: str) -> Any:
        """A client of one of the two accounts."""
        key = (identity, service, region)
        if key not in self._clients:
            self._clients[key] = make_client(self.sandbox, self.credentials[identity], service, region)
        return self._clients[key]

    def region(self, place: Place) -> str:
        """The sandbox's Region, or another one."""
        return REGION if place is Place.HOME else _ABROAD


def sandbox_target(sandbox: Sandbox) -> SandboxTarget:
    """A sandbox as a target."""
    owner, other = (sandbox.credentials(who) for who in (SandboxIdentity.CUSTOMER, SandboxIdentity.VENDOR))
    return SandboxTarget(sandbox, {Identity.OWNER: owner, Identity.OTHER: other})


@dataclass
class AwsTarget:
    """AWS, by two profiles; nothing but the profiles tells the accounts."""

    profiles: Mapping[Identity, str]
    regions: Mapping[Place, str]
    real: bool = True
    _clients: dict[tuple[Identity, str, str], Any] = field(default_factory=dict)

    def client(self, identity: Identity, service: str, region: str) -> Any:
        """A client of one of the two accounts, at AWS's own endpoint whatever the environment says."""
        key = (identity, service, region)
        if key not in self._clients:
            further: Any = {"ignore_configured_endpoint_urls": True}  # the published types do not know it yet
            config = Config(
                parameter_validation=False, retries={"mode": "adaptive", "total_max_attempts": 10}, **further
            )
            connect: Any = boto3.session.Session(profile_name=self.profiles[identity], region_name=region).client
            self._clients[key] = connect(service, config=config)
        return self._clients[key]

    def region(self, place: Place) -> str:
        """The Region of a place."""
        return self.regions[place]


def aws_target() -> AwsTarget | None:
    """AWS as the variables name it; None where they name nothing.

    Raises:
        RuntimeError: Only one profile is named, or both Regions are one.
    """
    profiles = {identity: os.environ.get(name) for identity, name in _PROFILES.items()}
    if not any(profiles.values()):
        return None
    if not all(profiles.values()):
        raise RuntimeError(f"set both {OWNER_PROFILE} and {OTHER_PROFILE}, or neither")
    regions = {
        Place.HOME: os.environ.get(HOME_REGION, "us-east-1"),
        Place.ABROAD: os.environ.get(OTHER_REGION, _ABROAD),
    }
    if len(set(regions.values())) == 1:
        raise RuntimeError(f"{HOME_REGION} and {OTHER_REGION} name one Region; the tables need two")
    return AwsTarget({identity: str(profile) for identity, profile in profiles.items()}, regions)


_PROFILES = {Identity.OWNER: OWNER_PROFILE, Identity.OTHER: OTHER_PROFILE}
