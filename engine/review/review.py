"""The review of one plan, from its bytes to the report. Pure: files and clocks come in from the edge."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from engine.collection import without_collection
from engine.errors import UntrustedError
from engine.review.declared import Declared
from engine.review.events import Event, EventKind
from engine.review.impact import impact_of
from engine.review.judge import Finding, judge
from engine.review.plan_reader import read_plan
from engine.review.report import Report, ReviewVerdict, Settled
from engine.review.rules import load_rules, require_rules
from engine.review.values import printable

if TYPE_CHECKING:
    from engine.declaration import Declaration
    from engine.review.custom_rules import CustomRule
    from engine.review.events import Told
    from engine.review.plan import Plan
    from engine.review.proof import RotationProof
    from engine.review.report import KeyReport
    from engine.review.rules import Rule
    from engine.review.waivers import Waiver

COMPILED_RULES = Path(__file__).parents[2] / "policies" / "compiled.json"


@dataclass(frozen=True, slots=True)
class RuleSet:
    """What a plan is judged by.

    Attributes:
        builtin: Keyturn's own rules; an empty set is an error.
        custom: The customer's own, beside them.
        waivers: Findings that somebody has answered for.
    """

    builtin: tuple[Rule, ...]
    custom: tuple[CustomRule, ...] = ()
    waivers: tuple[Waiver, ...] = ()

    @property
    def waivable(self) -> dict[str, bool]:
        """Every rule, and whether it may be waived."""
        own = {rule.identifier: rule.waivable for rule in self.builtin}
        return own | {rule.identifier: rule.waivable for rule in self.custom}


def builtin_rules() -> tuple[Rule, ...]:
    """Keyturn's own rules, as `policies/` holds them.

    Raises:
        InputError: They are missing or unreadable.
    """
    return load_rules(COMPILED_RULES)


def review_plan(
    name: str,
    data: bytes,
    declaration: Declaration,
    *,
    base: Declaration | None = None,
    proof: RotationProof | None = None,
    rules: RuleSet | None = None,
    now: datetime | None = None,
) -> Report:
    """Review a plan.

    Args:
        name: The plan's file as the user named it.
        data: What `terraform show -json` printed.
        declaration: The declaration of the change.
        base: The target branch's declaration; None where it was not given, which the report then says.
        proof: What is proved of the tenant's rotation; None where nothing is.
        rules: What to judge by; None for Keyturn's own rules and no waivers.
        now: For waivers, and for what expires where the plan does not say when it was made; None for the clock's.

    Returns:
        The report.

    Raises:
        InputError: The plan cannot be read with certainty, or there is no rule.
        UntrustedError: The proof is another tenant's.
    """
    declared = Declared(declaration, base, proof)
    if proof is not None and proof.tenant != declared.trusted.tenant:
        raise UntrustedError(f"the evidence is about the tenant {proof.tenant!r}, not {declared.trusted.tenant!r}")
    judged_by = rules or RuleSet(builtin_rules())
    with without_collection():
        return _review(read_plan(name, data), declared, judged_by, now or datetime.now(UTC))


def _review(plan: Plan, declared: Declared, rules: RuleSet, now: datetime) -> Report:
    told, keys, notes = _examined(plan, declared, now)
    judgement = judge(told, require_rules(rules.builtin))
    found, not_exercised = judgement.findings, judgement.not_exercised
    if rules.custom:
        from engine.review.custom_rules import judge_by_custom_rules

        custom, custom_not_exercised = judge_by_custom_rules(plan, rules.custom)
        found = tuple(sorted((*found, *custom), key=Finding.order))
        not_exercised = (*not_exercised, *custom_not_exercised)
    settled = Settled(found, (), ())
    if rules.waivers:
        from engine.review.waivers import apply_waivers

        settled = apply_waivers(found, rules.waivers, now.date())
    blocked = any(finding.blocks for finding in settled.findings)
    return Report(
        plan=printable(plan.name),
        verdict=ReviewVerdict.BLOCK if blocked else ReviewVerdict.PASS,
        findings=settled.findings,
        impact=impact_of((event for event in told if isinstance(event, Event)), declared.trusted.products),
        keys=keys,
        waived=settled.waived,
        not_exercised=not_exercised,
        notes=(*notes, *settled.notes),
    )


def _examined(
    plan: Plan, declared: Declared, now: datetime
) -> tuple[tuple[Told, ...], tuple[KeyReport, ...], tuple[str, ...]]:
    """All events of a plan, the keys in scope, and what is to be said of how it was judged.

    Most plans of a company hold nothing of KMS: they are told apart before the detectors are imported.
    """
    if plan.free_of_custody and declared.base in (None, declared.change):
        looked_at = (EventKind.DECLARATION, EventKind.DECLARED_STATE) if declared.base is not None else ()
        return (EventKind.PLAN, *looked_at), (), ()
    from engine.review.examination import detect, key_report, make_context, notes_of

    context = make_context(plan, declared, now)
    told = tuple(detect(context))
    keys = tuple(key_report(context, subject) for subject in context.subjects.values())
    return told, keys, tuple(notes_of(context))
