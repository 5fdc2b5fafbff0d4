"""The operator dies, or is away, at the worst moments: nothing is lost, nothing runs twice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from cluster.kits.played import Ground, Seen
from cluster.kits.played.chart import RELEASE
from cluster.kits.played.ground import last_words
from mediatask_common.kube import JOBS, PODS, TASKS, Kube, KubeError, Object, Resource
from support.jobs import eventually

_ADMISSION = ("admissionregistration.k8s.io", "v1")
POLICIES = Resource(*_ADMISSION, "validatingadmissionpolicies", namespaced=False)
BINDINGS = Resource(*_ADMISSION, "validatingadmissionpolicybindings", namespaced=False)
COMPLETED = Seen(
    "completed", "Completed", ["Succeeded exit 0"], ["JobCreated", "Completed"], 1, 1, webhooks=["task.completed"]
)
BURST = 40


async def test_killed_in_the_middle_of_an_attempt(ground: Ground) -> None:
    await ground.task()
    pod = await ground.pod()
    await ground.until(lambda status: status.get("phase") == "processing")
    ground.installed.kill_operator()
    await ground.end(pod, message=last_words(await ground.result()))
    ground.installed.start_operator()
    await ground.shows(COMPLETED)


async def test_killed_between_the_job_and_the_status_that_speaks_of_it(ground: Ground) -> None:
    async with status_refused(ground):
        await ground.task()
        await ground.pod()
        ground.installed.kill_operator()
    assert "status" not in await ground.kube.get(TASKS, "it", ground.namespace)
    ground.installed.start_operator()
    await ground.succeed()
    await ground.shows(COMPLETED)


async def test_killed_while_it_creates_many_jobs(ground: Ground) -> None:
    for number in range(BURST):
        await ground.task(f"task-{number}", callback=None)
        if number == BURST // 2:
            ground.installed.kill_operator()
    ground.installed.start_operator()

    async def running() -> set[str]:
        listed = (await ground.kube.list(TASKS, ground.namespace))["items"]
        return {task["metadata"]["name"] for task in listed if task.get("status", {}).get("phase") == "processing"}

    await eventually(running, lambda names: len(names) == BURST, 60)
    jobs = (await ground.kube.list(JOBS, ground.namespace))["items"]
    owners = [job["metadata"]["ownerReferences"][0]["name"] for job in jobs]
    assert sorted(owners) == sorted(set(owners))
    assert len(owners) == BURST


async def test_cancelled_while_the_operator_was_away(ground: Ground) -> None:
    await ground.task()
    await ground.pod()
    with ground.installed.operator_away():
        await ground.change(cancel=True)
    await ground.shows(Seen("cancelled", "Cancelled", ["Cancelled free"], ["JobCreated", "Cancelled"]))


async def test_cancelled_as_it_finished(ground: Ground) -> None:
    """The media is there: that is told, though somebody had changed their mind."""
    await ground.task()
    pod = await ground.pod()
    with ground.installed.operator_away():
        await ground.change(cancel=True)
        await ground.end(pod, message=last_words(await ground.result()))
        await ground.pod(phase="Succeeded")
    await ground.shows(COMPLETED)


async def test_its_job_vanished_while_the_operator_was_away(ground: Ground) -> None:
    await ground.task()
    pod = await ground.pod()
    await ground.until(lambda status: status.get("attempt") == 1)
    with ground.installed.operator_away():
        await ground.kube.delete(JOBS, pod["metadata"]["labels"]["job-name"], ground.namespace)
        await ground.none_left(JOBS)
        await ground.gone(PODS, pod["metadata"]["name"])
    await ground.succeed(2)
    await ground.shows(
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
async def status_refused(ground: Ground) -> AsyncIterator[None]:
    """The API server takes no status from the operator for tasks of this ground."""
    kube, name = ground.kube, ground.namespace
    account = f"system:serviceaccount:{ground.installed.namespace}:{RELEASE}-operator"
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
        await acts_by_it(ground)
        yield
    finally:
        await kube.delete(BINDINGS, name)
        await kube.delete(POLICIES, name)


def admission(kind: str, name: str, spec: Object) -> Object:
    return {"apiVersion": "/".join(_ADMISSION), "kind": kind, "metadata": {"name": name}, "spec": spec}


async def acts_by_it(ground: Ground) -> None:
    """Wait until the policy is in force: that takes the API server a moment."""
    await ground.task("probe", managedBy="example.com/other")
    async with await Kube.connect(ground.installed.kubeconfigs["operator"]) as operator:

        async def refused() -> bool:
            try:
                body = {"status": {"currentStep": "probing"}}
                await operator.patch(TASKS, "probe", body, ground.namespace, subresource="status")
            except KubeError as error:
                return error.status == 422
            return False

        await eventually(refused, bool)
    await ground.kube.delete(TASKS, "probe", ground.namespace)
