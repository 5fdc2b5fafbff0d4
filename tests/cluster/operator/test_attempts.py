"""Every way in which an attempt can end, and what the operator makes of it."""

from __future__ import annotations

import secrets
from typing import Any

from cluster.harness.kwok import node
from cluster.harness.wait import wait_for
from cluster.kits.played import Ground, Seen, side_by_side
from cluster.kits.played.ground import PROJECT, last_words
from mediatask_common.kube import NODES, PODS, Object, Resource
from mediatask_common.store import result_key
from mediatask_crds.podcontract import JobError, JobResult, ResultReport, TerminationMessage

QUOTAS = Resource("", "v1", "resourcequotas")
NO_RETRY = {"retry": {"limit": 0}}
ONE_RETRY = {"retry": {"limit": 1}}
FAILED = ["JobCreated", "AttemptFailed", "Failed"]
RETRIED = ["JobCreated", "AttemptFailed", "JobCreated", "Completed"]
ENDED_BADLY = {"Accepted", "JobCreated", "Failed", "Stalled", "CallbackDelivered"}


def failed(reason: str, *attempts: str, jobs: int = 1, pods: int = 1, events: list[str] = FAILED) -> Seen:
    """A task that has failed and told so."""
    return Seen("failed", reason, list(attempts), events, jobs, pods, ENDED_BADLY, ["task.failed"])


def completed(*attempts: str, jobs: int | None = None, pods: int | None = None, events: list[str] = RETRIED) -> Seen:
    """A task that was completed after all, by default with the Jobs of all attempts and a pod each."""
    jobs = len(attempts) if jobs is None else jobs
    true = {"Accepted", "JobCreated", "Complete", "CallbackDelivered"}
    pods = jobs if pods is None else pods
    return Seen("completed", "Completed", list(attempts), events, jobs, pods, true, ["task.completed"])


# ---- exit codes that no further attempt can mend


async def ends_at_once(ground: Ground, code: int, reason: str) -> None:
    await ground.task()
    await ground.fail(1, code)
    status = await ground.shows(failed(reason, f"{reason} exit {code}"))
    assert status["error"]["code"] == reason
    assert status["error"]["retryable"] is False


@side_by_side()
async def test_10_invalid_input(ground: Ground) -> None:
    await ends_at_once(ground, 10, "InvalidInput")


@side_by_side()
async def test_11_unsafe_content(ground: Ground) -> None:
    await ends_at_once(ground, 11, "UnsafeContent")


@side_by_side()
async def test_12_model_missing(ground: Ground) -> None:
    await ends_at_once(ground, 12, "ModelMissing")


@side_by_side()
async def test_20_gpu_out_of_memory_without_another_class(ground: Ground) -> None:
    await ends_at_once(ground, 20, "GpuOutOfMemory")


@side_by_side()
async def test_20_gpu_out_of_memory_goes_on_with_the_fallback_class(ground: Ground) -> None:
    larger = await ground.task_class(f"{ground.class_name}-larger")
    smaller = await ground.task_class(f"{ground.class_name}-smaller", fallbackClass=larger)
    await ground.task(className=smaller)
    await ground.fail(1, 20)
    await ground.succeed(2)
    status = await ground.shows(completed("GpuOutOfMemory exit 20", "Succeeded exit 0"))
    assert status["className"] == larger


# ---- exit codes after which another attempt is made


@side_by_side(gpu={"count": 1})
async def test_30_gpu_fault_is_retried_on_another_node(ground: Ground) -> None:
    await ground.task()
    first = await ground.pod(1)
    await ground.end(first, code=30)
    second = await ground.pod(2)
    assert second["spec"]["nodeName"] != first["spec"]["nodeName"]
    await ground.succeed(2)
    await ground.shows(completed("GpuFault exit 30", "Succeeded exit 0"))


