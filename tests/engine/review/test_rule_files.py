"""Rule files: what is wrong with one stops the run, with line and column."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from engine.errors import InputError
from engine.review.events import OF_KEYS, VOCABULARY, EventKind, OneOf, words_of
from engine.review.rule_files import COMPILED, POLICIES, read_rule_file, read_rule_folder
from engine.review.rules import load_rules, require_rules
from engine.review.values import UNKNOWN
from tests.policies.example_plans import events_of
from tests.policies.test_rules import RULES

if TYPE_CHECKING:
    from pathlib import Path

    from engine.review.events import Fact

GOOD = (POLICIES / "generation-disabled.yaml").read_text(encoding="utf-8")


def _mistakes(tmp_path: Path, text: str, name: str = "generation-disabled.yaml") -> tuple[str, ...]:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_rule_file(path)
    return caught.value.diagnostics()


def test_a_good_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "generation-disabled.yaml").write_text(GOOD, encoding="utf-8")
    assert read_rule_folder(tmp_path)[0]["id"] == "generation-disabled"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("severity: critical", "severity: fatal", "severity"),
        ("id: generation-disabled", "id: another", "the name of the file"),
        ("id: generation-disabled", "id: your-own", "the name of the file"),
        ("event: key_state", "event: key_stats", "event"),
        ("change: disabled", "change: switched_off", "never 'switched_off'"),
        ("by: plan", "buy: plan", "no particular of key_state"),
        ("{retired: true}", "{retired: perhaps}", "never 'perhaps'; expected a value of true or false"),
        ("{retired: true}", "{retired: [true, perhaps]}", "never 'perhaps'"),
        ("{retired: true}", "{retired: {not: perhaps}}", "never 'perhaps'"),
        ("{key}: its KMS", "{kee}: its KMS", "no word 'kee'"),
        ("{key}: its KMS", "{key: its KMS", "braces"),
        ("when: {change: disabled,", "when: {role: {less_than: 3}, change: disabled,", "no number"),
        ("on_unknown: block", "on_unknown: inform", "on_unknown_reason"),
        ("waivable: true", "waivable: perhaps", "waivable"),
        ("requirements: [EKM-32", "requirements: [EKM-3", "requirements[0]"),
        ("title:", "titel:", "titel"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    text = GOOD.replace(old, new, 1)
    assert text != GOOD
    found = _mistakes(tmp_path, text)
    # What is missing from a mapping is told where the mapping begins.
    line = 1 if said == "on_unknown_reason" else text[: text.index(new)].count("\n") + 1
    assert any(f".yaml:{line}:" in mistake and said in mistake for mistake in found), found


def test_a_file_that_is_no_yaml_is_told(tmp_path: Path) -> None:
    assert any(":1:" in mistake for mistake in _mistakes(tmp_path, "id: [\n"))


def test_a_comparison_with_a_parameter_that_is_not_there_is_told(tmp_path: Path) -> None:
    text = (
        (POLICIES / "material-expires.yaml").read_text(encoding="utf-8").replace("less_than: days", "less_than: weeks")
    )
    assert any("'weeks' is no parameter" in m for m in _mistakes(tmp_path, text, "material-expires.yaml"))


@pytest.mark.parametrize("operand", ["30", "0.5", "days"])
def test_a_comparison_with_a_number_or_a_parameter_is_read(tmp_path: Path, operand: str) -> None:
    text = (POLICIES / "material-expires.yaml").read_text(encoding="utf-8")
    path = tmp_path / "material-expires.yaml"
    path.write_text(text.replace("less_than: days", f"less_than: {operand}"), encoding="utf-8")
    assert read_rule_file(path)["id"] == "material-expires"


@pytest.mark.parametrize("value", ["true", "soon", "[true]", "{not: soon}"])
def test_what_no_number_can_be_is_told(tmp_path: Path, value: str) -> None:
    text = (POLICIES / "material-expires.yaml").read_text(encoding="utf-8")
    (mistake,) = _mistakes(tmp_path, text.replace("{less_than: days}", value), "material-expires.yaml")
    assert "'days_left' is never" in mistake
    assert mistake.endswith("a value of `less_than` or `more_than` a number")


def test_a_particular_that_is_none_is_told_at_its_name(tmp_path: Path) -> None:
    (mistake,) = _mistakes(tmp_path, GOOD.replace("by: plan", "buy: plan"))
    line = GOOD[: GOOD.index("by: plan")].count("\n") + 1
    column = GOOD.splitlines()[line - 1].index("by: plan") + 1
    assert f".yaml:{line}:{column}:" in mistake


def _compile(tree: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "engine.review.rule_files"], cwd=tree, capture_output=True, text=True, check=False
    )


def test_the_rules_are_compiled_or_their_mistakes_told(tmp_path: Path) -> None:
    """In a copy of the house: the compiled form comes out as it stands here, and stays where a rule has mistakes."""
    for part in ("engine", "policies"):
        shutil.copytree(POLICIES.parent / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    compiled = tmp_path / "policies" / "compiled.json"
    compiled.unlink()
    done = _compile(tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert compiled.read_bytes() == COMPILED.read_bytes()
    (tmp_path / "policies" / "generation-disabled.yaml").write_text(GOOD.replace("by: plan", "buy: plan"))
    done = _compile(tmp_path)
    assert done.returncode == 3
    assert done.stderr.startswith("error: ")
    assert "no particular of key_state" in done.stderr
    assert compiled.read_bytes() == COMPILED.read_bytes()


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no rule"):
        read_rule_folder(tmp_path)


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_rule_folder(tmp_path / "none")


def test_an_empty_rule_set_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no rule to review by"):
        require_rules(())
    empty = tmp_path / "compiled.json"
    empty.write_text("[]", encoding="utf-8")
    with pytest.raises(InputError, match="no rule to review by"):
        load_rules(empty)


@pytest.mark.parametrize("text", ["", "{}", "[1]", '[{"id": "x"}]'])
def test_compiled_rules_that_cannot_be_read_are_an_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "compiled.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError):
        load_rules(path)


def test_every_kind_of_event_is_somebodys_business() -> None:
    judged = {entry["event"] for rule in RULES.values() for entry in rule["matches"]}
    assert judged == {kind.value for kind in EventKind}


def test_every_particular_is_somebodys_business() -> None:
    asked: dict[str, set[str]] = {}
    for rule in RULES.values():
        for match in rule["matches"]:
            asked.setdefault(match["event"], set()).update(match.get("when", {}), match.get("unless", {}))
    asked["vendor_access"].add("by")  # the impact tells what has stopped already
    for kind, facts in VOCABULARY.items():
        assert {fact for fact in facts if fact not in OF_KEYS} <= asked[kind.value], kind


def test_every_kind_has_its_particulars_and_words() -> None:
    assert set(VOCABULARY) == set(EventKind)
    assert all(len(set(words_of(kind))) == len(words_of(kind)) for kind in EventKind)


def test_events_have_the_particulars_and_words_that_the_vocabulary_lists() -> None:
    seen = [event for rule in RULES.values() for example in rule["examples"] for event in events_of(example)]
    assert {event.kind for event in seen} == set(EventKind)
    for event in seen:
        assert set(event.facts) == set(VOCABULARY[event.kind]), event.kind
        assert set(words_of(event.kind)) <= set(event.words), event.kind
        for fact, value in event.facts.items():
            assert _fits(value, VOCABULARY[event.kind][fact]), (event.kind, fact, value)


def _fits(value: Fact, allowed: tuple[str, ...] | type) -> bool:
    if value is UNKNOWN or isinstance(value, OneOf):
        return value is UNKNOWN or (isinstance(allowed, tuple) and value.values <= set(allowed))
    if isinstance(allowed, tuple):
        return value in allowed
    return isinstance(value, bool) if allowed is bool else value is None or isinstance(value, float)


def test_reviewing_imports_neither_boto3_nor_jsii_nor_yaml_schemas() -> None:
    code = (
        "import sys; import engine.review; from engine.review import review_plan; "
        "print(sorted({'boto3', 'botocore', 'jsii', 'cdktf', 'moto', 'rich', 'cryptography'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
