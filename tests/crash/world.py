"""Tenants that stand right before an operation, copies of them, and what must hold whenever one is looked at."""

from __future__ import annotations

import itertools
import secrets
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from engine.declaration import load_declaration
from engine.envelope.data_keys import PAYLOAD, opened
from engine.ledger.journal import verify_chain
from engine.ledger.opening import SqliteLocation, ledger_location
from engine.ledger.sqlite_making import open_sqlite_ledger
from engine.lifecycle import GenerationState, Mode, TenantState
from engine.sandbox import Identity
from tests.builders import DECLARATION, declared_generations
from tests.cli.conftest import AGREEMENT, TERMS, VENDOR
from tests.crash.zygote import Ended, Run, Zygote
from tests.ledger_stores import DynamoDbStore, make_table
from tests.tenant_keys import key_access, make_key

if TYPE_CHECKING:
    from pathlib import Path

    from engine.envelope.data_keys import KeyAccess
    from engine.ledger.interface import Ledger
    from tests.sandbox_fixtures import Account

OPERATIONS = ("enable", "rotate", "retire", "release")
KINDS = ("sqlite", "dynamodb")
OVERRIDE = ("--override-by", "Ada", "--override-reason", "nothing uses it")


@dataclass(frozen=True)
class World:
    """Where tenants are made and copied."""

    root: Path
    zygote: Zygote
    customer: Account
    vendor: Account
    _numbers: Any = field(default_factory=itertools.count)

    @property
    def environment(self) -> dict[str, str]:
        return {**self.customer.sandbox.environment(Identity.CUSTOMER), "NO_PROXY": "127.0.0.1", "CI": ""}

    @property
    def access(self) -> KeyAccess:
        return key_access(self.customer, self.vendor)

    def new_folder(self) -> Path:
        folder = self.root / f"tenant-{next(self._numbers)}"
        folder.mkdir()
        return folder

    def make_store(self, kind: str) -> DynamoDbStore | None:
        if kind == "sqlite":
            return None
        credentials = self.customer.credentials
        store = DynamoDbStore(
            self.customer.sandbox.endpoint_url,
            credentials.access_key_id,
            credentials.secret_access_key,
            credentials.session_token,
            f"ledger-{secrets.token_hex(6)}",
        )
        make_table(store.client(), store.table)
        return store


