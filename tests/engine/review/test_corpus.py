"""Plans that other projects use for their own tests: each is reviewed, or refused with a clear reason.

The corpus is not part of the repository. It is found where KEYTURN_PLAN_CORPUS says, or in `shared/corpus/plans` beside
the repository.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.errors import InputError
from engine.review import render_json, render_text, review_plan
from tests.engine.review.declarations import declaration

if TYPE_CHECKING:
    from collections.abc import Callable

REPOSITORY = Path(__file__).parents[3]


def _corpus() -> Path | None:
    named = os.environ.get("KEYTURN_PLAN_CORPUS")
    folder = Path(named) if named else REPOSITORY.parent / "shared" / "corpus" / "plans"
    return folder if folder.is_dir() else None


def test_every_plan_of_the_corpus_is_reviewed_or_refused_with_a_reason(tell: Callable[[str], None]) -> None:
    folder = _corpus()
    if folder is None:
        pytest.skip("no plan corpus: set KEYTURN_PLAN_CORPUS to a folder of plans printed by `terraform show -json`")
    seen: Counter[str] = Counter()
    refused: list[str] = []
    for path in sorted(folder.glob("*.json")):
        try:
            report = review_plan(path.name, path.read_bytes(), declaration(2))
        except InputError as error:
            assert path.name in error.message
            assert error.hint
            refused.append(error.message)
            continue
        seen[report.verdict.value] += 1
        assert render_text(report)
        assert render_json(report)
    tell(f"plan corpus: {dict(seen)}, {len(refused)} refused:")
    for message in refused:
        tell(f"  {message}")
    assert sum(seen.values()) + len(refused) >= 100
    assert len(refused) <= 4
