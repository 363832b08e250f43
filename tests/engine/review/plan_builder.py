"""Builds plans by hand, in the form that `terraform show -json` prints, around the keys that our stacks make.

The standard key of generation N has the address `aws_kms_key.generation_N`, an ARN that ends in N, the tags, the
console's policy with the vendor's statement, and a window of 30 days. Everything else is told as what differs.
"""

from __future__ import annotations

import json
from typing import Any

CUSTOMER, VENDOR, OTHER = "123456789012", "210987654321", "345678901234"
TENANT = "northwind"
USE = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]
OPERATIONS = [
    "Decrypt",
    "DescribeKey",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext",
    "ReEncryptFrom",
    "ReEncryptTo",
]
PROVIDER = "registry.terraform.io/hashicorp/aws"


def key_id(number: int) -> str:
    return f"0000000{number}-1111-2222-3333-444444444444"


def key_arn(number: int, region: str = "us-east-1", account: str = CUSTOMER) -> str:
    return f"arn:aws:kms:{region}:{account}:key/{key_id(number)}"


def root(account: str) -> str:
    return f"arn:aws:iam::{account}:root"


def statement(principal: Any, action: Any, effect: str = "Allow", **more: Any) -> dict[str, Any]:
    return {"Effect": effect, "Principal": principal, "Action": action, "Resource": "*", **more}


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


OWNER = statement({"AWS": root(CUSTOMER)}, "kms:*", Sid="Enable IAM User Permissions")
FOR_VENDOR = statement({"AWS": root(VENDOR)}, USE, Sid="Allow use of the Key for Druva inSync")

