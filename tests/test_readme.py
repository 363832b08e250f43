"""The README stays true: its help is the program's, its declaration passes, its commands and files exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cli.main import run
from engine.declaration import parse_declaration
from tests.documented_commands import keyturn_commands, unknown_words

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def shell_commands() -> list[list[str]]:
    return [words for block in blocks("sh") for words in keyturn_commands(block)]


def test_the_help_in_the_readme_is_the_programs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    assert run(["--help"]) == 0
    (shown,) = blocks("text")
    assert shown == "$ keyturn --help\n" + capsys.readouterr().out


def test_the_declaration_in_the_readme_passes() -> None:
    text, narrowing = blocks("yaml")
    declared = parse_declaration("README.md", text.encode())
    defaults = parse_declaration("README.md", text.partition("ledger:")[0].encode())
    assert declared == defaults
    narrowed = text.replace("vendor_access: both ", "vendor_access: key_policy ") + narrowing
    assert parse_declaration("README.md", narrowed.encode()).vendor_narrowing


@pytest.mark.parametrize("words", shell_commands(), ids=" ".join)
def test_every_command_in_the_readme_exists_with_its_options(words: list[str]) -> None:
    assert unknown_words(words) == []


def test_every_link_in_the_documents_leads_somewhere() -> None:
    for document in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")):
        for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_every_make_target_in_the_documents_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for document in ("README.md", "CONTRIBUTING.md"):
        for target in re.findall(r"\bmake ([a-z]+)\b(?=[`\s])", (ROOT / document).read_text(encoding="utf-8")):
            if f"`make {target}" in (ROOT / document).read_text(encoding="utf-8"):
                assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_every_decision_has_a_number_of_its_own() -> None:
    numbers = [path.name.partition("-")[0] for path in (ROOT / "docs" / "adr").glob("*.md")]
    assert sorted(numbers) == sorted(set(numbers))
