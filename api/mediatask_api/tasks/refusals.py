"""Why something that is asked of a task is refused."""

from __future__ import annotations

from mediatask_common import money
from mediatask_common.budgets import Standing
from mediatask_crds.task import Phase

from ..http.errors import ApiError


def task_not_found(task_id: str) -> ApiError:
    return ApiError(404, "task-not-found", f"There is no task {task_id!r}.")


def not_your_task() -> ApiError:
    return ApiError(403, "not-your-task", "This caller may change only tasks that it has submitted itself.")


def task_finished(phase: Phase) -> ApiError:
    return ApiError(409, "task-finished", f"The task is {phase} already and cannot be cancelled.")


def task_not_retryable(phase: Phase) -> ApiError:
    return ApiError(409, "task-not-retryable", f"The task is {phase}; only failed and cancelled tasks can be retried.")


def task_not_queued(phase: Phase) -> ApiError:
    return ApiError(409, "task-not-queued", f"The task is {phase}; only a queued one can get another priority.")


def task_not_completed(phase: Phase) -> ApiError:
    return ApiError(409, "task-not-completed", f"The task is {phase}; its media is there once it is completed.")


def budget_exceeded(standing: Standing, expected: str) -> ApiError:
    """402: neither the caller's rate nor its rights are in the way."""
    spent, reserved = money.spelled(standing.spent), money.spelled(standing.committed)
    runs = f" and {reserved} reserved for what runs" if standing.committed else ""
    numbers = f"{spent} are spent{runs}, and the task is expected to cost {expected}."
    return ApiError(402, "budget-exceeded", f"{standing.message} {numbers}")


def no_media() -> ApiError:
    return ApiError(404, "no-media", "The task completed without media.")


def no_log() -> ApiError:
    detail = "There is no log of this attempt: it has no pod yet, or its log went with its pod."
    return ApiError(404, "no-log", detail)


def pod_not_started() -> ApiError:
    return ApiError(409, "not-started", "The pod has not started yet.", headers={"Retry-After": "2"})


def no_webhook() -> ApiError:
    return ApiError(404, "no-webhook", "The task was submitted without a callback URL.")


def webhook_not_sent() -> ApiError:
    return ApiError(409, "webhook-not-sent", "There is nothing to deliver yet: no event of the task was told.")
