"""Rules of the customer's own, without Python: a JSON Schema of what is not allowed, over a resource's change.

- The schema (2020-12) sees one document a resource: `address`, `actions`, `before` and `after` (null where there is
  nothing). A resource that it accepts is a failure.
- Where the schema speaks of an attribute that is known only after apply, the answer is unknown; so it is where the
  schema speaks of attributes without their names, and any is known only after apply.
- Each rule brings examples that fail and that pass; they are held against it when it is loaded. A broken rule, or one
  whose examples come out otherwise, stops the run with line and column.
- An id of Keyturn's own rules cannot be taken.
- A schema refers to nothing outside of its file: what stands elsewhere may change without anybody's review.

The folder comes from the target branch: a change must not bring its own. Nothing of a resource's values is shown.
"""

from __future__ import annotations

import string
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jsonschema_rs

from engine.errors import InputError
from engine.located_yaml import parse_yaml, read_file
from engine.review.judge import Finding
from engine.review.plan_json import HOW_TO_SHOW
from engine.review.rule_files import POLICIES
from engine.review.rules import Outcome, Severity
from engine.review.spoken_attributes import attributes_of
from engine.review.values import has_true, printable
from engine.schema_check import check_schema

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

    from engine.errors import Mistake
    from engine.located_yaml import LocatedDocument
    from engine.review.plan import Plan

SCHEMA = POLICIES / "custom_rule.schema.json"


@dataclass(frozen=True, slots=True)
class CustomRule:
    """A customer's rule.

    Attributes:
        identifier: Its name, that of its file.
        title: What it is about.
        severity: How bad a failure is.
        unknown_blocks: Whether it blocks where it cannot be told.
        waivable: Whether a waiver may stand against it.
        why: Why it matters.
        remediation: What to do instead.
        source: Where that is written.
        requirements: The EKM ids that it guards.
        types: The resource types that it is about.
        forbidden: The compiled schema of what is not allowed.
        attributes: The attributes that the schema speaks of; None where it does not name them.
        message: What to say, with `{address}`.
    """

    identifier: str
    title: str
    severity: Severity
    unknown_blocks: bool
    waivable: bool
    why: str
    remediation: str
    source: str
    requirements: tuple[str, ...]
    types: frozenset[str]
    forbidden: jsonschema_rs.Draft202012Validator
    attributes: frozenset[str] | None
    message: str

    def outcome(self, document: dict[str, Any], unknown: Any) -> Outcome | None:
        """What the rule says of a resource's change; None where it has nothing to say.

        Args:
            document: `address`, `actions`, `before` and `after`.
            unknown: `after_unknown`: a bool, or a tree of them.
        """
        if self._in_doubt(unknown):
            return Outcome.UNKNOWN
        return Outcome.FAIL if self.forbidden.is_valid(document) else None

    def _in_doubt(self, unknown: Any) -> bool:
        if isinstance(unknown, dict) and self.attributes is not None:
            return any(has_true(unknown.get(attribute)) for attribute in self.attributes)
        return self.attributes != frozenset() and has_true(unknown)


def read_custom_rules(folder: Path, taken: Collection[str]) -> tuple[CustomRule, ...]:
    """Read every rule file of a folder.

    Args:
        folder: The folder; files that do not end in .yaml or .yml are left alone.
        taken: The ids of Keyturn's own rules.

    Raises:
        InputError: The folder is missing or holds no rule, or a rule has mistakes; with line and column.
    """
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix in {".yaml", ".yml"})
    except OSError as error:
        raise InputError(f"the folder of rules {str(folder)!r} cannot be read: {error.strerror}") from error
    if not paths:
        raise InputError(f"the folder of rules {str(folder)!r} holds no rule", "leave --policies out to use none")
    rules = tuple(_read(path, taken) for path in paths)
    seen: set[str] = set()
    for rule, path in zip(rules, paths, strict=True):
        if rule.identifier in seen:
            raise InputError(f"the rule {rule.identifier!r} stands twice in {str(folder)!r}, again in {path.name}")
        seen.add(rule.identifier)
    return rules


