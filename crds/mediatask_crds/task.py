"""MediaTask: one media job, its wishes (`spec`) and its true state (`status`)."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field

from .artifact import ContentType, Digest, FileName, FileSize, StoreKey
from .base import Resource, Timestamp
from .brain import ContextState, MemoryState
from .cost import Amount, Currency, Rate
from .freeform import FREE_FORM, LINE, at_most

Name = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$", max_length=253)]
ProjectId = Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$", max_length=63)]
ZONED = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})$"
"""Pattern of an RFC 3339 timestamp in the one spelling that every reader takes."""
Seconds = Annotated[int, Field(ge=1, le=7 * 24 * 3600)]
ShortMap = Annotated[dict[str, Annotated[str, Field(max_length=1024)]], Field(max_length=64)]
CallbackUrl = Annotated[str, Field(pattern=r"^https?://[^\s\x00-\x20\x7f]+$", max_length=2048)]
METADATA_LIMIT = 16 * 1024
"""Bytes of a task's metadata as JSON: it goes into every answer, webhook and list."""
Metadata = Annotated[dict[str, Any], Field(max_length=64), FREE_FORM, at_most(METADATA_LIMIT)]
"""A caller's own values, as REST and the operator accept them: a CRD cannot bound a free-form object."""
Tag = Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$", max_length=63)]
"""A word by which a project's tasks are told apart; also the name of a label."""
Tags = Annotated[list[Tag], Field(max_length=8)]
SCHEDULED_STEP = "scheduled"
"""`currentStep` of a task whose time to start has not come."""
MODERATING_STEP = "moderating"
"""`currentStep` of a task whose request is being checked."""
HELD_STEP = "held_for_review"
"""`currentStep` of a task whose media waits for a reviewer."""
LONGEST_SCHEDULE = timedelta(days=366)
"""How far ahead of a task's creation its start may be."""


class Event(StrEnum):
    """Moments a callback may be told of."""

    STARTED = "started"
    PROGRESS = "progress"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    REGISTERED = "registered"


class Phase(StrEnum):
    """The status words of REST, derived from the conditions for tables and filters."""

    QUEUED = "queued"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def terminal(self) -> bool:
        """Whether nothing more happens without a retry."""
        return self in (Phase.COMPLETED, Phase.FAILED, Phase.CANCELLED)


class Callback(Resource):
    """Who is told how the task goes."""

    url: CallbackUrl
    """Receiver of the signed webhook."""
    events: Annotated[list[Event], Field(min_length=1, max_length=6)] = [
        Event.COMPLETED,
        Event.FAILED,
        Event.CANCELLED,
    ]
    """Moments that are reported; the terminal ones by default. `registered`: the media is in PayloadCMS, reported where
    `completed` has not said so."""


class Deadlines(Resource):
    """Limits in seconds, counted by the operator; the class's apply where absent."""

    start_seconds: Seconds | None = None
    """From admission to the first container running."""
    run_seconds: Seconds | None = None
    """One attempt, from its container's start."""
    total_seconds: Seconds | None = None
    """From creation to the end, over all attempts."""


class Retry(Resource):
    """How often a failed attempt is followed by another."""

    limit: Annotated[int, Field(ge=0, le=10)]
    """Attempts after the first one. Preemption and node loss do not count."""


class Toleration(Resource):
    """A core/v1 Toleration."""

    key: Annotated[str, Field(max_length=253)] | None = None
    """Taint key; empty with operator Exists matches every taint."""
    operator: Literal["Exists", "Equal"] | None = None
    """Equal (default) compares value, Exists does not."""
    value: Annotated[str, Field(max_length=63)] | None = None
    """Taint value for Equal."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    """Effect to tolerate; all when absent."""
    toleration_seconds: int | None = None
    """How long NoExecute is tolerated, in seconds."""


class Resources(Resource):
    """Requests and limits of the container, as in core/v1."""

    requests: Annotated[dict[str, Annotated[str, Field(max_length=32)]], Field(max_length=16)] = {}
    """Requested quantities by resource name, for example cpu, memory."""
    limits: Annotated[dict[str, Annotated[str, Field(max_length=32)]], Field(max_length=16)] = {}
    """Limiting quantities by resource name; GPUs are set by the class's gpu field."""


