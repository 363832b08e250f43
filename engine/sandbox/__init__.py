"""A strict local AWS: moto's services, with a KMS of our own that does not lie.

`Sandbox.start(settings)` serves on 127.0.0.1, in process or for the command; `environment` tells what to
export for the customer's or the vendor's account; `require_sandbox` makes sure that an endpoint is one.
Importing this is cheap: the server and moto are imported when a sandbox starts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.sandbox.environment import SANDBOX_VARIABLE, SERVICE_KEY_VARIABLE, scrubbed_environment
from engine.sandbox.probe import SandboxDescription, fetch_environment, require_sandbox
from engine.sandbox.settings import Identity, SandboxSettings

if TYPE_CHECKING:
    from engine.sandbox.credentials import Credentials
    from engine.sandbox.sandbox import Sandbox

__all__ = [
    "SANDBOX_VARIABLE",
    "SERVICE_KEY_VARIABLE",
    "Credentials",
    "Identity",
    "Sandbox",
    "SandboxDescription",
    "SandboxSettings",
    "fetch_environment",
    "require_sandbox",
    "scrubbed_environment",
]


def __getattr__(name: str) -> object:
    if name == "Sandbox":
        from engine.sandbox.sandbox import Sandbox

        return Sandbox
    if name == "Credentials":
        from engine.sandbox.credentials import Credentials

        return Credentials
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
