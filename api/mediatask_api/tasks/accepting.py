"""Accepting one task for a caller, over whatever protocol it asks: limits first, then the task, then the wait."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import nullcontext

from fastapi import Request

from ..auth.access import still_allowed
from ..auth.audit import note
from ..auth.principal import Principal
from ..dependencies import Services
from .schemas import SubmitRequest, TaskAnswer
from .service import Submitted
from .submitting.submission import prepare

Wait = Callable[[str], Awaitable[TaskAnswer]]
"""A task's state as soon as it is final, or as it is once the caller's patience is over."""


async def accept(
    request: Request,
    services: Services,
    caller: Principal,
    wanted: SubmitRequest,
    idempotency_key: str | None,
    wait: Wait | None,
) -> tuple[Submitted, TaskAnswer | None]:
    """Accept a task; where the caller waits for it, also its state, if it has ended meanwhile.

    Raises:
        ApiError: it is refused, and nothing was created.
        KubeError: the API server is away.
    """
    submission = prepare(wanted, idempotency_key, services.urls)
    if caller.allows(wanted.project_id):  # else it is refused, and uses up nothing of a project of others
        await services.limiter.count_tasks(request, wanted.project_id)
    # Before anything is created: whoever is refused with 429 tries again.
    with services.caps.waiters.hold(caller.id) if wait else nullcontext():
        note(request, task=submission.name, project=wanted.project_id)
        done = await services.tasks.submit(caller, submission)
        services.metrics.submitted.labels(wanted.task_type, str(done.replayed).lower()).inc()
        if wait:
            task = await wait(done.task_id)
            if task.status.terminal and await still_allowed(request):
                return done, task
    return done, None