def _read(path: Path, taken: Collection[str]) -> CustomRule:
    document = parse_yaml(str(path), read_file(path, what="the rule file"))
    mistakes = list(check_schema(document, SCHEMA))
    rule: CustomRule | None = None
    if not mistakes:
        value = document.value
        if value["id"] != path.stem:
            mistakes.append(document.mistake(("id",), f"id is {value['id']!r}", f"{path.stem!r}, the file's name"))
        if value["id"] in taken:
            mistakes.append(document.mistake(("id",), f"{value['id']!r} is a rule of Keyturn's own", "another name"))
        try:
            rule = _rule(value)
        except ValueError as error:
            message = printable(str(error).splitlines()[0])
            mistakes.append(document.mistake(("when",), f"not a JSON Schema: {message}", "a schema of 2020-12"))
        mistakes.extend(_check_message(document))
    if rule is not None:
        mistakes.extend(_check_examples(document, rule))
    if mistakes or rule is None:
        raise InputError(f"the rule file {path} has mistakes", mistakes=tuple(mistakes))
    return rule


def _retrieve_nothing(address: str) -> Any:
    raise ValueError(f"{printable(address)} is outside of the file")


def _check_message(document: LocatedDocument) -> Iterator[Mistake]:
    try:
        parts = [part[1:] for part in string.Formatter().parse(document.value["message"]) if part[1] is not None]
    except ValueError as error:
        yield document.mistake(("message",), f"the message's braces do not match: {error}", "{address} alone")
        return
    for name, form, conversion in parts:
        if (name, form, conversion) != ("address", "", None):
            yield document.mistake(("message",), f"the message has no word {name!r} of this form", "{address} alone")


def _rule(value: dict[str, Any]) -> CustomRule:
    return CustomRule(
        identifier=value["id"],
        title=value["title"],
        severity=Severity(value["severity"]),
        unknown_blocks=value["on_unknown"] == "block",
        waivable=value["waivable"],
        why=" ".join(value["why"].split()),
        remediation=" ".join(value["remediation"].split()),
        source=value["source"],
        requirements=tuple(value.get("requirements", ())),
        types=frozenset(value["resources"]),
        forbidden=jsonschema_rs.Draft202012Validator(value["when"], retriever=_retrieve_nothing),
        attributes=attributes_of(value["when"]),
        message=" ".join(value["message"].split()),
    )


def _check_examples(document: LocatedDocument, rule: CustomRule) -> Iterator[Mistake]:
    outcomes: set[str] = set()
    for index, example in enumerate(document.value["examples"]):
        change = {
            "address": f"{min(rule.types)}.example",
            "actions": example["actions"],
            "before": example.get("before"),
            "after": example.get("after"),
        }
        outcome = rule.outcome(change, dict.fromkeys(example.get("unknown", ()), True))
        found = "pass" if outcome is None else outcome.value
        outcomes.add(example["outcome"])
        if found != example["outcome"]:
            yield document.mistake(
                ("examples", index, "outcome"),
                f"the example {example['name']!r} comes out as {found}",
                f"{example['outcome']}, as it says",
            )
    if not {"fail", "pass"} <= outcomes:
        yield document.mistake(("examples",), "the examples do not show both", "one that fails and one that passes")


def judge_by_custom_rules(plan: Plan, rules: Sequence[CustomRule]) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """Hold every resource of a plan against the customer's rules.

    Args:
        plan: The plan; resources of every type are looked at.
        rules: As read.

    Returns:
        What was found, and the rules whose types the plan does not have.

    Raises:
        InputError: A resource's change cannot be read.
    """
    findings: list[Finding] = []
    exercised: set[str] = set()
    for position, entry in enumerate(plan.all_changes):
        for rule in rules:
            if entry.get("type") not in rule.types or entry.get("mode") == "data":
                continue
            exercised.add(rule.identifier)
            change = entry.get("change")
            address = entry.get("address")
            if not isinstance(change, dict) or not isinstance(address, str):
                raise InputError(f"{plan.name}: resource_changes[{position}] is not a resource's change", HOW_TO_SHOW)
            document = {
                "address": address,
                "actions": change.get("actions"),
                "before": change.get("before"),
                "after": change.get("after"),
            }
            outcome = rule.outcome(document, change.get("after_unknown"))
            if outcome is not None:
                findings.append(_finding(rule, address, outcome))
    return tuple(findings), tuple(rule.identifier for rule in rules if rule.identifier not in exercised)


def _finding(rule: CustomRule, address: str, outcome: Outcome) -> Finding:
    shown = printable(address, 1000)
    message = rule.message.format(address=shown)
    failed = outcome is Outcome.FAIL
    return Finding(
        policy=rule.identifier,
        title=rule.title,
        severity=rule.severity,
        outcome=outcome,
        blocks=rule.severity.blocks if failed else rule.unknown_blocks,
        waivable=rule.waivable,
        address=shown,
        message=message if failed else f"not known before the apply: {message}",
        why=rule.why,
        remediation=rule.remediation,
        source=rule.source,
        requirements=rule.requirements,
    )
