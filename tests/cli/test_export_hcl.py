"""The stacks as plain Terraform: valid, reviewed by the same rules, and never over somebody's own file."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from engine.sandbox import scrubbed_environment
from stacks.terraform_mirror import terraform_environment
from tests.builders import DECLARATION, declared_generations

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Repository

EVERYTHING = """\
  - {number: 2, multi_region: true, replicas: [eu-west-1], description: 'with ${marks} and "quotes"'}
  - {number: 3, origin: EXTERNAL}
ledger: dynamodb://keyturn-ledger
vault: s3://northwind-vault/backups
alerts: {emails: [keys@example.com]}
"""


def terraform(folder: Path, *arguments: str) -> str:
    sandbox = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    mirror = terraform_environment(folder, os.environ)
    return subprocess.run(
        ["terraform", *arguments],
        cwd=folder,
        env={**scrubbed_environment(os.environ), **sandbox, **mirror},
        check=True,
        capture_output=True,
        text=True,
    ).stdout


@pytest.mark.terraform
def test_every_stack_is_valid_and_a_plan_of_it_is_reviewed_like_any_other(repository: Repository) -> None:
    repository.declare(DECLARATION + EVERYTHING)
    ended = repository.keyturn("export-hcl", "--output", "plain", "--json")
    assert ended.exit_code == 0, ended.err
    names = {"northwind", "northwind-alerts", "ledger-keyturn-ledger", "vault-northwind-vault"}
    assert set(ended.document["files"]) == {f"plain/{name}/main.tf" for name in names}
    for name in names:
        folder = repository.folder / "plain" / name
        text = (folder / "main.tf").read_text()
        assert str(repository.folder) not in text  # a path of this machine
        terraform(folder, "init", "-input=false", "-no-color")
        assert json.loads(terraform(folder, "validate", "-json"))["diagnostics"] == []
    folder = repository.folder / "plain" / "northwind"
    terraform(folder, "plan", "-input=false", "-no-color", "-out=plan.tfplan")
    (repository.folder / "plan.json").write_text(terraform(folder, "show", "-json", "plan.tfplan"))
    (repository.folder / "base").mkdir()
    (repository.folder / "base" / "ekm.yaml").write_text(DECLARATION + EVERYTHING)
    reviewed = repository.keyturn("review", "plan.json", "--base-declaration", "base/ekm.yaml", "--json")
    assert reviewed.document["verdict"] == "pass", reviewed.out


def test_an_export_replaces_an_export_and_nothing_else(repository: Repository) -> None:
    assert repository.keyturn("export-hcl").exit_code == 0
    written = repository.folder / "terraform" / "northwind" / "main.tf"
    first = written.read_text()
    repository.declare(declared_generations(2))
    assert repository.keyturn("export-hcl").exit_code == 0
    assert "generation_2" in written.read_text()
    assert "generation_2" not in first
    written.write_text("# mine\n")
    ended = repository.keyturn("export-hcl")
    assert ended.exit_code == 3
    assert "is not an export of Keyturn's" in ended.err
    assert written.read_text() == "# mine\n"


def test_an_earlier_export_of_what_is_not_declared_here_is_left_and_told(repository: Repository) -> None:
    declaration = (repository.folder / "ekm.yaml").read_text()
    (repository.folder / "ekm.yaml").write_text(declaration.replace("northwind", "contoso"))
    assert "left" not in repository.keyturn("export-hcl").err
    (repository.folder / "ekm.yaml").write_text(declaration)
    mine = repository.folder / "terraform" / "mine" / "main.tf"
    mine.parent.mkdir()
    mine.write_bytes(b"\xff")
    ended = repository.keyturn("export-hcl")
    assert ended.exit_code == 0
    told = "left terraform/contoso/main.tf: an earlier export of a stack that is not declared here\n"
    assert [line for line in ended.err.splitlines(keepends=True) if "left" in line] == [told]
    assert (repository.folder / "terraform" / "contoso" / "main.tf").exists()


def test_what_the_stacks_refuse_is_not_exported(repository: Repository) -> None:
    repository.declare(declared_generations(2, current=2).replace("description: first key", "state: retired"))
    ended = repository.keyturn("export-hcl")
    assert ended.exit_code == 3
    assert not (repository.folder / "terraform").exists()


@pytest.mark.requirement("EKM-33")
def test_what_would_let_go_of_a_key_of_an_earlier_export_is_not_exported(repository: Repository) -> None:
    tags = {"keyturn:tenant": "northwind", "keyturn:generation": "2"}
    key = {"type": "aws_kms_key", "name": "generation_2", "instances": [{"attributes": {"tags": tags}}]}
    state = repository.folder / "terraform" / "northwind" / "terraform.tfstate"
    state.parent.mkdir(parents=True)
    state.write_text(json.dumps({"resources": [key]}), encoding="utf-8")
    assert repository.keyturn("export-hcl").exit_code == 3
    assert list(state.parent.iterdir()) == [state]
