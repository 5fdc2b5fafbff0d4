"""What submit, status, list, cancel and retry mean."""

from __future__ import annotations

import asyncio
import math
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from mediatask_common.kube import TASKS, Kube, KubeError, Object
from mediatask_common.store import ArtifactStore
from mediatask_common.times import rfc3339, utcnow
from mediatask_crds.names import ANNOTATION_SUBMITTED_BY, API_VERSION
from mediatask_crds.task import Phase

from ..auth.access import check_project, project_not_allowed
from ..auth.principal import Principal
from ..http.drain import Drain
from ..http.errors import ApiError
from ..uploads.references import References
from . import resource as rest
from .reading.budgets import Budgets
from .reading.cursor import Cursor
from .reading.estimates import Estimates
from .reading.reader import Filter, TaskReader
from .refusals import (
    no_media,
    not_your_task,
    task_finished,
    task_not_completed,
    task_not_found,
    task_not_queued,
    task_not_retryable,
)
from .schemas import EstimateAnswer, TaskAnswer, TaskPage
from .submitting import idempotency
from .submitting.submission import Submission

CANCEL_WAIT_SECONDS = 1.0
"""A task that only waits is cancelled within this time, so that the caller gets its final state."""
REVIEW_WAIT_SECONDS = 2.0
"""The same for a task that is released or rejected."""
WRITE_TRIES = 6
"""Writes that meet a newer version of the task are decided anew this many times."""

_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")


@dataclass(frozen=True)
class Submitted:
    """What came of a submit."""

    task_id: str
    answer: bytes
    """The JSON answer: byte for byte the first one, where the key was used before."""
    replayed: bool


