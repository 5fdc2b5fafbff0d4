"""What the service answers, typed. Fields it adds later are kept, too."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from mediatask_crds.task import Phase

from .errors import NotCompleted, TaskFailed


class Answer(BaseModel):
    """Base of all answers."""

    model_config = ConfigDict(extra="allow", use_attribute_docstrings=True, hide_input_in_errors=True)

    def raw(self) -> dict[str, Any]:
        """The answer as the service gave it, as JSON values."""
        return self.model_dump(mode="json", exclude_unset=True, by_alias=True)


class Charge(Answer):
    """An amount of money."""

    amount: Decimal
    currency: str


class Estimate(Answer):
    """What a task usually costs."""

    amount: Decimal | None = None
    """None where the class has no prices."""
    currency: str | None = None
    gpu_seconds: float = 0.0


class Estimation(Answer):
    """What would follow if a task were submitted now."""

    estimated_duration: float
    """Seconds that such a task usually takes."""
    queue_position: int
    """1 is next."""
    cost: Estimate | None = None
    """None where no class runs the type by default."""


class Submitted(Answer):
    """The answer to a submit."""

    task_id: str
    status: Phase
    project_id: str
    estimated_duration: float | None = None
    """Seconds that such a task usually takes."""
    queue_position: int | None = None
    """1 is next."""
    created_at: datetime | None = None
    estimated_cost: Estimate | None = None


class BatchResult(Answer):
    """What became of one task of a batch."""

    index: int
    """Its place in the request, from 0."""
    status: int
    """202 where it was accepted, else the status code of the refusal."""
    task: Submitted | None = None
    error: dict[str, Any] | None = None
    """The refusal, as RFC 9457 has it."""


class BatchAnswer(Answer):
    """The answer to a batch."""

    results: list[BatchResult]


class Used(Answer):
    """How much was used; the group is named by one of the last three fields."""

    tasks: int
    """Tasks that ended."""
    gpu_seconds: float
    cost: float | None = None
    """None where nothing has a price, or in several currencies."""
    costs: list[Charge] = []
    """The same for each currency, exactly."""
    day: date | None = None
    task_type: str | None = None
    class_name: str | None = Field(default=None, alias="class")

    @property
    def group(self) -> str:
        """The name of the group."""
        return next((str(name) for name in (self.day, self.task_type, self.class_name) if name is not None), "")


class Usage(Answer):
    """What a project has used."""

    project_id: str
    group_by: str
    items: list[Used]
    total: Used


class Budget(Answer):
    """A budget, and how it stands in its present period."""

    period: str
    """day, week or month, in UTC."""
    limit: Decimal
    currency: str
    when_exceeded: str
    """refuse or wait: what becomes of tasks for which it leaves too little."""
    spent: Decimal
    reserved: Decimal
    """What the running attempts are expected to cost."""
    left: Decimal
    state: str
    """ok, warning (from 80 % on) or exceeded."""
    renews_at: datetime


class Budgets(Answer):
    """The budgets of a project."""

    project_id: str
    budgets: list[Budget]


class CostRecord(Answer):
    """What one task has used and is charged."""

    task_id: str
    task_type: str
    class_name: str | None = Field(default=None, alias="class")
    status: Phase
    completed_at: datetime
    attempts: int
    gpu_seconds: float
    cpu_seconds: float = 0.0
    amount: Decimal | None = None
    """None where nothing has a price."""
    currency: str | None = None


class CostRecords(Answer):
    """Some of a project's cost records."""

    records: list[CostRecord]
    next_cursor: str | None = None
    """Where they go on; absent at the end. There may be more though these are few or none."""


class WebhookTry(Answer):
    """One try to deliver a webhook."""

    number: int
    at: datetime
    status_code: int | None = None
    error: str | None = None


class Webhook(Answer):
    """What became of a task's webhook."""

    task_id: str
    receiver: str = ""
    """Scheme and host of the callback URL."""
    state: str
    """waiting, pending, retrying, delivered or failed."""
    event: str | None = None
    attempts: int = 0
    next_attempt_at: datetime | None = None
    delivered_at: datetime | None = None
    tries: list[WebhookTry] = []
    """The last ones, oldest first."""


class UploadPart(Answer):
    """Where and how to send a part of a large file."""

    number: int
    bytes: int
    url: str
    headers: dict[str, str]


