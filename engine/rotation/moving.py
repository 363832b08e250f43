"""One data key on its way to the new key: wrapped under it, and proved to open there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.envelope.data_keys import check_commitment, wipe
from engine.errors import KeyAccessError, KeyFailure
from engine.ledger.interface import DataKey, encryption_context

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.envelope.data_keys import KeyAccess
    from engine.envelope.ports import DataKeyService
    from engine.kms import WrappedBytes

_OF_ONE_DATA_KEY = {"IncorrectKeyException", "ValidationException", "ValidationError"}
NOT_FOUND = "NotFoundException"


class Mover:
    """Moves data keys of one tenant to one key; changes nothing in the ledger.

    Args:
        tenant: The tenant's name.
        access: With whose credentials keys are used.
        target: Who uses the new key, where those may not; None where one credential may use both.
        to: The generation to move to.
        target_arn: The ARN of its key.
        epoch: The epoch of the move.
    """

    def __init__(
        self,
        tenant: str,
        access: KeyAccess,
        target: DataKeyService | None,
        to: int,
        target_arn: str,
        epoch: int,
    ) -> None:
        self._tenant, self._access, self._target = tenant, access, target
        self._to, self._target_arn, self._epoch = to, target_arn, epoch

    def moved(self, old: DataKey) -> DataKey:
        """A data key under the new key, verified; `old` itself where it stands there already.

        Raises:
            KeyAccessError: It cannot be wrapped under the new key, or does not open there as it should.
            InputError: Its key is the service's own, and nobody's credentials for it are given.
        """
        context = encryption_context(self._tenant, old.workload, old.purpose)
        ciphertext, material = old.ciphertext, old.key_material_id
        epoch = old.epoch
        if (old.generation, old.key_arn) != (self._to, self._target_arn):
            wrapped = self._wrapped(old, context)
            ciphertext, material, epoch = wrapped.ciphertext, wrapped.key_material_id, self._epoch
        new = DataKey(
            data_key_id=old.data_key_id,
            workload=old.workload,
            purpose=old.purpose,
            custody=old.custody,
            generation=self._to,
            key_arn=self._target_arn,
            ciphertext=ciphertext,
            commitment=old.commitment,
            key_material_id=material,
            epoch=epoch,
            verified=True,
            set_aside=None,
            created_at=old.created_at,
        )
        holder = self._target or self._access.caller(self._to)
        plaintext = holder.unwrap(self._target_arn, ciphertext, context)
        try:
            check_commitment(new, plaintext)
        finally:
            wipe(plaintext)
        return new

    def _wrapped(self, old: DataKey, context: Mapping[str, str]) -> WrappedBytes:
        holder = self._access.caller(old.generation)
        if self._target is None:
            return holder.rewrap(old.key_arn, self._target_arn, old.ciphertext, context)
        plaintext = holder.unwrap(old.key_arn, old.ciphertext, context)
        try:
            check_commitment(old, plaintext)
            return self._target.wrap(self._target_arn, bytes(plaintext), context)  # botocore copies it as well
        finally:
            wipe(plaintext)

    def is_gone(self, generation: int, key_arn: str) -> bool | None:
        """Whether AWS KMS has no such key, which ReEncrypt alone does not tell of which of the two; None: unknown."""
        try:
            self._access.caller(generation).describe(key_arn)
        except KeyAccessError as error:
            return True if error.aws_code == NOT_FOUND else None
        return False


def is_of_one_data_key(error: KeyAccessError) -> bool:
    """Whether an error is about the one data key's own record, so that others may fare better."""
    return error.failure is KeyFailure.TAMPERED or error.aws_code in _OF_ONE_DATA_KEY
