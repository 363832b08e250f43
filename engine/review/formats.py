"""The forms that a report can take, by the names of the command line."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, assert_never

if TYPE_CHECKING:
    from engine.review.report import Report


class ReportFormat(Enum):
    """A form of the report; the value is its name on the command line."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"
    SARIF = "sarif"
    JUNIT = "junit"
    GITHUB = "github"
    GITLAB = "gitlab"


def render(report: Report, form: ReportFormat, *, colour: bool = False) -> str:
    """The report in a form, with a final newline where it is not empty.

    Args:
        report: What the review came to.
        form: The form.
        colour: Whether the text for people uses ANSI colours; no other form has any.
    """
    match form:
        case ReportFormat.TEXT:
            from engine.review.text_report import render_text

            return render_text(report, colour=colour)
        case ReportFormat.JSON:
            from engine.review.json_report import render_json

            return render_json(report)
        case ReportFormat.MARKDOWN:
            from engine.review.markdown_report import render_markdown

            return render_markdown(report)
        case ReportFormat.SARIF:
            from engine.review.sarif_report import render_sarif

            return render_sarif(report)
        case ReportFormat.JUNIT:
            from engine.review.pipeline_reports import render_junit

            return render_junit(report)
        case ReportFormat.GITHUB:
            from engine.review.pipeline_reports import render_github

            return render_github(report)
        case ReportFormat.GITLAB:
            from engine.review.pipeline_reports import render_gitlab

            return render_gitlab(report)
        case _:
            assert_never(form)
