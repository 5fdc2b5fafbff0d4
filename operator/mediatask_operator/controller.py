"""The loop around the rule: observe a task, decide, act; for every key that needs it, one worker at a time.

Nothing is decided here. Every write is conditional on what was read (resourceVersion, UID) or is idempotent by its
name, so that a worker may fail or die at any point and the next pass finds its way.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from mediatask_common.kube import JOBS, PODS, TASKS, Kube, KubeError
from mediatask_common.logging import get_logger
from mediatask_common.store import ArtifactStore
from mediatask_common.times import seconds_between
from mediatask_crds.names import LABEL_CLASS

from .acting.events import EventPoster
from .acting.job import JobOptions, render
from .acting.redis_writer import RedisWriter
from .deciding.admission import AdmissionQueue, Rank
from .deciding.classes import TaskClass
from .deciding.observation import Observed, Refusal, Task
from .deciding.plan import (
    STOP_GRACE_SECONDS,
    Action,
    CreateJob,
    DeleteJob,
    DeletePod,
    PatchStatus,
    Plan,
    ReadResult,
    RequeueAfter,
    SendWebhook,
    Slot,
    Tell,
)
from .deciding.reconcile import decide
from .effects.pool import EffectPool
from .effects.result import prove
from .effects.webhook import WebhookSender
from .metrics import Metrics, known_reason
from .objects import Key, Object, attempt_number, controller_uid
from .watching.cache import Cache, Entry
from .watching.expectations import Expectations
from .watching.observer import Observer
from .workqueue import TokenBucket, WorkQueue

log = get_logger(__name__)


class _Refused(Exception):
    """The pass ends here: a Job was refused, and the next pass decides what that means."""


@dataclass(frozen=True)
class Parts:
    """What a controller works with."""

    kube: Kube
    cache: Cache
    queue: WorkQueue[Key]
    admission: AdmissionQueue
    store: ArtifactStore
    webhooks: WebhookSender
    effects: EffectPool
    events: EventPoster
    metrics: Metrics
    writes: TokenBucket
    options: JobOptions
    view: RedisWriter | None
    """None where no Redis is configured."""
    status_delay_seconds: float
    """How long the news of a created Job waits for the news that its pod runs."""
    clock: Callable[[], datetime]


class Controller:
    """Reconciles tasks."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._notes = Expectations()
        self._observer = Observer(parts.kube, parts.cache, parts.admission, self._notes)
        self.last_pass = time.monotonic()
        """When a worker last finished a pass, by the monotonic clock."""

    def resume(self) -> None:
        """Before the first pass: slots are held by those who have them, then everything is looked at."""
        for entry in self._parts.cache.entries.values():
            class_name = _class_at_work(entry)
            if entry.task is not None and class_name is not None:
                task_key, rank = _rank(entry.task)
                self._parts.admission.settle(task_key, class_name, rank, Slot.HOLD)
        for obj in self._parts.cache.tasks():
            self._parts.queue.add(_rank(obj)[0])

    def class_changed(self) -> None:
        """A class came, went or changed: whoever waits for one may have an answer now."""
        for obj in self._parts.cache.tasks():
            phase = (obj.get("status") or {}).get("phase", "queued")
            if phase == "queued":
                self._parts.queue.add(_rank(obj)[0])

    async def run(self, workers: int) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(self._work())

    async def _work(self) -> None:
        queue, metrics = self._parts.queue, self._parts.metrics
        while True:
            key = await queue.get()
            try:
                with metrics.reconcile_seconds.time():
                    await self.reconcile(key)
                queue.succeeded(key)
            except KubeError as error:
                metrics.reconcile_errors.labels("conflict" if error.conflict else "kubernetes").inc()
                pause = queue.add_failed(key)
                if not error.conflict:
                    log.warning("reconcile failed", task="/".join(key), error=str(error), again_in=round(pause, 2))
            except Exception:
                metrics.reconcile_errors.labels("unexpected").inc()
                log.exception("reconcile failed", task="/".join(key), again_in=round(queue.add_failed(key), 2))
            finally:
                queue.done(key)
                self.last_pass = time.monotonic()

    async def reconcile(self, key: Key) -> None:
        """One pass over one task."""
        if self._parts.cache.get(key).task is None:
            self._forget(key)
            return
        try:
            seen, data = await self._observer.observe(key)
        except ValidationError as error:
            log.error("resource is not valid, left alone", task="/".join(key), error=str(error))
            return
        except LookupError:
            return
        plan = decide(seen, self._parts.clock())
        try:
            for action in plan.actions:
                await self._act(action, seen, data)
        except _Refused:
            return
        self._settle(seen, plan)
        self._parts.cache.forget_gone_pods(key, seen.under_way)

    # ---- act

    async def _act(self, action: Action, seen: Observed, data: dict[str, Any]) -> None:
        match action:
            case CreateJob():
                await self._create_job(action, seen, data)
            case PatchStatus():
                if not (action.may_wait and self._postponed(seen)):
                    await self._patch_status(action.patch, seen)
            case DeleteJob() | DeletePod():
                await self._delete(action, seen.task.namespace)
            case ReadResult():
                self._read_result(action, seen.task)
            case SendWebhook():
                self._send_webhook(action, seen.task)
            case Tell():
                self._parts.events.post(seen.task, action)
            case RequeueAfter():
                self._parts.queue.add_after((seen.task.namespace, seen.task.name), action.seconds)

    async def _create_job(self, action: CreateJob, seen: Observed, data: dict[str, Any]) -> None:
        task, kube = seen.task, self._parts.kube
        body = render(task, data, action.attempt, action.task_class, self._parts.options, action.avoid_nodes)
        try:
            job = await self._write("create", "jobs", kube.create(JOBS, body, task.namespace))
        except KubeError as error:
            if error.already_exists:
                job = await kube.get(JOBS, body["metadata"]["name"], task.namespace)
                if controller_uid(job) != task.uid:
                    raise
            elif error.status in (400, 403, 413, 422):
                note = self._notes.of(seen.task, seen.latest_attempt)
                note.refusal = Refusal(action.attempt, error.status, error.message[:2000], self._parts.clock())
                self._parts.queue.add((task.namespace, task.name))
                raise _Refused from error
            else:
                raise
        self._parts.cache.put_job(job)
        self._notes.job_created(task, job)
        log.info("job created", task=task.name, attempt=action.attempt, job=body["metadata"]["name"])

    def _postponed(self, seen: Observed) -> bool:
        """Whether news that may wait still does; if so, the task is looked at again when it may not any longer."""
        task, now = seen.task, self._parts.clock()
        note = self._notes.of(seen.task, seen.latest_attempt)
        note.untold_since = note.untold_since or now
        left = self._parts.status_delay_seconds - (now - note.untold_since).total_seconds()
        if left <= 0:
            return False
        self._parts.queue.add_after((task.namespace, task.name), left)
        return True

    async def _patch_status(self, patch: Object, seen: Observed) -> None:
        task = seen.task
        key = (task.namespace, task.name)
        body = {"metadata": {"resourceVersion": task.resource_version}, "status": patch}
        write = self._parts.kube.patch(TASKS, task.name, body, task.namespace, subresource="status")
        try:
            written = await self._write("patch", "mediatasks/status", write)
        except KubeError as error:
            if error.not_found:
                return
            raise
        self._parts.cache.put_task(written)
        self._notes.of(seen.task, seen.latest_attempt).untold_since = None
        after = Task.parse(self._parts.cache.get(key).task or written)
        self._report(task, after)

    async def _delete(self, action: DeleteJob | DeletePod, namespace: str) -> None:
        kube = self._parts.kube
        if isinstance(action, DeleteJob):
            plural = "jobs"
            delete = kube.delete(JOBS, action.name, namespace, uid=action.uid, propagation="Foreground")
        else:
            plural = "pods"
            delete = kube.delete(PODS, action.name, namespace, uid=action.uid, grace_period_seconds=STOP_GRACE_SECONDS)
        try:
            await self._write("delete", plural, delete)
        except KubeError as error:
            if not error.not_found and error.status != 409:  # 409: another object of that name by now
                raise

    async def _write(self, verb: str, resource: str, request: Any) -> Object:
        await self._parts.writes.take()
        count = self._parts.metrics.api_writes
        try:
            answer: Object = await request
        except KubeError as error:
            count.labels(verb, resource, str(error.status)).inc()
            raise
        count.labels(verb, resource, "200").inc()
        return answer

    def _read_result(self, action: ReadResult, task: Task) -> None:
        async def effect() -> None:
            proof = await prove(self._parts.store, task, action.ended)
            self._notes.of(task, action.attempt).proof = proof
            self._parts.queue.add((task.namespace, task.name))

        self._parts.effects.submit(f"result/{task.uid}/{action.attempt}", effect, action.after_seconds)

    def _send_webhook(self, action: SendWebhook, task: Task) -> None:
        key = (task.namespace, task.name)

        async def effect() -> None:
            cached = self._parts.cache.get(key).task
            now = Task.parse(cached) if cached is not None and cached["metadata"]["uid"] == task.uid else None
            if now is None or now.status.callback is None or now.status.callback.id != action.webhook_id:
                return  # the task is gone, or has gone on to tell something newer
            delivery = await self._parts.webhooks.deliver(now, action.webhook_id, action.number)
            self._parts.metrics.webhooks.labels("delivered" if delivery.ok else "failed").inc()
            log.info("webhook", task=task.name, number=action.number, ok=delivery.ok, error=delivery.error)
            self._notes.of(now, now.status.attempt or 0).delivery = delivery
            self._parts.queue.add(key)

        self._parts.effects.submit(f"webhook/{task.uid}/{action.number}", effect)

    # ---- after a pass

    def _settle(self, seen: Observed, plan: Plan) -> None:
        """Tell the admission queue what the task wants now, and wake those whose turn that makes it."""
        task, admission = seen.task, self._parts.admission
        key = (task.namespace, task.name)
        stood_in = admission.class_of(key)
        name = seen.task_class.name if isinstance(seen.task_class, TaskClass) else task.status.class_name or ""
        freed = admission.settle(key, name, (task.spec.priority, task.created_at, key), plan.slot)
        if freed and stood_in is not None:
            self._wake(stood_in)

    def _wake(self, class_name: str) -> None:
        found = self._parts.cache.classes.get(class_name)
        if found is not None:
            for key in self._parts.admission.next_up(class_name, found.max_in_flight):
                self._parts.queue.add(key)

    def _forget(self, key: Key) -> None:
        self._notes.forget(key)
        class_name = self._parts.admission.class_of(key)
        if self._parts.admission.leave(key) and class_name is not None:
            self._wake(class_name)

    def _report(self, before: Task, after: Task) -> None:
        """A status has been written: tell the view, the stream and the metrics what is new."""
        key, view = (after.namespace, after.name), self._parts.view
        if view is not None:
            view.mark(key)
        metrics, status = self._parts.metrics, after.status
        ended_before = sum(attempt.ended_at is not None for attempt in before.status.attempts)
        for attempt in status.attempts[ended_before:]:
            if attempt.ended_at is not None:
                metrics.attempts.labels(status.class_name or "", known_reason(attempt.reason)).inc()
        if before.status.phase == status.phase or status.phase is None:
            return
        kind = "started" if status.phase == "processing" else str(status.phase)
        if view is not None:
            view.tell(key, kind, {"status": status.phase, "attempt": status.attempt})
        log.info("task", task=after.name, phase=str(status.phase), attempt=status.attempt)
        if status.phase.terminal:
            self._measure(after)

    def _measure(self, task: Task) -> None:
        status, metrics = task.status, self._parts.metrics
        reason = status.error.code if status.error is not None else str(status.phase).capitalize()
        metrics.finished.labels(task.spec.task_type, str(status.phase), known_reason(reason)).inc()
        for stage, seconds in status.timings.items():
            if stage in _STAGES:
                metrics.stage_seconds.labels(task.spec.task_type, stage).observe(seconds)
        last = status.attempts[-1] if status.attempts else None
        took = seconds_between(last.started_at, last.ended_at) if last else None
        if took is not None and status.phase == "completed":
            started = status.timings.get("scheduled", 0) + status.timings.get("image", 0)
            self._parts.admission.measured(status.class_name or "", took + started)


_STAGES = frozenset(("queued", "scheduled", "image", "inputs", "model", "load", "infer", "encode", "upload", "total"))


def _rank(obj: Object) -> tuple[Key, Rank]:
    meta = obj["metadata"]
    key = (meta["namespace"], meta["name"])
    return key, (obj["spec"].get("priority", 5), meta["creationTimestamp"], key)


def _class_at_work(entry: Entry) -> str | None:
    """The class of the attempt that is under way, from the resources as they were listed."""
    status = (entry.task or {}).get("status") or {}
    attempts = status.get("attempts") or []
    if attempts and "endedAt" not in attempts[-1]:
        return str(status.get("className", ""))
    untold = [job for job in entry.jobs.values() if attempt_number(job) > (status.get("attempt") or 0)]
    return next((str(job["metadata"]["labels"].get(LABEL_CLASS, "")) for job in untold), None)
