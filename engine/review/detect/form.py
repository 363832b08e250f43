"""What a key is made as: spec, usage, origin, place; its material, deletion window and automatic rotation.

- A key's form is told when the plan makes, replaces or imports it. Later only a replacement can change it; an update
  that would is told too.
- A new key has no ARN: its Region is what its resource or its provider says in so many words. Where they do not, and
  for the account, the place counts as right: the alias, the grant and `enable` meet the key again.
- Material about to expire is told of every key in scope, touched or not: the plan is where it is still in time.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from engine.declaration import DEFAULT_DELETION_WINDOW_IN_DAYS, Origin
from engine.review.detect.context import is_new, is_replica, key_event, stays
from engine.review.events import EventKind, OneOf
from engine.review.plan import Action
from engine.review.resources import Moment
from engine.review.values import SENSITIVE, UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.declaration import DeclaredGeneration
    from engine.review.detect.context import Context
    from engine.review.events import Fact, Told
    from engine.review.keys import Key
    from engine.review.resources import Resource
    from engine.review.scope import Subject
    from engine.review.values import Attributes, Unknown

_EXTERNAL_TYPES = ("aws_kms_external_key", "aws_kms_replica_external_key")
_KMS_KEY = "aws_kms_key"
_FIXED = ("customer_master_key_spec", "key_usage", "custom_key_store_id", "xks_key_id")


def detect_form(context: Context) -> Iterator[Told]:
    """The events of every key in scope; of an untouched one only what expires."""
    for subject in context.subjects.values():
        key = subject.key
        resource = key.resource
        if resource is None:
            continue
        if resource.type in _EXTERNAL_TYPES:
            yield from _material(context, subject)
        if resource.planned is None or key.untouched:
            continue
        if is_new(key) or resource.action.replaces or resource.importing or _contradicts(resource):
            yield _form(context, subject, resource.planned)
        if is_new(key) or stays(key):
            yield _window(context, subject, resource.planned)
        if resource.type == _KMS_KEY and stays(key):
            yield _rotation(subject, resource.planned)


def _contradicts(resource: Resource) -> bool:
    """Whether a key is to be updated in what can never change: which key it then is, nobody can tell."""
    before, planned = resource.observed, resource.planned
    if resource.action is not Action.UPDATE or before is None or planned is None:
        return False
    return any(planned.text(name) not in (None, before.text(name)) for name in _FIXED)


def _right(value: Fact, *right: Fact) -> Fact:
    if value is UNKNOWN:
        return UNKNOWN
    return "right" if value in right else "wrong"


def _form(context: Context, subject: Subject, planned: Attributes) -> Told:
    key = subject.key
    resource = key.resource
    declared = None if subject.number is None else context.declared.generation(subject.number)
    spec: Fact = "right"
    usage: Fact = "right"
    if resource is not None and resource.type == _KMS_KEY:
        spec = _right(planned.text("customer_master_key_spec"), None, "SYMMETRIC_DEFAULT")
        usage = _right(planned.text("key_usage"), None, "ENCRYPT_DECRYPT")
    facts: dict[str, Fact] = {
        "spec": spec,
        "usage": usage,
        "origin": "right" if declared is None else _origin(key, planned, declared),
        "place": _place(context, key, declared),
    }
    if set(facts.values()) == {"right"}:
        return EventKind.KEY_FORM
    return key_event(
        subject,
        EventKind.KEY_FORM,
        facts,
        spec=planned.shown("customer_master_key_spec"),
        usage=planned.shown("key_usage"),
        expected="" if declared is None else declared.origin.value,
        arn=(SENSITIVE if key.hidden else key.arn) or f"a new one in {_region_shown(context, key, planned)}",
    )


def _region_shown(context: Context, key: Key, planned: Attributes) -> str:
    return SENSITIVE if planned.sensitive("region") else context.custody.region(key) or "a Region not known yet"


def _origin(key: Key, planned: Attributes, declared: DeclaredGeneration) -> Fact:
    kind = "" if key.resource is None else key.resource.type
    if (kind in _EXTERNAL_TYPES) is not (declared.origin is Origin.EXTERNAL):
        return "wrong"
    found: list[Fact] = [] if is_replica(key) else [_regions(planned, declared)]
    if kind == _KMS_KEY:
        found += [_store(planned, declared), _external_key(planned, declared)]
    return "wrong" if "wrong" in found else next((fact for fact in found if fact is UNKNOWN), "right")


def _regions(planned: Attributes, declared: DeclaredGeneration) -> Fact:
    """Whether the key is a multi-Region one as declared; where the code does not say, the provider makes none."""
    multi_region = planned.flag("multi_region")
    if multi_region is UNKNOWN and declared.multi_region:
        return UNKNOWN
    return "right" if (multi_region is True) is declared.multi_region else "wrong"


def _store(planned: Attributes, declared: DeclaredGeneration) -> Fact:
    store = planned.text("custom_key_store_id")
    if store is UNKNOWN:
        return UNKNOWN
    in_store = declared.origin in (Origin.AWS_CLOUDHSM, Origin.EXTERNAL_KEY_STORE)
    if (store is not None) is not in_store:
        return "wrong"
    return "right" if declared.custom_key_store_id in (None, store) else "wrong"


def _external_key(planned: Attributes, declared: DeclaredGeneration) -> Fact:
    return "right" if declared.xks_key_id is None else _right(planned.text("xks_key_id"), declared.xks_key_id)


def _place(context: Context, key: Key, declared: DeclaredGeneration | None) -> Fact:
    if declared is None:
        return "right"
    account = context.declared.trusted.account
    regions = (account.region, *declared.replicas) if is_replica(key) else (account.region,)
    region = context.custody.region(key)
    if region is not None and region not in regions:
        return "wrong"
    if key.arn is None or is_new(key):
        return "right"
    parts = key.arn.split(":")
    return "right" if parts[4:5] == [account.account_id] and parts[3] in regions else "wrong"


def _window(context: Context, subject: Subject, planned: Attributes) -> Told:
    declared = None if subject.number is None else context.declared.generation(subject.number)
    wanted = DEFAULT_DELETION_WINDOW_IN_DAYS if declared is None else declared.deletion_window_in_days
    before = _days(subject.key.at(Moment.OBSERVED))
    after = _days(planned)
    change: Fact = "none"
    if before is None or after is None:
        change = "new"
    elif after is UNKNOWN or before is UNKNOWN:
        change = OneOf.of("shortened", "none")
    elif after < before:
        change = "shortened"
    missing = max(0.0, wanted - after) if isinstance(after, float) else after
    if change == "none" or (change == "new" and missing == 0):
        return EventKind.DELETION_WINDOW
    return key_event(
        subject,
        EventKind.DELETION_WINDOW,
        {
            "change": change,
            "missing_days": missing,
        },
        before=_number(before),
        after=_number(after),
        declared=str(wanted),
    )


def _days(attributes: Attributes | None) -> float | Unknown | None:
    """The deletion window; one that is not set is KMS's default of 30 days."""
    if attributes is None:
        return None
    days = attributes.number("deletion_window_in_days")
    if days is None:
        return float(DEFAULT_DELETION_WINDOW_IN_DAYS)
    return float(days) if isinstance(days, int | float) else UNKNOWN


