"""The operator dies, or is away, at the worst moments: nothing is lost, nothing runs twice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from cluster.fixtures.kwok import Sandbox, Seen
from cluster.fixtures.kwok.chart import RELEASE
from cluster.fixtures.kwok.sandbox import last_words
from mediatask_common.kube import JOBS, PODS, TASKS, Kube, KubeError, Object, Resource
from support.jobs import eventually

_ADMISSION = ("admissionregistration.k8s.io", "v1")
POLICIES = Resource(*_ADMISSION, "validatingadmissionpolicies", namespaced=False)
BINDINGS = Resource(*_ADMISSION, "validatingadmissionpolicybindings", namespaced=False)
COMPLETED = Seen(
    "completed", "Completed", ["Succeeded exit 0"], ["JobCreated", "Completed"], 1, 1, webhooks=["task.completed"]
)
BURST = 40


async def test_killed_in_the_middle_of_an_attempt(sandbox: Sandbox) -> None:
    await sandbox.task()
    pod = await sandbox.pod()
    await sandbox.until(lambda status: status.get("phase") == "processing")
    sandbox.installed.kill_operator()
    await sandbox.end(pod, message=last_words(await sandbox.result()))
    sandbox.installed.start_operator()
    await sandbox.shows(COMPLETED)


async def test_killed_between_the_job_and_the_status_that_speaks_of_it(sandbox: Sandbox) -> None:
    async with status_refused(sandbox):
        await sandbox.task()
        await sandbox.pod()
        sandbox.installed.kill_operator()
    assert "status" not in await sandbox.kube.get(TASKS, "it", sandbox.namespace)
    sandbox.installed.start_operator()
    await sandbox.succeed()
    await sandbox.shows(COMPLETED)


async def test_killed_while_it_creates_many_jobs(sandbox: Sandbox) -> None:
    for number in range(BURST):
        await sandbox.task(f"task-{number}", callback=None)
        if number == BURST // 2:
            sandbox.installed.kill_operator()
    sandbox.installed.start_operator()

    async def running() -> set[str]:
        listed = (await sandbox.kube.list(TASKS, sandbox.namespace))["items"]
        return {task["metadata"]["name"] for task in listed if task.get("status", {}).get("phase") == "processing"}

    await eventually(running, lambda names: len(names) == BURST, 60)
    jobs = (await sandbox.kube.list(JOBS, sandbox.namespace))["items"]
    owners = [job["metadata"]["ownerReferences"][0]["name"] for job in jobs]
    assert sorted(owners) == sorted(set(owners))
    assert len(owners) == BURST


async def test_cancelled_while_the_operator_was_away(sandbox: Sandbox) -> None:
    await sandbox.task()
    await sandbox.pod()
    with sandbox.installed.operator_away():
        await sandbox.change(cancel=True)
    await sandbox.shows(Seen("cancelled", "Cancelled", ["Cancelled free"], ["JobCreated", "Cancelled"]))


async def test_cancelled_as_it_finished(sandbox: Sandbox) -> None:
    """The media is there: that is told, though somebody had changed their mind."""
    await sandbox.task()
    pod = await sandbox.pod()
    with sandbox.installed.operator_away():
        await sandbox.change(cancel=True)
        await sandbox.end(pod, message=last_words(await sandbox.result()))
        await sandbox.pod(phase="Succeeded")
    await sandbox.shows(COMPLETED)


async def test_its_job_vanished_while_the_operator_was_away(sandbox: Sandbox) -> None:
    await sandbox.task()
    pod = await sandbox.pod()
    await sandbox.until(lambda status: status.get("attempt") == 1)
    with sandbox.installed.operator_away():
        await sandbox.kube.delete(JOBS, pod["metadata"]["labels"]["job-name"], sandbox.namespace)
        await sandbox.none_left(JOBS)
        await sandbox.gone(PODS, pod["metadata"]["name"])
    await sandbox.succeed(2)
    await sandbox.shows(
        Seen(
            "completed",
            "Completed",
            ["JobDeleted", "Succeeded exit 0"],
            ["JobCreated", "AttemptFailed", "JobCreated", "Completed"],
            jobs=1,
            pods=1,
        )
    )


@asynccontextmanager
async def status_refused(sandbox: Sandbox) -> AsyncIterator[None]:
    """The API server takes no status from the operator for tasks of this sandbox."""
    kube, name = sandbox.kube, sandbox.namespace
    account = f"system:serviceaccount:{sandbox.installed.namespace}:{RELEASE}-operator"
    policy = {
        "matchConstraints": {
            "resourceRules": [
                {
                    "apiGroups": ["tasks.ft.tc"],
                    "apiVersions": ["*"],
                    "operations": ["UPDATE"],
                    "resources": ["mediatasks/status"],
                }
            ]
        },
        "validations": [{"expression": f"request.userInfo.username != '{account}'"}],
    }
    binding = {
        "policyName": name,
        "validationActions": ["Deny"],
        "matchResources": {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}},
    }
    await kube.create(POLICIES, admission("ValidatingAdmissionPolicy", name, policy))
    await kube.create(BINDINGS, admission("ValidatingAdmissionPolicyBinding", name, binding))
    try:
        await acts_by_it(sandbox)
        yield
    finally:
        await kube.delete(BINDINGS, name)
        await kube.delete(POLICIES, name)


def admission(kind: str, name: str, spec: Object) -> Object:
    return {"apiVersion": "/".join(_ADMISSION), "kind": kind, "metadata": {"name": name}, "spec": spec}


async def acts_by_it(sandbox: Sandbox) -> None:
    """Wait until the policy is in force: that takes the API server a moment."""
    await sandbox.task("probe", managedBy="example.com/other")
    async with await Kube.connect(sandbox.installed.kubeconfigs["operator"]) as operator:

        async def refused() -> bool:
            try:
                body = {"status": {"currentStep": "probing"}}
                await operator.patch(TASKS, "probe", body, sandbox.namespace, subresource="status")
            except KubeError as error:
                return error.status == 422
            return False

        await eventually(refused, bool)
    await sandbox.kube.delete(TASKS, "probe", sandbox.namespace)
