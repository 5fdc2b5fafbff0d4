"""Which class runs a task, and what the task may change about it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic import BaseModel, ValidationError

from mediatask_crds.podcontract import ExitCode
from mediatask_crds.task import MediaTaskSpec, MediaTaskStatus, Metadata
from mediatask_crds.taskclass import ClassDeadlines, MediaTaskClassSpec
from mediatask_crds.tasktypes import UnknownTaskType, task_type

from .attempts import Limits
from .reasons import Reason
from .tuning import ADMISSION


@dataclass(frozen=True)
class TaskClass:
    """A class by name."""

    name: str
    spec: MediaTaskClassSpec


@dataclass(frozen=True)
class NoClass:
    """No class can run the task."""

    reason: Reason
    message: str
    final: bool
    """Whether nothing but another task helps; else the task waits for a class."""


def resolve(
    spec: MediaTaskSpec,
    status: MediaTaskStatus,
    classes: Mapping[str, MediaTaskClassSpec],
    unusable: Mapping[str, str] = {},
) -> TaskClass | NoClass:
    """The class of the task's next attempt.

    Args:
        unusable: classes that exist and cannot be read, and why.

    Within a round a task stays with its class, but for one step to the class's `fallbackClass` each time that GPU
    memory ran out.
    """
    name = _named(spec, status, classes)
    if name is None:
        return NoClass(Reason.CLASS_NOT_FOUND, f"no MediaTaskClass is the default for {spec.task_type}", final=False)
    found = classes.get(name)
    if found is None and name in unusable:
        message = f"MediaTaskClass {name} cannot be used: {unusable[name]}"
        return NoClass(Reason.CLASS_NOT_FOUND, message, final=False)
    if found is None:
        return NoClass(Reason.CLASS_NOT_FOUND, f"there is no MediaTaskClass {name}", final=False)
    if spec.task_type not in found.task_types:
        served = ", ".join(found.task_types)
        message = f"MediaTaskClass {name} serves {served}, not {spec.task_type}"
        return NoClass(Reason.CLASS_NOT_FOR_TYPE, message, final=True)
    refused = [field for field in _overrides(spec) if field not in found.allow_overrides]
    if refused:
        message = f"MediaTaskClass {name} does not let tasks set {', '.join(refused)}"
        return NoClass(Reason.OVERRIDE_NOT_ALLOWED, message, final=True)
    return TaskClass(name, found)


def limits(spec: MediaTaskSpec, task_class: MediaTaskClassSpec | None) -> Limits:
    """Deadlines of an attempt: the task's own where it has them."""
    wanted, given = spec.deadlines, _deadlines(task_class)
    return Limits(
        start=timedelta(seconds=(wanted and wanted.start_seconds) or given.start_seconds),
        run=timedelta(seconds=(wanted and wanted.run_seconds) or given.run_seconds),
    )


def total_limit(spec: MediaTaskSpec, task_class: MediaTaskClassSpec | None) -> timedelta:
    """How long the task may take in all, from its creation or from the request to retry it."""
    wanted, given = spec.deadlines, _deadlines(task_class)
    return timedelta(seconds=(wanted and wanted.total_seconds) or given.total_seconds)


class _CallersOwn(BaseModel):
    metadata: Metadata


def request_error(spec: MediaTaskSpec, data: dict[str, Any]) -> str | None:
    """Why a request is not valid: its data for its type, or its metadata. The API server's schema cannot say all."""
    try:
        task_type(spec.task_type).model_validate(data)
        _CallersOwn(metadata=spec.metadata)
    except UnknownTaskType as error:
        return str(error)
    except ValidationError as error:
        problems = (f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()[:10])
        return "; ".join(problems)
    return None


def typical_seconds(type_name: str) -> float:
    """Expected duration of a run of this type."""
    try:
        return task_type(type_name).typical_seconds
    except UnknownTaskType:
        return ADMISSION.typical_seconds


def retry_limit(spec: MediaTaskSpec, task_class: MediaTaskClassSpec | None) -> int:
    """Attempts after the first one of a round that may be spent."""
    given = task_class.retry.limit if task_class else MediaTaskClassSpec.model_fields["retry"].default.limit
    limit: int = spec.retry.limit if spec.retry else given
    return limit


def _named(spec: MediaTaskSpec, status: MediaTaskStatus, classes: Mapping[str, MediaTaskClassSpec]) -> str | None:
    round_ = [attempt for attempt in status.attempts if attempt.round == (status.round or 0)]
    if round_ and status.class_name:
        used = classes.get(status.class_name)
        if round_[-1].exit_code == ExitCode.GPU_OUT_OF_MEMORY and used and used.fallback_class:
            return used.fallback_class
        return status.class_name
    if spec.class_name:
        return spec.class_name
    defaults = [name for name, found in classes.items() if found.default and spec.task_type in found.task_types]
    return min(defaults, default=None)


def _overrides(spec: MediaTaskSpec) -> list[str]:
    """The class's fields that the task sets, as the resource writes them."""
    fields = ("resources", "node_selector", "tolerations", "deadlines", "retry")
    return [
        str(MediaTaskSpec.model_fields[field].alias or field) for field in fields if getattr(spec, field) is not None
    ]


def _deadlines(task_class: MediaTaskClassSpec | None) -> ClassDeadlines:
    """The class's deadlines, or the defaults where the class of a running attempt has been deleted."""
    return task_class.deadlines if task_class else ClassDeadlines()
