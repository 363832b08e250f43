"""CreateGrant, ListGrants, ListRetirableGrants, RevokeGrant, RetireGrant.

- A grant holds operations that the key can do, for one principal, and takes effect at once.
- The same request with the same name answers with the grant that it made first, and a new token.
- Constraints on the encryption context are for symmetric encryption keys: no other takes a context.
- Revoking is a matter of policy, retiring one of the grant itself; `engine.access` decides both.
(AWS KMS Developer Guide, "Grants in AWS KMS", "Retiring and revoking grants")
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from engine.arn import is_principal_arn, principal_account
from engine.sandbox.kms.authorization import admitted, authorize, authorize_identity, refuse_state, target_of
from engine.sandbox.kms.call import Operation, epoch_seconds
from engine.sandbox.kms.conditions import direct_grant_context
from engine.sandbox.kms.dry_run import end_dry_run
from engine.sandbox.kms.errors import KmsError, access_denied, not_found, validation
from engine.sandbox.kms.grant_requests import (
    check_grant,
    constraint_context,
    grant_context,
    invalid_principal,
    read_grant,
)
from engine.sandbox.kms.grant_tokens import check_grant_tokens, make_grant_token, read_grant_token
from engine.sandbox.kms.identifiers import Target
from engine.sandbox.kms.model import GrantRecord
from engine.sandbox.kms.paging import page

if TYPE_CHECKING:
    from engine.access.model import Grant
    from engine.sandbox.kms.call import Call, Reply
    from engine.sandbox.kms.model import KeyRecord


def create_grant(call: Call) -> Reply:
    """CreateGrant: also across accounts, by key policy or by a grant that allows it."""
    check_grant_tokens(call)
    grant = read_grant(call)
    target = target_of(call, call.parameters.text("KeyId"))
    key = target.key
    check_grant(grant, key)
    authorize(call, target, context=grant_context(grant))
    refuse_state(call.operation, key)
    end_dry_run(call)
    if (same := _same_named(call, key, grant)) is not None:
        grant = replace(grant, grant_id=same.grant.grant_id)
        token = make_grant_token(key, grant.grant_id)
        changed = replace(same, tokens=(*same.tokens, token))
        records = tuple(changed if record is same else record for record in key.grants)
    else:
        token = make_grant_token(key, grant.grant_id)
        records = (*key.grants, GrantRecord(grant, (token,), call.account_id, call.now))
    call.store.put_key(replace(key, grants=records))
    return {"GrantToken": token, "GrantId": grant.grant_id}


def list_grants(call: Call) -> Reply:
    """ListGrants: of one key, all or those of one grantee or id."""
    key = admitted(call, direct_grant_context()).key
    grant_id, grantee = call.parameters.optional_text("GrantId"), call.parameters.optional_text("GranteePrincipal")
    records = [
        record
        for record in key.grants
        if grant_id in (None, record.grant.grant_id) and grantee in (None, record.grant.grantee_principal)
    ]
    if grant_id is not None and not records:
        raise KmsError("InvalidGrantIdException", f"Grant ID {grant_id} not found")
    return _page(call, [(key, record) for record in records])


def list_retirable_grants(call: Call) -> Reply:
    """ListRetirableGrants: of a principal of the caller's account, on the keys of every account."""
    if "RetiringServicePrincipal" in call.parameters:
        raise access_denied("Only an AWS service lists the grants that it can retire")
    if "RetiringPrincipal" not in call.parameters:
        raise validation("RetiringPrincipal must be specified")
    principal = call.parameters.text("RetiringPrincipal")
    if not is_principal_arn(principal):
        raise invalid_principal(principal)
    authorize_identity(call, resource=principal)
    if principal_account(principal) != call.account_id:
        raise access_denied(f"{principal} is not a principal of the account {call.account_id}")
    return _page(
        call,
        [
            (key, record)
            for key in call.store.keys_everywhere(call.region)
            for record in key.grants
            if record.grant.retiring_principal == principal
        ],
    )


