"""What a reconcile knows about one task, as one immutable value."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Literal

from mediatask_common.budgets import Standing
from mediatask_common.times import parse_time
from mediatask_crds.brain import ContextAddition
from mediatask_crds.podcontract import JobResult
from mediatask_crds.task import LONGEST_SCHEDULE, MediaTaskSpec, MediaTaskStatus

from ..objects import Key, Object, attempt_number
from .classes import NoClass, TaskClass
from .reasons import Reason

Rank = tuple[int, str, Key]
"""(priority, creation time, key): the smallest comes first."""


@dataclass(frozen=True)
class Turn:
    """What the admission queue says to a waiting task."""

    admitted: bool
    position: int = 0
    """1 is next."""
    wait_seconds: float | None = None
    """Expected time until its start."""
    over_budget: Standing | None = None
    """The budget that leaves too little for its next attempt; it has no place in the queue then."""


@dataclass(frozen=True)
class Published:
    """The attempt's result is in the store, and its files are what they should be."""

    result: JobResult
    media_url: str | None
    """Where everybody may read the media; None where the store is not public."""


@dataclass(frozen=True)
class NotPublished:
    """The store holds no result that could be used."""

    reason: Reason
    message: str


@dataclass(frozen=True)
class StoreAway:
    """The store could not be asked; it is asked again."""

    message: str


Proof = Published | NotPublished | StoreAway


@dataclass(frozen=True)
class Proved:
    """What the store says about the result of an attempt."""

    attempt: int
    proof: Proof


@dataclass(frozen=True)
class Refusal:
    """The API server did not take the attempt's Job."""

    attempt: int
    status: int
    """HTTP status of the refusal."""
    message: str
    until: datetime
    """When to try again."""

    @property
    def final(self) -> bool:
        """Whether trying again is of no use: the Job is invalid, or its name is taken; not quota or permissions."""
        return self.status in (400, 409, 413, 422)

    @property
    def reason(self) -> Reason:
        if self.status == 409:
            return Reason.JOB_NAME_TAKEN
        return Reason.JOB_REJECTED if self.final else Reason.JOB_FORBIDDEN


@dataclass(frozen=True)
class Delivery:
    """One try to deliver a webhook."""

    webhook_id: str
    number: int
    """Counts from 1 per webhook id."""
    ok: bool
    status_code: int | None = None
    error: str = ""
    permanent: bool = False
    """Whether no further try may succeed."""
    retry_after: float | None = None
    """Seconds the receiver asked to be left alone."""


@dataclass(frozen=True)
class Registration:
    """One try to put the task's media into PayloadCMS."""

    number: int
    """Counts from 1."""
    media_id: str | None = None
    """The document's id; None where the try failed."""
    reason: Reason = Reason.PAYLOAD_AWAY
    error: str = ""
    permanent: bool = False
    """Whether it will fail again until somebody changes something."""
    retry_after: float | None = None
    """Seconds PayloadCMS asked to be left alone."""


@dataclass(frozen=True)
class Context:
    """One try to ask the Brain what it adds to the task's data."""

    number: int
    """Counts from 1."""
    settled: bool = False
    """Whether the Brain has answered: with additions where there is a key."""
    key: str | None = None
    """Where the data with the additions lies in the artifact store."""
    sha256: str | None = None
    """Digest of that object."""
    added: tuple[ContextAddition, ...] = ()
    reason: Reason = Reason.BRAIN_AWAY
    error: str = ""
    """Why the try failed, or what of the answers was not used."""
    permanent: bool = False
    """Whether it will fail again until somebody changes something."""
    retry_after: float | None = None
    """Seconds the Brain asked to be left alone."""


@dataclass(frozen=True)
class Memory:
    """One try to store the task's result in the Brain."""

    number: int
    """Counts from 1."""
    stored: bool = False
    document_id: str | None = None
    reason: Reason = Reason.BRAIN_AWAY
    error: str = ""
    permanent: bool = False
    """Whether it will fail again until somebody changes something."""
    retry_after: float | None = None
    """Seconds the Brain asked to be left alone."""


@dataclass(frozen=True)
class Moderation:
    """One check of the request's texts."""

    number: int
    """Counts from 1."""
    decision: Literal["allow", "hold", "refuse"] = "allow"
    """Of the rules and, where it has answered, of the classifier."""
    rules: tuple[str, ...] = ()
    """Ids of those that apply."""
    digest: str | None = None
    """Version of the rules; None where there are none."""
    score: float | None = None
    """The classifier's."""
    error: str = ""
    """Why the classifier has not answered."""
    retry_after: float | None = None
    """Seconds it asked to be left alone."""


