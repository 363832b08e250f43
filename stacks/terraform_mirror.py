"""Terraform on a machine that may not reach a provider registry: find a local mirror, and name it.

The rules:

- A mirror is a folder laid out as `HOST/hashicorp/aws/VERSION/PLATFORM/` or holding the packed
  `HOST/hashicorp/aws/terraform-provider-aws_VERSION_PLATFORM.zip` (Terraform, "Provider Installation"),
  with a version in the range that the stacks ask for and for this machine's platform.
- `KEYTURN_TERRAFORM_MIRROR` names one; it is then an error if it is none.
- Otherwise a Terraform configuration of the user's own (the file that `TF_CLI_CONFIG_FILE` names, or else
  `~/.terraformrc`) is left alone, and without one the usual places are searched: Terraform's implied local
  mirrors, then the roots of locally installed software, three levels deep.
- What the mirror holds comes from it alone, everything else from the registries.
- A `TF_CLI_CONFIG_FILE` that names no file is replaced: Terraform warns about it on every command.

Only the standard library is used, and nothing is searched on import.
"""

from __future__ import annotations

import platform
import re
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import InputError, MachineError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

SETTING = "KEYTURN_TERRAFORM_MIRROR"
CONFIGURATION_SETTING = "TF_CLI_CONFIG_FILE"
CONFIGURATION_FILE = "terraform.tfrc"
PROVIDER = "hashicorp/aws"

_OLDEST_VERSION = (5, 100)
_NEXT_MAJOR_VERSION = (7,)
_VERSION = re.compile(r"[0-9]+(\.[0-9]+)+", re.ASCII)
_PACKED = re.compile(r"terraform-provider-aws_(?P<version>[0-9.]+)_(?P<platform>[a-z0-9]+_[a-z0-9]+)\.zip", re.ASCII)
_DEPTH_BELOW_ROOTS = 3

# Quiet, and without questions: to HashiCorp about versions, or to a person who may not be there.
_UNATTENDED = {
    "CHECKPOINT_DISABLE": "1",
    "DISABLE_VERSION_CHECK": "1",
    "TF_IN_AUTOMATION": "1",
    "TF_INPUT": "0",
}


def terraform_environment(folder: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """What to add to the environment of Terraform and CDKTF so that they run unattended, here.

    Args:
        folder: Where a CLI configuration may be written; it is made if need be.
        environment: The environment that the additions are for.

    Returns:
        Variables with their values. `TF_CLI_CONFIG_FILE` is among them where a mirror was found, or where
        it names a file that does not exist.

    Raises:
        InputError: `KEYTURN_TERRAFORM_MIRROR` names no mirror of the provider.
        MachineError: The configuration cannot be written.
    """
    mirror = find_provider_mirror(environment)
    additions = dict(_UNATTENDED)
    configured = environment.get(CONFIGURATION_SETTING)
    if mirror is not None or (configured and not Path(configured).is_file()):
        additions[CONFIGURATION_SETTING] = str(write_cli_configuration(folder, mirror))
    return additions


def find_provider_mirror(environment: Mapping[str, str]) -> Path | None:
    """Find a local mirror of the AWS provider.

    Args:
        environment: Looked up for the settings and the home folder.

    Returns:
        The folder that holds `HOST/hashicorp/aws`; None where there is none, or where the user's own
        Terraform configuration decides.

    Raises:
        InputError: `KEYTURN_TERRAFORM_MIRROR` names no mirror of the provider.
    """
    named = environment.get(SETTING)
    if named:
        if not _holds_provider(Path(named)):
            raise InputError(
                f"{SETTING} names {named!r}, which holds no {PROVIDER} provider for {_platform()} from "
                f"{'.'.join(map(str, _OLDEST_VERSION))} on",
                "name the folder that `terraform providers mirror FOLDER` has filled, or unset it",
            )
        return Path(named).resolve()
    if _has_configuration(environment):
        return None
    return next((folder.resolve() for folder in _usual_places(environment) if _holds_provider(folder)), None)


def write_cli_configuration(folder: Path, mirror: Path | None) -> Path:
    """Write a CLI configuration that installs from the mirror what it holds, the rest from the registries.

    Args:
        folder: Where to; it is made if need be.
        mirror: The mirror, or None for the registries alone.

    Returns:
        The file.

    Raises:
        MachineError: It cannot be written.
    """
    lines = ["provider_installation {"]
    if mirror is None:
        lines.append("  direct {}")
    else:
        held = ", ".join(f'"{source}"' for source in _sources(mirror))
        path = str(mirror).replace("\\", "\\\\").replace('"', '\\"').replace("${", "$${").replace("%{", "%%{")
        lines += ["  filesystem_mirror {", f'    path    = "{path}"', f"    include = [{held}]", "  }"]
        lines += ["  direct {", f"    exclude = [{held}]", "  }"]
    file = folder / CONFIGURATION_FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file.write_text("\n".join([*lines, "}", ""]), encoding="utf-8")
    except OSError as error:
        raise MachineError(f"{str(file)!r} cannot be written: {error.strerror}") from error
    return file.resolve()


def _has_configuration(environment: Mapping[str, str]) -> bool:
    configured, home = environment.get(CONFIGURATION_SETTING), environment.get("HOME")
    if configured:
        return Path(configured).is_file()
    return bool(home) and Path(str(home), ".terraformrc").is_file()


def _usual_places(environment: Mapping[str, str]) -> Iterator[Path]:
    home = environment.get("HOME")
    if home:
        yield Path(home, ".terraform.d", "plugins")
        yield Path(environment.get("XDG_DATA_HOME") or Path(home, ".local", "share"), "terraform", "plugins")
    shared = (Path("/usr/local/share"), Path("/usr/share"))
    yield from (folder / "terraform" / "plugins" for folder in shared)
    for root in (Path("/opt"), Path("/usr/local/lib"), Path("/usr/local/share"), Path("/srv")):
        yield from _folders_below(root, _DEPTH_BELOW_ROOTS)


def _folders_below(root: Path, depth: int) -> Iterator[Path]:
    """The folders under a root, level by level, without following links; what cannot be read is passed over."""
    level = [root]
    for _ in range(depth):
        level = [child for folder in level for child in _entries(folder) if _is_folder(child)]
        yield from level


def _holds_provider(mirror: Path) -> bool:
    return bool(_sources(mirror))


def _sources(mirror: Path) -> list[str]:
    """The sources of the AWS provider that the mirror holds, as `HOST/hashicorp/aws`."""
    return [
        f"{host.name}/{PROVIDER}"
        for host in _entries(mirror)
        if "." in host.name and _holds_version(_entries(host / PROVIDER))
    ]


def _holds_version(entries: Iterable[Path]) -> bool:
    for entry in entries:
        packed = _PACKED.fullmatch(entry.name)
        if packed is not None and packed["platform"] == _platform() and _in_range(packed["version"]):
            return True
        if _in_range(entry.name) and _is_folder(entry / _platform()):
            return True
    return False


def _in_range(version: str) -> bool:
    if not _VERSION.fullmatch(version):
        return False
    return _OLDEST_VERSION <= tuple(int(part) for part in version.split(".")) < _NEXT_MAJOR_VERSION


def _platform() -> str:
    """This machine as Go names it, such as `linux_amd64`."""
    machine = platform.machine().lower()
    architectures = {"x86_64": "amd64", "aarch64": "arm64", "i386": "386", "i686": "386"}
    return f"{platform.system().lower()}_{architectures.get(machine, machine)}"


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir() and not path.is_symlink()
    except OSError:
        return False


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        # A folder that is missing or closed to us holds no mirror for us.
        return []
