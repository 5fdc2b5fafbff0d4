"""Carries out what was decided in the cluster: Jobs, pods, the task's status, Events.

Every write is conditional on what was read (resourceVersion, UID) or idempotent by its name, so that a pass may fail
or die at any point and the next one finds its way.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from mediatask_common.kube import JOBS, PODS, TASKS, KubeError
from mediatask_common.logging import get_logger

from ..deciding.observation import Refusal, Task
from ..deciding.plan import (
    STOP_GRACE_SECONDS,
    ClusterAction,
    CreateJob,
    DeleteJob,
    DeletePod,
    PatchStatus,
    PostEvent,
)
from ..deciding.tuning import PAUSES
from ..objects import Object
from ..watching.cache import Cache
from ..watching.expectations import Expectations
from .api_writer import ApiWriter
from .events import EventPoster
from .job import JobOptions, render
from .reporter import Reporter

log = get_logger(__name__)

_REFUSALS = (400, 403, 413, 422)
_REFUSAL_MESSAGE_LIMIT = 2000


class JobRefused(Exception):
    """The API server does not take a Job. It is noted: the next pass decides what that means."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


class Executor:
    """Carries out cluster actions, and lets the cache know of the answers before any watch does."""

    def __init__(
        self,
        api: ApiWriter,
        cache: Cache,
        expectations: Expectations,
        events: EventPoster,
        reporter: Reporter,
        options: JobOptions,
        clock: Callable[[], datetime],
    ) -> None:
        self._api = api
        self._cache = cache
        self._expectations = expectations
        self._events = events
        self._reporter = reporter
        self._options = options
        self._clock = clock

    async def execute(self, task: Task, action: ClusterAction) -> None:
        """Carry out one action.

        Raises:
            JobRefused: see there.
            KubeError: the API server did not do it.
        """
        match action:
            case CreateJob():
                await self._create_job(task, action)
            case PatchStatus():
                await self._patch_status(task, action.patch)
            case DeleteJob():
                await self._api.delete(JOBS, action.name, task.namespace, action.uid, propagation="Foreground")
            case DeletePod():
                await self._api.delete(
                    PODS, action.name, task.namespace, action.uid, grace_period_seconds=STOP_GRACE_SECONDS
                )
            case PostEvent():
                self._events.post(task, action)

    async def _create_job(self, task: Task, action: CreateJob) -> None:
        body = render(
            task, action.data, action.attempt, action.task_class, self._options, action.avoid_nodes, action.previews
        )
        try:
            job = await self._api.create_owned(JOBS, body, task.namespace, owner=task.uid)
        except KubeError as error:
            if error.status not in _REFUSALS and not error.already_exists:
                raise
            until = self._clock() + PAUSES.refused
            refusal = Refusal(action.attempt, error.status, error.message[:_REFUSAL_MESSAGE_LIMIT], until)
            self._expectations.job_refused(task, refusal)
            raise JobRefused(refusal) from error
        self._cache.put_job(job)
        self._expectations.job_created(task, job)
        log.info("job created", task=task.name, attempt=action.attempt, job=body["metadata"]["name"])

    async def _patch_status(self, task: Task, patch: Object) -> None:
        try:
            written = await self._api.patch_status(TASKS, task.name, task.namespace, task.resource_version, patch)
        except KubeError as error:
            if error.not_found:
                return
            if error.status == 422:
                self._expectations.status_refused(task, error.message)
            raise
        self._cache.put_task(written)
        after = Task.parse(self._cache.get(task.key).task or written)
        self._expectations.recorded(after)
        self._reporter.status_written(task, after)
