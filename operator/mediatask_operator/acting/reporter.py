"""What is told, beside the status itself, once a status is written: the Redis view, the log and the metrics."""

from __future__ import annotations

from typing import Any, get_args

from mediatask_common import money
from mediatask_common.eventpositions import of_phase
from mediatask_common.logging import get_logger
from mediatask_common.times import seconds_between
from mediatask_crds.podcontract import Stage
from mediatask_crds.task import Phase

from ..deciding.admission import AdmissionQueue
from ..deciding.observation import Task
from ..metrics import Metrics, known_reason
from .redis_writer import RedisWriter

log = get_logger(__name__)

_STAGES = frozenset(("queued", "scheduled", "image", *get_args(Stage), "total"))


class Reporter:
    """Reports what has changed from one status to the next."""

    def __init__(self, view: RedisWriter | None, metrics: Metrics, admission: AdmissionQueue) -> None:
        """A reporter; `view` is None where no Redis is configured."""
        self._view = view
        self._metrics = metrics
        self._admission = admission

    def status_written(self, before: Task, after: Task) -> None:
        """A status has been written."""
        status = after.status
        if self._view is not None:
            self._view.mark(after.key)
        self._count_attempts(before, after)
        self._count_charge(before, after)
        if before.status.phase == status.phase or status.phase is None:
            return
        if self._view is not None:
            kind = "started" if status.phase is Phase.PROCESSING else str(status.phase)
            self._view.tell(after.key, kind, _told(after))
        log.info("task", task=after.name, phase=str(status.phase), attempt=status.attempt)
        if status.phase.terminal:
            self._measure(after)

    def _count_attempts(self, before: Task, after: Task) -> None:
        ended_before = sum(attempt.ended_at is not None for attempt in before.status.attempts)
        for attempt in after.status.attempts[ended_before:]:
            if attempt.ended_at is not None:
                labels = (after.status.class_name or "", known_reason(attempt.reason))
                self._metrics.attempts.labels(*labels).inc()

    def _count_charge(self, before: Task, after: Task) -> None:
        then, now = before.status.cost, after.status.cost
        if now is None or now.currency is None:
            return
        amount = money.micros(now.amount) - (money.micros(then.amount) if then is not None else 0)
        if amount > 0:
            labels = after.spec.task_type, after.status.class_name or "", now.currency
            self._metrics.charged.labels(*labels).inc(amount / money.MICRO)

    def _measure(self, task: Task) -> None:
        status, metrics = task.status, self._metrics
        reason = status.error.code if status.error is not None else str(status.phase).capitalize()
        metrics.finished.labels(task.spec.task_type, str(status.phase), known_reason(reason)).inc()
        for stage, seconds in status.timings.items():
            if stage in _STAGES:
                metrics.stage_seconds.labels(task.spec.task_type, stage).observe(seconds)
        last = status.attempts[-1] if status.attempts else None
        took = seconds_between(last.started_at, last.ended_at) if last else None
        if took is not None and status.phase is Phase.COMPLETED:
            started = status.timings.get("scheduled", 0) + status.timings.get("image", 0)
            self._admission.measured(status.class_name or "", took + started)


def _told(task: Task) -> dict[str, Any]:
    """What the task's event stream keeps of the change, for readers who were away meanwhile."""
    status = task.status
    assert status.phase is not None
    attempt, is_open = status.attempt or 0, status.open_attempt is not None
    position = of_phase(status.phase, status.round or 0, attempt, attempt_open=is_open)
    return {
        "uid": task.uid[:8],
        "project": task.spec.project_id,
        "status": status.phase,
        "attempt": attempt,
        "position": list(position),
    }
