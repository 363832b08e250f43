"""What a key's policy would say, as far as the plan lets it be known.

A policy is read twice: in the reading that gives *least* and in the one that gives *most*. Where the plan knows
the policy, both are its text. Where it is known only after apply:

- An `aws_iam_policy_document` that is read at apply still shows its known statements. One with an unknown part
  is left out of the least reading if it allows, and widened to everything if it denies; in the most reading it is
  the other way round. An unknown principal that the configuration shows to be a role or user of its own is the
  owner's.
- A key for which the configuration sets no policy gets the default policy, which names its own account alone.
- Otherwise nothing is known: least gives nothing, most everything.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from engine.review.references import module_steps, parse_steps
from engine.review.unknown_principals import UnknownPrincipals
from engine.review.values import UNKNOWN, has_true

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from engine.review.configuration import Configuration
    from engine.review.plan import ResourceChange
    from engine.review.values import Attributes

_OTHER_DOCUMENTS = ("source_json", "override_json", "source_policy_documents", "override_policy_documents")
_DOCUMENT = "data.aws_iam_policy_document."
# The document, or its text: who takes its statements or its id makes another policy of them.
_TEXT_OF_A_DOCUMENT = re.compile(r"data\.aws_iam_policy_document\.[^.\[]+(?:\[[^\]]*\])?(?:\.json|\.minified_json)?")
_OWN_KEY = {"each.key", "count.index"}
_BLOCKS = ("principals", "not_principals", "condition")
_ANYONE = {"AWS": "*"}


@dataclass(frozen=True, slots=True)
class PolicyReading:
    """A policy in its two readings, as JSON text; None where nothing at all is known."""

    least: str | None
    most: str | None

    @property
    def certain(self) -> bool:
        """Whether the policy is known."""
        return self.least is not None and self.least == self.most

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts of the two readings that there are, each once."""
        if self.least == self.most:
            return () if self.least is None else (self.least,)
        return tuple(text for text in (self.least, self.most) if text is not None)


NOTHING_KNOWN = PolicyReading(None, None)


def known(text: str) -> PolicyReading:
    """The reading of a policy that is known."""
    return PolicyReading(text, text)


@cache
def default_policy(partition: str, account_id: str) -> PolicyReading:
    """The policy that KMS gives a key for which none is set (AWS KMS Developer Guide, "Default key policy")."""
    statement = {
        "Sid": "Enable IAM User Permissions",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:{partition}:iam::{account_id}:root"},
        "Action": "kms:*",
        "Resource": "*",
    }
    return known(json.dumps({"Version": "2012-10-17", "Id": "key-default-1", "Statement": [statement]}))


class PolicyDocuments:
    """The data sources `aws_iam_policy_document` that are read at apply.

    Args:
        documents: Their entries in `resource_changes`.
        configuration: What tells which of them a policy comes from.
    """

    def __init__(self, documents: Iterable[ResourceChange], configuration: Configuration) -> None:
        self._by_place = {(document.module_address, document.name, document.index): document for document in documents}
        self._configuration = configuration
        self._principals = UnknownPrincipals(configuration)

    def reading(self, module_address: str, kind: str, name: str, index: str | int | None, owner: str) -> PolicyReading:
        """Read the policy of a resource whose `policy` is known only after apply.

        Args:
            module_address: The resource's module instance.
            kind: Its type.
            name: Its name.
            index: Its own index.
            owner: The ARN prefix of the owner's IAM, such as `arn:aws:iam::123456789012:`.
        """
        found = self._document(module_address, kind, name, index)
        if found is None or found.after is None:
            return NOTHING_KNOWN
        return read_document(found.after, self._principals.own(found, owner, (module_address, kind, name)))

    def opens_to_others(
        self,
        module_address: str,
        kind: str,
        name: str,
        index: str | int | None,
        actions: tuple[str, ...],
        account_id: str,
    ) -> bool:
        """Whether a policy that is known only after apply plainly gives one of the actions to others than the owner.

        It is so where an Allow of its document names a role or user that other credentials make, or where the policy
        refers to one itself.

        Args, but the last two: as `reading`.
            actions: IAM actions, such as `kms:Decrypt`.
            account_id: The owner's account.
        """
        place = (module_address, kind, name)
        direct = self._configuration.resolve(*place, index, "policy")
        if self._configuration.made_by_another(place, direct, account_id):
            return True
        found = self._document(module_address, kind, name, index)
        return found is not None and self._principals.others_may(found, place, actions, account_id)

    def _document(self, module_address: str, kind: str, name: str, index: str | int | None) -> ResourceChange | None:
        """The one document that the policy of a resource is; None where it is anything else, or more."""
        expression = self._configuration.expression(module_address, kind, name, "policy")
        references = expression.get("references") if expression is not None else None
        if not isinstance(references, list):
            return None
        texts = [str(reference) for reference in references]
        names = {text.split(".")[2].split("[")[0] for text in texts if text.startswith(_DOCUMENT)}
        others = [text for text in texts if not text.startswith((_DOCUMENT, "each.", "count."))]
        whole = all(_TEXT_OF_A_DOCUMENT.fullmatch(text) for text in texts if text.startswith(_DOCUMENT))
        if (
            len(names) != 1
            or not whole
            or not all(self._configuration.is_constant(module_address, text) for text in others)
        ):
            return None
        document_name = next(iter(names))
        named = {parse_steps(text)[2].index for text in texts if text.startswith(_DOCUMENT)} - {None}
        if named:  # an instance that the policy names itself
            return self._by_place.get((module_address, document_name, named.pop())) if len(named) == 1 else None
        # Beside the key of its own instance, a value may be what picks another one: which of the two, nobody can tell.
        spoken = {text for text in texts if not text.startswith(_DOCUMENT)}
        own = index if spoken and spoken <= _OWN_KEY else None
        return self._by_place.get((module_address, document_name, own)) or self._only(module_address, document_name)

    def _only(self, module_address: str, name: str) -> ResourceChange | None:
        """The document without instances, where a resource with instances shares it."""
        found = [
            document
            for (module, document_name, index), document in self._by_place.items()
            if document_name == name and index is None and module_steps(module) == module_steps(module_address)
        ]
        return found[0] if len(found) == 1 else None


