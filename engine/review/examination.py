"""The examination of one plan: its custody, what is in scope, and every detector's events."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from engine.review.custody_builder import build_custody
from engine.review.detect.access import detect_access
from engine.review.detect.aliases import detect_aliases
from engine.review.detect.context import Context, bears_on_nothing, can_be_asked, is_new
from engine.review.detect.declarations import detect_declarations
from engine.review.detect.drift import detect_drift
from engine.review.detect.form import detect_form
from engine.review.detect.grants import detect_grants
from engine.review.detect.key_policy import detect_key_policy
from engine.review.detect.keys import detect_keys, how_it_leaves
from engine.review.detect.organization import detect_organization_policies
from engine.review.detect.powers import detect_powers
from engine.review.detect.stores import detect_stores
from engine.review.detect.strangers import detect_strangers
from engine.review.detect.vendor_statement import detect_vendor_statement
from engine.review.detect.whole import detect_deferred, detect_unread, detect_whole
from engine.review.generations import Generations
from engine.review.key_access import KeyAccess
from engine.review.key_policies import names_another_key
from engine.review.report import JUDGED_BY_ITSELF, KeyReport
from engine.review.scope import Scope
from engine.review.values import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from engine.review.declared import Declared
    from engine.review.events import Told
    from engine.review.plan import Plan
    from engine.review.scope import Subject

DETECTORS: tuple[Callable[[Context], Iterable[Told]], ...] = (
    detect_whole,
    detect_declarations,
    detect_keys,
    detect_form,
    detect_access,
    detect_key_policy,
    detect_powers,
    detect_grants,
    detect_vendor_statement,
    detect_strangers,
    detect_aliases,
    detect_stores,
    detect_organization_policies,
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


def make_context(plan: Plan, declared: Declared, now: datetime) -> Context:
    """Build the custody model of a plan and decide what is in scope."""
    custody = build_custody(plan)
    generations, access = Generations(custody, declared), KeyAccess(custody, declared)
    scope = Scope(custody, declared, generations, access)
    subjects = {subject.key.address: subject for subject in scope.subjects()}
    touched = tuple(
        subject for subject in subjects.values() if not (subject.key.untouched or bears_on_nothing(subject))
    )
    return Context(
        plan=plan,
        custody=custody,
        declared=declared,
        generations=generations,
        access=access,
        scope=scope,
        subjects=subjects,
        touched=touched,
        asked=tuple(
            (subject, is_new(subject.key) or access.policy_changes(subject.key))
            for subject in touched
            if can_be_asked(subject.key)
        ),
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


def key_report(context: Context, subject: Subject) -> KeyReport:
    """A key in scope, for the record."""
    key = subject.key
    how = how_it_leaves(context, key) if key.exists else "stays"
    effect = _EFFECTS.get(how)
    if effect is None:
        effect = "keeps" if key.untouched else ("creates" if is_new(key) else "changes")
    unknown = key.arn is None or is_new(key)
    return KeyReport(
        address=printable(key.address, 1000),
        generation=subject.number,
        role=subject.role.value,
        key_arn=None if unknown or key.hidden else printable(key.arn or ""),
        effect=effect,
    )


def notes_of(context: Context) -> Iterator[str]:
    """What the reader should know of how the plan was judged."""
    declared = context.declared
    if (context.subjects or context.plan.foundations or context.custody.stores) and declared.base is None:
        yield JUDGED_BY_ITSELF
    if context.subjects and declared.proof is None:
        yield "no evidence of the rotation's state was given: nothing about it is proved"
    for subject in context.subjects.values():
        if not subject.key.untouched and context.access.read_at_apply(subject.key):
            yield f"the policy of {printable(subject.name)} is known only after apply: judged by its policy document"
        for attached in subject.key.policies:
            if names_another_key(attached.resource):
                address = printable(attached.resource.address)
                key = printable(subject.name)
                yield f"{address} comes to name another key: the AWS provider leaves the policy on {key}"
