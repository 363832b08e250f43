"""Typed Terraform resources of our own, for exactly what the stacks use.

CDKTF's prebuilt AWS provider holds every resource of AWS and costs seconds and more than a gigabyte to
load; these few classes give the same JSON. Each has a frozen dataclass of arguments whose fields are named
and typed as the provider's schema has them; `None` leaves an argument out. A test holds every field, and
what is emitted, against the schema of the real provider.

A text is emitted literally: Terraform's template marks in it are escaped, so that nothing a person writes
into a description becomes an expression. What is to be resolved by Terraform is a `Reference`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from stacks.cdktf_imports import (
    TerraformProvider,
    TerraformProviderGeneratorMetadata,
    TerraformResource,
    TerraformResourceLifecycle,
)

if TYPE_CHECKING:
    from stacks.cdktf_imports import Construct

PROVIDER_SOURCE = "hashicorp/aws"
PROVIDER_VERSIONS = ">= 5.100, < 7"


@dataclass(frozen=True, slots=True)
class Reference:
    """A value that Terraform resolves, such as the ARN of a key yet to be made.

    Attributes:
        token: An expression, or a placeholder that CDKTF replaces by one.
    """

    token: str


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
class KmsKeyArguments:
    """Arguments of `aws_kms_key`; the defaults make a symmetric key for encryption (EKM-14)."""

    description: str
    policy: str
    is_enabled: bool
    multi_region: bool
    deletion_window_in_days: int
    enable_key_rotation: bool
    rotation_period_in_days: int | None
    tags: Mapping[str, str]
    custom_key_store_id: str | None = None
    xks_key_id: str | None = None
    key_usage: str = "ENCRYPT_DECRYPT"
    customer_master_key_spec: str = "SYMMETRIC_DEFAULT"
    bypass_policy_lockout_safety_check: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class KmsExternalKeyArguments:
    """Arguments of `aws_kms_external_key`, a symmetric key whose material its administrator imports.

    The material never passes through Terraform, whose plan and state would hold it in clear.

    Attributes:
        enabled: Whether it is enabled; None while it awaits its material.
    """

    description: str
    policy: str
    enabled: bool | None
    multi_region: bool
    deletion_window_in_days: int
    tags: Mapping[str, str]
    bypass_policy_lockout_safety_check: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class KmsReplicaKeyArguments:
    """Arguments of `aws_kms_replica_key` and `aws_kms_replica_external_key`, in the Region of their provider.

    Attributes:
        enabled: Whether it is enabled; None while it awaits its material.
    """

    primary_key_arn: Reference | str
    description: str
    policy: str
    enabled: bool | None
    deletion_window_in_days: int
    tags: Mapping[str, str]
    bypass_policy_lockout_safety_check: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class KmsAliasArguments:
    """Arguments of `aws_kms_alias`; the target is a key id or a key ARN."""

    name: str
    target_key_id: Reference | str


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantConstraints:
    """What the encryption context of every call by a grant must hold."""

    encryption_context_subset: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class KmsGrantArguments:
    """Arguments of `aws_kms_grant`; each forces a new grant when it changes."""

    name: str
    key_id: Reference | str
    grantee_principal: str
    operations: tuple[str, ...]
    constraints: tuple[GrantConstraints, ...] | None = None


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


class Arguments(Protocol):
    """Any frozen dataclass whose fields are the arguments of a resource or provider, or of a block in one.

    A field that holds a tuple of such dataclasses is a repeated block.
    """

    __dataclass_fields__: ClassVar[dict[str, Any]]


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

    @property  # type: ignore[misc]  # the setter of CDKTF's own does nothing
    def alias(self) -> str | None:
        """What resources name it by; CDKTF asks for it, and keeps none that is given to it."""
        return self.arguments.alias

    def _synthesize_attributes(self) -> Mapping[str, Any]:
        return attributes_of(self.arguments)

    def _synthesize_hcl_attributes(self) -> Mapping[str, Any]:
        return hcl_attributes_of(self.arguments)


class _Resource(TerraformResource):
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


class AnyKmsKey(_Resource):
    """A KMS key in the customer's account, of whatever origin, primary or replica."""

    @property
    def arn(self) -> Reference:
        """The key's full ARN."""
        return self._reference("arn")


class KmsKey(AnyKmsKey):
    """A key with material of AWS KMS, or in a custom key store."""

    def __init__(self, scope: Construct, name: str, arguments: KmsKeyArguments, lifecycle: Lifecycle) -> None:
        super().__init__(scope, name, "aws_kms_key", arguments, lifecycle)

    @property
    def key_id(self) -> Reference:
        """The key's id."""
        return self._reference("key_id")


