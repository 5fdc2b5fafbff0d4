"""What agents are answered: the JSON of REST as text and as structure, links to media, and problems as errors."""

from __future__ import annotations

from typing import Any

import orjson
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    CallToolResult,
    ContentBlock,
    ResourceLink,
    TextContent,
)

from ..http.errors import ApiError, as_problem
from ..tasks.schemas import TaskAnswer
from .endpoint import PATH
from .tools import Answer


def result_of(answer: Answer) -> CallToolResult:
    """A tool's answer. A task that has failed is an error, which agents do not take for a result."""
    data = answer if isinstance(answer, dict) else answer.model_dump(mode="json")
    task = answer if isinstance(answer, TaskAnswer) else None
    content: list[ContentBlock] = [_text(data)]
    if task is not None and task.result is not None:
        content += [
            ResourceLink(uri=file.url, name=file.name, mime_type=file.content_type, size=file.bytes)
            for file in task.result.artifacts
        ]
    failed = task is not None and task.error is not None and task.status.terminal
    return CallToolResult(content=content, structured_content=data, is_error=failed)


def refused(error: ApiError) -> CallToolResult:
    """A refusal that the agent can do something about: the problem document, and when to come again."""
    data = problem_of(error)
    return CallToolResult(content=[_text(data)], structured_content=data, is_error=True)


def protocol_error(error: ApiError) -> MCPError:
    """The same where there is no tool whose result it could be."""
    code = INVALID_PARAMS if error.status < 500 else INTERNAL_ERROR
    return MCPError(code, error.detail, problem_of(error))


def problem_of(error: ApiError) -> dict[str, Any]:
    """REST's problem document, with faults by argument, and `retry_after` seconds where there are some."""
    problem = as_problem(error, PATH).model_dump()
    for fault in problem["errors"]:
        fault["loc"] = ["arguments", *fault["loc"][1:]]
    if (seconds := error.headers.get("Retry-After")) is not None:
        problem["retry_after"] = int(seconds)
    return problem


def _text(data: dict[str, Any]) -> TextContent:
    return TextContent(text=orjson.dumps(data).decode())
