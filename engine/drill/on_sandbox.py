"""The drill on a sandbox of its own: no AWS account is touched, whatever the environment says."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.drill.model import Drilled, Rehearsed, Way
from engine.drill.sandbox_keys import make_keys
from engine.drill.tenant import drill_tenant
from engine.envelope.data_keys import KeyAccess
from engine.kms import connect
from engine.sandbox import Identity, Sandbox, SandboxSettings, require_sandbox, scrubbed_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engine.drill.sandbox_keys import SandboxKey

_CUSTOMER, _VENDOR, _REGION = "123456789012", "210987654321", "us-east-1"


def drill_on_sandbox(ways: tuple[Way, ...] = tuple(Way), tell: Callable[[str], None] = lambda _: None) -> Drilled:
    """Rehearse each way on a sandbox that is started for it.

    Args:
        ways: The ways to rehearse.
        tell: Told what is being done.

    Raises:
        MachineError: The sandbox cannot be started.
        UntrustedError: What answers is not that sandbox.
        KeyturnError: The keys cannot be used in the first place.
    """
    settings = SandboxSettings(customer_account_id=_CUSTOMER, vendor_account_id=_VENDOR, region=_REGION)
    with Sandbox.start(settings) as sandbox, _only(sandbox), tempfile.TemporaryDirectory(prefix="keyturn-drill-") as at:
        require_sandbox(os.environ.get("AWS_ENDPOINT_URL"), sandbox.nonce)
        rehearsed: list[Rehearsed] = []
        for number, key in enumerate(make_keys(sandbox, _client(), ways)):
            folder = Path(at, str(number))
            folder.mkdir()
            rehearsed += _rehearse(sandbox, key, folder, tell)
        order = {way: number for number, way in enumerate(ways)}
        rehearsed.sort(key=lambda one: order[one.way])
        return Drilled("a sandbox on this machine", tuple(rehearsed))


def _rehearse(sandbox: Sandbox, key: SandboxKey, folder: Path, tell: Callable[[str], None]) -> Iterator[Rehearsed]:
    customer = connect(_REGION, profile=Identity.CUSTOMER.value, endpoint_url=sandbox.endpoint_url)
    vendor = connect(
        _REGION,
        profile=Identity.VENDOR.value,
        endpoint_url=sandbox.endpoint_url,
        identity="the vendor",
        account_id=_VENDOR,
    )
    access = KeyAccess(customer, vendor, sandbox.service_key_arn)
    with drill_tenant(folder, key.arn, _VENDOR, access) as rehearsal:
        tell("every workflow, with the key in use")
        before = rehearsal.run_all("before")
        for way in key.ways:
            tell(f"every workflow: {way.title}")
            key.revoke(way)
            revoked = rehearsal.run_all(f"{way.value}-revoked")
            key.reinstate(way)
            tell("every workflow, with the access given back")
            after = rehearsal.run_all(f"{way.value}-after")
            yield Rehearsed(way, key.arn, before, revoked, after)
            before = after


def _client() -> Any:
    """A client of KMS as the customer; the environment is the sandbox's by now."""
    from engine.kms.session import aws_session

    client: Any = aws_session(_REGION, Identity.CUSTOMER.value).client("kms")
    return client


@contextmanager
def _only(sandbox: Sandbox) -> Iterator[None]:
    """Let this process know of the sandbox alone: no `AWS_` variable of the user's is left."""
    earlier = dict(os.environ)
    try:
        for name in set(os.environ) - set(scrubbed_environment(os.environ)):
            del os.environ[name]
        os.environ.update(sandbox.environment(Identity.CUSTOMER))
        yield
    finally:
        os.environ.clear()
        os.environ.update(earlier)
