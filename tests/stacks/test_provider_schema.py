"""What the stacks emit, held against the schema of the real provider, so that they cannot drift apart."""

from __future__ import annotations

import dataclasses
import re
import sys
from typing import TYPE_CHECKING, Any, get_type_hints

import pytest

from stacks.alert_arguments import ALERT_TYPES
from stacks.kms_arguments import (
    KmsAliasArguments,
    KmsExternalKeyArguments,
    KmsGrantArguments,
    KmsKeyArguments,
    KmsReplicaKeyArguments,
)
from stacks.kms_resources import KmsAlias, KmsExternalKey, KmsGrant, KmsKey, KmsReplicaExternalKey, KmsReplicaKey
from stacks.rendering import Reference
from stacks.resources import AwsProviderArguments
from stacks.storage_arguments import STORAGE_TYPES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.stacks.conftest import InitialisedStack

pytestmark = pytest.mark.terraform

ARGUMENTS: dict[str, type[Any]] = {
    "aws_kms_key": KmsKeyArguments,
    "aws_kms_external_key": KmsExternalKeyArguments,
    "aws_kms_replica_key": KmsReplicaKeyArguments,
    "aws_kms_replica_external_key": KmsReplicaKeyArguments,
    "aws_kms_alias": KmsAliasArguments,
    "aws_kms_grant": KmsGrantArguments,
    **STORAGE_TYPES,
    **ALERT_TYPES,
}
TENANT_TYPES = {name for name in ARGUMENTS if name.startswith("aws_kms_")}
RESOURCES = {
    "aws_kms_key": KmsKey,
    "aws_kms_external_key": KmsExternalKey,
    "aws_kms_replica_key": KmsReplicaKey,
    "aws_kms_replica_external_key": KmsReplicaExternalKey,
    "aws_kms_alias": KmsAlias,
    "aws_kms_grant": KmsGrant,
}
# What a reference is called where the provider has no attribute of its name.
REFERENCES = {("aws_kms_external_key", "key_id"): "id"}
META_ARGUMENTS = {"//", "lifecycle", "provider"}
PROVIDER_META_ARGUMENTS = {"alias"}
TERRAFORM_TYPES: dict[str, Any] = {
    "str": "string",
    "Reference | str": "string",
    "Reference": "string",
    "tuple[Reference, ...]": ["set", "string"],
    "Mapping[str, Reference | str]": ["map", "string"],
    "bool": "bool",
    "bool | None": "bool",
    "str | None": "string",
    "int": "number",
    "int | None": "number",
    "tuple[str, ...]": ["set", "string"],
    "Mapping[str, str]": ["map", "string"],
}


@pytest.fixture(scope="module")
def schema(everything_declared: InitialisedStack) -> dict[str, Any]:
    (provider,) = everything_declared.terraform("providers", "schema", "-json")["provider_schemas"].values()
    found: dict[str, Any] = provider
    return found


def attributes_of(schema: dict[str, Any], terraform_type: str) -> dict[str, Any]:
    block = schema["provider"] if terraform_type == "provider" else schema["resource_schemas"][terraform_type]
    attributes: dict[str, Any] = block["block"]["attributes"]
    return attributes


@pytest.mark.parametrize(("terraform_type", "arguments"), [*ARGUMENTS.items(), ("provider", AwsProviderArguments)])
def test_every_argument_is_one_of_the_provider_and_of_its_type(
    schema: dict[str, Any], terraform_type: str, arguments: type[Any]
) -> None:
    block = schema["provider"] if terraform_type == "provider" else schema["resource_schemas"][terraform_type]
    assert_block_takes(block["block"], arguments, PROVIDER_META_ARGUMENTS if terraform_type == "provider" else set())


def assert_block_takes(block: dict[str, Any], arguments: type[Any], left_out: set[str]) -> None:
    for field in dataclasses.fields(arguments):
        if field.name in left_out:
            continue
        nested = re.fullmatch(r"tuple\[(\w+), \.\.\.\]( \| None)?", str(field.type))
        if nested is not None and nested[1] not in ("str", "Reference"):
            inner = getattr(sys.modules[arguments.__module__], nested[1])
            assert_block_takes(block["block_types"][field.name]["block"], inner, set())
            continue
        attribute = block["attributes"][field.name]
        assert attribute.get("optional") or attribute.get("required"), f"{field.name} cannot be set"
        assert not attribute.get("deprecated"), f"{field.name} is deprecated"
        assert attribute["type"] == TERRAFORM_TYPES[str(field.type)], field.name


@pytest.mark.parametrize(("terraform_type", "arguments"), ARGUMENTS.items())
def test_what_the_provider_requires_cannot_be_left_out(
    schema: dict[str, Any], terraform_type: str, arguments: type[Any]
) -> None:
    required = {name for name, a in attributes_of(schema, terraform_type).items() if a.get("required")}
    always_given = {field.name for field in dataclasses.fields(arguments) if "None" not in str(field.type)}
    assert required <= always_given


@pytest.mark.parametrize(("terraform_type", "resource"), RESOURCES.items())
def test_every_reference_is_to_a_text_that_the_provider_computes(
    schema: dict[str, Any], terraform_type: str, resource: type[Any]
) -> None:
    attributes = attributes_of(schema, terraform_type)
    ours = [owner for owner in resource.__mro__ if owner.__module__ == resource.__module__]
    for name, member in ((name, member) for owner in ours for name, member in vars(owner).items()):
        if isinstance(member, property):
            assert get_type_hints(member.fget, localns={"Reference": Reference})["return"] is Reference
            attribute = attributes[REFERENCES.get((terraform_type, name), name)]
            assert attribute["computed"]
            assert attribute["type"] == "string"


def test_everything_emitted_is_in_the_schema(schema: dict[str, Any], everything_declared: InitialisedStack) -> None:
    emitted: Mapping[str, Any] = everything_declared.content["resource"]
    assert set(emitted) == TENANT_TYPES
    for terraform_type, resources in emitted.items():
        attributes = attributes_of(schema, terraform_type)
        settable = {name for name, a in attributes.items() if a.get("optional") or a.get("required")}
        settable |= set(schema["resource_schemas"][terraform_type]["block"].get("block_types", {}))
        required = {name for name, a in attributes.items() if a.get("required")}
        for resource in resources.values():
            assert set(resource) - META_ARGUMENTS <= settable
            assert required <= set(resource)
    for provider in everything_declared.content["provider"]["aws"]:
        assert set(provider) - PROVIDER_META_ARGUMENTS <= set(attributes_of(schema, "provider"))


@pytest.mark.parametrize("stack", [None, "northwind-alerts", "ledger-keyturn-ledger", "vault-northwind-vault"])
def test_terraform_finds_nothing_to_say_about_a_stack(
    everything_declared: InitialisedStack, stack: str | None, tmp_path: Path
) -> None:
    initialised = everything_declared if stack is None else everything_declared.beside(stack, tmp_path)
    answer = initialised.terraform("validate", "-json")
    assert answer["diagnostics"] == []
    assert answer["valid"] is True