class Upload(Answer):
    """Permission to upload a file, and how tasks name it."""

    upload_id: str
    reference: str
    """`upload://...`: stands where a task's data takes a URL, in tasks of the same project."""
    url: str | None = None
    headers: dict[str, str] = {}
    expires_at: datetime | None = None
    parts: list[UploadPart] = []
    """Of a large file, instead of `url`."""


class Artifact(Answer):
    """One of the files that a task made."""

    name: str
    url: str
    """Good without a key; signed anew for each answer and expiring, unless the store is public."""
    bytes: int
    sha256: str
    content_type: str


class Media(Answer):
    """What a completed task made."""

    media_url: str | None = None
    """Address of the first artifact."""
    payload_media_id: str | None = None
    metadata: dict[str, Any] = {}
    artifacts: list[Artifact] = []
    """All files; the first one is the media."""


class Cost(Estimate):
    """What a task has used and is charged."""

    cpu_seconds: float = 0.0


class Task(Answer):
    """A task's state."""

    task_id: str
    project_id: str
    status: Phase
    progress: float = 0.0
    """0 to 1; never falls within an attempt."""
    current_step: str | None = None
    result: Media | None = None
    error: str | dict[str, Any] | None = None
    task_type: str | None = None
    attempt: int | None = None
    """Counts from 1."""
    queue_position: int | None = None
    cost: Cost | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None

    @property
    def done(self) -> bool:
        """Whether nothing more happens without a retry."""
        return self.status.terminal

    @property
    def seconds(self) -> float | None:
        """Seconds from the start of the work to its end."""
        if not (self.started_at and self.completed_at):
            return None
        return (self.completed_at - self.started_at).total_seconds()

    @property
    def why(self) -> str | None:
        """Why it failed, in one line."""
        if isinstance(self.error, dict):
            return ": ".join(str(self.error[key]) for key in ("code", "message") if self.error.get(key))
        return self.error

    def raise_for_status(self) -> Task:
        """Itself, unless it ended as failed or cancelled.

        Raises:
            TaskFailed: with the reason.
        """
        if self.status in (Phase.FAILED, Phase.CANCELLED):
            raise TaskFailed(f"task {self.task_id} {self.status}" + (f": {self.why}" if self.why else ""), self)
        return self

    def artifacts(self) -> list[Artifact]:
        """The files it made.

        Raises:
            TaskFailed: it ended without any.
            NotCompleted: it has not ended yet.
        """
        self.raise_for_status()
        if not (self.result and self.result.artifacts):
            raise NotCompleted(f"task {self.task_id} is {self.status}: `mediatask watch {self.task_id}` waits for it")
        return self.result.artifacts


class Page(Answer):
    """One page of a project's tasks, newest first."""

    tasks: list[Task]
    total: int
    page: int
    limit: int
    pages: int
    next_cursor: str | None = None
    """Where the list goes on; absent at its end."""


class HeldTask(Answer):
    """A task whose media waits for a review."""

    task_id: str
    project_id: str
    task_type: str
    held_since: datetime
    reason: str
    message: str = ""
    rules: list[str] = []
    verdict: dict[str, Any] | None = None
    result: Media
    """The media, for reviewers alone."""


class HeldTasks(Answer):
    """Tasks that wait for a review, the longest first."""

    reviews: list[HeldTask]
    total: int
    """How many wait in all."""


class TaskType(Answer):
    """A kind of work."""

    name: str
    summary: str = ""
    json_schema: dict[str, Any] = Field(default={}, alias="schema")
    """JSON Schema 2020-12 of its `task_data`; empty in lists."""


class ServiceState(Answer):
    """A service that this one is configured to work with."""

    name: str
    url: str | None = None
    state: str
    """up, down or unknown."""
    latency_ms: float | None = None
    message: str | None = None
    """The kind of failure, where it is down."""


class Services(Answer):
    """The services around, and whether they answer."""

    environment: str
    services: list[ServiceState]


class ApiKey(Answer):
    """An API key, without its secret."""

    id: str
    projects: list[str]
    role: str | None = None
    scopes: list[str] = []
    """All that it may do, also by role."""
    description: str = ""
    created_at: datetime | None = None
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    """Accurate to ten minutes."""
    earlier_secret_until: datetime | None = None
    """Until when the secret from before the last rotation is valid."""


class NewApiKey(ApiKey):
    """An API key that was just made or rotated, with its secret."""

    key: str = Field(repr=False)
    """What its owner sends. It is told this once, and stored nowhere."""


class ApiKeys(Answer):
    """The answer to a list of keys."""

    keys: list[ApiKey]
