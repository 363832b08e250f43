"""What no synthesis may emit, whoever changed the stacks: rules on the JSON of single resources.

Each guard looks at what Terraform will read, not at what built it, and holds it against the declaration:

- `tags`: a KMS key carries the tags of the tenant and of a generation that the stacks make.
- `prevent_destroy`: the key of a generation that is not released cannot be destroyed (EKM-33).
- `deletion_window`: the window is the declared one and at least 7 days (EKM-17).
- `enabled`: a key is enabled exactly while its generation is active and the tenant not revoked (EKM-10).
- `key_kind`: a key is symmetric and for encryption, and no lockout check is bypassed (EKM-14).
- `rotation`: automatic rotation is what the declaration says.
- the guards of `stacks.policy_guards` on its policy.
- `grant`: a grant goes to the vendor alone, for no more than it needs, and never while revoked (EKM-18).
- `every_generation`: each generation that the stacks make has exactly one key.

An attribute that cannot be read is a finding, never a pass.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from engine.declaration import GENERATION_TAG, TENANT_TAG, DeclaredState
from stacks.custody import VENDOR_GRANT_OPERATIONS
from stacks.findings import Finding
from stacks.key_policy import account_root
from stacks.policy_guards import judge_policy

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from engine.declaration import Declaration, DeclaredGeneration
    from stacks.findings import EmittedResource

MINIMUM_DELETION_WINDOW_IN_DAYS = 7  # AWS KMS API, "ScheduleKeyDeletion"


def judge_resource(declaration: Declaration, resource: EmittedResource) -> tuple[Finding, ...]:
    """Hold one resource against the guards; a type that no guard is about passes.

    Args:
        declaration: What the stack was made from.
        resource: What it emits.

    Returns:
        The findings; empty where every guard is content.
    """
    if resource.terraform_type == "aws_kms_key":
        return tuple(_judge_key(declaration, resource))
    if resource.terraform_type == "aws_kms_grant":
        return tuple(_judge_grant(declaration, resource))
    return ()


def judge_generations(declaration: Declaration, emitted: Iterable[EmittedResource]) -> tuple[Finding, ...]:
    """Hold the keys of a whole stack against the declared generations.

    Args:
        declaration: What the stack was made from.
        emitted: All of its resources.

    Returns:
        A finding for each generation whose key is missing, or emitted more than once.
    """
    keys = Counter(_generation_tag(resource) for resource in emitted if resource.terraform_type == "aws_kms_key")
    return tuple(
        Finding(
            "every_generation",
            declaration.tenant,
            f"generation {number} has {keys[number]} keys in the stack; it must have exactly one",
            ("EKM-33",),
        )
        for number in _generations_with_key(declaration)
        if keys[number] != 1
    )


def _generations_with_key(declaration: Declaration) -> dict[str, DeclaredGeneration]:
    """The generations whose key the stack must hold, by number as the tags have it."""
    return {
        str(generation.number): generation
        for generation in declaration.generations
        if generation.made_by_stacks and generation.state is not DeclaredState.DELETED
    }


def _generation_tag(resource: EmittedResource) -> str | None:
    tags = resource.attributes.get("tags")
    value = tags.get(GENERATION_TAG) if isinstance(tags, dict) else None
    return value if isinstance(value, str) else None


def _judge_key(declaration: Declaration, key: EmittedResource) -> Iterator[Finding]:
    generation = _generations_with_key(declaration).get(_generation_tag(key) or "")
    if generation is None or key.attributes["tags"].get(TENANT_TAG) != declaration.tenant:
        yield Finding(
            "tags",
            key.address,
            f"its tags must be {TENANT_TAG} = {declaration.tenant!r} and {GENERATION_TAG} = "
            "the number of a generation that the stacks make",
        )
        return
    yield from _judge_custody(declaration, generation, key)
    yield from _judge_kind(generation, key)
    yield from judge_policy(declaration, generation, key.address, key.attributes.get("policy"))


def _judge_custody(declaration: Declaration, generation: DeclaredGeneration, key: EmittedResource) -> Iterator[Finding]:
    lifecycle = key.attributes.get("lifecycle")
    prevented = isinstance(lifecycle, dict) and lifecycle.get("prevent_destroy") is True
    if generation.state is not DeclaredState.RELEASED and not prevented:
        message = f"generation {generation.number} is not released, so lifecycle.prevent_destroy must be true"
        yield Finding("prevent_destroy", key.address, message, ("EKM-33",))
    window, declared = key.attributes.get("deletion_window_in_days"), generation.deletion_window_in_days
    if window != declared or declared < MINIMUM_DELETION_WINDOW_IN_DAYS:
        message = f"deletion_window_in_days is {window!r}; it must be {declared}, as declared"
        yield Finding("deletion_window", key.address, message, ("EKM-17",))
    enabled = generation.state is DeclaredState.ACTIVE and not declaration.revoked
    if key.attributes.get("is_enabled") is not enabled:
        why = "the tenant is revoked" if declaration.revoked else f"the generation is {generation.state.value}"
        message = f"is_enabled must be {str(enabled).lower()}, because {why}"
        yield Finding("enabled", key.address, message, ("EKM-10",))


def _judge_kind(generation: DeclaredGeneration, key: EmittedResource) -> Iterator[Finding]:
    for attribute, expected in (
        ("key_usage", "ENCRYPT_DECRYPT"),
        ("customer_master_key_spec", "SYMMETRIC_DEFAULT"),
        ("bypass_policy_lockout_safety_check", False),
        ("multi_region", generation.multi_region),
    ):
        value = key.attributes.get(attribute)
        if value != expected:
            yield Finding("key_kind", key.address, f"{attribute} is {value!r}; it must be {expected!r}", ("EKM-14",))
    period = generation.rotation_period_in_days
    emitted = (key.attributes.get("enable_key_rotation"), key.attributes.get("rotation_period_in_days"))
    if emitted != (period is not None, period):
        declared = "off" if period is None else f"every {period} days"
        yield Finding("rotation", key.address, f"automatic rotation must be {declared}, as declared")


def _judge_grant(declaration: Declaration, grant: EmittedResource) -> Iterator[Finding]:
    if declaration.revoked or not declaration.vendor_access.by_grant:
        why = "the tenant is revoked" if declaration.revoked else "vendor_access is key_policy"
        yield Finding("grant", grant.address, f"a grant is emitted although {why}", ("EKM-10",))
    vendor = account_root(declaration.account.partition, declaration.vendor.account_id)
    if grant.attributes.get("grantee_principal") != vendor:
        yield Finding("grant", grant.address, f"its grantee must be {vendor}", ("EKM-18",))
    operations = grant.attributes.get("operations")
    allowed = isinstance(operations, list) and all(operation in VENDOR_GRANT_OPERATIONS for operation in operations)
    if not operations or not allowed:
        message = f"its operations must be among {', '.join(VENDOR_GRANT_OPERATIONS)}"
        yield Finding("grant", grant.address, message, ("EKM-18",))
