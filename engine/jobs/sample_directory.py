"""The objects of a sample directory, as Microsoft Graph gives them: one JSON document each.

The types and names of properties are those of Microsoft Graph v1.0 (resource types user, group, device,
application, servicePrincipal, conditionalAccessPolicy, directoryRole).
"""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

_GROUPS = ("All Company", "Entwicklung", "Finance", "Break glass")
_ROLES = ("Global Administrator", "Helpdesk Administrator", "Security Reader")
_APPLICATIONS = ("Payroll", "Zeiterfassung", "Single sign-on portal")
_POLICIES = ("Require multifactor authentication for administrators", "Block legacy authentication")


def directory_objects(source: random.Random, names: tuple[str, ...]) -> Iterator[tuple[str, bytes]]:
    """The objects of a directory, each with its path in it.

    Args:
        source: Determines them.
        names: The names of the users; none make no directory.
    """
    if not names:
        return
    users = [_user(source, name, number) for number, name in enumerate(names, start=1)]
    groups = [_group(source, name, users) for name in _GROUPS]
    yield from _documents("users", users)
    yield from _documents("groups", groups)
    yield from _documents("devices", (_device(source, user) for user in users if user["id"][0] < "8"))
    yield from _documents("directoryRoles", (_role(source, name, users) for name in _ROLES))
    for name in _APPLICATIONS:
        application_id = _identifier(source)
        yield from _documents("applications", [_application(source, name, application_id, "application")])
        yield from _documents("servicePrincipals", [_application(source, name, application_id, "servicePrincipal")])
    yield from _documents("conditionalAccessPolicies", (_policy(source, name, groups[-1]) for name in _POLICIES))


def _documents(folder: str, objects: Any) -> Iterator[tuple[str, bytes]]:
    for document in objects:
        yield f"{folder}/{document['id']}.json", json.dumps(document, ensure_ascii=False, indent=1).encode()


def _identifier(source: random.Random) -> str:
    return str(uuid.UUID(int=source.getrandbits(128), version=4))


def _object(source: random.Random, kind: str, name: str, **properties: object) -> dict[str, Any]:
    return {"@odata.type": f"#microsoft.graph.{kind}", "id": _identifier(source), "displayName": name, **properties}


def _user(source: random.Random, name: str, number: int) -> dict[str, Any]:
    principal = f"user{number}@northwind.example"
    return _object(
        source,
        "user",
        name,
        userPrincipalName=principal,
        mail=principal,
        accountEnabled=number % 9 != 0,
        jobTitle=source.choice(("Engineer", "Buchhaltung", "Sales", None)),
        usageLocation=source.choice(("DE", "SE", "US")),
    )


def _group(source: random.Random, name: str, users: list[dict[str, Any]]) -> dict[str, Any]:
    members = source.sample(users, k=max(1, len(users) // 2))
    return _object(
        source,
        "group",
        name,
        securityEnabled=True,
        mailEnabled=False,
        groupTypes=[],
        members=[{"@odata.type": user["@odata.type"], "id": user["id"]} for user in members],
    )


def _device(source: random.Random, owner: dict[str, Any]) -> dict[str, Any]:
    system = source.choice(("Windows", "macOS", "iOS"))
    name = f"NW-{source.getrandbits(24):06X}"
    return _object(
        source, "device", name, deviceId=_identifier(source), operatingSystem=system, registeredOwners=[owner["id"]]
    )


def _role(source: random.Random, name: str, users: list[dict[str, Any]]) -> dict[str, Any]:
    return _object(source, "directoryRole", name, members=[source.choice(users)["id"]])


def _application(source: random.Random, name: str, application_id: str, kind: str) -> dict[str, Any]:
    return _object(source, kind, name, appId=application_id, signInAudience="AzureADMyOrg")


def _policy(source: random.Random, name: str, excluded: dict[str, Any]) -> dict[str, Any]:
    users = {"includeUsers": ["All"], "excludeGroups": [excluded["id"]]}
    return _object(source, "conditionalAccessPolicy", name, state="enabled", conditions={"users": users})
