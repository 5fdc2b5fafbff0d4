"""What REST callers send and get. The shapes of the platform's quickstart are binding: none is renamed."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field

from mediatask_common.times import parse_time, rfc3339, utcnow
from mediatask_crds.task import LONGEST_SCHEDULE, ZONED, CallbackUrl, Metadata, Phase, ProjectId, Tags

from ..http.openapi.schemas import Rest

Number = Annotated[float, Field(ge=0, le=1)]
Priority = Annotated[int, Field(ge=0, le=9)]


def _unique(tags: list[str]) -> list[str]:
    if len(set(tags)) < len(tags):
        raise ValueError("a tag is given twice")
    return tags


def _within_a_year(moment: str) -> str:
    start = parse_time(moment)
    if start > utcnow() + LONGEST_SCHEDULE - timedelta(days=1):
        raise ValueError(f"at most {LONGEST_SCHEDULE.days - 1} days ahead")
    try:
        return rfc3339(start)
    except OverflowError as error:
        raise ValueError("not a time that UTC has") from error


Start = Annotated[
    str, Field(pattern=ZONED, max_length=64, json_schema_extra={"format": "date-time"}), AfterValidator(_within_a_year)
]


class SubmitRequest(Rest):
    """A task to be done."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "project_id": "detective_series_001",
                    "task_type": "generate_video",
                    "task_data": {
                        "storyboard_images": ["https://example.com/frame1.jpg", "https://example.com/frame2.jpg"],
                        "scene_description": "Detective enters the dark alley",
                        "camera_angle": "wide_shot",
                        "lighting": "noir_dramatic",
                        "character_positions": ["detective_center"],
                        "audio_cues": ["footsteps", "rain_ambience"],
                    },
                    "priority": 1,
                    "callback_url": "https://main-app.com/api/webhooks/task-complete",
                    "metadata": {
                        "user_id": "user123",
                        "agent_id": "video_generation_agent",
                        "scene_id": "scene_005",
                    },
                }
            ]
        }
    )

    project_id: ProjectId
    """Project the task belongs to; `test_project` is the isolated one for prompt tests."""
    task_type: Annotated[str, Field(min_length=1, max_length=63)]
    """Kind of work; `GET /task-types` lists them."""
    task_data: dict[str, Any]
    """The request itself; `GET /task-types/{type}` has its schema."""
    priority: Priority = 5
    """0 is most urgent, 9 least."""
    tags: Annotated[Tags, AfterValidator(_unique)] = []
    """Words to filter the project's tasks by."""
    not_before: Start | None = None
    """When the task may start at the earliest: RFC 3339 with a zone, a year ahead at most."""
    callback_url: CallbackUrl | None = None
    """Receiver of the signed webhook that tells the end."""
    metadata: Metadata | None = None
    """Free-form values, 16 KiB at most, echoed in status answers and in the webhook."""


class EstimatedCost(Rest):
    """What such a task usually costs: from the last ones of its type and class, else from the type's estimate."""

    amount: str | None
    """As decimal text; null where the class has no prices."""
    currency: str | None
    """ISO 4217 code."""
    gpu_seconds: float


COST_SAMPLE: dict[str, Any] = {"amount": "0.2", "currency": "EUR", "gpu_seconds": 288.0}
ANSWER_SAMPLE: dict[str, Any] = {
    "task_id": "5f0c2d0e-7a43-5c0b-9d2e-0c9a6f9f5b1e",
    "status": "queued",
    "project_id": "detective_series_001",
    "estimated_duration": 300,
    "queue_position": 2,
    "created_at": "2025-09-24T10:30:00Z",
    "estimated_cost": COST_SAMPLE,
}


class SubmitAnswer(Rest):
    """The task is accepted."""

    model_config = ConfigDict(json_schema_extra={"examples": [ANSWER_SAMPLE]})

    task_id: str
    """Name of the task, here and in Kubernetes."""
    status: Literal["queued"]
    project_id: str
    estimated_duration: int
    """Seconds such a task usually runs: the median of recent ones, else the type's estimate."""
    queue_position: int
    """1 is next."""
    created_at: str
    """RFC 3339, UTC."""
    estimated_cost: EstimatedCost | None = None
    """Null where no class runs the type by default."""


class EstimateAnswer(Rest):
    """What would follow if the task were submitted now."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"estimated_duration": 300, "queue_position": 2, "cost": COST_SAMPLE}]}
    )

    estimated_duration: int
    """Seconds such a task usually runs: the median of recent ones, else the type's estimate."""
    queue_position: int
    """1 is next."""
    cost: EstimatedCost | None
    """Null where no class runs the type by default."""


class ArtifactAnswer(Rest):
    """One of the files that a task made."""

    name: str
    url: str
    """Public where the store is, else signed and expiring."""
    bytes: int
    sha256: str
    content_type: str


class ResultAnswer(Rest):
    """What a task made."""

    media_url: str | None
    """URL of the media: public where the store is, else signed anew for each answer and expiring."""
    payload_media_id: str | None
    """Id of the media in PayloadCMS, once registered."""
    metadata: dict[str, Any]
    """Facts about the media and how it was made."""
    artifacts: list[ArtifactAnswer]
    """All files; the first one is the media."""


