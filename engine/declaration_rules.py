"""What the values of a declaration must be to each other; each rule reports at the place of its value.

- Every number is a whole one, written without a point.
- Generations are append-only: the numbers are 1, 2, 3… in the order of the file, without a gap (EKM-11).
- `current` names a declared generation that is `active`; only an older one may be retired or further.
- No key ARN stands twice, and no two ARNs are replicas of one multi-Region key (EKM-11).
- A declared key ARN is in the customer's own account, Region and partition (EKM-05, EKM-07).
- The vendor's account is another account than the customer's (EKM-18).
- Principals are of the partition of the Region, and a key administrator is not the vendor (EKM-16).
- No alias stands twice.
- A narrowing of the vendor by principal tags is for the key policy alone: a grant knows no tags. One by encryption
  context names nothing that differs from call to call.
- An origin has what it needs and nothing that it cannot have (EKM-06): a custom key store for CloudHSM
  and external key stores, the key's id for an external one, neither elsewhere; automatic rotation for
  AWS_KMS alone; imported material for EXTERNAL alone; replicas for a multi-Region key alone, in other Regions
  of its partition, never in a custom key store.
- A key comes from one place: our stacks, an address in the customer's Terraform, or an ARN. An address
  may carry the ARN it produced.

The rules run on documents that may have failed the schema: what is not of the right type is left to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.arn import parse_key_arn, partition_of, principal_account
from engine.errors import InputError, Mistake

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.arn import KeyArn
    from engine.located_yaml import LocatedDocument, PathOfKeys

_BEYOND_ACTIVE = ("retired", "released", "deleted")
_OWN_CONTEXT = "keyturn:"  # what `engine.ledger.interface.encryption_context` names
_CUSTOM_KEY_STORE_ORIGINS = ("AWS_CLOUDHSM", "EXTERNAL_KEY_STORE")


def check_rules(document: LocatedDocument) -> tuple[Mistake, ...]:
    """Hold a declaration against the rules above.

    Args:
        document: A mapping, of which single values may be of the wrong type.

    Returns:
        Every mistake found.
    """
    return tuple(
        mistake
        for rule in (
            _whole_numbers,
            _numbers,
            _current,
            _key_arns,
            _accounts,
            _principals,
            _aliases,
            _replicas,
            _origins,
            _narrowing,
        )
        for mistake in rule(document)
    )


def _entries(document: LocatedDocument) -> list[tuple[int, dict[str, Any]]]:
    generations = document.value.get("generations")
    if not isinstance(generations, list):
        return []
    return [(index, entry) for index, entry in enumerate(generations) if isinstance(entry, dict)]


def _mapping(document: LocatedDocument, key: str) -> dict[str, Any]:
    value = document.value.get(key)
    return value if isinstance(value, dict) else {}


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _whole_numbers(document: LocatedDocument) -> Iterator[Mistake]:
    """JSON Schema takes 1.0 for an integer; here nothing is measured, so a point is a slip of the pen."""
    waiting: list[tuple[PathOfKeys, Any]] = [((), document.value)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, float):
            yield document.mistake(path, f"{value} has a point or an exponent", "a whole number, without a point")
        elif isinstance(value, dict):
            waiting.extend(((*path, key), inner) for key, inner in value.items())
        elif isinstance(value, list):
            waiting.extend(((*path, index), inner) for index, inner in enumerate(value))


def _numbers(document: LocatedDocument) -> Iterator[Mistake]:
    for index, entry in _entries(document):
        number = entry.get("number")
        if _is_number(number) and number != index + 1:
            yield document.mistake(
                ("generations", index, "number"),
                f"generations[{index}].number is {number}",
                f"{index + 1}: generations are append-only and numbered from 1 without a gap",
            )


def _current(document: LocatedDocument) -> Iterator[Mistake]:
    current = document.value.get("current")
    if not _is_number(current):
        return
    states = {
        entry["number"]: entry.get("state", "active")
        for _, entry in _entries(document)
        if _is_number(entry.get("number"))
    }
    if current not in states:
        known = ", ".join(str(number) for number in sorted(states)) or "none is"
        yield document.mistake(("current",), f"current is {current}", f"the number of a declared generation ({known})")
        return
    for index, entry in _entries(document):
        number, state = entry.get("number"), entry.get("state", "active")
        if state in _BEYOND_ACTIVE and _is_number(number) and number >= current:
            which = "the current generation" if number == current else "a generation newer than the current one"
            yield document.mistake(
                ("generations", index, "state"),
                f"generations[{index}].state is {state!r} for {which}",
                "active",
            )


def _key_arns(document: LocatedDocument) -> Iterator[Mistake]:
    account = _mapping(document, "aws")
    seen: dict[str, int] = {}
    for index, entry in _entries(document):
        text = entry.get("key_arn")
        if not isinstance(text, str):
            continue
        path: PathOfKeys = ("generations", index, "key_arn")
        try:
            arn = parse_key_arn(text)
        except InputError as error:
            yield document.mistake(path, f"generations[{index}].key_arn: {error.message}", error.hint)
            continue
        yield from _arn_place(document, path, arn, account)
        if arn.family in seen:
            yield document.mistake(
                path,
                f"generations[{index}].key_arn is the key of generations[{seen[arn.family]}]",
                "a key of its own for each generation",
            )
        seen.setdefault(arn.family, index)
        if entry.get("multi_region") is False and arn.multi_region:
            yield document.mistake(
                path, f"generations[{index}].key_arn is a multi-Region key", "multi_region: true beside it"
            )


def _arn_place(document: LocatedDocument, path: PathOfKeys, arn: KeyArn, account: dict[str, Any]) -> Iterator[Mistake]:
    account_id, region = account.get("account_id"), account.get("region")
    if isinstance(account_id, str) and arn.account_id != account_id:
        yield document.mistake(
            path, f"the key is in the account {arn.account_id}", f"your own account {account_id} [EKM-05]"
        )
    if isinstance(region, str) and arn.region != region:
        yield document.mistake(path, f"the key is in the Region {arn.region}", f"{region}, as aws.region says")


def _accounts(document: LocatedDocument) -> Iterator[Mistake]:
    customer = _mapping(document, "aws").get("account_id")
    vendor = _mapping(document, "druva").get("account_id")
    if isinstance(vendor, str) and vendor == customer:
        yield document.mistake(
            ("druva", "account_id"),
            f"druva.account_id is your own account {vendor!r}",
            "Druva's account, from the Druva console: another than aws.account_id [EKM-18]",
        )


def _principals(document: LocatedDocument) -> Iterator[Mistake]:
    region = _mapping(document, "aws").get("region")
    vendor = _mapping(document, "druva").get("account_id")
    customer = _mapping(document, "aws").get("account_id")
    for key in ("key_administrators", "break_glass"):
        principals = document.value.get(key)
        for index, principal in enumerate(principals if isinstance(principals, list) else []):
            if not isinstance(principal, str) or not principal.startswith("arn:"):
                continue
            partition = principal.split(":")[1]
            if isinstance(region, str) and partition != partition_of(region):
                yield document.mistake(
                    (key, index), f"{key}[{index}] is in the partition {partition!r}", partition_of(region)
                )
            if isinstance(vendor, str) and vendor != customer and principal_account(principal) == vendor:
                yield document.mistake(
                    (key, index), f"{key}[{index}] is in Druva's account", "a principal of your own [EKM-16]"
                )


def _aliases(document: LocatedDocument) -> Iterator[Mistake]:
    main = document.value.get("alias")
    seen = {main: "alias"} if isinstance(main, str) else {}
    for index, entry in _entries(document):
        alias = entry.get("alias")
        if not isinstance(alias, str):
            continue
        if alias in seen:
            yield document.mistake(
                ("generations", index, "alias"),
                f"generations[{index}].alias is {alias!r}, which {seen[alias]} is already",
                "an alias of its own, or none",
            )
        seen.setdefault(alias, f"generations[{index}].alias")


def _narrowing(document: LocatedDocument) -> Iterator[Mistake]:
    narrowing = _mapping(document, "vendor_narrowing")
    access = document.value.get("vendor_access")
    if "principal_tags" in narrowing and access in ("grant", "both"):
        yield document.mistake(
            ("vendor_narrowing", "principal_tags"),
            f"vendor_narrowing.principal_tags with vendor_access {access}: a grant cannot ask for tags",
            "vendor_access: key_policy, or no principal_tags",
            at_key=True,
        )
    pairs = narrowing.get("encryption_context")
    for name, value in pairs.items() if isinstance(pairs, dict) else ():
        of_ours = isinstance(name, str) and name.startswith(_OWN_CONTEXT)
        if of_ours and (name, value) != (f"{_OWN_CONTEXT}tenant", document.value.get("tenant")):
            yield document.mistake(
                ("vendor_narrowing", "encryption_context", name),
                f"not every call has {name} = {value!r} in its encryption context",
                f"{_OWN_CONTEXT}tenant with the tenant's name, or what Druva's calls bring",
                at_key=True,
            )


def _replicas(document: LocatedDocument) -> Iterator[Mistake]:
    region = _mapping(document, "aws").get("region")
    if not isinstance(region, str):
        return
    for index, entry in _entries(document):
        replicas = entry.get("replicas")
        for place, replica in enumerate(replicas if isinstance(replicas, list) else []):
            if isinstance(replica, str) and (replica == region or partition_of(replica) != partition_of(region)):
                what = "the key's own Region" if replica == region else "in another partition"
                yield document.mistake(
                    ("generations", index, "replicas", place),
                    f"generations[{index}].replicas[{place}] is {replica!r}, {what}",
                    f"another Region of the partition of {region}",
                )


def _origins(document: LocatedDocument) -> Iterator[Mistake]:
    for index, entry in _entries(document):
        for key, message, expected in _origin_mistakes(entry):
            yield document.mistake(
                ("generations", index, key), f"generations[{index}]: {message}", expected, at_key=True
            )


def _origin_mistakes(entry: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    origin = entry.get("origin", "AWS_KMS")
    made_elsewhere = "address" in entry or "key_arn" in entry
    if origin in _CUSTOM_KEY_STORE_ORIGINS:
        if "custom_key_store_id" not in entry and not made_elsewhere:
            yield (
                "origin",
                f"origin {origin} without custom_key_store_id",
                "the id of the key store beside it",
            )
        if entry.get("multi_region"):
            yield "multi_region", f"a key of origin {origin} cannot be multi-Region", "no multi_region"
    elif "custom_key_store_id" in entry:
        yield "custom_key_store_id", f"a key of origin {origin} is in no key store", "no custom_key_store_id"
    if origin == "EXTERNAL_KEY_STORE":
        if "xks_key_id" not in entry and not made_elsewhere:
            yield (
                "origin",
                "origin EXTERNAL_KEY_STORE without xks_key_id",
                "the id of the external key beside it",
            )
    elif "xks_key_id" in entry:
        yield "xks_key_id", f"a key of origin {origin} has no external key", "no xks_key_id"
    if "material_imported" in entry and origin != "EXTERNAL":
        yield (
            "material_imported",
            f"no key material is imported into a key of origin {origin}",
            "no material_imported, or origin: EXTERNAL",
        )
    if "rotation_period_in_days" in entry and origin != "AWS_KMS":
        yield (
            "rotation_period_in_days",
            f"automatic rotation is not supported for origin {origin}",
            "no rotation_period_in_days; rotate to a new generation instead",
        )
    if entry.get("replicas") and not entry.get("multi_region"):
        yield "replicas", "replicas of a key that is not multi-Region", "multi_region: true beside it"
