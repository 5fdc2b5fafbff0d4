"""Every way in which an attempt can end, and what the operator makes of it."""

from __future__ import annotations

import secrets
from typing import Any

from cluster.fixtures.kwok import Sandbox, Seen, side_by_side
from cluster.fixtures.kwok.sandbox import PROJECT, last_words
from cluster.harness.kwok import node
from cluster.harness.wait import wait_for
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


# ---- exit codes that no further attempt can fix


async def ends_at_once(sandbox: Sandbox, code: int, reason: str) -> None:
    await sandbox.task()
    await sandbox.fail(1, code)
    status = await sandbox.shows(failed(reason, f"{reason} exit {code}"))
    assert status["error"]["code"] == reason
    assert status["error"]["retryable"] is False


@side_by_side()
async def test_10_invalid_input(sandbox: Sandbox) -> None:
    await ends_at_once(sandbox, 10, "InvalidInput")


@side_by_side()
async def test_11_unsafe_content(sandbox: Sandbox) -> None:
    await ends_at_once(sandbox, 11, "UnsafeContent")


@side_by_side()
async def test_12_model_missing(sandbox: Sandbox) -> None:
    await ends_at_once(sandbox, 12, "ModelMissing")


@side_by_side()
async def test_20_gpu_out_of_memory_without_another_class(sandbox: Sandbox) -> None:
    await ends_at_once(sandbox, 20, "GpuOutOfMemory")


@side_by_side()
async def test_20_gpu_out_of_memory_goes_on_with_the_fallback_class(sandbox: Sandbox) -> None:
    larger = await sandbox.task_class(f"{sandbox.class_name}-larger")
    smaller = await sandbox.task_class(f"{sandbox.class_name}-smaller", fallbackClass=larger)
    await sandbox.task(className=smaller)
    await sandbox.fail(1, 20)
    await sandbox.succeed(2)
    status = await sandbox.shows(completed("GpuOutOfMemory exit 20 free", "Succeeded exit 0"))
    assert status["className"] == larger


# ---- exit codes after which another attempt is made


@side_by_side(gpu={"count": 1})
async def test_30_gpu_fault_is_retried_on_another_node(sandbox: Sandbox) -> None:
    await sandbox.task()
    first = await sandbox.pod(1)
    await sandbox.end(first, code=30)
    second = await sandbox.pod(2)
    assert second["spec"]["nodeName"] != first["spec"]["nodeName"]
    await sandbox.succeed(2)
    await sandbox.shows(completed("GpuFault exit 30", "Succeeded exit 0"))


@side_by_side()
async def test_75_temporary_failure_is_retried(sandbox: Sandbox) -> None:
    await sandbox.task()
    await sandbox.fail(1, 75)
    waiting = await sandbox.until(lambda status: status.get("attempts", [{}])[0].get("reason"))
    assert waiting["status"]["phase"] == "queued"
    await sandbox.succeed(2)
    await sandbox.shows(completed("TemporaryFailure exit 75", "Succeeded exit 0"))


@side_by_side(**ONE_RETRY)
async def test_retries_end_at_their_limit(sandbox: Sandbox) -> None:
    await sandbox.task()
    await sandbox.fail(1, 75)
    await sandbox.fail(2, 75)
    events = ["JobCreated", "AttemptFailed", "JobCreated", "AttemptFailed", "Failed"]
    attempts = ["TemporaryFailure exit 75"] * 2
    status = await sandbox.shows(failed("TemporaryFailure", *attempts, jobs=2, pods=2, events=events))
    assert "attempt 2 of 2" in status["error"]["message"]
    assert status["error"]["retryable"] is True


@side_by_side(**NO_RETRY)
async def test_143_preemption_costs_no_retry(sandbox: Sandbox) -> None:
    await sandbox.task()
    await sandbox.fail(1, 143)
    await sandbox.succeed(2)
    await sandbox.shows(completed("Preempted exit 143 free", "Succeeded exit 0"))


@side_by_side(**NO_RETRY)
async def test_a_code_that_says_no_more(sandbox: Sandbox) -> None:
    await sandbox.task()
    await sandbox.end(await sandbox.pod(), code=3, message="Traceback: something broke")
    status = await sandbox.shows(failed("ContainerFailed", "ContainerFailed exit 3"))
    assert "something broke" in status["error"]["message"]


@side_by_side(**NO_RETRY)
async def test_killed_by_a_signal(sandbox: Sandbox) -> None:
    await sandbox.task()
    await sandbox.fail(1, 139)
    await sandbox.shows(failed("Killed", "Killed exit 139"))


@side_by_side(**NO_RETRY)
async def test_the_job_names_a_more_exact_reason(sandbox: Sandbox) -> None:
    await sandbox.task()
    error = JobError(code="InputUnreachable", message="https://x.example/a.png: 503", retryable=True)
    await sandbox.fail(1, 75, error=error)
    status = await sandbox.shows(failed("InputUnreachable", "InputUnreachable exit 75"))
    assert status["error"]["message"].startswith("https://x.example/a.png: 503")


