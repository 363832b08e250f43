"""The page about the sandbox names every operation that it does not have."""

from __future__ import annotations

import re
from pathlib import Path

from engine.sandbox.kms.operations import OPERATIONS
from engine.sandbox.kms.parameters import ParameterModel

PAGE = Path(__file__).parents[3] / "docs" / "sandbox.md"


def test_what_is_not_there_is_said() -> None:
    row = next(line for line in PAGE.read_text().splitlines() if line.endswith("| `UnknownOperationException` |"))
    named = set(re.findall(r"`(\w+)`", row)) - {"UnknownOperationException"}
    assert named == ParameterModel().operations - OPERATIONS.keys()
