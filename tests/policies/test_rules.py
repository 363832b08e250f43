"""Every rule by its own examples, and the compiled form by the files."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from engine.review.custom_rules import read_custom_rules
from engine.review.events import OF_KEYS, VOCABULARY, words_of
from engine.review.rule_files import COMPILED, POLICIES, compiled_text, read_rule_file, read_rule_folder
from engine.review.rules import Outcome
from engine.review.waivers import read_waivers
from tests.policies.example_plans import review_example

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

RULE_FILES = sorted(POLICIES.glob("*.yaml"))
RULES = {path.stem: read_rule_file(path) for path in RULE_FILES}


def _examples() -> Iterator[Any]:
    for identifier, rule in RULES.items():
        for example in rule["examples"]:
            yield pytest.param(identifier, example, id=f"{identifier}: {example['name']}")


@pytest.mark.parametrize(("identifier", "example"), list(_examples()))
def test_an_example_comes_out_as_the_rule_says(identifier: str, example: Mapping[str, Any]) -> None:
    report = review_example(example)
    own = {"fail": {identifier}, "unknown": {f"{identifier} (unknown)"}, "pass": set()}[example["outcome"]]
    said = {f.policy if f.outcome is Outcome.FAIL else f"{f.policy} (unknown)" for f in report.findings}
    assert said == own | set(example.get("also", ())), [f"{f.policy}: {f.message}" for f in report.findings]


@pytest.mark.parametrize("identifier", RULES)
def test_a_rule_has_an_example_that_fails_and_one_that_passes(identifier: str) -> None:
    outcomes = Counter(example["outcome"] for example in RULES[identifier]["examples"])
    assert outcomes["fail"] >= 1
    assert outcomes["pass"] >= 1
    assert not set(outcomes) - {"fail", "pass", "unknown"}


@pytest.mark.parametrize("identifier", [name for name in RULES if RULES[name]["severity"] in ("critical", "high")])
def test_a_blocking_rule_has_an_example_that_it_alone_blocks(identifier: str) -> None:
    failing = [example for example in RULES[identifier]["examples"] if example["outcome"] == "fail"]
    alone = [e["name"] for e in failing if {f.policy for f in review_example(e).blocking} == {identifier}]
    assert alone, {e["name"]: sorted({f.policy for f in review_example(e).blocking}) for e in failing}


def test_the_compiled_rules_are_those_of_the_files() -> None:
    compiled = COMPILED.read_text(encoding="utf-8")
    assert compiled == compiled_text(read_rule_folder(POLICIES)), (
        "run `python -m engine.review.rule_files` after a change of a rule"
    )


def test_the_readme_lists_every_event_with_its_particulars_and_words() -> None:
    readme = (POLICIES / "README.md").read_text(encoding="utf-8")
    rows = {line.split("`")[1]: line for line in readme.split("## Examples")[0].splitlines() if line.startswith("| `")}
    for kind, facts in VOCABULARY.items():
        row = rows[kind.value]
        own = {fact: allowed for fact, allowed in facts.items() if fact not in OF_KEYS}
        for fact, allowed in own.items():
            assert f"`{fact}`" in row, (kind, fact)
            assert all(value in row for value in (allowed if isinstance(allowed, tuple) else ())), (kind, fact)
        assert row.split("|")[3].strip() == ", ".join(w for w in words_of(kind) if w != "key"), kind
    for fact, allowed in OF_KEYS.items():
        assert all(value in rows[fact] for value in (allowed if isinstance(allowed, tuple) else ())), fact


def test_the_readmes_own_rule_and_waivers_are_what_the_review_reads(tmp_path: Path) -> None:
    readme = (POLICIES / "README.md").read_text(encoding="utf-8")
    blocks = [part.split("```")[0] for part in readme.split("```yaml\n")[1:]]
    (rule,) = [block for block in blocks if block.startswith("id: description-required")]
    (tmp_path / "description-required.yaml").write_text(rule, encoding="utf-8")
    assert [found.identifier for found in read_custom_rules(tmp_path, RULES)] == ["description-required"]
    (waivers,) = [block for block in blocks if block.startswith("version: 1")]
    waivable = {name: document["waivable"] for name, document in RULES.items()}
    (waiver,) = read_waivers("waivers.yaml", waivers.encode(), waivable, date(2030, 1, 1))
    assert waiver.rule == "alias-removed"
