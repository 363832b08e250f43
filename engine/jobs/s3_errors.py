"""The one place where what `obstore` raises becomes our errors."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError

from engine.errors import AwsError
from engine.jobs.objects import MissingObjectError
from engine.printing import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

_LONGEST = 240


@contextmanager
def translated(called: str) -> Iterator[None]:
    """Turn every error of S3 on this object into ours.

    Raises:
        MissingObjectError: It is not there.
        AwsError: S3 refuses, or cannot be reached.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise MissingObjectError(f"the vault's object {called!r} is missing") from error
    except (PermissionDeniedError, UnauthenticatedError) as error:
        raise AwsError(
            f"S3 refuses the vault's object {called!r}",
            "check the credentials in use and their IAM policy (engine/jobs/s3_objects.py names the permissions)",
        ) from error
    except (BaseError, OSError) as error:
        raise AwsError(
            f"S3 cannot be used for the vault's object {called!r}: {_said(error)}",
            "nothing that was stored before is lost; run the job again when S3 can be reached",
        ) from error


@contextmanager
def missing_bucket(location: str) -> Iterator[None]:
    """Where an object is written, nothing else but the bucket can be missing.

    Raises:
        AwsError: It is.
    """
    try:
        yield
    except MissingObjectError as error:
        raise AwsError(f"the bucket of the vault {location!r} is gone") from error


def _said(error: Exception) -> str:
    """What an error says, in one line; obstore adds a dump of its own behind it."""
    lines = str(error).splitlines()
    return printable(lines[0] if lines else type(error).__name__)[:_LONGEST]
