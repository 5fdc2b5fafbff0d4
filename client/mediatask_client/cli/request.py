"""A submit request out of a file and the arguments of a command line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import yaml

from ..errors import UsageError
from .submission import Schema, task_data

ENVELOPE = {"task_type", "task_data", "project_id"}
"""Fields that tell a whole request from a `task_data` alone."""

TIMESTAMP = "tag:yaml.org,2002:timestamp"


@dataclass(frozen=True)
class Arguments:
    """What the command line says about the request's content."""

    task_type: str | None
    text: str | None
    settings: list[str]
    metadata: list[str]
    project: str | None
    """Where it was named there."""


class _Loader(yaml.SafeLoader):
    """YAML as JSON has it: a date is text."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in entries if tag != TIMESTAMP]
        for first, entries in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def read_file(content: bytes) -> dict[str, Any]:
    """The whole request that a file holds; one that holds `task_data` alone becomes such a request.

    Raises:
        UsageError: it holds neither.
    """
    given = _load(content)
    if not isinstance(given, dict) or not all(isinstance(name, str) for name in given):
        raise UsageError("--file holds no JSON or YAML object")
    request = given if ENVELOPE & given.keys() else {"task_data": given}
    for name in ("task_data", "metadata"):
        if not isinstance(request.get(name, {}), dict):
            raise UsageError(f"{name} in --file is not an object")
    return request


def build(
    request: Mapping[str, Any],
    arguments: Arguments,
    options: Mapping[str, Any],
    default_project: str,
    schema_of: Callable[[str], Schema],
) -> dict[str, Any]:
    """Arguments of `Client.submit`; the command line takes precedence over the file.

    Args:
        request: of the file, `{}` without one.
        options: further fields of the request that the command line names; None where it does not.
        default_project: for a request that names none.
        schema_of: JSON Schema of a task type.

    Raises:
        UsageError: no type is named, or the arguments do not fit it.
    """
    task_type = arguments.task_type or request.get("task_type")
    if not isinstance(task_type, str) or not task_type:
        raise UsageError("the TYPE of the task is missing; `mediatask types` lists them")
    body = {
        **request,
        **{name: value for name, value in options.items() if value is not None},
        "project_id": arguments.project or request.get("project_id", default_project),
        "task_type": task_type,
        "task_data": task_data(schema_of(task_type), arguments.text, arguments.settings, request.get("task_data", {})),
    }
    if arguments.metadata:
        body["metadata"] = {**request.get("metadata", {}), **_pairs(arguments.metadata)}
    return body


def read_requests(content: bytes, project: str) -> list[dict[str, Any]]:
    """The requests that a file holds, as a list or under `tasks`; those that name no project are of the given one.

    Raises:
        UsageError: it holds none.
    """
    given = _load(content)
    requests = given.get("tasks") if isinstance(given, dict) else given
    if not isinstance(requests, list) or not requests or not all(isinstance(request, dict) for request in requests):
        raise UsageError("the file holds no list of requests")
    return [{"project_id": project, **request} for request in requests]


def _load(content: bytes) -> Any:
    try:
        return yaml.load(content.decode(), _Loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UsageError(f"the file is neither JSON nor YAML: {error}") from error


def moment(text: str) -> datetime:
    """A point in time, local where no zone is named.

    Raises:
        UsageError: it is none.
    """
    try:
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        raise UsageError(f"{text!r} is no time; write it as 2027-01-31T06:00:00Z") from None


def _pairs(entries: list[str]) -> dict[str, str]:
    pairs = [entry.partition("=") for entry in entries]
    if wrong := [key for key, equals, _ in pairs if not equals]:
        raise UsageError(f"--metadata {wrong[0]}: write it as key=value")
    return {key: value for key, _, value in pairs}
