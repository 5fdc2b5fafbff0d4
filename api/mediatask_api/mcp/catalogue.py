"""The tools: their names, what they are for, what they take and require. Pure.

One tool for each task type, whose input is a submit as in REST, and one for each other call.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from mediatask_crds.task import ProjectId
from mediatask_crds.tasktypes import TaskData, task_types

from ..http.openapi.schemas import Rest
from ..tasks.catalogue import json_schema
from ..tasks.schemas import SubmitRequest
from ..tasks.submitting import idempotency

MAX_WAIT_SECONDS = 60
"""Longest time for which a call is held, as in REST."""
MAX_LISTED = 50
"""Tasks of one page."""

TaskId = Annotated[str, Field(min_length=1, max_length=253)]
Wait = Annotated[int, Field(ge=0, le=MAX_WAIT_SECONDS)]


class SubmitOptions(Rest):
    """What a submit takes beside the fields of REST's body."""

    idempotency_key: Annotated[str, Field(min_length=1, max_length=idempotency.MAX_LENGTH)] | None = None
    """Repeating a call under the same key gives the first answer, and one task."""
    wait_seconds: Wait = 0
    """Hold the answer until the task has ended, at most so long; 0 answers at once."""


class OneTask(Rest):
    """A task."""

    task_id: TaskId


class WaitForTask(OneTask):
    """A task that is waited for."""

    wait_seconds: Wait = MAX_WAIT_SECONDS
    """Answer after so many seconds at the latest, with the state that the task is in then."""


class ListTasks(Rest):
    """Which tasks are wanted."""

    project_id: ProjectId
    status: Literal["queued", "processing", "completed", "failed", "cancelled"] | None = None
    task_type: Annotated[str, Field(max_length=63)] | None = None
    tag: Annotated[str, Field(max_length=63)] | None = None
    limit: Annotated[int, Field(ge=1, le=MAX_LISTED)] = 20
    cursor: Annotated[str, Field(max_length=512)] | None = None
    """`next_cursor` of an earlier answer."""


class Nothing(Rest):
    """No arguments."""


@dataclass(frozen=True)
class Tool:
    """A tool as clients are told of it."""

    name: str
    description: str
    scope: str
    """What a caller needs for it."""
    schema: dict[str, Any]
    """JSON Schema 2020-12 of its arguments."""
    reads: bool = False
    """It changes nothing."""
    ends: bool = False
    """It ends work that somebody may want."""
    repeatable: bool = False
    """Calling it twice is as calling it once."""
    task_type: str | None = None
    """It submits such a task."""


def tools() -> dict[str, Tool]:
    """All tools by name."""
    return {tool.name: tool for tool in (*map(_submits, task_types().values()), *_others())}


def _submits(kind: type[TaskData]) -> Tool:
    description = (
        f"{kind.summary} Makes a task and answers with its task_id at once; it usually runs for "
        f"{kind.typical_seconds} s. Give wait_seconds, or call wait_for_task until it has ended."
    )
    return Tool(kind.type_name, description, "tasks:submit", submit_schema(kind), task_type=kind.type_name)


def _others() -> list[Tool]:
    return [
        Tool(
            "get_task",
            "The state of a task: status, progress, and when it has completed its result with links to its media.",
            "tasks:read",
            _schema(OneTask),
            reads=True,
            repeatable=True,
        ),
        Tool(
            "wait_for_task",
            f"Wait until a task has ended, {MAX_WAIT_SECONDS} s at most, and give its state. Tells progress meanwhile. "
            "Call it again while the status is queued or processing. Ending the call does not cancel the task.",
            "tasks:read",
            _schema(WaitForTask),
            reads=True,
            repeatable=True,
        ),
        Tool(
            "cancel_task",
            "Cancel a queued or running task.",
            "tasks:cancel",
            _schema(OneTask),
            ends=True,
            repeatable=True,
        ),
        Tool(
            "retry_task",
            "Run a failed or cancelled task once more, under the same task_id.",
            "tasks:retry",
            _schema(OneTask),
        ),
        Tool("list_tasks", "A project's tasks, newest first.", "tasks:read", _schema(ListTasks), True, repeatable=True),
        Tool(
            "list_task_types",
            "The kinds of tasks that there are, and the classes of machines that run them.",
            "platform:read",
            _schema(Nothing),
            reads=True,
            repeatable=True,
        ),
    ]


def submit_schema(kind: type[TaskData]) -> dict[str, Any]:
    """A submit of this type: REST's body without `task_type`, with the type's own schema for `task_data`."""
    body, data, options = _schema(SubmitRequest), json_schema(kind), _schema(SubmitOptions)
    data.pop("$schema")
    definitions = {**body.pop("$defs", {}), **data.pop("$defs", {})}  # one place for all: references begin at the root
    properties = {**body["properties"], "task_data": data, **options["properties"]}
    del properties["task_type"]
    return {
        **body,
        "description": kind.summary,
        "properties": properties,
        "required": [name for name in body["required"] if name != "task_type"],
        **({"$defs": definitions} if definitions else {}),
    }


def _schema(model: type[Rest]) -> dict[str, Any]:
    schema = model.model_json_schema()
    for name in ("title", "examples"):
        schema.pop(name, None)
    return schema