class Review(Resource):
    """What a reviewer decides about media that is held."""

    decision: Literal["release", "reject"]
    """`release`: the task completes with it; `reject`: the task fails."""
    sha256: Annotated[Digest, Field(max_length=64)]
    """Digest of the media that was looked at (`status.result.artifacts[0].sha256`): of other media it says nothing."""
    by: Annotated[str, Field(pattern=LINE, max_length=253)] = ""
    """Who decided; REST writes the caller."""
    note: Annotated[str, Field(pattern=LINE, max_length=1024)] = ""
    """Why, for other reviewers. It goes nowhere else."""


class MediaTaskSpec(Resource):
    """What to make. Immutable after creation, but for cancel, the two requests, while held the review, and while queued
    the priority."""

    project_id: ProjectId
    """Project the task belongs to; `test_project` is the isolated one for prompt tests."""
    task_type: Annotated[str, Field(max_length=63)]
    """Kind of work; selects the schema of taskData."""
    task_data: dict[str, Any]
    """The request itself, in the task type's own snake_case fields (see `explain mt.spec.taskData`)."""
    class_name: Name | None = None
    """MediaTaskClass to run with; the default class of the type when absent."""
    priority: Annotated[int, Field(ge=0, le=9)] = 5
    """0 is most urgent, 9 least. May change while the task is queued."""
    tags: Annotated[Tags, Field(json_schema_extra={"x-kubernetes-list-type": "set"})] = []
    """Words to filter a project's tasks by, in REST and the CLI."""
    not_before: Annotated[Timestamp, Field(pattern=ZONED)] | None = None
    """When the task may start at the earliest, up to a year after its creation. Deadlines count from then on."""
    callback: Callback | None = None
    """Webhook to call."""
    metadata: dict[str, Any] = {}
    """Free-form values of the caller, 16 KiB at most, echoed in the webhook and in status answers."""
    deadlines: Deadlines | None = None
    """Time limits of this task, where the class allows it."""
    retry: Retry | None = None
    """Retry policy of this task, where the class allows it."""
    resources: Resources | None = None
    """Overrides of the class's resources, where the class allows it."""
    node_selector: ShortMap | None = None
    """Override of the class's node selector, where the class allows it."""
    tolerations: Annotated[list[Toleration], Field(max_length=32)] | None = None
    """Override of the class's tolerations, where the class allows it."""
    cancel: bool = False
    """Set to true to cancel. Cannot be taken back."""
    retry_request: Annotated[int, Field(ge=0, le=1000)] = 0
    """Raise it by one to ask for one more round of attempts of a failed or cancelled task."""
    redeliver_request: Annotated[int, Field(ge=0, le=1000)] = 0
    """Raise it by one to ask for the last webhook to be delivered anew, by its whole schedule."""
    review: Review | None = None
    """Releases or rejects the media of a task that is held. May change only while it is."""
    managed_by: Annotated[str, Field(max_length=253)] = ""
    """Another controller that owns this task; when set, this operator leaves it alone."""


