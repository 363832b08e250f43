"""The pipelines' roles do their work, and nothing beyond it: the shipped IAM policies, enforced by the sandbox."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from engine.sandbox import Identity, scrubbed_environment
from stacks.terraform_mirror import terraform_environment
from tests.builders import CUSTOMER, DECLARATION, VENDOR
from tests.cli.conftest import AGREEMENT, TERMS, Ended, Repository
from tests.ledger_stores import make_table
from tests.pipelines.roles import Session, make_roles
from tests.sandbox_fixtures import Account, refused, start_sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.sandbox import Sandbox

ROOT = Path(__file__).resolve().parents[2]
TABLE = "keyturn-ledger"
TWO = DECLARATION + f"  - number: 2\nledger: dynamodb://{TABLE}\n"


@pytest.fixture(scope="module")
def own() -> Iterator[Sandbox]:
    """A sandbox of these tests alone: the alias and the roles have their real names."""
    with start_sandbox() as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def owner(own: Sandbox) -> Iterator[Account]:
    account = Account(own, Identity.CUSTOMER, CUSTOMER)
    make_table(account.client("dynamodb"), TABLE)
    yield account
    account.client("dynamodb").delete_table(TableName=TABLE)


@pytest.fixture(scope="module")
def roles(owner: Account) -> Iterator[dict[str, Session]]:
    yield from make_roles(owner)


@dataclass(frozen=True)
class Pipelines:
    """A repository whose pipelines run with the roles."""

    repository: Repository
    roles: dict[str, Session]
    monkeypatch: pytest.MonkeyPatch

    def keyturn(self, role: str | None, *arguments: str) -> Ended:
        """Run a command as a role, or as the account's administrator."""
        with self.monkeypatch.context() as patched:
            for name, value in (self.roles[role].environment if role else {}).items():
                patched.setenv(name, value)
            return self.repository.keyturn(*arguments)

    def script(self, name: str, role: str, **words: str) -> subprocess.CompletedProcess[str]:
        """Run one of the pipelines' scripts as a role."""
        environment = {
            **scrubbed_environment(os.environ),
            **terraform_environment(self.repository.folder.parent / "terraform", os.environ),
            **{key: value for key, value in os.environ.items() if key.startswith("AWS_")},
            **self.roles[role].environment,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "KEYTURN_BASE_COMMIT": self.git("rev-parse", "HEAD"),
            "KEYTURN_REPORTS": str(self.repository.folder.parent / "reports"),
            "KEYTURN_STACK": "northwind",
            **words,
        }
        return subprocess.run(
            [ROOT / "pipelines" / name],
            cwd=self.repository.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def git(self, *arguments: str) -> str:
        identity = ("-c", "user.name=Ada", "-c", "user.email=ada@northwind.example", "-c", "commit.gpgsign=false")
        command = ["git", *identity, *arguments]
        done = subprocess.run(command, cwd=self.repository.folder, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def commit(self) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message=change")


@pytest.fixture
def pipelines(
    tmp_path: Path,
    owner: Account,
    roles: dict[str, Session],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Pipelines:
    folder = tmp_path / "repository"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for name, value in owner.sandbox.environment(Identity.CUSTOMER).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("CI", "true")
    made = Pipelines(Repository(folder, owner, capsys), roles, monkeypatch)
    made.repository.declare(TWO)
    (folder / "terms.txt").write_text(TERMS, encoding="utf-8")
    (folder / ".gitignore").write_text("cdktf.out/\nterraform.*.tfstate*\n.keyturn/\n", encoding="utf-8")
    made.git("init", "--quiet", "--initial-branch=main")
    made.commit()
    return made


def findings(doctor: Ended) -> Any:
    assert doctor.exit_code in (0, 1), doctor.err
    return doctor.document


@pytest.mark.terraform
@pytest.mark.timeout(600)
@pytest.mark.requirement("EKM-16")
def test_each_role_can_do_its_work(pipelines: Pipelines) -> None:
    # Reviewed and deployed: two keys, made by a role that may make no other tenant's.
    reviewed = pipelines.script("review.sh", "planner")
    assert reviewed.returncode == 0, reviewed.stderr
    assert reviewed.stdout.startswith("PASS")
    deployed = pipelines.script("deploy.sh", "deployer")
    assert deployed.returncode == 0, deployed.stderr + deployed.stdout
    assert "5 added, 0 changed, 0 destroyed" in deployed.stdout
    state = json.loads(
        (pipelines.repository.folder / "terraform.northwind.tfstate").read_text(encoding="utf-8")
    )["outputs"]
    first, second = (state[f"generation_{number}_key_arn"]["value"] for number in (1, 2))

    # Enabled by a person, rotated by the pipeline, with a ledger that both share.
    for role, arguments in (
        ("key-administrator", ("enable", "--key-arn", first, *AGREEMENT)),
        ("key-administrator", ("confirm", "1", "--key-arn", first, "--by", "Ada")),
        ("rotator", ("rotate", "--to", "2", "--key-arn", second)),
        ("rotator", ("confirm", "2", "--key-arn", second, "--by", "Ada")),
    ):
        done = pipelines.keyturn(role, *arguments)
        assert done.exit_code == 0, (arguments, done.err)

    # The doctor sees what an administrator sees.
    assert findings(pipelines.keyturn("doctor", "doctor", "--json")) == findings(
        pipelines.keyturn(None, "doctor", "--json")
    )

    # Evidence, signed by the one role that may.
    kms = pipelines.repository.customer.kms
    signing = kms.create_key(KeyUsage="SIGN_VERIFY", KeySpec="ECC_NIST_EDWARDS25519")["KeyMetadata"]["Arn"]
    kms.create_alias(AliasName="alias/keyturn-evidence", TargetKeyId=signing)
    export = ("status", "--evidence", "evidence.json", "--signing-key", signing)
    assert pipelines.keyturn("doctor", *export).exit_code == 4
    assert not (pipelines.repository.folder / "evidence.json").exists()
    done = pipelines.keyturn("witness", *export)
    assert done.exit_code == 0, done.err

    # Revoked and reinstated by a person.
    assert pipelines.keyturn("key-administrator", "revoke", "--yes").exit_code == 0
    assert {kms.describe_key(KeyId=arn)["KeyMetadata"]["KeyState"] for arn in (first, second)} == {"Disabled"}
    done = pipelines.keyturn("key-administrator", "reinstate", "--yes")
    assert done.exit_code == 0, done.err
    assert {kms.describe_key(KeyId=arn)["KeyMetadata"]["KeyState"] for arn in (first, second)} == {"Enabled"}
