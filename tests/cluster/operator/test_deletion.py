"""Things that go away: tasks, Jobs, pods, classes; by hand, by the garbage collector, by their time to live."""

from __future__ import annotations

from cluster.kits.played import Ground, Seen, side_by_side
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
async def test_a_task_is_deleted_in_the_foreground(ground: Ground) -> None:
    await ground.task()
    await ground.pod()
    answer = await ground.kube.delete(TASKS, "it", ground.namespace, propagation="Foreground")
    assert answer["metadata"]["finalizers"] == ["foregroundDeletion"]
    await ground.gone(TASKS, "it")
    assert await ground.count(JOBS) == 0
    assert await ground.count(PODS) == 0
    await eventually(ground.events, lambda told: told == ["JobCreated"])


@side_by_side()
async def test_a_task_is_deleted_in_the_background(ground: Ground) -> None:
    await ground.task()
    await ground.pod()
    await ground.kube.delete(TASKS, "it", ground.namespace)
    await ground.gone(TASKS, "it")
    await ground.none_left(JOBS)
    await ground.none_left(PODS)
    await eventually(ground.events, lambda told: told == ["JobCreated"])


@side_by_side()
async def test_a_task_is_deleted_and_its_job_orphaned(ground: Ground) -> None:
    """The Job is nobody's then, and runs on; a new task of the same name has nothing to do with it."""
    await ground.task()
    orphan = await ground.pod()
    await ground.kube.delete(TASKS, "it", ground.namespace, propagation="Orphan")
    await ground.gone(TASKS, "it")
    await ground.task()
    own = await ground.pod(instead_of=orphan)
    await ground.end(orphan, code=10)
    await ground.shows(Seen("processing", "Running", ["open"], ["JobCreated"] * 2, jobs=2, pods=2))
    await ground.end(own, code=11)
    attempt = "UnsafeContent exit 11"
    await ground.shows(
        Seen("failed", "UnsafeContent", [attempt], ["JobCreated", "JobCreated", "AttemptFailed", "Failed"], 2, 2)
    )


@side_by_side(maxInFlight=1)
async def test_a_task_is_deleted_while_it_is_queued(ground: Ground) -> None:
    await ground.task("first")
    await ground.pod(name="first")
    await ground.task()
    await ground.task("next")
    await ground.until(lambda status: status.get("queue", {}).get("position") == 2, "next")
    await ground.kube.delete(TASKS, "it", ground.namespace)
    await ground.succeed(name="first")
    await ground.succeed(name="next")
    await ground.until(lambda status: status.get("phase") == "completed", "next")
    assert await ground.count(JOBS) == 2


@side_by_side()
async def test_a_job_of_nobody_is_left_alone(ground: Ground) -> None:
    stray = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "stray", "labels": {LABEL_MANAGED_BY: MANAGED_BY}},
        "spec": {"template": {"spec": held_pod()}},
    }
    await ground.kube.create(JOBS, stray, ground.namespace)
    await ground.task()
    await ground.succeed()
    await ground.shows(completed("Succeeded exit 0", jobs=2, pods=2))
    assert (await ground.kube.get(JOBS, "stray", ground.namespace))["status"]["active"] == 1


# ---- the Job and its pod


@side_by_side(retry={"limit": 0})
async def test_a_job_is_deleted_by_hand(ground: Ground) -> None:
    await ground.task()
    pod = await ground.pod()
    job = pod["metadata"]["labels"]["job-name"]
    await ground.kube.delete(JOBS, job, ground.namespace)
    await ground.succeed(2)
    await ground.shows(completed("Preempted exit 143 free", "Succeeded exit 0", jobs=1, pods=1, events=RETRIED))


@side_by_side(image="played/creating")
async def test_a_job_is_deleted_by_hand_before_its_container_started(ground: Ground) -> None:
    await ground.task()
    pod = await ground.pod(phase="Pending")
    await ground.kube.delete(JOBS, pod["metadata"]["labels"]["job-name"], ground.namespace)
    await ground.pod(2, phase="Pending")
    await ground.shows(Seen("queued", "PodPending", ["PodDeleted exit 137", "open"], RETRIED[:3], jobs=1, pods=1))


