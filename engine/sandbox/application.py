"""Where a request goes: to the control plane, to the sandbox's KMS, or to moto.

- `/_keyturn/` is the control plane, for this machine alone: a request whose `Host` is another name is
  refused, so that no web page can reach it through the browser.
- Every other request must be signed with credentials that the sandbox issued. Its account and Region follow
  from the signature.
- KMS is never moto's: what is signed for KMS or targets it goes to the strict layer, or nowhere.
"""

from __future__ import annotations

import json
import logging
import uuid
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol
from urllib.parse import parse_qs

from engine.sandbox.caller_identity import asks_for_caller_identity, tell_caller_identity
from engine.sandbox.http_messages import HttpResponse
from engine.sandbox.http_server import HOST
from engine.sandbox.kms.service import TARGET_PREFIX, KmsRequest, KmsService
from engine.sandbox.refusals import Refusal, refuse
from engine.sandbox.settings import Identity
from engine.sandbox.signature import read_signature

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from engine.sandbox.credentials import CredentialStore
    from engine.sandbox.http_messages import HttpRequest

_LOG = logging.getLogger("keyturn.sandbox")
CONTROL_PREFIX = "/_keyturn/"
_LOCAL_NAMES = frozenset({HOST, "localhost"})
_KMS = "kms"


class OtherServices(Protocol):
    """Answers what is not KMS."""

    def handle(self, request: HttpRequest, account_id: str) -> HttpResponse:
        """Answer a request, for an account."""
        ...


class Application:
    """The sandbox as one function from requests to answers.

    Args:
        credentials: Whom the sandbox knows.
        kms: The strict layer.
        others: Every other service.
        description: What `/_keyturn/` tells.
        environment: The environment of an identity, which `/_keyturn/environment` tells.
    """

    def __init__(
        self,
        *,
        credentials: CredentialStore,
        kms: KmsService,
        others: OtherServices,
        description: Callable[[], Mapping[str, str]],
        environment: Callable[[Identity], Mapping[str, str]],
    ) -> None:
        self._credentials = credentials
        self._kms = kms
        self._others = others
        self._description = description
        self._environment = environment

    def answer(self, request: HttpRequest) -> HttpResponse:
        """Answer a request."""
        if request.target.startswith(CONTROL_PREFIX):
            return self._control(request)
        signature = read_signature(request)
        target = request.headers.get("x-amz-target", "")
        for_kms = target.startswith(TARGET_PREFIX)
        if signature is None:
            return refuse(request, _KMS if for_kms else None, Refusal.NOT_SIGNED)
        principal = self._credentials.principal_of(signature.access_key_id, signature.session_token)
        if principal is None:
            return refuse(request, signature.service, Refusal.UNKNOWN_CREDENTIALS)
        if for_kms != (signature.service == _KMS):
            return refuse(request, signature.service, Refusal.WRONG_SERVICE)
        if for_kms:
            return self._answer_kms(
                KmsRequest(
                    operation=target.removeprefix(TARGET_PREFIX),
                    body=request.body,
                    principal=principal,
                    region=signature.region,
                    source_address=request.client_address[0],
                )
            )
        if signature.service == "sts" and asks_for_caller_identity(request):
            return tell_caller_identity(principal)
        return self._answer_other(request, signature.service, principal.account_id)

    def _answer_kms(self, request: KmsRequest) -> HttpResponse:
        status, body = self._kms.handle(request)
        headers = (("x-amzn-RequestId", str(uuid.uuid4())), ("Content-Type", "application/x-amz-json-1.1"))
        return HttpResponse(status, headers, body)

    def _answer_other(self, request: HttpRequest, service: str, account_id: str) -> HttpResponse:
        try:
            return self._others.handle(request, account_id)
        except NotImplementedError:
            _LOG.warning("%s %s: the sandbox does not have this operation", service, request.method)
            return refuse(request, service, Refusal.NOT_IMPLEMENTED)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong within moto, the client gets its answer
            _LOG.error("%s %s: the sandbox failed: %s", service, request.method, type(error).__name__)
            _LOG.debug("the cause", exc_info=error)
            return refuse(request, service, Refusal.FAILED)

    def _control(self, request: HttpRequest) -> HttpResponse:
        host = request.headers.get("host", "").rsplit(":", 1)[0]
        if host not in _LOCAL_NAMES:
            return _json(HTTPStatus.FORBIDDEN, {"error": "the control plane is for this machine alone"})
        if request.method != "GET":
            return _json(HTTPStatus.METHOD_NOT_ALLOWED, {"error": "only GET is answered here"})
        path, _, query = request.target.removeprefix(CONTROL_PREFIX).partition("?")
        if path == "":
            return _json(HTTPStatus.OK, self._description())
        if path == "environment":
            names = parse_qs(query).get("as", [])
            if len(names) == 1 and names[0] in {identity.value for identity in Identity}:
                return _json(HTTPStatus.OK, self._environment(Identity(names[0])))
            return _json(HTTPStatus.BAD_REQUEST, {"error": "as= is `customer` or `vendor`"})
        return _json(HTTPStatus.NOT_FOUND, {"error": f"nothing is at {path!r}"})


def _json(status: HTTPStatus, document: Mapping[str, str]) -> HttpResponse:
    return HttpResponse(status, (("Content-Type", "application/json"),), json.dumps(dict(document)).encode())
