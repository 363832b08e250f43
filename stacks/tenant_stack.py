"""One tenant's stack: a KMS key for each generation, the alias, the vendor's grants and the outputs.

What is emitted for a generation is decided in `stacks.custody`; this module gives it addresses that people
read in plans and reviews:

- `aws_kms_key.generation_1` (`aws_kms_external_key` for imported material), one for each generation that the
  stacks make and that is not deleted; `aws_kms_replica_key.generation_1_eu_west_1` for each of its replicas
- `aws_kms_alias.current`, on the current generation; `aws_kms_alias.generation_1` where one is declared
- `aws_kms_grant.generation_1_vendor`, replaced by making the new one first, so that access has no gap
- the outputs `generation_1_key_arn`, `alias_name` and `alias_arn` (EKM-22)

The provider works in the declared account alone: credentials of another one change nothing (EKM-05).
The state is kept where the declaration says (`stacks.state_backend`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.declaration import DeclaredState
from engine.errors import InputError
from engine.lifecycle import FIRST_GENERATION
from stacks.cdktf_imports import TerraformOutput, TerraformStack
from stacks.custody import alias_target, custody_of, region_identifier
from stacks.generation_keys import GenerationKeys, Providers, make_keys
from stacks.guard_aspect import Guards
from stacks.kms_arguments import KmsAliasArguments
from stacks.kms_resources import KmsAlias
from stacks.resources import Lifecycle
from stacks.state_backend import keep_state

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.arn import KeyArn
    from engine.declaration import Declaration, DeclaredGeneration
    from stacks.cdktf_imports import Construct
    from stacks.rendering import Reference


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
        # CDKTF calls back into these objects while it writes the stack, so they are kept alive.
        self._providers = Providers(self, declaration)
        self.keys: dict[int, GenerationKeys] = {}
        self.aliases: list[KmsAlias] = []
        for generation in declaration.generations:
            if custody_of(declaration, generation).emitted:
                self.keys[generation.number] = make_keys(self, declaration, generation, self._providers)
        keep_state(self, declaration)
        self._aliases()
        self._outputs()
        self.guards = Guards(self, declaration, self._document)

    def prepare_stack(self) -> None:
        """Give the stack its backend and its guards, which is all that it needs before it is written.

        CDKTF's own would resolve every resource to look for references to other stacks. There are none: all that
        this stack emits is literal, and what another stack takes from it is prepared there.
        """
        self.ensure_backend_exists()
        self.guards.stand_last()

    def to_terraform(self) -> Mapping[str, Any]:
        """The stack's document, which the guards have judged."""
        return self.guards.judged_document()

    def to_hcl_terraform(self) -> Any:
        """The same for CDKTF's writer of HCL, which makes it from the resources and not from that document."""
        self.guards.judged_document()
        return super().to_hcl_terraform()

    def _document(self) -> Mapping[str, Any]:
        """The document of the stack as it stands now, for the guards."""
        document: Mapping[str, Any] = super().to_terraform()
        return document

    def arns_for_another_stack(self) -> tuple[str | None, tuple[str, ...]]:
        """The ARN of the current key, if it is known, and those of all keys, replicas included.

        Of a key that the stacks make it is a reference, for which this stack gets an output.
        """
        current, arns = None, []
        for generation in self._declaration.generations:
            if generation.state is DeclaredState.DELETED:
                continue
            keys = self.keys.get(generation.number)
            if keys is None:
                arn = _text(generation.key_arn)
            else:
                arn = keys.primary.reference_from_elsewhere("arn").token
                arns += [replica.reference_from_elsewhere("arn").token for replica in keys.replicas.values()]
            if arn is not None:
                arns.append(arn)
            if generation.number == self._declaration.current:
                current = arn
        return current, tuple(arns)

    def _arn(self, generation: DeclaredGeneration) -> str | None:
        if generation.state is DeclaredState.DELETED:
            return None
        keys = self.keys.get(generation.number)
        return keys.primary.arn.token if keys is not None else _text(generation.key_arn)

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
            number, keys = generation.number, self.keys.get(generation.number)
            arn = self._arn(generation)
            what = f"The key ARN of generation {number}"
            if arn is not None:
                self._output(f"generation_{number}_key_arn", arn, f"{what}, for `keyturn` and the Druva console.")
            for region, replica in keys.replicas.items() if keys is not None else ():
                name = f"generation_{number}_{region_identifier(region)}_key_arn"
                self._output(name, replica.arn.token, f"{what}, its replica in {region}.")

    def _output(self, name: str, value: str, description: str) -> None:
        TerraformOutput(self, name, value=value, description=description)

    def _target(self, generation: DeclaredGeneration) -> Reference | str:
        """The key that an alias of this generation points to."""
        keys = self.keys.get(generation.number)
        if keys is not None:
            return keys.primary.key_id
        if generation.key_arn is None:
            raise InputError(
                f"no alias can point to generation {generation.number} of tenant {self._declaration.tenant!r}: "
                "the ARN of its key is not declared",
                "declare its key_arn beside its address",
            )
        return str(generation.key_arn)


def _text(arn: KeyArn | None) -> str | None:
    return None if arn is None else str(arn)