# Policies by the names that the examples of the rules use.
POLICIES = {
    "standard": document(OWNER, FOR_VENDOR),
    "standard, spelled differently": document(
        statement({"AWS": [VENDOR]}, [action.upper().replace("KMS:", "kms:") for action in reversed(USE)]),
        statement({"AWS": CUSTOMER}, ["kms:*"], Sid="Owner"),
    ),
    "owner only": document(OWNER),
    "vendor cannot rewrap": document(OWNER, statement({"AWS": root(VENDOR)}, [a for a in USE if "ReEncrypt" not in a])),
    "vendor under a condition": document(
        OWNER, {**FOR_VENDOR, "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1234567890"}}}
    ),
    "vendor under another condition": document(
        OWNER, {**FOR_VENDOR, "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-0987654321"}}}
    ),
    "vendor under either condition": document(
        OWNER,
        *(
            {**FOR_VENDOR, "Condition": {"StringEquals": {"aws:PrincipalOrgID": organisation}}}
            for organisation in ("o-1234567890", "o-0987654321")
        ),
    ),
    "one that KMS refuses": document(
        OWNER, FOR_VENDOR, statement({"AWS": root(OTHER)}, "kms:DescribeKey", effect="allow")
    ),
    "vendor denied": document(OWNER, FOR_VENDOR, statement({"AWS": root(VENDOR)}, "kms:Decrypt", "Deny")),
    "another account instead": document(OWNER, statement({"AWS": root(OTHER)}, USE)),
    "another account too": document(OWNER, FOR_VENDOR, statement({"AWS": root(OTHER)}, USE)),
    "vendor may delete": document(
        OWNER, FOR_VENDOR, statement({"AWS": root(VENDOR)}, ["kms:ScheduleKeyDeletion", "kms:PutKeyPolicy"])
    ),
    "anybody": document(OWNER, FOR_VENDOR, statement("*", USE)),
    "anybody and another account": document(
        OWNER, FOR_VENDOR, statement("*", USE), statement({"AWS": root(OTHER)}, "kms:DescribeKey")
    ),
    "anybody in an organisation": document(
        OWNER,
        FOR_VENDOR,
        statement({"AWS": "*"}, USE, Condition={"StringEquals": {"aws:PrincipalOrgID": "o-1234567890"}}),
    ),
    "anybody in an organisation and another account": document(
        OWNER,
        FOR_VENDOR,
        statement({"AWS": "*"}, USE, Condition={"StringEquals": {"aws:PrincipalOrgID": "o-1234567890"}}),
        statement({"AWS": root(OTHER)}, "kms:DescribeKey"),
    ),
    "anybody but one in an organisation": document(
        OWNER,
        FOR_VENDOR,
        {
            "Effect": "Allow",
            "NotPrincipal": {"AWS": root(OTHER)},
            "Action": USE,
            "Resource": "*",
            "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1234567890"}},
        },
    ),
    "anybody but one": document(
        OWNER,
        FOR_VENDOR,
        {"Effect": "Allow", "NotPrincipal": {"AWS": root(OTHER)}, "Action": "kms:DescribeKey", "Resource": "*"},
    ),
    "deletion denied": document(
        OWNER,
        FOR_VENDOR,
        statement(
            "*",
            ["kms:ScheduleKeyDeletion", "kms:DeleteImportedKeyMaterial"],
            "Deny",
            Condition={"ArnNotEquals": {"aws:PrincipalArn": [f"arn:aws:iam::{CUSTOMER}:role/Emergency"]}},
        ),
    ),
    "deletion denied to fewer": document(
        OWNER,
        FOR_VENDOR,
        statement(
            "*",
            ["kms:ScheduleKeyDeletion", "kms:DeleteImportedKeyMaterial"],
            "Deny",
            Condition={
                "ArnNotLike": {
                    "aws:PrincipalArn": [
                        f"arn:aws:iam::{CUSTOMER}:role/Emergency",
                        f"arn:aws:iam::{CUSTOMER}:role/Other",
                    ]
                }
            },
        ),
    ),
    "deletion denied, not of the material": document(
        OWNER,
        FOR_VENDOR,
        statement(
            "*",
            ["kms:ScheduleKeyDeletion"],
            "Deny",
            Condition={"ArnNotEquals": {"aws:PrincipalArn": [f"arn:aws:iam::{CUSTOMER}:role/Emergency"]}},
        ),
    ),
    "a service too": document(OWNER, FOR_VENDOR, statement({"Service": "backup.amazonaws.com"}, USE)),
    "a service may encrypt": document(OWNER, FOR_VENDOR, statement({"Service": "s3.amazonaws.com"}, "kms:Encrypt")),
    "a service administers": document(OWNER, FOR_VENDOR, statement({"Service": "backup.amazonaws.com"}, "kms:*")),
    "a federated identity too": document(
        OWNER, FOR_VENDOR, statement({"Federated": f"arn:aws:iam::{CUSTOMER}:saml-provider/x"}, USE)
    ),
    "an identity's bare id too": document(OWNER, FOR_VENDOR, statement({"AWS": "AROAEXAMPLE123456789"}, USE)),
    "disabling denied": document(OWNER, FOR_VENDOR, statement("*", "kms:DisableKey", "Deny")),
    "disabling denied to an administrator": document(
        OWNER, FOR_VENDOR, statement({"AWS": f"arn:aws:iam::{CUSTOMER}:role/KeyAdmin"}, "kms:Disable*", "Deny")
    ),
    "disabling denied to all but one": document(
        OWNER,
        FOR_VENDOR,
        statement(
            "*",
            "kms:DisableKey",
            "Deny",
            Condition={"ArnNotEquals": {"aws:PrincipalArn": f"arn:aws:iam::{CUSTOMER}:role/KeyAdmin"}},
        ),
    ),
    "disabling denied without a second factor": document(
        OWNER,
        FOR_VENDOR,
        statement("*", "kms:DisableKey", "Deny", Condition={"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}),
    ),
    "revoking grants denied": document(
        OWNER, FOR_VENDOR, statement({"AWS": root(CUSTOMER)}, "kms:RevokeGrant", "Deny")
    ),
    "creating grants denied": document(OWNER, FOR_VENDOR, statement("*", "kms:CreateGrant", "Deny")),
    "creating grants denied to an administrator": document(
        OWNER, FOR_VENDOR, statement({"AWS": f"arn:aws:iam::{CUSTOMER}:role/KeyAdmin"}, "kms:CreateGrant", "Deny")
    ),
    "a federated identity administers": document(
        OWNER, FOR_VENDOR, statement({"Federated": f"arn:aws:iam::{CUSTOMER}:saml-provider/x"}, "kms:*")
    ),
    "deletion denied to all": document(OWNER, FOR_VENDOR, statement("*", "kms:ScheduleKeyDeletion", "Deny")),
    "no administrator": document(statement({"AWS": root(CUSTOMER)}, "kms:DescribeKey"), FOR_VENDOR),
    "administrator under a condition": document(
        statement({"AWS": root(CUSTOMER)}, "kms:*", Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}}),
        FOR_VENDOR,
    ),
}


