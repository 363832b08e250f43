"""The demonstration's stage: chapters, commands as a person types them, expectations that must hold.

A command is run for real in a process of its own. An expectation that fails ends the demonstration with what
the last command printed; a summary is only told when all of them held.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from engine.errors import KeyturnError, MachineError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_TIMEOUT_SECONDS = 300
_SHOWN_LINES = 40


class ExpectationError(KeyturnError):
    """Something in the demonstration did not come out as it must."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A command that has ended."""

    arguments: tuple[str, ...]
    exit_code: int
    stdout: str
    stderr: str

    def lines(self) -> list[str]:
        """Everything it printed, line by line."""
        return [*self.stdout.splitlines(), *self.stderr.splitlines()]


@dataclass
class Stage:
    """Where the demonstration happens.

    Attributes:
        folder: The folder of the customer's repository.
        environment: The environment of every command: the sandbox's, and nothing of AWS beside it.
    """

    folder: Path
    environment: Mapping[str, str]
    _proved: list[tuple[str, str]] = field(default_factory=list)
    _chapter: int = 0
    _last: Finished | None = None
    _began: float = field(default_factory=time.monotonic)

    def chapter(self, title: str) -> None:
        """Begin a chapter."""
        self._chapter += 1
        click.echo(f"\n{click.style(f'{self._chapter}. {title}', bold=True)}")

    def say(self, text: str) -> None:
        """Say something in between."""
        click.echo(f"   {text}")

    def keyturn(self, *arguments: str, expect: int | tuple[int, ...] = 0, show: Sequence[str] = ()) -> Finished:
        """Run a Keyturn command.

        Args:
            arguments: Behind `keyturn`.
            expect: The exit code that it must have, or those that it may.
            show: Beginnings of those lines of its output that are shown.
        """
        return self.run((sys.executable, "-m", "cli", *arguments), ("keyturn", *arguments), expect, show)

    def ask(self, *arguments: str) -> Any:
        """Run a Keyturn command with `--json`, without showing it; returns its document."""
        finished = self._start((sys.executable, "-m", "cli", *arguments, "--json"), ("keyturn", *arguments, "--json"))
        self.expect(finished.exit_code == 0, "exit code 0", quiet=True)
        return json.loads(finished.stdout)

    def run(
        self,
        command: Sequence[str],
        shown_as: Sequence[str],
        expect: int | tuple[int, ...] = 0,
        show: Sequence[str] = (),
    ) -> Finished:
        """Run any command in the customer's repository; see `keyturn`.

        Raises:
            ExpectationError: It ended with another exit code.
            MachineError: It cannot be started, or does not end.
        """
        click.echo(click.style(f"   $ {_shortened(shlex.join(shown_as))}", fg="cyan"))
        finished = self._start(command, shown_as)
        for line in finished.lines():
            if any(line.strip().startswith(beginning) for beginning in show):
                click.echo(f"     {_shortened(line.strip())}")
        codes = expect if isinstance(expect, tuple) else (expect,)
        self.expect(finished.exit_code in codes, f"exit code {' or '.join(map(str, codes))}", quiet=True)
        return finished

    def _start(self, command: Sequence[str], shown_as: Sequence[str]) -> Finished:
        try:
            result = subprocess.run(
                list(command),
                cwd=self.folder,
                env=dict(self.environment),
                capture_output=True,
                stdin=subprocess.DEVNULL,
                check=False,
                timeout=_TIMEOUT_SECONDS,
            )
        except FileNotFoundError as error:
            raise MachineError(f"{command[0]} cannot be started", "`make setup` installs what is needed") from error
        except subprocess.TimeoutExpired as error:
            raise MachineError(f"{shown_as[0]} did not end within {_TIMEOUT_SECONDS} seconds") from error
        self._last = Finished(
            tuple(shown_as),
            result.returncode,
            result.stdout.decode(errors="replace"),
            result.stderr.decode(errors="replace"),
        )
        return self._last

    def expect(self, condition: bool, what: str, requirement: str = "", *, quiet: bool = False) -> None:
        """Go on only if something holds, and remember that it did.

        Raises:
            ExpectationError: It does not hold.
        """
        if not condition:
            raise ExpectationError(f"the demonstration failed: expected {what}", self._evidence())
        if not quiet:
            click.echo(f"   {click.style('✓', fg='green')} {what}" + (f"  [{requirement}]" if requirement else ""))
            self._proved.append((what, requirement))

    def summary(self) -> None:
        """Tell what was shown."""
        seconds = time.monotonic() - self._began
        click.echo(f"\n{click.style('What you have just seen', bold=True)}")
        for what, requirement in self._proved:
            click.echo(f"  {click.style('✓', fg='green')} {what}" + (f"  [{requirement}]" if requirement else ""))
        click.echo(f"\n{len(self._proved)} expectations, all of them met, in {seconds:.0f} seconds.")

    def _evidence(self) -> str | None:
        if self._last is None:
            return None
        lines = self._last.lines()[-_SHOWN_LINES:]
        said = "\n".join(f"  {line}" for line in lines) or "  (nothing)"
        command = shlex.join(self._last.arguments)
        return f"the last command, `{command}`, ended with {self._last.exit_code} and said:\n{said}"


def _shortened(text: str) -> str:
    return text if len(text) <= 160 else text[:159] + "…"
