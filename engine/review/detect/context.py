"""What every detector looks at, and the particulars that every event about a key has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.review.declared import Role
from engine.review.events import Event, EventKind
from engine.review.generations import GENERATION_TAG, TENANT_TAG
from engine.review.keys import Key
from engine.review.plan import Action
from engine.review.resources import Moment
from engine.review.scope import Revocation, Subject
from engine.review.values import printable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from engine.review.custody import Custody
    from engine.review.declared import Declared
    from engine.review.events import Fact
    from engine.review.generations import Generations
    from engine.review.key_access import KeyAccess
    from engine.review.plan import Plan
    from engine.review.proof import GenerationProof
    from engine.review.scope import Scope


# Each of them alone lets another account read: by re-encryption under a key of its own, by a grant to itself. One that
# may revoke grants takes the vendor's access away.
OPENING = ("kms:Decrypt", "kms:ReEncryptFrom", "kms:CreateGrant", "kms:RevokeGrant")
_IDLE = frozenset({"description", "tags", "tags_all", "timeouts"})  # attributes of a key that nobody's use hangs on


@dataclass(frozen=True, slots=True)
class Context:
    """A plan under review.

    Attributes:
        plan: The plan as read.
        custody: Its keys.
        declared: What it is judged by.
        generations: Which generation each key is.
        access: Who can do what with each key.
        scope: Which keys are in scope.
        subjects: The keys in scope, by address.
        touched: Those of them that something happens to that may bear on custody, in the plan's order.
        asked: Those of them of which there is to ask who can do what; and whether the key is new or its policy changes.
        now: When the plan was made, for what expires.
    """

    plan: Plan
    custody: Custody
    declared: Declared
    generations: Generations
    access: KeyAccess
    scope: Scope
    subjects: Mapping[str, Subject]
    touched: tuple[Subject, ...]
    asked: tuple[tuple[Subject, bool], ...]
    now: datetime


def key_facts(subject: Subject) -> dict[str, Fact]:
    """The particulars of every event about a key."""
    return {
        "role": subject.role.value,
        **proof_facts(subject.proof),
        "replica": is_replica(subject.key),
        "revocation": subject.revocation.value,
    }


def proof_facts(proof: GenerationProof | None) -> dict[str, Fact]:
    """What is proved of a key, as particulars."""
    return {
        "retired": proof is not None and proof.standing.retired,
        "released": proof is not None and proof.standing.released and proof.certificate,
    }


def key_event(
    subject: Subject,
    kind: EventKind,
    facts: Mapping[str, Fact],
    *,
    address: str | None = None,
    **words: str,
) -> Event:
    """An event about a key.

    Args:
        subject: The key.
        kind: What happens.
        facts: The particulars of the kind.
        address: The resource that it happens to, where that is not the key's own.
        **words: What messages may name beside `key`.
    """
    return Event(
        kind,
        address or subject.key.address,
        key_facts(subject) | dict(facts),
        {"key": printable(subject.name), **{name: printable(text) for name, text in words.items()}},
        subject.key.address,
    )


def is_replica(key: Key) -> bool:
    """Whether the key is a replica of a multi-Region key."""
    return key.is_replica


def is_new(key: Key) -> bool:
    """Whether the plan creates the key: nothing was there before."""
    return not key.exists


def stays(key: Key) -> bool:
    """Whether the same key is there before and after, in AWS and in the state."""
    resource = key.resource
    if resource is None:
        return True
    if resource.action.destroys or resource.action.forgets:
        return False
    return resource.observed is not None and resource.planned is not None


def lost_outside(key: Key) -> bool:
    """Whether the key was recorded and is not found any more: deleted, or pending deletion."""
    resource = key.resource
    return resource is not None and resource.recorded is not None and resource.observed is None


def bears_on_nothing(subject: Subject) -> bool:
    """Whether a key of no generation is updated in nothing but its description and foreign tags, and all is known."""
    key, resource = subject.key, subject.key.resource
    if (
        subject.number is not None
        or resource is None
        or resource.action is not Action.UPDATE
        or resource.recorded is not resource.observed
    ):
        return False
    before, after = resource.observed, resource.planned
    if before is None or after is None or not after.all_known or before.known_text("policy") is None:
        return False
    if resource.former_address is not None or resource.importing or resource.deferred is not None:
        return False
    was, will = before.values, after.values
    same = was.keys() == will.keys() and all(was[name] == value for name, value in will.items() if name not in _IDLE)
    return (
        same
        and all(before.tag(name) == after.tag(name) for name in (TENANT_TAG, GENERATION_TAG))
        and all(attached.resource.untouched for attached in (*key.policies, *key.grants))
    )


def can_be_asked(key: Key) -> bool:
    """Whether there will be a key of which to ask who can do what: the same one as before, or a new one."""
    return stays(key) or (is_new(key) and key.at(Moment.PLANNED) is not None)


def nobody(address: str) -> Subject:
    """A stand-in for a key that the plan does not tell, for an event that is about where it should be."""
    key = Key(address, None, None, None, None, (), ())
    return Subject(key, None, Role.UNDECLARED, None, Revocation.NONE)
