"""`keyturn init` and `keyturn check`, as a person meets them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.main import run
from engine.declaration import load_declaration
from tests.builders import DECLARATION, declared_generations

ROOT = Path(__file__).resolve().parents[2]


def write(folder: Path, text: str, name: str = "ekm.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_what_init_writes_passes_the_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "Northwind Traders"
    assert run(["init", str(folder)]) == 0
    written = sorted(path.name for path in folder.iterdir())
    assert written == [".gitignore", "cdktf.json", "ekm.yaml", "package.json"]
    assert run(["check", "--declaration", str(folder / "ekm.yaml")]) == 0
    out, err = capsys.readouterr()
    assert "valid; tenant northwind-traders, 1 generation, current 1" in out
    assert "replace in" in err
    assert json.loads((folder / "package.json").read_text())["devDependencies"] == {"cdktf-cli": "0.21.0"}


def test_init_takes_what_it_is_given_and_then_has_nothing_to_replace(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--tenant", "acme", "--druva-account-id", "010987654321", "--account-id", "123456789012"]
    arguments += ["--region", "us-gov-west-1", "--product", "entra_id"]
    arguments += ["--administrator", "arn:aws-us-gov:iam::123456789012:role/Keys"]
    assert run(["init", str(tmp_path), *arguments]) == 0
    assert "replace in" not in capsys.readouterr().err
    text = (tmp_path / "ekm.yaml").read_text()
    assert '"010987654321"' in text
    assert "arn:aws-us-gov:iam::123456789012:role/Keys" in text


def test_init_overwrites_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, "mine", "package.json")
    write(tmp_path, "mine too")
    assert run(["init", str(tmp_path)]) == 3
    assert "there is a declaration already" in capsys.readouterr().err
    assert (tmp_path / "ekm.yaml").read_text() == "mine too"
    (tmp_path / "ekm.yaml").unlink()
    assert run(["init", str(tmp_path)]) == 0
    assert (tmp_path / "package.json").read_text() == "mine"


def test_init_with_a_wrong_account_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["init", str(tmp_path / "new"), "--druva-account-id", "12"]) == 3
    assert "exactly 12 digits" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("folder", ["true", "null", "e5"])
def test_what_init_writes_passes_whatever_the_folder_is_called(tmp_path: Path, folder: str) -> None:
    assert run(["init", str(tmp_path / folder)]) == 0
    assert load_declaration(tmp_path / folder / "ekm.yaml").tenant == folder


def test_init_takes_a_tenants_name_as_it_is_or_not_at_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["init", str(tmp_path / "new"), "--tenant", "north # wind"]) == 3
    assert 'tenant is "north # wind"' in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_check_names_every_mistake_with_its_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, DECLARATION.replace("current: 1", "current: 2").replace("both", "neither"))
    assert run(["check", "--declaration", str(path)]) == 3
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert errors == [
        f'error: {path}:9:16: vendor_access is "neither"; expected one of key_policy, grant, both',
        f"error: {path}:11:10: current is 2; expected the number of a declared generation (1)",
    ]


def test_check_as_json_is_one_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, DECLARATION)
    assert run(["check", "--declaration", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "valid": True,
        "tenants": [{"tenant": "northwind", "generations": [1], "current": 1}],
    }
    path = write(tmp_path, DECLARATION.replace("both", "neither"))
    assert run(["check", "--declaration", str(path), "--json"]) == 3
    document = json.loads(capsys.readouterr().out)
    assert document["valid"] is False
    assert (document["mistakes"][0]["line"], document["mistakes"][0]["column"]) == (9, 16)


@pytest.mark.requirement("EKM-11")
def test_check_against_a_file_refuses_what_takes_something_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = write(tmp_path, declared_generations(2, current=2), "old.yaml")
    new = write(tmp_path, declared_generations(2))
    assert run(["check", "--declaration", str(new), "--against", str(old)]) == 3
    assert "current is 1 and was 2" in capsys.readouterr().err
    assert run(["check", "--declaration", str(old), "--against", str(new)]) == 0


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A Git repository whose branch main declares two generations."""

    def git(*arguments: str) -> None:
        identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
        subprocess.run(["git", "-C", str(tmp_path), *identity, *arguments], check=True, capture_output=True)

    git("init", "-q", "-b", "main")
    write(tmp_path, declared_generations(2))
    git("add", "ekm.yaml")
    git("commit", "-qm", "two generations")
    return tmp_path


