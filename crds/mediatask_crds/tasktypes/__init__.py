"""Task types, found rather than listed: every module here, and every `mediatask.task_types` entry point.

A new type is one module with one `TaskData` subclass (and one runner on the Job's side); REST validation, the
CRD, the CLI and the catalogue all follow from it.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from importlib.metadata import entry_points

from .base import TaskData, input_urls, texts

__all__ = ["TaskData", "UnknownTaskType", "input_urls", "task_type", "task_types", "texts"]


class UnknownTaskType(ValueError):
    """The task type is not installed here."""


@cache
def task_types() -> dict[str, type[TaskData]]:
    """All task types by name, in alphabetical order."""
    found: dict[str, type[TaskData]] = {}
    for module in pkgutil.iter_modules(__path__):
        if module.name != "base":
            loaded = importlib.import_module(f"{__name__}.{module.name}")
            found |= {
                kind.type_name: kind
                for kind in vars(loaded).values()
                if isinstance(kind, type) and issubclass(kind, TaskData) and kind is not TaskData
            }
    for entry in entry_points(group="mediatask.task_types"):
        kind = entry.load()
        found[kind.type_name] = kind
    return dict(sorted(found.items()))


def task_type(name: str) -> type[TaskData]:
    """The model of a type's `task_data`.

    Raises:
        UnknownTaskType: no such type; the message lists those there are.
    """
    try:
        return task_types()[name]
    except KeyError:
        raise UnknownTaskType(f"unknown task type {name!r}: installed are {', '.join(task_types())}") from None
