"""Changing a running sandbox from outside, through the control plane: its faults, its clock, its key stores."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from engine.errors import InputError, UntrustedError
from engine.sandbox.probe import ask_local, require_sandbox

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

_HOST = "127.0.0.1"
_HINTS = {
    "faults": "`keyturn sandbox fault --help` shows how a fault is written",
    "clock": "`keyturn sandbox clock --help` shows what it takes",
    "key-store": "DescribeCustomKeyStores lists those that are there",
}


@dataclass(frozen=True, slots=True)
class RemoteFault:
    """A fault that stands in a running sandbox: its number, its line, how many calls it struck."""

    number: int
    fault: str
    struck: int


@dataclass(frozen=True, slots=True)
class RemoteFaults:
    """The faults that stand in a running sandbox, and its delays as a line."""

    faults: tuple[RemoteFault, ...]
    delays: str


@dataclass(frozen=True, slots=True)
class RemoteClock:
    """The time of a running sandbox, as ISO 8601 in UTC, and how far it is ahead of the machine's."""

    now: str
    ahead_seconds: float


def change_faults(
    port: int, *, add: Sequence[str] = (), remove: Sequence[int] = (), clear: bool = False
) -> RemoteFaults:
    """Change the faults of a running sandbox, or look at them where nothing is to be changed.

    Args:
        port: Its port on 127.0.0.1.
        add: Lines that `parse_fault` reads.
        remove: Numbers of faults to take away.
        clear: Whether to take all away first.

    Raises:
        InputError: A line is no fault, or no fault has a number; nothing was added then.
        UntrustedError: What answers there is not a Keyturn sandbox.
        MachineError: Nothing answers there.
    """
    changes = {"add": list(add), "remove": list(remove), "clear": clear}
    document = _exchange(port, "faults", changes if add or remove or clear else None)
    try:
        faults = tuple(
            RemoteFault(int(one["number"]), str(one["fault"]), int(one["struck"])) for one in document["faults"]
        )
        return RemoteFaults(faults, str(document["delays"]))
    except (KeyError, TypeError, ValueError) as error:
        raise UntrustedError(f"the sandbox on port {port} answers with no faults", None) from error


def move_clock(port: int, forward: timedelta | None = None) -> RemoteClock:
    """Move the clock of a running sandbox forward, or look at it.

    Args:
        port: Its port on 127.0.0.1.
        forward: How far, or None to look.

    Raises:
        InputError: The clock cannot go there.
        UntrustedError: What answers there is not a Keyturn sandbox.
        MachineError: Nothing answers there.
    """
    document = _exchange(port, "clock", None if forward is None else {"forward_seconds": forward.total_seconds()})
    try:
        return RemoteClock(str(document["now"]), float(document["ahead_seconds"]))
    except (KeyError, TypeError, ValueError) as error:
        raise UntrustedError(f"the sandbox on port {port} answers with no time", None) from error


def set_key_store_reachable(port: int, store_id: str, *, reachable: bool) -> None:
    """Make what is behind a custom key store of a running sandbox answer no more, or again.

    Args:
        port: Its port on 127.0.0.1.
        store_id: The custom key store.
        reachable: Whether it answers.

    Raises:
        InputError: There is no such custom key store.
        UntrustedError: What answers there is not a Keyturn sandbox.
        MachineError: Nothing answers there.
    """
    _exchange(port, "key-store", {"id": store_id, "reachable": reachable})


def _exchange(port: int, path: str, body: dict[str, Any] | None) -> Any:
    hint = f"start one with `keyturn sandbox --port {port}`"
    nonce = require_sandbox(f"http://{_HOST}:{port}").nonce
    method, text = ("GET", None) if body is None else ("POST", json.dumps(body))
    status, document = ask_local(_HOST, port, method, f"/_keyturn/{path}", hint, text, nonce)
    if status == HTTPStatus.OK:
        return document
    message = document.get("error") if isinstance(document, dict) else None
    if status == HTTPStatus.BAD_REQUEST and isinstance(message, str):
        raise InputError(message, _HINTS[path])
    raise UntrustedError(f"the sandbox on port {port} refused: {message or status}", hint)
