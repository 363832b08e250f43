"""What makes a sandbox the same one after a restart: its accounts, its nonce, its credentials, its clock."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from engine.errors import DamagedError, InputError
from engine.sandbox.credentials import Credentials

if TYPE_CHECKING:
    from engine.sandbox.settings import SandboxSettings
    from engine.sandbox.state.folder import StateFolder

_NAME = "sandbox"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredIdentity:
    """What is kept of a sandbox itself.

    Attributes:
        nonce: What tells it from every other sandbox.
        service_key_arn: The key that stands for the service's own.
        ahead: How far its clock is ahead of the machine's.
        customer: The credentials of the customer's administrator.
        vendor: The credentials of the vendor's administrator.
        others: Credentials of further administrators.
    """

    nonce: str
    service_key_arn: str
    ahead: timedelta
    customer: Credentials
    vendor: Credentials
    others: tuple[Credentials, ...] = field(default=())


def read_identity(folder: StateFolder, settings: SandboxSettings) -> StoredIdentity | None:
    """What the folder holds of a sandbox; None where it is new.

    Raises:
        InputError: It is of other accounts, another partition or another version of moto.
        DamagedError: It cannot be read.
    """
    found = dict(folder.read(_NAME)).get(_NAME)
    if found is None:
        return None
    try:
        document = json.loads(found)
        written, stored = document["of"], document["stored"]
        identity = StoredIdentity(
            nonce=str(stored["nonce"]),
            service_key_arn=str(stored["service_key_arn"]),
            ahead=timedelta(seconds=float(stored["ahead"])),
            customer=Credentials(**stored["customer"]),
            vendor=Credentials(**stored["vendor"]),
            others=tuple(Credentials(**one) for one in stored["others"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedError(f"the state in {folder.path} does not say whose it is") from error
    for name, value in _of(settings).items():
        if written.get(name) != value:
            raise InputError(
                f"the state in {folder.path} is of {name} {written.get(name)}, not {value}",
                "start the sandbox as it was started before, or give it a folder of its own",
            )
    return identity


def write_identity(folder: StateFolder, settings: SandboxSettings, identity: StoredIdentity) -> None:
    """Keep what makes a sandbox the same one. Raises `MachineError` where the disk does not take it."""
    stored: dict[str, Any] = {**asdict(identity), "ahead": identity.ahead.total_seconds()}
    folder.write({_NAME: json.dumps({"of": _of(settings), "stored": stored}).encode()})


def _of(settings: SandboxSettings) -> dict[str, str]:
    return {
        "customer account": settings.customer_account_id,
        "vendor account": settings.vendor_account_id,
        "partition": settings.partition,
        "moto": version("moto"),
    }
