"""Where an alias points before and after.

- Told of are the aliases that the declarations name, and every alias that points to a key in scope before or after.
- An alias is followed by its name: a resource that is destroyed and one that is created with the same name are one
  alias that moves. A resource whose name changes is renamed: nothing finds the key under the old name any more.
- Direction follows the generations: forward to a higher number, back to a lower one, elsewhere to anything that is
  no generation. A generation whose key is another one than before (replaced, or lost and created anew) is a new key.
- A target that cannot be told makes the move unknown.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, assert_never

from engine.review.access_answers import Reach
from engine.review.detect.context import key_event, nobody, stays
from engine.review.events import EventKind, OneOf
from engine.review.plan import Action
from engine.review.resources import MOMENTS, Moment
from engine.review.scope import Revocation
from engine.review.values import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.review.detect.context import Context
    from engine.review.events import Fact, Told
    from engine.review.keys import Attached, Key
    from engine.review.scope import Subject


class _Fate(Enum):
    """What becomes of an alias, apart from where it points."""

    KEPT = "kept"
    CREATED = "created"
    RENAMED = "renamed"
    DELETED = "deleted"
    FORGOTTEN = "forgotten"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class _End:
    """Where an alias points at one moment: a key, several possible ones, or nothing known."""

    keys: tuple[Key, ...]
    certain: bool

    @property
    def key(self) -> Key | None:
        """The one key that it certainly points to."""
        return self.keys[0] if self.certain and len(self.keys) == 1 else None


@dataclass(frozen=True, slots=True)
class _Move:
    """One alias, followed by its name."""

    attached: Attached
    fate: _Fate
    names: frozenset[str]
    new_name: str
    before: _End
    after: _End


def detect_aliases(context: Context) -> Iterator[Told]:
    """The events of every alias in scope that is touched, or whose key is."""
    declared = frozenset(
        name
        for declaration in context.declared.both
        for name in (declaration.alias, *(generation.alias for generation in declaration.generations))
        if name is not None
    )
    for move in _moves(context):
        ends = (*move.before.keys, *move.after.keys)
        if not (move.names & declared or any(key.address in context.subjects for key in ends)):
            continue
        if move.attached.resource.untouched and all(key.untouched for key in ends):
            continue
        yield _event(context, move, declared)


def _moves(context: Context) -> Iterator[_Move]:
    new = {
        name: attached
        for attached in context.custody.aliases
        if not _was_there(attached) and (name := _name(attached, Moment.PLANNED)) is not None
    }
    taken: set[str] = set()
    created: list[Attached] = []
    for attached in context.custody.aliases:
        if not _was_there(attached):
            created.append(attached)
            continue
        fate = _fate(attached)
        successor = attached
        if fate in (_Fate.DELETED, _Fate.RENAMED) and (partner := new.get(_old_name(attached) or "")) is not None:
            taken.add(partner.resource.address)
            fate, successor = _Fate.KEPT, partner
        yield _move(context, attached, successor, fate)
    for attached in created:
        if attached.resource.address not in taken:
            yield _move(context, attached, attached, _Fate.CREATED)


def _was_there(attached: Attached) -> bool:
    return attached.resource.observed is not None or attached.resource.recorded is not None


def _name(attached: Attached, moment: Moment) -> str | None:
    attributes = attached.resource.at(moment)
    return None if attributes is None else attributes.known_text("name")


def _old_name(attached: Attached) -> str | None:
    return _name(attached, Moment.OBSERVED) or _name(attached, Moment.RECORDED)


def _fate(attached: Attached) -> _Fate:
    resource = attached.resource
    if resource.action is Action.FORGET:
        return _Fate.FORGOTTEN
    if resource.planned is None:
        return _Fate.DELETED
    name = resource.planned.text("name")
    if name is UNKNOWN:
        return _Fate.UNKNOWN
    return _Fate.KEPT if name == _old_name(attached) else _Fate.RENAMED


def _move(context: Context, attached: Attached, successor: Attached, fate: _Fate) -> _Move:
    before = _before(attached, successor)
    planned = successor.resource.planned
    return _Move(
        attached=successor if fate is _Fate.KEPT else attached,
        fate=fate,
        names=frozenset(name for name in (_old_name(attached), _name(successor, Moment.PLANNED)) if name is not None),
        new_name="(none)" if planned is None else planned.shown("name"),
        before=_end(context, attached, before) if _was_there(attached) else _End((), certain=True),
        after=_end(context, successor, Moment.PLANNED),
    )


def _before(attached: Attached, successor: Attached) -> Moment:
    """Against which moment an alias is held: as recorded where it was moved outside and the plan leaves it so.

    Once such a plan is applied the state says the same, and no later plan would tell.
    """
    recorded, observed, planned = (attached.resource.at(moment) for moment in MOMENTS)
    if observed is None:
        return Moment.RECORDED
    if attached is not successor or recorded is None or planned is None:
        return Moment.OBSERVED
    was, found, will = (attributes.text("target_key_id") for attributes in (recorded, observed, planned))
    return Moment.RECORDED if was != found and found == will else Moment.OBSERVED


def _end(context: Context, attached: Attached, moment: Moment) -> _End:
    link = attached.links[moment]
    return _End(tuple(context.custody.keys[address] for address in link.keys), link.certain)


def _event(context: Context, move: _Move, declared: frozenset[str]) -> Told:
    after, before = _subject(context, move.after.key), _subject(context, move.before.key)
    change = _change(context, move, before, after, declared)
    if change == "none":
        return EventKind.ALIAS
    there = move.attached.resource.observed or move.attached.resource.planned or move.attached.resource.recorded
    facts: dict[str, Fact] = {
        "change": change,
        "ready": _ready(context, after),
        "integrated": after is not None and after.proof is not None and after.proof.integrated,
    }
    return key_event(
        after or before or nobody(move.attached.resource.address),
        EventKind.ALIAS,
        facts,
        address=move.attached.resource.address,
        alias="(none)" if there is None else there.shown("name"),
        new_name=move.new_name,
        before=_shown(move.before, before),
        after=_shown(move.after, after),
    )


def _subject(context: Context, key: Key | None) -> Subject | None:
    return None if key is None else context.subjects.get(key.address) or context.scope.subject(key)


def _shown(end: _End, subject: Subject | None) -> str:
    if subject is not None:
        return subject.name
    if end.keys:
        return " or ".join(key.address for key in end.keys[:3])
    return "a key that the plan does not tell"


def _change(
    context: Context, move: _Move, before: Subject | None, after: Subject | None, declared: frozenset[str]
) -> Fact:
    match move.fate:
        case _Fate.RENAMED | _Fate.DELETED | _Fate.FORGOTTEN:
            return str(move.fate.value)
        case _Fate.UNKNOWN:
            return OneOf.of("renamed", "none")
        case _Fate.CREATED:
            return _created(context, move, after, declared)
        case _Fate.KEPT:
            return _moved(context, before, after)
        case _:
            assert_never(move.fate)


def _created(context: Context, move: _Move, after: Subject | None, declared: frozenset[str]) -> Fact:
    current = max(declaration.current for declaration in context.declared.both)
    follows = {declaration.alias for declaration in context.declared.both}
    if after is None:
        return OneOf.of("created", *(("created_on_earlier",) if current > 1 and move.names & follows else ()))
    if after.number is None:
        return "moved_elsewhere" if move.names & declared else "created"
    if not move.names & follows or after.number == current:
        return "created"
    return "created_on_earlier" if after.number < current else "moved_forward"


def _moved(context: Context, before: Subject | None, after: Subject | None) -> Fact:
    if after is None:
        return OneOf.of("moved_forward", "moved_back", "moved_elsewhere", "moved_to_new_key", "none")
    if before is not None and before.key.address == after.key.address:
        same = stays(after.key) or after.key.resource is None
        return "none" if same else "moved_to_new_key"
    if before is not None and before.key.arn is not None and before.key.arn == after.key.arn:
        return "none"
    if after.number is None or before is None:
        return "moved_elsewhere"
    if before.number is None and after.number == context.declared.trusted.current:
        return "created"  # from a key that is none of the tenant's to the one where it belongs
    if before.number is None or before.number == after.number:
        return "moved_to_new_key" if before.number is not None else "moved_elsewhere"
    return "moved_forward" if after.number > before.number else "moved_back"


def _ready(context: Context, after: Subject | None) -> Fact:
    """Whether the key that the alias will point to can be used: it is there, enabled, and the vendor reaches it."""
    if after is None:
        return UNKNOWN
    key = after.key
    planned = key.at(Moment.PLANNED)
    if key.resource is not None and planned is None:
        return False
    if after.revocation is not Revocation.NONE:
        return True
    enabled = key.enabled(Moment.PLANNED)
    if enabled is False:
        return False
    reach = context.access.vendor_access(key, Moment.PLANNED).reach
    if reach is Reach.UNKNOWN:
        return UNKNOWN
    return reach is not Reach.NONE and reach is not Reach.PARTIAL
