"""Many tenants at once: their declarations are shared out among processes, and written as if one had done it.

Nearly all of a synthesis is one CDKTF process answering one question after the other, so a second processor
helps only a second one. Each process takes one share of the tenants after the other, so that none waits long for
a slower one, and writes each share into a folder of its own; a few tenants are one share, written by this process.
When all are done the stacks are moved to their place and the manifests become one; where a guard refuses anything,
or a process fails, nothing is moved: the folder stays as it was.

The processes end with the one that started them, however that ends. An interruption from the terminal reaches that
one alone: it ends the others, and clears away what they wrote.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import ExitCode, KeyturnError, MachineError, TerminatedError
from stacks.findings import Finding, GuardError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from engine.declaration import Declaration

FEWEST = 16  # tenants for each process: fewer take no longer than a process takes to start
MOST_PROCESSES = 8  # each holds a Node.js of its own
SHARES_OF_A_PROCESS = 4
_MANIFEST = "manifest.json"
_OPTIMISE = "PYTHONOPTIMIZE"


@dataclass(frozen=True, slots=True)
class _Share:
    """What a process writes at a time: the tenants' stacks, and the tables and buckets of those named for it."""

    declarations: tuple[Declaration, ...]
    storage: tuple[Declaration, ...]
    folder: Path
    alias_may_move: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What became of a share: nothing but good, findings of the guards, or the error that ended it."""

    findings: tuple[Finding, ...] = ()
    failure: KeyturnError | None = None


def write_stacks(
    declarations: Sequence[Declaration],
    folder: Path,
    alias_may_move: frozenset[str] = frozenset(),
    processes: int | None = None,
) -> None:
    """Synthesise declarations, and write their stacks.

    Args:
        declarations: One for each tenant; nothing of `stacks.limits` stands against them.
        folder: Where CDKTF's output goes.
        alias_may_move: The tenants whose alias may be moved.
        processes: Among how many processes; by default as many as there are processors and work for them.

    Raises:
        GuardError: A guard refused what a stack emits.
        InputError: A declaration asks for what the stacks cannot make.
        MachineError: The folder cannot be written, or CDKTF failed.
    """
    if processes is None:
        processes = min(os.cpu_count() or 1, MOST_PROCESSES, len(declarations) // FEWEST)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MachineError(f"the folder {str(folder)!r} cannot be made: {error.strerror}") from error
    try:
        with tempfile.TemporaryDirectory(prefix=".keyturn-", dir=folder, ignore_cleanup_errors=True) as name:
            if processes < 2:
                parts = _write_here(declarations, Path(name), alias_may_move)
            else:
                parts = _write_among(declarations, Path(name), alias_may_move, processes)
            _put_together(parts, folder)
    except OSError as error:
        where = error.filename2 or error.filename or folder
        raise MachineError(f"{str(where)!r} cannot be written: {error.strerror or error}") from error


def _write_here(declarations: Sequence[Declaration], folder: Path, alias_may_move: frozenset[str]) -> list[Path]:
    from stacks.synthesis import Synthesis

    Synthesis(declarations, folder, alias_may_move).write()
    return [folder]


def _write_among(
    declarations: Sequence[Declaration], folder: Path, alias_may_move: frozenset[str], processes: int
) -> list[Path]:
    count = min(processes * SHARES_OF_A_PROCESS, len(declarations))
    parts = [folder / str(number) for number in range(count)]
    shares = [
        _Share(
            tuple(declarations[number::count]),
            tuple(declarations) if number == 0 else (),
            parts[number],
            alias_may_move,
        )
        for number in range(count)
    ]
    _raise_for(_carry_out(shares, processes, str(folder)))
    return parts


def _carry_out(shares: Sequence[_Share], processes: int, temporary: str) -> list[_Outcome]:
    # They take their time to load, and a single tenant needs none of them.
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    # Started anew and not forked: a CDKTF process that is running here cannot be shared.
    context = multiprocessing.get_context("spawn")
    others = set(multiprocessing.active_children())
    try:
        with _optimised(), ProcessPoolExecutor(processes, context, _begin, (temporary,)) as pool:
            try:
                return list(pool.map(_write, shares))
            except (KeyboardInterrupt, TerminatedError):
                for process in set(multiprocessing.active_children()) - others:
                    process.terminate()
                raise
    except BrokenProcessPool as error:
        raise MachineError("a process that wrote stacks ended before its time") from error


@contextmanager
def _optimised() -> Iterator[None]:
    """Processes started here run without assertions: CDKTF's bindings else check the types of every call's arguments.

    That is a third of their time, and what they would find the type checker has found. Python compiles the modules
    anew for that, and keeps them where it may; `make setup` has done so before.
    """
    before = os.environ.get(_OPTIMISE)
    os.environ[_OPTIMISE] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_OPTIMISE]
        else:
            os.environ[_OPTIMISE] = before


def _begin(temporary: str) -> None:
    """Prepare a process that writes shares, so that nothing is left of it.

    It ends with the one that started it, for else it would wait for ever for its next share. The terminal's
    interruptions are not for it. Temporary files, CDKTF's among them, are where that one clears away.
    """
    import multiprocessing
    import threading

    os.setpgid(0, 0)
    tempfile.tempdir = temporary
    starter = multiprocessing.parent_process()

    def wait() -> None:
        if starter is not None:
            starter.join()
        os._exit(ExitCode.MACHINE)

    threading.Thread(target=wait, daemon=True).start()


def _write(share: _Share) -> _Outcome:
    """Write a share, in a process of its own."""
    from stacks.synthesis import Synthesis

    try:
        Synthesis(share.declarations, share.folder, share.alias_may_move, storage=share.storage).write()
    except GuardError as error:
        return _Outcome(findings=error.findings)
    except KeyturnError as error:
        return _Outcome(failure=error)
    return _Outcome()


def _raise_for(outcomes: Sequence[_Outcome]) -> None:
    for outcome in outcomes:
        if outcome.failure is not None:
            raise outcome.failure
    findings = tuple(finding for outcome in outcomes for finding in outcome.findings)
    if findings:
        raise GuardError(findings)


def _put_together(parts: Sequence[Path], folder: Path) -> None:
    """Move what the parts hold into the folder; the manifest, by which CDKTF finds the stacks, comes last."""
    manifest: dict[str, Any] = {}
    stacks: dict[str, Any] = {}
    for part in parts:
        written = json.loads((part / _MANIFEST).read_text(encoding="utf-8"))
        manifest |= written
        stacks |= written["stacks"]
        for file in sorted(path for path in (part / "stacks").rglob("*") if path.is_file()):
            target = folder / file.relative_to(part)
            target.parent.mkdir(parents=True, exist_ok=True)
            file.replace(target)
    manifest["stacks"] = stacks
    partial = folder / f".{_MANIFEST}"
    partial.write_text(json.dumps(manifest, indent=2, sort_keys=True), encoding="utf-8")
    shutil.move(partial, folder / _MANIFEST)