def revoke_grant(call: Call) -> Reply:
    """RevokeGrant: also across accounts."""
    key = admitted(call, direct_grant_context()).key
    record = _grant_of(key, call.parameters.text("GrantId"))
    end_dry_run(call)
    _remove(call, key, record)
    return {}


def retire_grant(call: Call) -> Reply:
    """RetireGrant: by token, or by key and grant id."""
    key, record = _to_retire(call)
    authorize(call, Target(key), context=constraint_context(record.grant), grants=(record,))
    refuse_state(call.operation, key)
    end_dry_run(call)
    _remove(call, key, record)
    return {}


def _same_named(call: Call, key: KeyRecord, grant: Grant) -> GrantRecord | None:
    if grant.name is None:
        return None
    return next(
        (
            record
            for record in key.grants
            if record.issuing_account == call.account_id and replace(record.grant, grant_id=grant.grant_id) == grant
        ),
        None,
    )


def _to_retire(call: Call) -> tuple[KeyRecord, GrantRecord]:
    parameters = call.parameters
    if (token := parameters.optional_text("GrantToken")) is not None:
        if "KeyId" in parameters or "GrantId" in parameters:
            raise validation("Specify either a GrantToken or a KeyId and a GrantId, not both")
        place = read_grant_token(token)
        key = call.store.key(place.account_id, place.region, place.key_id) if place.region == call.region else None
        for record in key.grants if key is not None else ():
            if key is not None and record.grant.grant_id == place.grant_id and token in record.tokens:
                return key, record
        raise KmsError("InvalidGrantTokenException", "The grant token is not valid")
    if "KeyId" not in parameters or "GrantId" not in parameters:
        raise validation("Specify either a GrantToken or a KeyId and a GrantId")
    target = target_of(call, parameters.text("KeyId"))
    return target.key, _grant_of(target.key, parameters.text("GrantId"))


def _grant_of(key: KeyRecord, grant_id: str) -> GrantRecord:
    for record in key.grants:
        if record.grant.grant_id == grant_id:
            return record
    raise not_found(f"Grant ID {grant_id} not found")


def _remove(call: Call, key: KeyRecord, record: GrantRecord) -> None:
    call.store.put_key(replace(key, grants=tuple(other for other in key.grants if other is not record)))


def _page(call: Call, entries: list[tuple[KeyRecord, GrantRecord]]) -> Reply:
    return page(
        call,
        entries,
        member="Grants",
        identity=lambda entry: f"{entry[0].arn} {entry[1].grant.grant_id}",
        show=lambda entry: _show(*entry),
        size=50,
    )


def _show(key: KeyRecord, record: GrantRecord) -> Reply:
    grant = record.grant
    reply: Reply = {
        "KeyId": key.arn,
        "GrantId": grant.grant_id,
        "Name": grant.name or "",
        "CreationDate": epoch_seconds(record.created),
        "GranteePrincipal": grant.grantee_principal,
        "IssuingAccount": f"arn:{key.partition}:iam::{record.issuing_account}:root",
        "Operations": sorted(grant.operations),
    }
    if grant.retiring_principal is not None:
        reply["RetiringPrincipal"] = grant.retiring_principal
    constraints = {
        name: dict(pairs)
        for name, pairs in (
            ("EncryptionContextEquals", grant.encryption_context_equals),
            ("EncryptionContextSubset", grant.encryption_context_subset),
        )
        if pairs is not None
    }
    if constraints:
        reply["Constraints"] = constraints
    return reply


OPERATIONS = (
    Operation("CreateGrant", create_grant, changes=True),
    Operation("ListGrants", list_grants),
    Operation("ListRetirableGrants", list_retirable_grants),
    Operation("RevokeGrant", revoke_grant, changes=True),
    Operation("RetireGrant", retire_grant, changes=True),
)
