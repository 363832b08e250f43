"""Data keys: 32 random bytes for one workload, kept wrapped, opened for one operation at a time.

- A data key is made by KMS under the generation that is current, or under the service's own key in cloud
  mode and for legal hold (EKM-12, EKM-43).
- It is opened by KMS at the start of each operation, held in memory for that operation alone, and wiped
  behind it; it is never written and never cached across operations (EKM-46).
- The payload format does not commit to its key, so a commitment is kept beside the wrapped key: a record
  whose ciphertext was exchanged for another's opens to a key that does not match, and is refused.
"""

from __future__ import annotations

import hmac
import secrets
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.catalogue import Custody
from engine.errors import InputError, KeyAccessError, KeyFailure
from engine.ledger import interface
from engine.ledger.interface import DataKey, encryption_context
from engine.lifecycle import SERVICE_GENERATION, Mode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from engine.envelope.ports import DataKeyService
    from engine.lifecycle import TenantState

DATA_KEY_BYTES = 32
PAYLOAD, LEGAL_HOLD = interface.PAYLOAD, interface.LEGAL_HOLD


@dataclass(frozen=True, slots=True)
class KeyAccess:
    """With whose credentials keys are used.

    Attributes:
        customer: The customer's own credentials; the key's owner.
        vendor: The vendor's, where they are given: workflows then use the key as the vendor does.
        service_key_arn: The service's own key (generation 0), in the vendor's account, where it is known.
    """

    customer: DataKeyService
    vendor: DataKeyService | None = None
    service_key_arn: str | None = None

    def caller(self, generation: int) -> DataKeyService:
        """Who uses the key of a generation.

        Raises:
            InputError: It is the service's own key, and the vendor's credentials are not given.
        """
        if generation == SERVICE_GENERATION:
            if self.vendor is None:
                raise InputError(
                    "the service's own key belongs to the vendor: it can only be used with the vendor's credentials",
                    "give them with --vendor-profile; the sandbox has them as the profile `vendor`",
                )
            return self.vendor
        return self.vendor or self.customer

    def service_key(self) -> str:
        """The ARN of the service's own key.

        Raises:
            InputError: It is not known.
        """
        if self.service_key_arn is None:
            raise InputError(
                "the service's own key is not known, under which Cloud Key Management wraps data keys",
                "set KEYTURN_SERVICE_KEY to its ARN; `keyturn sandbox env` prints it for the sandbox",
            )
        return self.service_key_arn


def commitment_to(data_key: bytes | bytearray) -> bytes:
    """The commitment to a data key: an HMAC-SHA-256 under it, 32 bytes, which tells nothing of it."""
    return hmac.digest(data_key, b"keyturn data key commitment 1", "sha256")


def wipe(secret: bytearray) -> None:
    """Overwrite a secret with zeros, as far as Python lets us."""
    secret[:] = bytes(len(secret))


def make_data_key(
    access: KeyAccess, state: TenantState, workload: str, purpose: str, at: datetime
) -> tuple[DataKey, bytearray]:
    """Make a data key for a workload.

    Args:
        access: With whose credentials.
        state: The tenant's state, for the generation that new data keys go to.
        workload: What it is for, such as `exchange_online/anna`.
        purpose: `PAYLOAD` or `LEGAL_HOLD`; the latter always goes under the service's own key.
        at: Now, UTC.

    Returns:
        The record to store, and the plaintext for the caller to wipe.

    Raises:
        KeyAccessError: KMS said no.
        InputError: The service's key is needed and cannot be used.
    """
    custody = Custody.SERVICE if purpose == LEGAL_HOLD else Custody.CUSTOMER
    current = state.current
    if custody is Custody.SERVICE or state.mode is Mode.CLOUD or current is None:
        generation, key_arn = SERVICE_GENERATION, access.service_key()
    else:
        generation, key_arn = current.number, str(current.key_arn)
    context = encryption_context(state.tenant, workload, purpose)
    plaintext, wrapped = access.caller(generation).generate_data_key(key_arn, context)
    record = DataKey(
        data_key_id=secrets.token_hex(16),
        workload=workload,
        purpose=purpose,
        custody=custody,
        generation=generation,
        key_arn=key_arn,
        ciphertext=wrapped.ciphertext,
        commitment=commitment_to(plaintext),
        key_material_id=wrapped.key_material_id,
        epoch=state.epoch,
        verified=True,
        set_aside=None,
        created_at=at,
    )
    return record, plaintext


@contextmanager
def opened(access: KeyAccess, tenant: str, record: DataKey) -> Iterator[bytearray]:
    """Open a data key for one operation, and wipe it behind it.

    Raises:
        KeyAccessError: KMS said no, or what it opened to is not the key that was once wrapped.
    """
    caller = access.caller(record.generation)
    plaintext = caller.unwrap(record.key_arn, record.ciphertext, record.encryption_context(tenant))
    try:
        check_commitment(record, plaintext)
        yield plaintext
    finally:
        wipe(plaintext)


def check_commitment(record: DataKey, plaintext: bytes | bytearray) -> None:
    """Hold an opened data key against the commitment in its record.

    Raises:
        KeyAccessError: It is another key than the one that was once wrapped (tampered).
    """
    if not hmac.compare_digest(commitment_to(plaintext), record.commitment):
        raise KeyAccessError(
            KeyFailure.TAMPERED,
            f"the data key of workload {record.workload!r} is not the one that was once wrapped",
            hint="restore the ledger's record from a backup",
            key_arn=record.key_arn,
            operation="Decrypt",
        )
