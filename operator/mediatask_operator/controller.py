"""The loop around the rule: observe a task, decide, act; for every key that needs it, one worker at a time.

Nothing is decided here. Every write is conditional on what was read (resourceVersion, UID) or is idempotent by its
name, so that a worker may fail or die at any point and the next pass finds its way.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from mediatask_common.kube import JOBS, PODS, TASKS, Kube, KubeError
from mediatask_common.logging import get_logger
from mediatask_common.store import ArtifactStore
from mediatask_common.times import seconds_between
from mediatask_crds.names import LABEL_CLASS
from mediatask_crds.task import Attempt
from mediatask_crds.tasktypes import UnknownTaskType, task_type

from .admission import AdmissionQueue, Key, Rank
from .cache import Cache, Entry
from .classes import TaskClass, resolve
from .effects.pool import EffectPool
from .effects.result import prove
from .effects.webhook import WebhookSender
from .events import EventPoster
from .job import JobOptions, job_name, render
from .leftovers import attempt_number
from .metrics import Metrics, known_reason
from .notes import Notes
from .observe import Object, Observed, Refusal, Task, Turn
from .plan import (
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
from .reconcile import decide
from .view import ViewWriter
from .workqueue import TokenBucket, WorkQueue

log = get_logger(__name__)

TYPICAL_SECONDS = 60.0
"""Expected run of a type that is not installed here."""


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
    view: ViewWriter | None
    """None where no Redis is configured."""
    status_delay_seconds: float
    """How long the news of a created Job waits for the news that its pod runs."""
    clock: Callable[[], datetime]


class Controller:
    """Reconciles tasks."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._notes = Notes()
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
        entry = self._parts.cache.get(key)
        if entry.task is None:
            self._forget(key)
            return
        try:
            task = Task.parse(entry.task)
            seen, data = await self._observe(key, task, entry)
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
        self._parts.cache.forget_gone_pods(key, _under_way(seen.task, seen.parts))

    # ---- observe

    async def _observe(self, key: Key, task: Task, entry: Entry) -> tuple[Observed, dict[str, Any]]:
        """Everything that is known of the task, and its data where a Job may be about to be created.

        Raises:
            LookupError: the task is gone.
        """
        cache = self._parts.cache
        phase = task.status.phase
        open_attempt = _open_attempt(task)
        if open_attempt is not None:
            await self._confirm_absence(task, entry, open_attempt.job_name)
        jobs = tuple(job for job in entry.jobs.values() if _controller_uid(job) == task.uid)
        owned = {job["metadata"]["uid"] for job in jobs}
        # The next attempt's, too: its Job may have come and gone before the status spoke of it.
        names = {attempt.job_name for attempt in task.status.attempts}
        names.add(job_name(task.name, task.uid, (task.status.attempt or 0) + 1))
        pods = tuple(pod for pod in entry.pods.values() if _belongs(pod, owned, names))
        idle = _under_way(task, (*jobs, *pods)) is None
        wants_job = idle and (phase is None or not phase.terminal or _retry_wanted(task))
        task_class = resolve(task.spec, task.status, cache.classes)
        turn, data_error = Turn(admitted=False), None
        data: dict[str, Any] = {}
        if wants_job and not task.spec.managed_by and not task.deleting:
            if isinstance(task_class, TaskClass):
                turn = self._turn(key, task, task_class)
            if turn.admitted or phase is None:
                if entry.data is not None:
                    data = entry.data
                else:
                    task, data = await self._read_again(key)
                data_error = _data_error(task.spec.task_type, data)
                task_class = resolve(task.spec, task.status, cache.classes)
        note = self._notes.of(task, _latest_attempt(task, (*jobs, *pods)))
        seen = Observed(
            task=task,
            task_class=task_class,
            jobs=jobs,
            pods=pods,
            turn=turn,
            data_error=data_error,
            proof=note.proof,
            refusal=note.refusal,
            delivery=note.delivery,
        )
        return seen, data

    async def _confirm_absence(self, task: Task, entry: Entry, name: str) -> None:
        """That a Job is gone is asked of the API server before it is believed: a wrong answer costs a second run."""
        if any(job["metadata"]["name"] == name for job in entry.jobs.values()):
            return
        try:
            self._parts.cache.put_job(await self._parts.kube.get(JOBS, name, task.namespace))
        except KubeError as error:
            if not error.not_found:
                raise

    async def _read_again(self, key: Key) -> tuple[Task, dict[str, Any]]:
        """The task as it is now, with its data, which the cache does not keep."""
        try:
            obj = await self._parts.kube.get(TASKS, key[1], key[0])
        except KubeError as error:
            if error.not_found:
                raise LookupError(key) from error
            raise
        self._parts.cache.put_task(obj)
        data = obj["spec"].get("taskData") or {}
        return Task.parse(self._parts.cache.get(key).task or obj), data

    def _turn(self, key: Key, task: Task, task_class: TaskClass) -> Turn:
        slots = task_class.spec.max_in_flight
        rank = (task.spec.priority, task.created_at, key)
        return self._parts.admission.turn(key, task_class.name, rank, slots, _typical_seconds(task.spec.task_type))

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
                if _controller_uid(job) != task.uid:
                    raise
            elif error.status in (400, 403, 413, 422):
                note = self._notes.of(task, _latest_attempt(task, seen.parts))
                note.refusal = Refusal(action.attempt, error.status, error.message[:2000], self._parts.clock())
                self._parts.queue.add((task.namespace, task.name))
                raise _Refused from error
            else:
                raise
        self._parts.cache.put_job(job)
        log.info("job created", task=task.name, attempt=action.attempt, job=body["metadata"]["name"])

    def _postponed(self, seen: Observed) -> bool:
        """Whether news that may wait still does; if so, the task is looked at again when it may not any longer."""
        task, now = seen.task, self._parts.clock()
        note = self._notes.of(task, _latest_attempt(task, seen.parts))
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
        self._notes.of(task, _latest_attempt(task, seen.parts)).untold_since = None
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