@side_by_side(**NO_RETRY)
async def test_out_of_memory(sandbox: Sandbox) -> None:
    await sandbox.task()
    await sandbox.end(await sandbox.pod(), "oom-killed")
    await sandbox.shows(failed("OutOfMemory", "OutOfMemory exit 137"))


# ---- the cluster takes the pod away: replaced within the attempt, no retry spent


@side_by_side(**NO_RETRY)
async def test_evicted_by_the_kubelet(sandbox: Sandbox) -> None:
    await sandbox.task()
    evicted = await sandbox.pod()
    await sandbox.end(evicted, "evicted")
    await sandbox.until(lambda status: reason(status, "Running") == "ReplacingPod")
    await succeeds_in_place_of(sandbox, evicted)
    await sandbox.shows(completed("Succeeded exit 0", pods=2, events=["JobCreated", "Completed"]))


@side_by_side(**NO_RETRY)
async def test_evicted_through_the_api(sandbox: Sandbox) -> None:
    await sandbox.task()
    evicted = await sandbox.pod()
    name = evicted["metadata"]["name"]
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
    await sandbox.kube.request("POST", PODS.path(sandbox.namespace, name, "eviction"), body)
    await succeeds_in_place_of(sandbox, evicted)
    await sandbox.shows(completed("Succeeded exit 0", pods=1, events=["JobCreated", "Completed"]))


@side_by_side()
async def test_driven_off_its_node_by_a_taint(sandbox: Sandbox) -> None:
    doomed = await own_node(sandbox)
    await sandbox.task(className=await class_of_own_nodes(sandbox))
    driven_off = await sandbox.pod()
    taint = {"key": "maintenance", "effect": "NoExecute"}
    await sandbox.kube.patch(NODES, doomed, {"spec": {"taints": [taint]}})
    await own_node(sandbox)
    await succeeds_in_place_of(sandbox, driven_off)
    await sandbox.shows(completed("Succeeded exit 0", pods=1, events=["JobCreated", "Completed"]))


@side_by_side()
async def test_its_node_is_deleted(sandbox: Sandbox) -> None:
    """The slowest of all: Kubernetes waits 40 s before it believes that the node is gone."""
    doomed = await own_node(sandbox)
    await sandbox.task(className=await class_of_own_nodes(sandbox))
    lost = await sandbox.pod()
    await sandbox.until(lambda status: status.get("phase") == "processing")
    await sandbox.kube.delete(NODES, doomed)
    await own_node(sandbox)
    await sandbox.until(lambda status: reason(status, "Running") in ("ReplacingPod", "PodPending"), seconds=120)
    await succeeds_in_place_of(sandbox, lost)
    await sandbox.shows(completed("Succeeded exit 0", pods=1, events=["JobCreated", "Completed"]))


# ---- it never starts


@side_by_side(**NO_RETRY, gpu={"count": 64}, deadlines={"startSeconds": 15})
async def test_unschedulable(sandbox: Sandbox) -> None:
    await sandbox.task()
    waiting = await sandbox.until(lambda status: reason(status, "Running") == "Unschedulable")
    assert "Insufficient nvidia.com/gpu" in condition(waiting["status"], "Running")["message"]
    status = await sandbox.shows(failed("Unschedulable", "Unschedulable", jobs=0, pods=0))
    assert "Insufficient nvidia.com/gpu" in status["error"]["message"]


@side_by_side(**NO_RETRY, image="played/unpullable", deadlines={"startSeconds": 15})
async def test_the_image_cannot_be_pulled(sandbox: Sandbox) -> None:
    await sandbox.task()
    status = await sandbox.shows(failed("ImagePullFailed", "ImagePullFailed", jobs=0, pods=0))
    assert "played/unpullable" in status["error"]["message"]


@side_by_side(**NO_RETRY, image="played/creating", deadlines={"startSeconds": 15})
async def test_start_deadline(sandbox: Sandbox) -> None:
    await sandbox.task()
    await sandbox.shows(failed("StartDeadlineExceeded", "StartDeadlineExceeded", jobs=0, pods=0))


@side_by_side(resources={"requests": {"cpu": "many"}, "limits": {}})
async def test_a_job_that_the_api_server_finds_invalid(sandbox: Sandbox) -> None:
    await sandbox.task()
    expected = failed("JobRejected", jobs=0, pods=0, events=["Failed"])
    expected.true = {"Failed", "Stalled", "CallbackDelivered"}
    status = await sandbox.shows(expected)
    assert "many" in status["error"]["message"] or "quantit" in status["error"]["message"]


@side_by_side()
async def test_a_quota_delays_the_job(sandbox: Sandbox) -> None:
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"}}
    await sandbox.kube.create(QUOTAS, {**quota, "spec": {"hard": {"count/jobs.batch": "0"}}}, sandbox.namespace)
    await wait_for(
        sandbox.kube, QUOTAS, "none", lambda obj: "hard" in obj.get("status", {}), namespace=sandbox.namespace
    )
    await sandbox.task()
    waiting = await sandbox.until(lambda status: reason(status, "JobCreated") == "JobForbidden")
    assert "exceeded quota" in condition(waiting["status"], "JobCreated")["message"]
    await sandbox.kube.delete(QUOTAS, "none", sandbox.namespace)
    await sandbox.succeed()
    await sandbox.shows(completed("Succeeded exit 0", events=["JobCreated", "Completed"]))


