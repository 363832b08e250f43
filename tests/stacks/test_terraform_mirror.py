from __future__ import annotations

import platform
from typing import TYPE_CHECKING

import pytest

from engine.errors import InputError, MachineError
from stacks import terraform_mirror
from stacks.terraform_mirror import find_provider_mirror, terraform_environment, write_cli_configuration

if TYPE_CHECKING:
    from pathlib import Path

MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
HERE = f"{platform.system().lower()}_{MACHINES.get(platform.machine().lower(), platform.machine().lower())}"
HOST = "registry.example.org"


def mirror(folder: Path, version: str = "5.100.0", machine: str = HERE) -> Path:
    (folder / HOST / "hashicorp" / "aws" / version / machine).mkdir(parents=True)
    return folder


def test_the_setting_names_the_mirror(tmp_path: Path) -> None:
    named = mirror(tmp_path / "providers")
    assert find_provider_mirror({"KEYTURN_TERRAFORM_MIRROR": str(named)}) == named


def test_a_packed_provider_counts_too(tmp_path: Path) -> None:
    folder = tmp_path / HOST / "hashicorp" / "aws"
    folder.mkdir(parents=True)
    (folder / f"terraform-provider-aws_6.2.0_{HERE}.zip").write_bytes(b"")
    assert find_provider_mirror({"KEYTURN_TERRAFORM_MIRROR": str(tmp_path)}) == tmp_path


@pytest.mark.parametrize(
    ("version", "machine"),
    [("5.99.1", HERE), ("7.0.0", HERE), ("5.100.0", "plan9_mips"), ("5.100.0-beta1", HERE), ("latest", HERE)],
)
def test_a_named_folder_without_a_fitting_provider_is_an_error(tmp_path: Path, version: str, machine: str) -> None:
    mirror(tmp_path, version, machine)
    with pytest.raises(InputError, match="which holds no hashicorp/aws provider"):
        find_provider_mirror({"KEYTURN_TERRAFORM_MIRROR": str(tmp_path)})


def test_a_mirror_in_the_home_folder_is_found(tmp_path: Path) -> None:
    plugins = mirror(tmp_path / ".terraform.d" / "plugins")
    assert find_provider_mirror({"HOME": str(tmp_path)}) == plugins


def test_a_configuration_that_the_user_chose_is_left_alone(tmp_path: Path) -> None:
    mirror(tmp_path / ".terraform.d" / "plugins")
    chosen = tmp_path / "chosen.tfrc"
    chosen.write_text("")
    environment = {"HOME": str(tmp_path), "TF_CLI_CONFIG_FILE": str(chosen)}
    assert "TF_CLI_CONFIG_FILE" not in terraform_environment(tmp_path / "made", environment)
    assert not (tmp_path / "made").exists()


def test_a_configuration_in_the_home_folder_is_left_alone(tmp_path: Path) -> None:
    mirror(tmp_path / ".terraform.d" / "plugins")
    (tmp_path / ".terraformrc").write_text("")
    assert find_provider_mirror({"HOME": str(tmp_path)}) is None


def test_what_the_mirror_holds_comes_from_it_alone(tmp_path: Path) -> None:
    named = mirror(tmp_path / 'pro"viders')
    additions = terraform_environment(tmp_path / "made", {"KEYTURN_TERRAFORM_MIRROR": str(named)})
    assert additions == {
        "CHECKPOINT_DISABLE": "1",
        "DISABLE_VERSION_CHECK": "1",
        "TF_IN_AUTOMATION": "1",
        "TF_INPUT": "0",
        "TF_CLI_CONFIG_FILE": str(tmp_path / "made" / "terraform.tfrc"),
    }
    assert (tmp_path / "made" / "terraform.tfrc").read_text().splitlines() == [
        "provider_installation {",
        "  filesystem_mirror {",
        f'    path    = "{tmp_path}/pro\\"viders"',
        f'    include = ["{HOST}/hashicorp/aws"]',
        "  }",
        "  direct {",
        f'    exclude = ["{HOST}/hashicorp/aws"]',
        "  }",
        "}",
    ]


def test_without_a_mirror_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terraform_mirror, "_usual_places", lambda _environment: iter(()))
    assert "TF_CLI_CONFIG_FILE" not in terraform_environment(tmp_path / "made", {})
    assert not (tmp_path / "made").exists()


def test_a_configuration_that_does_not_exist_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terraform_mirror, "_usual_places", lambda _environment: iter(()))
    additions = terraform_environment(tmp_path, {"TF_CLI_CONFIG_FILE": str(tmp_path / "missing")})
    assert additions["TF_CLI_CONFIG_FILE"] == str(tmp_path / "terraform.tfrc")
    assert (tmp_path / "terraform.tfrc").read_text() == "provider_installation {\n  direct {}\n}\n"


def test_a_folder_that_cannot_be_written_is_an_error_of_this_machine(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MachineError, match="cannot be written"):
        write_cli_configuration(tmp_path / "file", None)
