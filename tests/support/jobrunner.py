"""The Job runner as a process of a test."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from .processes import python_module, stat_of

GPUS = 2


@contextlib.contextmanager
def job_runner(kubeconfig: Path, folder: Path, *arguments: str) -> Iterator[int]:
    """A Job runner on that API server; its pid."""
    folder.mkdir(exist_ok=True)
    common = ("--dir", str(folder), "--kubeconfig", str(kubeconfig), "--gpus", str(GPUS), "--grace", "3")
    with python_module("mediatask_local.jobrunner", *common, *arguments, log=folder / "runner.log") as process:
        yield process.pid


def is_alive(pid: int) -> bool:
    """Whether there is a process of that number that has not ended."""
    state, *_ = stat_of(pid) or ["Z"]
    return state != "Z"