# ---- it never ends


@side_by_side(**NO_RETRY, deadlines={"runSeconds": 4})
async def test_run_deadline(sandbox: Sandbox) -> None:
    await sandbox.task()
    await sandbox.shows(failed("RunDeadlineExceeded", "RunDeadlineExceeded", jobs=0, pods=0))


@side_by_side(deadlines={"totalSeconds": 15})
async def test_total_deadline(sandbox: Sandbox) -> None:
    await sandbox.task()
    await sandbox.pod()
    await sandbox.shows(failed("TotalDeadlineExceeded", "TotalDeadlineExceeded", jobs=0, pods=0))


# ---- it ends well, but


@side_by_side(**NO_RETRY)
async def test_no_result(sandbox: Sandbox) -> None:
    await sandbox.task()
    await sandbox.end(await sandbox.pod(), message="done, I believe")
    await sandbox.shows(failed("NoResult", "NoResult exit 0"))


@side_by_side(**NO_RETRY)
async def test_a_file_of_the_result_is_missing(sandbox: Sandbox) -> None:
    await sandbox.task()
    await claims(sandbox, name="other.png")
    await sandbox.shows(failed("ArtifactMissing", "ArtifactMissing exit 0"))


@side_by_side(**NO_RETRY)
async def test_a_file_of_the_result_is_another_one(sandbox: Sandbox) -> None:
    await sandbox.task()
    await claims(sandbox, sha256="0" * 64)
    await sandbox.shows(failed("ArtifactMismatch", "ArtifactMismatch exit 0"))


@side_by_side(**NO_RETRY)
async def test_a_file_of_the_result_belongs_to_another_task(sandbox: Sandbox) -> None:
    await sandbox.task()
    await claims(sandbox, key=f"projects/{PROJECT}/somebody-else/1/image.png")
    await sandbox.shows(failed("ResultInvalid", "ResultInvalid exit 0"))


@side_by_side()
async def test_a_large_result_is_read_from_the_store(sandbox: Sandbox) -> None:
    task = await sandbox.task()
    key = await publish(sandbox, task, await sandbox.result())
    await sandbox.end(
        await sandbox.pod(), message=TerminationMessage(result_key=key).model_dump_json(exclude_none=True)
    )
    await sandbox.shows(completed("Succeeded exit 0", events=["JobCreated", "Completed"]))


@side_by_side()
async def test_what_was_published_counts_though_the_container_failed(sandbox: Sandbox) -> None:
    task = await sandbox.task()
    pod = await sandbox.pod()
    await publish(sandbox, task, await sandbox.result())
    await sandbox.end(pod, "oom-killed")
    await sandbox.shows(completed("OutOfMemory exit 137", events=["JobCreated", "Completed"]))


# ---- helpers


def condition(status: Object, kind: str) -> Object:
    return next((each for each in status.get("conditions", []) if each["type"] == kind), {})


def reason(status: Object, kind: str) -> str | None:
    return condition(status, kind).get("reason")


async def succeeds_in_place_of(sandbox: Sandbox, former: Object) -> None:
    replacement = await sandbox.pod(1, instead_of=former)
    await sandbox.end(replacement, message=last_words(await sandbox.result()))


async def own_node(sandbox: Sandbox) -> str:
    """A node for this sandbox alone."""
    name = f"{sandbox.namespace}-{secrets.token_hex(2)}"
    body = node(0, gpus=1)
    body["metadata"] |= {"name": name, "labels": {"only-for": sandbox.namespace}}
    body["spec"]["taints"] = [{"key": "only-for", "value": sandbox.namespace, "effect": "NoSchedule"}]
    await sandbox.kube.create(NODES, body)
    sandbox.at_the_end(lambda: sandbox.kube.delete(NODES, name))
    return name


async def class_of_own_nodes(sandbox: Sandbox) -> str:
    """A class whose tasks go to this sandbox's own nodes and nowhere else."""
    return await sandbox.task_class(
        f"{sandbox.class_name}-own",
        nodeSelector={"only-for": sandbox.namespace},
        tolerations=[{"key": "only-for", "operator": "Exists", "effect": "NoSchedule"}],
        **NO_RETRY,
    )


async def claims(sandbox: Sandbox, **changes: Any) -> None:
    """The job ends well and says something of its file that is not so."""
    pod, result = await sandbox.pod(), await sandbox.result()
    artifact = result.artifacts[0].model_copy(update=changes)
    if "name" in changes:
        artifact.key = artifact.key.rpartition("/")[0] + "/" + artifact.name
    await sandbox.end(pod, message=last_words(result.model_copy(update={"artifacts": [artifact]})))


async def publish(sandbox: Sandbox, task: Object, result: JobResult) -> str:
    """What the API's internal route does with a report."""
    key = result_key(PROJECT, task["metadata"]["uid"])
    report = ResultReport(attempt=1, result=result)
    await sandbox.installed.store.create(key, report.model_dump_json().encode(), "application/json")
    return key
