"""How a drill looks: a matrix of workflows and ways, as text, Markdown or JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cli.display import print_json, print_table, warn
from engine.drill.model import Outcome, Phase, promised

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.catalogue import Workflow
    from engine.drill import Drilled, Rehearsed, Work

_SHORT = {
    Outcome.WORKED: "works",
    Outcome.FAILED_FOR_KEY: "fails",
    Outcome.FAILED_OTHERWISE: "BROKEN",
    Outcome.NOT_RUN: "not run",
}


def print_drill(drilled: Drilled, form: str) -> None:
    """Print a drill in one of the three forms."""
    if form == "json":
        print_json(_document(drilled))
        return
    headings = ("WORKFLOW", "PROMISED", *(one.way.title.upper() for one in drilled.rehearsed), "BEFORE, AFTER")
    rows = list(_rows(drilled))
    if form == "markdown":
        click.echo(f"# Drill on {drilled.where}\n")
        click.echo("| " + " | ".join(heading.capitalize() for heading in headings) + " |")
        click.echo("|" + " --- |" * len(headings))
        for row in rows:
            click.echo("| " + " | ".join(row) + " |")
        click.echo(f"\n{_verdict(drilled)}")
    else:
        print_table(headings, rows)
        click.echo(_verdict(drilled))
    for one in drilled.rehearsed:
        for phase, work in one.differences():
            warn(
                f"{one.way.title}, {phase.value}: {work.workflow.title}: {work.outcome.value},"
                f" promised was: {promised(work.workflow, phase).value}" + (f" ({work.detail})" if work.detail else "")
            )


def _rows(drilled: Drilled) -> Iterator[tuple[str, ...]]:
    if not drilled.rehearsed:
        return
    for number, first in enumerate(drilled.rehearsed[0].revoked):
        revoked = [_cell(one.revoked[number], Phase.REVOKED) for one in drilled.rehearsed]
        around = {work.outcome for one in drilled.rehearsed for work in (one.before[number], one.after[number])}
        both = "; ".join(sorted(_SHORT[outcome] for outcome in around))
        yield first.workflow.title, _SHORT[promised(first.workflow, Phase.REVOKED)], *revoked, both


def _cell(work: Work, phase: Phase) -> str:
    differs = work.outcome not in {promised(work.workflow, phase), Outcome.NOT_RUN}
    return f"{_SHORT[work.outcome]}{' (!)' if differs else ''}"


def _verdict(drilled: Drilled) -> str:
    differences = sum(1 for one in drilled.rehearsed for _ in one.differences())
    ways = len(drilled.rehearsed)
    if not drilled.kept:
        return f"{differences} runs differ from what the seeds promise, in {ways} ways of revoking, on {drilled.where}"
    not_run = {workflow.title for one in drilled.rehearsed for workflow in one.not_run()}
    besides = f"; not run: {', '.join(sorted(not_run))}" if not_run else ""
    return f"as promised in all {ways} ways of revoking, on {drilled.where}{besides}"


def _document(drilled: Drilled) -> dict[str, Any]:
    return {
        "where": drilled.where,
        "kept": drilled.kept,
        "ways": [_way(one) for one in drilled.rehearsed],
    }


def _way(one: Rehearsed) -> dict[str, Any]:
    return {
        "way": one.way.value,
        "key_arn": one.key_arn,
        "workflows": [
            {
                **_named(revoked.workflow),
                "promised": promised(revoked.workflow, Phase.REVOKED).value,
                "before": before.outcome.value,
                "revoked": revoked.outcome.value,
                "after": after.outcome.value,
                "key_failures": list(revoked.failures),
                "detail": revoked.detail,
            }
            for before, revoked, after in zip(one.before, one.revoked, one.after, strict=True)
        ],
        "differences": [
            {**_named(work.workflow), "phase": phase.value, "outcome": work.outcome.value, "detail": work.detail}
            for phase, work in one.differences()
        ],
    }


def _named(workflow: Workflow) -> dict[str, Any]:
    return {
        "product": workflow.product.value,
        "kind": workflow.kind.value,
        "variant": workflow.variant,
        "uses_customer_key": workflow.uses_customer_key,
        "requirements": list(workflow.requirements),
    }
