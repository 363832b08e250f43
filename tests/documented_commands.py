"""Commands as documents and pipelines write them, held against the program."""

from __future__ import annotations

import shlex

import click

from cli.main import root


def keyturn_commands(script: str) -> list[list[str]]:
    """The words of each `keyturn` command in a shell's lines; comments and the other commands are left out."""
    lines = [line.partition("  #")[0].strip() for line in script.replace("\\\n", " ").splitlines()]
    commands = [shlex.split(part) for line in lines for part in line.split(" && ")]
    return [words for words in commands if words and words[0].rpartition("/")[2] == "keyturn"]


def unknown_words(words: list[str]) -> list[str]:
    """What of a `keyturn` command the program does not know: a command's name, or options."""
    command: click.Command = root
    names = words[1:]
    context = click.Context(root)
    while isinstance(command, click.Group) and names and not names[0].startswith("-"):
        found = command.get_command(context, names[0])
        if found is None:
            return [names[0]]
        names.pop(0)
        command = found
    known = {option for parameter in command.params for option in parameter.opts}
    return [word for word in names if word.startswith("--") and word not in known]
