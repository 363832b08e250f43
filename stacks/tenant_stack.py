"""One tenant's stack: a KMS key for each generation, the alias, the vendor's grants and the outputs.

What is emitted for a generation is decided in `stacks.custody`; this module gives it addresses that people
read in plans and reviews:

- `aws_kms_key.generation_1`, one for each generation that the stacks make and that is not deleted
- `aws_kms_alias.current`, on the current generation; `aws_kms_alias.generation_1` where one is declared
- `aws_kms_grant.generation_1_vendor`, replaced by making the new one first, so that access has no gap
- the outputs `generation_1_key_arn`, `alias_name` and `alias_arn` (EKM-22)

The provider works in the declared account alone: credentials of another one change nothing (EKM-05).
The state is kept as CDKTF does by default, in `terraform.TENANT.tfstate` in the working folder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.declaration import GENERATION_TAG, TENANT_TAG, DeclaredState
from engine.errors import InputError
from engine.lifecycle import FIRST_GENERATION
from stacks.cdktf_imports import TerraformOutput, TerraformStack
from stacks.custody import VENDOR_GRANT_OPERATIONS, alias_target, custody_of
from stacks.guard_aspect import Guards
from stacks.key_policy import account_root, key_policy
from stacks.resources import (
    AwsProvider,
    AwsProviderArguments,
    KmsAlias,
    KmsAliasArguments,
    KmsGrant,
    KmsGrantArguments,
    KmsKey,
    KmsKeyArguments,
    Lifecycle,
    Reference,
)

if TYPE_CHECKING:
    from engine.arn import KeyArn
    from engine.declaration import Declaration, DeclaredGeneration
    from stacks.cdktf_imports import Construct
    from stacks.custody import Custody


class TenantStack(TerraformStack):
    """The stack of one declaration, named after its tenant.

    Args:
        scope: The application.
        declaration: One that `stacks.limits` finds nothing against.
        alias_may_move: Whether evidence proves that the current generation is integrated; else the alias stays
            where it points, and is only made where there is none.
    """

    def __init__(self, scope: Construct, declaration: Declaration, *, alias_may_move: bool) -> None:
        super().__init__(scope, declaration.tenant)
        self._declaration = declaration
        self._alias_may_move = alias_may_move or declaration.current == FIRST_GENERATION
        account = declaration.account
        self._provider = AwsProvider(
            self, AwsProviderArguments(region=account.region, allowed_account_ids=(account.account_id,))
        )
        # CDKTF calls back into these objects while it writes the stack, so they are kept alive.
        self.keys: dict[int, KmsKey] = {}
        self.aliases: list[KmsAlias] = []
        self.grants: list[KmsGrant] = []
        for generation in declaration.generations:
            custody = custody_of(declaration, generation)
            if custody.emitted:
                self.keys[generation.number] = self._key(generation, custody)
        self._aliases()
        self._outputs()
        self.guards = Guards(self, declaration)

    def _key(self, generation: DeclaredGeneration, custody: Custody) -> KmsKey:
        name = f"generation_{generation.number}"
        key = KmsKey(
            self,
            name,
            KmsKeyArguments(
                description=generation.description,
                policy=key_policy(self._declaration, generation.number).to_json(),
                is_enabled=custody.enabled,
                multi_region=generation.multi_region,
                deletion_window_in_days=generation.deletion_window_in_days,
                enable_key_rotation=generation.rotation_period_in_days is not None,
                rotation_period_in_days=generation.rotation_period_in_days,
                tags={TENANT_TAG: self._declaration.tenant, GENERATION_TAG: str(generation.number)},
            ),
            Lifecycle(prevent_destroy=custody.kept),
        )
        if custody.vendor_by_grant:
            self.grants.append(self._grant(generation, key))
        return key

    def _grant(self, generation: DeclaredGeneration, key: KmsKey) -> KmsGrant:
        declaration = self._declaration
        return KmsGrant(
            self,
            f"generation_{generation.number}_vendor",
            KmsGrantArguments(
                name=f"keyturn-{declaration.tenant}-{generation.number}-vendor",
                key_id=key.key_id,
                grantee_principal=account_root(declaration.account.partition, declaration.vendor.account_id),
                operations=VENDOR_GRANT_OPERATIONS,
            ),
            Lifecycle(create_before_destroy=True),
        )

    def _aliases(self) -> None:
        declaration = self._declaration
        target = self._target(alias_target(declaration))
        stays = None if self._alias_may_move else Lifecycle(ignore_changes=("target_key_id",))
        current = KmsAlias(self, "current", KmsAliasArguments(name=declaration.alias, target_key_id=target), stays)
        self.aliases.append(current)
        for generation in declaration.generations:
            if generation.alias is None or generation.state is DeclaredState.DELETED:
                continue
            name = f"generation_{generation.number}"
            arguments = KmsAliasArguments(name=generation.alias, target_key_id=self._target(generation))
            alias = KmsAlias(self, f"{name}_alias", arguments)
            alias.override_logical_id(name)
            self.aliases.append(alias)
        TerraformOutput(self, "alias_name", value=declaration.alias, description="The alias on the current key.")
        TerraformOutput(self, "alias_arn", value=current.arn.token, description="The alias's ARN.")

    def _outputs(self) -> None:
        for generation in self._declaration.generations:
            key = self.keys.get(generation.number)
            arn = key.arn.token if key is not None else _text(generation.key_arn)
            if arn is not None and generation.state is not DeclaredState.DELETED:
                TerraformOutput(
                    self,
                    f"generation_{generation.number}_key_arn",
                    value=arn,
                    description=f"The key ARN of generation {generation.number}, for `keyturn` and the Druva console.",
                )

    def _target(self, generation: DeclaredGeneration) -> Reference | str:
        """The key that an alias of this generation points to."""
        key = self.keys.get(generation.number)
        if key is not None:
            return key.key_id
        if generation.key_arn is None:
            raise InputError(
                f"no alias can point to generation {generation.number} of tenant {self._declaration.tenant!r}: "
                "the ARN of its key is not declared",
                "declare its key_arn beside its address",
            )
        return str(generation.key_arn)


def _text(arn: KeyArn | None) -> str | None:
    return None if arn is None else str(arn)
