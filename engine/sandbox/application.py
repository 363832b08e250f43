"""Where a request goes: to the control plane, to the sandbox's KMS, or to moto.

- `/_keyturn/` is the control plane.
- Every other request must be signed with credentials that the sandbox issued. Its account and Region follow
  from the signature.
- A call that stands to fail on demand meets its fault here, once it is known whose it is and what it asks.
- CloudTrail's event history tells of failed calls of KMS (`engine.sandbox.trail`).
- S3 has its own door (`engine.sandbox.buckets`), and so has DynamoDB (`engine.sandbox.table_access`).
- KMS is never moto's: what is signed for KMS or targets it goes to the strict layer, or nowhere.
"""

from __future__ import annotations

import logging
import uuid
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING

from engine.sandbox.assumed_roles import action_of, assume_role
from engine.sandbox.buckets import refuse_bucket
from engine.sandbox.caller_identity import tell_caller_identity
from engine.sandbox.control import CONTROL_PREFIX
from engine.sandbox.faults.answers import meet
from engine.sandbox.http_messages import HttpResponse
from engine.sandbox.kms.service import TARGET_PREFIX, KmsRequest, KmsService
from engine.sandbox.operation_names import operation_name
from engine.sandbox.refusals import Refusal, refuse
from engine.sandbox.signature import read_signature
from engine.sandbox.table_access import refuse_items
from engine.sandbox.trail import TRAIL

if TYPE_CHECKING:
    from engine.sandbox.clock import SandboxClock
    from engine.sandbox.control import ControlPlane
    from engine.sandbox.credentials import CredentialStore, Principal
    from engine.sandbox.faults.plan import FaultPlan
    from engine.sandbox.http_messages import HttpRequest
    from engine.sandbox.moto_services import MotoServices
    from engine.sandbox.signature import Signature
    from engine.sandbox.trail import Trail

_LOG = logging.getLogger("keyturn.sandbox")
_KMS = "kms"


class Application:
    """The sandbox as one function from requests to answers.

    Args:
        credentials: Whom the sandbox knows.
        kms: The strict layer.
        trail: What CloudTrail tells of it.
        others: Every other service.
        control: The control plane.
        faults: The standing faults.
        clock: The clock, by which sessions end.
    """

    def __init__(
        self,
        *,
        credentials: CredentialStore,
        kms: KmsService,
        trail: Trail,
        others: MotoServices,
        control: ControlPlane,
        faults: FaultPlan,
        clock: SandboxClock,
    ) -> None:
        self._credentials = credentials
        self._kms = kms
        self._trail = trail
        self._others = others
        self._control = control
        self._faults = faults
        self._clock = clock

    def answer(self, request: HttpRequest) -> HttpResponse | None:
        """Answer a request; None ends the connection without an answer."""
        if request.target.startswith(CONTROL_PREFIX):
            return self._control.answer(request)
        signature = read_signature(request)
        target = request.headers.get("x-amz-target", "")
        for_kms = target.startswith(TARGET_PREFIX)
        if signature is None:
            return refuse(request, _KMS if for_kms else None, Refusal.NOT_SIGNED)
        principal = self._credentials.principal_of(signature.access_key_id, signature.session_token)
        if principal is None:
            return refuse(request, signature.service, Refusal.UNKNOWN_CREDENTIALS)
        if principal.expires is not None and principal.expires <= self._clock.now():
            return refuse(request, signature.service, Refusal.EXPIRED)
        if for_kms != (signature.service == _KMS):
            return refuse(request, signature.service, Refusal.WRONG_SERVICE)
        strike = self._faults.strike(
            lambda: operation_name(request, signature.service), f"{principal.account_id} in {signature.region}"
        )
        if strike is None:
            return self._serve(request, signature, principal)
        serve = partial(self._serve, request, signature, principal)
        return meet(self._faults, strike, request, signature.service, serve)

    def _serve(self, request: HttpRequest, signature: Signature, principal: Principal) -> HttpResponse:
        if signature.service == _KMS:
            target = request.headers.get("x-amz-target", "")
            return self._answer_kms(
                KmsRequest(
                    operation=target.removeprefix(TARGET_PREFIX),
                    body=request.body,
                    principal=principal,
                    region=signature.region,
                    source_address=request.client_address[0],
                )
            )
        if signature.service == "sts":
            return self._answer_sts(request, signature, principal)
        if signature.service == TRAIL:
            target = request.headers.get("x-amz-target", "")
            answer = self._trail.answer(target, request.body, principal.account_id, signature.region)
            if answer is not None:
                return answer
        if signature.service == "dynamodb":
            refusal = refuse_items(request, principal, self._clock.now(), signature.region)
            if refusal is not None:
                return refusal
        return self._answer_other(request, signature, principal.account_id)

    def _answer_sts(self, request: HttpRequest, signature: Signature, principal: Principal) -> HttpResponse:
        match action_of(request):
            case "GetCallerIdentity":
                return tell_caller_identity(principal)
            case "AssumeRole":
                act = partial(assume_role, request, principal, self._clock, signature.region)
                return self._others.alone(request, signature, principal.account_id, act)
            case "AssumeRoleWithSAML" | "AssumeRoleWithWebIdentity":
                return refuse(request, "sts", Refusal.NOT_IMPLEMENTED)
            case _:
                return self._answer_other(request, signature, principal.account_id)

    def _answer_kms(self, request: KmsRequest) -> HttpResponse:
        status, body = self._kms.handle(request)
        if status != HTTPStatus.OK:
            self._trail.record(request, body)
        headers = (("x-amzn-RequestId", str(uuid.uuid4())), ("Content-Type", "application/x-amz-json-1.1"))
        return HttpResponse(status, headers, body)

    def _answer_other(self, request: HttpRequest, signature: Signature, account_id: str) -> HttpResponse:
        service = signature.service
        if service == "s3" and (refusal := refuse_bucket(request, account_id)) is not None:
            return refusal
        try:
            return self._others.handle(request, signature, account_id)
        except NotImplementedError:
            _LOG.warning("%s %s: the sandbox does not have this operation", service, request.method)
            return refuse(request, service, Refusal.NOT_IMPLEMENTED)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong within moto, the client gets its answer
            _LOG.error("%s %s: the sandbox failed: %s", service, request.method, type(error).__name__)
            _LOG.debug("the cause", exc_info=error)
            return refuse(request, service, Refusal.FAILED)
