"""What a batch says and is answered."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import ConfigDict, Field

from ..http.openapi.schemas import PROBLEM_SAMPLE, Problem, Rest
from ..tasks.schemas import ANSWER_SAMPLE, SubmitAnswer

MOST_TASKS = 100


class BatchRequest(Rest):
    """Tasks to be done."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "tasks": [
                        {
                            "project_id": "detective_series_001",
                            "task_type": "generate_image",
                            "task_data": {"prompt": "a lighthouse at dusk"},
                            "idempotency_key": "scene-5-take-1",
                        }
                    ],
                    "atomic": False,
                }
            ]
        }
    )

    tasks: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=MOST_TASKS)]
    """Each one the body of `POST /tasks/submit`, with an `idempotency_key` where it shall have one."""
    atomic: bool = False
    """All or none: where one cannot be accepted, none is."""


class BatchResult(Rest):
    """What became of one task of a batch."""

    index: int
    """Its place in the request, from 0."""
    status: int
    """The status code that `POST /tasks/submit` would have answered."""
    task: SubmitAnswer | None = None
    error: Problem | None = None


class BatchAnswer(Rest):
    """What became of each task, in the order of the request."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "results": [
                        {"index": 0, "status": 202, "task": ANSWER_SAMPLE},
                        {"index": 1, "status": 400, "error": PROBLEM_SAMPLE},
                    ]
                }
            ]
        }
    )

    results: list[BatchResult]
