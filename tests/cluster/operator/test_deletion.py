"""Things that go away: tasks, Jobs, pods, classes; by hand, by the garbage collector, by their time to live."""

from __future__ import annotations

from cluster.fixtures.kwok import Sandbox, Seen, side_by_side
from mediatask_common.kube import JOBS, PODS, TASKS, Object
from mediatask_crds.names import LABEL_MANAGED_BY, MANAGED_BY
from support.jobs import eventually

RETRIED = ["JobCreated", "AttemptFailed", "JobCreated", "Completed"]


def completed(*attempts: str, jobs: int, pods: int, events: list[str] | None = None) -> Seen:
    """A task that was completed in spite of what went away."""
    events = events or ["JobCreated", "Completed"]
    return Seen("completed", "Completed", list(attempts), events, jobs, pods, webhooks=["task.completed"])


# ---- the task


@side_by_side()
async def test_a_task_is_deleted_in_the_foreground(sandbox: Sandbox) -> None:
    await sandbox.task()
    await sandbox.pod()
    answer = await sandbox.kube.delete(TASKS, "it", sandbox.namespace, propagation="Foreground")
    assert answer["metadata"]["finalizers"] == ["foregroundDeletion"]
    await sandbox.gone(TASKS, "it")
    assert await sandbox.count(JOBS) == 0
    assert await sandbox.count(PODS) == 0
    await eventually(sandbox.events, lambda told: told == ["JobCreated"])


@side_by_side()
async def test_a_task_is_deleted_in_the_background(sandbox: Sandbox) -> None:
    await sandbox.task()
    await sandbox.pod()
    await sandbox.kube.delete(TASKS, "it", sandbox.namespace)
    await sandbox.gone(TASKS, "it")
    await sandbox.none_left(JOBS)
    await sandbox.none_left(PODS)
    await eventually(sandbox.events, lambda told: told == ["JobCreated"])


@side_by_side()
async def test_a_task_is_deleted_and_its_job_orphaned(sandbox: Sandbox) -> None:
    """The Job is nobody's then, and runs on; a new task of the same name has nothing to do with it."""
    await sandbox.task()
    orphan = await sandbox.pod()
    await sandbox.kube.delete(TASKS, "it", sandbox.namespace, propagation="Orphan")
    await sandbox.gone(TASKS, "it")
    await sandbox.task()
    own = await sandbox.pod(instead_of=orphan)
    await sandbox.end(orphan, code=10)
    await sandbox.shows(Seen("processing", "Running", ["open"], ["JobCreated"] * 2, jobs=2, pods=2))
    await sandbox.end(own, code=11)
    attempt = "UnsafeContent exit 11"
    await sandbox.shows(
        Seen("failed", "UnsafeContent", [attempt], ["JobCreated", "JobCreated", "AttemptFailed", "Failed"], 2, 2)
    )


@side_by_side(maxInFlight=1)
async def test_a_task_is_deleted_while_it_is_queued(sandbox: Sandbox) -> None:
    await sandbox.task("first")
    await sandbox.pod(name="first")
    await sandbox.task()
    await sandbox.task("next")
    await sandbox.until(lambda status: status.get("queue", {}).get("position") == 2, "next")
    await sandbox.kube.delete(TASKS, "it", sandbox.namespace)
    await sandbox.succeed(name="first")
    await sandbox.succeed(name="next")
    await sandbox.until(lambda status: status.get("phase") == "completed", "next")
    assert await sandbox.count(JOBS) == 2


@side_by_side()
async def test_a_job_of_nobody_is_left_alone(sandbox: Sandbox) -> None:
    stray = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "stray", "labels": {LABEL_MANAGED_BY: MANAGED_BY}},
        "spec": {"template": {"spec": held_pod()}},
    }
    await sandbox.kube.create(JOBS, stray, sandbox.namespace)
    await sandbox.task()
    await sandbox.succeed()
    await sandbox.shows(completed("Succeeded exit 0", jobs=2, pods=2))
    assert (await sandbox.kube.get(JOBS, "stray", sandbox.namespace))["status"]["active"] == 1


# ---- the Job and its pod


@side_by_side(retry={"limit": 0})
async def test_a_job_is_deleted_by_hand(sandbox: Sandbox) -> None:
    await sandbox.task()
    pod = await sandbox.pod()
    job = pod["metadata"]["labels"]["job-name"]
    await sandbox.kube.delete(JOBS, job, sandbox.namespace)
    await sandbox.succeed(2)
    await sandbox.shows(completed("Preempted exit 143 free", "Succeeded exit 0", jobs=1, pods=1, events=RETRIED))


