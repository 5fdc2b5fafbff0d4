"""The life of a task as its user sees it: run, queued, cancelled, retried, changed in vain."""

from __future__ import annotations

from typing import Any

import pytest

from cluster.fixtures.kwok import Sandbox, Seen, open_sandbox, side_by_side
from mediatask_common.kube import JOBS, TASKS, KubeError
from mediatask_crds.names import LABEL_TASK

COMPLETED = {"Accepted", "JobCreated", "Complete", "CallbackDelivered"}
CANCELLED = {"Accepted", "Cancelled", "CallbackDelivered"}


def completed(**also: Any) -> Seen:
    """A task that went straight through."""
    seen = Seen("completed", "Completed", ["Succeeded exit 0"], ["JobCreated", "Completed"], 1, 1)
    return Seen(**{**seen.__dict__, "true": COMPLETED, "webhooks": ["task.completed"], **also})


@side_by_side(gpu={"count": 1})
async def test_a_task_runs_to_completion(sandbox: Sandbox) -> None:
    await sandbox.task()
    await sandbox.until(lambda status: status.get("phase") == "processing")
    status = await sandbox.shows(Seen("processing", "Running", ["open"], ["JobCreated"], jobs=1, pods=1))
    assert status["startedAt"]

    await sandbox.succeed()

    status = await sandbox.shows(completed())
    assert status["progress"] == 1.0
    assert status["result"]["metadata"] == {"width": 64, "seed": 7}
    assert "mediaUrl" not in status["result"]
    assert {"queued", "scheduled", "image", "infer", "total"} <= status["timings"].keys()
    assert status["attempts"][0]["node"].startswith("gpu-")


@side_by_side()
async def test_a_name_longer_than_a_label(sandbox: Sandbox) -> None:
    name = "scene-" + "very-" * 40 + "long"
    await sandbox.task(name)
    await sandbox.succeed(name=name)
    await sandbox.shows(completed(), name)
    (job,) = (await sandbox.kube.list(JOBS, sandbox.namespace))["items"]
    assert len(job["metadata"]["labels"][LABEL_TASK]) <= 63


@side_by_side()
async def test_two_tasks_of_one_name_in_two_namespaces(sandbox: Sandbox) -> None:
    async with open_sandbox(sandbox.kube, sandbox.installed) as other:
        await sandbox.task()
        await other.task()
        await other.pod()
        await sandbox.succeed()
        await sandbox.shows(completed())
        await other.shows(Seen("processing", "Running", ["open"], ["JobCreated"], jobs=1, pods=1))
        await other.fail(1, 10)
        await other.shows(
            Seen("failed", "InvalidInput", ["InvalidInput exit 10"], ["JobCreated", "AttemptFailed", "Failed"], 1, 1)
        )
        await sandbox.shows(completed())


# ---- cancel


@side_by_side(maxInFlight=1)
async def test_cancel_while_queued(sandbox: Sandbox) -> None:
    await sandbox.task("first")
    await sandbox.pod(name="first")
    await sandbox.task()
    waiting = await sandbox.until(lambda status: status.get("queue"))
    assert waiting["status"]["queue"]["position"] == 1
    await sandbox.change(cancel=True)
    await sandbox.shows(Seen("cancelled", "Cancelled", [], ["Cancelled"], 1, 1, CANCELLED, ["task.cancelled"]))


@side_by_side(image="played/creating")
async def test_cancel_while_starting(sandbox: Sandbox) -> None:
    await sandbox.task()
    await sandbox.pod(phase="Pending")
    await sandbox.change(cancel=True)
    await sandbox.shows(cancelled("Cancelled free"))


@side_by_side()
async def test_cancel_while_running(sandbox: Sandbox) -> None:
    await sandbox.task()
    await sandbox.pod()
    await sandbox.change(cancel=True)
    await sandbox.shows(cancelled("Cancelled free"))


@side_by_side(maxInFlight=1)
async def test_cancel_between_two_attempts(sandbox: Sandbox) -> None:
    await sandbox.task()
    pod = await sandbox.pod()
    await sandbox.task("more-urgent", priority=0)
    await sandbox.until(lambda status: status.get("queue"), "more-urgent")
    await sandbox.end(pod, code=75)
    await sandbox.pod(name="more-urgent")
    await sandbox.change(cancel=True)
    await sandbox.shows(
        cancelled("TemporaryFailure exit 75", jobs=2, pods=2, events=["JobCreated", "AttemptFailed", "Cancelled"])
    )


@side_by_side()
async def test_cancel_of_a_completed_task_changes_nothing(sandbox: Sandbox) -> None:
    await sandbox.task()
    await sandbox.succeed()
    await sandbox.shows(completed())
    changed = await sandbox.change(cancel=True)
    generation = changed["metadata"]["generation"]
    await sandbox.until(lambda status: status.get("observedGeneration") == generation)
    await sandbox.shows(completed())


