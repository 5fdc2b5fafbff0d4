"""What reviewers get and send."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field

from mediatask_crds.freeform import LINE, check_text

from ..http.openapi.schemas import Rest
from ..tasks.schemas import TASK_SAMPLE, ResultAnswer


class VerdictAnswer(Rest):
    """What the class's check says about the media."""

    check: str
    model: str | None
    decision: Literal["pass", "hold"]
    score: float
    """0: nothing found, 1: certain."""
    reason: str
    """CamelCase word for what was found."""


HELD_SAMPLE = {
    "task_id": TASK_SAMPLE["task_id"],
    "project_id": TASK_SAMPLE["project_id"],
    "task_type": "generate_video",
    "created_at": "2025-09-24T10:30:00Z",
    "held_since": "2025-09-24T10:35:30Z",
    "reason": "HeldByRule",
    "message": "A review is asked for by rule look-at-weapons.",
    "rules": ["look-at-weapons"],
    "verdict": None,
    "result": TASK_SAMPLE["result"],
}


class HeldTask(Rest):
    """A task whose media waits for a review."""

    model_config = ConfigDict(json_schema_extra={"examples": [HELD_SAMPLE]})

    task_id: str
    project_id: str
    task_type: str
    created_at: str
    held_since: str
    reason: str
    """HeldByRule, HeldByCheck or NotChecked."""
    message: str
    rules: list[str]
    """Ids of the rules that ask for it."""
    verdict: VerdictAnswer | None
    result: ResultAnswer
    """The media, for reviewers alone."""


class HeldTasks(Rest):
    """Tasks that wait for a review, the longest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reviews": [HELD_SAMPLE], "total": 1}]})

    reviews: list[HeldTask]
    total: int
    """How many wait in all."""


class ReviewRequest(Rest):
    """What a reviewer decides."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"decision": "release", "note": "The weapon is a prop of scene 5."}]}
    )

    decision: Literal["release", "reject"]
    """`release`: the task completes with its media; `reject`: it fails, and the media stays closed."""
    note: Annotated[str, Field(max_length=1024, pattern=LINE), AfterValidator(check_text)] = ""
    """Why, for other reviewers; it is kept with the task and told to nobody."""
