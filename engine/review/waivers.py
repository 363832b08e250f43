"""Waivers: findings that somebody has answered for, until a day.

- A waiver names one rule and one address, a reason, an owner, and the last day (UTC) on which it counts.
- Its end lies at most as many days ahead as the file itself allows: what is waived comes up again.
- The worst rules cannot be waived. A waiver for such a rule, for one that does not exist, with a day that is none or
  too far ahead is a mistake, and stops the run.
- What was waived is always shown; a waiver that has expired or that met no finding is told.

The file comes from the target branch: a change must not bring its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from engine.errors import InputError
from engine.located_yaml import parse_yaml
from engine.review.report import Settled, Waived
from engine.review.rule_files import POLICIES
from engine.review.values import printable
from engine.schema_check import check_schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from engine.errors import Mistake
    from engine.located_yaml import LocatedDocument
    from engine.review.judge import Finding

SCHEMA = POLICIES / "waivers.schema.json"


@dataclass(frozen=True, slots=True)
class Waiver:
    """One waiver.

    Attributes:
        rule: The rule's id.
        address: The address in the finding.
        reason: Why.
        owner: Who answers for it.
        until: The last day on which it counts, UTC.
    """

    rule: str
    address: str
    reason: str
    owner: str
    until: date


def read_waivers(name: str, data: bytes, waivable: Mapping[str, bool], today: date) -> tuple[Waiver, ...]:
    """Read and check a file of waivers.

    Args:
        name: The file as the user named it.
        data: Its bytes.
        waivable: The rules that there are, and whether each may be waived.
        today: The day, UTC.

    Returns:
        The waivers, expired ones among them.

    Raises:
        InputError: With every mistake, each with line and column.
    """
    document = parse_yaml(name, data)
    mistakes = list(check_schema(document, SCHEMA))
    if not mistakes:
        mistakes = list(_check(document, waivable, today))
    if mistakes:
        raise InputError(f"the waivers {name} have mistakes", mistakes=tuple(mistakes))
    return tuple(_waiver(entry) for entry in document.value["waivers"])


def _waiver(entry: dict[str, Any]) -> Waiver:
    return Waiver(
        rule=entry["rule"],
        address=entry["address"],
        reason=" ".join(entry["reason"].split()),
        owner=entry["owner"],
        until=date.fromisoformat(entry["until"]),
    )


def _check(document: LocatedDocument, waivable: Mapping[str, bool], today: date) -> Iterator[Mistake]:
    latest = today + timedelta(days=document.value["at_most_days"])
    for index, entry in enumerate(document.value["waivers"]):
        rule = entry["rule"]
        if rule not in waivable:
            yield document.mistake(("waivers", index, "rule"), f"there is no rule {rule!r}", "the id of a rule")
        elif not waivable[rule]:
            yield document.mistake(
                ("waivers", index, "rule"), f"the rule {rule!r} cannot be waived", "a rule that is not among the worst"
            )
        try:
            until = date.fromisoformat(entry["until"])
        except ValueError:
            yield document.mistake(("waivers", index, "until"), f"{entry['until']!r} is no day", "a day that exists")
            continue
        if until > latest:
            yield document.mistake(
                ("waivers", index, "until"),
                f"{until} is too far ahead",
                f"{latest} at the latest (at_most_days)",
            )


def apply_waivers(findings: Iterable[Finding], waivers: tuple[Waiver, ...], today: date) -> Settled:
    """Take the waived findings out.

    Args:
        findings: All that were found.
        waivers: As read.
        today: The day, UTC.
    """
    in_force = {(waiver.rule, waiver.address): waiver for waiver in waivers if waiver.until >= today}
    used: set[tuple[str, str]] = set()
    standing: list[Finding] = []
    waived: list[Waived] = []
    for finding in findings:
        place = (finding.policy, finding.address)
        waiver = in_force.get(place) if finding.waivable else None
        if waiver is None:
            standing.append(finding)
            continue
        used.add(place)
        waived.append(Waived(finding, printable(waiver.owner), printable(waiver.reason, 500), waiver.until.isoformat()))
    return Settled(tuple(standing), tuple(waived), tuple(_notes(waivers, used, today)))


def _notes(waivers: tuple[Waiver, ...], used: set[tuple[str, str]], today: date) -> Iterator[str]:
    for waiver in waivers:
        what = f"the waiver of {waiver.rule} for {printable(waiver.address)} by {printable(waiver.owner)}"
        if waiver.until < today:
            yield f"{what} expired on {waiver.until}"
        elif (waiver.rule, waiver.address) not in used:
            yield f"{what} met no finding: take it out"
