"""Everything that is known of a task, put together for one decision.

From the cache, but for what a watch that lags behind another would get wrong, which is asked of the API server: that
a Job is gone, what the pods of a Job that is over said last, and the task as it is at the moment of its Job's creation.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from mediatask_common.kube import JOBS, PODS, TASKS, Kube, KubeError
from mediatask_crds.names import LABEL_ATTEMPT, LABEL_TASK, label_value
from mediatask_crds.tasktypes import UnknownTaskType, task_type

from ..deciding.admission import AdmissionQueue
from ..deciding.attempts import is_finished, is_settled
from ..deciding.classes import TaskClass, resolve
from ..deciding.observation import Observed, Task, Turn
from ..objects import Key, Object, attempt_number, controller_uid, job_name, made_by
from .cache import Cache, Entry
from .expectations import Expectations

TYPICAL_SECONDS = 60.0
"""Expected run of a type that is not installed here."""


class Observer:
    """Observes tasks; in doing so a task that waits takes its place in the admission queue."""

    def __init__(self, kube: Kube, cache: Cache, admission: AdmissionQueue, notes: Expectations) -> None:
        self._kube = kube
        self._cache = cache
        self._admission = admission
        self._notes = notes

    async def observe(self, key: Key) -> tuple[Observed, dict[str, Any]]:
        """Everything that is known of the task, and its data where a Job may be about to be created.

        Raises:
            LookupError: the task is gone.
            ValidationError: the API server holds a resource that its own CRD would refuse.
        """
        entry = self._cache.get(key)
        if entry.task is None:
            raise LookupError(key)
        task = Task.parse(entry.task)
        begun = self._notes.begun(task)
        await self._confirm_end(task, entry, begun)
        seen = self._with_parts(task, entry, begun)
        data: dict[str, Any] = {}
        if _wants_job(seen):
            seen, data = await self._at_start(key, seen, entry)
        note = self._notes.of(seen.task, seen.latest_attempt)
        return replace(seen, proof=note.proof, refusal=note.refusal, delivery=note.delivery), data

    def _with_parts(self, task: Task, entry: Entry, begun: Object | None) -> Observed:
        jobs = tuple(job for job in entry.jobs.values() if controller_uid(job) == task.uid)
        owned = {job["metadata"]["uid"] for job in jobs}
        # The next attempt's, too: its Job may have come and gone before the status spoke of it.
        names = {attempt.job_name for attempt in task.status.attempts}
        names.add(job_name(task.name, task.uid, (task.status.attempt or 0) + 1))
        pods = tuple(pod for pod in entry.pods.values() if made_by(pod, owned, names))
        return Observed(task, resolve(task.spec, task.status, self._cache.classes), jobs, pods, begun)

    async def _at_start(self, key: Key, seen: Observed, entry: Entry) -> tuple[Observed, dict[str, Any]]:
        """With its turn, and whether its data is valid where that is asked now."""
        task = seen.task
        if isinstance(seen.task_class, TaskClass):
            seen = replace(seen, turn=self._turn(key, task, seen.task_class))
        if not seen.turn.admitted and task.status.phase is not None:
            return seen, {}
        data = entry.data
        if data is None:
            task, data = await self._read_again(key)
        task_class = resolve(task.spec, task.status, self._cache.classes)
        return replace(seen, task=task, task_class=task_class, data_error=_data_error(task.spec.task_type, data)), data

    def _turn(self, key: Key, task: Task, task_class: TaskClass) -> Turn:
        slots = task_class.spec.max_in_flight
        rank = (task.spec.priority, task.created_at, key)
        return self._admission.turn(key, task_class.name, rank, slots, _typical_seconds(task.spec.task_type))

    async def _confirm_end(self, task: Task, entry: Entry, begun: Object | None) -> None:
        """That an attempt's Job is gone or over is believed with what the API server knows of its pods.

        The watches of Jobs and of pods do not wait for each other. To take a Job for gone that is not, or for one
        whose pod said nothing when it did, costs a second run.
        """
        attempt = task.status.open_attempt
        if attempt is not None:
            name, number = attempt.job_name, attempt.number
        elif begun is not None:
            name, number = begun["metadata"]["name"], attempt_number(begun)
        else:
            return
        job = _named(entry, name)
        if job is None:
            try:
                self._cache.put_job(await self._kube.get(JOBS, name, task.namespace))
            except KubeError as error:
                if not error.not_found:
                    raise
            job = _named(entry, name)
        over = job is None or is_finished(job) or "deletionTimestamp" in job["metadata"]
        if over and not is_settled([pod for pod in entry.pods.values() if made_by(pod, set(), {name})]):
            ours = f"{LABEL_TASK}={label_value(task.name)},{LABEL_ATTEMPT}={number}"
            for pod in (await self._kube.list(PODS, task.namespace, labelSelector=ours))["items"]:
                self._cache.put_pod(pod)

    async def _read_again(self, key: Key) -> tuple[Task, dict[str, Any]]:
        """The task as it is now, with its data, which the cache does not keep."""
        try:
            obj = await self._kube.get(TASKS, key[1], key[0])
        except KubeError as error:
            if error.not_found:
                raise LookupError(key) from error
            raise
        self._cache.put_task(obj)
        data = obj["spec"].get("taskData") or {}
        return Task.parse(self._cache.get(key).task or obj), data


def _named(entry: Entry, job_name: str) -> Object | None:
    return next((job for job in entry.jobs.values() if job["metadata"]["name"] == job_name), None)


def _wants_job(seen: Observed) -> bool:
    """Whether the task waits for a Job of ours."""
    task = seen.task
    phase, retry = task.status.phase, task.spec.retry_request > (task.status.round or 0)
    may_run = phase is None or not phase.terminal or retry
    return may_run and seen.under_way is None and not task.spec.managed_by and not task.deleting


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