@side_by_side(image="played/creating")
async def test_a_job_is_deleted_by_hand_before_its_container_started(sandbox: Sandbox) -> None:
    await sandbox.task()
    pod = await sandbox.pod(phase="Pending")
    await sandbox.kube.delete(JOBS, pod["metadata"]["labels"]["job-name"], sandbox.namespace)
    await sandbox.pod(2, phase="Pending")
    await sandbox.shows(Seen("queued", "PodPending", ["PodDeleted exit 137", "open"], RETRIED[:3], jobs=1, pods=1))


@side_by_side(retry={"limit": 0})
async def test_a_pod_is_deleted_by_hand(sandbox: Sandbox) -> None:
    await sandbox.task()
    pod = await sandbox.pod()
    await sandbox.kube.delete(PODS, pod["metadata"]["name"], sandbox.namespace)
    await sandbox.succeed(2)
    await sandbox.shows(completed("Preempted exit 143 free", "Succeeded exit 0", jobs=2, pods=1, events=RETRIED))


@side_by_side(ttlSecondsAfterFinished=1)
async def test_a_finished_job_goes_after_its_time_to_live(sandbox: Sandbox) -> None:
    await sandbox.task()
    await sandbox.succeed()
    await sandbox.until(lambda status: status.get("phase") == "completed")
    await sandbox.none_left(JOBS)
    await sandbox.none_left(PODS)
    status = await sandbox.shows(completed("Succeeded exit 0", jobs=0, pods=0))
    assert status["result"]["artifacts"]


@side_by_side(ttlSecondsAfterFinished=0)
async def test_the_job_of_an_earlier_attempt_goes_while_the_next_one_runs(sandbox: Sandbox) -> None:
    await sandbox.task()
    await sandbox.fail(1, 75)
    await sandbox.pod(2)
    await sandbox.shows(
        Seen("processing", "Running", ["TemporaryFailure exit 75", "open"], RETRIED[:3], jobs=1, pods=1)
    )
    await sandbox.succeed(2)
    attempts = "TemporaryFailure exit 75", "Succeeded exit 0"
    await sandbox.shows(completed(*attempts, jobs=0, pods=0, events=RETRIED))


# ---- the class


@side_by_side(maxInFlight=1)
async def test_a_class_changes_while_its_task_runs(sandbox: Sandbox) -> None:
    """What runs stays as it is; what starts from then on, the next attempt too, is made by the class as it is then."""
    await sandbox.task()
    running = await sandbox.pod()
    await sandbox.task("next")
    await sandbox.until(lambda status: status.get("queue"), "next")
    await sandbox.change_class(command=["python", "-m", "something_new"], maxInFlight=2)
    following = await sandbox.pod(name="next")
    await sandbox.end(running, code=75)
    again = await sandbox.pod(2)
    assert [each["spec"]["containers"][0]["command"][-1] for each in (running, following, again)] == [
        "mediatask_job",
        "something_new",
        "something_new",
    ]
    await sandbox.succeed(2)
    attempts = "TemporaryFailure exit 75", "Succeeded exit 0"
    await sandbox.shows(completed(*attempts, jobs=3, pods=3, events=RETRIED))


@side_by_side()
async def test_a_class_is_deleted_while_its_task_runs(sandbox: Sandbox) -> None:
    await sandbox.task()
    await sandbox.pod()
    await sandbox.drop_class()
    await sandbox.succeed()
    await sandbox.shows(completed("Succeeded exit 0", jobs=1, pods=1))


@side_by_side(maxInFlight=1)
async def test_a_class_is_deleted_between_two_attempts_and_comes_back(sandbox: Sandbox) -> None:
    await sandbox.task()
    pod = await sandbox.pod()
    await sandbox.task("next")
    await sandbox.until(lambda status: status.get("queue"), "next")
    await sandbox.drop_class()
    await sandbox.until(lambda status: reason(status, "Accepted") == "ClassNotFound", "next")
    await sandbox.end(pod, code=75)
    await sandbox.until(lambda status: reason(status, "Accepted") == "ClassNotFound")
    await sandbox.task_class()
    await sandbox.pod(name="next")
    await sandbox.succeed(2)
    attempts = "TemporaryFailure exit 75", "Succeeded exit 0"
    await sandbox.shows(completed(*attempts, jobs=3, pods=3, events=RETRIED))


@side_by_side()
async def test_a_task_waits_for_its_class(sandbox: Sandbox) -> None:
    later = f"{sandbox.class_name}-later"
    await sandbox.task(className=later)
    await sandbox.shows(Seen("queued", "ClassNotFound", true={"Reconciling", "Stalled"}))
    await sandbox.task_class(later)
    await sandbox.succeed()
    await sandbox.shows(completed("Succeeded exit 0", jobs=1, pods=1))


# ---- helpers


def held_pod() -> Object:
    return {
        "restartPolicy": "Never",
        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}],
        "containers": [{"name": "job", "image": "played/held"}],
    }


def reason(status: Object, kind: str) -> str | None:
    return next((each["reason"] for each in status.get("conditions", []) if each["type"] == kind), None)
