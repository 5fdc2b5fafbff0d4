"""The life of a task as its user sees it: run, queued, cancelled, retried, changed in vain."""

from __future__ import annotations

from typing import Any

import pytest

from cluster.kits.played import Ground, Seen, open_ground, side_by_side
from mediatask_common.kube import JOBS, TASKS, KubeError
from mediatask_crds.names import LABEL_TASK

COMPLETED = {"Accepted", "JobCreated", "Complete", "CallbackDelivered"}
CANCELLED = {"Accepted", "Cancelled", "CallbackDelivered"}


def completed(**also: Any) -> Seen:
    """A task that went straight through."""
    seen = Seen("completed", "Completed", ["Succeeded exit 0"], ["JobCreated", "Completed"], 1, 1)
    return Seen(**{**seen.__dict__, "true": COMPLETED, "webhooks": ["task.completed"], **also})


@side_by_side(gpu={"count": 1})
async def test_a_task_runs_to_completion(ground: Ground) -> None:
    await ground.task()
    await ground.until(lambda status: status.get("phase") == "processing")
    status = await ground.shows(Seen("processing", "Running", ["open"], ["JobCreated"], jobs=1, pods=1))
    assert status["startedAt"]

    await ground.succeed()

    status = await ground.shows(completed())
    assert status["progress"] == 1.0
    assert status["result"]["metadata"] == {"width": 64, "seed": 7}
    assert "mediaUrl" not in status["result"]
    assert {"queued", "scheduled", "image", "infer", "total"} <= status["timings"].keys()
    assert status["attempts"][0]["node"].startswith("gpu-")


@side_by_side()
async def test_a_name_longer_than_a_label(ground: Ground) -> None:
    name = "scene-" + "very-" * 40 + "long"
    await ground.task(name)
    await ground.succeed(name=name)
    await ground.shows(completed(), name)
    (job,) = (await ground.kube.list(JOBS, ground.namespace))["items"]
    assert len(job["metadata"]["labels"][LABEL_TASK]) <= 63


@side_by_side()
async def test_two_tasks_of_one_name_in_two_namespaces(ground: Ground) -> None:
    async with open_ground(ground.kube, ground.installed) as other:
        await ground.task()
        await other.task()
        await other.pod()
        await ground.succeed()
        await ground.shows(completed())
        await other.shows(Seen("processing", "Running", ["open"], ["JobCreated"], jobs=1, pods=1))
        await other.fail(1, 10)
        await other.shows(
            Seen("failed", "InvalidInput", ["InvalidInput exit 10"], ["JobCreated", "AttemptFailed", "Failed"], 1, 1)
        )
        await ground.shows(completed())


# ---- cancel


@side_by_side(maxInFlight=1)
async def test_cancel_while_queued(ground: Ground) -> None:
    await ground.task("first")
    await ground.pod(name="first")
    await ground.task()
    waiting = await ground.until(lambda status: status.get("queue"))
    assert waiting["status"]["queue"]["position"] == 1
    await ground.change(cancel=True)
    await ground.shows(Seen("cancelled", "Cancelled", [], ["Cancelled"], 1, 1, CANCELLED, ["task.cancelled"]))


@side_by_side(image="played/creating")
async def test_cancel_while_starting(ground: Ground) -> None:
    await ground.task()
    await ground.pod(phase="Pending")
    await ground.change(cancel=True)
    await ground.shows(cancelled("Cancelled free"))


@side_by_side()
async def test_cancel_while_running(ground: Ground) -> None:
    await ground.task()
    await ground.pod()
    await ground.change(cancel=True)
    await ground.shows(cancelled("Cancelled free"))


@side_by_side(maxInFlight=1)
async def test_cancel_between_two_attempts(ground: Ground) -> None:
    await ground.task()
    pod = await ground.pod()
    await ground.task("more-urgent", priority=0)
    await ground.until(lambda status: status.get("queue"), "more-urgent")
    await ground.end(pod, code=75)
    await ground.pod(name="more-urgent")
    await ground.change(cancel=True)
    await ground.shows(
        cancelled("TemporaryFailure exit 75", jobs=2, pods=2, events=["JobCreated", "AttemptFailed", "Cancelled"])
    )


@side_by_side()
async def test_cancel_of_a_completed_task_changes_nothing(ground: Ground) -> None:
    await ground.task()
    await ground.succeed()
    await ground.shows(completed())
    changed = await ground.change(cancel=True)
    generation = changed["metadata"]["generation"]
    await ground.until(lambda status: status.get("observedGeneration") == generation)
    await ground.shows(completed())


# ---- retry on request