def _number(value: Fact) -> str:
    return f"{value:g}" if isinstance(value, int | float) else "not known"


def _rotation(subject: Subject, planned: Attributes) -> Told:
    observed = subject.key.at(Moment.OBSERVED)
    before = None if observed is None else observed.flag("enable_key_rotation")
    after = planned.flag("enable_key_rotation")
    change: Fact = "none"
    if after is UNKNOWN:
        change = OneOf.of("switched_off", "none") if before is True else "none"
    elif before is True and after is not True:
        change = "switched_off"
    elif observed is not None and after is True:
        was, will = observed.number("rotation_period_in_days"), planned.number("rotation_period_in_days")
        if isinstance(was, int | float) and isinstance(will, int | float) and 0 < was < will:
            change = "slowed"
    if change == "none":
        return EventKind.AUTOMATIC_ROTATION
    return key_event(subject, EventKind.AUTOMATIC_ROTATION, {"change": change})


def _material(context: Context, subject: Subject) -> Iterator[Told]:
    resource = subject.key.resource
    if resource is None or resource.planned is None:
        return
    before, planned = resource.observed, resource.planned
    material = planned.raw("key_material_base64")
    was = None if before is None else before.raw("key_material_base64")
    days_left = _days_left(planned.text("valid_to"), context.now)
    if days_left is None and material is None:
        yield EventKind.KEY_MATERIAL
        return
    yield key_event(
        subject,
        EventKind.KEY_MATERIAL,
        {
            "in_clear": UNKNOWN if material is UNKNOWN else isinstance(material, str) and bool(material),
            "changed": material is UNKNOWN or material != was,
            "days_left": days_left,
        },
        valid_to=planned.shown("valid_to"),
    )


def _days_left(valid_to: str | Unknown | None, now: datetime) -> float | Unknown | None:
    if not isinstance(valid_to, str):
        return UNKNOWN if valid_to is UNKNOWN else None
    try:
        end = datetime.fromisoformat(valid_to)
    except ValueError:
        return UNKNOWN
    if end.tzinfo is None:
        return UNKNOWN
    return (end - now).total_seconds() / 86400
