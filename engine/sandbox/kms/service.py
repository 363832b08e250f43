"""The KMS endpoint: a request's operation and body in, an answer's status and body out.

In this order, as AWS does it: the operation is known, the caller is known, the parameters are well formed;
then the operation itself looks at access, state and content. Operations that change something run one at a
time; the others run side by side on frozen records.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import TYPE_CHECKING

from engine.arn import partition_of
from engine.sandbox.faults.model import PropagationDelays
from engine.sandbox.kms.call import Call
from engine.sandbox.kms.errors import KmsError
from engine.sandbox.kms.operations import OPERATIONS
from engine.sandbox.kms.parameters import ParameterModel
from engine.sandbox.kms.propagation import Propagation
from engine.sandbox.kms.store import KeyStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.sandbox.clock import SandboxClock
    from engine.sandbox.credentials import Principal
    from engine.sandbox.kms.call import Reply
    from engine.sandbox.kms.model import KeyRecord

TARGET_PREFIX = "TrentService."


@dataclass(frozen=True, slots=True)
class KmsRequest:
    """A request to KMS, taken out of HTTP.

    Attributes:
        operation: From the header `X-Amz-Target`, without its prefix.
        body: The JSON document.
        principal: Who signed it.
        region: The Region that it was signed for.
        source_address: The client's IP address.
        touched: Filled while it is answered: the ARNs of the keys that it was about, however they were named.
    """

    operation: str
    body: bytes
    principal: Principal
    region: str
    source_address: str
    touched: list[str] = field(default_factory=list, compare=False)


class KmsService:
    """KMS for every account and Region of one sandbox. Safe to use from several threads.

    Args:
        clock: The sandbox's clock.
        delays: How long changes take to be met, as it is now.
    """

    def __init__(self, clock: SandboxClock, delays: Callable[[], PropagationDelays] = PropagationDelays) -> None:
        self._clock = clock
        self._parameters = ParameterModel()
        self._propagation = Propagation(clock.now, delays)
        self.store = KeyStore(clock.now, self._note)
        self._save: Callable[[], None] = lambda: None
        self._changed = False

    def handle(self, request: KmsRequest) -> tuple[HTTPStatus, bytes]:
        """Answer a request.

        Returns:
            The HTTP status and the JSON document; an error has its name in `__type`.
        """
        try:
            return HTTPStatus.OK, json.dumps(self.answer(request)).encode()
        except KmsError as error:
            return error.status, json.dumps({"__type": error.code, "message": error.message}).encode()

    def answer(self, request: KmsRequest) -> Reply:
        """Answer a request, or raise `KmsError`."""
        operation = OPERATIONS.get(request.operation)
        if operation is None:
            known = request.operation in self._parameters.operations
            what = "The sandbox does not have" if known else "AWS KMS has no"
            raise KmsError("UnknownOperationException", f"{what} operation {request.operation!r}")
        parameters = self._parameters.parse(operation.name, request.body)
        call = Call(
            operation=operation.name,
            parameters=parameters,
            principal=request.principal,
            partition=partition_of(request.region),
            region=request.region,
            source_address=request.source_address,
            now=self._clock.now(),
            touched=request.touched,
            store=self._propagation.store_for(
                self.store, operation.name, changes=operation.changes, tokens=parameters.texts("GrantTokens")
            ),
        )
        if not operation.changes:
            reply = operation.handler(call)
            if self._changed:  # time has passed for a key: rotated material must outlive what it encrypts
                with self.store.lock:
                    self._keep()
            return reply
        with self.store.lock:
            reply = operation.handler(call)
            self._keep()
            return reply

    def keep_with(self, save: Callable[[], None]) -> None:
        """Have every change saved before its call is answered; `save` runs with the store's lock held."""
        self._save = save

    def _keep(self) -> None:
        self._save()
        self._changed = False

    def _note(self, before: KeyRecord, after: KeyRecord) -> None:
        self._changed = True
        self._propagation.note(before, after)

    def set_key_store_reachable(self, store_id: str, *, reachable: bool) -> None:
        """Make what is behind a custom key store of any account answer no more, or again.

        Raises:
            KeyError: There is no such custom key store.
        """
        with self.store.lock:
            store = self.store.custom_key_store(store_id)
            self.store.put_custom_key_store(replace(store, reachable=reachable))
            self._keep()
