"""A tenant's keys in a sandbox, made as the stacks would make them: policy, grant, tags, description."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.declaration import GENERATION_TAG, TENANT_TAG
from engine.envelope.data_keys import KeyAccess
from engine.kms import Kms
from engine.validation import Callers
from stacks.custody import VENDOR_GRANT_OPERATIONS
from stacks.key_policy import account_root, key_policy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.declaration import Declaration
    from tests.sandbox_fixtures import Account


def make_key(
    customer: Account,
    declaration: Declaration,
    number: int,
    *,
    tags: Mapping[str, str] | None = None,
    grant: bool = True,
    **members: object,
) -> str:
    """Make the key of a declared generation; `members` replace those of CreateKey. Returns its ARN."""
    if tags is None:
        tags = {TENANT_TAG: declaration.tenant, GENERATION_TAG: str(number)}
    request: dict[str, object] = {
        "Description": f"generation {number}",
        "Policy": key_policy(declaration, number).to_json(),
        "Tags": [{"TagKey": name, "TagValue": value} for name, value in tags.items()],
        **members,
    }
    create_key = getattr(customer.kms, "create_key")  # noqa: B009 - its members are not known to the type checker
    arn: str = create_key(**request)["KeyMetadata"]["Arn"]
    if grant:
        create_grant = getattr(customer.kms, "create_grant")  # noqa: B009 - its operations are literals to the checker
        create_grant(
            KeyId=arn,
            GranteePrincipal=account_root(declaration.account.partition, declaration.vendor.account_id),
            Operations=list(VENDOR_GRANT_OPERATIONS),
        )
    return arn


def callers(customer: Account, vendor: Account | None = None) -> Callers:
    """With whose credentials a key is validated."""
    if vendor is None:
        return Callers(Kms(customer.kms))
    return Callers(Kms(customer.kms), Kms(vendor.kms, "the vendor", vendor.account_id), vendor.account_id)


def key_access(customer: Account, vendor: Account) -> KeyAccess:
    """With whose credentials keys are used, the service's own among them."""
    return KeyAccess(
        Kms(customer.kms), Kms(vendor.kms, "the vendor", vendor.account_id), customer.sandbox.service_key_arn
    )
