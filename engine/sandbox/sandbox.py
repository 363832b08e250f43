"""A running sandbox: started, used, stopped.

It serves from threads of its own, so a test can use it in process and the command can wait for it. Stopping
it closes its port, ends its threads, removes its files and forgets its keys, unless a folder keeps its state:
then it is the same sandbox when it starts again, with the same credentials, nonce and clock. When it starts
for the first time it makes one key in the vendor's account, which stands for the service's own key
(generation 0): its policy allows the vendor's account and nobody else.
"""

from __future__ import annotations

import json
import secrets
import threading
from contextlib import ExitStack
from datetime import timedelta
from typing import TYPE_CHECKING, Self

from engine.errors import DamagedError
from engine.sandbox.access_keys import account_of_access_key
from engine.sandbox.application import Application
from engine.sandbox.clock import SandboxClock
from engine.sandbox.control import ControlPlane
from engine.sandbox.credentials import Credentials, CredentialStore
from engine.sandbox.environment import ProfileFiles, build_environment
from engine.sandbox.faults.plan import FaultPlan
from engine.sandbox.http_server import HOST, HttpServer
from engine.sandbox.kms.service import KmsRequest, KmsService
from engine.sandbox.moto_directory import MotoDirectory
from engine.sandbox.moto_services import MotoServices
from engine.sandbox.probe import SERVICE
from engine.sandbox.settings import Identity
from engine.sandbox.state.folder import StateFolder
from engine.sandbox.state.identity import StoredIdentity, read_identity, write_identity
from engine.sandbox.state.keys import StoredKeys
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
        self._stopping = threading.Lock()
        self._stopped = threading.Event()
        self._application: Application | None = None
        with ExitStack() as undone:
            self._folder = StateFolder(settings.state) if settings.state is not None else None
            if self._folder is not None:
                undone.callback(self._folder.close)
            kept = read_identity(self._folder, settings) if self._folder is not None else None
            self.clock = SandboxClock(kept.ahead if kept else timedelta(0), lambda _: self._keep())
            self.faults = FaultPlan(self.clock.now)
            self.nonce = kept.nonce if kept else secrets.token_hex(16)
            self._server = HttpServer(settings.port, self._answer)
            undone.callback(self._server.close)
            self._moto = MotoServices(self._server.port, settings.partition, self._folder)
            undone.callback(self._moto.close)
            self._store = CredentialStore(settings.partition, MotoDirectory(settings.partition))
            self._credentials = self._administrators(kept)
            self._kms = kms = KmsService(self.clock, lambda: self.faults.delays)
            if self._folder is not None:
                self._keys = StoredKeys(self._folder, kms.store)
                kms.keep_with(self._keys.save)
            self.service_key_arn = kept.service_key_arn if kept else self._make_service_key(kms)
            self._keep()
            self._files = ProfileFiles(self.endpoint_url, settings.region, self._credentials)
            undone.pop_all()
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
                set_reachable=lambda store_id, reachable: self.set_key_store_reachable(store_id, reachable=reachable),
            ),
            faults=self.faults,
            clock=self.clock,
        )
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_POLL,), name="keyturn-sandbox", daemon=True
        )
        self._thread.start()

    @classmethod
    def start(cls, settings: SandboxSettings) -> Self:
        """Start a sandbox; when this returns it answers.

        Args:
            settings: Its accounts, Region, port and state.

        Raises:
            MachineError: The port is taken, moto is missing, its files cannot be written, or another sandbox
                uses the state.
            InputError: The state is of other accounts or another version.
            DamagedError: The state cannot be read.
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
        credentials = self._store.issue_administrator(account_id)
        self._keep()
        return credentials

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
            if self._folder is not None:
                with self._kms.store.lock:
                    self._keys.save()  # the last uses of keys, which no change has taken along
                self._folder.close()
            self._stopped.set()

    def _answer(self, request: HttpRequest) -> HttpResponse | None:
        if self._application is None:
            raise RuntimeError("the sandbox is not started")
        return self._application.answer(request)

    def _administrators(self, kept: StoredIdentity | None) -> dict[Identity, Credentials]:
        settings = self.settings
        if kept is None:
            return {identity: self._store.issue_administrator(settings.account_of(identity)) for identity in Identity}
        found = {Identity.CUSTOMER: kept.customer, Identity.VENDOR: kept.vendor}
        for credentials in (*found.values(), *kept.others):
            account_id = account_of_access_key(credentials.access_key_id)
            if account_id is None:
                raise DamagedError("the sandbox's state holds credentials of no account")
            self._store.restore_administrator(account_id, credentials)
        return found

    def _keep(self) -> None:
        """Keep what makes this sandbox the same one after a restart."""
        if self._folder is None:
            return
        customer, vendor, *others = self._store.administrators
        identity = StoredIdentity(
            nonce=self.nonce,
            service_key_arn=self.service_key_arn,
            ahead=self.clock.ahead,
            customer=customer,
            vendor=vendor,
            others=tuple(others),
        )
        write_identity(self._folder, self.settings, identity)

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
