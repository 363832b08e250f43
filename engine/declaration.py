"""The declaration `ekm.yaml` as frozen typed values: what the customer says the key state shall be.

Reading is two steps, and both report everything they find: the JSON Schema beside this file says what
each value may be, `engine.declaration_rules` what the values must be to each other. Only a declaration
without a mistake becomes a `Declaration`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from engine.arn import KeyArn, parse_key_arn, partition_of
from engine.catalogue import Product
from engine.declaration_rules import check_rules
from engine.errors import InputError
from engine.located_yaml import LocatedDocument, parse_yaml, read_file
from engine.schema_check import check_schema

SCHEMA = Path(__file__).with_name("declaration.schema.json")

# What the keys of our stacks carry, and by which validation and review know them.
TENANT_TAG = "keyturn:tenant"
GENERATION_TAG = "keyturn:generation"

DEFAULT_DELETION_WINDOW_IN_DAYS = 30
DEFAULT_LEDGER = "sqlite:///.keyturn/ledger.db"
DEFAULT_VAULT = ".keyturn/vault"
DEFAULT_RETENTION_DAYS = 30
DEFAULT_IDLE_HOURS = 48
DEFAULT_MAX_OPERATION_SECONDS = 300


class VendorAccess(Enum):
    """How the vendor's account is given the use of the key."""

    KEY_POLICY = "key_policy"
    GRANT = "grant"
    BOTH = "both"

    @property
    def by_key_policy(self) -> bool:
        """Whether the key policy names the vendor."""
        return self is not VendorAccess.GRANT

    @property
    def by_grant(self) -> bool:
        """Whether a grant names the vendor."""
        return self is not VendorAccess.KEY_POLICY


class Origin(Enum):
    """Where a key's material comes from; the value is KMS's own (EKM-06)."""

    AWS_KMS = "AWS_KMS"
    EXTERNAL = "EXTERNAL"
    AWS_CLOUDHSM = "AWS_CLOUDHSM"
    EXTERNAL_KEY_STORE = "EXTERNAL_KEY_STORE"


class DeclaredState(Enum):
    """How far along its life a generation is declared to be; it only ever moves down this list."""

    ACTIVE = "active"
    RETIRED = "retired"
    RELEASED = "released"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Vendor:
    """Druva's side: its AWS account, and whether its support has activated the feature (EKM-03, EKM-13)."""

    account_id: str
    activated: bool


@dataclass(frozen=True, slots=True)
class VendorNarrowing:
    """What every call of the vendor's on a key is declared to bring; nothing where it is not narrowed.

    Attributes:
        encryption_context: Pairs that are in the encryption context of every call that has one.
        principal_tags: Tags of the principals that call.
    """

    encryption_context: tuple[tuple[str, str], ...] = ()
    principal_tags: tuple[tuple[str, str], ...] = ()

    def __bool__(self) -> bool:
        """Whether anything is narrowed."""
        return bool(self.encryption_context or self.principal_tags)

    def context(self, action: str) -> dict[str, tuple[str, ...]]:
        """The condition keys that a call of this IAM action brings by it, such as `aws:PrincipalTag/service`."""
        from engine.access.operations import WITH_ENCRYPTION_CONTEXT

        brought: dict[str, tuple[str, ...]] = {
            f"aws:PrincipalTag/{name}": (value,) for name, value in self.principal_tags
        }
        if action.removeprefix("kms:") in WITH_ENCRYPTION_CONTEXT:
            brought |= {f"kms:EncryptionContext:{name}": (value,) for name, value in self.encryption_context}
        return brought


@dataclass(frozen=True, slots=True)
class CustomerAccount:
    """The customer's AWS account and the Region of its keys (EKM-05)."""

    account_id: str
    region: str

    @property
    def partition(self) -> str:
        """The AWS partition of the Region, such as `aws`."""
        return partition_of(self.region)


@dataclass(frozen=True, slots=True)
class Alerts:
    """Who is told of what threatens the keys.

    Attributes:
        emails: The addresses; AWS asks each to confirm once.
        idle_hours: After how many hours without a successful use of the current key an alarm is raised.
    """

    emails: tuple[str, ...]
    idle_hours: int = DEFAULT_IDLE_HOURS


@dataclass(frozen=True, slots=True)
class DeclaredGeneration:
    """One KMS key of the tenant's line, as declared."""

    number: int
    description: str
    origin: Origin = Origin.AWS_KMS
    custom_key_store_id: str | None = None
    xks_key_id: str | None = None
    material_imported: bool = False
    multi_region: bool = False
    replicas: tuple[str, ...] = ()
    rotation_period_in_days: int | None = None
    deletion_window_in_days: int = DEFAULT_DELETION_WINDOW_IN_DAYS
    alias: str | None = None
    address: str | None = None
    key_arn: KeyArn | None = None
    state: DeclaredState = DeclaredState.ACTIVE

    @property
    def made_by_stacks(self) -> bool:
        """Whether our own stacks make this key, rather than the customer's Terraform or a person."""
        return self.address is None and self.key_arn is None

    @property
    def awaits_material(self) -> bool:
        """Whether its key has no key material yet: KMS can neither use nor disable it, nor make a grant on it."""
        return self.origin is Origin.EXTERNAL and not self.material_imported


