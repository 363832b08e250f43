"""What a sandbox is started with: two accounts, a Region, a port."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from engine.arn import is_account_id, partition_of
from engine.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}", re.ASCII)
_LAST_PORT = 65535


class Identity(Enum):
    """For which of the two accounts an environment is; the value is its name on the command line."""

    CUSTOMER = "customer"
    VENDOR = "vendor"


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSettings:
    """The settings of one sandbox.

    Attributes:
        customer_account_id: The account that owns the tenant's keys, ledger and vault.
        vendor_account_id: The account that the vendor works from.
        port: The TCP port on 127.0.0.1; 0 takes a free one.
        region: The Region that the environments name; every other Region answers too.
        state: The folder that keeps everything over a restart, or None where all is in memory.

    Raises:
        InputError: An account id, the Region or the port is not one, or both accounts are the same.
    """

    customer_account_id: str
    vendor_account_id: str
    port: int = 0
    region: str = "us-east-1"
    state: Path | None = None

    def __post_init__(self) -> None:
        for account_id in (self.customer_account_id, self.vendor_account_id):
            if not is_account_id(account_id):
                raise InputError(f"the account {account_id!r} is not 12 digits", "an AWS account id has 12 digits")
        if self.customer_account_id == self.vendor_account_id:
            raise InputError(
                f"the customer and the vendor are both account {self.customer_account_id}",
                "give the sandbox two different accounts: who may do what depends on it",
            )
        if not _REGION.fullmatch(self.region):
            raise InputError(f"the Region {self.region!r} is not of a Region's form", "such as us-east-1")
        if not 0 <= self.port <= _LAST_PORT:
            raise InputError(f"the port {self.port} is not between 0 and {_LAST_PORT}", "0 takes a free port")

    @property
    def partition(self) -> str:
        """The AWS partition of the Region."""
        return partition_of(self.region)

    def account_of(self, identity: Identity) -> str:
        """The account of one of the two."""
        return self.customer_account_id if identity is Identity.CUSTOMER else self.vendor_account_id
