"""Runners, found rather than listed: the module here that is named like the task type, or an entry point.

A package may bring a runner of its own as an entry point of the group `mediatask.runners`, named like its type.
"""

from __future__ import annotations

import importlib
import pkgutil
from importlib.metadata import entry_points

from ..context import Runner
from ..failures import InvalidInput

GROUP = "mediatask.runners"


def find_runner(task_type: str) -> Runner:
    """The runner of a task type.

    Raises:
        InvalidInput: this image has none for it.
    """
    for entry in entry_points(group=GROUP, name=task_type):
        runner: Runner = entry.load()
        return runner
    if task_type in {module.name for module in pkgutil.iter_modules(__path__)}:
        module: Runner = importlib.import_module(f"{__name__}.{task_type}")
        return module
    raise InvalidInput("NoRunner", f"this job image has no runner for {task_type!r}")
