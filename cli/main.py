"""The root command: it registers the commands, and ends every run with one exit code and one message.

A command's module is imported when the command runs, so that `keyturn --help` and each command pay only for
what they use. The table below is all that the root knows of them.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from typing import TYPE_CHECKING, Any, NoReturn

import click

from cli.display import show_error, show_usage_error
from engine.collection import leave_to_the_end
from engine.errors import ExitCode, KeyturnError, MachineError, TerminatedError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

VERSION = "0.1.0"

# name, module, what it does; in the order of a key administrator's work
COMMANDS = (
    ("init", "cli.init", "Write a declaration, and what a new repository needs beside it."),
    ("check", "cli.check", "Check the declaration; against an earlier one, that it takes nothing back."),
    ("policy", "cli.policy", "Show a generation's key policy and what each statement is for."),
    ("status", "cli.status", "Say where the tenant stands, and what comes next."),
    ("evidence", "cli.evidence", "Make a signing key for evidence; check evidence."),
    ("enable", "cli.enable", "Enable Enterprise Key Management with the first key."),
    ("rotate", "cli.rotate", "Move every data key to a new generation's key, or resume that."),
    ("confirm", "cli.confirm", "Record that the Druva console shows a generation's key ARN."),
    ("retire", "cli.retire", "Let an older key go, once nothing depends on it."),
    ("release", "cli.release", "Release a retired key, which may then be deleted; record that it is gone."),
    ("revoke", "cli.revoke", "Take away the access to every key, at once."),
    ("reinstate", "cli.reinstate", "Give the access back that revoke took away."),
    ("doctor", "cli.doctor", "Compare declaration, real keys and ledger; say what mends each difference."),
    ("history", "cli.history", "Show the journal of what happened to the keys."),
    ("verify", "cli.verify", "Hold the ledger against itself and a checkpoint; read all of the vault."),
    ("ledger", "cli.ledger", "Back the ledger up; bring a lost one back."),
    ("run", "cli.run", "Run an encrypted workflow: backup, restore, download and so on."),
    ("jobs", "cli.jobs", "Show what jobs there were, and what became of each."),
    ("drill", "cli.drill", "Rehearse a revocation: what stops, beside what is promised."),
    ("review", "cli.review", "Judge a Terraform plan: can it cost the company its backups?"),
    ("export-hcl", "cli.export_hcl", "Write the stacks as plain Terraform."),
    ("sandbox", "cli.sandbox", "Serve a strict local AWS to rehearse on."),
    ("demo", "cli.demo", "Show the main job, end to end, on a sandbox."),
)


class LazyGroup(click.Group):
    """A group whose commands are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The names, in the order of the table."""
        return [name for name, _, _ in COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Import a command's module and take its `command`."""
        for name, module, _ in COMMANDS:
            if name == cmd_name:
                command = importlib.import_module(module).command
                assert isinstance(command, click.Command)  # noqa: S101 - a mistake of ours, found by the first test
                return command
        return None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, _, summary in COMMANDS])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Suggest the nearest name for one that is not there."""
        if args and args[0] not in self.list_commands(ctx) and not args[0].startswith("-"):
            import difflib

            near = difflib.get_close_matches(args[0], self.list_commands(ctx), n=1)
            suggestion = f" Did you mean {near[0]!r}?" if near else ""
            raise click.UsageError(f"There is no command {args[0]!r}.{suggestion}", ctx)
        return super().resolve_command(ctx, args)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(VERSION, prog_name="keyturn")
def root() -> None:
    """Bring your own AWS KMS key to Druva's backups, and never lose what it protects.

    Everything rests on the declaration `ekm.yaml`. Start with `keyturn init`; rehearse with `keyturn sandbox`
    or `keyturn demo`. Exit codes: 0 done, 1 refused, 2 usage, 3 input, 4 AWS, 5 damaged, 6 this machine.
    """


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit.

    Args:
        arguments: Without the program's name; the process's own where it is None.
    """
    exit_code = run(arguments)
    leave_to_the_end()
    sys.exit(exit_code)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code of `design.md`."""
    _reset_signals()
    try:
        result: Any = root.main(
            args=list(arguments) if arguments is not None else None, prog_name="keyturn", standalone_mode=False
        )
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return ExitCode.USAGE
    except click.ClickException as error:
        show_usage_error(error)
        return ExitCode.USAGE
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return ExitCode.INTERRUPTED
    except TerminatedError:
        click.echo("terminated", err=True)
        return ExitCode.TERMINATED
    except KeyturnError as error:
        show_error(error)
        return error.exit_code
    except SystemExit:
        # click ends so when whoever read our output has gone away; what we had to say was not heard.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.MACHINE
    except OSError as error:
        show_error(MachineError(f"this machine does not let us: {error}"))
        return ExitCode.MACHINE
    return int(result) if isinstance(result, int) else ExitCode.DONE


def _reset_signals() -> None:
    def terminate(_signal: int, _frame: FrameType | None) -> NoReturn:
        raise TerminatedError

    signal.signal(signal.SIGTERM, terminate)
    # A shell starts its background jobs with SIGINT ignored; a server must still end on it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
