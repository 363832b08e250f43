"""The environment of a sandbox: what a shell, Terraform or boto3 needs to work in one of the two accounts.

The variables name one account's credentials. Beside them stands a pair of files, in a folder of the
sandbox's own that goes when it stops, with the profiles `customer` and `vendor`, so that one command can
use both accounts (`--vendor-profile vendor`).

`scrubbed_environment` is the other half: it takes away every variable through which boto3, Terraform or the
AWS command line could reach a real account.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING

from engine.errors import MachineError
from engine.sandbox.settings import Identity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.sandbox.credentials import Credentials

SERVICE_KEY_VARIABLE = "KEYTURN_SERVICE_KEY"
SANDBOX_VARIABLE = "KEYTURN_SANDBOX"
_AWS_PREFIX = "AWS_"


def scrubbed_environment(base: Mapping[str, str]) -> dict[str, str]:
    """A copy of an environment without any `AWS_` variable."""
    return {name: value for name, value in base.items() if not name.upper().startswith(_AWS_PREFIX)}


class ProfileFiles:
    """The credentials and config files of a sandbox, readable by this user alone.

    Args:
        endpoint_url: Where the sandbox answers.
        region: The Region of the profiles.
        credentials: The credentials of each account.

    Raises:
        MachineError: The files cannot be written.
    """

    def __init__(self, endpoint_url: str, region: str, credentials: Mapping[Identity, Credentials]) -> None:
        try:
            self.folder = Path(tempfile.mkdtemp(prefix="keyturn-sandbox-"))
        except OSError as error:
            raise MachineError(f"cannot make a folder for the sandbox's profiles: {error.strerror or error}") from error
        self.credentials = self.folder / "credentials"
        self.config = self.folder / "config"
        shared = (f"region = {region}", f"endpoint_url = {endpoint_url}", "s3 =", "    addressing_style = path")
        try:
            _write(self.credentials, {identity.value: _keys(credentials[identity]) for identity in Identity})
            profiles = {f"profile {identity.value}": shared for identity in Identity}
            _write(self.config, {"default": shared, **profiles})
        except OSError as error:
            self.remove()
            raise MachineError(f"cannot write the sandbox's profiles: {error.strerror or error}") from error

    def remove(self) -> None:
        """Take the files away; a second time does nothing."""
        rmtree(self.folder, ignore_errors=True)


def build_environment(
    *, endpoint_url: str, region: str, credentials: Credentials, files: ProfileFiles, service_key_arn: str, nonce: str
) -> dict[str, str]:
    """The variables for one account.

    Args:
        endpoint_url: Where the sandbox answers.
        region: The Region.
        credentials: The account's credentials.
        files: The files with both profiles.
        service_key_arn: The key that stands for the service's own.
        nonce: What this sandbox answers with.
    """
    return {
        "AWS_ACCESS_KEY_ID": credentials.access_key_id,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_access_key,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(files.config),
        "AWS_SHARED_CREDENTIALS_FILE": str(files.credentials),
        SERVICE_KEY_VARIABLE: service_key_arn,
        SANDBOX_VARIABLE: nonce,
    }


def _keys(credentials: Credentials) -> tuple[str, ...]:
    return (
        f"aws_access_key_id = {credentials.access_key_id}",
        f"aws_secret_access_key = {credentials.secret_access_key}",
    )


def _write(path: Path, sections: Mapping[str, tuple[str, ...]]) -> None:
    text = "".join(f"[{name}]\n" + "".join(f"{line}\n" for line in lines) + "\n" for name, lines in sections.items())
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