@side_by_side()
async def test_75_temporary_failure_is_retried(ground: Ground) -> None:
    await ground.task()
    await ground.fail(1, 75)
    waiting = await ground.until(lambda status: status.get("attempts", [{}])[0].get("reason"))
    assert waiting["status"]["phase"] == "queued"
    await ground.succeed(2)
    await ground.shows(completed("TemporaryFailure exit 75", "Succeeded exit 0"))


@side_by_side(**ONE_RETRY)
async def test_retries_end_at_their_limit(ground: Ground) -> None:
    await ground.task()
    await ground.fail(1, 75)
    await ground.fail(2, 75)
    events = ["JobCreated", "AttemptFailed", "JobCreated", "AttemptFailed", "Failed"]
    attempts = ["TemporaryFailure exit 75"] * 2
    status = await ground.shows(failed("TemporaryFailure", *attempts, jobs=2, pods=2, events=events))
    assert "attempt 2 of 2" in status["error"]["message"]
    assert status["error"]["retryable"] is True


@side_by_side(**NO_RETRY)
async def test_143_preemption_costs_no_retry(ground: Ground) -> None:
    await ground.task()
    await ground.fail(1, 143)
    await ground.succeed(2)
    await ground.shows(completed("Preempted exit 143 free", "Succeeded exit 0"))


@side_by_side(**NO_RETRY)
async def test_a_code_that_says_no_more(ground: Ground) -> None:
    await ground.task()
    await ground.end(await ground.pod(), code=3, message="Traceback: something broke")
    status = await ground.shows(failed("ContainerFailed", "ContainerFailed exit 3"))
    assert "something broke" in status["error"]["message"]


@side_by_side(**NO_RETRY)
async def test_killed_by_a_signal(ground: Ground) -> None:
    await ground.task()
    await ground.fail(1, 139)
    await ground.shows(failed("Killed", "Killed exit 139"))


@side_by_side(**NO_RETRY)
async def test_the_job_names_a_more_exact_reason(ground: Ground) -> None:
    await ground.task()
    error = JobError(code="InputUnreachable", message="https://x.example/a.png: 503", retryable=True)
    await ground.fail(1, 75, error=error)
    status = await ground.shows(failed("InputUnreachable", "InputUnreachable exit 75"))
    assert status["error"]["message"].startswith("https://x.example/a.png: 503")


@side_by_side(**NO_RETRY)
async def test_out_of_memory(ground: Ground) -> None:
    await ground.task()
    await ground.end(await ground.pod(), "oom-killed")
    await ground.shows(failed("OutOfMemory", "OutOfMemory exit 137"))


# ---- the cluster takes the pod away: replaced within the attempt, no retry spent


@side_by_side(**NO_RETRY)
async def test_evicted_by_the_kubelet(ground: Ground) -> None:
    await ground.task()
    evicted = await ground.pod()
    await ground.end(evicted, "evicted")
    await ground.until(lambda status: reason(status, "Running") == "ReplacingPod")
    await succeeds_in_place_of(ground, evicted)
    await ground.shows(completed("Succeeded exit 0", pods=2, events=["JobCreated", "Completed"]))


@side_by_side(**NO_RETRY)
async def test_evicted_through_the_api(ground: Ground) -> None:
    await ground.task()
    evicted = await ground.pod()
    name = evicted["metadata"]["name"]
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
    await ground.kube.request("POST", PODS.path(ground.namespace, name, "eviction"), body)
    await succeeds_in_place_of(ground, evicted)
    await ground.shows(completed("Succeeded exit 0", pods=1, events=["JobCreated", "Completed"]))


@side_by_side()
async def test_driven_off_its_node_by_a_taint(ground: Ground) -> None:
    doomed = await own_node(ground)
    await ground.task(className=await class_of_own_nodes(ground))
    driven_off = await ground.pod()
    taint = {"key": "maintenance", "effect": "NoExecute"}
    await ground.kube.patch(NODES, doomed, {"spec": {"taints": [taint]}})
    await own_node(ground)
    await succeeds_in_place_of(ground, driven_off)
    await ground.shows(completed("Succeeded exit 0", pods=1, events=["JobCreated", "Completed"]))


