"""Progress for people: bars on a terminal, one plain line per change elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.progress import Task as Row
from rich.text import Text

from mediatask_crds.task import Phase

from ...models import Task
from .text import one_line

LARGE_BYTES = 1024**2
"""Files from this size on show a bar while they are sent."""
COLOURS = {
    Phase.QUEUED: "bright_black",
    Phase.PROCESSING: "cyan",
    Phase.COMPLETED: "green",
    Phase.FAILED: "red",
    Phase.CANCELLED: "yellow",
}


class Display(Protocol):
    """Shows tasks; called with each change."""

    def show(self, task: Task) -> None: ...


@contextmanager
def display(console: Console) -> Iterator[Display]:
    """The display that suits the console's stream."""
    if console.is_terminal:
        with _progress(console) as progress:
            yield Bars(progress)
    else:
        yield Lines(console)


@contextmanager
def sending(console: Console, path: Path) -> Iterator[Callable[[int, int], None]]:
    """Shows how much of a file has been sent; elsewhere than on a terminal, and for a small file, nothing."""
    if not console.is_terminal:
        yield lambda sent, size: None
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=28),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        row: TaskID | None = None

        def show(sent: int, size: int) -> None:
            nonlocal row
            if size >= LARGE_BYTES:
                row = progress.add_task(one_line(path.name), total=size) if row is None else row
                progress.update(row, completed=sent)

        yield show


def step(task: Task) -> str:
    """The current step as text: `rendering_video` becomes `rendering video`. Harmless for a terminal, one line."""
    if task.status == Phase.FAILED:
        return one_line(task.why or "failed")
    if task.status == Phase.QUEUED and task.queue_position:
        return f"waiting in queue, position {task.queue_position}"
    return one_line((task.current_step or "").replace("_", " "))


def label(task: Task) -> str:
    """`generate_image 3f2a9c01`: enough of the id to recognise it."""
    return one_line(f"{task.task_type or 'task'} {task.task_id[:8]}")


class Lines:
    """One line per change of status, attempt or step; progress within a step is not a change."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._start = clock()
        self._last: dict[str, tuple[object, ...]] = {}

    def show(self, task: Task) -> None:
        state = (task.status, max(task.attempt or 1, 1), step(task))
        if self._last.get(task.task_id) == state:
            return
        self._last[task.task_id] = state
        again = f"  (attempt {task.attempt})" if (task.attempt or 1) > 1 else ""
        line = (
            f"{self._clock() - self._start:7.1f} s  {label(task):<24}  {task.status:<10}  "
            f"{task.progress:4.0%}  {step(task)}{again}"
        )
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


class Bars:
    """One moving row per task."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._rows: dict[str, TaskID] = {}

    def show(self, task: Task) -> None:
        row = self._rows.get(task.task_id)
        if row is None:
            row = self._rows[task.task_id] = self._progress.add_task(
                "", total=1.0, start=False, name=label(task), phase=task.status, step="", attempt=""
            )
        if task.status != Phase.QUEUED:
            self._progress.start_task(row)
        self._progress.update(
            row,
            completed=task.progress,
            phase=task.status,
            step=step(task),
            attempt=f"attempt {task.attempt}" if (task.attempt or 1) > 1 else "",
        )
        if task.done:
            self._progress.stop_task(row)


class _PhaseColumn(ProgressColumn):
    def render(self, row: Row) -> Text:
        phase = Phase(row.fields["phase"])
        return Text(f"{phase:<10}", style=COLOURS[phase])


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.fields[name]}", markup=False),
        BarColumn(bar_width=28),
        TextColumn("{task.percentage:>3.0f}%"),
        _PhaseColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[step]}", style="dim", markup=False),
        TextColumn("{task.fields[attempt]}", style="yellow"),
        console=console,
        refresh_per_second=8,
    )
