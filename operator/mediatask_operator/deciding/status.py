"""The wording of a task's status: conditions by the Kubernetes API conventions, phase, attempts, timings. Pure.

A `Draft` starts as a copy of the status that was read; the reconcile rule tells it what is the case; `patch()` is
the difference, empty when there is nothing new to say.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from mediatask_common.times import parse_time, rfc3339, seconds_between
from mediatask_crds.task import (
    HELD_STEP,
    LONGEST_SCHEDULE,
    SCHEDULED_STEP,
    ArtifactStatus,
    Attempt,
    Condition,
    MediaTaskStatus,
    Phase,
    QueueState,
    Result,
    TaskError,
)

from ..objects import Object
from .attempts import Ended, Live
from .charges import Holding, with_attempt, with_completion
from .observation import Published, Task, Turn
from .reasons import Reason

WAITING_STEP = "waiting_in_queue"
STARTING_STEP = "starting"
DONE_STEP = "upload_complete"
ATTEMPTS_KEPT = 64
"""As many as the resource may hold; the oldest go first."""
MESSAGE_LIMIT = 2048
"""Characters of a message: as many as the resource allows for an attempt, and enough for people."""
_TERMINAL = {"Complete": Phase.COMPLETED, "Failed": Phase.FAILED, "Cancelled": Phase.CANCELLED}
_UNEVENTFUL = (Reason.POD_PENDING, Reason.POD_STARTING)


class Draft:
    """The next status of a task, in the making."""

    def __init__(self, task: Task, now: datetime) -> None:
        self.task = task
        self.now = now
        self.status = task.status.model_copy(deep=True)
        self.status.observed_generation = task.generation
        self.status.round = self.status.round or 0

    # ---- what holds

    def condition(self, kind: str) -> Condition | None:
        """The condition of a type, where there is one."""
        return next((condition for condition in self.status.conditions if condition.type == kind), None)

    def holds(self, kind: str) -> bool:
        """Whether the condition is there and True."""
        found = self.condition(kind)
        return found is not None and found.status == "True"

    @property
    def phase(self) -> Phase:
        """The one word that the conditions amount to."""
        for kind, phase in _TERMINAL.items():
            if self.holds(kind):
                return phase
        if self.holds("Held"):
            return Phase.PROCESSING
        return Phase.PROCESSING if self._at_work else Phase.QUEUED

    @property
    def _at_work(self) -> bool:
        """Whether a container runs, or has ended and its result is being read: the task is not queued again."""
        running = self.condition("Running")
        return running is not None and (running.status == "True" or running.reason == Reason.READING_RESULT)

    @property
    def starting(self) -> bool:
        """Whether the first attempt is on its uneventful way to its start; a status that says nothing says no lie."""
        running = self.condition("Running")
        return (
            self.task.status.phase is None
            and self.open_attempt is not None
            and running is not None
            and running.status == "False"
            and running.reason in _UNEVENTFUL
        )

    @property
    def open_attempt(self) -> Attempt | None:
        """The attempt whose end is not recorded yet."""
        return self.status.open_attempt

    @property
    def round_attempts(self) -> list[Attempt]:
        """The attempts of the current round."""
        return [attempt for attempt in self.status.attempts if attempt.round == self.status.round]

    @property
    def round_started(self) -> datetime:
        """When the clock of the total deadline began: at creation, or when the retry was asked for."""
        accepted = self.condition("Accepted")
        if self.status.round and accepted is not None:
            return max(parse_time(accepted.last_transition_time), self.task.ready_at)
        return self.task.ready_at if not self.status.round else max(self.now, self.task.ready_at)

    @property
    def deadline_from(self) -> datetime:
        """Since when the total deadline counts: it begins anew when the budget lets the task go, a year on at most."""
        funded = self.condition("Funded")
        if funded is None:
            return self.round_started
        moved = parse_time(funded.last_transition_time) if funded.status == "True" else self.now
        return min(max(self.round_started, moved), self.round_started + LONGEST_SCHEDULE)

    # ---- what has become the case

    def set(self, kind: str, value: bool, reason: str, message: str = "") -> None:
        """Set a condition; its transition time moves only when its status flips."""
        new = Condition(
            type=kind,
            status="True" if value else "False",
            reason=reason,
            message=_clip(message),
            last_transition_time=rfc3339(self.now),
            observed_generation=self.task.generation,
        )
        old = self.condition(kind)
        if old is None:
            self.status.conditions.append(new)
            return
        if old.status == new.status:
            new.last_transition_time = old.last_transition_time
        self.status.conditions[self.status.conditions.index(old)] = new

    def drop(self, kind: str) -> None:
        """Say nothing of a condition any more."""
        self.status.conditions = [condition for condition in self.status.conditions if condition.type != kind]

    def accept(self) -> None:
        """The request is valid and a class serves it."""
        self.set("Accepted", True, Reason.ACCEPTED, Reason.ACCEPTED.sentence)
        self.drop("Stalled")

    def not_accepted(self, reason: Reason, message: str) -> None:
        """Nothing can be done for the task as things are; it stays queued."""
        self.set("Accepted", False, reason, message)
        self.set("Reconciling", True, reason, message)
        self.set("Stalled", True, reason, message)
        self.status.queue = None
        self._wait_at_start()

    def waiting(self, reason: Reason, message: str = "") -> None:
        """No Job of the task is at work, and for this reason."""
        self.set("JobCreated", False, reason, message)
        if self.condition("Running") is not None:
            self.set("Running", False, reason, message)
        self.set("Reconciling", True, reason, message)
        self.status.queue = None
        self._wait_at_start()

    def over_budget(self, message: str) -> None:
        """The project has no money for the task."""
        self.waiting(Reason.BUDGET_EXCEEDED, message)
        self.set("Funded", False, Reason.BUDGET_EXCEEDED, message)

    def funded(self) -> None:
        """The project has money for the task; worth a word only where it had none."""
        if self.condition("Funded") is not None:
            self.set("Funded", True, Reason.FUNDED, Reason.FUNDED.sentence)

    def scheduled(self, start: datetime) -> None:
        """Waiting for the time at which the task may start."""
        self.waiting(Reason.SCHEDULED, f"Starts at {rfc3339(start)} at the earliest.")
        self.status.current_step = SCHEDULED_STEP

    def stopping(self, reason: Reason) -> None:
        """What runs of the task is being stopped."""
        # What a user cancels goes on until it has been stopped: the task is not queued again in between.
        still_running = reason is Reason.CANCELLING and self.holds("Running")
        self.set("Running", still_running, reason, reason.sentence)
        self.set("Reconciling", True, reason, reason.sentence)
        self.status.queue = None

    def queued(self, turn: Turn) -> None:
        """Waiting for a slot of the class; the expected start moves only together with the position."""
        before = self.status.queue
        self.waiting(Reason.QUEUED, Reason.QUEUED.sentence)
        if before is not None and before.position == turn.position:
            self.status.queue = before
            return
        start = None if turn.wait_seconds is None else self.now + timedelta(seconds=turn.wait_seconds)
        self.status.queue = QueueState(
            position=turn.position, estimated_start=None if start is None else rfc3339(start)
        )

    def begin_attempt(
        self, number: int, job_name: str, class_name: str, holds: Holding = Holding(), job_created: str | None = None
    ) -> None:
        """The attempt's Job is being created, or was at the time `job_created`; progress starts anew."""
        self.status.attempt = number
        self.status.class_name = class_name
        record = Attempt(
            number=number,
            round=self.status.round or 0,
            job_name=job_name,
            gpus=holds.gpus or None,
            cpu_millis=holds.cpu_millis or None,
            rate=holds.rate,
        )
        self.status.attempts = [*self.status.attempts, record][-ATTEMPTS_KEPT:]
        self.status.queue = None
        self.status.progress = 0.0
        self.status.current_step = WAITING_STEP
        if number == 1:
            begun = parse_time(job_created) if job_created else self.now
            waited = (begun - self.task.ready_at).total_seconds()
            self.status.timings = {"queued": _seconds(waited)}
        self.set("JobCreated", True, Reason.JOB_CREATED, f"Job {job_name}")
        self.set("Running", False, Reason.POD_PENDING, Reason.POD_PENDING.sentence)
        self.set("Reconciling", True, Reason.JOB_CREATED, f"Job {job_name}")

    def follow(self, live: Live, job_created: str | None) -> None:
        """Where the open attempt is. Uneventful steps of a start are not worth a write each."""
        attempt = self.open_attempt
        running = self.condition("Running")
        if attempt is None:
            return
        if not live.running:
            known = None if running is None or running.status == "True" else running.reason
            if known == live.reason or {known, live.reason} <= set(_UNEVENTFUL):
                return
        attempt.pod_name, attempt.node = live.pod_name, live.node
        message = live.message or live.reason.sentence
        self.set("Running", live.running, live.reason, message)
        self.set("Reconciling", True, live.reason, message)
        if live.running:
            attempt.started_at = live.started_at
            self._started(live.scheduled_at, live.started_at, job_created)
            if self.status.current_step == WAITING_STEP:
                self.status.current_step = STARTING_STEP

    def reading_result(self, message: str) -> None:
        """The container has ended, and the store does not answer."""
        self.set("Running", False, Reason.READING_RESULT, message)
        self.set("Reconciling", True, Reason.READING_RESULT, message)

    def end_attempt(self, ended: Ended, job_created: str | None = None) -> None:
        """Record how the open attempt ended."""
        attempt = self.open_attempt
        if attempt is None:
            return
        attempt.reason = ended.reason
        attempt.message = _clip(ended.message) or None
        attempt.exit_code = ended.exit_code
        if not ended.success:
            attempt.counts = ended.counts
            attempt.retryable = ended.retryable
        attempt.pod_name = ended.pod_name or attempt.pod_name
        attempt.node = ended.node or attempt.node
        attempt.started_at = ended.started_at or attempt.started_at
        attempt.ended_at = ended.ended_at or rfc3339(self.now)
        if attempt.started_at:
            self._started(ended.scheduled_at, attempt.started_at, job_created)
        self.status.cost = with_attempt(self.status.cost, attempt)
        if ended.reason != Reason.CANCELLED:  # else it runs until it has been stopped
            self.set("Running", False, ended.reason, ended.message or Reason.SUCCEEDED.sentence)

    def complete(self, published: Published) -> None:
        """The media is there."""
        self._take(published)
        self._completed()

    def hold(self, published: Published, reason: Reason, message: str) -> None:
        """The media is there, and nobody but reviewers may see it yet."""
        self._take(published)
        self.status.current_step = HELD_STEP
        self.set("Held", True, reason, message)
        self.set("Reconciling", True, reason, message)

    def release(self, message: str) -> None:
        """A reviewer has released the media."""
        self.set("Held", False, Reason.RELEASED, message)
        self._completed()

    def _take(self, published: Published) -> None:
        result = published.result
        self.status.result = Result(
            media_url=published.media_url,
            artifacts=[ArtifactStatus(**artifact.model_dump()) for artifact in result.artifacts],
            metadata={**result.metadata, **self._context_facts()},
        )
        stages = {name: _seconds(value) for name, value in result.timings.items()}
        self.status.timings = {**self.status.timings, **stages}
        self.status.progress = 1.0

    def _completed(self) -> None:
        last = self.status.attempts[-1] if self.status.attempts else None
        self.status.cost = with_completion(self.status.cost, last)
        self.status.current_step = DONE_STEP
        self._end("Complete", Reason.COMPLETED, Reason.COMPLETED.sentence)

    def fail(self, reason: str, message: str, *, retryable: bool) -> None:
        """The task is given up; `retryable` says whether asking for another round may help."""
        self._take_back(reason, message)
        self.status.error = TaskError(code=reason, message=_clip(message or reason), retryable=retryable)
        self._end("Failed", reason, message)
        self.set("Stalled", True, reason, message)

    def cancelled(self) -> None:
        """Nothing of the cancelled task runs any more."""
        self._take_back(Reason.CANCELLED, Reason.CANCELLED.sentence)
        self._end("Cancelled", Reason.CANCELLED, Reason.CANCELLED.sentence)

    def begin_round(self) -> None:
        """Queued again, on request; the attempts so far stay on record and go on counting."""
        old = self.status
        self.status = MediaTaskStatus(
            observed_generation=old.observed_generation,
            round=self.task.spec.retry_request,
            attempt=old.attempt,
            attempts=old.attempts,
            cost=old.cost,
        )
        reviewed = old.moderation.review if old.moderation is not None else None
        if reviewed is not None and reviewed.decision == "reject":  # the media would be the same
            self.status.moderation = old.moderation
        if old.context is not None and old.context.decided_at:  # what it runs with is settled for good
            self.status.context = old.context
            self.status.conditions = [one for one in old.conditions if one.type == "ContextReady"]
        self.set("Accepted", True, Reason.RETRY_REQUESTED, Reason.RETRY_REQUESTED.sentence)
        self._wait_at_start()

    # ---- the outcome

    def patch(self) -> Object:
        """The JSON merge patch from the status that was read to this one; empty when they are equal."""
        self.status.phase = self.phase
        return merge_patch(_dump(self.task.status), _dump(self.status))

    # ---- helpers

    def _context_facts(self) -> dict[str, Any]:
        """What of the Brain is in the result, without its texts."""
        added = self.status.context.added if self.status.context else []
        facts = [one.model_dump(include={"field", "sha256", "sources"}) for one in added]
        return {"context": facts} if facts else {}

    def _take_back(self, reason: str, message: str) -> None:
        """Held media is not to be had any more."""
        self.status.result = None
        if self.holds("Held"):
            self.set("Held", False, reason, message)

    def _wait_at_start(self) -> None:
        if self.status.progress is None:
            self.status.progress = 0.0
        self.status.current_step = WAITING_STEP

    def _started(self, scheduled: str | None, started: str | None, job_created: str | None) -> None:
        self.status.started_at = self.status.started_at or started
        steps = {"scheduled": (job_created, scheduled), "image": (scheduled, started)}
        for stage, (begin, end) in steps.items():
            took = seconds_between(begin, end)
            if took is not None:
                self.status.timings = {**self.status.timings, stage: _seconds(took)}

    def _end(self, kind: str, reason: str, message: str) -> None:
        self.status.queue = None
        self.status.completed_at = rfc3339(self.now)
        took = (self.now - self.round_started).total_seconds()
        self.status.timings = {**self.status.timings, "total": _seconds(took)}
        self.drop("Stalled")
        if self._at_work:
            self.set("Running", False, reason, message)
        self.set(kind, True, reason, message)
        self.set("Reconciling", False, reason, message)


def merge_patch(old: Object, new: Object) -> Object:
    """The JSON merge patch (RFC 7396) that turns `old` into `new`."""
    patch: Object = {key: None for key in old if key not in new}
    for key, value in new.items():
        if key not in old:
            patch[key] = value
        elif isinstance(value, dict) and isinstance(old[key], dict):
            inner = merge_patch(old[key], value)
            if inner:
                patch[key] = inner
        elif value != old[key]:
            patch[key] = value
    return patch


def _dump(status: MediaTaskStatus) -> dict[str, Any]:
    return status.model_dump(by_alias=True, exclude_none=True, mode="json")


def _clip(text: str) -> str:
    return text if len(text) <= MESSAGE_LIMIT else text[: MESSAGE_LIMIT - 1] + "…"


def _seconds(value: float) -> float:
    return round(max(value, 0.0), 3)
