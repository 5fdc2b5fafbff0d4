"""Which reports of a Job pod still count."""

from __future__ import annotations

from typing import Any

import pytest

from mediatask_api.http.errors import ApiError
from mediatask_api.pods.fencing import Pod, check_not_cancelled, check_pod, check_task
from mediatask_crds.names import LABEL_ATTEMPT, LABEL_TASK, label_value

CREATED = "2026-11-21T10:00:00Z"
LATER = "2026-11-21T10:00:01Z"


def a_pod(attempt: str = "2", task: str = "scene-1", created: str = LATER) -> Pod:
    return Pod("default", "pod", "uid", created, {LABEL_TASK: label_value(task), LABEL_ATTEMPT: attempt})


def a_task(*, retry: int = 0, deleted: bool = False, **status: Any) -> dict[str, Any]:
    meta = {"name": "scene-1", "creationTimestamp": CREATED}
    if deleted:
        meta["deletionTimestamp"] = LATER
    return {"metadata": meta, "spec": {"retryRequest": retry}, "status": status}


@pytest.mark.parametrize(
    ("pod", "task_id", "reported", "code"),
    [
        (a_pod(), "scene-1", 2, None),
        (a_pod(), "scene-2", 2, "foreign-pod"),
        (a_pod(task="scene-2"), "scene-1", 2, "foreign-pod"),
        (a_pod(), "scene-1", 1, "foreign-attempt"),
        (a_pod(), "scene-1", 3, "foreign-attempt"),
        (a_pod("1"), "scene-1", 1, None),
        (a_pod("0"), "scene-1", 0, "foreign-attempt"),
        (a_pod(""), "scene-1", 0, "foreign-attempt"),
        (a_pod("x"), "scene-1", 1, "foreign-attempt"),
        (a_pod("x"), "scene-1", 0, "foreign-attempt"),
        (a_pod("-1"), "scene-1", -1, "foreign-attempt"),
    ],
)
def test_a_pod_speaks_for_its_own_task_and_attempt(pod: Pod, task_id: str, reported: int, code: str | None) -> None:
    if code is None:
        check_pod(pod, task_id, reported)
        return
    with pytest.raises(ApiError) as error:
        check_pod(pod, task_id, reported)
    assert error.value.status == 403
    assert code in str(vars(error.value))


@pytest.mark.parametrize(
    "task",
    [
        a_task(),
        {"metadata": {"name": "scene-1", "creationTimestamp": CREATED}, "spec": {}},
        a_task(attempt=1, phase="processing"),
        a_task(attempt=2, phase="processing"),
        a_task(attempt=2, phase="queued"),
        a_task(attempt=1, phase="failed", retry=1),
        a_task(attempt=1, phase="cancelled", round=1, retry=2),
    ],
)
def test_reports_of_the_latest_attempt_count(task: dict[str, Any]) -> None:
    assert check_task(a_pod(created=CREATED), task) is task


@pytest.mark.parametrize(
    "task",
    [
        None,
        a_task(deleted=True, attempt=2),
        a_task(attempt=3, phase="processing"),
        a_task(attempt=2, phase="completed"),
        a_task(attempt=2, phase="failed"),
        a_task(attempt=2, phase="cancelled"),
        a_task(attempt=1, phase="failed"),
        a_task(attempt=2, phase="failed", retry=1),
        a_task(attempt=1, phase="failed", round=1, retry=1),
    ],
)
def test_reports_that_come_too_late_are_fenced_off(task: dict[str, Any] | None) -> None:
    with pytest.raises(ApiError) as error:
        check_task(a_pod(), task)
    assert error.value.status == 409


def test_a_pod_of_an_earlier_task_of_that_name_is_a_stranger() -> None:
    with pytest.raises(ApiError) as error:
        check_task(a_pod(created="2026-11-21T09:59:59Z"), a_task())
    assert error.value.status == 403


def test_nothing_is_published_once_a_cancel_is_asked_for() -> None:
    check_not_cancelled(a_task())
    check_not_cancelled({"spec": {"cancel": False}})
    with pytest.raises(ApiError) as error:
        check_not_cancelled({"spec": {"cancel": True}})
    assert error.value.status == 409


def test_the_first_attempt_of_a_task_that_failed_without_one_counts() -> None:
    task = a_task(phase="failed", retry=1)
    assert check_task(a_pod("1"), task) is task
