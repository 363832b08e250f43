"""Typed Terraform resources of our own, for exactly what the stacks use: what all of them have in common.

CDKTF's prebuilt AWS provider holds every resource of AWS and costs seconds and more than a gigabyte to
load; a few classes give the same JSON. Each resource has a frozen dataclass of arguments whose fields are named
and typed as the provider's schema has them; `None` leaves an argument out. A test holds every field, and
what is emitted, against the schema of the real provider. The resources of AWS KMS are in `stacks.kms_resources`,
the arguments of all beside them: `kms_arguments`, `storage_arguments`, `alert_arguments`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stacks.cdktf_imports import (
    TerraformProvider,
    TerraformProviderGeneratorMetadata,
    TerraformResource,
    TerraformResourceLifecycle,
)
from stacks.rendering import Reference, attributes_of, hcl_attributes_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stacks.cdktf_imports import Construct
    from stacks.rendering import Arguments

PROVIDER_SOURCE = "hashicorp/aws"
PROVIDER_VERSIONS = ">= 5.100, < 7"


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsProviderArguments:
    """Arguments of the provider `aws`.

    Attributes:
        region: The Region of its resources.
        allowed_account_ids: The accounts outside which nothing is done, whatever credentials are at hand.
        alias: Its name beside the main one, for resources in another Region.
    """

    region: str
    allowed_account_ids: tuple[str, ...]
    alias: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifecycle:
    """What Terraform may do to a resource.

    Attributes:
        prevent_destroy: Whether a plan that would destroy it is refused.
        create_before_destroy: Whether a replacement is made first.
        ignore_changes: Attributes that are set when it is made, and left as they are from then on.
    """

    prevent_destroy: bool = False
    create_before_destroy: bool = False
    ignore_changes: tuple[str, ...] = ()


class AwsProvider(TerraformProvider):
    """The provider `hashicorp/aws`, in the range of versions that the tests cover."""

    def __init__(self, scope: Construct, arguments: AwsProviderArguments) -> None:
        self.arguments = arguments
        super().__init__(
            scope,
            "aws" if arguments.alias is None else f"aws_{arguments.alias}",
            terraform_resource_type="aws",
            terraform_provider_source=PROVIDER_SOURCE,
            terraform_generator_metadata=TerraformProviderGeneratorMetadata(
                provider_name="aws", provider_version_constraint=PROVIDER_VERSIONS
            ),
        )

    def _synthesize_attributes(self) -> Mapping[str, Any]:
        return attributes_of(self.arguments)

    def _synthesize_hcl_attributes(self) -> Mapping[str, Any]:
        return hcl_attributes_of(self.arguments)


class AliasedAwsProvider(AwsProvider):
    """The same beside the main one: CDKTF asks for its alias, and keeps none that is given to it."""

    @property  # type: ignore[misc]  # the setter of CDKTF's own does nothing
    def alias(self) -> str | None:
        """What resources name it by."""
        return self.arguments.alias


class TypedResource(TerraformResource):
    """A resource whose attributes are its arguments."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        terraform_type: str,
        arguments: Arguments,
        lifecycle: Lifecycle | None = None,
        provider: AwsProvider | None = None,
    ) -> None:
        super().__init__(
            scope,
            name,
            terraform_resource_type=terraform_type,
            provider=provider,
            lifecycle=None
            if lifecycle is None
            else TerraformResourceLifecycle(
                prevent_destroy=lifecycle.prevent_destroy or None,
                create_before_destroy=lifecycle.create_before_destroy or None,
                ignore_changes=list(lifecycle.ignore_changes) or None,
            ),
        )
        self.arguments = arguments
        self._address = f"{terraform_type}.{name}"

    def _synthesize_attributes(self) -> Mapping[str, Any]:
        return attributes_of(self.arguments)

    def _synthesize_hcl_attributes(self) -> Mapping[str, Any]:
        return hcl_attributes_of(self.arguments)

    def _reference(self, attribute: str) -> Reference:
        """A reference from within the same stack, without a call to CDKTF, of which there would be very many."""
        return Reference(f"${{{self._address}.{attribute}}}")

    def reference_from_elsewhere(self, attribute: str) -> Reference:
        """A reference from another stack, for which CDKTF has to make an output here and to read it there."""
        return Reference(self.get_string_attribute(attribute))


class Resource(TypedResource):
    """A resource of whatever type, whose references are asked for by name."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        terraform_type: str,
        arguments: Arguments,
        lifecycle: Lifecycle | None = None,
    ) -> None:
        super().__init__(scope, name, terraform_type, arguments, lifecycle)

    def reference(self, attribute: str) -> Reference:
        """An attribute that the provider computes."""
        return self._reference(attribute)
