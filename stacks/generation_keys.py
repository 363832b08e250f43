"""The keys of one generation: its primary, and a replica in each declared Region, every one with its grant.

Which resource makes the primary follows from the origin (EKM-06):

- `AWS_KMS`, and a key in a CloudHSM or external key store: `aws_kms_key`
- `EXTERNAL`: `aws_kms_external_key`. Its material is imported by its administrator, outside Terraform, whose
  plan and state would show it. Terraform leaves the material and its expiry alone from then on.

A replica carries the same policy, state and grant as its primary, because AWS keeps none of these in step
(EKM-34). Each is in the provider of its Region.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.declaration import GENERATION_TAG, TENANT_TAG, Origin
from stacks.custody import VENDOR_GRANT_OPERATIONS, custody_of, region_identifier
from stacks.key_policy import account_root, key_policy
from stacks.kms_arguments import (
    GrantConstraints,
    KmsExternalKeyArguments,
    KmsGrantArguments,
    KmsKeyArguments,
    KmsReplicaKeyArguments,
)
from stacks.kms_resources import KmsExternalKey, KmsGrant, KmsKey, KmsReplicaExternalKey, KmsReplicaKey
from stacks.resources import AliasedAwsProvider, AwsProvider, AwsProviderArguments, Lifecycle

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.declaration import Declaration, DeclaredGeneration
    from stacks.cdktf_imports import TerraformStack

PrimaryKey = KmsKey | KmsExternalKey

# What belongs to whoever imports the material. The provider would import it anew, from nothing, on a change.
_LEFT_TO_THE_IMPORTER = ("key_material_base64", "valid_to")


@dataclass(frozen=True, slots=True)
class GenerationKeys:
    """The keys of a generation, with all that belongs to them.

    Attributes:
        primary: The key itself.
        replicas: Its replicas, by Region.
        grants: The vendor's grants on them.
    """

    primary: PrimaryKey
    replicas: Mapping[str, KmsReplicaKey]
    grants: tuple[KmsGrant, ...]


class Providers:
    """The provider of each Region, made when it is first asked for."""

    def __init__(self, stack: TerraformStack, declaration: Declaration) -> None:
        self._stack = stack
        self._account = declaration.account
        self._by_region: dict[str, AwsProvider] = {}
        self._main = self._make(self._account.region, None)

    def of(self, region: str) -> AwsProvider:
        """The provider of a Region."""
        if region == self._account.region:
            return self._main
        if region not in self._by_region:
            self._by_region[region] = self._make(region, region_identifier(region))
        return self._by_region[region]

    def _make(self, region: str, alias: str | None) -> AwsProvider:
        arguments = AwsProviderArguments(region=region, allowed_account_ids=(self._account.account_id,), alias=alias)
        return AwsProvider(self._stack, arguments) if alias is None else AliasedAwsProvider(self._stack, arguments)


def make_keys(
    stack: TerraformStack, declaration: Declaration, generation: DeclaredGeneration, providers: Providers
) -> GenerationKeys:
    """Emit the keys of a generation.

    Args:
        stack: The tenant's stack.
        declaration: The tenant's declaration.
        generation: One whose key the stacks make.
        providers: The providers of the stack.
    """
    name = f"generation_{generation.number}"
    primary = _primary(stack, name, declaration, generation)
    replicas = {
        region: _replica(
            stack, f"{name}_{region_identifier(region)}", declaration, generation, primary, providers.of(region)
        )
        for region in generation.replicas
    }
    grants: list[KmsGrant] = []
    if custody_of(declaration, generation).vendor_by_grant:
        prefix = f"keyturn-{declaration.tenant}-{generation.number}"
        grants.append(_grant(stack, f"{name}_vendor", f"{prefix}-vendor", declaration, primary, None))
        for region, replica in replicas.items():
            grants.append(
                _grant(
                    stack,
                    f"{name}_{region_identifier(region)}_vendor",
                    f"{prefix}-{region}-vendor",
                    declaration,
                    replica,
                    providers.of(region),
                )
            )
    return GenerationKeys(primary, replicas, tuple(grants))


def _primary(stack: TerraformStack, name: str, declaration: Declaration, generation: DeclaredGeneration) -> PrimaryKey:
    custody = custody_of(declaration, generation)
    policy = key_policy(declaration, generation.number).to_json()
    tags = _tags(declaration, generation)
    if generation.origin is Origin.EXTERNAL:
        return KmsExternalKey(
            stack,
            name,
            KmsExternalKeyArguments(
                description=generation.description,
                policy=policy,
                enabled=custody.enabled,
                multi_region=generation.multi_region,
                deletion_window_in_days=generation.deletion_window_in_days,
                tags=tags,
            ),
            Lifecycle(prevent_destroy=custody.kept, ignore_changes=_LEFT_TO_THE_IMPORTER),
        )
    return KmsKey(
        stack,
        name,
        KmsKeyArguments(
            description=generation.description,
            policy=policy,
            is_enabled=custody.enabled is not False,
            multi_region=generation.multi_region,
            deletion_window_in_days=generation.deletion_window_in_days,
            enable_key_rotation=generation.rotation_period_in_days is not None,
            rotation_period_in_days=generation.rotation_period_in_days,
            custom_key_store_id=generation.custom_key_store_id,
            xks_key_id=generation.xks_key_id,
            tags=tags,
        ),
        Lifecycle(prevent_destroy=custody.kept),
    )


def _replica(
    stack: TerraformStack,
    name: str,
    declaration: Declaration,
    generation: DeclaredGeneration,
    primary: PrimaryKey,
    provider: AwsProvider,
) -> KmsReplicaKey:
    custody = custody_of(declaration, generation)
    external = generation.origin is Origin.EXTERNAL
    arguments = KmsReplicaKeyArguments(
        primary_key_arn=primary.arn,
        description=generation.description,
        policy=key_policy(declaration, generation.number).to_json(),
        enabled=custody.enabled,
        deletion_window_in_days=generation.deletion_window_in_days,
        tags=_tags(declaration, generation),
    )
    lifecycle = Lifecycle(prevent_destroy=custody.kept, ignore_changes=_LEFT_TO_THE_IMPORTER if external else ())
    make = KmsReplicaExternalKey if external else KmsReplicaKey
    return make(stack, name, arguments, lifecycle, provider)


def _grant(
    stack: TerraformStack,
    name: str,
    grant_name: str,
    declaration: Declaration,
    key: PrimaryKey | KmsReplicaKey,
    provider: AwsProvider | None,
) -> KmsGrant:
    pairs = declaration.vendor_narrowing.encryption_context
    return KmsGrant(
        stack,
        name,
        KmsGrantArguments(
            name=grant_name,
            key_id=key.key_id,
            grantee_principal=account_root(declaration.account.partition, declaration.vendor.account_id),
            operations=VENDOR_GRANT_OPERATIONS,
            constraints=(GrantConstraints(encryption_context_subset=dict(pairs)),) if pairs else None,
        ),
        Lifecycle(create_before_destroy=True),
        provider,
    )


def _tags(declaration: Declaration, generation: DeclaredGeneration) -> Mapping[str, str]:
    return {TENANT_TAG: declaration.tenant, GENERATION_TAG: str(generation.number)}