@dataclass(frozen=True, slots=True)
class Declaration:
    """One tenant's declared key state."""

    tenant: str
    vendor: Vendor
    products: tuple[Product, ...]
    account: CustomerAccount
    key_administrators: tuple[str, ...]
    allow_key_deletion: bool
    break_glass: tuple[str, ...]
    vendor_access: VendorAccess
    alias: str
    current: int
    revoked: bool
    generations: tuple[DeclaredGeneration, ...]
    ledger: str = DEFAULT_LEDGER
    vault: str = DEFAULT_VAULT
    retention_days: int = DEFAULT_RETENTION_DAYS
    max_operation_seconds: int = DEFAULT_MAX_OPERATION_SECONDS
    terraform_state: str | None = None
    alerts: Alerts | None = None
    vendor_narrowing: VendorNarrowing = VendorNarrowing()

    def generation(self, number: int) -> DeclaredGeneration:
        """The generation of this number.

        Raises:
            InputError: None is declared.
        """
        for generation in self.generations:
            if generation.number == number:
                return generation
        declared = ", ".join(str(generation.number) for generation in self.generations)
        raise InputError(
            f"generation {number} is not declared for tenant {self.tenant!r} (declared: {declared})",
            "add it to `generations` in the declaration; numbers go up by one",
        )

    @property
    def current_generation(self) -> DeclaredGeneration:
        """The generation that `current` names."""
        return self.generation(self.current)


def load_declaration(path: Path) -> Declaration:
    """Read and check a declaration.

    Args:
        path: The file.

    Returns:
        The typed declaration.

    Raises:
        InputError: It is missing, unreadable or has mistakes; all of them are in `mistakes`.
    """
    try:
        data = read_file(path, what="the declaration")
    except InputError as error:
        hint = "`keyturn init` writes one; `--declaration FILE` names another"
        raise InputError(error.message, error.hint or hint, error.mistakes) from error
    return parse_declaration(str(path), data)


def parse_declaration(file: str, data: bytes) -> Declaration:
    """Parse and check a declaration's bytes; `file` is the name to show. Raises as `load_declaration`."""
    return typed_declaration(read_declaration(file, data))


def read_declaration(file: str, data: bytes) -> LocatedDocument:
    """Parse and check a declaration, keeping the place of every value. Raises as `load_declaration`."""
    document = parse_yaml(file, data)
    mistakes = check_schema(document, SCHEMA)
    if isinstance(document.value, dict):
        mistakes = tuple(dict.fromkeys((*mistakes, *check_rules(document))))
    if mistakes:
        count = "a mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        ordered = tuple(sorted(mistakes, key=lambda m: (m.line or 0, m.column or 0)))
        raise InputError(f"the declaration {file} has {count}", mistakes=ordered)
    return document


def typed_declaration(document: LocatedDocument) -> Declaration:
    """Turn a checked document into a `Declaration`."""
    value: dict[str, Any] = document.value
    return Declaration(
        tenant=value["tenant"],
        vendor=Vendor(value["druva"]["account_id"], value["druva"]["activated"]),
        products=tuple(Product(name) for name in value["products"]),
        account=CustomerAccount(value["aws"]["account_id"], value["aws"]["region"]),
        key_administrators=tuple(value["key_administrators"]),
        allow_key_deletion=value["allow_key_deletion"],
        break_glass=tuple(value["break_glass"]),
        vendor_access=VendorAccess(value["vendor_access"]),
        alias=value["alias"],
        current=value["current"],
        revoked=value["revoked"],
        generations=tuple(_generation(entry, value["tenant"]) for entry in value["generations"]),
        ledger=value.get("ledger", DEFAULT_LEDGER),
        vault=value.get("vault", DEFAULT_VAULT),
        retention_days=value.get("retention_days", DEFAULT_RETENTION_DAYS),
        max_operation_seconds=value.get("max_operation_seconds", DEFAULT_MAX_OPERATION_SECONDS),
        terraform_state=value.get("terraform_state"),
        alerts=_alerts(value.get("alerts")),
        vendor_narrowing=_narrowing(value.get("vendor_narrowing", {})),
    )


def _narrowing(value: dict[str, dict[str, str]]) -> VendorNarrowing:
    encryption_context, principal_tags = (
        tuple(sorted(value.get(key, {}).items())) for key in ("encryption_context", "principal_tags")
    )
    return VendorNarrowing(encryption_context, principal_tags)


def _alerts(value: dict[str, Any] | None) -> Alerts | None:
    if value is None:
        return None
    return Alerts(tuple(value["emails"]), value.get("idle_hours", DEFAULT_IDLE_HOURS))


def _generation(entry: dict[str, Any], tenant: str) -> DeclaredGeneration:
    key_arn = entry.get("key_arn")
    return DeclaredGeneration(
        number=entry["number"],
        description=entry.get("description", f"Druva Enterprise Key Management: {tenant}"),
        origin=Origin(entry.get("origin", Origin.AWS_KMS.value)),
        custom_key_store_id=entry.get("custom_key_store_id"),
        xks_key_id=entry.get("xks_key_id"),
        material_imported=entry.get("material_imported", False),
        multi_region=entry.get("multi_region", False),
        replicas=tuple(entry.get("replicas", ())),
        rotation_period_in_days=entry.get("rotation_period_in_days"),
        deletion_window_in_days=entry.get("deletion_window_in_days", DEFAULT_DELETION_WINDOW_IN_DAYS),
        alias=entry.get("alias"),
        address=entry.get("address"),
        key_arn=parse_key_arn(key_arn) if key_arn is not None else None,
        state=DeclaredState(entry.get("state", DeclaredState.ACTIVE.value)),
    )