def key_attributes(number: int, **changes: Any) -> dict[str, Any]:
    tags = {"keyturn:tenant": TENANT, "keyturn:generation": str(number)}
    return {
        "arn": key_arn(number),
        "bypass_policy_lockout_safety_check": False,
        "custom_key_store_id": "",
        "customer_master_key_spec": "SYMMETRIC_DEFAULT",
        "deletion_window_in_days": 30,
        "description": "Druva Enterprise Key Management: northwind",
        "enable_key_rotation": False,
        "id": key_id(number),
        "is_enabled": True,
        "key_id": key_id(number),
        "key_usage": "ENCRYPT_DECRYPT",
        "multi_region": False,
        "policy": POLICIES["standard"],
        "rotation_period_in_days": 0,
        "tags": tags,
        "tags_all": tags,
        "timeouts": None,
        "xks_key_id": "",
        **changes,
    }


def external_key_attributes(number: int, **changes: Any) -> dict[str, Any]:
    tags = {"keyturn:tenant": TENANT, "keyturn:generation": str(number)}
    return {
        "arn": key_arn(number),
        "bypass_policy_lockout_safety_check": False,
        "deletion_window_in_days": 30,
        "description": "imported",
        "enabled": True,
        "expiration_model": "KEY_MATERIAL_DOES_NOT_EXPIRE",
        "id": key_id(number),
        "key_material_base64": None,
        "key_state": "Enabled",
        "key_usage": "ENCRYPT_DECRYPT",
        "multi_region": False,
        "policy": POLICIES["standard"],
        "tags": tags,
        "tags_all": tags,
        "valid_to": "",
        **changes,
    }


def replica_key_attributes(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "arn": key_arn(number, "us-west-2"),
        "bypass_policy_lockout_safety_check": False,
        "deletion_window_in_days": 30,
        "description": "",
        "enabled": True,
        "id": key_id(number),
        "key_id": key_id(number),
        "key_rotation_enabled": False,
        "key_spec": "SYMMETRIC_DEFAULT",
        "key_usage": "ENCRYPT_DECRYPT",
        "policy": POLICIES["standard"],
        "primary_key_arn": key_arn(number),
        "tags": None,
        "tags_all": {},
        **changes,
    }


def grant_attributes(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "constraints": [],
        "grant_creation_tokens": None,
        "grant_id": f"grant-{number}",
        "grant_token": "CANARY-grant-token",
        "grantee_principal": root(VENDOR),
        "id": f"{key_id(number)}:grant-{number}",
        "key_id": key_id(number),
        "name": f"keyturn-northwind-{number}-vendor",
        "operations": OPERATIONS,
        "retire_on_delete": False,
        "retiring_principal": "",
        **changes,
    }


def alias_attributes(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "arn": f"arn:aws:kms:us-east-1:{CUSTOMER}:alias/northwind-ekm",
        "id": "alias/northwind-ekm",
        "name": "alias/northwind-ekm",
        "name_prefix": "",
        "target_key_arn": key_arn(number),
        "target_key_id": key_id(number),
        **changes,
    }


def key_policy_attributes(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "bypass_policy_lockout_safety_check": False,
        "id": key_id(number),
        "key_id": key_id(number),
        "policy": POLICIES["standard"],
        **changes,
    }


def key_store_attributes(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "cloud_hsm_cluster_id": f"cluster-{number}",
        "custom_key_store_name": "store",
        "custom_key_store_type": "AWS_CLOUDHSM",
        "id": f"cks-0123456789abcdef{number}",
        "key_store_password": "CANARY-password",
        "trust_anchor_certificate": "certificate",
        **changes,
    }


# Policies of an organisation by the names that the examples of the rules use.
_ELSEWHERE = {"aws:PrincipalOrgID": "o-1234567890"}
_NO_SERVICE = {"BoolIfExists": {"aws:PrincipalIsAWSService": "false"}}
CONTENTS = {
    "all allowed": document(statement("*", "*")),
    "no strangers": document(
        statement("*", ["s3:*", "kms:*"], "Deny", Condition={"StringNotEqualsIfExists": _ELSEWHERE, **_NO_SERVICE})
    ),
    "no strangers but the vendor": document(
        statement(
            "*",
            ["s3:*", "kms:*"],
            "Deny",
            Condition={"StringNotEqualsIfExists": {**_ELSEWHERE, "aws:PrincipalAccount": [VENDOR]}, **_NO_SERVICE},
        )
    ),
    "nobody but the own account": document(
        statement("*", "*", "Deny", Condition={"StringNotEqualsIfExists": {"aws:PrincipalAccount": CUSTOMER}})
    ),
    "no strangers in buckets": document(
        statement("*", "s3:*", "Deny", Condition={"StringNotEqualsIfExists": _ELSEWHERE})
    ),
}