def read_document(document: Attributes, own_principals: Mapping[tuple[int, int], str] | None = None) -> PolicyReading:
    """Read the attributes of a policy document of which parts are known only after apply.

    Args:
        document: Its attributes.
        own_principals: A stand-in for the unknown principals of a statement's block, by their numbers.
    """
    for name in _OTHER_DOCUMENTS:
        if document.raw(name) not in (None, "", []):
            return NOTHING_KNOWN
    statements = document.values.get("statement")
    markers = document.unknown_marker("statement")
    if not isinstance(statements, list) or not all(_well_formed(entry) for entry in statements):
        return NOTHING_KNOWN
    if not isinstance(markers, list):
        markers = [markers] * len(statements)
    if len(markers) != len(statements) or any(marker is True for marker in markers):
        return NOTHING_KNOWN
    least: list[dict[str, Any]] = []
    most: list[dict[str, Any]] = []
    for number, (entry, marker) in enumerate(zip(statements, markers, strict=True)):
        known_marker = marker if isinstance(marker, dict) else {}
        taken = _with_own_principals(entry, known_marker, number, own_principals or {})
        _take(*taken, least, most)
    return PolicyReading(_text(least), _text(most))


def _with_own_principals(
    entry: dict[str, Any], marker: dict[str, Any], number: int, own: Mapping[tuple[int, int], str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """A statement whose unknown principals are replaced by their stand-ins, where all of them have one."""
    blocks, marks = entry.get("principals"), marker.get("principals")
    if not isinstance(blocks, list) or not isinstance(marks, list) or len(marks) != len(blocks):
        return entry, marker
    replaced: list[dict[str, Any]] = []
    for position, (block, mark) in enumerate(zip(blocks, marks, strict=True)):
        if not has_true(mark):
            replaced.append(block)
        elif (number, position) in own and block.get("type") == "AWS":
            replaced.append({"type": "AWS", "identifiers": [own[number, position]]})
        else:
            return entry, marker
    return {**entry, "principals": replaced}, {**marker, "principals": []}


def _well_formed(entry: Any) -> bool:
    return isinstance(entry, dict) and all(
        entry.get(name) is None or (isinstance(entry[name], list) and all(isinstance(b, dict) for b in entry[name]))
        for name in _BLOCKS
    )


def _take(
    entry: dict[str, Any], marker: dict[str, Any], least: list[dict[str, Any]], most: list[dict[str, Any]]
) -> None:
    uncertain = {name for name, value in marker.items() if value is not False and has_true(value)} - {"sid"}
    effect = UNKNOWN if "effect" in uncertain else entry.get("effect") or "Allow"
    if not uncertain:
        statement = _statement(entry, str(effect), uncertain)
        least.append(statement)
        most.append(statement)
        return
    if effect in (UNKNOWN, "Deny"):
        least.append(_statement(entry, "Deny", uncertain))
    if effect in (UNKNOWN, "Allow"):
        most.append(_statement(entry, "Allow", uncertain))


def _statement(entry: dict[str, Any], effect: str, uncertain: set[str]) -> dict[str, Any]:
    """A statement block as a policy's statement; its uncertain parts widened to everything."""
    statement: dict[str, Any] = {"Effect": effect}
    if isinstance(entry.get("sid"), str) and entry["sid"]:
        statement["Sid"] = entry["sid"]
    if uncertain & {"principals", "not_principals"}:
        statement["Principal"] = _ANYONE
    elif entry.get("not_principals"):
        statement["NotPrincipal"] = _principals(entry["not_principals"])
    else:
        statement["Principal"] = _principals(entry.get("principals") or [])
    if uncertain & {"actions", "not_actions"}:
        statement["Action"] = "kms:*"
    elif entry.get("not_actions"):
        statement["NotAction"] = entry["not_actions"]
    else:
        statement["Action"] = entry.get("actions") or []
    if uncertain & {"resources", "not_resources"}:
        statement["Resource"] = "*"
    elif entry.get("not_resources"):
        statement["NotResource"] = entry["not_resources"]
    else:
        statement["Resource"] = entry.get("resources") or "*"
    if entry.get("condition") and "condition" not in uncertain:
        statement["Condition"] = _conditions(entry["condition"])
    return statement


def _principals(blocks: Any) -> Any:
    principals: dict[str, list[Any]] = {}
    for block in blocks:
        kind, identifiers = block.get("type"), block.get("identifiers") or []
        if kind == "*" and "*" in identifiers:
            return "*"
        principals.setdefault(str(kind), []).extend(identifiers)
    return principals


def _conditions(blocks: Any) -> dict[str, dict[str, list[Any]]]:
    conditions: dict[str, dict[str, list[Any]]] = {}
    for block in blocks:
        by_variable = conditions.setdefault(str(block.get("test")), {})
        by_variable.setdefault(str(block.get("variable")), []).extend(block.get("values") or [])
    return conditions


def _text(statements: list[dict[str, Any]]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})
