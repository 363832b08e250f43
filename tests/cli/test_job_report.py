"""The last line of a job says what was not done as much as what was."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cli.job_report import tell_job
from engine.jobs.report import JobReport, Outcome, Problem, ProblemKind, WorkloadResult
from tests.builders import NOW
from tests.engine.jobs.world import COPY, MANUAL_BACKUP

if TYPE_CHECKING:
    from engine.catalogue import Workflow

NOTE, MISSING = Problem("pipe", ProblemKind.NOTE, "is a pipe"), Problem("a", ProblemKind.MISSING, "cannot be read")
LEFT_ALONE = Problem("b", ProblemKind.LEFT_ALONE, "is there already, with other content")
DAMAGED, OF_THE_WHOLE = Problem("c", ProblemKind.DAMAGED, "is damaged"), Problem("", ProblemKind.DAMAGED, "was damaged")


@pytest.mark.parametrize(
    ("workflow", "problems", "closing"),
    [
        (COPY, (), "1 of 1 workloads done: 3 files, 1.0 MB"),
        (COPY, (NOTE,), "1 of 1 workloads done: 3 files, 1.0 MB"),
        (
            COPY,
            (DAMAGED, MISSING),
            "1 of 1 workloads done, but for 2 files that could not be restored: 3 files, 1.0 MB",
        ),
        (COPY, (LEFT_ALONE,), "1 of 1 workloads done, but for 1 file that was left alone: 3 files, 1.0 MB"),
        (
            COPY,
            (DAMAGED, LEFT_ALONE, LEFT_ALONE),
            (
                "1 of 1 workloads done, but for 1 file that could not be restored and 2 files that were left alone:"
                " 3 files, 1.0 MB"
            ),
        ),
        (MANUAL_BACKUP, (MISSING,), "1 of 1 workloads done, but for 1 file that could not be stored: 3 files, 1.0 MB"),
        (MANUAL_BACKUP, (OF_THE_WHOLE,), "1 of 1 workloads done: 3 files, 1.0 MB"),
    ],
)
def test_the_last_line_is_true(
    workflow: Workflow, problems: tuple[Problem, ...], closing: str, capsys: pytest.CaptureFixture[str]
) -> None:
    result = WorkloadResult(
        "onedrive/bob", Outcome.WITH_PROBLEMS if problems else Outcome.COMPLETED, None, 3, 1_000_000, problems=problems
    )
    tell_job(JobReport("0" * 16, workflow, NOW, NOW, (result,)))
    assert capsys.readouterr().out.splitlines()[-1] == closing