@side_by_side()
async def test_its_node_is_deleted(ground: Ground) -> None:
    """The slowest of all: Kubernetes waits 40 s before it believes that the node is gone."""
    doomed = await own_node(ground)
    await ground.task(className=await class_of_own_nodes(ground))
    lost = await ground.pod()
    await ground.until(lambda status: status.get("phase") == "processing")
    await ground.kube.delete(NODES, doomed)
    await own_node(ground)
    await ground.until(lambda status: reason(status, "Running") in ("ReplacingPod", "PodPending"), seconds=120)
    await succeeds_in_place_of(ground, lost)
    await ground.shows(completed("Succeeded exit 0", pods=1, events=["JobCreated", "Completed"]))


# ---- it never starts


@side_by_side(**NO_RETRY, gpu={"count": 64}, deadlines={"startSeconds": 15})
async def test_unschedulable(ground: Ground) -> None:
    await ground.task()
    waiting = await ground.until(lambda status: reason(status, "Running") == "Unschedulable")
    assert "Insufficient nvidia.com/gpu" in condition(waiting["status"], "Running")["message"]
    status = await ground.shows(failed("Unschedulable", "Unschedulable", jobs=0, pods=0))
    assert "Insufficient nvidia.com/gpu" in status["error"]["message"]


@side_by_side(**NO_RETRY, image="played/unpullable", deadlines={"startSeconds": 15})
async def test_the_image_cannot_be_pulled(ground: Ground) -> None:
    await ground.task()
    status = await ground.shows(failed("ImagePullFailed", "ImagePullFailed", jobs=0, pods=0))
    assert "played/unpullable" in status["error"]["message"]


@side_by_side(**NO_RETRY, image="played/creating", deadlines={"startSeconds": 15})
async def test_start_deadline(ground: Ground) -> None:
    await ground.task()
    await ground.shows(failed("StartDeadlineExceeded", "StartDeadlineExceeded", jobs=0, pods=0))


@side_by_side(resources={"requests": {"cpu": "many"}, "limits": {}})
async def test_a_job_that_the_api_server_finds_invalid(ground: Ground) -> None:
    await ground.task()
    expected = failed("JobRejected", jobs=0, pods=0, events=["Failed"])
    expected.true = {"Failed", "Stalled", "CallbackDelivered"}
    status = await ground.shows(expected)
    assert "many" in status["error"]["message"] or "quantit" in status["error"]["message"]


@side_by_side()
async def test_a_quota_delays_the_job(ground: Ground) -> None:
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"}}
    await ground.kube.create(QUOTAS, {**quota, "spec": {"hard": {"count/jobs.batch": "0"}}}, ground.namespace)
    await wait_for(ground.kube, QUOTAS, "none", lambda obj: "hard" in obj.get("status", {}), namespace=ground.namespace)
    await ground.task()
    waiting = await ground.until(lambda status: reason(status, "JobCreated") == "JobForbidden")
    assert "exceeded quota" in condition(waiting["status"], "JobCreated")["message"]
    await ground.kube.delete(QUOTAS, "none", ground.namespace)
    await ground.succeed()
    await ground.shows(completed("Succeeded exit 0", events=["JobCreated", "Completed"]))


# ---- it never ends


@side_by_side(**NO_RETRY, deadlines={"runSeconds": 4})
async def test_run_deadline(ground: Ground) -> None:
    await ground.task()
    await ground.shows(failed("RunDeadlineExceeded", "RunDeadlineExceeded", jobs=0, pods=0))


@side_by_side(deadlines={"totalSeconds": 15})
async def test_total_deadline(ground: Ground) -> None:
    await ground.task()
    await ground.pod()
    await ground.shows(failed("TotalDeadlineExceeded", "TotalDeadlineExceeded", jobs=0, pods=0))


# ---- it ends well, but


