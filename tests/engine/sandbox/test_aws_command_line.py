"""The AWS command line against the sandbox: a key's whole life, as a person types it.

The command line pins its own botocore, which is not the project's, so it lives in an environment of its own
under `.cache/`, made once. Where it cannot be had, the test is skipped and says why.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from engine.sandbox import Identity, scrubbed_environment
from tests.engine.sandbox.imported_material import wrap

if TYPE_CHECKING:
    from engine.sandbox import Sandbox

VERSION = "1.46.3"
CACHE = Path(__file__).parents[3] / ".cache" / f"aws-command-line-{VERSION}"


@pytest.fixture(scope="module")
def aws_command() -> str:
    """The path of the command, installed where it is not yet."""
    command = CACHE / "bin" / "aws"
    if not (CACHE / ".complete").exists():
        shutil.rmtree(CACHE, ignore_errors=True)
        venv.create(CACHE, with_pip=False, symlinks=True)
        install = [sys.executable, "-m", "pip", "--python", str(CACHE / "bin" / "python"), "install", "--quiet"]
        made = subprocess.run(
            [*install, "--disable-pip-version-check", f"awscli=={VERSION}"], capture_output=True, text=True, check=False
        )
        if made.returncode != 0:
            pytest.skip(f"the AWS command line {VERSION} cannot be installed: {made.stderr.strip()[-200:]}")
        (CACHE / ".complete").touch()
    return str(command)


class Shell:
    """The command line with the environment of one identity."""

    def __init__(self, command: str, environment: dict[str, str]) -> None:
        self._command = command
        self._environment = environment

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self._command, *arguments], env=self._environment, capture_output=True, text=True, check=False
        )

    def kms(self, *arguments: str) -> Any:
        """Run `aws kms …`; what it answers."""
        finished = self.run("kms", *arguments)
        assert finished.returncode == 0, finished.stderr
        return json.loads(finished.stdout) if finished.stdout.strip() else None

    def refused(self, code: str, *arguments: str) -> None:
        finished = self.run("kms", *arguments)
        assert finished.returncode != 0
        assert f"({code})" in finished.stderr, finished.stderr


@pytest.fixture
def shells(aws_command: str, sandbox: Sandbox) -> tuple[Shell, Shell]:
    base = scrubbed_environment(os.environ) | {"AWS_PAGER": ""}
    customer, vendor = (Shell(aws_command, base | sandbox.environment(identity)) for identity in Identity)
    return customer, vendor


def test_a_key_is_made_shared_used_revoked_and_deleted(
    shells: tuple[Shell, Shell], sandbox: Sandbox, tmp_path: Path
) -> None:
    customer, vendor = shells
    identity = json.loads(vendor.run("sts", "get-caller-identity").stdout)
    assert identity["Account"] == sandbox.settings.vendor_account_id
    key = customer.kms("create-key", "--description", "typed", "--multi-region")["KeyMetadata"]["Arn"]
    customer.kms("create-alias", "--alias-name", "alias/command-line", "--target-key-id", key)
    vendor.refused("AccessDeniedException", "encrypt", "--key-id", key, "--plaintext", "ZGF0YQ==")
    grantee = f"arn:aws:iam::{sandbox.settings.vendor_account_id}:root"
    grant = customer.kms(
        *("create-grant", "--key-id", key, "--grantee-principal", grantee, "--operations", "Encrypt", "Decrypt")
    )
    data = tmp_path / "data"
    data.write_bytes(b"data")
    wrapped = vendor.kms("encrypt", "--key-id", key, "--plaintext", f"fileb://{data}")["CiphertextBlob"]
    blob = tmp_path / "wrapped"
    blob.write_bytes(base64.b64decode(wrapped))
    opened = vendor.kms("decrypt", "--ciphertext-blob", f"fileb://{blob}", "--key-id", key)
    assert base64.b64decode(opened["Plaintext"]) == b"data"
    replica = customer.kms("replicate-key", "--key-id", key, "--replica-region", "eu-west-1")["ReplicaKeyMetadata"][
        "Arn"
    ]
    opened = customer.kms("decrypt", "--ciphertext-blob", f"fileb://{blob}", "--region", "eu-west-1")
    assert opened["KeyId"] == replica
    assert customer.kms("get-key-last-usage", "--key-id", key)["KeyLastUsage"]["Operation"] == "Decrypt"
    customer.kms("revoke-grant", "--key-id", key, "--grant-id", grant["GrantId"])
    vendor.refused("AccessDeniedException", "decrypt", "--ciphertext-blob", f"fileb://{blob}", "--key-id", key)
    customer.kms("disable-key", "--key-id", key)
    customer.refused("DisabledException", "decrypt", "--ciphertext-blob", f"fileb://{blob}")
    customer.kms("schedule-key-deletion", "--key-id", replica, "--pending-window-in-days", "7", "--region", "eu-west-1")
    scheduled = customer.kms("schedule-key-deletion", "--key-id", key)
    assert scheduled["KeyState"] == "PendingReplicaDeletion"


def test_material_is_imported_from_a_file(shells: tuple[Shell, Shell], tmp_path: Path) -> None:
    customer, _ = shells
    key = customer.kms("create-key", "--origin", "EXTERNAL")["KeyMetadata"]["KeyId"]
    parameters = customer.kms(
        *("get-parameters-for-import", "--key-id", key),
        *("--wrapping-algorithm", "RSAES_OAEP_SHA_256", "--wrapping-key-spec", "RSA_2048"),
    )
    token, wrapped = tmp_path / "token", tmp_path / "material"
    token.write_bytes(base64.b64decode(parameters["ImportToken"]))
    wrapped.write_bytes(wrap(base64.b64decode(parameters["PublicKey"]), "RSAES_OAEP_SHA_256", os.urandom(32)))
    customer.kms(
        *("import-key-material", "--key-id", key, "--import-token", f"fileb://{token}"),
        *("--encrypted-key-material", f"fileb://{wrapped}", "--expiration-model", "KEY_MATERIAL_DOES_NOT_EXPIRE"),
    )
    assert customer.kms("describe-key", "--key-id", key)["KeyMetadata"]["KeyState"] == "Enabled"