@side_by_side(retry={"limit": 0})
async def test_a_pod_is_deleted_by_hand(ground: Ground) -> None:
    await ground.task()
    pod = await ground.pod()
    await ground.kube.delete(PODS, pod["metadata"]["name"], ground.namespace)
    await ground.succeed(2)
    await ground.shows(completed("Preempted exit 143 free", "Succeeded exit 0", jobs=2, pods=1, events=RETRIED))


@side_by_side(ttlSecondsAfterFinished=1)
async def test_a_finished_job_goes_after_its_time_to_live(ground: Ground) -> None:
    await ground.task()
    await ground.succeed()
    await ground.until(lambda status: status.get("phase") == "completed")
    await ground.none_left(JOBS)
    await ground.none_left(PODS)
    status = await ground.shows(completed("Succeeded exit 0", jobs=0, pods=0))
    assert status["result"]["artifacts"]


@side_by_side(ttlSecondsAfterFinished=0)
async def test_the_job_of_an_earlier_attempt_goes_while_the_next_one_runs(ground: Ground) -> None:
    await ground.task()
    await ground.fail(1, 75)
    await ground.pod(2)
    await ground.shows(Seen("processing", "Running", ["TemporaryFailure exit 75", "open"], RETRIED[:3], jobs=1, pods=1))
    await ground.succeed(2)
    attempts = "TemporaryFailure exit 75", "Succeeded exit 0"
    await ground.shows(completed(*attempts, jobs=0, pods=0, events=RETRIED))


# ---- the class


@side_by_side(maxInFlight=1)
async def test_a_class_changes_while_its_task_runs(ground: Ground) -> None:
    """What runs stays as it is; what starts from then on, the next attempt too, is made by the class as it is then."""
    await ground.task()
    running = await ground.pod()
    await ground.task("next")
    await ground.until(lambda status: status.get("queue"), "next")
    await ground.change_class(command=["python", "-m", "something_new"], maxInFlight=2)
    following = await ground.pod(name="next")
    await ground.end(running, code=75)
    again = await ground.pod(2)
    assert [each["spec"]["containers"][0]["command"][-1] for each in (running, following, again)] == [
        "mediatask_job",
        "something_new",
        "something_new",
    ]
    await ground.succeed(2)
    attempts = "TemporaryFailure exit 75", "Succeeded exit 0"
    await ground.shows(completed(*attempts, jobs=3, pods=3, events=RETRIED))


@side_by_side()
async def test_a_class_is_deleted_while_its_task_runs(ground: Ground) -> None:
    await ground.task()
    await ground.pod()
    await ground.drop_class()
    await ground.succeed()
    await ground.shows(completed("Succeeded exit 0", jobs=1, pods=1))


@side_by_side(maxInFlight=1)
async def test_a_class_is_deleted_between_two_attempts_and_comes_back(ground: Ground) -> None:
    await ground.task()
    pod = await ground.pod()
    await ground.task("next")
    await ground.until(lambda status: status.get("queue"), "next")
    await ground.drop_class()
    await ground.until(lambda status: reason(status, "Accepted") == "ClassNotFound", "next")
    await ground.end(pod, code=75)
    await ground.until(lambda status: reason(status, "Accepted") == "ClassNotFound")
    await ground.task_class()
    await ground.pod(name="next")
    await ground.succeed(2)
    attempts = "TemporaryFailure exit 75", "Succeeded exit 0"
    await ground.shows(completed(*attempts, jobs=3, pods=3, events=RETRIED))


@side_by_side()
async def test_a_task_waits_for_its_class(ground: Ground) -> None:
    later = f"{ground.class_name}-later"
    await ground.task(className=later)
    await ground.shows(Seen("queued", "ClassNotFound", true={"Reconciling", "Stalled"}))
    await ground.task_class(later)
    await ground.succeed()
    await ground.shows(completed("Succeeded exit 0", jobs=1, pods=1))


# ---- helpers


def held_pod() -> Object:
    return {
        "restartPolicy": "Never",
        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}],
        "containers": [{"name": "job", "image": "played/held"}],
    }


def reason(status: Object, kind: str) -> str | None:
    return next((each["reason"] for each in status.get("conditions", []) if each["type"] == kind), None)
