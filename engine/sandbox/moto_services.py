"""Everything that is not KMS: moto's own WSGI application, behind the sandbox's door.

- Each request reaches moto with the account of its credentials in the header `x-moto-account-id`, so S3,
  STS, IAM, DynamoDB and the rest live in the right account. A header of this name that a client sends is
  dropped.
- moto keeps its data per process, not per server: sandboxes of one process share it, and the last one to
  stop clears it.
- moto checks a condition and writes in two steps, and its transactions copy a DynamoDB table and put the copy
  back where one fails, which undoes what others wrote meanwhile. So all requests but the reading of objects
  are answered one after the other; then a condition means what it means on AWS.
- moto remembers every object that it ever made, every copy of a table among them, so that it can show them. Nobody
  looks: they are forgotten behind each request, or a transaction a second would take gigabytes in an hour. Those of
  S3 have files open, which its own reset closes.
- What a call has changed is written into the state, where there is one, before it is answered.
"""

from __future__ import annotations

import io
import os
import sys
import threading
from functools import cached_property
from http import HTTPStatus
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from engine.errors import MachineError
from engine.sandbox.conditional_writes import ConditionalWrites
from engine.sandbox.http_messages import HttpResponse
from engine.sandbox.http_server import HOST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from engine.sandbox.http_messages import HttpRequest
    from engine.sandbox.signature import Signature
    from engine.sandbox.state.folder import StateFolder
    from engine.sandbox.state.moto_state import MotoState

_ACCOUNT_HEADER = "x-moto-account-id"
_ACCOUNT_VARIABLE = "MOTO_ACCOUNT_ID"
_running = 0
_kept = False  # whether the one that runs keeps its state
_running_lock = threading.Lock()
_lock = threading.Lock()  # moto's data is the process's


class MotoServices:
    """moto's services. Safe to use from several threads.

    Args:
        port: The sandbox's port, for the URLs that moto writes.
        partition: The AWS partition of the accounts.
        folder: Where its data is kept, or None where it is in memory alone.

    Raises:
        MachineError: moto is not installed, the environment forces one account on it, or its data is to be
            kept and another sandbox of this process uses it.
        DamagedError: The data that was kept cannot be read.
    """

    def __init__(self, port: int, partition: str, folder: StateFolder | None = None) -> None:
        if _ACCOUNT_VARIABLE in os.environ:
            raise MachineError(
                f"the environment sets {_ACCOUNT_VARIABLE}, which puts everything into one account",
                f"unset {_ACCOUNT_VARIABLE}: the sandbox has two accounts",
            )
        if not all(find_spec(name) for name in ("moto", "flask")):
            raise MachineError("the sandbox needs moto, which is not installed", "pip install 'keyturn[sandbox]'")
        self._port = port
        self._partition = partition
        self._writes = ConditionalWrites(partition)
        self._closed = False
        _count(1, alone=folder is not None)
        self._state: MotoState | None = None
        try:
            if folder is not None:
                from engine.sandbox.state.moto_state import MotoState

                self._state = MotoState(folder, partition)
        except BaseException:
            self.close()
            raise

    def handle(self, request: HttpRequest, signature: Signature, account_id: str) -> HttpResponse:
        """Let moto answer a request, for an account.

        Raises:
            MachineError: The disk does not take what has changed.
        """
        started: list[tuple[str, list[tuple[str, str]]]] = []
        written: list[bytes] = []

        def start_response(status: str, headers: list[tuple[str, str]], _: Any = None) -> Callable[[bytes], None]:
            started.append((status, headers))
            return written.append

        environ = self._environ(request, account_id)

        def answer() -> HttpResponse:
            result: Iterable[bytes] = self._application(environ, start_response)
            try:
                written.extend(result)
            finally:
                if callable(close := getattr(result, "close", None)):
                    close()
            status, headers = started[-1]
            code, _, reason = status.partition(" ")
            kept = tuple((name, value) for name, value in headers if name.lower() not in _HOP_BY_HOP)
            return HttpResponse(int(code), kept, b"".join(written), reason)

        if signature.service == "s3":
            return self.alone(request, signature, account_id, lambda: self._writes.write(request, answer))
        return self.alone(request, signature, account_id, answer)

    def alone(
        self, request: HttpRequest, signature: Signature, account_id: str, act: Callable[[], HttpResponse]
    ) -> HttpResponse:
        """Do what a request asks while nothing else changes moto's data, and keep what has changed.

        Raises:
            MachineError: The disk does not take what has changed.
        """
        if signature.service == "s3" and request.method in {"GET", "HEAD"}:
            return act()
        with _lock:
            try:
                response = act()
            finally:
                _forget_instances()
            if self._state is not None and response.status < HTTPStatus.BAD_REQUEST:
                self._state.save(request, signature.service, signature.region, account_id)
            return response

    def close(self) -> None:
        """Leave moto; the last sandbox of the process clears its data."""
        if not self._closed:
            self._closed = True
            _count(-1)

    @cached_property
    def _application(self) -> Any:
        """Moto's own application. Its import takes longer than all else of a start, and KMS does not need it."""
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

        return DomainDispatcherApplication(create_backend_app)

    def _environ(self, request: HttpRequest, account_id: str) -> dict[str, Any]:
        from moto.core.request import (
            PRESERVED_HEADER_NAMES_ENVIRON_KEY,
            environ_key_for_header,
            should_preserve_original_header_name,
        )

        path, _, query = request.target.partition("?")
        names: dict[str, str] = {}
        environ: dict[str, Any] = {
            "REQUEST_METHOD": request.method,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote(path).encode().decode("latin-1"),
            "QUERY_STRING": query,
            "RAW_URI": request.target,
            "REQUEST_URI": request.target,
            "REMOTE_ADDR": request.client_address[0],
            "REMOTE_PORT": request.client_address[1],
            "SERVER_NAME": HOST,
            "SERVER_PORT": str(self._port),
            "SERVER_PROTOCOL": "HTTP/1.1",
            "SERVER_SOFTWARE": "keyturn-sandbox",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(request.body),
            "wsgi.input_terminated": True,
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            PRESERVED_HEADER_NAMES_ENVIRON_KEY: names,
        }
        for name, value in request.header_items:
            key = environ_key_for_header(name)
            if should_preserve_original_header_name(name):
                names[key] = name
            elif "_" in name:
                continue
            environ[key] = f"{environ[key]},{value}" if key in environ else value
        # The body was read whole, however it came.
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        environ["CONTENT_LENGTH"] = str(len(request.body))
        environ[environ_key_for_header(_ACCOUNT_HEADER)] = account_id
        return environ


def _forget_instances() -> None:
    from moto.core import model_instances

    tracked: dict[str, dict[str, Any]] = model_instances.model_data
    for service, models in tracked.items():
        if service != "s3":
            for model in models.values():
                model.instances_tracked.clear()


_HOP_BY_HOP = frozenset({"connection", "transfer-encoding", "keep-alive"})


def _count(change: int, *, alone: bool = False) -> None:
    global _running, _kept  # noqa: PLW0603 - moto's data is the process's, and so is the count of those who use it
    with _running_lock:
        if change > 0 and _running and (alone or _kept):
            raise MachineError("a sandbox that keeps its state needs a process of its own")
        _running += change
        _kept = alone if change > 0 else _kept and _running > 0
        if _running == 0 and "moto.core" in sys.modules:
            from moto.core.base_backend import BackendDict
            from moto.core.model_instances import reset_model_data

            BackendDict.reset()
            reset_model_data()
