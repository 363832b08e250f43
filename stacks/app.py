"""The CDKTF application, as `cdktf` starts it by `python -m stacks`.

It reads the declarations that `KEYTURN_DECLARATION` names and the evidence that `KEYTURN_EVIDENCE` names, and
writes the stacks into the folder that `CDKTF_OUTDIR` names. A mistake ends it with `error:` and `hint:` lines and
the error's exit code, before Node.js is started. A note says where the alias is not moved for want of evidence;
nothing else is printed.
"""

from __future__ import annotations

import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from engine.errors import ExitCode, KeyturnError, TerminatedError
from stacks.declarations import declared_path, load_declarations
from stacks.evidence import SETTING, evidence_source

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import FrameType

DEFAULT_FOLDER = "cdktf.out"
EXPORT_SETTING = "KEYTURN_EXPORT"  # where `keyturn export-hcl` writes to: the states there count as well


def _terminate(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise TerminatedError


def _states(environment: Mapping[str, str]) -> tuple[Path, ...]:
    exported = environment.get(EXPORT_SETTING)
    return (Path.cwd(), *([Path(exported)] if exported else ()))


def main(environment: Mapping[str, str]) -> ExitCode:
    """Synthesise, and say on standard error what stopped it.

    Args:
        environment: The process's environment variables.

    Returns:
        The exit code; `DONE` when every stack is written.
    """
    signal.signal(signal.SIGTERM, _terminate)
    try:
        evidence = evidence_source(environment, datetime.now(UTC))
        declarations = load_declarations(declared_path(environment), evidence, *_states(environment))
        movable = frozenset(d.tenant for d in declarations if evidence.lets_alias_move(d))
        for declaration in declarations:
            if declaration.tenant not in movable:
                sys.stderr.write(
                    f"note: the alias of tenant {declaration.tenant} stays where it is: no evidence in {SETTING} "
                    f"proves that generation {declaration.current} is integrated\n"
                )
        # What writes them takes its time to load, so it comes after what needs none of it.
        from stacks.many_tenants import write_stacks

        write_stacks(declarations, Path(environment.get("CDKTF_OUTDIR") or DEFAULT_FOLDER), movable)
    except KeyturnError as error:
        for line in error.diagnostics():
            sys.stderr.write(f"error: {line}\n")
        if error.hint is not None:
            sys.stderr.write(f"hint: {error.hint}\n")
        return error.exit_code
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except TerminatedError:
        return ExitCode.TERMINATED
    return ExitCode.DONE