def _open_attempt(task: Task) -> Attempt | None:
    """The attempt on record whose end is not."""
    last = task.status.attempts[-1] if task.status.attempts else None
    return last if last is not None and last.ended_at is None else None


def _latest_attempt(task: Task, parts: Iterable[Object]) -> int:
    """The task's latest attempt: on record, or known by its Job or pod before the status speaks of it."""
    return max([task.status.attempt or 0, *map(attempt_number, parts)])


def _under_way(task: Task, parts: Iterable[Object]) -> int | None:
    """The attempt that is under way: open on record, or with a Job or pod that the status does not speak of yet."""
    latest = _latest_attempt(task, parts)
    return latest if latest > (task.status.attempt or 0) or _open_attempt(task) is not None else None


def _class_at_work(entry: Entry) -> str | None:
    """The class of the attempt that is under way, from the resources as they were listed."""
    status = (entry.task or {}).get("status") or {}
    attempts = status.get("attempts") or []
    if attempts and "endedAt" not in attempts[-1]:
        return str(status.get("className", ""))
    untold = [job for job in entry.jobs.values() if attempt_number(job) > (status.get("attempt") or 0)]
    return next((str(job["metadata"]["labels"].get(LABEL_CLASS, "")) for job in untold), None)


def _retry_wanted(task: Task) -> bool:
    return task.spec.retry_request > (task.status.round or 0)


def _data_error(type_name: str, data: dict[str, Any]) -> str | None:
    """Why the request is not valid for its type; the API server's own schema cannot say everything."""
    try:
        task_type(type_name).model_validate(data)
    except UnknownTaskType as error:
        return str(error)
    except ValidationError as error:
        problems = (f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()[:10])
        return "; ".join(problems)
    return None


def _typical_seconds(type_name: str) -> float:
    try:
        return task_type(type_name).typical_seconds
    except UnknownTaskType:
        return TYPICAL_SECONDS


def _controller_uid(obj: Object) -> str | None:
    owners = obj["metadata"].get("ownerReferences") or []
    return next((owner["uid"] for owner in owners if owner.get("controller")), None)


def _belongs(pod: Object, job_uids: set[str], job_names: set[str]) -> bool:
    """Whether the pod is one of these Jobs', or of a recorded attempt whose Job is gone."""
    owners = pod["metadata"].get("ownerReferences") or []
    return any(
        owner.get("kind") == "Job" and (owner["uid"] in job_uids or owner["name"] in job_names) for owner in owners
    )
