"""Leaving nothing behind: `python -m tests.conformance.cleaning` sweeps what every run made.

A key goes by its tag `keyturn:conformance` alone, an alias by its name's prefix alone: nothing else is ever
touched. Keys are scheduled for deletion with the shortest window, 7 days; a replica before its primary.
Grants and aliases go with their key, but aliases are taken away at once. The sweep needs no memory of the run
that it clears, so it also clears one that was killed.
"""

from __future__ import annotations

import secrets
import signal
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from tests.conformance.target import aws_target
from tests.conformance.words import PREFIX, TAG_KEY, Identity, Place
from tests.conformance.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from tests.conformance.world import Target

_SHORTEST_WINDOW = 7  # days
_PAUSES = (2, 5, 10, 20, 30, 60)  # seconds
_GONE = frozenset({"PendingDeletion", "PendingReplicaDeletion"})


@contextmanager
def clean_run(target: Target) -> Iterator[World]:
    """A run of the tables, swept away whatever ends it; a signal that asks to end counts as an interruption."""
    mark = secrets.token_hex(4)
    before = {number: signal.signal(number, _interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield World(target, mark)
    finally:
        try:
            gone = sweep(target, mark)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        print(f"\nconformance run {mark}: {len(gone)} keys and aliases taken away", file=sys.stderr)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def sweep(target: Target, mark: str | None = None) -> list[str]:
    """Schedule the deletion of every key that a run made, and take its aliases away.

    Args:
        target: A sandbox or AWS.
        mark: Of one run; None clears those of all runs.

    Returns:
        What was taken away: ARNs of keys and names of aliases.

    Raises:
        RuntimeError: Something would not go; everything else went, and the message names what is left.
    """
    gone: list[str] = []
    left: list[str] = []
    # Replicas are made abroad; a primary whose replica still stands cannot go at once, but waits for it.
    for place in (Place.ABROAD, Place.HOME):
        for identity in Identity:
            client = target.client(identity, "kms", target.region(place))
            gone += _take_away_aliases(client, mark)
            for arn in _keys(client, mark):
                (gone if _schedule_deletion(client, arn, patient=target.real) else left).append(arn)
    if left:
        raise RuntimeError(f"these keys would not be scheduled for deletion: {', '.join(left)}")
    return gone


def _take_away_aliases(client: Any, mark: str | None) -> Iterator[str]:
    prefix = f"alias/{PREFIX}{mark or ''}"
    for alias in [entry for entry in _all(client, "list_aliases", "Aliases") if entry["AliasName"].startswith(prefix)]:
        client.delete_alias(AliasName=alias["AliasName"])
        yield alias["AliasName"]


def _keys(client: Any, mark: str | None) -> Iterator[str]:
    for key in list(_all(client, "list_keys", "Keys")):
        arn = key["KeyArn"]
        if _is_ours(client, arn, mark) and client.describe_key(KeyId=arn)["KeyMetadata"]["KeyState"] not in _GONE:
            yield arn


def _schedule_deletion(client: Any, arn: str, *, patient: bool) -> bool:
    """Schedule a key's deletion; one that AWS is still creating or updating is asked again for a while."""
    for pause in (0, *(_PAUSES if patient else ())):
        time.sleep(pause)
        try:
            client.schedule_key_deletion(KeyId=arn, PendingWindowInDays=_SHORTEST_WINDOW)
        except ClientError as error:
            print(f"{arn}: {error.response['Error']['Code']}", file=sys.stderr)
        else:
            return True
    return False


def _is_ours(client: Any, arn: str, mark: str | None) -> bool:
    try:
        tags = {tag["TagKey"]: tag["TagValue"] for tag in client.list_resource_tags(KeyId=arn)["Tags"]}
    except ClientError as error:
        if error.response["Error"]["Code"] in {"AccessDeniedException", "NotFoundException"}:
            return False  # someone else's, whose policy leaves us out, or gone since it was listed
        raise
    return TAG_KEY in tags and mark in (None, tags[TAG_KEY])


def _all(client: Any, operation: str, member: str) -> Iterator[Any]:
    for page in client.get_paginator(operation).paginate():
        yield from page[member]


def main() -> int:
    """Sweep AWS as the variables name it."""
    target = aws_target()
    if target is None:
        print("set the variables of docs/conformance.md: nothing names an account to sweep", file=sys.stderr)
        return 2
    for name in sweep(target):
        print(f"taken away: {name}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
