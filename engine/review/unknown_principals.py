"""Whose the principals of a policy document are that are known only after apply, as the configuration tells.

Who they are is not known before the apply. Whose they are is: a role or user that the key's owner makes is the owner's,
never the vendor's. One that other credentials make may be of another account, and is no ordinary part of a deployment.
Of all others nothing is told.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from engine.review.values import has_true

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.review.configuration import Configuration, Place
    from engine.review.plan import ResourceChange
    from engine.review.references import Resolution
    from engine.review.values import Attributes


class UnknownPrincipals:
    """Tells whose they are.

    Args:
        configuration: The plan's configuration.
    """

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration

    def own(self, document: ResourceChange, owner: str, place: Place) -> dict[tuple[int, int], str]:
        """A stand-in for the principals that the owner of a resource makes, by statement and block.

        Args:
            document: The policy document.
            owner: The ARN prefix of the owner's IAM, such as `arn:aws:iam::123456789012:`.
            place: The resource that the document is for: its module address, type and name.
        """
        account_id = owner.split(":")[4]
        return {
            block: f"{owner}role/known-after-apply"
            for block, made in self._blocks(document)
            if self._configuration.made_by_the_same(place, made, account_id)
        }

    def others_may(self, document: ResourceChange, place: Place, actions: tuple[str, ...], account_id: str) -> bool:
        """Whether a statement may allow one of the actions to principals that other credentials than the owner's make.

        Args:
            document: The policy document.
            place: The resource that it is for.
            actions: IAM actions, such as `kms:Decrypt`.
            account_id: The owner's account.
        """
        after = document.after
        return after is not None and any(
            self._configuration.made_by_another(place, made, account_id)
            and _is_unknown(after, *block)
            and _may_allow(after, block[0], actions)
            for block, made in self._blocks(document)
        )

    def _blocks(self, document: ResourceChange) -> Iterator[tuple[tuple[int, int], Resolution]]:
        """What the principals of each block come from, by the numbers of its statement and of the block."""
        expressions = self._configuration.block(document.module_address, document.type, document.name, "statement")
        statements = None if document.after is None else document.after.values.get("statement")
        if not isinstance(statements, list) or len(statements) != len(expressions):
            return  # dynamic blocks are not told one by one: which is which would be a guess
        for number, statement in enumerate(expressions):
            blocks = statement.get("principals")
            for position, block in enumerate(blocks if isinstance(blocks, list) else ()):
                identifiers = block.get("identifiers") if isinstance(block, dict) else None
                references = identifiers.get("references") if isinstance(identifiers, dict) else None
                if isinstance(references, list):
                    yield (number, position), self._configuration.principals(document.module_address, references)


def _is_unknown(document: Attributes, number: int, position: int) -> bool:
    """Whether the principals of a block are known only after apply."""
    blocks = _marker(document, number, "principals")
    return has_true(blocks[position] if isinstance(blocks, list) and position < len(blocks) else blocks)


def _may_allow(document: Attributes, number: int, actions: tuple[str, ...]) -> bool:
    """Whether a statement may allow one of the actions."""
    statement = document.values["statement"][number]
    if not isinstance(statement, dict):
        return True
    if statement.get("effect") == "Deny" and not has_true(_marker(document, number, "effect")):
        return False
    patterns = statement.get("actions")
    if not isinstance(patterns, list) or not patterns or has_true(_marker(document, number, "actions")):
        return True  # all but some, or nobody knows which
    return any(_matches(pattern, action) for pattern in patterns for action in actions)


def _marker(document: Attributes, number: int, name: str) -> Any:
    """What is told of a statement's part: a tree of bools, true where it is known only after apply."""
    marker = document.unknown_marker("statement")
    statement = marker[number] if isinstance(marker, list) and number < len(marker) else marker
    return statement.get(name) if isinstance(statement, dict) else statement


def _matches(pattern: Any, action: str) -> bool:
    """Whether a pattern of the policy language names an action, whatever the case of its letters."""
    expression = re.escape(str(pattern)).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(expression, action, re.IGNORECASE) is not None
