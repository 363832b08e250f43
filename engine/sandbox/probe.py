"""Asking a sandbox who it is, from outside: for `keyturn sandbox env`, and before anything dangerous.

What may only ever touch a sandbox (the demo, the tests, the drill) calls `require_sandbox` first: the
endpoint must be on this machine, answer as a Keyturn sandbox, and with the expected nonce where one is given.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from engine.errors import MachineError, UntrustedError

if TYPE_CHECKING:
    from engine.sandbox.settings import Identity

SERVICE = "keyturn-sandbox"
NONCE_HEADER = "X-Keyturn-Nonce"
_LOCAL_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
_TIMEOUT = 5.0  # seconds
_LARGEST_ANSWER = 64 * 1024


@dataclass(frozen=True, slots=True)
class SandboxDescription:
    """What a running sandbox says of itself."""

    endpoint_url: str
    nonce: str
    customer_account_id: str
    vendor_account_id: str
    region: str
    service_key_arn: str


def require_sandbox(endpoint_url: str | None, nonce: str | None = None) -> SandboxDescription:
    """Stop unless an endpoint is a Keyturn sandbox on this machine.

    Args:
        endpoint_url: The endpoint that AWS calls would go to; None where none is set.
        nonce: What it must answer with, or None where any sandbox will do.

    Raises:
        UntrustedError: It is not on this machine, not a sandbox, or another one than meant.
        MachineError: Nothing answers there.
    """
    hint = "start one with `keyturn sandbox`, and take its environment with `keyturn sandbox env`"
    if not endpoint_url:
        raise UntrustedError("no endpoint is set: calls would go to AWS, not to a sandbox", hint)
    host, port = _local(endpoint_url, hint)
    document = get_local_json(host, port, "/_keyturn/", hint)
    description = _description(document, f"http://{host}:{port}")
    if description is None:
        raise UntrustedError(f"what answers at {endpoint_url} is not a Keyturn sandbox", hint)
    if nonce is not None and description.nonce != nonce:
        raise UntrustedError(f"the sandbox at {endpoint_url} is not the one that was started", hint)
    return description


def fetch_environment(port: int, identity: Identity) -> dict[str, str]:
    """The environment of a running sandbox for one of its accounts.

    Args:
        port: Its port on 127.0.0.1.
        identity: The account.

    Raises:
        UntrustedError: What answers there is not a Keyturn sandbox.
        MachineError: Nothing answers there.
    """
    hint = f"start one with `keyturn sandbox --port {port}`"
    require_sandbox(f"http://127.0.0.1:{port}")
    document = get_local_json("127.0.0.1", port, f"/_keyturn/environment?as={identity.value}", hint)
    if not isinstance(document, dict) or not all(isinstance(value, str) for value in document.values()):
        raise UntrustedError(f"the sandbox on port {port} answers with no environment", hint)
    return {str(name): str(value) for name, value in document.items()}


def _local(endpoint_url: str, hint: str) -> tuple[str, int]:
    try:
        parts = urlsplit(endpoint_url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise UntrustedError(f"the endpoint {endpoint_url!r} is not a URL", hint) from error
    if parts.scheme != "http" or host not in _LOCAL_HOSTS or port is None:
        raise UntrustedError(f"the endpoint {endpoint_url} is not a sandbox on this machine", hint)
    return host, port


def get_local_json(host: str, port: int, path: str, hint: str) -> Any:
    """GET a JSON document from this machine; None where there is none. Raises `MachineError` without an answer."""
    status, document = ask_local(host, port, "GET", path, hint)
    return document if status == HTTPStatus.OK else None


def ask_local(
    host: str, port: int, method: str, path: str, hint: str, body: str | None = None, nonce: str | None = None
) -> tuple[int, Any]:
    """Send one request to a control plane on this machine.

    Args:
        host: The host.
        port: The port.
        method: The HTTP method.
        path: The path.
        hint: What to tell where nothing answers.
        body: A JSON document, or None.
        nonce: The sandbox's nonce for what changes it, or None.

    Returns:
        The status, and the JSON document or None where it is not one.

    Raises:
        MachineError: Nothing answers there.
    """
    # No proxy and no redirect: it is this machine or nothing.
    connection = HTTPConnection(host, port, timeout=_TIMEOUT)
    try:
        connection.request(method, path, body, {} if nonce is None else {NONCE_HEADER: nonce})
        response = connection.getresponse()
        return response.status, json.loads(response.read(_LARGEST_ANSWER))
    except (OSError, HTTPException) as error:
        raise MachineError(f"no sandbox answers at http://{host}:{port}", hint) from error
    except ValueError:
        return HTTPStatus.BAD_GATEWAY, None
    finally:
        connection.close()


def _description(document: Any, endpoint_url: str) -> SandboxDescription | None:
    names = ("nonce", "customer_account_id", "vendor_account_id", "region", "service_key_arn")
    if not isinstance(document, dict) or document.get("service") != SERVICE:
        return None
    values = [document.get(name) for name in names]
    if not all(isinstance(value, str) and value for value in values):
        return None
    return SandboxDescription(endpoint_url, *(str(value) for value in values))
