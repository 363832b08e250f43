"""The control plane at `/_keyturn/`: what a sandbox says of itself, its faults and its clock.

- It is for this machine alone: a request whose `Host` is another name is refused, so that no web page can
  reach it through the browser.
- Whatever changes the sandbox must bring its nonce in the header `X-Keyturn-Nonce`: so no page can send it
  blindly, and no command changes another sandbox than the one that it asked.

| path | method | body | answer |
|---|---|---|---|
| `` | GET | | what the sandbox is |
| `environment?as=customer` | GET | | the variables of an account |
| `faults` | GET | | the faults that stand |
| `faults` | POST | `{"add": [line], "remove": [number], "clear": false}` | the faults that stand then |
| `clock` | GET | | the sandbox's time |
| `clock` | POST | `{"forward_seconds": 60}` | the sandbox's time then |
| `key-store` | POST | `{"id": "cks-…", "reachable": false}` | the same |
"""

from __future__ import annotations

import hmac
import json
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from engine.errors import InputError
from engine.sandbox.http_messages import HttpResponse
from engine.sandbox.http_server import HOST
from engine.sandbox.probe import NONCE_HEADER
from engine.sandbox.settings import Identity

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from engine.sandbox.clock import SandboxClock
    from engine.sandbox.faults.plan import FaultPlan
    from engine.sandbox.http_messages import HttpRequest

CONTROL_PREFIX = "/_keyturn/"
_LOCAL_NAMES = frozenset({HOST, "localhost"})


class _RefusedError(Exception):
    """What a request is answered with instead."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class ControlPlane:
    """Answers what is under `/_keyturn/`.

    Args:
        nonce: What a request that changes something must bring.
        description: What the sandbox is.
        environment: The environment of an identity.
        faults: The standing faults.
        clock: The clock.
        set_reachable: Makes what is behind a custom key store answer no more, or again; `KeyError` for none.
    """

    def __init__(
        self,
        *,
        nonce: str,
        description: Callable[[], Mapping[str, str]],
        environment: Callable[[Identity], Mapping[str, str]],
        faults: FaultPlan,
        clock: SandboxClock,
        set_reachable: Callable[[str, bool], None],
    ) -> None:
        self._nonce = nonce
        self._description = description
        self._environment = environment
        self._faults = faults
        self._clock = clock
        self._set_reachable = set_reachable

    def answer(self, request: HttpRequest) -> HttpResponse:
        """Answer a request to the control plane."""
        try:
            return _json(HTTPStatus.OK, self._document(request))
        except _RefusedError as error:
            return _json(error.status, {"error": error.message})
        except InputError as error:
            return _json(HTTPStatus.BAD_REQUEST, {"error": error.message})

    def _document(self, request: HttpRequest) -> Mapping[str, Any]:
        host = request.headers.get("host", "").rsplit(":", 1)[0]
        if host not in _LOCAL_NAMES:
            raise _RefusedError(HTTPStatus.FORBIDDEN, "the control plane is for this machine alone")
        path, _, query = request.target.removeprefix(CONTROL_PREFIX).partition("?")
        changes = {"faults": self._change_faults, "clock": self._move_clock, "key-store": self._change_key_store}
        if path in changes and request.method == "POST":
            given = request.headers.get(NONCE_HEADER.lower(), "")
            if not hmac.compare_digest(given.encode(), self._nonce.encode()):
                raise _RefusedError(HTTPStatus.FORBIDDEN, f"{NONCE_HEADER} is not this sandbox's nonce")
            return changes[path](_read(request.body))
        if request.method != "GET":
            raise _RefusedError(HTTPStatus.METHOD_NOT_ALLOWED, "only GET is answered here")
        if path == "faults":
            return self._show_faults()
        if path == "clock":
            return self._show_clock()
        if path == "":
            return self._description()
        if path == "environment":
            names = parse_qs(query).get("as", [])
            if len(names) == 1 and names[0] in {identity.value for identity in Identity}:
                return self._environment(Identity(names[0]))
            raise _RefusedError(HTTPStatus.BAD_REQUEST, "as= is `customer` or `vendor`")
        raise _RefusedError(HTTPStatus.NOT_FOUND, f"nothing is at {path!r}")

    def _show_faults(self) -> Mapping[str, Any]:
        standing = self._faults.standing()
        return {
            "faults": [{"number": one.number, "fault": str(one.fault), "struck": one.struck} for one in standing],
            "delays": str(self._faults.delays),
        }

    def _change_faults(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        lines, numbers = body.get("add", []), body.get("remove", [])
        if not _all(lines, str) or not _all(numbers, int) or not isinstance(body.get("clear", False), bool):
            raise _RefusedError(HTTPStatus.BAD_REQUEST, "add= holds lines, remove= numbers, clear= true or false")
        if body.get("clear"):
            self._faults.clear()
        self._faults.remove(*numbers)
        self._faults.add(*lines)
        return self._show_faults()

    def _show_clock(self) -> Mapping[str, Any]:
        now = self._clock.now()
        return {"now": now.isoformat(timespec="seconds"), "ahead_seconds": self._clock.ahead.total_seconds()}

    def _move_clock(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        seconds = body.get("forward_seconds")
        if not isinstance(seconds, int | float) or isinstance(seconds, bool):
            raise _RefusedError(HTTPStatus.BAD_REQUEST, "forward_seconds= is a number")
        try:
            self._clock.advance(timedelta(seconds=seconds))
        except (ValueError, OverflowError) as error:
            raise _RefusedError(HTTPStatus.BAD_REQUEST, str(error)) from error
        return self._show_clock()

    def _change_key_store(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        store_id, reachable = body.get("id"), body.get("reachable")
        if not isinstance(store_id, str) or not isinstance(reachable, bool):
            raise _RefusedError(HTTPStatus.BAD_REQUEST, "id= is a custom key store, reachable= true or false")
        try:
            self._set_reachable(store_id, reachable)
        except KeyError as error:
            raise _RefusedError(HTTPStatus.BAD_REQUEST, f"there is no custom key store {store_id!r}") from error
        return {"id": store_id, "reachable": reachable}


def _all(values: Any, kind: type) -> bool:
    return isinstance(values, list) and all(isinstance(value, kind) and not isinstance(value, bool) for value in values)


def _read(body: bytes) -> Mapping[str, Any]:
    try:
        document = json.loads(body)
    except ValueError as error:
        raise _RefusedError(HTTPStatus.BAD_REQUEST, "the body is not JSON") from error
    if not isinstance(document, dict):
        raise _RefusedError(HTTPStatus.BAD_REQUEST, "the body is not a JSON object")
    return document


def _json(status: HTTPStatus, document: Mapping[str, Any]) -> HttpResponse:
    return HttpResponse(status, (("Content-Type", "application/json"),), json.dumps(dict(document)).encode())
