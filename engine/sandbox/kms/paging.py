"""Long lists in pages: `Limit`, `Marker`, `Truncated` and `NextMarker`.

A marker is opaque to the client. It names the last entry that was shown, so a list that changes between two
pages neither repeats nor skips what stayed in it.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, TypeVar

from engine.sandbox.kms.errors import KmsError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.sandbox.kms.call import Call, Reply

_Entry = TypeVar("_Entry")


def page(
    call: Call,
    entries: Sequence[_Entry],
    *,
    member: str,
    identity: Callable[[_Entry], str],
    show: Callable[[_Entry], object],
    size: int = 100,
) -> Reply:
    """Answer one page of a list.

    Args:
        call: The call, with its `Limit` and `Marker`.
        entries: The whole list.
        member: The answer's member that holds the entries.
        identity: What tells one entry from another; the list is put in this order.
        show: An entry as the answer holds it.
        size: The entries of a page where the call sets no limit.

    Raises:
        KmsError: `InvalidMarkerException` for a marker that is none.
    """
    ordered = sorted(entries, key=identity)
    if (marker := call.parameters.optional_text("Marker")) is not None:
        after = _read(marker)
        ordered = [entry for entry in ordered if identity(entry) > after]
    shown = ordered[: call.parameters.integer("Limit") or size]
    reply: Reply = {member: [show(entry) for entry in shown], "Truncated": len(shown) < len(ordered)}
    if reply["Truncated"]:
        reply["NextMarker"] = base64.urlsafe_b64encode(identity(shown[-1]).encode()).decode()
    return reply


def _read(marker: str) -> str:
    try:
        return base64.b64decode(marker, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise KmsError("InvalidMarkerException", "Could not deserialize marker") from error
