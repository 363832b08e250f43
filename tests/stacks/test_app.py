"""The application as `cdktf` starts it: a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.stacks.declared import declaration_text, read_stack

if TYPE_CHECKING:
    from pathlib import Path


def run(folder: Path, code: str | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m stacks`, or some code, with this folder as the working one."""
    command = [sys.executable, "-P", *(("-c", code) if code else ("-m", "stacks"))]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("CDKTF_", "KEYTURN_"))}
    return subprocess.run(
        command, cwd=folder, env=inherited | environment, capture_output=True, text=True, timeout=240, check=False
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A customer's repository with a declaration."""
    (tmp_path / "ekm.yaml").write_text(declaration_text())
    return tmp_path


def test_it_writes_the_stacks_and_says_nothing(project: Path) -> None:
    finished = run(project)
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "", "")
    assert "generation_1" in read_stack(project / "cdktf.out", "northwind")["resource"]["aws_kms_key"]


def test_the_environment_names_the_declaration_and_the_folder(project: Path) -> None:
    (project / "ekm.yaml").rename(project / "tenant.yaml")
    finished = run(project, KEYTURN_DECLARATION="tenant.yaml", CDKTF_OUTDIR="made/here")
    assert (finished.returncode, finished.stderr) == (0, "")
    assert (project / "made" / "here" / "stacks" / "northwind" / "cdk.tf.json").is_file()


def test_a_mistake_is_an_error_with_its_place_and_nothing_is_written(project: Path) -> None:
    (project / "ekm.yaml").write_text(declaration_text(vendor_access="all", current=4))
    finished = run(project)
    assert finished.returncode == 3
    assert finished.stdout == ""
    lines = finished.stderr.splitlines()
    assert lines[0].startswith('error: ekm.yaml:20:20: vendor_access is "all"; expected ')
    assert lines[1].startswith("error: ekm.yaml:22:14: current is 4; expected ")
    assert lines[2].startswith("hint: ")
    assert len(lines) == 3
    assert not (project / "cdktf.out").exists()


@pytest.mark.parametrize(
    "content", [b"", b"\x00\x01", b"[" * 100, b"tenant: [", b"- a\n- b\n", b"generations: [1, {}]"]
)
def test_no_content_of_the_file_gives_a_traceback(project: Path, content: bytes) -> None:
    (project / "ekm.yaml").write_bytes(content)
    finished = run(project)
    assert finished.returncode == 3
    assert finished.stderr.startswith("error: ekm.yaml")
    assert "Traceback" not in finished.stderr


def test_an_output_folder_that_cannot_be_made_is_an_error_of_this_machine(project: Path) -> None:
    (project / "file").write_text("")
    finished = run(project, CDKTF_OUTDIR="file/below")
    assert finished.returncode == 6
    assert finished.stderr == "error: the folder 'file/below' cannot be made: Not a directory\n"


def test_an_output_folder_that_holds_something_else_is_an_error_of_this_machine(project: Path) -> None:
    (project / "made" / "stacks" / "northwind" / "cdk.tf.json").mkdir(parents=True)
    finished = run(project, CDKTF_OUTDIR="made")
    assert finished.returncode == 6
    assert finished.stderr == "error: 'made/stacks/northwind/cdk.tf.json' cannot be written: Is a directory\n"


def test_without_node_the_error_says_how_to_get_it(project: Path) -> None:
    finished = run(project, PATH=str(project))
    assert finished.returncode == 6
    assert finished.stderr.splitlines() == [
        "error: the stacks need Node.js, and 'node' is not on this machine's PATH",
        "hint: install Node.js 20 or later, or name its program in JSII_NODE",
    ]


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("exit 1", "does not answer as Node.js does"),
        ("echo hello", "does not answer as Node.js does"),
        ("echo v18.20.4", "or later, and "),
    ],
)
def test_a_node_that_is_broken_or_old_is_an_error_of_this_machine(project: Path, script: str, message: str) -> None:
    program = project / "node"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    finished = run(project, JSII_NODE=str(program))
    assert finished.returncode == 6
    assert finished.stderr.startswith("error: the stacks need Node.js")
    assert message in finished.stderr.splitlines()[0]
    assert len(finished.stderr.splitlines()) == 2