# ---- retry on request


@side_by_side(retry={"limit": 0})
async def test_retry_of_a_failed_task(sandbox: Sandbox) -> None:
    await sandbox.task()
    await sandbox.fail(1, 75)
    await sandbox.until(lambda status: status.get("phase") == "failed")
    await sandbox.change(retryRequest=1)
    await sandbox.succeed(2)
    status = await sandbox.shows(
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
async def test_retry_of_a_cancelled_task(sandbox: Sandbox) -> None:
    await sandbox.task()
    await sandbox.pod()
    await sandbox.change(cancel=True)
    await sandbox.shows(cancelled("Cancelled free"))
    await sandbox.change(cancel=False, retryRequest=1)
    await sandbox.succeed(2)
    await sandbox.shows(
        completed(
            attempts=["Cancelled free", "Succeeded exit 0"],
            events=["JobCreated", "Cancelled", "JobCreated", "Completed"],
            webhooks=["task.cancelled", "task.completed"],
        )
    )


# ---- what nobody may do


@side_by_side()
async def test_what_was_asked_for_cannot_be_changed(sandbox: Sandbox) -> None:
    await sandbox.task(priority=3)
    changes: dict[str, Any] = {
        "projectId": "other",
        "taskData": {"prompt": "a cat"},
        "className": "other",
        "callback": {"url": "https://example.com/other"},
    }
    for field, value in changes.items():
        with pytest.raises(KubeError) as refused:
            await sandbox.change(**{field: value})
        assert refused.value.status == 422
        assert f"spec.{field}: Forbidden: {field} is immutable: create another task instead" in refused.value.message
    await sandbox.succeed()
    await sandbox.shows(completed())
    with pytest.raises(KubeError, match="priority may change only while the task is queued"):
        await sandbox.change(priority=0)


@side_by_side()
async def test_a_cancel_cannot_be_taken_back(sandbox: Sandbox) -> None:
    await sandbox.task()
    await sandbox.change(cancel=True)
    with pytest.raises(KubeError) as refused:
        await sandbox.change(cancel=False)
    assert refused.value.status == 422
    assert "spec.cancel" in refused.value.message
    await sandbox.until(lambda status: status.get("phase") == "cancelled")


async def refused(sandbox: Sandbox, reason: str, **spec: Any) -> str:
    """A task that nothing is ever started for; the message says why."""
    await sandbox.task(**spec)
    true = {"Failed", "Stalled", "CallbackDelivered"}
    status = await sandbox.shows(Seen("failed", reason, [], ["Failed"], 0, 0, true, ["task.failed"]))
    (accepted,) = (each for each in status["conditions"] if each["type"] == "Accepted")
    assert (accepted["status"], accepted["reason"]) == ("False", reason)
    assert status["error"]["retryable"] is False
    message: str = status["error"]["message"]
    return message


@side_by_side()
async def test_data_that_the_schema_lets_pass_and_the_task_type_does_not(sandbox: Sandbox) -> None:
    two_texts = {"prompt": "a cat", "character_description": "a dog"}
    assert "not two different texts" in await refused(sandbox, "InvalidTaskData", taskData=two_texts)


@side_by_side(taskTypes=["generate_video"])
async def test_a_class_that_does_not_serve_the_type(sandbox: Sandbox) -> None:
    message = await refused(sandbox, "ClassNotForType")
    assert message == f"MediaTaskClass {sandbox.class_name} serves generate_video, not generate_image"


@side_by_side()
async def test_an_override_that_the_class_does_not_allow(sandbox: Sandbox) -> None:
    message = await refused(sandbox, "OverrideNotAllowed", nodeSelector={"kubernetes.io/hostname": "gpu-0"})
    assert message == f"MediaTaskClass {sandbox.class_name} does not let tasks set nodeSelector"


@side_by_side()
async def test_a_task_of_another_controller_is_left_alone(sandbox: Sandbox) -> None:
    await sandbox.task("theirs", managedBy="example.com/other")
    await sandbox.task()
    await sandbox.succeed()
    await sandbox.shows(completed())
    theirs = await sandbox.kube.get(TASKS, "theirs", sandbox.namespace)
    assert "status" not in theirs
    assert await sandbox.events("theirs") == []


# ---- helpers


def cancelled(*attempts: str, jobs: int = 0, pods: int = 0, events: list[str] | None = None) -> Seen:
    """A task that was cancelled after its Job had been created."""
    events = events or ["JobCreated", "Cancelled"]
    seen = Seen("cancelled", "Cancelled", list(attempts), events, jobs, pods)
    seen.webhooks = ["task.cancelled"]
    return seen
