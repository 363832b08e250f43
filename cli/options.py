"""Options that commands share, and what they are turned into."""

from __future__ import annotations

from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    Decorated = Callable[..., Any]


def as_name(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    """Take a person's name or reason, as the journal keeps it and people read it.

    Raises:
        click.BadParameter: It is empty, or holds what could not be shown, or would show as something else.
    """
    if value is None:
        return None
    text = value.strip()
    if not text or not text.isprintable():
        raise click.BadParameter("it must be printable text, and not empty")
    return text


def declaration_option(function: Decorated) -> Decorated:
    """`--declaration FILE`: the declaration to work with."""
    return click.option(
        "--declaration",
        "declaration_path",
        type=click.Path(path_type=Path),
        default=Path("ekm.yaml"),
        show_default=True,
        envvar="KEYTURN_DECLARATION",
        metavar="FILE",
        help="The declaration of the tenant.",
    )(function)


def json_option(function: Decorated) -> Decorated:
    """`--json`: one JSON document on stdout."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")(function)


def vendor_profile_option(function: Decorated) -> Decorated:
    """`--vendor-profile NAME`: the vendor's credentials, where somebody has them."""
    return click.option(
        "--vendor-profile",
        envvar="KEYTURN_VENDOR_PROFILE",
        metavar="NAME",
        help="AWS profile with the vendor's credentials; its access is then tried, not evaluated alone.",
    )(function)


def local_ledger_option(function: Decorated) -> Decorated:
    """`--local-ledger`: let a SQLite ledger serve in CI."""
    return click.option(
        "--local-ledger", is_flag=True, help="In CI: accept a SQLite ledger, which is lost with the machine."
    )(function)


@dataclass(frozen=True, slots=True)
class MoveOptions:
    """How data keys are moved.

    Attributes:
        requests_per_second: The most requests to AWS KMS for each account, by this process.
        target_profile: The AWS profile that uses the new key, or None where one credential may use both.
    """

    requests_per_second: float
    target_profile: str | None


def move_options(function: Decorated) -> Decorated:
    """`--requests-per-second N` and `--target-profile NAME`, as one argument `move` of `MoveOptions`."""

    @wraps(function)
    def with_options(*, requests_per_second: float, target_profile: str | None, **others: Any) -> Any:
        return function(move=MoveOptions(requests_per_second, target_profile), **others)

    with_target = click.option(
        "--target-profile",
        metavar="NAME",
        help="AWS profile that uses the new key, where one credential may not use both: decrypted, then encrypted.",
    )(with_options)
    return click.option(
        "--requests-per-second",
        type=click.FloatRange(min=0, min_open=True, max=100_000),
        default=500,
        show_default=True,
        metavar="N",
        help="Most requests to AWS KMS for each account, by this command.",
    )(with_target)


def key_arn_option(*, required: bool = True) -> Callable[[Decorated], Decorated]:
    """`--key-arn ARN`: the full ARN of a key."""
    return click.option(
        "--key-arn", metavar="ARN", required=required, help="The key's full ARN, from its details in AWS KMS."
    )


def evidence_key_option(function: Decorated) -> Decorated:
    """`--evidence-key KEY`: the public key that statements are checked with."""
    return click.option(
        "--evidence-key",
        envvar="KEYTURN_EVIDENCE_KEY",
        metavar="KEY",
        help="The public key that it was signed with: a PEM file, or the key itself.",
    )(function)


def signing_key_option(function: Decorated) -> Decorated:
    """`--signing-key KEY`: what statements are signed with."""
    return click.option(
        "--signing-key",
        envvar="KEYTURN_SIGNING_KEY",
        metavar="KEY",
        help="What to sign with: the ARN of an Ed25519 key in AWS KMS, or a key file kept apart from the ledger.",
    )(function)