class KmsExternalKey(AnyKmsKey):
    """A key with imported material."""

    def __init__(self, scope: Construct, name: str, arguments: KmsExternalKeyArguments, lifecycle: Lifecycle) -> None:
        super().__init__(scope, name, "aws_kms_external_key", arguments, lifecycle)

    @property
    def key_id(self) -> Reference:
        """The key's id, which the provider gives as the resource's."""
        return self._reference("id")


class KmsReplicaKey(AnyKmsKey):
    """A replica of a multi-Region key, in the Region of its provider."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        arguments: KmsReplicaKeyArguments,
        lifecycle: Lifecycle,
        provider: AwsProvider,
        terraform_type: str = "aws_kms_replica_key",
    ) -> None:
        super().__init__(scope, name, terraform_type, arguments, lifecycle, provider)

    @property
    def key_id(self) -> Reference:
        """The key's id, the same as the primary's."""
        return self._reference("key_id")


class KmsReplicaExternalKey(KmsReplicaKey):
    """A replica of a multi-Region key with imported material; the same material is imported into each."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        arguments: KmsReplicaKeyArguments,
        lifecycle: Lifecycle,
        provider: AwsProvider,
    ) -> None:
        super().__init__(scope, name, arguments, lifecycle, provider, "aws_kms_replica_external_key")


class KmsAlias(_Resource):
    """An alias, which can be pointed to another key of the account and Region."""

    def __init__(
        self, scope: Construct, name: str, arguments: KmsAliasArguments, lifecycle: Lifecycle | None = None
    ) -> None:
        super().__init__(scope, name, "aws_kms_alias", arguments, lifecycle)

    @property
    def arn(self) -> Reference:
        """The alias's ARN."""
        return self._reference("arn")


class KmsGrant(_Resource):
    """A grant on a key."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        arguments: KmsGrantArguments,
        lifecycle: Lifecycle,
        provider: AwsProvider | None = None,
    ) -> None:
        super().__init__(scope, name, "aws_kms_grant", arguments, lifecycle, provider)


class Resource(_Resource):
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


def attributes_of(arguments: Arguments) -> dict[str, Any]:
    """The arguments as the JSON of Terraform has them, without those that are None."""
    values = ((field.name, getattr(arguments, field.name)) for field in fields(arguments))
    return {name: _json_value(value) for name, value in values if value is not None}


def hcl_attributes_of(arguments: Arguments) -> dict[str, Any]:
    """The same with the types that CDKTF's writer of HCL asks for (`cdktf synth --hcl`)."""
    described: dict[str, Any] = {}
    for field in fields(arguments):
        value = getattr(arguments, field.name)
        if value is None:
            continue
        if isinstance(value, tuple) and value and is_dataclass(value[0]) and not isinstance(value[0], Reference):
            blocks = [hcl_attributes_of(block) for block in value]
            described[field.name] = {"value": blocks, "isBlock": True, "type": "list", "storageClassType": "list"}
        else:
            emitted = _json_value(value)
            written = emitted if isinstance(value, Reference) else _hcl_value(emitted)
            described[field.name] = {"value": written, "isBlock": False, **_hcl_type(emitted)}
    return described


def escaped(text: str) -> str:
    """The text with the marks of Terraform's templates escaped (Terraform, "Strings and Templates")."""
    return text.replace("${", "$${").replace("%{", "%%{")


def _json_value(value: Any) -> Any:
    if isinstance(value, Reference):
        return value.token
    if isinstance(value, str):
        return escaped(value)
    if isinstance(value, tuple):
        return [_json_value(item) for item in value]
    if isinstance(value, Mapping):
        return {escaped(key): _json_value(item) for key, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return attributes_of(value)
    return value


def _hcl_value(value: Any) -> Any:
    """A text with every mark of HCL's strings escaped, which CDKTF's writer does for a few alone.

    It takes a text with `${` for an expression, never escapes a backslash, and writes lines as a heredoc, which a line
    of the text can end.
    """
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)[1:-1]
    if isinstance(value, list):
        return [_hcl_value(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _hcl_value(item) for key, item in value.items()}
    return value


def _hcl_type(value: Any) -> Mapping[str, str]:
    if isinstance(value, bool):
        return {"type": "simple", "storageClassType": "boolean"}
    if isinstance(value, int):
        return {"type": "simple", "storageClassType": "number"}
    if isinstance(value, list):
        return {"type": "set", "storageClassType": "stringList"}
    if isinstance(value, Mapping):
        return {"type": "map", "storageClassType": "stringMap"}
    return {"type": "simple", "storageClassType": "string"}