def organization_policy_attributes(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "arn": f"arn:aws:organizations::{OTHER}:policy/o-1234567890/resource_control_policy/p-1234567{number}",
        "content": CONTENTS["all allowed"],
        "description": "",
        "id": f"p-1234567{number}",
        "name": "perimeter",
        "skip_destroy": None,
        "tags": None,
        "tags_all": {},
        "type": "RESOURCE_CONTROL_POLICY",
        **changes,
    }


def organization_attachment_attributes(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"r-abcd:p-1234567{number}",
        "policy_id": f"p-1234567{number}",
        "skip_destroy": None,
        "target_id": "r-abcd",
        **changes,
    }


def hsm_cluster_attributes(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "cluster_id": f"cluster-{number}",
        "cluster_state": "ACTIVE",
        "hsm_type": "hsm1.medium",
        "id": f"cluster-{number}",
        "source_backup_identifier": None,
        "subnet_ids": ["subnet-1"],
        "vpc_id": "vpc-1",
        **changes,
    }


STANDARD = {
    "aws_kms_key": key_attributes,
    "aws_kms_external_key": external_key_attributes,
    "aws_kms_replica_key": replica_key_attributes,
    "aws_kms_grant": grant_attributes,
    "aws_kms_alias": alias_attributes,
    "aws_kms_key_policy": key_policy_attributes,
    "aws_kms_custom_key_store": key_store_attributes,
    "aws_organizations_policy": organization_policy_attributes,
    "aws_organizations_policy_attachment": organization_attachment_attributes,
    "aws_cloudhsm_v2_cluster": hsm_cluster_attributes,
}
NAMES = {
    "aws_kms_key": "generation_{}",
    "aws_kms_external_key": "generation_{}",
    "aws_kms_replica_key": "generation_{}_west",
    "aws_kms_grant": "generation_{}_vendor",
    "aws_kms_alias": "current",
    "aws_kms_key_policy": "generation_{}",
    "aws_kms_custom_key_store": "store",
    "aws_organizations_policy": "perimeter",
    "aws_organizations_policy_attachment": "perimeter",
    "aws_cloudhsm_v2_cluster": "store",
}
# What is known only after apply when such a resource is created.
COMPUTED = {
    "aws_kms_key": ("arn", "id", "key_id", "multi_region", "rotation_period_in_days"),
    "aws_kms_external_key": ("arn", "expiration_model", "id", "key_state", "key_usage", "multi_region"),
    "aws_kms_replica_key": ("arn", "id", "key_id", "key_rotation_enabled", "key_spec", "key_usage"),
    "aws_kms_grant": ("grant_id", "grant_token", "id"),
    "aws_kms_alias": ("arn", "id", "name_prefix", "target_key_arn"),
    "aws_kms_key_policy": ("id",),
    "aws_kms_custom_key_store": ("id",),
    "aws_organizations_policy": ("arn", "id"),
    "aws_organizations_policy_attachment": ("id",),
    "aws_cloudhsm_v2_cluster": ("cluster_id", "cluster_state", "id", "vpc_id"),
}
LINKS = {
    "aws_kms_grant": "key_id",
    "aws_kms_alias": "target_key_id",
    "aws_kms_key_policy": "key_id",
    "aws_kms_replica_key": "primary_key_arn",
}
_POLICY = "aws_organizations_policy.perimeter"


