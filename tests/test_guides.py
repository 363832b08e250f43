"""The guides, followed word by word as a new user would: every command run, every change made, on the sandbox.

A guide's `sh` blocks are run in order by one shell that stops at the first failure, its `diff` blocks are made in
`ekm.yaml`, and the lines of a `text` block must be in what the commands before it printed.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.sandbox import Identity, Sandbox, SandboxSettings, scrubbed_environment
from stacks.terraform_mirror import terraform_environment
from tests.builders import CUSTOMER, VENDOR
from tests.documented_commands import keyturn_commands, unknown_words

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
GUIDES = sorted((ROOT / "docs" / "guides").glob("*.md"))
ORDER = ("first-enablement", "rotation", "emergency-revocation", "audit")
MARK = "=== block "
CHANGE = """\
import pathlib, sys
path, (old, new) = pathlib.Path(sys.argv[1]), sys.argv[2:]
text = path.read_text()
assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {path}"
path.write_text(text.replace(old, new))
"""
NPX = """\
#!/bin/sh
# Only where Terraform's registry cannot be reached: the command line that package.json names, and no lock from there.
[ "$1" = cdktf ] && [ "$2" = deploy ] || exit 2
shift
exec %s "$@" --skip-provider-lock
"""


@dataclass(frozen=True)
class Block:
    """A fenced block of a guide."""

    language: str
    text: str


def blocks(guide: str) -> list[Block]:
    text = (ROOT / "docs" / "guides" / f"{guide}.md").read_text(encoding="utf-8")
    return [Block(*found) for found in re.findall(r"^```(\w+)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)]


def as_shell(block: Block) -> str:
    """What a user does with a block, as a shell's lines."""
    if block.language == "sh":
        return block.text
    if block.language == "diff":
        kept = {
            sign: "".join(line[1:] + "\n" for line in block.text.splitlines() if line[0] in f" {sign}") for sign in "-+"
        }
        return shlex.join([sys.executable, "-c", CHANGE, "ekm.yaml", kept["-"], kept["+"]])
    return ""


@dataclass(frozen=True)
class User:
    """A user's home: the folder that the guides begin in, and an environment with the sandbox for AWS."""

    folder: Path
    environment: dict[str, str]

    def follow(self, guide: str, where: str) -> None:
        """Go through a guide; each command succeeds, and prints what the guide says."""
        steps = blocks(guide)
        parts = [f"printf '%s\\n' '{MARK}{number}'\n{as_shell(block)}\n" for number, block in enumerate(steps)]
        done = subprocess.run(
            ["bash", "-c", "exec 2>&1\nset -euo pipefail\n" + "".join(parts)],
            cwd=self.folder / where,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{guide}: {done.stdout}"
        printed = re.split(rf"^{MARK}\d+\n", done.stdout, flags=re.MULTILINE)[1:]
        assert len(printed) == len(steps)
        for number, block in enumerate(steps):
            if block.language == "text":
                for line in block.text.splitlines():
                    assert line in printed[number - 1], f"{guide} says {line!r}: {printed[number - 1]}"


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[User]:
    folder = tmp_path_factory.mktemp("home")
    tools = folder / "tools"
    tools.mkdir()
    (tools / "npx").write_text(NPX % shlex.quote(str(ROOT / "node_modules" / ".bin" / "cdktf")), encoding="utf-8")
    (tools / "npx").chmod(0o755)
    (folder / "backup-keys").mkdir()
    (folder / "backup-keys" / "terms.txt").write_text("There is no way back.\n", encoding="utf-8")
    (folder / "tenant" / "exchange_online" / "anna").mkdir(parents=True)
    (folder / "tenant" / "exchange_online" / "anna" / "1.eml").write_text("Subject: hello\n\nworld\n", encoding="utf-8")
    with Sandbox.start(SandboxSettings(customer_account_id=CUSTOMER, vendor_account_id=VENDOR)) as sandbox:
        path = os.pathsep.join([str(tools), str(Path(sys.executable).parent), os.environ["PATH"]])
        yield User(
            folder,
            {
                **scrubbed_environment(os.environ),
                **terraform_environment(folder / "terraform", os.environ),
                **sandbox.environment(Identity.CUSTOMER),
                "PATH": path,
                "NO_PROXY": "127.0.0.1",
                "KEYTURN_EVIDENCE_SANDBOX": "1",
                "KEYTURN_VENDOR_PROFILE": "vendor",
            },
        )


def test_every_guide_is_followed() -> None:
    assert {guide.stem for guide in GUIDES} == set(ORDER)


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: str(guide.stem))
def test_every_command_in_a_guide_exists_with_its_options(guide: Path) -> None:
    found = [words for block in blocks(guide.stem) if block.language == "sh" for words in keyturn_commands(block.text)]
    assert found
    assert [unknown_words(words) for words in found if unknown_words(words)] == []
    assert len(guide.read_text(encoding="utf-8").splitlines()) <= 100, "a guide is a screen or two"


@pytest.mark.terraform
@pytest.mark.timeout(900)
@pytest.mark.requirement("EKM-19")
@pytest.mark.requirement("EKM-27")
def test_a_new_user_goes_through_the_guides_in_order(user: User) -> None:
    for guide in ORDER:
        user.follow(guide, "" if guide == "first-enablement" else "backup-keys")
