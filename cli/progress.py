"""Progress on stderr: with rate and time left on a terminal, plain lines at intervals elsewhere."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PLAIN_SECONDS = 5.0


@contextmanager
def progress(title: str, *, bytes_counted: bool = False) -> Iterator[Callable[[float, float | None], None]]:
    """Show how far something is.

    Args:
        title: What is being done, such as `moving data keys`.
        bytes_counted: Whether bytes are counted, rather than things.

    Yields:
        A function to call with what is done and with the total, or None where it is not known.
    """
    if sys.stderr.isatty():
        with _on_terminal(title, bytes_counted=bytes_counted) as advance:
            yield advance
    else:
        yield _plain_lines(title, bytes_counted=bytes_counted)


@contextmanager
def _on_terminal(title: str, *, bytes_counted: bool) -> Iterator[Callable[[float, float | None], None]]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )
    from rich.text import Text

    class _RateColumn(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text("" if task.speed is None else f"{task.speed:.0f}/s")

    amount: list[ProgressColumn] = (
        [DownloadColumn(), TransferSpeedColumn()] if bytes_counted else [MofNCompleteColumn(), _RateColumn()]
    )
    columns = [TextColumn("{task.description}"), BarColumn(), *amount, TimeRemainingColumn()]
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _plain_lines(title: str, *, bytes_counted: bool) -> Callable[[float, float | None], None]:
    began = last = time.monotonic()

    def advance(done: float, total: float | None) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < _PLAIN_SECONDS:
            return
        last = now
        of = "" if total is None else f" of {_amount(total, bytes_counted=bytes_counted)}"
        each_second = done / (now - began)
        rate = _amount(each_second, bytes_counted=bytes_counted)
        left = "" if total is None or not done else f", {_duration((total - done) / each_second)} left"
        click.echo(f"{title}: {_amount(done, bytes_counted=bytes_counted)}{of}, {rate}/s{left}", err=True)

    return advance


def _amount(value: float, *, bytes_counted: bool) -> str:
    return f"{value / 1_000_000:.1f} MB" if bytes_counted else f"{value:.0f}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
