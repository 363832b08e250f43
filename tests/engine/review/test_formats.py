"""The forms for pipelines: Markdown, SARIF, JUnit, GitHub annotations, GitLab code quality."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date
from xml.etree import ElementTree as ET

import pytest

from engine.review import Report, RuleSet, builtin_rules, review_plan
from engine.review.formats import ReportFormat, render
from engine.review.markdown_report import MARKER, MAX_CHARACTERS, code, escape, render_markdown
from engine.review.rules import Outcome, Severity
from engine.review.sarif_report import MAX_RESULTS
from engine.review.waivers import Waiver
from tests.engine.review.declarations import declaration
from tests.engine.review.plan_builder import PlanBuilder
from tests.engine.review.report_builder import finding, impact, noted, report, waived
from tests.policies.example_plans import review_example
from tests.policies.test_rules import RULES

KEY, GRANT, ALIAS = "aws_kms_key", "aws_kms_grant", "aws_kms_alias"


def _mixed() -> Report:
    """One finding that blocks, one that informs, one that is waived."""
    plan = PlanBuilder().add(KEY, 1, ("update",), after={"is_enabled": False})
    plan.add(GRANT, 1, ("delete",)).add(ALIAS, 1, ("delete",))
    waiver = Waiver("alias-removed", "aws_kms_alias.current", "replaced by hand", "Ada", date(2999, 1, 1))
    rules = RuleSet(builtin_rules(), waivers=(waiver,))
    return review_plan("plans/plan 1.json", plan.data(), declaration(), rules=rules)


def _many(count: int) -> Report:
    plan = PlanBuilder()
    for number in range(count):
        plan.add(KEY, 1, ("delete",), name=f"a_rather_long_name_for_a_key_{number}")
    return review_plan("plan.json", plan.data(), declaration())


def _passing() -> Report:
    return review_plan("plan.json", PlanBuilder().add(KEY, 1).data(), declaration(), base=declaration())


@pytest.mark.parametrize("form", list(ReportFormat))
@pytest.mark.parametrize("identifier", RULES)
def test_every_form_shows_every_example(form: ReportFormat, identifier: str) -> None:
    for example in RULES[identifier]["examples"]:
        text = render(review_example(example), form)
        assert text == "" or text.endswith("\n")
        assert "CANARY" not in text


def test_markdown_begins_with_its_marker_and_says_what_matters_first() -> None:
    text = render(_mixed(), ReportFormat.MARKDOWN)
    assert text.startswith(f"{MARKER}\n## Keyturn: blocked\n")
    order = [text.index(part) for part in ("### Why", "### What would stop working", "### Also noted", "### Waived")]
    assert order == sorted(order)
    assert "`aws_kms_key.generation_1`" in text
    assert "until 2999-01-01 by Ada: replaced by hand" in text


def test_markdown_of_a_harmless_plan_is_short() -> None:
    text = render(_passing(), ReportFormat.MARKDOWN)
    assert text == f"{MARKER}\n## Keyturn: pass\n\n`plan.json`: one key in scope, unharmed.\n"


def test_markdown_stays_under_the_limit_on_any_plan() -> None:
    text = render(_many(3000), ReportFormat.MARKDOWN)
    assert len(text) < MAX_CHARACTERS
    shown = text.count("**critical**")
    found = re.search(r"- and (\d+) more", text)
    assert found is not None
    assert shown + int(found[1]) == 3000


@pytest.mark.parametrize("message", [10, 100, 1_000, 10_000, 58_000, 70_000])
@pytest.mark.parametrize("count", [1, 2, 7, 60, 700])
def test_every_section_of_the_comment_is_told_or_counted_whatever_stands_before_it(message: int, count: int) -> None:
    long = {"message": "x" * message, "address": "aws_kms_key.a"}
    text = render_markdown(
        report(
            [*[finding(**long)] * count, *[noted(**long)] * count],
            waived=tuple(replace(waived(finding()), reason="y" * message) for _ in range(count)),
            impact=tuple(impact(f"Product {n}", "backup", "scheduled") for n in range(count)),
            notes=tuple(f"note {n}" for n in range(count)),
        )
    )
    assert len(text) < MAX_CHARACTERS
    titles = ("Why", "What would stop working", "Also noted", "Waived", "How it was judged")
    parts = re.split(r"^### (.*)$", text, flags=re.MULTILINE)
    assert tuple(parts[1::2]) == titles
    for title, part in zip(titles, parts[2::2], strict=True):
        left = re.search(r"^- and (\d+) more: the job's log and its JSON report hold them all$", part, re.MULTILINE)
        shown = len(re.findall(r"^- (?!and \d+ more)", part, re.MULTILINE))
        assert shown + (int(left[1]) if left else 0) == count + 2 * (title == "What would stop working")


@pytest.mark.parametrize("note", ["x", "xy", "x" * 100])
def test_a_comment_that_does_not_hold_all_is_nearly_full(note: str) -> None:
    text = render_markdown(report([noted()], notes=(note,) * 30_000))
    assert 59_000 < len(text) < MAX_CHARACTERS
    assert text.splitlines().count(f"- {note}") + int(text.rsplit("- and ")[-1].split()[0]) == 30_000


WHOLE = f"""\
{MARKER}
## Keyturn: blocked

