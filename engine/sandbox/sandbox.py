"""A running sandbox: started, used, stopped.

It serves from threads of its own, so a test can use it in process and the command can wait for it. Stopping
it closes its port, ends its threads, removes its files and forgets its keys. When it starts it makes one key
in the vendor's account, which stands for the service's own key (generation 0): its policy allows the
vendor's account and nobody else.
"""

from __future__ import annotations

import json
import secrets
import threading
from typing import TYPE_CHECKING, Self

from engine.sandbox.application import Application
from engine.sandbox.clock import SandboxClock
from engine.sandbox.control import ControlPlane
from engine.sandbox.credentials import Credentials, CredentialStore
from engine.sandbox.environment import ProfileFiles, build_environment
from engine.sandbox.faults.plan import FaultPlan
from engine.sandbox.http_server import HOST, HttpServer
from engine.sandbox.kms.service import KmsRequest, KmsService
from engine.sandbox.moto_services import MotoServices
from engine.sandbox.probe import SERVICE
from engine.sandbox.settings import Identity
from engine.sandbox.trail import Trail

if TYPE_CHECKING:
    from types import TracebackType

    from engine.sandbox.http_messages import HttpRequest, HttpResponse
    from engine.sandbox.settings import SandboxSettings

SERVICE_KEY_DESCRIPTION = "Stands for the service's own Cloud Key Management key"
SERVICE_KEY_ALIAS = "alias/cloud-key-management"
_POLL = 0.2  # seconds; how soon a stopped server notices


class Sandbox:
    """A local AWS with a strict KMS. Make one with `Sandbox.start`; it is a context manager.

    Attributes:
        settings: What it was started with.
        clock: Its clock, which a test may move forward.
        faults: What goes wrong in it, on demand.
        nonce: A random text that tells it from every other sandbox.
        service_key_arn: The key that stands for the service's own.
    """

    def __init__(self, settings: SandboxSettings) -> None:
        """Start serving; see `start`."""
        self.settings = settings
        self.clock = SandboxClock()
        self.faults = FaultPlan(self.clock.now)
        self.nonce = secrets.token_hex(16)
        self._stopping = threading.Lock()
        self._stopped = threading.Event()
        self._application: Application | None = None
        self._server = HttpServer(settings.port, self._answer)
        try:
            self._moto = MotoServices(self._server.port, settings.partition)
        except BaseException:
            self._server.close()
            raise
        try:
            self._store = CredentialStore(settings.partition, self._moto)
            self._credentials = {
                identity: self._store.issue_administrator(settings.account_of(identity)) for identity in Identity
            }
            self._kms = kms = KmsService(self.clock, lambda: self.faults.delays)
            self.service_key_arn = self._make_service_key(kms)
            self._files = ProfileFiles(self.endpoint_url, settings.region, self._credentials)
        except BaseException:
            self._moto.close()
            self._server.close()
            raise
        self._application = Application(
            credentials=self._store,
            kms=kms,
            trail=Trail(self.clock),
            others=self._moto,
            control=ControlPlane(
                nonce=self.nonce,
                description=self._description,
                environment=self.environment,
                faults=self.faults,
                clock=self.clock,
            ),
            faults=self.faults,
        )
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_POLL,), name="keyturn-sandbox", daemon=True
        )
        self._thread.start()

    @classmethod
    def start(cls, settings: SandboxSettings) -> Self:
        """Start a sandbox; when this returns it answers.

        Args:
            settings: Its accounts, Region and port.

        Raises:
            MachineError: The port is taken, moto is missing, or its files cannot be written.
        """
        return cls(settings)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def port(self) -> int:
        """The port on 127.0.0.1."""
        return self._server.port

    @property
    def endpoint_url(self) -> str:
        """The endpoint for every service."""
        return f"http://{HOST}:{self.port}"

    @property
    def ready_line(self) -> str:
        """What the command prints when it answers."""
        return f"sandbox ready on {self.endpoint_url}"

    def environment(self, identity: Identity) -> dict[str, str]:
        """The variables to export for one of the two accounts."""
        return build_environment(
            endpoint_url=self.endpoint_url,
            region=self.settings.region,
            credentials=self._credentials[identity],
            files=self._files,
            service_key_arn=self.service_key_arn,
            nonce=self.nonce,
        )

    def credentials(self, identity: Identity) -> Credentials:
        """The credentials of one of the two accounts."""
        return self._credentials[identity]

    def issue_credentials(self, account_id: str) -> Credentials:
        """Credentials of an administrator of any account of twelve digits."""
        return self._store.issue_administrator(account_id)

    def set_key_store_reachable(self, store_id: str, *, reachable: bool) -> None:
        """Make what is behind a connected custom key store answer no more, or again.

        The keys in it are still Enabled and the store still connected, but no use of a key succeeds.

        Raises:
            KeyError: There is no such custom key store.
        """
        self._kms.set_key_store_reachable(store_id, reachable=reachable)

    def serve_forever(self) -> None:
        """Wait until the sandbox is stopped, from another thread or by an exception raised in this one.

        A signal's handler raises (as Python's own does for SIGINT); the sandbox is stopped on the way out.
        """
        try:
            while not self._stopped.wait(1.0):
                pass
        finally:
            self.stop()

    def stop(self) -> None:
        """Stop serving and leave nothing behind; a second time does nothing."""
        with self._stopping:
            if self._stopped.is_set():
                return
            self.faults.end()
            self._server.shutdown()
            self._thread.join()
            self._server.close()
            self._files.remove()
            self._moto.close()
            self._stopped.set()

    def _answer(self, request: HttpRequest) -> HttpResponse | None:
        if self._application is None:
            raise RuntimeError("the sandbox is not started")
        return self._application.answer(request)

    def _description(self) -> dict[str, str]:
        return {
            "service": SERVICE,
            "nonce": self.nonce,
            "customer_account_id": self.settings.customer_account_id,
            "vendor_account_id": self.settings.vendor_account_id,
            "region": self.settings.region,
            "service_key_arn": self.service_key_arn,
        }

    def _make_service_key(self, kms: KmsService) -> str:
        principal = self._store.principal_of(self._credentials[Identity.VENDOR].access_key_id)
        if principal is None:
            raise RuntimeError("the vendor's credentials were not issued")

        def call(operation: str, members: dict[str, str]) -> dict[str, dict[str, str]]:
            body = json.dumps(members).encode()
            return kms.answer(KmsRequest(operation, body, principal, self.settings.region, HOST))

        arn = call("CreateKey", {"Description": SERVICE_KEY_DESCRIPTION})["KeyMetadata"]["Arn"]
        call("CreateAlias", {"AliasName": SERVICE_KEY_ALIAS, "TargetKeyId": arn})
        return arn
