"""Everything that is known of a task, put together for one decision.

From the cache, but for what a watch that lags behind another would get wrong, which is asked of the API server: that
a Job is gone, what the pods of a Job that is over said last, and the task as it is at the moment of its Job's creation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from mediatask_common.kube import JOBS, PODS, TASKS, Kube, KubeError
from mediatask_crds.names import LABEL_ATTEMPT, LABEL_TASK, label_value

from ..deciding.attempts import is_finished, is_settled
from ..deciding.classes import NoClass, TaskClass, resolve
from ..deciding.observation import Observed, RulesInUse, Task
from ..objects import Key, Object, attempt_number, controller_uid, job_name, made_by
from .cache import Cache, Entry
from .expectations import Expectations


class Observer:
    """Observes tasks. What it reads of the API server goes to the cache; nothing else is changed by it."""

    def __init__(
        self,
        kube: Kube,
        cache: Cache,
        expectations: Expectations,
        rules: Callable[[], RulesInUse] | None = None,
    ) -> None:
        """`rules` tells the moderation rules as they are; None where the installation has none."""
        self._kube = kube
        self._cache = cache
        self._expectations = expectations
        self._rules = rules

    async def observe(self, key: Key) -> Observed:
        """What is known of the task.

        Raises:
            LookupError: the task is gone.
            ValidationError: the API server holds a resource that its own CRD would refuse.
        """
        entry = self._cache.get(key)
        if entry.task is None:
            raise LookupError(key)
        task = Task.parse(entry.task)
        begun = self._expectations.begun(task)
        await self._confirm_end(task, entry, begun)
        seen = self._with_parts(task, entry, begun)
        known, latest = self._expectations.of(task), seen.latest_attempt
        return replace(
            seen,
            data=entry.data,
            proof=known.proved.proof if known.proved and known.proved.attempt == latest else None,
            refusal=known.refusal if known.refusal and known.refusal.attempt > latest else None,
            delivery=known.delivery,
            registration=known.registration,
            context=known.context,
            memory=known.memory,
            hurried=known.hurried,
            moderation=known.moderation,
            rules=self._rules() if self._rules is not None else None,
            unwritable=known.unwritable,
        )

    async def with_data(self, seen: Observed) -> Observed:
        """With the task's data, which the cache does not keep, and the task as it is at this moment.

        Raises:
            LookupError: the task is gone.
            ValidationError: the API server holds a resource that its own CRD would refuse.
        """
        key = seen.task.key
        obj = await self.refresh(key)
        task = Task.parse(self._cache.get(key).task or obj)
        task_class = self._class_of(task)
        return replace(seen, task=task, task_class=task_class, data=obj["spec"].get("taskData") or {})

    async def refresh(self, key: Key) -> Object:
        """The task as it is at this moment, in the cache, too. Raises LookupError when it is gone."""
        try:
            obj = await self._kube.get(TASKS, key[1], key[0])
        except KubeError as error:
            if error.not_found:
                raise LookupError(key) from error
            raise
        self._cache.put_task(obj)
        return obj

    def forget(self, key: Key) -> None:
        """The task is gone."""
        self._expectations.forget(key)

    def _with_parts(self, task: Task, entry: Entry, begun: Object | None) -> Observed:
        jobs = tuple(job for job in entry.jobs.values() if controller_uid(job) == task.uid)
        owned = {job["metadata"]["uid"] for job in jobs}
        # The next attempt's, too: its Job may have come and gone before the status spoke of it.
        names = {attempt.job_name for attempt in task.status.attempts}
        names.add(job_name(task.name, task.uid, (task.status.attempt or 0) + 1))
        pods = tuple(pod for pod in entry.pods.values() if made_by(pod, owned, names))
        return Observed(task, self._class_of(task), jobs, pods, begun)

    def _class_of(self, task: Task) -> TaskClass | NoClass:
        return resolve(task.spec, task.status, self._cache.classes, self._cache.unusable_classes)

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


def _named(entry: Entry, job_name: str) -> Object | None:
    return next((job for job in entry.jobs.values() if job["metadata"]["name"] == job_name), None)
