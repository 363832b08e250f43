"""A hint names only commands that there are."""

from __future__ import annotations

import re
from pathlib import Path

from cli.main import COMMANDS

ROOT = Path(__file__).resolve().parent.parent
SOURCES = [path for folder in ("cli", "engine", "stacks") for path in (ROOT / folder).rglob("*.py")]


def test_every_command_that_is_named_in_a_message_exists() -> None:
    known = {name for name, _, _ in COMMANDS}
    for path in SOURCES:
        for named in re.findall(r"`keyturn ([a-z]+)[ `]", path.read_text(encoding="utf-8")):
            assert named in known, f"{path.relative_to(ROOT)}: keyturn {named}"
