"""What a plan does to custody, as events: the words in which the rules in `policies/` speak.

An event is one fact of a plan with its particulars: a key leaves, the vendor's access changes, an alias moves. Its
kind says which particulars it has, and which values each can take. Rules are held against this table when they are
loaded, so that a rule cannot wait for a word that no event ever says. A particular may be unknown, or known to be one
of several; it then makes a rule that asks for it unknown wherever that decides.

Where a detector looked at something that the plan touches and found nothing to tell, it gives the kind alone. A rule of
whose kinds nothing was told in either way was not exercised by the plan.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from engine.review.values import Unknown

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class OneOf:
    """A particular of which only the possible values are known."""

    values: frozenset[str]

    @classmethod
    def of(cls, *values: str) -> OneOf:
        """One of these values."""
        return cls(frozenset(values))


Fact = str | bool | float | OneOf | Unknown | None


class EventKind(Enum):
    """The kinds of events; the value is the name that rules use."""

    KEY_LEAVES = "key_leaves"
    KEY_STATE = "key_state"
    KEY_TAGS = "key_tags"
    KEY_IDENTITY = "key_identity"
    KEY_FORM = "key_form"
    KEY_MATERIAL = "key_material"
    DELETION_WINDOW = "deletion_window"
    AUTOMATIC_ROTATION = "automatic_rotation"
    VENDOR_ACCESS = "vendor_access"
    VENDOR_PRIVILEGES = "vendor_privileges"
    OTHER_ACCOUNTS = "other_accounts"
    OUTSIDE_PRINCIPALS = "outside_principals"
    REFUSED_POLICY = "refused_policy"
    PUBLIC_ACCESS = "public_access"
    ADMINISTRATION = "administration"
    LOCKOUT_CHECK = "lockout_check"
    OWNER_POWERS = "owner_powers"
    DELETION_GUARD = "deletion_guard"
    UNPLACED_POLICY = "unplaced_policy"
    GRANT = "grant"
    VENDOR_STATEMENT = "vendor_statement"
    RETIRING_PRINCIPAL = "retiring_principal"
    ALIAS = "alias"
    KEY_STORE = "key_store"
    ORGANIZATION_POLICY = "organization_policy"
    DEFERRED = "deferred"
    UNREAD = "unread"
    DRIFT = "drift"
    DECLARED_STATE = "declared_state"
    DECLARATION = "declaration"
    PLAN = "plan"


# Particulars of every event about a key.
_ROLES = ("current", "retained", "next", "retired", "released", "deleted", "undeclared")
OF_KEYS: dict[str, tuple[str, ...] | type] = {
    "role": _ROLES,  # what the declaration makes of the key's generation
    "retired": bool,  # the evidence proves it retired, or further along its life
    "released": bool,  # the evidence proves it released or deleted, and its certificate holds
    "replica": bool,
    "revocation": ("none", "introduced", "known"),  # what the declaration says of a revocation
}

# For each kind its particulars: the values that a text can take, or the type of a number or bool.
VOCABULARY: dict[EventKind, dict[str, tuple[str, ...] | type]] = {
    EventKind.KEY_LEAVES: OF_KEYS | {"how": ("destroyed", "replaced", "forgotten", "lost")},
    EventKind.KEY_STATE: OF_KEYS
    | {
        "change": ("disabled", "enabled", "created_disabled", "none"),
        "by": ("plan", "outside"),
        "proved_not_revoked": bool,
    },
    EventKind.KEY_TAGS: OF_KEYS | {"change": ("removed", "renumbered", "none")},
    EventKind.KEY_IDENTITY: OF_KEYS
    | {"change": ("recreated", "used_arn", "other_arn", "other_tenant", "unproved", "address_changed", "none")},
    EventKind.KEY_FORM: OF_KEYS
    | {
        "spec": ("right", "wrong"),
        "usage": ("right", "wrong"),
        "origin": ("right", "wrong"),
        "place": ("right", "wrong"),  # account and Region
    },
    EventKind.KEY_MATERIAL: OF_KEYS | {"in_clear": bool, "days_left": float, "changed": bool},
    EventKind.DELETION_WINDOW: OF_KEYS | {"change": ("shortened", "none", "new"), "missing_days": float},
    EventKind.AUTOMATIC_ROTATION: OF_KEYS | {"change": ("switched_off", "slowed", "none")},
    EventKind.VENDOR_ACCESS: OF_KEYS
    | {
        "change": ("lost", "denied", "narrowed", "conditional", "missing", "given", "restored", "none"),
        "by": ("plan", "outside"),
        "revoked_before": bool,  # the evidence, or without it the target branch's declaration, says revoked
        "proved_not_revoked": bool,
    },
    EventKind.VENDOR_PRIVILEGES: OF_KEYS | {"gained": bool},
    EventKind.OTHER_ACCOUNTS: OF_KEYS | {"change": ("gained", "instead_of_vendor", "none")},
    EventKind.OUTSIDE_PRINCIPALS: OF_KEYS
    | {"principal": ("service", "federated", "identity"), "power": ("use", "administration")},
    EventKind.REFUSED_POLICY: OF_KEYS,
    EventKind.PUBLIC_ACCESS: OF_KEYS
    | {"principal": ("none", "wildcard", "not_principal"), "open": ("yes", "conditional", "no"), "gained": bool},
    EventKind.ADMINISTRATION: OF_KEYS | {"after": ("yes", "conditional", "no"), "change": ("narrowed", "none")},
    EventKind.LOCKOUT_CHECK: OF_KEYS | {"bypassed": bool},
    EventKind.OWNER_POWERS: OF_KEYS
    | {
        "power": ("revoke", "grant"),
        "whose": ("anybody", "administrator"),
        "after": ("conditional", "no"),
    },
    EventKind.DELETION_GUARD: OF_KEYS | {"removed": bool},
    EventKind.UNPLACED_POLICY: OF_KEYS | {"gives_vendor_access": bool},
    EventKind.GRANT: OF_KEYS
    | {
        "change": ("removed", "reduced", "replaced"),
        "access_kept": bool,
        "declared": bool,  # the trusted declaration gives access by grants
        "gap": bool,
    },
    EventKind.VENDOR_STATEMENT: OF_KEYS
    | {
        "change": ("removed", "reduced", "added", "none"),
        "access_kept": bool,
        "declared": bool,  # the trusted declaration gives access by the key policy
    },
    EventKind.RETIRING_PRINCIPAL: OF_KEYS | {"account": ("own", "other"), "access_kept": bool},
    EventKind.ALIAS: OF_KEYS
    | {
        "change": (
            "moved_forward",
            "moved_back",
            "moved_elsewhere",
            "moved_to_new_key",
            "renamed",
            "deleted",
            "forgotten",
            "created",
            "created_on_earlier",
            "none",
        ),
        "ready": bool,  # the key that it will point to can be used
        "integrated": bool,  # the evidence proves that generation to be integrated
    },
    EventKind.KEY_STORE: OF_KEYS | {"change": ("deleted", "replaced", "forgotten", "changed", "lost")},
    EventKind.ORGANIZATION_POLICY: {"change": ("lost", "denied", "narrowed", "conditional", "none")},
    EventKind.DEFERRED: OF_KEYS,
    EventKind.UNREAD: OF_KEYS,
    EventKind.DRIFT: OF_KEYS,
    EventKind.DECLARED_STATE: OF_KEYS | {"to": ("active", "retired", "released", "deleted"), "skips": bool},
    EventKind.DECLARATION: {
        "change": (
            "vendor_account",
            "retention_shortened",
            "break_glass_added",
            "administrator_removed",
            "tenant",
            "account",
            "region",
            "generation_removed",
            "generation_changed",
            "current_lowered",
            "current_raised",
            "deactivated",
            "product_removed",
            "ledger_moved",
            "vault_moved",
            "state_moved",
            "revoked_withdrawn",
        ),
        "integrated": bool,
        "proved_not_revoked": bool,
    },
    EventKind.PLAN: {"condition": ("errored", "incomplete", "stripped"), "keys_in_scope": bool},
}

# What a rule's message may name, by kind; every event about a key has `key` besides.
WORDS: dict[EventKind, tuple[str, ...]] = {
    EventKind.KEY_LEAVES: ("because", "days"),
    EventKind.KEY_TAGS: ("after",),
    EventKind.KEY_IDENTITY: ("other", "arn", "former"),
    EventKind.KEY_FORM: ("spec", "usage", "expected", "arn"),
    EventKind.KEY_MATERIAL: ("valid_to",),
    EventKind.DELETION_WINDOW: ("before", "after", "declared"),
    EventKind.VENDOR_ACCESS: ("vendor", "actions", "by"),
    EventKind.VENDOR_PRIVILEGES: ("actions", "vendor"),
    EventKind.OTHER_ACCOUNTS: ("gained", "lost", "vendor"),
    EventKind.OUTSIDE_PRINCIPALS: ("names",),
    EventKind.REFUSED_POLICY: ("because",),
    EventKind.OWNER_POWERS: ("power",),
    EventKind.GRANT: ("grant",),
    EventKind.VENDOR_STATEMENT: ("vendor",),
    EventKind.RETIRING_PRINCIPAL: ("grant", "principal"),
    EventKind.ALIAS: ("alias", "new_name", "before", "after"),
    EventKind.KEY_STORE: ("store",),
    EventKind.ORGANIZATION_POLICY: ("vendor", "actions"),
    EventKind.DEFERRED: ("why",),
    EventKind.UNREAD: ("type",),
    EventKind.DRIFT: ("what", "then"),
    EventKind.DECLARED_STATE: ("before", "after", "number"),
    EventKind.DECLARATION: ("before", "after"),
}
_WITHOUT_KEY = (EventKind.ORGANIZATION_POLICY, EventKind.DECLARATION, EventKind.PLAN)


def words_of(kind: EventKind) -> tuple[str, ...]:
    """What a rule's message about an event of this kind may name."""
    return (*(() if kind in _WITHOUT_KEY else ("key",)), *WORDS.get(kind, ()))


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that a plan does to custody.

    Attributes:
        kind: What it is.
        address: The resource it is about, or the declaration or plan.
        facts: Its particulars, all that the vocabulary lists for the kind.
        words: What a message may name: `key` and whatever the kind brings; never a sensitive value.
        key: The address of the key whose use is at stake, or None.
    """

    kind: EventKind
    address: str
    facts: Mapping[str, Fact]
    words: Mapping[str, str] = field(default_factory=dict)
    key: str | None = None


Told = Event | EventKind  # what a detector tells: an event, or that it looked and there was nothing to tell