@pytest.mark.requirement("EKM-11")
def test_check_against_a_git_revision(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(repository, DECLARATION)
    assert run(["check", "--declaration", str(path), "--against", "main"]) == 3
    assert "generation 2 is gone" in capsys.readouterr().err
    assert run(["check", "--declaration", str(path), "--against", "nothere"]) == 3
    assert "neither a Git revision nor a file" in capsys.readouterr().err


def test_a_file_cannot_take_the_place_of_the_revision_that_is_meant(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(repository)
    write(repository, DECLARATION)
    write(repository, DECLARATION, "main")
    assert run(["check", "--against", "main"]) == 3
    assert "both a Git revision and a file" in capsys.readouterr().err
    assert run(["check", "--against", "./main"]) == 0
    assert run(["check", "--against", "refs/heads/main"]) == 3
    assert "generation 2 is gone" in capsys.readouterr().err


def test_a_revision_is_never_taken_for_an_option_of_git(repository: Path) -> None:
    assert run(["check", "--declaration", str(repository / "ekm.yaml"), "--against=--output=stolen"]) == 3
    assert not (repository / "stolen").exists()


def test_a_declaration_that_is_new_under_its_name_is_not_a_pass(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    renamed = write(repository, DECLARATION, "keys.yaml")
    assert run(["check", "--declaration", str(renamed), "--against", "main"]) == 3
    assert "has no keys.yaml" in capsys.readouterr().err


def test_in_a_folder_a_tenant_that_is_gone_is_found_and_a_new_one_is_allowed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    south = DECLARATION.replace("tenant: northwind", "tenant: southwind").replace("northwind-ekm", "southwind-ekm")
    old, new = tmp_path / "old", tmp_path / "new"
    for folder in (old, new):
        folder.mkdir()
    write(old, declared_generations(2), "a.yaml")
    write(new, declared_generations(2), "renamed.yaml")
    write(new, south, "south.yaml")
    assert run(["check", "--declaration", str(new), "--against", str(old)]) == 0
    assert run(["check", "--declaration", str(old), "--against", str(new)]) == 3
    assert "tenant 'southwind'" in capsys.readouterr().err
    write(new, DECLARATION, "renamed.yaml")
    assert run(["check", "--declaration", str(new), "--against", str(old)]) == 3
    assert "generation 2 is gone" in capsys.readouterr().err


def test_in_a_folder_every_files_mistakes_are_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, DECLARATION.replace("both", "neither"), "a.yaml")
    write(tmp_path, "version: 2", "b.yaml")
    assert run(["check", "--declaration", str(tmp_path)]) == 3
    err = capsys.readouterr().err
    assert "a.yaml:9:16" in err
    assert "b.yaml:1:10" in err


def test_check_of_a_folder_checks_each_tenant_and_refuses_one_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, DECLARATION, "a.yaml")
    write(tmp_path, DECLARATION.replace("tenant: northwind", "tenant: southwind"), "b.yaml")
    assert run(["check", "--declaration", str(tmp_path)]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2
    write(tmp_path, DECLARATION, "c.yml")
    assert run(["check", "--declaration", str(tmp_path)]) == 3
    assert "declares tenant 'northwind' too" in capsys.readouterr().err


def test_an_unknown_command_is_a_usage_error_with_the_nearest_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["chek"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "error: There is no command 'chek'. Did you mean 'check'?",
        "hint: `keyturn --help` shows how it is used",
    ]


@pytest.mark.parametrize("arguments", [[], ["policy"], ["run"]])
def test_a_command_without_more_shows_its_help(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out.startswith("Usage: keyturn")
    assert captured.err == ""


def test_nobody_who_listens_is_not_a_pass(tmp_path: Path) -> None:
    path = write(tmp_path, DECLARATION)
    command = f"{sys.executable} -m cli check --declaration {path} --json; echo $? >&2"
    result = subprocess.run(
        ["sh", "-c", f"({command}) | true"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
    )
    assert result.stderr.strip() in {"0", "6"}
    assert "Traceback" not in result.stderr


def test_a_missing_declaration_is_an_input_error_with_a_hint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["check", "--declaration", str(tmp_path / "ekm.yaml")]) == 3
    err = capsys.readouterr().err
    assert "does not exist" in err
    assert "hint: `keyturn init` writes one" in err