@side_by_side(**NO_RETRY)
async def test_no_result(ground: Ground) -> None:
    await ground.task()
    await ground.end(await ground.pod(), message="done, I believe")
    await ground.shows(failed("NoResult", "NoResult exit 0"))


@side_by_side(**NO_RETRY)
async def test_a_file_of_the_result_is_missing(ground: Ground) -> None:
    await ground.task()
    await claims(ground, name="other.png")
    await ground.shows(failed("ArtifactMissing", "ArtifactMissing exit 0"))


@side_by_side(**NO_RETRY)
async def test_a_file_of_the_result_is_another_one(ground: Ground) -> None:
    await ground.task()
    await claims(ground, sha256="0" * 64)
    await ground.shows(failed("ArtifactMismatch", "ArtifactMismatch exit 0"))


@side_by_side(**NO_RETRY)
async def test_a_file_of_the_result_belongs_to_another_task(ground: Ground) -> None:
    await ground.task()
    await claims(ground, key=f"projects/{PROJECT}/somebody-else/1/image.png")
    await ground.shows(failed("ResultInvalid", "ResultInvalid exit 0"))


@side_by_side()
async def test_a_large_result_is_read_from_the_store(ground: Ground) -> None:
    task = await ground.task()
    key = await publish(ground, task, await ground.result())
    await ground.end(await ground.pod(), message=TerminationMessage(result_key=key).model_dump_json(exclude_none=True))
    await ground.shows(completed("Succeeded exit 0", events=["JobCreated", "Completed"]))


@side_by_side()
async def test_what_was_published_counts_though_the_container_failed(ground: Ground) -> None:
    task = await ground.task()
    pod = await ground.pod()
    await publish(ground, task, await ground.result())
    await ground.end(pod, "oom-killed")
    await ground.shows(completed("OutOfMemory exit 137", events=["JobCreated", "Completed"]))


# ---- helpers


def condition(status: Object, kind: str) -> Object:
    return next((each for each in status.get("conditions", []) if each["type"] == kind), {})


def reason(status: Object, kind: str) -> str | None:
    return condition(status, kind).get("reason")


async def succeeds_in_place_of(ground: Ground, former: Object) -> None:
    replacement = await ground.pod(1, instead_of=former)
    await ground.end(replacement, message=last_words(await ground.result()))


async def own_node(ground: Ground) -> str:
    """A node for this ground alone."""
    name = f"{ground.namespace}-{secrets.token_hex(2)}"
    body = node(0, gpus=1)
    body["metadata"] |= {"name": name, "labels": {"only-for": ground.namespace}}
    body["spec"]["taints"] = [{"key": "only-for", "value": ground.namespace, "effect": "NoSchedule"}]
    await ground.kube.create(NODES, body)
    ground.at_the_end(lambda: ground.kube.delete(NODES, name))
    return name


async def class_of_own_nodes(ground: Ground) -> str:
    """A class whose tasks go to this ground's own nodes and nowhere else."""
    return await ground.task_class(
        f"{ground.class_name}-own",
        nodeSelector={"only-for": ground.namespace},
        tolerations=[{"key": "only-for", "operator": "Exists", "effect": "NoSchedule"}],
        **NO_RETRY,
    )


async def claims(ground: Ground, **changes: Any) -> None:
    """The job ends well and says something of its file that is not so."""
    pod, result = await ground.pod(), await ground.result()
    artifact = result.artifacts[0].model_copy(update=changes)
    if "name" in changes:
        artifact.key = artifact.key.rpartition("/")[0] + "/" + artifact.name
    await ground.end(pod, message=last_words(result.model_copy(update={"artifacts": [artifact]})))


async def publish(ground: Ground, task: Object, result: JobResult) -> str:
    """What the API's internal route does with a report."""
    key = result_key(PROJECT, task["metadata"]["uid"])
    report = ResultReport(attempt=1, result=result)
    await ground.installed.store.create(key, report.model_dump_json().encode(), "application/json")
    return key
