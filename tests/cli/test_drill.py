"""`keyturn drill`: the matrix as text, Markdown and JSON, and who may be drilled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cli import drill_report
from engine.catalogue import WORKFLOWS
from engine.drill import Drilled, Outcome, Rehearsed, Way, Work
from engine.drill.model import Phase, promised

if TYPE_CHECKING:
    from tests.cli.conftest import Repository


def kept(way: Way) -> Rehearsed:
    before, revoked, after = (
        tuple(Work(workflow, promised(workflow, phase)) for workflow in WORKFLOWS) for phase in Phase
    )
    return Rehearsed(way, "arn", before, revoked, after)


def broken() -> Drilled:
    one = kept(Way.DISABLE)
    worked = Work(WORKFLOWS[0], Outcome.WORKED)
    return Drilled("somewhere", (Rehearsed(one.way, one.key_arn, one.before, (worked, *one.revoked[1:]), one.after),))


def test_a_drill_on_the_sandbox_prints_each_workflow_beside_the_promise(repository: Repository) -> None:
    ended = repository.keyturn("drill", "--way", "grant", "--json")
    assert ended.exit_code == 0, ended.err
    assert ended.document["kept"] is True
    (way,) = ended.document["ways"]
    assert len(way["workflows"]) == len(WORKFLOWS)
    assert {row["promised"] == row["revoked"] for row in way["workflows"]} == {True}
    assert way["differences"] == []


@pytest.mark.parametrize("form", ["text", "markdown"])
def test_where_reality_differs_it_is_marked_and_named(capsys: pytest.CaptureFixture[str], form: str) -> None:
    drilled = broken()
    assert drilled.exit_code == 1
    drill_report.print_drill(drilled, form)
    shown = capsys.readouterr()
    (row,) = [line for line in shown.out.splitlines() if WORKFLOWS[0].title in line]
    assert "works (!)" in row
    assert "1 runs differ from what the seeds promise" in shown.out
    assert f"key disabled, revoked: {WORKFLOWS[0].title}: works, promised was: fails for the key" in shown.err


def test_the_matrix_has_a_row_for_each_workflow_and_a_column_for_each_way(capsys: pytest.CaptureFixture[str]) -> None:
    drill_report.print_drill(Drilled("somewhere", (kept(Way.DISABLE), kept(Way.DENY))), "markdown")
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert len(lines) == len(WORKFLOWS) + 2
    assert {line.count("|") for line in lines} == {6}


def test_a_real_key_needs_consent_and_must_be_meant_for_it(repository: Repository) -> None:
    arn = repository.enabled()
    before = repository.ledger_state()
    assert repository.keyturn("drill", "--key-arn", arn).exit_code == 2
    assert repository.keyturn("drill", "--consent", arn).exit_code == 2
    assert repository.keyturn("drill", "--key-arn", arn, "--consent", "yes").exit_code == 1
    ended = repository.keyturn("drill", "--key-arn", arn, "--consent", arn)
    assert ended.exit_code == 1
    assert "is a generation of tenant 'northwind'" in ended.err
    assert repository.customer.kms.describe_key(KeyId=arn)["KeyMetadata"]["KeyState"] == "Enabled"
    assert repository.ledger_state() == before
    other = repository.customer.kms.create_key(Tags=[{"TagKey": "keyturn:drill", "TagValue": "yes"}])
    arn = other["KeyMetadata"]["Arn"]
    ended = repository.keyturn("drill", "--key-arn", arn, "--consent", arn, "--way", "schedule-deletion")
    assert ended.exit_code == 3
    assert "is not rehearsed on a real key" in ended.err
    ended = repository.keyturn("drill", "--key-arn", arn, "--consent", arn)
    assert ended.exit_code == 0, ended.err
    assert "key disabled" in ended.out.lower()
    assert repository.customer.kms.describe_key(KeyId=arn)["KeyMetadata"]["KeyState"] == "Enabled"
