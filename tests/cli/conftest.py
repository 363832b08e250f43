"""A tenant's repository in a temporary folder, its keys in the sandbox, and the command line in this process."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from cli.main import run
from engine.declaration import parse_declaration
from engine.sandbox import Identity
from tests.builders import DECLARATION, declared_generations
from tests.tenant_keys import make_key

if TYPE_CHECKING:
    from pathlib import Path

    from engine.declaration import Declaration
    from engine.sandbox import Sandbox
    from tests.sandbox_fixtures import Account

TERMS = "There is no way back.\n"
DIGEST = hashlib.sha256(TERMS.encode()).hexdigest()
AGREEMENT = ("--terms", "terms.txt", "--agree-terms", DIGEST, "--agreed-by", "Ada")
VENDOR = ("--vendor-profile", "vendor")


@dataclass(frozen=True)
class Ended:
    """What a command came to."""

    exit_code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Repository:
    """The customer's repository, which is the working folder."""

    folder: Path
    customer: Account
    capsys: pytest.CaptureFixture[str]

    def keyturn(self, *arguments: str) -> Ended:
        """Run a command; any error that a user can cause has ended as an exit code."""
        self.capsys.readouterr()
        exit_code = run(arguments)
        captured = self.capsys.readouterr()
        return Ended(exit_code, captured.out, captured.err)

    def declare(self, text: str = DECLARATION) -> Declaration:
        """Write the declaration."""
        (self.folder / "ekm.yaml").write_text(text, encoding="utf-8")
        return parse_declaration("ekm.yaml", text.encode())

    def deploy(self, number: int) -> str:
        """Make the key of a declared generation, as the stacks would; its ARN."""
        text = (self.folder / "ekm.yaml").read_bytes()
        return make_key(self.customer, parse_declaration("ekm.yaml", text), number)

    def enabled(self) -> str:
        """A tenant that is enabled and confirmed with generation 1; the key's ARN."""
        arn = self.deploy(1)
        assert self.keyturn("enable", "--key-arn", arn, *AGREEMENT, *VENDOR).exit_code == 0
        assert self.keyturn("confirm", "1", "--key-arn", arn, "--by", "Ada").exit_code == 0
        return arn

    def with_second_generation(self) -> str:
        """Declare and make generation 2; its ARN."""
        self.declare(declared_generations(2))
        return self.deploy(2)

    def ledger_state(self) -> tuple[Any, ...]:
        """All that the ledger says, for asserting that nothing changed."""
        status = self.keyturn("status", "--offline", "--json")
        history = self.keyturn("history", "--json") if self.ledger_exists() else None
        return status.out, history.out if history is not None else None

    def ledger_exists(self) -> bool:
        return (self.folder / ".keyturn" / "ledger.db").exists()


@pytest.fixture
def repository(
    tmp_path: Path,
    sandbox: Sandbox,
    customer: Account,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Repository:
    """An empty tenant whose declaration has one generation, with the customer's environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CI", raising=False)
    for name, value in sandbox.environment(Identity.CUSTOMER).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert os.environ["AWS_ENDPOINT_URL"].startswith("http://127.0.0.1:")
    repository = Repository(tmp_path, customer, capsys)
    repository.declare()
    (tmp_path / "terms.txt").write_text(TERMS, encoding="utf-8")
    return repository
