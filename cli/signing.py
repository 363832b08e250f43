"""Signing statements: with which key, and with what they are made (AWS or a sandbox)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.durable import write_whole
from engine.errors import InputError, MachineError

if TYPE_CHECKING:
    from cli.workspace import Workspace
    from engine.evidence import Origin, Signer

_SQLITE = "sqlite:///"


def open_signer(workspace: Workspace, signing_key: str | None) -> Signer:
    """The key to sign with.

    Args:
        workspace: The tenant's declaration, which says where the ledger is.
        signing_key: The ARN of a key in AWS KMS, or a key file.

    Raises:
        UsageError: None is given.
        InputError: It is no Ed25519 key.
        MachineError: The file lies beside the ledger, or others can read it.
        KeyAccessError: AWS KMS said no.
    """
    from engine.arn import parse_key_arn
    from engine.evidence import FileSigner, KmsSigner
    from engine.kms import connect

    if signing_key is None:
        raise click.UsageError("--signing-key is missing: `keyturn evidence new-key FILE` makes a key file")
    if signing_key.startswith("arn:"):
        return KmsSigner(connect(parse_key_arn(signing_key).region), signing_key)
    declared = workspace.declaration.ledger
    ledger = (workspace.folder / declared.removeprefix(_SQLITE)).parent if declared.startswith(_SQLITE) else None
    return FileSigner.read(Path(signing_key), ledger)


def origin_in_use(region: str) -> Origin:
    """With what this environment works: AWS itself, or something whose word proves nothing about AWS."""
    from engine.evidence import Origin
    from engine.kms import connect
    from engine.kms.endpoints import is_aws_endpoint

    return Origin.AWS if is_aws_endpoint(connect(region).endpoint_url) else Origin.SANDBOX


def write_statement(path: Path, data: bytes, what: str) -> None:
    """Write a signed statement; an earlier one is replaced in one step, and nothing else ever is.

    Raises:
        InputError: The file is there and is no signed statement: a ledger, say, or the signing key.
        MachineError: It cannot be written.
    """
    _require_statement_or_nothing(path, what)
    write_whole(path, data, what)


def _require_statement_or_nothing(path: Path, what: str) -> None:
    from engine.evidence.reading import MAX_BYTES

    if not path.exists():
        return
    earlier = None
    try:
        if path.is_file():
            with path.open("rb") as stream:
                earlier = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise MachineError(f"{what} {str(path)!r} cannot be written: {error.strerror}") from error
    if earlier is None or (earlier and not _is_statement(earlier)):
        raise InputError(
            f"{str(path)!r} is there already and is no signed statement: {what} does not replace it",
            "choose another name",
        )


def _is_statement(data: bytes) -> bool:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return False
    return isinstance(document, dict) and {"statement", "signature"} <= document.keys()
