"""Checks of finished media, found rather than listed: the module here of that name, or an entry point.

A check is a module (or object) with a function `check(files, settings)` that says what it has found; whether that is
enough to hold the media is the class's `holdAt`. A package may bring one of its own as an entry point of the group
`mediatask.checks`, for example one that asks a model.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Protocol

from mediatask_crds.task import Verdict
from mediatask_crds.taskclass import OutputCheck

from ..context import OutputFile
from ..failures import InvalidInput

GROUP = "mediatask.checks"


@dataclass(frozen=True)
class Found:
    """What a check has found."""

    score: float
    """0: nothing, 1: certain."""
    reason: str
    """CamelCase word for it; never a text of the request."""
    model: str | None = None
    """What it judged by, where the class does not say."""


class Check(Protocol):
    """A module with a `check` function is one."""

    def check(self, files: Sequence[OutputFile], settings: OutputCheck) -> Found:
        """Look at all files of a result. Raises InvalidInput for parameters that it cannot work with."""
        ...


def verdict(files: Sequence[OutputFile], settings: OutputCheck) -> Verdict:
    """What the class's check says about the media.

    Raises:
        InvalidInput: this image has no such check, or its parameters are impossible.
    """
    found = _find(settings.name).check(files, settings)
    return Verdict(
        check=settings.name,
        model=settings.model or found.model,
        decision="hold" if found.score >= settings.hold_at else "pass",
        score=round(found.score, 4),
        reason=found.reason,
    )


def _find(name: str) -> Check:
    for entry in entry_points(group=GROUP, name=name):
        brought: Check = entry.load()
        return brought
    if name in {module.name for module in pkgutil.iter_modules(__path__)}:
        module: Check = importlib.import_module(f"{__name__}.{name}")
        return module
    raise InvalidInput("NoCheck", f"this job image has no check {name!r}")