class ErrorAnswer(Rest):
    """Why a task failed."""

    code: str
    """CamelCase reason."""
    message: str
    retryable: bool
    """Whether a retry may help."""


class CostAnswer(Rest):
    """What a task has used so far, over all its attempts that have ended."""

    gpu_seconds: float
    """Time of its attempts, times the GPUs of each."""
    cpu_seconds: float
    """The same times the CPUs that each requested."""
    amount: str | None
    """What is charged, as decimal text; null where its class has no prices."""
    currency: str | None
    """ISO 4217 code."""


TASK_SAMPLE: dict[str, Any] = {
    "task_id": "5f0c2d0e-7a43-5c0b-9d2e-0c9a6f9f5b1e",
    "project_id": "detective_series_001",
    "task_type": "generate_video",
    "status": "completed",
    "progress": 1.0,
    "current_step": "upload_complete",
    "result": {
        "media_url": "https://r2.cloudflare.com/bucket/detective_series_001/video_abc123.mp4",
        "payload_media_id": "64f1b2c3a8d9e0f1",
        "metadata": {"duration": 7.0, "resolution": "1920x1080", "file_size": 15728640, "fps": 24},
        "artifacts": [],
    },
    "error": None,
    "created_at": "2025-09-24T10:30:00Z",
    "started_at": "2025-09-24T10:30:15Z",
    "completed_at": "2025-09-24T10:35:30Z",
    "attempt": 1,
    "priority": 1,
    "tags": ["night"],
    "not_before": None,
    "metadata": {"user_id": "user123"},
    "queue_position": None,
    "estimated_start": None,
    "timings": {"queued": 0.4, "infer": 281.0, "total": 315.0},
    "cost": {"gpu_seconds": 298.0, "cpu_seconds": 1192.0, "amount": "0.206947", "currency": "EUR"},
}


class TaskAnswer(Rest):
    """A task's state."""

    model_config = ConfigDict(json_schema_extra={"examples": [TASK_SAMPLE]})

    task_id: str
    project_id: str
    task_type: str
    status: Phase
    progress: Number
    """0 to 1; never falls within an attempt."""
    current_step: str | None
    """What is being done, for example `rendering_video`."""
    result: ResultAnswer | None
    error: ErrorAnswer | None
    created_at: str
    started_at: str | None
    completed_at: str | None
    attempt: int
    """Number of the current attempt; 0 before the first."""
    priority: int
    tags: list[str]
    not_before: str | None
    """When it may start at the earliest."""
    metadata: dict[str, Any]
    """As submitted."""
    queue_position: int | None
    """Place in the queue while queued; 1 is next."""
    estimated_start: str | None
    """When a slot is expected to be free, or the time has come that `not_before` names."""
    timings: dict[str, float]
    """Seconds by stage."""
    cost: CostAnswer | None
    """Null until an attempt has ended that used something that counts."""


class TaskPage(Rest):
    """One page of a project's tasks, newest first."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "tasks": [TASK_SAMPLE],
                    "total": 21,
                    "page": 1,
                    "limit": 1,
                    "pages": 21,
                    "next_cursor": "MTc2MzcyMTAwMC01ZjBj",
                }
            ]
        }
    )

    tasks: list[TaskAnswer]
    total: int
    """Tasks that match, on all pages."""
    page: int
    """Number of this page, also where a cursor led to it; its tasks may straddle two."""
    limit: int
    pages: int
    next_cursor: str | None
    """Where the list goes on; null at its end."""


class ChangeRequest(Rest):
    """What may change of a task while it is queued."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"priority": 1}]})

    priority: Priority
    """0 is most urgent, 9 least."""


TYPE_SAMPLE: dict[str, Any] = {
    "name": "generate_video",
    "summary": "Generate a short film from a scene description.",
    "media": "video",
    "typical_seconds": 300,
    "default_class": "video",
    "classes": ["video", "video-large"],
}


class TaskTypeAnswer(Rest):
    """A kind of work."""

    model_config = ConfigDict(json_schema_extra={"examples": [TYPE_SAMPLE]})

    name: str
    summary: str
    media: str
    """What the result is: image, video, audio or json."""
    typical_seconds: int
    default_class: str | None
    """MediaTaskClass that runs it."""
    classes: list[str]
    """All MediaTaskClasses for it."""


class TaskTypeDetail(TaskTypeAnswer):
    """A kind of work and the form of its `task_data`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    **TYPE_SAMPLE,
                    "schema": {
                        "$schema": "https://json-schema.org/draft/2020-12/schema",
                        "type": "object",
                        "properties": {"scene_description": {"type": "string", "minLength": 1, "maxLength": 8192}},
                        "required": ["scene_description"],
                        "additionalProperties": False,
                    },
                    "defaults": {"fps": 24},
                }
            ]
        }
    )

    schema_: Annotated[dict[str, Any], Field(serialization_alias="schema")]
    """JSON Schema 2020-12 of `task_data`."""
    defaults: dict[str, Any]
    """Values of the fields that are left out."""
