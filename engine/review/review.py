"""The review of one plan, from its bytes to the report. Pure: files and clocks come in from the edge."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import UntrustedError
from engine.review.custody_builder import build_custody
from engine.review.declared import Declared
from engine.review.detect.access import detect_access
from engine.review.detect.aliases import detect_aliases
from engine.review.detect.context import Context, is_new, stays
from engine.review.detect.declarations import detect_declarations
from engine.review.detect.drift import detect_drift
from engine.review.detect.form import detect_form
from engine.review.detect.grants import detect_grants
from engine.review.detect.key_policy import detect_key_policy
from engine.review.detect.keys import detect_keys, how_it_leaves
from engine.review.detect.stores import detect_stores
from engine.review.detect.whole import detect_deferred, detect_unread, detect_whole
from engine.review.events import Event
from engine.review.generations import Generations
from engine.review.impact import impact_of
from engine.review.judge import Finding, judge
from engine.review.key_access import KeyAccess
from engine.review.plan_reader import read_plan
from engine.review.report import KeyReport, Report, ReviewVerdict, Settled
from engine.review.resources import Moment
from engine.review.rules import load_rules, require_rules
from engine.review.scope import Scope
from engine.review.values import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from engine.declaration import Declaration
    from engine.review.custom_rules import CustomRule
    from engine.review.events import Told
    from engine.review.plan import Plan
    from engine.review.proof import RotationProof
    from engine.review.rules import Rule
    from engine.review.scope import Subject
    from engine.review.waivers import Waiver

COMPILED_RULES = Path(__file__).parents[2] / "policies" / "compiled.json"

DETECTORS: tuple[Callable[[Context], Iterable[Told]], ...] = (
    detect_whole,
    detect_declarations,
    detect_keys,
    detect_form,
    detect_access,
    detect_key_policy,
    detect_grants,
    detect_aliases,
    detect_stores,
    detect_deferred,
    detect_unread,
    detect_drift,
)
_EFFECTS = {
    "destroyed": "destroys",
    "replaced": "replaces",
    "forgotten": "forgets",
    "lost": "has lost",
}


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
    with _without_collection():
        return _review(read_plan(name, data), declared, judged_by, now or datetime.now(UTC))


@contextmanager
def _without_collection() -> Iterator[None]:
    """A review makes data and no garbage in cycles: the collector would walk a large plan again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _review(plan: Plan, declared: Declared, rules: RuleSet, now: datetime) -> Report:
    context = make_context(plan, declared, now)
    told = tuple(detect(context))
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
        keys=tuple(_key(context, subject) for subject in context.subjects.values()),
        waived=settled.waived,
        not_exercised=not_exercised,
        notes=(*_notes(context), *settled.notes),
    )


def make_context(plan: Plan, declared: Declared, now: datetime) -> Context:
    """Build the custody model of a plan and decide what is in scope."""
    custody = build_custody(plan)
    generations, access = Generations(custody, declared), KeyAccess(custody, declared)
    scope = Scope(custody, declared, generations, access)
    return Context(
        plan=plan,
        custody=custody,
        declared=declared,
        generations=generations,
        access=access,
        scope=scope,
        subjects={subject.key.address: subject for subject in scope.subjects()},
        now=_timestamp(plan) or now,
    )


def detect(context: Context) -> Iterator[Told]:
    """All events of a plan."""
    for detector in DETECTORS:
        yield from detector(context)


def _timestamp(plan: Plan) -> datetime | None:
    if plan.timestamp is None:
        return None
    try:
        moment = datetime.fromisoformat(plan.timestamp)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None


def _key(context: Context, subject: Subject) -> KeyReport:
    key = subject.key
    how = how_it_leaves(context, key) if key.exists else "stays"
    effect = _EFFECTS.get(how)
    if effect is None:
        effect = "keeps" if key.untouched else ("creates" if is_new(key) else "changes")
    hidden = any(attributes is not None and attributes.sensitive("arn") for attributes in map(key.at, Moment))
    unknown = key.arn is None or (is_new(key) and not stays(key))
    return KeyReport(
        address=printable(key.address, 1000),
        generation=subject.number,
        role=subject.role.value,
        key_arn=None if unknown or hidden else printable(key.arn or ""),
        effect=effect,
    )


def _notes(context: Context) -> Iterator[str]:
    declared = context.declared
    if context.subjects and declared.base is None:
        yield "judged by its own declaration: give the target branch's with --base-declaration"
    if context.subjects and declared.proof is None:
        yield "no evidence of the rotation's state was given: nothing about it is proved"
    for subject in context.subjects.values():
        if not subject.key.untouched and context.access.read_at_apply(subject.key):
            yield f"the policy of {printable(subject.name)} is known only after apply: judged by its policy document"
