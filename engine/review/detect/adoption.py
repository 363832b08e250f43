"""Whether a key that is there already, and that comes to stand for a generation, is that generation's key.

Nothing is asked where the declaration or the evidence gives the generation's ARN, or where the key bore the
generation's tags before: that is told by `engine.review.detect.keys`. Else:

- A key that another tenant's tags name is that tenant's, whatever the plan tags it as.
- A key that only the plan's own tags make the generation's is another key where the generation has one. It may be
  another one where the generation is in use already, as only a later one has nothing to lose.
- A key that is imported under the generation's address is another key where the generation has one, and may be
  another where it is an older one or the declared alias points elsewhere. For a first generation nothing more can be
  known: then it is only told, and not where the alias points to this very key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.review.detect.context import is_replica
from engine.review.events import OneOf
from engine.review.generations import TENANT_TAG
from engine.review.resources import Moment

if TYPE_CHECKING:
    from engine.review.detect.context import Context
    from engine.review.events import Fact
    from engine.review.keys import Key
    from engine.review.scope import Subject

_BEFORE = (Moment.RECORDED, Moment.OBSERVED)
_PERHAPS_ANOTHER = OneOf.of("other_arn", "none")


def adopted(context: Context, subject: Subject) -> Fact:
    """The value of `change` of a key that exists and stays, of a generation whose ARN nothing gives."""
    key, number, resource = subject.key, subject.number, subject.key.resource
    if number is None or resource is None or is_replica(key):
        return "none"
    generations = context.generations
    if any(generations.tagged(key, moment) is not None for moment in _BEFORE):
        return "none"
    by_tags_alone = generations.by_planned_tags_alone(key)
    imported = resource.importing
    if (imported or generations.tagged(key, Moment.PLANNED) is not None) and _of_another_tenant(context, key):
        return "other_tenant"
    if not by_tags_alone and not imported:
        return "none"
    if another(context, subject) is not None:
        return "other_arn"
    current = max(declaration.current for declaration in context.declared.both)
    if by_tags_alone:
        return _PERHAPS_ANOTHER if number <= current else "none"
    pointed = _pointed_to(context)
    if number < current or (number == current and pointed and key.address not in pointed):
        return _PERHAPS_ANOTHER
    return "unproved" if number == current and not pointed else "none"


def another(context: Context, subject: Subject) -> Key | None:
    """Another key that was there before and is the same generation's."""
    if subject.number is None:
        return None
    return next(
        (
            other
            for other in context.generations.existing(subject.number)
            if other.arn is not None and other.arn != subject.key.arn and not is_replica(other)
        ),
        None,
    )


def _of_another_tenant(context: Context, key: Key) -> bool:
    ours = {declaration.tenant for declaration in context.declared.both}
    tenants = {attributes.tag(TENANT_TAG) for m in _BEFORE if (attributes := key.at(m)) is not None}
    found = {tenant for tenant in tenants if isinstance(tenant, str)}
    return bool(found) and not found & ours


def _pointed_to(context: Context) -> frozenset[str]:
    """The keys that the declared aliases point to before the apply."""
    names = {declaration.alias for declaration in context.declared.both}
    found: set[str] = set()
    for alias in context.custody.aliases:
        attributes = alias.attributes(Moment.OBSERVED)
        if attributes is not None and attributes.known_text("name") in names:
            found.update(alias.links[Moment.OBSERVED].keys)
    return frozenset(found)