`plan.json`: **2 reasons not to apply this plan** (one key in scope).

### Why

- **critical**: A key is harmed (`key-is-harmed`)
  - `aws_kms_key.generation_1`: generation 1: it is harmed
  - Why: Nothing can be read without it.
  - Instead: Leave it alone. (EKM-33)
- **high**: A key is hurt (`key-is-hurt`, not certain)
  - `aws_kms_key.generation_1`: generation 1: it is harmed
  - Why: Nothing can be read without it.
  - Instead: Leave it alone.

### What would stop working

- **Microsoft 365**: backup (scheduled), backup (manual)
- **Google Workspace**: backup (scheduled)
- stops when the plan is applied: the key is harmed
- Legal hold downloads go on: they do not use this key.

### Also noted

- **low**: A key is odd (`key-is-odd`)
  - `aws_kms_key.generation_1`: generation 1: it is harmed
  - Instead: Leave it alone. (EKM-33)

### Waived

- `key-is-harmed` for `aws_kms_key.generation_1` until 2999-01-01 by Ada: replaced by hand

### How it was judged

- a note
"""


def test_the_comment_of_a_report_with_everything_in_it() -> None:
    hurt = finding(
        policy="key-is-hurt", title="A key is hurt", severity=Severity.HIGH, outcome=Outcome.UNKNOWN, requirements=()
    )
    rows = [("Microsoft 365", "scheduled"), ("Microsoft 365", "manual"), ("Google Workspace", "scheduled")]
    whole = report(
        [finding(), hurt, noted()],
        waived=(waived(finding()),),
        impact=tuple(impact(product, "backup", variant) for product, variant in rows),
        notes=("a note",),
    )
    assert render_markdown(whole) == WHOLE


def test_nothing_from_a_plan_brings_markup_or_mentions_anybody() -> None:
    plan = PlanBuilder().add(KEY, 1).plan()
    alias = PlanBuilder().add(ALIAS, 1, ("delete",), before={"name": "alias/<img src=x>@team[x](y)"}).plan()
    plan["resource_changes"] += alias["resource_changes"]
    plan["resource_changes"][1]["address"] = 'aws_kms_alias.a["``</code>@team"]'
    text = render(review_plan("p", json.dumps(plan).encode(), declaration()), ReportFormat.MARKDOWN)
    assert "<img" not in text
    assert "alias/&lt;img src=x&gt;@<!---->team\\[x\\](y)" in text
    assert '```aws_kms_alias.a["``</code>@team"]```' in text


@pytest.mark.parametrize(
    ("text", "span"),
    [("a", "`a`"), ("a`b", "``a`b``"), ("`a", "`` `a ``"), ("a```", "```` a``` ````"), (" ", "`   `")],
)
def test_a_code_span_is_closed_by_nothing_in_it(text: str, span: str) -> None:
    assert code(text) == span


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("**a** `b` _c_ ~d~ | e", "\\*\\*a\\*\\* \\`b\\` \\_c\\_ \\~d\\~ \\| e"),
        ("<c> &lt; \\ {x} ![y]", "&lt;c&gt; &amp;lt; \\\\ \\{x\\} \\!\\[y\\]"),
        ("@a, b@c.example", "@<!---->a, b@<!---->c.example"),
        ("#1, a/b#2", "#<!---->1, a/b#<!---->2"),
        ("https://a.example www.b.example WWW.c", "https:<!---->//a.example www<!---->.b.example WWW<!---->.c"),
        ("<!-- a -->", "&lt;\\!-- a --&gt;"),
        ("generation 1: kms:Decrypt (a-b) + c/d.", "generation 1: kms:Decrypt (a-b) + c/d."),
    ],
)
def test_escaped_text_has_no_markup(text: str, escaped: str) -> None:
    assert escape(text) == escaped


def test_sarif_has_what_code_scanning_needs() -> None:
    document = json.loads(render(_mixed(), ReportFormat.SARIF))
    assert document["version"] == "2.1.0"
    (run,) = document["runs"]
    rules = run["tool"]["driver"]["rules"]
    by_rule = {result["ruleId"]: result for result in run["results"]}
    assert set(by_rule) == {"generation-disabled", "grant-removed", "alias-removed"}
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        (location,) = result["locations"]
        assert location["physicalLocation"] == {
            "artifactLocation": {"uri": "plans/plan%201.json"},
            "region": {"startLine": 1},
        }
        assert re.fullmatch(r"[0-9a-f]{64}", result["partialFingerprints"]["keyturnFinding/v1"])
    assert by_rule["generation-disabled"]["level"] == "error"
    assert by_rule["grant-removed"]["level"] == "warning"
    assert by_rule["alias-removed"]["suppressions"] == [
        {"kind": "external", "justification": "replaced by hand (Ada, until 2999-01-01)"}
    ]
    assert rules[by_rule["generation-disabled"]["ruleIndex"]]["properties"]["security-severity"] == "9.5"


def test_a_finding_has_the_same_fingerprint_in_the_next_run() -> None:
    first, second = (json.loads(render(_mixed(), ReportFormat.SARIF))["runs"][0]["results"] for _ in range(2))
    assert [r["partialFingerprints"] for r in first] == [r["partialFingerprints"] for r in second]


def test_junit_counts_failures_and_what_was_skipped() -> None:
    root = ET.fromstring(render(_mixed(), ReportFormat.JUNIT))  # noqa: S314 - our own output
    suite = root.find("testsuite")
    assert suite is not None
    assert suite.get("failures") == "1"
    failed = [case for case in suite if case.find("failure") is not None]
    assert [case.get("classname") for case in failed] == ["keyturn.generation-disabled"]
    waived = next(case for case in suite if case.get("classname") == "keyturn.alias-removed")
    skipped = waived.find("skipped")
    assert skipped is not None
    assert skipped.get("message") == "waived until 2999-01-01 by Ada: replaced by hand"
    assert suite.get("tests") == str(len(suite))


def test_junit_of_a_harmless_plan_has_a_case_that_passes() -> None:
    root = ET.fromstring(render(_passing(), ReportFormat.JUNIT))  # noqa: S314
    cases = [case for case in root.iter("testcase") if len(case) == 0]
    assert [case.get("classname") for case in cases] == ["keyturn.review"]


def test_github_annotations_are_one_line_each() -> None:
    lines = render(_mixed(), ReportFormat.GITHUB).splitlines()
    assert [line.split(" ")[0] for line in lines] == ["::error", "::warning"]
    assert "title=A generation's key is disabled (generation-disabled)::" in lines[0]
    assert "%0AInstead: " in lines[0]


def test_github_annotations_cannot_be_broken_out_of() -> None:
    plan = PlanBuilder().add(KEY, 1, ("delete",)).plan()
    plan["resource_changes"][0]["address"] = "aws_kms_key.generation_1%\n::stop-commands::x"
    text = render(review_plan("a,b:c\n::x", json.dumps(plan).encode(), declaration()), ReportFormat.GITHUB)
    assert len(text.splitlines()) == 1
    assert "file=a%2Cb%3Ac" in text
    assert "generation_1%25" in text


def test_gitlab_entries_have_what_code_quality_needs() -> None:
    entries = json.loads(render(_mixed(), ReportFormat.GITLAB))
    assert [(entry["check_name"], entry["severity"]) for entry in entries] == [
        ("generation-disabled", "blocker"),
        ("grant-removed", "minor"),
    ]
    for entry in entries:
        assert set(entry) == {"description", "check_name", "fingerprint", "severity", "location"}
        assert entry["location"] == {"path": "plans/plan 1.json", "lines": {"begin": 1}}


def test_a_harmless_plan_has_no_annotation_and_no_entry() -> None:
    assert render(_passing(), ReportFormat.GITHUB) == ""
    assert json.loads(render(_passing(), ReportFormat.GITLAB)) == []


CERTAIN = [
    (Severity.CRITICAL, "error", "error", "blocker", "9.5"),
    (Severity.HIGH, "error", "error", "critical", "8.0"),
    (Severity.MEDIUM, "warning", "warning", "minor", "5.0"),
    (Severity.LOW, "notice", "note", "info", "2.0"),
]


@pytest.mark.parametrize("blocks", [True, False])
@pytest.mark.parametrize(("severity", "github", "sarif", "gitlab", "score"), CERTAIN)
def test_each_form_tells_how_bad_a_finding_is_in_its_own_words(
    severity: Severity, github: str, sarif: str, gitlab: str, score: str, blocks: bool
) -> None:
    found = report([finding(severity=severity, blocks=blocks)])
    assert render(found, ReportFormat.GITHUB).startswith(f"::{github} file=plan.json,line=1,title=A key is harmed")
    (run,) = json.loads(render(found, ReportFormat.SARIF))["runs"]
    assert run["results"][0]["level"] == sarif
    assert run["results"][0]["properties"] == {"outcome": "fail", "blocks": blocks}
    (rule,) = run["tool"]["driver"]["rules"]
    assert (rule["defaultConfiguration"]["level"], rule["properties"]["security-severity"]) == (sarif, score)
    (entry,) = json.loads(render(found, ReportFormat.GITLAB))
    assert entry["severity"] == gitlab


@pytest.mark.parametrize("severity", list(Severity))
def test_what_is_not_certain_is_an_error_where_it_blocks_and_else_a_note(severity: Severity) -> None:
    for blocks, github in ((True, "error"), (False, "notice")):
        found = report([finding(severity=severity, blocks=blocks, outcome=Outcome.UNKNOWN)])
        assert render(found, ReportFormat.GITHUB).startswith(f"::{github} ")
        (run,) = json.loads(render(found, ReportFormat.SARIF))["runs"]
        level = next(sarif for each, _, sarif, _, _ in CERTAIN if each is severity) if blocks else "note"
        assert run["results"][0]["level"] == level
        assert run["results"][0]["properties"] == {"outcome": "unknown", "blocks": blocks}


@pytest.mark.parametrize(
    ("source", "told"),
    [("https://docs.aws.amazon.com/kms/", "https://docs.aws.amazon.com/kms/"), ("our handbook", None)],
)
def test_sarif_gives_the_source_of_a_rule_where_it_is_an_address(source: str, told: str | None) -> None:
    (run,) = json.loads(render(report([finding(source=source)]), ReportFormat.SARIF))["runs"]
    (rule,) = run["tool"]["driver"]["rules"]
    assert rule.get("helpUri") == told
    assert rule["id"] == "key-is-harmed"
    assert rule["name"] == "KeyIsHarmed"
    assert rule["properties"]["tags"] == ["security", "EKM-33"]


@pytest.mark.parametrize(("over", "omitted"), [(-1, None), (0, None), (1, 1), (MAX_RESULTS + 7, MAX_RESULTS + 7)])
def test_sarif_counts_what_it_leaves_out_and_leaves_out_the_last(over: int, omitted: int | None) -> None:
    count = MAX_RESULTS + over
    found = report([finding(), *[noted()] * (count - 2)], waived=(waived(finding(address="aws_kms_alias.a")),))
    (run,) = json.loads(render(found, ReportFormat.SARIF))["runs"]
    assert len(run["results"]) == min(count, MAX_RESULTS) <= 5_000
    assert run.get("properties") == (None if omitted is None else {"omitted": omitted})
    assert run["results"][0]["ruleId"] == "key-is-harmed"
    assert ("suppressions" in run["results"][-1]) is (omitted is None)


def test_the_same_finding_in_another_place_or_of_another_rule_has_another_fingerprint() -> None:
    found = report([finding(), finding(address="aws_kms_key.other"), finding(policy="key-is-hurt"), finding()])
    (run,) = json.loads(render(found, ReportFormat.SARIF))["runs"]
    first, *others, again = [result["partialFingerprints"]["keyturnFinding/v1"] for result in run["results"]]
    assert len({first, *others}) == 3
    assert again == first
    entries = json.loads(render(found, ReportFormat.GITLAB))
    assert [entry["fingerprint"] for entry in entries] == [first, *others, first]


def test_junit_has_a_case_for_all_that_was_found_waived_and_not_exercised() -> None:
    whole = report(
        [finding(), noted()],
        waived=tuple(waived(finding(address=f"aws_kms_alias.{name}")) for name in "ab"),
        not_exercised=("alias-moved-back", "key-is-lost", "key-is-new"),
    )
    (suite,) = ET.fromstring(render(whole, ReportFormat.JUNIT))  # noqa: S314 - our own output
    counts = {name: suite.get(name) for name in ("name", "tests", "failures", "errors", "skipped")}
    assert counts == {"name": "keyturn review", "tests": "7", "failures": "1", "errors": "0", "skipped": "5"}
    told = [(case.get("classname"), case.get("name"), case[0].tag, case[0].get("message")) for case in suite]
    reason = "waived until 2999-01-01 by Ada: replaced by hand"
    idle = "nothing in the plan exercised this rule"
    assert told == [
        ("keyturn.key-is-harmed", "aws_kms_key.generation_1", "failure", "generation 1: it is harmed"),
        ("keyturn.key-is-odd", "aws_kms_key.generation_1", "system-out", None),
        ("keyturn.key-is-harmed", "aws_kms_alias.a", "skipped", reason),
        ("keyturn.key-is-harmed", "aws_kms_alias.b", "skipped", reason),
        ("keyturn.alias-moved-back", "(the plan)", "skipped", idle),
        ("keyturn.key-is-lost", "(the plan)", "skipped", idle),
        ("keyturn.key-is-new", "(the plan)", "skipped", idle),
    ]
    assert suite[0][0].text == "Nothing can be read without it.\nInstead: Leave it alone."
    assert suite[1][0].text == "low: generation 1: it is harmed"