def test_a_cache_folder_that_cannot_be_used_is_an_error_of_this_machine(project: Path) -> None:
    finished = run(project, JSII_RUNTIME_PACKAGE_CACHE_ROOT=str(project / "ekm.yaml"))
    assert finished.returncode == 6
    assert finished.stderr.startswith("error: CDKTF cannot be started: Cannot use the jsii package cache")
    assert "Traceback" not in finished.stderr


WITHOUT_CDKTF = """
import os, sys
sys.modules["cdktf"] = None
from stacks.app import main
sys.exit(main(os.environ))
"""


def test_without_cdktf_the_error_says_how_to_get_it(project: Path) -> None:
    finished = run(project, WITHOUT_CDKTF)
    assert finished.returncode == 6
    assert finished.stderr.splitlines() == [
        "error: the stacks need CDKTF, which is not installed (no module 'cdktf')",
        "hint: install it with: pip install 'keyturn[stacks]'",
    ]


def test_a_mistake_is_reported_without_cdktf_too(project: Path) -> None:
    (project / "ekm.yaml").write_text(declaration_text(revoked=1))
    assert run(project, WITHOUT_CDKTF).returncode == 3


def test_the_key_policy_needs_no_cdktf(project: Path) -> None:
    code = "import sys, stacks.key_policy; sys.exit(any(name in sys.modules for name in ('cdktf', 'jsii', 'boto3')))"
    assert run(project, code).returncode == 0


def test_a_variable_that_the_user_set_is_left_alone(project: Path) -> None:
    code = """
import os
import stacks.cdktf_imports
print(os.environ["JSII_SILENCE_WARNING_DEPRECATED_NODE_VERSION"])
"""
    assert run(project, code, JSII_SILENCE_WARNING_DEPRECATED_NODE_VERSION="mine").stdout == "mine\n"


def test_cdktfs_process_reads_no_certificates_and_the_environment_keeps_them(project: Path) -> None:
    program = project / "node"
    program.write_text('#!/bin/sh\necho "$1 $NODE_EXTRA_CA_CERTS" >> started\nexec node "$@"\n')
    program.chmod(0o755)
    code = 'import os, stacks.cdktf_imports; print(os.environ["NODE_EXTRA_CA_CERTS"])'
    finished = run(project, code, JSII_NODE=str(program), NODE_EXTRA_CA_CERTS="mine.pem")
    assert finished.stdout == "mine.pem\n"
    started = (project / "started").read_text().splitlines()
    assert len(started) == 2
    assert started[1].startswith("--max-old-space-size=")
    assert not started[1].endswith("mine.pem")


def test_a_process_of_cdktfs_that_ends_is_an_error_of_this_machine(project: Path) -> None:
    program = project / "node"
    program.write_text('#!/bin/sh\necho $$ > pid\nexec node "$@"\n')
    program.chmod(0o755)
    code = """
import os, sys
from pathlib import Path
from engine.errors import MachineError
from stacks.declarations import load_declarations
from stacks.synthesis import Synthesis
synthesis = Synthesis(load_declarations(Path("ekm.yaml")), Path("out"))
os.kill(int(Path("pid").read_text()), 9)
try:
    synthesis.write()
except MachineError as error:
    print(error.message)
"""
    finished = run(project, code, JSII_NODE=str(program))
    assert finished.stdout == "CDKTF's process in Node.js ended before the stacks were written\n"
    assert "Traceback" not in finished.stderr
    assert not list((project / "out").rglob("cdk.tf.json"))


def test_a_wish_to_go_on_after_errors_is_not_granted(project: Path) -> None:
    code = """
from pathlib import Path
from stacks.declarations import load_declarations
from stacks.findings import GuardError
from stacks.synthesis import Synthesis
synthesis = Synthesis(load_declarations(Path("ekm.yaml")), Path("out"))
synthesis.stacks[0].keys[1].primary.add_override("is_enabled", False)
try:
    synthesis.write()
except GuardError:
    print("refused")
"""
    assert run(project, code, CDKTF_CONTINUE_SYNTH_ON_ERROR_ANNOTATIONS="true").stdout == "refused\n"
    assert not list((project / "out").rglob("cdk.tf.json"))
