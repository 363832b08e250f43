"""Who changes a ledger, for its journal."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.kms.requests import KmsRequests

if TYPE_CHECKING:
    from engine.kms.requests import RequestLog


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does it.

    Attributes:
        identity: The principal that AWS STS tells.
        command: The command.
        version: The version of Keyturn.
        requests: Collects the ids of its requests to AWS KMS, for the journal; None where it makes none.
    """

    identity: str
    command: str
    version: str
    requests: RequestLog | None = field(default=None, compare=False, repr=False)

    def kms_requests(self) -> KmsRequests:
        """The requests to AWS KMS that its next journal entry rests on."""
        return KmsRequests() if self.requests is None else self.requests.take()