@dataclass(frozen=True)
class RulesInUse:
    """The platform team's rules."""

    digest: str
    """Changes with them."""
    fault: str = ""
    """Why they cannot be used."""


Outcome = Proved | Delivery | Registration | Context | Memory | Moderation
"""What an effect has found out or done."""


@dataclass(frozen=True)
class Task:
    """A MediaTask, parsed."""

    name: str
    namespace: str
    uid: str
    resource_version: str
    """The version that was read: what is written is conditional on it."""
    generation: int
    created_at: str
    spec: MediaTaskSpec
    status: MediaTaskStatus
    deleting: bool = False

    @classmethod
    def parse(cls, obj: Object) -> Task:
        """The typed form of a resource; a missing `taskData` (the cache keeps none) counts as empty.

        Raises:
            ValidationError: the API server holds a resource that its own CRD would refuse.
        """
        meta = obj["metadata"]
        return cls(
            name=meta["name"],
            namespace=meta["namespace"],
            uid=meta["uid"],
            resource_version=meta["resourceVersion"],
            generation=meta.get("generation", 1),
            created_at=meta["creationTimestamp"],
            spec=MediaTaskSpec.from_stored({"taskData": {}, **obj["spec"]}),
            status=MediaTaskStatus.from_stored(obj.get("status") or {}),
            deleting="deletionTimestamp" in meta,
        )

    @property
    def key(self) -> Key:
        return self.namespace, self.name

    @property
    def not_before(self) -> datetime | None:
        """When the task may start at the earliest; a moment that nobody can reach where it cannot be read."""
        try:
            return parse_time(self.spec.not_before) if self.spec.not_before else None
        except ValueError:
            return datetime.max.replace(tzinfo=UTC)

    @property
    def ready_at(self) -> datetime:
        """Since when the task may start: deadlines and waiting times count from then on."""
        created = parse_time(self.created_at)
        return min(max(created, self.not_before or created), created + LONGEST_SCHEDULE)

    @property
    def rank(self) -> Rank:
        return self.spec.priority, self.created_at, self.key


@dataclass(frozen=True)
class Observed:
    """Everything `decide` looks at."""

    task: Task
    task_class: TaskClass | NoClass
    jobs: tuple[Object, ...] = ()
    """All Jobs that the task owns."""
    pods: tuple[Object, ...] = ()
    """All pods of those Jobs and of the task's recorded attempts."""
    begun: Object | None = None
    """The Job that was created last, as long as the status does not speak of its attempt; it may be gone."""
    turn: Turn | None = None
    """The task's place in the admission queue; None before it was asked for."""
    data: dict[str, Any] | None = None
    """The task's `taskData`; None where it has not been read."""
    proof: Proof | None = None
    """What the store says about the open attempt's result; None before it was asked."""
    refusal: Refusal | None = None
    delivery: Delivery | None = None
    """The outcome of the last webhook try, until status has it."""
    registration: Registration | None = None
    """The outcome of the last try to register the media, until status has it."""
    context: Context | None = None
    """The outcome of the last try to ask the Brain, until status has it."""
    memory: Memory | None = None
    """The outcome of the last try to store the result in the Brain, until status has it."""
    hurried: int | None = None
    """The tries to register the media after which the next one need not wait for its time: PayloadCMS is back."""
    moderation: Moderation | None = None
    """The outcome of the last check of the request, until status has it."""
    rules: RulesInUse | None = None
    """None where the installation has none."""
    unwritable: str | None = None
    """Why the API server did not take the last status; None while it takes them."""

    @property
    def parts(self) -> tuple[Object, ...]:
        """Whatever tells of an attempt."""
        return (*self.jobs, *self.pods, *((self.begun,) if self.begun else ()))

    @cached_property
    def latest_attempt(self) -> int:
        """The task's latest attempt: on record, or known by its Job or pod before the status speaks of it."""
        return max([self.task.status.attempt or 0, *map(attempt_number, self.parts)])

    @property
    def under_way(self) -> int | None:
        """The attempt that is under way: open on record, or with a Job or pod that the status does not speak of yet."""
        status = self.task.status
        on_record = self.latest_attempt == (status.attempt or 0)
        return None if on_record and status.open_attempt is None else self.latest_attempt