class TaskService:
    """The tasks of one namespace, as far as a key may see them. Raises ApiError, and KubeError when it is away."""

    def __init__(
        self,
        namespace: str,
        kube: Kube,
        reader: TaskReader,
        store: ArtifactStore,
        drain: Drain,
        references: References,
        estimates: Estimates,
        budgets: Budgets,
    ) -> None:
        self._namespace = namespace
        self._kube = kube
        self._reader = reader
        self._store = store
        self._drain = drain
        self._references = references
        self._budgets = budgets
        self._estimates = estimates

    # ---- submit

    async def submit(self, caller: Principal, submission: Submission) -> Submitted:
        """Create a task, or find the one that this idempotency key has created."""
        request, name = submission.request, submission.name
        refusal = self.refusal(caller, submission)
        if refusal is not None:
            raise refusal
        if submission.references:
            # A repetition gets its first answer, also when what the task uses has expired since.
            earlier = await self._earlier(submission)
            if earlier is not None:
                return earlier
            await self._references.accept(request.project_id, submission.references)
        expected = await self._estimates.of(request.project_id, request.task_type, request.priority)
        refusal = await self._budgets.refusal(request.project_id, expected.cost)
        if refusal is not None:
            earlier = await self._earlier(submission)
            if earlier is not None:
                return earlier
            raise refusal
        answer = rest.submit_answer(name, request.project_id, expected, rfc3339(utcnow())).model_dump_json().encode()
        kept = idempotency.task_annotations(submission.digest, answer) if submission.idempotent else {}
        annotations = {ANNOTATION_SUBMITTED_BY: caller.id, **kept}
        try:
            await self._create(rest.to_resource(request, name, self._namespace, annotations))
        except KubeError as error:
            if not (error.already_exists and submission.idempotent):
                raise
            existing = await self._reader.get_true(name)
            if existing is None:
                raise  # deleted at this very moment: the caller may try again
            return Submitted(name, idempotency.replay(existing, submission.digest), replayed=True)
        return Submitted(name, answer, replayed=False)

    async def estimate(self, caller: Principal, submission: Submission) -> EstimateAnswer:
        """What would follow if this were submitted now; nothing is created."""
        refusal = self.refusal(caller, submission)
        if refusal is not None:
            raise refusal
        request = submission.request
        await self._references.check(request.project_id, submission.references)
        return await self._estimates.of(request.project_id, request.task_type, request.priority)

    def refusal(self, caller: Principal, submission: Submission) -> ApiError | None:
        """Why the caller may not submit this; None where it may."""
        project = submission.request.project_id
        if caller.allows(project):
            return None
        return project_not_allowed(project)

    async def take_back(self, name: str) -> str | None:
        """Delete a task that was created a moment ago; its name where that fails."""
        try:
            await self._kube.delete(TASKS, name, self._namespace)
        except KubeError as error:
            return None if error.not_found else name
        return None

    async def _create(self, resource: Object) -> None:
        await self._reader.note_new(await self._kube.create(TASKS, resource, self._namespace, fieldValidation="Strict"))

    async def _earlier(self, submission: Submission) -> Submitted | None:
        """What came of the first submit under the same idempotency key; None where there was none."""
        existing = await self._reader.get_true(submission.name) if submission.idempotent else None
        if existing is None:
            return None
        return Submitted(submission.name, idempotency.replay(existing, submission.digest), replayed=True)

    # ---- read

    async def status(self, caller: Principal, task_id: str) -> TaskAnswer:
        return self._shown(await self.find(caller, task_id))

    async def find(self, caller: Principal, task_id: str, *, true: bool = False) -> Object:
        """A task that the key may see: from the fast view, or as it is now (`true`).

        Raises:
            ApiError: 404 for unknown tasks and those of others, so that nobody learns which it is.
        """
        task = None
        if _NAME.fullmatch(task_id):
            task = await (self._reader.get_true(task_id) if true else self._reader.get(task_id))
        if task is None or not caller.allows(task["spec"]["projectId"]):
            raise task_not_found(task_id)
        return task

    async def wait(
        self, caller: Principal, task_id: str, seconds: float, gone: Callable[[], Awaitable[bool]]
    ) -> TaskAnswer:
        """The status as soon as it is final, or after so many seconds, or as it is when the process has to end.

        Args:
            gone: whether the caller has hung up, so that there is nobody to wait for.
        """
        return await self._wait_until_final(caller, task_id, seconds, gone)

    async def page(self, caller: Principal, project: str, wanted: Filter, start: int | Cursor, limit: int) -> TaskPage:
        """Some of a project's tasks: after so many others, or after the task that a cursor names."""
        check_project(caller, project)
        listed = await self._reader.page(project, wanted, start, limit)
        more = bool(listed.tasks) and listed.offset + limit < listed.total
        return TaskPage(
            tasks=[self._shown(task) for task in listed.tasks],
            total=listed.total,
            page=listed.offset // limit + 1,
            limit=limit,
            pages=math.ceil(listed.total / limit),
            next_cursor=str(Cursor.of(listed.tasks[-1])) if more else None,
        )

    async def media_url(self, caller: Principal, task_id: str) -> str:
        """Where a completed task's media can be read."""
        task = await self.status(caller, task_id)
        if task.status is not Phase.COMPLETED:
            raise task_not_completed(task.status)
        if task.result is None or task.result.media_url is None:
            raise no_media()
        return task.result.media_url

    # ---- change

    async def cancel(self, caller: Principal, task_id: str) -> TaskAnswer:
        """Ask for cancellation; the answer is final when the operator was quick. Asking again changes nothing."""

        def change(task: Object) -> Object | None:
            phase = rest.phase_of(task)
            if phase.terminal:
                raise task_finished(phase)
            return None if task["spec"].get("cancel") else {"cancel": True}

        await self.change_spec(caller, task_id, change)
        return await self._wait_until_final(caller, task_id, CANCEL_WAIT_SECONDS)

    async def retry(self, caller: Principal, task_id: str) -> bytes:
        """Ask for one more round of attempts of a failed or cancelled task."""

        def change(task: Object) -> Object:
            phase = rest.phase_of(task)
            if phase not in (Phase.FAILED, Phase.CANCELLED):
                raise task_not_retryable(phase)
            return {"cancel": False, "retryRequest": task["spec"].get("retryRequest", 0) + 1}

        task = await self.change_spec(caller, task_id, change)
        spec = task["spec"]
        created_at = task["metadata"]["creationTimestamp"]
        expected = await self._estimates.of(spec["projectId"], spec["taskType"], spec.get("priority", 5))
        return rest.submit_answer(task_id, spec["projectId"], expected, created_at).model_dump_json().encode()

    async def review(self, caller: Principal, task_id: str, change: Callable[[Object], Object | None]) -> TaskAnswer:
        """Write a review of held media; the answer is final when the operator was quick."""
        await self.change_spec(caller, task_id, change)
        return await self._wait_until_final(caller, task_id, REVIEW_WAIT_SECONDS)

    async def prioritize(self, caller: Principal, task_id: str, priority: int) -> TaskAnswer:
        """Give a queued task another priority."""

        def change(task: Object) -> Object | None:
            phase = Phase((task.get("status") or {}).get("phase") or Phase.QUEUED)
            if phase is not Phase.QUEUED:
                raise task_not_queued(phase)
            return None if task["spec"].get("priority", 5) == priority else {"priority": priority}

        return self._shown(await self.change_spec(caller, task_id, change))

    async def change_spec(self, caller: Principal, task_id: str, change: Callable[[Object], Object | None]) -> Object:
        """Write to the spec what `change` makes of the task as it is now; a newer version is judged anew."""
        for tries in range(1, WRITE_TRIES + 1):
            task = await self.find(caller, task_id, true=True)
            if not caller.may_change((task["metadata"].get("annotations") or {}).get(ANNOTATION_SUBMITTED_BY)):
                raise not_your_task()
            spec = change(task)
            if spec is None:
                return task
            body = {
                "apiVersion": API_VERSION,
                "kind": "MediaTask",
                "metadata": {"resourceVersion": task["metadata"]["resourceVersion"]},
                "spec": spec,
            }
            try:
                changed = await self._kube.patch(TASKS, task_id, body, self._namespace)
            except KubeError as error:
                if not error.conflict or tries == WRITE_TRIES:
                    raise
            else:
                await self._reader.note(changed)
                return changed
        raise AssertionError("unreachable")

    async def _wait_until_final(
        self, caller: Principal, task_id: str, seconds: float, gone: Callable[[], Awaitable[bool]] | None = None
    ) -> TaskAnswer:
        deadline, pause = time.monotonic() + seconds, 0.05
        while True:
            answer = await self.status(caller, task_id)
            left = deadline - time.monotonic()
            if answer.status.terminal or left <= 0 or self._drain.started or (gone is not None and await gone()):
                return answer
            await asyncio.sleep(min(pause, left))
            pause = min(pause * 1.5, 1.0)

    def _shown(self, task: Object) -> TaskAnswer:
        return rest.to_answer(task, self._store.download_url)