class Condition(Resource):
    """A metav1.Condition."""

    type: Annotated[str, Field(max_length=316)]
    """Accepted, Moderated, ContextReady, Funded, JobCreated, Running, Held, Complete, Failed, Cancelled,
    CallbackDelivered, Registered, Remembered, Reconciling or Stalled."""
    status: Literal["True", "False", "Unknown"]
    """Whether it holds."""
    reason: Annotated[str, Field(max_length=1024, pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$")]
    """CamelCase reason of the last transition."""
    message: Annotated[str, Field(max_length=32768)] = ""
    """Details for people."""
    last_transition_time: Timestamp
    """When the status last flipped."""
    observed_generation: int | None = None
    """Generation of the spec this speaks of."""


class Attempt(Resource):
    """One Job of the task."""

    number: int
    """Counts from 1, over all rounds."""
    round: int = 0
    """The retryRequest this attempt belongs to."""
    job_name: str
    """Name of its Job."""
    pod_name: str | None = None
    """Name of its last pod."""
    node: str | None = None
    """Node it ran on."""
    reason: str | None = None
    """How it ended, CamelCase; absent while it lives."""
    message: Annotated[str, Field(max_length=2048)] | None = None
    """Details of the end."""
    exit_code: int | None = None
    """Exit code of its container."""
    counts: bool | None = None
    """Whether this end spent a retry."""
    gpus: int | None = None
    """GPUs that it holds."""
    cpu_millis: int | None = None
    """CPUs that it holds, in thousandths."""
    rate: Rate | None = None
    """What it costs, by the class's prices as of its start."""
    retryable: bool | None = None
    """Whether another attempt may help."""
    started_at: Timestamp | None = None
    """When its container started."""
    ended_at: Timestamp | None = None
    """When it ended."""


class QueueState(Resource):
    """Place in the admission queue."""

    position: int
    """1 is next."""
    estimated_start: Timestamp | None = None
    """When a slot is expected to be free."""


class ArtifactStatus(Resource):
    """A published file."""

    name: FileName
    """File name."""
    key: StoreKey
    """Key in the artifact store."""
    sha256: Digest
    """Digest of the content, hexadecimal."""
    bytes: FileSize
    """Size in bytes."""
    content_type: ContentType
    """Media type."""


class Result(Resource):
    """What was made."""

    media_url: str | None = None
    """URL of the media, only where the store is public; elsewhere REST and webhooks sign one, from the key."""
    payload_media_id: str | None = None
    """Id of the media in PayloadCMS, once registered."""
    artifacts: Annotated[list[ArtifactStatus], Field(max_length=64)] = []
    """All files; the first one is the media."""
    metadata: dict[str, Any] = {}
    """Facts about the media and how it was made, in snake_case as in REST."""


class TaskError(Resource):
    """Why the task failed."""

    code: str
    """CamelCase reason."""
    message: Annotated[str, Field(max_length=4096)]
    """What happened and what to do about it."""
    retryable: bool = False
    """Whether asking for a retry may help."""


class CallbackTry(Resource):
    """One try to deliver a webhook."""

    number: int
    """Counts from 1 per webhook id."""
    at: Timestamp
    """When its outcome was known."""
    status_code: int | None = None
    """HTTP status of the answer; absent where there was none."""
    error: Annotated[str, Field(max_length=256)] | None = None
    """Why it failed; absent where the receiver accepted it."""


class CallbackState(Resource):
    """Delivery of the terminal webhook."""

    id: str
    """webhook-id, the same on every try."""
    event: str
    """What is reported, for example task.completed."""
    attempts: int = 0
    """Tries so far."""
    next_attempt_at: Timestamp | None = None
    """When the next try is due; absent when there is none."""
    last_status_code: int | None = None
    """HTTP status of the last answer."""
    last_error: Annotated[str, Field(max_length=1024)] | None = None
    """Why the last try failed."""
    delivered_at: Timestamp | None = None
    """When the receiver accepted it."""
    redelivery: int | None = None
    """The redeliverRequest being worked on."""
    begun_after: int | None = None
    """Tries that were made before the present schedule began."""
    requested_at: Timestamp | None = None
    """When redelivery was last asked for; the links of the message count from then."""
    log: Annotated[list[CallbackTry], Field(max_length=20)] = []
    """The last tries, oldest first."""


class RegistrationState(Resource):
    """Putting the media into PayloadCMS."""

    attempts: int = 0
    """Tries so far."""
    next_attempt_at: Timestamp | None = None
    """When the next try is due; absent once the media is registered."""
    last_error: Annotated[str, Field(max_length=1024)] | None = None
    """Why the last try failed."""
    registered_at: Timestamp | None = None
    """When the document's id was known."""
    late: bool | None = None
    """Whether the webhook of the task's completion went without the id."""


class Cost(Resource):
    """What the task has used, and what that costs."""

    gpu_seconds: float = 0.0
    """Time of its attempts, from each container's start to its end, times the GPUs of each."""
    cpu_seconds: float | None = None
    """The same times the CPUs that each requested; absent where none did."""
    amount: Amount | None = None
    """What is charged, as decimal text; absent while nothing has been used that has a price."""
    currency: Currency | None = None
    """ISO 4217 code of the amount: that of the first attempt with a price. Attempts in another one are not charged."""


class Verdict(Resource):
    """What a check of the job image says about the media."""

    check: Annotated[str, Field(max_length=63)]
    """Name of the check."""
    model: Annotated[str, Field(max_length=253)] | None = None
    """What it judged by."""
    decision: Literal["pass", "hold"]
    """`hold`: a reviewer has to look at it."""
    score: Annotated[float, Field(ge=0, le=1)]
    """0: nothing found, 1: certain."""
    reason: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9]{0,62}$")]
    """CamelCase word for what was found."""


class Reviewed(Resource):
    """A review that has taken effect."""

    decision: Literal["release", "reject"]
    """What was decided."""
    by: Annotated[str, Field(max_length=253)] = ""
    """Who decided."""
    at: Timestamp
    """When it took effect."""


class ModerationState(Resource):
    """What moderation has found. It names rules, and never repeats a text."""

    decision: Literal["allow", "hold", "refuse"] | None = None
    """About the request's texts; absent until it is known. `hold`: the media waits for a review."""
    rules: Annotated[list[Annotated[str, Field(max_length=63)]], Field(max_length=16)] = []
    """Ids of the rules that apply."""
    rules_digest: Annotated[str, Field(max_length=64)] | None = None
    """Version of the rules that the decision is by."""
    score: Annotated[float, Field(ge=0, le=1)] | None = None
    """The classifier's, where it gave one."""
    attempts: int = 0
    """Checks so far; more than one where the classifier failed or the rules changed."""
    next_attempt_at: Timestamp | None = None
    """When the classifier is asked again."""
    last_error: Annotated[str, Field(max_length=256)] | None = None
    """Why the last check failed."""
    output_check: Annotated[str, Field(max_length=63)] | None = None
    """Check that the media has to pass, by the class as of the attempt's start."""
    previews: bool | None = None
    """False where nobody may see previews, since the media may be held."""
    verdict: Verdict | None = None
    """Of the check in the job."""
    review: Reviewed | None = None
    """The review of held media."""


class MediaTaskStatus(Resource):
    """The true state, written by the operator; progress and currentStep also by the running job's reports."""

    observed_generation: int | None = None
    """Generation of the spec this status reflects."""
    conditions: Annotated[
        list[Condition],
        Field(
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
            max_length=32,
        ),
    ] = []
    """State as conditions; wait on Complete, Failed or Cancelled."""
    phase: Phase | None = None
    """One word derived from the conditions, for tables and filters."""
    progress: Annotated[float, Field(ge=0, le=1)] | None = None
    """0 to 1; never falls within an attempt."""
    current_step: Annotated[str, Field(max_length=128)] | None = None
    """What is being done."""
    attempt: int | None = None
    """Number of the current attempt; reports of older ones are refused."""
    round: int | None = None
    """The retryRequest being worked on."""
    class_name: str | None = None
    """Class in use."""
    attempts: Annotated[
        list[Attempt],
        Field(
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["number"]},
            max_length=64,
        ),
    ] = []
    """Every attempt, oldest first."""
    queue: QueueState | None = None
    """Place in the queue while queued."""
    started_at: Timestamp | None = None
    """When the first container started."""
    completed_at: Timestamp | None = None
    """When the task ended."""
    result: Result | None = None
    """What was made."""
    error: TaskError | None = None
    """Why it failed."""
    timings: dict[str, float] = {}
    """Seconds by stage: queued, scheduled, image, start, inputs, import, model, load, infer, render, encode, upload,
    total."""
    cost: Cost | None = None
    """What its attempts have used, over all rounds."""
    callback: CallbackState | None = None
    """Delivery of the webhook."""
    registration: RegistrationState | None = None
    """Putting the media into PayloadCMS; absent where none is configured."""
    context: ContextState | None = None
    """What the Brain has added to the task's data; absent where its class asks nothing."""
    memory: MemoryState | None = None
    """Storing the result in the Brain; absent where its class does not."""
    moderation: ModerationState | None = None
    """What moderation has found; absent where nothing is checked."""

    @property
    def open_attempt(self) -> Attempt | None:
        """The attempt whose end is not on record."""
        last = self.attempts[-1] if self.attempts else None
        return last if last is not None and last.ended_at is None else None
