"""The plan of the house: a file stands above all that it imports, and no import runs back up or in a circle."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# From the ground up; modules of one floor may use each other, but in no circle.
FLOORS = (
    (
        "engine.errors",
        "engine.arn",
        "engine.times",
        "engine.printing",
        "engine.durable",
        "engine.collection",
        "engine.catalogue",
        "engine.located_yaml",
        "engine.plain_schema",
        "engine.schema_check",
        "policies",
    ),
    (
        *("engine.lifecycle", "engine.evidence", "engine.kms", "engine.access", "engine.declaration"),
        *("engine.declaration_rules", "engine.declaration_history", "engine.declaration_edit"),
    ),
    (
        *(
            "engine.ledger",
            "engine.sandbox",
            "engine.review",
            "engine.validation",
            "engine.situation",
            "engine.diagnosis",
            "engine.revocation",
            "engine.carry_over",
        ),
        *("engine.transitions", "stacks"),
    ),
    ("engine.envelope",),
    ("engine.rotation",),
    ("engine.jobs",),
    ("engine.drill",),
    ("cli",),
)


def floor_of(module: str) -> int:
    best = max(
        (
            (len(room), number)
            for number, rooms in enumerate(FLOORS)
            for room in rooms
            if module == room or module.startswith(room + ".")
        ),
        default=None,
    )
    assert best is not None, f"{module} has no floor: add it to the plan of the house"
    return best[1]


def room_of(module: str) -> str:
    return max((room for rooms in FLOORS for room in rooms if module == room or module.startswith(room + ".")), key=len)


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {
    module_name(path): path
    for folder in ("cli", "engine", "policies", "stacks")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if module_name(path) != "engine"
}


def _own_module(name: str) -> str | None:
    """The module of this project that an imported name is or stands in, or None."""
    while name and name not in MODULES:
        name = name.rpartition(".")[0]
    return name or None


def imports_of(module: str) -> set[str]:
    """The modules of this project that a module imports, at its top or inside a function."""
    found: set[str | None] = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module is not None and node.level == 0:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        found.update(_own_module(name) for name in names)
    return {name for name in found if name is not None and name != module}


@pytest.mark.parametrize("module", sorted(MODULES))
def test_no_import_runs_up(module: str) -> None:
    for imported in imports_of(module):
        assert floor_of(imported) <= floor_of(module), f"{module} imports {imported}, which stands above it"


def test_no_rooms_import_each_other_in_a_circle() -> None:
    below: dict[str, set[str]] = {}
    for module in MODULES:
        room = room_of(module)
        below.setdefault(room, set()).update(room_of(imported) for imported in imports_of(module))
    done: set[str] = set()

    def visit(room: str, path: tuple[str, ...]) -> None:
        assert room not in path, f"a circle: {' → '.join((*path, room))}"
        if room not in done:
            for other in below.get(room, set()) - {room}:
                visit(other, (*path, room))
            done.add(room)

    for room in below:
        visit(room, ())


def imported_by(code: str) -> set[str]:
    """The top-level modules that a fresh interpreter has loaded after running this code."""
    program = f"{code}\nimport sys\nprint(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(result.stdout.split())


def test_the_help_imports_nothing_slow() -> None:
    loaded = imported_by("from cli.main import run\nrun(['--help'])")
    assert not loaded & {"boto3", "botocore", "jsii", "cdktf", "moto", "rich", "yaml", "jsonschema_rs", "cryptography"}


def test_the_base_imports_neither_cdktf_nor_moto() -> None:
    modules = [name for name in MODULES if name.startswith("engine.") and not name.startswith("engine.sandbox")]
    loaded = imported_by("\n".join(f"import {name}" for name in modules))
    assert not loaded & {"jsii", "cdktf", "constructs", "moto", "boto3"}
