"""The README stays true: its help is the program's, its declaration passes, its commands and files exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from cli.main import root, run
from engine.declaration import parse_declaration

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def shell_commands() -> list[list[str]]:
    lines = [line.partition("  #")[0].strip() for block in blocks("sh") for line in block.splitlines()]
    commands = [shlex.split(part) for line in lines for part in line.split(" && ")]
    return [words for words in commands if words and words[0] == "keyturn"]


def test_the_help_in_the_readme_is_the_programs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    assert run(["--help"]) == 0
    (shown,) = blocks("text")
    assert shown == "$ keyturn --help\n" + capsys.readouterr().out


def test_the_declaration_in_the_readme_passes() -> None:
    (text,) = blocks("yaml")
    declared = parse_declaration("README.md", text.encode())
    defaults = parse_declaration("README.md", text.partition("ledger:")[0].encode())
    assert declared == defaults


@pytest.mark.parametrize("words", shell_commands(), ids=" ".join)
def test_every_command_in_the_readme_exists_with_its_options(words: list[str]) -> None:
    command: click.Command = root
    names = words[1:]
    context = click.Context(root)
    while isinstance(command, click.Group) and names and not names[0].startswith("-"):
        found = command.get_command(context, names.pop(0))
        assert found is not None, words
        command = found
    known = {option for parameter in command.params for option in parameter.opts}
    for word in names:
        assert not word.startswith("--") or word in known, words


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