@side_by_side(retry={"limit": 0})
async def test_retry_of_a_failed_task(ground: Ground) -> None:
    await ground.task()
    await ground.fail(1, 75)
    await ground.until(lambda status: status.get("phase") == "failed")
    await ground.change(retryRequest=1)
    await ground.succeed(2)
    status = await ground.shows(
        completed(
            attempts=["TemporaryFailure exit 75", "Succeeded exit 0"],
            events=["JobCreated", "AttemptFailed", "Failed", "JobCreated", "Completed"],
            jobs=2,
            pods=2,
            webhooks=["task.failed", "task.completed"],
        )
    )
    assert [attempt["round"] for attempt in status["attempts"]] == [0, 1]
    assert "error" not in status


@side_by_side()
async def test_retry_of_a_cancelled_task(ground: Ground) -> None:
    await ground.task()
    await ground.pod()
    await ground.change(cancel=True)
    await ground.shows(cancelled("Cancelled free"))
    await ground.change(cancel=False, retryRequest=1)
    await ground.succeed(2)
    await ground.shows(
        completed(
            attempts=["Cancelled free", "Succeeded exit 0"],
            events=["JobCreated", "Cancelled", "JobCreated", "Completed"],
            webhooks=["task.cancelled", "task.completed"],
        )
    )


# ---- what nobody may do


@side_by_side()
async def test_what_was_asked_for_cannot_be_changed(ground: Ground) -> None:
    await ground.task(priority=3)
    changes: dict[str, Any] = {
        "projectId": "other",
        "taskData": {"prompt": "a cat"},
        "className": "other",
        "priority": 0,
        "callback": {"url": "https://example.com/other"},
    }
    for field, value in changes.items():
        with pytest.raises(KubeError) as refused:
            await ground.change(**{field: value})
        assert refused.value.status == 422
        assert f"spec.{field}: Forbidden: {field} is immutable: create another task instead" in refused.value.message
    await ground.succeed()
    await ground.shows(completed())


@side_by_side()
async def test_a_cancel_cannot_be_taken_back(ground: Ground) -> None:
    await ground.task()
    await ground.change(cancel=True)
    with pytest.raises(KubeError) as refused:
        await ground.change(cancel=False)
    assert refused.value.status == 422
    assert "spec.cancel" in refused.value.message
    await ground.until(lambda status: status.get("phase") == "cancelled")


async def refused(ground: Ground, reason: str, **spec: Any) -> str:
    """A task that nothing is ever started for; the message says why."""
    await ground.task(**spec)
    true = {"Failed", "Stalled", "CallbackDelivered"}
    status = await ground.shows(Seen("failed", reason, [], ["Failed"], 0, 0, true, ["task.failed"]))
    (accepted,) = (each for each in status["conditions"] if each["type"] == "Accepted")
    assert (accepted["status"], accepted["reason"]) == ("False", reason)
    assert status["error"]["retryable"] is False
    message: str = status["error"]["message"]
    return message


@side_by_side()
async def test_data_that_the_schema_lets_pass_and_the_task_type_does_not(ground: Ground) -> None:
    two_texts = {"prompt": "a cat", "character_description": "a dog"}
    assert "not two different texts" in await refused(ground, "InvalidTaskData", taskData=two_texts)


@side_by_side(taskTypes=["generate_video"])
async def test_a_class_that_does_not_serve_the_type(ground: Ground) -> None:
    message = await refused(ground, "ClassNotForType")
    assert message == f"MediaTaskClass {ground.class_name} serves generate_video, not generate_image"


@side_by_side()
async def test_an_override_that_the_class_does_not_allow(ground: Ground) -> None:
    message = await refused(ground, "OverrideNotAllowed", nodeSelector={"kubernetes.io/hostname": "gpu-0"})
    assert message == f"MediaTaskClass {ground.class_name} does not let tasks set nodeSelector"


@side_by_side()
async def test_a_task_of_another_controller_is_left_alone(ground: Ground) -> None:
    await ground.task("theirs", managedBy="example.com/other")
    await ground.task()
    await ground.succeed()
    await ground.shows(completed())
    theirs = await ground.kube.get(TASKS, "theirs", ground.namespace)
    assert "status" not in theirs
    assert await ground.events("theirs") == []


# ---- helpers


def cancelled(*attempts: str, jobs: int = 0, pods: int = 0, events: list[str] | None = None) -> Seen:
    """A task that was cancelled after its Job had been created."""
    events = events or ["JobCreated", "Cancelled"]
    seen = Seen("cancelled", "Cancelled", list(attempts), events, jobs, pods)
    seen.webhooks = ["task.cancelled"]
    return seen
