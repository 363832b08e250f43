"""The typed resources of AWS KMS: keys of every origin, their replicas, aliases and grants."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stacks.resources import TypedResource

if TYPE_CHECKING:
    from stacks.cdktf_imports import Construct
    from stacks.kms_arguments import (
        KmsAliasArguments,
        KmsExternalKeyArguments,
        KmsGrantArguments,
        KmsKeyArguments,
        KmsReplicaKeyArguments,
    )
    from stacks.rendering import Reference
    from stacks.resources import AwsProvider, Lifecycle


class AnyKmsKey(TypedResource):
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


class KmsAlias(TypedResource):
    """An alias, which can be pointed to another key of the account and Region."""

    def __init__(
        self, scope: Construct, name: str, arguments: KmsAliasArguments, lifecycle: Lifecycle | None = None
    ) -> None:
        super().__init__(scope, name, "aws_kms_alias", arguments, lifecycle)

    @property
    def arn(self) -> Reference:
        """The alias's ARN."""
        return self._reference("arn")


class KmsGrant(TypedResource):
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