class PlanBuilder:
    """Collects resources; `data()` is the plan."""

    def __init__(self, **top: Any) -> None:
        self.top = top
        self.changes: list[dict[str, Any]] = []
        self.drift: list[dict[str, Any]] = []
        self.deferred: list[dict[str, Any]] = []
        self.prior: list[dict[str, Any]] = []
        self.configuration: list[dict[str, Any]] = []

    def add(
        self,
        kind: str,
        number: int,
        actions: tuple[str, ...] = ("no-op",),
        *,
        before: dict[str, Any] | None = None,
        after: dict[str, Any] | None = None,
        unknown: tuple[str, ...] = (),
        points_to: int | None = None,
        name: str | None = None,
        **more: Any,
    ) -> PlanBuilder:
        """Add one change.

        Args:
            kind: The resource type.
            number: The generation that it is about.
            actions: The plan's actions.
            before: What differs from the standard attributes before.
            after: What differs from the attributes before (or from the standard ones of a new resource) after.
            unknown: Attributes known only after apply, beside those that a new resource computes.
            points_to: The generation whose key the resource's reference names, for an unknown key id.
            name: The resource's name, where it is not the standard one.
            more: Further keys of the change, such as `deposed`, `previous_address` or `action_reason`.
        """
        name = name or NAMES[kind].format(number)
        creates = "create" in actions
        existed = "create" not in actions or len(actions) > 1
        was = STANDARD[kind](number, **(before or {})) if existed else None
        will = None
        after_unknown: dict[str, Any] = {}
        if creates or not {"delete", "forget"} & set(actions):
            computed = COMPUTED[kind] if creates else ()
            will = {**(was or STANDARD[kind](number)), **(after or {})}
            for attribute in (*(c for c in computed if c not in (after or {})), *unknown):
                will.pop(attribute, None)
                after_unknown[attribute] = True
        importing = more.pop("importing", None)
        change = {
            "actions": list(actions),
            "before": was,
            "after": will,
            "after_unknown": after_unknown,
            "before_sensitive": {"grant_token": True, "key_material_base64": True} if was else False,
            "after_sensitive": {"grant_token": True, "key_material_base64": True} if will else False,
        }
        if importing is not None:
            change["importing"] = {"id": importing}
        self.changes.append(self._entry(kind, name, change, **more))
        self._configure(kind, name, points_to or number, (*(will or {}), *unknown))
        return self

    def drifted(
        self,
        kind: str,
        number: int,
        recorded: dict[str, Any] | None = None,
        *,
        name: str | None = None,
        gone: bool = False,
        observed: dict[str, Any] | None = None,
    ) -> PlanBuilder:
        """Add drift: what differed from the standard attributes when last applied, and now."""
        change = {
            "actions": ["delete" if gone else "update"],
            "before": STANDARD[kind](number, **(recorded or {})),
            "after": None if gone else STANDARD[kind](number, **(observed or {})),
            "after_unknown": {},
            "before_sensitive": {"grant_token": True},
            "after_sensitive": False if gone else {"grant_token": True},
        }
        self.drift.append(self._entry(kind, name or NAMES[kind].format(number), change))
        return self

    def known(self, kind: str, number: int, *, name: str | None = None, **changes: Any) -> PlanBuilder:
        """Add a resource of the prior state that no change tells of."""
        name = name or NAMES[kind].format(number)
        entry = self._entry(kind, name, {})
        del entry["change"]
        self.prior.append({**entry, "values": STANDARD[kind](number, **changes), "sensitive_values": {}})
        return self

    def defer(self, reason: str = "resource_config_unknown") -> PlanBuilder:
        """Turn the last change into a deferred one."""
        self.deferred.append({"reason": reason, "resource_change": self.changes.pop()})
        return self

    def plan(self) -> dict[str, Any]:
        plan: dict[str, Any] = {
            "format_version": "1.2",
            "terraform_version": "1.11.4",
            "variables": {"secret": {"value": "CANARY-variable"}},
            "planned_values": {"root_module": {}},
            "resource_changes": self.changes,
            "prior_state": {
                "format_version": "1.0",
                "values": {"root_module": {"resources": self.prior}},
            },
            "configuration": {"root_module": {"resources": self.configuration}},
            "timestamp": "2030-01-01T00:00:00Z",
            "applyable": True,
            "complete": True,
            "errored": False,
        }
        if self.drift:
            plan["resource_drift"] = self.drift
        if self.deferred:
            plan["deferred_changes"] = self.deferred
        return {**plan, **self.top}

    def data(self) -> bytes:
        return json.dumps(self.plan()).encode()

    @staticmethod
    def _entry(kind: str, name: str, change: dict[str, Any], **more: Any) -> dict[str, Any]:
        return {
            "address": f"{kind}.{name}",
            "mode": "managed",
            "type": kind,
            "name": name,
            "provider_name": PROVIDER,
            "change": change,
            **more,
        }

    def _configure(self, kind: str, name: str, number: int, attributes: Any) -> None:
        expressions: dict[str, Any] = {attribute: {} for attribute in attributes}
        link = LINKS.get(kind)
        if link is not None:
            key = f"aws_kms_key.{NAMES['aws_kms_key'].format(number)}"
            expressions[link] = {"references": [f"{key}.key_id", key]}
        if kind == "aws_organizations_policy_attachment":
            expressions["policy_id"] = {"references": [f"{_POLICY}.id", _POLICY]}
        self.configuration.append(
            {"address": f"{kind}.{name}", "mode": "managed", "type": kind, "name": name, "expressions": expressions}
        )
