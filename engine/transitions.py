"""Carrying out a lifecycle command on a ledger: decided by the pure rules, stored in one step, or refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.lifecycle import Refusal, decide

if TYPE_CHECKING:
    from datetime import datetime

    from engine.ledger.actor import Actor
    from engine.ledger.interface import Head, Ledger
    from engine.lifecycle import Command


def carry_out(ledger: Ledger, command: Command, actor: Actor, at: datetime, head: Head | None = None) -> Head:
    """Carry out one command.

    Args:
        ledger: The tenant's ledger.
        command: What is asked.
        actor: Who asks.
        at: Now, UTC.
        head: The head that the command's facts belong to; one that has changed since is a conflict. None
            where the command brings no facts of its own.

    Returns:
        The head after it.

    Raises:
        RefusedError: A rule said no; nothing was changed.
        ConflictError: Another writer was first; nothing was changed.
    """
    head = head or ledger.head()
    answer = decide(head.state, command, at)
    if isinstance(answer, Refusal):
        raise answer.error()
    return ledger.commit(head, answer, actor, at)
