"""One call on KMS, as the operations see it: who, where, with what, and the store that they work on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from engine.sandbox.kms.identifiers import parse_identifier

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from engine.sandbox.credentials import Principal
    from engine.sandbox.kms.identifiers import Reference
    from engine.sandbox.kms.parameters import Parameters
    from engine.sandbox.kms.store import KeyStore

Reply = dict[str, Any]  # the members of an answer, ready for JSON


@dataclass(frozen=True, slots=True)
class Call:
    """A checked request.

    Attributes:
        operation: The operation's name, such as `Decrypt`.
        parameters: Its members.
        principal: Who calls.
        partition: The AWS partition of the Region.
        region: The Region that the request was signed for.
        source_address: The client's IP address.
        now: The sandbox's time, fixed for the call.
        store: The keys.
        touched: The ARNs of the keys that the call turned out to be about, for whoever looks after failed calls.
    """

    operation: str
    parameters: Parameters
    principal: Principal
    partition: str
    region: str
    source_address: str
    now: datetime
    store: KeyStore
    touched: list[str] = field(default_factory=list, compare=False)

    @property
    def account_id(self) -> str:
        """The caller's account."""
        return self.principal.account_id

    def reference(self, identifier: str, *, aliases: bool) -> Reference:
        """Read a key identifier as this caller means it. Raises `KmsError`."""
        return parse_identifier(
            identifier, partition=self.partition, region=self.region, account_id=self.account_id, aliases=aliases
        )


@dataclass(frozen=True, slots=True)
class Operation:
    """One row of the table of operations.

    Attributes:
        name: As in the service model.
        handler: Answers a call, or raises `KmsError`.
        changes: Whether it changes keys, aliases or grants, and so runs alone.
    """

    name: str
    handler: Callable[[Call], Reply]
    changes: bool = False


def epoch_seconds(moment: datetime) -> float:
    """A time as the JSON protocol writes it."""
    return round(moment.timestamp(), 3)
