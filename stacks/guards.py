"""What no synthesis may emit, whoever changed the stacks: rules on the JSON of single resources.

Each guard looks at what Terraform will read, not at what built it, and holds it against the declaration:

- `tags`: a KMS key carries the tags of the tenant and of a generation that the stacks make.
- `prevent_destroy`: the key of a generation that is not released cannot be destroyed (EKM-33).
- `deletion_window`: the window is the declared one and at least 7 days (EKM-17).
- `enabled`: a key is enabled exactly while its generation is active and the tenant not revoked (EKM-10).
- `key_kind`: a key is of the declared origin, symmetric and for encryption, and no lockout check is bypassed
  (EKM-06, EKM-14).
- `ignored_changes`: Terraform is not told to leave anything as it stands that these guards are about: what the
  declaration says of it, such as a revocation, would never reach the key (EKM-10).
- `place`: a key is where its declaration has it, by the provider that the stack gives it: a primary by the main one.
- `material`: key material is never in what Terraform reads (EKM-06).
- `rotation`: automatic rotation is what the declaration says.
- the guards of `stacks.policy_guards` on its policy.
- `grant`: a grant goes to the vendor alone, for no more than it needs, and never while revoked (EKM-18).
- `unknown_kind`: no other resource of KMS is emitted: a policy of its own, for one, would stand above the key's.
- `every_generation`: each generation that the stacks make has exactly one key, and one replica in each
  declared Region (EKM-34); none is multiplied or taken away by `count` or `for_each`.

An attribute that cannot be read is a finding, never a pass.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from engine.declaration import GENERATION_TAG, TENANT_TAG, DeclaredState, Origin
from stacks.custody import VENDOR_GRANT_OPERATIONS, custody_of, region_identifier
from stacks.findings import Finding
from stacks.key_policy import account_root
from stacks.policy_guards import judge_policy

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from engine.declaration import Declaration, DeclaredGeneration
    from stacks.findings import EmittedResource

PRIMARY_TYPES = ("aws_kms_key", "aws_kms_external_key")
REPLICA_TYPES = ("aws_kms_replica_key", "aws_kms_replica_external_key")
EXTERNAL_TYPES = ("aws_kms_external_key", "aws_kms_replica_external_key")

# What may be left as somebody else sets it: the importer's attributes, and what no guard is about.
IGNORABLE = ("description", "tags_all", "key_material_base64", "valid_to")

MINIMUM_DELETION_WINDOW_IN_DAYS = 7  # AWS KMS API, "ScheduleKeyDeletion"


def judge_resource(declaration: Declaration, resource: EmittedResource) -> tuple[Finding, ...]:
    """Hold one resource against the guards; a type that no guard is about passes.

    Args:
        declaration: What the stack was made from.
        resource: What it emits.

    Returns:
        The findings; empty where every guard is content.
    """
    if resource.terraform_type in (*PRIMARY_TYPES, *REPLICA_TYPES):
        return tuple(_judge_key(declaration, resource))
    if resource.terraform_type == "aws_kms_grant":
        return tuple(_judge_grant(declaration, resource))
    if resource.terraform_type.startswith("aws_kms_") and resource.terraform_type != "aws_kms_alias":
        message = "no guard knows this kind of resource, so nothing tells what it does to the keys"
        return (Finding("unknown_kind", resource.address, message),)
    return ()


def judge_generations(declaration: Declaration, emitted: Iterable[EmittedResource]) -> tuple[Finding, ...]:
    """Hold the keys of a whole stack against the declared generations.

    Args:
        declaration: What the stack was made from.
        emitted: All of its resources.

    Returns:
        A finding for each generation whose key is missing, or emitted more than once.
    """
    resources = tuple(emitted)
    generations = _generations_with_key(declaration)
    keys = Counter(_generation_tag(resource) for resource in resources if resource.terraform_type in PRIMARY_TYPES)
    replicas = {
        number: sorted(
            str(resource.attributes.get("provider"))
            for resource in resources
            if resource.terraform_type in REPLICA_TYPES and _generation_tag(resource) == number
        )
        for number in generations
    }
    missing_keys = (
        Finding(
            "every_generation",
            declaration.tenant,
            f"generation {number} has {keys[number]} keys in the stack; it must have exactly one",
            ("EKM-33",),
        )
        for number in generations
        if keys[number] != 1
    )
    missing_replicas = (
        Finding(
            "every_generation",
            declaration.tenant,
            f"generation {number} has {len(replicas[number])} replicas in the stack, "
            f"by {', '.join(replicas[number]) or 'no provider'}; it must have {len(generation.replicas)}: "
            f"{', '.join(generation.replicas) or 'none is declared'}",
            ("EKM-34",),
        )
        for number, generation in generations.items()
        if replicas[number] != sorted(f"aws.{region_identifier(region)}" for region in generation.replicas)
    )
    return (*missing_keys, *missing_replicas)


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
    yield from _judge_meta_arguments(key)
    yield from _judge_custody(declaration, generation, key)
    yield from _judge_kind(generation, key)
    yield from judge_policy(declaration, generation, key.address, key.attributes.get("policy"))


def _judge_meta_arguments(key: EmittedResource) -> Iterator[Finding]:
    for name in ("count", "for_each"):
        if name in key.attributes:
            message = f"{name} must not be there: a generation has exactly one key"
            yield Finding("every_generation", key.address, message, ("EKM-33",))
    elsewhere = key.terraform_type in PRIMARY_TYPES and "provider" in key.attributes
    if elsewhere or "region" in key.attributes:
        message = "its Region must be that of the declaration: neither region nor another provider may be named"
        yield Finding("place", key.address, message, ("EKM-05",))
    lifecycle = key.attributes.get("lifecycle")
    ignored = lifecycle.get("ignore_changes") if isinstance(lifecycle, dict) else None
    if ignored is not None and not (isinstance(ignored, list) and all(map(_is_ignorable, ignored))):
        message = f"lifecycle.ignore_changes must name nothing but {', '.join(IGNORABLE)} and single tags of your own"
        yield Finding("ignored_changes", key.address, message, ("EKM-10",))


def _is_ignorable(name: Any) -> bool:
    return name in IGNORABLE or (isinstance(name, str) and name.startswith("tags[") and "keyturn:" not in name)


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
    name = "is_enabled" if key.terraform_type == "aws_kms_key" else "enabled"
    enabled = custody_of(declaration, generation).enabled
    if key.attributes.get(name) is not enabled:
        why = "the tenant is revoked" if declaration.revoked else f"the generation is {generation.state.value}"
        message = f"{name} must be {str(enabled).lower()}, because {why}"
        if enabled is None:
            message = f"{name} cannot be asked for while the key awaits its material"
        yield Finding("enabled", key.address, message, ("EKM-10",))


def _judge_kind(generation: DeclaredGeneration, key: EmittedResource) -> Iterator[Finding]:
    external = key.terraform_type in EXTERNAL_TYPES
    if external is not (generation.origin is Origin.EXTERNAL):
        message = f"a {key.terraform_type} cannot be of the declared origin {generation.origin.value}"
        yield Finding("key_kind", key.address, message, ("EKM-06",))
    expected: dict[str, Any] = {"bypass_policy_lockout_safety_check": False}
    if key.terraform_type in PRIMARY_TYPES:
        expected["multi_region"] = generation.multi_region
    if key.terraform_type == "aws_kms_key":
        expected |= {
            "key_usage": "ENCRYPT_DECRYPT",
            "customer_master_key_spec": "SYMMETRIC_DEFAULT",
            "custom_key_store_id": generation.custom_key_store_id,
            "xks_key_id": generation.xks_key_id,
        }
    for attribute, wanted in expected.items():
        value = key.attributes.get(attribute)
        if value != wanted:
            yield Finding("key_kind", key.address, f"{attribute} is {value!r}; it must be {wanted!r}", ("EKM-14",))
    if "key_material_base64" in key.attributes:
        message = "key_material_base64 would put the key material into the plan and the state in clear"
        yield Finding("material", key.address, message, ("EKM-06",))
    if key.terraform_type != "aws_kms_key":
        return
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
    pairs = dict(declaration.vendor_narrowing.encryption_context)
    expected = [{"encryption_context_subset": pairs}] if pairs else None
    if grant.attributes.get("constraints") != expected:
        message = f"its constraints must be {expected or 'none'}, as vendor_narrowing says"
        yield Finding("grant", grant.address, message, ("EKM-18",))
