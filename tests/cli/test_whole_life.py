"""A tenant's whole life on real parts: each step declared, synthesised, planned, reviewed, applied and looked at.

Created, enabled, rotated twice, the first generation retired, released and deleted; backups restore throughout.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from engine.sandbox import scrubbed_environment
from stacks.terraform_mirror import terraform_environment
from tests.builders import DECLARATION
from tests.cli.conftest import AGREEMENT, VENDOR

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Repository

OVERRIDE = ("--override-by", "Ada", "--override-reason", "looked in CloudTrail")
STACK = ("cdktf.out", "stacks", "northwind")


def declared(states: tuple[str, ...], current: int) -> str:
    """The declaration with generations in these states, that may be let go at once."""
    head = DECLARATION[: DECLARATION.index("generations:")].replace("current: 1\n", f"current: {current}\n")
    entries = "".join(f"  - {{number: {number}, state: {state}}}\n" for number, state in enumerate(states, 1))
    return f"{head}generations:\n{entries}retention_days: 0\n"


@dataclass(frozen=True)
class Pipeline:
    """What a careful pipeline does with a declaration: synthesise, plan, review, apply the reviewed plan."""

    repository: Repository
    signing_key: str
    public_key: str

    def environment(self) -> dict[str, str]:
        sandbox = {name: value for name, value in os.environ.items() if name.startswith(("AWS_", "KEYTURN_"))}
        terraform = terraform_environment(self.repository.folder / "terraform", os.environ)
        evidence = {
            "KEYTURN_EVIDENCE": "evidence.json" if (self.repository.folder / "evidence.json").exists() else "",
            "KEYTURN_EVIDENCE_KEY": self.public_key,
            "KEYTURN_EVIDENCE_SANDBOX": "1",
        }
        return {**scrubbed_environment(os.environ), **sandbox, **terraform, **evidence}

    def run(self, *command: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
        finished = subprocess.run(
            command,
            cwd=self.repository.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert finished.returncode == expect, finished.stdout + finished.stderr
        return finished

    def synthesise(self, states: tuple[str, ...], current: int, expect: int = 0) -> str:
        self.repository.declare(declared(states, current))
        return self.run(sys.executable, "-P", "-m", "stacks", expect=expect).stderr

    def terraform(self, *arguments: str) -> str:
        return self.run("terraform", f"-chdir={'/'.join(STACK)}", *arguments).stdout

    def step(self, states: tuple[str, ...], current: int = 1) -> dict[str, list[str]]:
        """Deploy a declaration; what its plan did to which address, after the review let it pass."""
        folder = self.repository.folder
        base = folder / "base" / "ekm.yaml"
        if not base.exists():
            base.parent.mkdir()
            base.write_text(declared(states, current))
        self.synthesise(states, current)
        self.terraform("init", "-input=false", "-no-color")
        self.terraform("plan", "-input=false", "-no-color", "-out=step.tfplan")
        plan = self.terraform("show", "-json", "step.tfplan")
        (folder / "plan.json").write_text(plan)
        reviewed = self.review("--base-declaration", str(base))
        assert reviewed["verdict"] == "pass", json.dumps(reviewed["findings"], indent=1)
        self.terraform("apply", "-input=false", "-no-color", "step.tfplan")
        shutil.copy(folder / "ekm.yaml", base)
        changes = {entry["address"]: entry["change"]["actions"] for entry in json.loads(plan)["resource_changes"]}
        return {address: actions for address, actions in changes.items() if actions != ["no-op"]}

    def review(self, *arguments: str) -> dict[str, Any]:
        evidence = self.repository.folder / "evidence.json"
        given = ("--evidence", str(evidence), "--evidence-key", self.public_key, "--sandbox")
        ended = self.repository.keyturn(
            "review", "plan.json", *arguments, *(given if evidence.exists() else ()), "--json"
        )
        assert ended.exit_code in (0, 1), ended.err
        document: dict[str, Any] = ended.document
        return document

    def export_evidence(self) -> None:
        ended = self.repository.keyturn("status", "--evidence", "evidence.json", "--signing-key", self.signing_key)
        assert ended.exit_code == 0, ended.err

    def key(self, number: int) -> dict[str, Any]:
        """The live key of a generation, as KMS describes it."""
        metadata: dict[str, Any] = dict(
            self.repository.customer.kms.describe_key(KeyId=self.arn(number))["KeyMetadata"]
        )
        return metadata

    def arn(self, number: int) -> str:
        keys = self.repository.keyturn("status", "--offline", "--json").document["generations"]
        known = {entry["number"]: entry["key_arn"] for entry in keys}
        if known.get(number):
            return str(known[number])
        outputs = json.loads((self.repository.folder / "terraform.northwind.tfstate").read_text())["outputs"]
        return str(outputs[f"generation_{number}_key_arn"]["value"])

    def alias_target(self) -> str:
        return str(self.repository.customer.kms.describe_key(KeyId="alias/northwind-ekm")["KeyMetadata"]["Arn"])

    def restored(self, name: str) -> dict[str, bytes]:
        target = self.repository.folder / name
        ended = self.repository.keyturn("run", "restore", "--to", str(target), *VENDOR)
        assert ended.exit_code == 0, ended.err
        return {str(p.relative_to(target)): p.read_bytes() for p in target.rglob("*") if p.is_file()}


@pytest.fixture
def pipeline(repository: Repository, tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    path = tmp_path_factory.mktemp("apart") / "evidence.key"
    made = repository.keyturn("evidence", "new-key", str(path), "--json")
    return Pipeline(repository, str(path), made.document["public_key"])


def rotate(pipeline: Pipeline, number: int) -> None:
    arn = pipeline.arn(number)
    for arguments in (
        ("rotate", "--to", str(number), "--key-arn", arn, *VENDOR),
        ("confirm", str(number), "--key-arn", arn),
    ):
        ended = pipeline.repository.keyturn(*arguments)
        assert ended.exit_code == 0, ended.err
    pipeline.export_evidence()


@pytest.mark.terraform
@pytest.mark.timeout(600)
@pytest.mark.requirement("EKM-28")
@pytest.mark.requirement("EKM-33")
@pytest.mark.requirement("EKM-34")
@pytest.mark.requirement("EKM-35")
def test_a_key_from_its_creation_to_its_deletion(pipeline: Pipeline, tmp_path: Path) -> None:
    repository, kms = pipeline.repository, pipeline.repository.customer.kms
    source = tmp_path / "source" / "exchange_online" / "anna"
    source.mkdir(parents=True)
    (source / "1.eml").write_text("Subject: hello\n\nworld\n")

    # Created: a key, its alias, its grant.
    assert pipeline.step(("active",)) == {
        "aws_kms_key.generation_1": ["create"],
        "aws_kms_alias.current": ["create"],
        "aws_kms_grant.generation_1_vendor": ["create"],
    }
    first = pipeline.arn(1)
    assert repository.keyturn("enable", "--key-arn", first, *AGREEMENT, *VENDOR).exit_code == 0
    assert repository.keyturn("confirm", "1", "--key-arn", first).exit_code == 0
    backup = repository.keyturn("run", "backup", "--source", str(tmp_path / "source"), *VENDOR)
    assert backup.exit_code == 0, backup.err
    stored = pipeline.restored("restored-1")

    # Rotated: a second generation is one entry, and only adds. The alias follows on evidence.
    assert pipeline.step(("active", "active")) == {
        "aws_kms_key.generation_2": ["create"],
        "aws_kms_grant.generation_2_vendor": ["create"],
    }
    rotate(pipeline, 2)
    assert pipeline.alias_target() == first
    assert pipeline.step(("active", "active"), 2) == {"aws_kms_alias.current": ["update"]}
    assert pipeline.alias_target() == pipeline.arn(2)
    assert pipeline.restored("restored-2") == stored

    # Rotated again.
    assert set(pipeline.step(("active", "active", "active"), 2)) == {
        "aws_kms_key.generation_3",
        "aws_kms_grant.generation_3_vendor",
    }
    rotate(pipeline, 3)
    assert pipeline.restored("restored-3") == stored

    # Let go too early: the stacks refuse, and nothing is written.
    written = (repository.folder.joinpath(*STACK) / "cdk.tf.json").read_bytes()
    refused = pipeline.synthesise(("retired", "active", "active"), 3, expect=3)
    assert "generation 1 is declared retired, and the evidence does not say" in refused
    assert (repository.folder.joinpath(*STACK) / "cdk.tf.json").read_bytes() == written

    # Retired: disabled, and the grant goes; the retention deny stays.
    retired = repository.keyturn("retire", "1", *OVERRIDE)
    assert retired.exit_code == 0, retired.err
    pipeline.export_evidence()
    assert pipeline.step(("retired", "active", "active"), 3) == {
        "aws_kms_alias.current": ["update"],
        "aws_kms_grant.generation_1_vendor": ["delete"],
        "aws_kms_key.generation_1": ["update"],
    }
    assert pipeline.key(1)["KeyState"] == "Disabled"
    assert "Deny deletion" in kms.get_key_policy(KeyId=first, PolicyName="default")["Policy"]
    assert pipeline.restored("restored-4") == stored

    # Released: the deny goes.
    released = repository.keyturn("release", "1", *OVERRIDE)
    assert released.exit_code == 0, released.err
    pipeline.export_evidence()
    assert pipeline.step(("released", "active", "active"), 3) == {"aws_kms_key.generation_1": ["update"]}
    assert "Deny deletion" not in kms.get_key_policy(KeyId=first, PolicyName="default")["Policy"]

    # Deleted: scheduled, with the whole window, and recorded.
    assert pipeline.step(("deleted", "active", "active"), 3) == {"aws_kms_key.generation_1": ["delete"]}
    gone = kms.describe_key(KeyId=first)["KeyMetadata"]
    assert gone["KeyState"] == "PendingDeletion"
    assert repository.keyturn("release", "1").exit_code == 0
    pipeline.export_evidence()
    assert pipeline.step(("deleted", "active", "active"), 3) == {}
    assert pipeline.restored("restored-5") == stored
    states = repository.keyturn("status", "--json").document["generations"]
    assert [entry["ledger"] for entry in states] == ["deleted", "retained", "current"]