@dataclass(frozen=True)
class Tenant:
    """A tenant's folder with its ledger, and the command that comes next."""

    world: World
    folder: Path
    store: DynamoDbStore | None
    command: tuple[str, ...] = ()
    plaintexts: dict[str, bytes] = field(default_factory=dict)

    @classmethod
    def before(cls, operation: str, kind: str, world: World, workloads: int = 3) -> Tenant:
        """A tenant that stands right before an operation; before `begin` it has neither ledger nor vault."""
        tenant = cls(world, world.new_folder(), world.make_store(kind))
        names = [f"user-{number}" for number in range(workloads)]
        for name in names:
            source = tenant.folder / "tenant" / "onedrive" / name
            source.mkdir(parents=True)
            (source / "notes.txt").write_bytes(f"of {name}".encode() + secrets.token_bytes(3000))
        (tenant.folder / "terms.txt").write_text(TERMS, encoding="utf-8")
        tenant.declare(1)
        if operation == "begin":
            first = tenant.make_key(1)
            return replace(tenant, command=("enable", "--key-arn", first, *AGREEMENT, *VENDOR))
        tenant.succeed("run", "backup", "--source", "tenant", *VENDOR)
        first = tenant.make_key(1)
        enable = ("enable", "--key-arn", first, *AGREEMENT, *VENDOR)
        if operation == "enable":
            return tenant._ready(enable)
        tenant.succeed(*enable)
        tenant.succeed("confirm", "1", "--key-arn", first, "--by", "Ada")
        tenant.declare(2)
        second = tenant.make_key(2)
        rotate = ("rotate", "--to", "2", "--key-arn", second, *VENDOR)
        if operation == "rotate":
            return tenant._ready(rotate)
        tenant.succeed(*rotate)
        tenant.succeed("confirm", "2", "--key-arn", second, "--by", "Ada")
        retire = ("retire", "1", *OVERRIDE)
        if operation == "retire":
            return tenant._ready(retire)
        tenant.succeed(*retire)
        world.customer.kms.disable_key(KeyId=first)
        return tenant._ready(("release", "1", *OVERRIDE))

    def _ready(self, command: tuple[str, ...]) -> Tenant:
        with closing(self.ledger()) as ledger:
            for record in ledger.data_keys(PAYLOAD):
                with opened(self.world.access, ledger.head().state.tenant, record) as data_key:
                    self.plaintexts[record.data_key_id] = bytes(data_key)
        assert len(self.plaintexts) > 0
        if self.store is None:
            with closing(sqlite3.connect(self.folder / ".keyturn" / "ledger.db")) as connection:
                assert connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
        return replace(self, command=command)

    def declare(self, generations: int) -> None:
        text = DECLARATION if generations == 1 else declared_generations(generations)
        ledger = "" if self.store is None else f"ledger: {self.store.declared}\n"
        (self.folder / "ekm.yaml").write_text(f"{text}retention_days: 0\n{ledger}", encoding="utf-8")

    def make_key(self, number: int) -> str:
        return make_key(self.world.customer, load_declaration(self.folder / "ekm.yaml"), number)

    def copy(self) -> Tenant:
        """The same tenant in another folder, with a ledger of its own."""
        folder = self.world.new_folder()
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        if self.store is None:
            return replace(self, folder=folder)
        store = self.world.make_store("dynamodb")
        assert store is not None
        client = store.client()
        items = client.scan(TableName=self.store.table)["Items"]
        for start in range(0, len(items), 25):
            puts = [{"PutRequest": {"Item": item}} for item in items[start : start + 25]]
            client.batch_write_item(RequestItems={store.table: puts})
        declared = (folder / "ekm.yaml").read_text(encoding="utf-8")
        (folder / "ekm.yaml").write_text(declared.replace(self.store.declared, store.declared), encoding="utf-8")
        return replace(self, folder=folder, store=store)

    def delete(self) -> None:
        shutil.rmtree(self.folder)
        if self.store is not None:
            self.store.client().delete_table(TableName=self.store.table)

    def ledger(self) -> Ledger:
        location = ledger_location(load_declaration(self.folder / "ekm.yaml"), self.folder)
        if isinstance(location, SqliteLocation):
            return open_sqlite_ledger(location.path)
        assert self.store is not None
        ledger = self.store.open()
        assert ledger is not None
        return ledger

    def run_of(self, *arguments: str, kill_at: int | None = None) -> Run:
        return Run(str(self.folder), arguments or self.command, self.world.environment, kill_at)

    def run(self, *arguments: str, kill_at: int | None = None) -> Ended:
        """Run a command; without arguments the one that comes next."""
        return self.world.zygote.run(self.run_of(*arguments, kill_at=kill_at))[0]

    def succeed(self, *arguments: str) -> Ended:
        ended = self.run(*arguments)
        assert ended.exit_code == 0, f"{arguments}: {ended.exit_code}\n{ended.err}"
        return ended

    def resume(self) -> None:
        """Go on as a person would: the same command again, or what its refusal leads to."""
        ended = self.run()
        if ended.exit_code == 1 and self.command[0] == "enable":
            ended = self.run("rotate", "--to", "1", *VENDOR)
        done = ended.exit_code == 0 or (ended.exit_code == 1 and self.command[0] in {"retire", "release"})
        assert done, f"{ended.exit_code}\n{ended.err}"

    def has_ledger(self) -> bool:
        return self.store is not None or (self.folder / ".keyturn" / "ledger.db").exists()

    def assert_nothing_is_lost(self, before: TenantState) -> TenantState:
        """The invariants, at any instant. Returns the state."""
        with closing(self.ledger()) as ledger:
            head, census = ledger.head(), ledger.census()
            state = head.state
            assert verify_chain(ledger.journal(), head.journal_length, head.journal_hash) == head.journal_length
            assert not (before.mode is Mode.ENTERPRISE and state.mode is Mode.CLOUD)
            assert state.current_number >= before.current_number
            assert state.epoch >= before.epoch
            arns = [generation.key_arn.family for generation in state.generations]
            assert len(set(arns)) == len(arns)
            for generation in state.generations:
                if generation.state in {GenerationState.RETIRED, GenerationState.RELEASED, GenerationState.DELETED}:
                    assert census.under(generation.number, str(generation.key_arn)) == 0
            found = {}
            for record in ledger.data_keys(PAYLOAD):
                with opened(self.world.access, state.tenant, record) as data_key:
                    found[record.data_key_id] = bytes(data_key)
            assert found == self.plaintexts
            return state

    def assert_done(self) -> None:
        """The operation has come to its end."""
        with closing(self.ledger()) as ledger:
            head, census = ledger.head(), ledger.census()
            state = head.state
            match self.command[0]:
                case "enable" | "rotate":
                    to = 1 if self.command[0] == "enable" else 2
                    assert state.current_number == to
                    assert state.rotation is None or state.rotation.rewrapped_at is not None
                    current = state.current
                    assert current is not None
                    assert census.settled(to, str(current.key_arn)) == census.total == len(self.plaintexts)
                case "retire" | "release" as operation:
                    first = state.find(1)
                    assert first is not None
                    expected = GenerationState.RETIRED if operation == "retire" else GenerationState.RELEASED
                    assert first.state is expected

    def assert_every_payload_is_restored(self) -> None:
        self.succeed("run", "restore", "--to", "restored", *VENDOR)
        for source in (self.folder / "tenant").rglob("*.txt"):
            restored = self.folder / "restored" / source.relative_to(self.folder / "tenant")
            assert restored.read_bytes() == source.read_bytes()
