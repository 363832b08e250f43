"""Amazon Resource Names, parsed once, with errors that name the part that is wrong.

The form is `arn:partition:service:region:account-id:resource` (AWS IAM User Guide, "Identify AWS
resources with Amazon Resource Names"). A key ARN's resource is `key/` and the key id: a UUID, or `mrk-`
and 32 hexadecimal digits for a multi-Region key (AWS KMS Developer Guide, "Key identifiers").

Keys are always held as full key ARNs: an alias can be repointed, and a bare id says neither account nor
Region. A key that is hosted outside AWS is recognised by the form of its name, so that the refusal can
say whose it is (EKM-07).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from engine.errors import InputError

PARTITIONS = ("aws", "aws-us-gov", "aws-cn", "aws-eusc", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f")

_ACCOUNT_ID = re.compile(r"[0-9]{12}", re.ASCII)
_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}", re.ASCII)
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII)
_MULTI_REGION = re.compile(r"mrk-[0-9a-f]{32}", re.ASCII)
_PRINCIPAL_RESOURCE = re.compile(r"(root|(user|role|federated-user|assumed-role)/[\w+=,.@/-]+)", re.ASCII)

# Names of keys that live elsewhere, by the form that each host gives them.
_FOREIGN_HOSTS = (
    (
        re.compile(r"https?://[^/]+\.(vault|managedhsm)\.azure\.(net|cn)\b|\.vault\.azure\.", re.IGNORECASE),
        "Azure Key Vault",
    ),
    (re.compile(r"^/subscriptions/[^/]+/.*Microsoft\.KeyVault", re.IGNORECASE), "Azure Key Vault"),
    (
        re.compile(r"^(//cloudkms\.googleapis\.com/|gcp-kms://)?projects/[^/]+/locations/", re.IGNORECASE),
        "Google Cloud KMS",
    ),
    (re.compile(r"^ocid1\.(key|vault)\.", re.IGNORECASE), "Oracle Cloud Infrastructure Vault"),
    (re.compile(r"^crn:v1:.*:(kms|hs-crypto):", re.IGNORECASE), "IBM Cloud Key Protect"),
    (re.compile(r"^acs:kms:", re.IGNORECASE), "Alibaba Cloud KMS"),
    (re.compile(r"^(hcvault://|vault:v\d|https?://[^/]*/v1/transit/)", re.IGNORECASE), "HashiCorp Vault"),
)


@dataclass(frozen=True, slots=True)
class KeyArn:
    """The full ARN of a KMS key, such as `arn:aws:kms:us-east-1:123456789012:key/1234abcd-…`."""

    partition: str
    region: str
    account_id: str
    key_id: str

    def __str__(self) -> str:
        """The ARN as AWS writes it."""
        return f"arn:{self.partition}:kms:{self.region}:{self.account_id}:key/{self.key_id}"

    @property
    def multi_region(self) -> bool:
        """Whether the key is a multi-Region key: its id, alike in every Region, begins with `mrk-`."""
        return self.key_id.startswith("mrk-")

    @property
    def family(self) -> str:
        """What all replicas of one multi-Region key share; for a single-Region key its own ARN.

        Two ARNs of one family share key material, so for "used before" they count as one key (EKM-11).
        """
        return f"{self.partition}:{self.account_id}:{self.key_id}" if self.multi_region else str(self)


def is_account_id(value: str) -> bool:
    """Whether the value is an AWS account id: exactly twelve decimal digits (EKM-13)."""
    return _ACCOUNT_ID.fullmatch(value) is not None


def partition_of(region: str) -> str:
    """The partition that a Region belongs to, such as `aws-us-gov` for `us-gov-west-1`."""
    prefixes = {
        "us-gov-": "aws-us-gov",
        "cn-": "aws-cn",
        "eusc-": "aws-eusc",
        "us-iso-": "aws-iso",
        "us-isob-": "aws-iso-b",
        "eu-isoe-": "aws-iso-e",
        "us-isof-": "aws-iso-f",
    }
    return next((name for prefix, name in prefixes.items() if region.startswith(prefix)), "aws")


def foreign_host(text: str) -> str | None:
    """Name the host outside AWS whose key this names, such as `Azure Key Vault`, or None (EKM-07)."""
    return next((host for pattern, host in _FOREIGN_HOSTS if pattern.search(text.strip())), None)


def parse_key_arn(text: str) -> KeyArn:
    """Parse the full ARN of a KMS key.

    Args:
        text: What the user gave; nothing is trimmed or repaired.

    Returns:
        Its parts.

    Raises:
        InputError: It is not one; the message names the part that is wrong (EKM-23, EKM-07).
    """
    shown = repr(text) if len(text) <= 200 else repr(text[:200]) + "…"
    form = "a key ARN has the form arn:aws:kms:REGION:ACCOUNT:key/KEY-ID; copy it from the key's details"
    if host := foreign_host(text):
        raise InputError(
            f"{shown} names a key in {host}: keys hosted outside AWS are not supported [EKM-07]",
            "use a key of your own AWS KMS account; a key store that AWS integrates may back it",
        )
    if text.startswith("alias/") or ":alias/" in text:
        raise InputError(f"{shown} is an alias, not a key ARN: an alias can be repointed", form)
    parts = text.split(":")
    if len(parts) != 6 or parts[0] != "arn":
        raise InputError(f"{shown} is not a key ARN", form)
    _, partition, service, region, account_id, resource = parts
    if partition not in PARTITIONS:
        raise InputError(f"the partition {partition!r} in {shown} is not one of AWS's", form)
    if service != "kms":
        raise InputError(f"the service in {shown} is {service!r}, not 'kms'", form)
    if not _REGION.fullmatch(region):
        raise InputError(f"the Region {region!r} in {shown} is not of a Region's form", form)
    if partition_of(region) != partition:
        raise InputError(f"the Region {region!r} in {shown} is not in the partition {partition!r}", form)
    if not is_account_id(account_id):
        raise InputError(f"the account {account_id!r} in {shown} is not 12 digits", form)
    kind, _, key_id = resource.partition("/")
    if kind != "key":
        raise InputError(f"the resource {resource!r} in {shown} is not a key", form)
    if not (_UUID.fullmatch(key_id) or _MULTI_REGION.fullmatch(key_id)):
        raise InputError(
            f"the key id {key_id!r} in {shown} is neither a UUID nor 'mrk-' and 32 hexadecimal digits", form
        )
    return KeyArn(partition, region, account_id, key_id)


def principal_account(principal: str) -> str | None:
    """The account of an IAM or STS principal ARN or of a bare account id; None where it has none."""
    if is_account_id(principal):
        return principal
    parts = principal.split(":", 5)
    if len(parts) == 6 and parts[0] == "arn" and parts[2] in {"iam", "sts"} and is_account_id(parts[4]):
        return parts[4]
    return None


def is_principal_arn(text: str) -> bool:
    """Whether the text is the ARN of an IAM user, role, or account root (no wildcard)."""
    parts = text.split(":", 5)
    return (
        len(parts) == 6
        and parts[0] == "arn"
        and parts[1] in PARTITIONS
        and parts[2] in {"iam", "sts"}
        and parts[3] == ""
        and is_account_id(parts[4])
        and _PRINCIPAL_RESOURCE.fullmatch(parts[5]) is not None
    )
