"""CreateAlias, UpdateAlias, DeleteAlias, ListAliases.

An alias belongs to an account and a Region and points to one key of the same. Who changes one needs the
permission twice: on the alias (own IAM) and on every key that it points to, before and after (key policy).
(AWS KMS Developer Guide, "Controlling access to aliases")
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from engine.sandbox.kms.authorization import authorize, authorize_identity, refuse_state, target_of
from engine.sandbox.kms.call import Operation, epoch_seconds
from engine.sandbox.kms.errors import KmsError, invalid_state, not_found, validation
from engine.sandbox.kms.identifiers import Reference, Target, missing
from engine.sandbox.kms.model import AliasRecord
from engine.sandbox.kms.paging import page
from engine.sandbox.kms.specifications import SPECIFICATIONS

if TYPE_CHECKING:
    from engine.sandbox.kms.call import Call, Reply
    from engine.sandbox.kms.model import KeyRecord

_PREFIX = "alias/"
_RESERVED = "alias/aws/"


def create_alias(call: Call) -> Reply:
    """CreateAlias: refused where the name is taken; nothing is repointed by it."""
    name = _name(call)
    alias = AliasRecord(call.partition, call.region, call.account_id, name, "", call.now, call.now)
    authorize_identity(call, resource=alias.arn)
    target = _target(call)
    if call.store.alias(call.account_id, call.region, name) is not None:
        raise KmsError("AlreadyExistsException", f"An alias with the name {alias.arn} already exists")
    call.store.put_alias(replace(alias, key_id=target.key.key_id))
    return {}


def update_alias(call: Call) -> Reply:
    """UpdateAlias: repoints an alias to another key of the same type and usage."""
    alias = _existing(call)
    authorize_identity(call, resource=alias.arn)
    current = call.store.key(alias.account_id, alias.region, alias.key_id)
    if current is not None:
        authorize(call, Target(current))
    target = _target(call)
    if current is not None and _kind(current) != _kind(target.key):
        raise invalid_state(f"{alias.arn} points to a key of another type or usage than {target.key.arn}")
    call.store.put_alias(replace(alias, key_id=target.key.key_id, updated=call.now))
    return {}


def delete_alias(call: Call) -> Reply:
    """DeleteAlias: the key stays as it is."""
    alias = _existing(call)
    authorize_identity(call, resource=alias.arn)
    if (key := call.store.key(alias.account_id, alias.region, alias.key_id)) is not None:
        authorize(call, Target(key))
        refuse_state(call.operation, key)
    call.store.remove_alias(alias)
    return {}


def list_aliases(call: Call) -> Reply:
    """ListAliases: of the caller's account, or of one of its keys."""
    authorize_identity(call)
    aliases = call.store.aliases(call.account_id, call.region)
    if (identifier := call.parameters.optional_text("KeyId")) is not None:
        key = target_of(call, identifier).key
        aliases = tuple(alias for alias in aliases if alias.key_id == key.key_id and alias.account_id == key.account_id)
    return page(call, aliases, member="Aliases", identity=lambda alias: alias.name, show=_show, size=50)


def _kind(key: KeyRecord) -> tuple[str, bool]:
    """What two keys must have in common for an alias to move: the usage, and whether there is a public key."""
    return key.usage, SPECIFICATIONS[key.spec].asymmetric


def _show(alias: AliasRecord) -> Reply:
    return {
        "AliasName": alias.name,
        "AliasArn": alias.arn,
        "TargetKeyId": alias.key_id,
        "CreationDate": epoch_seconds(alias.created),
        "LastUpdatedDate": epoch_seconds(alias.updated),
    }


def _name(call: Call) -> str:
    name = call.parameters.text("AliasName")
    if not name.startswith(_PREFIX) or name == _PREFIX:
        raise validation("Invalid identifier")
    if ":" in name:
        raise validation(f"{name} contains invalid characters for an alias")
    if name.startswith(_RESERVED):
        raise KmsError("NotAuthorizedException", "")
    return name


def _existing(call: Call) -> AliasRecord:
    name = _name(call)
    alias = call.store.alias(call.account_id, call.region, name)
    if alias is None:
        raise not_found(missing(Reference(call.partition, call.region, call.account_id, name, alias=True)))
    return alias


def _target(call: Call) -> Target:
    identifier = call.parameters.text("TargetKeyId")
    if identifier.startswith(_PREFIX) or ":alias/" in identifier:
        raise validation("Aliases must refer to keys. Not aliases")
    target = target_of(call, identifier)
    authorize(call, target)
    refuse_state(call.operation, target.key)
    return target


OPERATIONS = (
    Operation("CreateAlias", create_alias, changes=True),
    Operation("UpdateAlias", update_alias, changes=True),
    Operation("DeleteAlias", delete_alias, changes=True),
    Operation("ListAliases", list_aliases),
)
