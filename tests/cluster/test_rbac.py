"""Least privilege: what operator and API do is what the chart's roles grant, no less and no more."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from cluster.fixtures.kwok import Installation, Sandbox, render
from cluster.fixtures.kwok.audit import Right, granted, refused, requests, used
from cluster.fixtures.kwok.chart import BUDGETS, apply
from cluster.fixtures.kwok.installation import JOB_ACCOUNT
from cluster.fixtures.kwok.sandbox import MEDIA, PROJECT
from cluster.harness.provided import Provided
from mediatask_common.kube import JOBS, Kube, Object, Resource
from mediatask_crds.podcontract import TerminationMessage
from support.budgets import put_budget
from support.jobs import eventually

SERVICE_ACCOUNTS = Resource("", "v1", "serviceaccounts")
UNUSED = {
    # The admission plugin OwnerReferencesPermissionEnforcement, on in the tests' cluster as in OpenShift's, asks for it
    # by itself: no request of ours shows it, but no Job could be created without it.
    Right("update", "tasks.ft.tc", "mediatasks/finalizers"),
}
REQUEST = {"project_id": PROJECT, "task_type": "generate_image", "task_data": {"prompt": "a lighthouse at night"}}


class Front:
    """Callers and pods of the API."""

    def __init__(self, sandbox: Sandbox, public: httpx.AsyncClient, internal: httpx.AsyncClient) -> None:
        self.sandbox = sandbox
        self.public = public
        self.internal = internal

    async def call(self, method: str, path: str, expect: int = 200, **request: Any) -> Any:
        answer = await self.public.request(method, path, **request)
        assert answer.status_code == expect, answer.text
        return answer.json()

    async def submit(self) -> str:
        body = REQUEST | {"callback_url": self.sandbox.installed.receiver.url(self.sandbox.namespace)}
        task_id: str = (await self.call("POST", "/tasks/submit", 202, json=body))["task_id"]
        return task_id

    async def token(self, pod: Object) -> str:
        """The token that the kubelet would project into the pod."""
        reference = {"apiVersion": "v1", "kind": "Pod", "name": pod["metadata"]["name"], "uid": pod["metadata"]["uid"]}
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"audiences": ["mediatask"], "expirationSeconds": 600, "boundObjectRef": reference},
        }
        path = SERVICE_ACCOUNTS.path(self.sandbox.namespace, JOB_ACCOUNT, "token")
        token: str = (await self.sandbox.kube.request("POST", path, body))["status"]["token"]
        return token

    async def report(self, token: str, task_id: str, route: str, **body: Any) -> Any:
        """What a job's process posts."""
        answer = await self.internal.post(
            f"/internal/v1/tasks/{task_id}/{route}",
            json={"attempt": 1, **body},
            headers={"Authorization": f"Bearer {token}"},
        )
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
async def front(kube: Kube, installed: Installation) -> AsyncIterator[Front]:
    async with (
        httpx.AsyncClient(
            base_url=f"{installed.api_url}/api/v1", headers={"X-API-Key": installed.api_key}, timeout=30
        ) as public,
        httpx.AsyncClient(base_url=installed.internal_url, timeout=30) as internal,
    ):
        yield Front(Sandbox(kube, installed, installed.namespace), public, internal)


async def test_the_rights_granted_are_the_rights_used(cluster: Provided, installed: Installation, front: Front) -> None:
    """The whole repertoire, then the audit log."""
    if cluster.audit_log is None:
        pytest.skip("the cluster of KUBECONFIG keeps its audit log to itself")
    await runs_to_completion(front)
    await is_cancelled(front)
    await loses_its_job(front)
    await is_watched_over(front)
    await is_taken_back(front)
    await has_a_budget(front)

    chart = render(installed.namespace)
    for component in ("operator", "api"):
        account = f"system:serviceaccount:{installed.namespace}:mediatask-{component}"
        asked = list(requests(cluster.audit_log, account))
        rights = granted(chart, account)
        assert refused(asked) == []
        assert used(asked) - rights == set(), f"{component} uses more than the chart grants"
        assert rights - used(asked) - UNUSED == set(), f"the chart grants {component} more than it uses"
        assert not any("*" in part for right in rights for part in right)
    assert granted(chart, f"system:serviceaccount:{installed.namespace}:{JOB_ACCOUNT}") == set()


async def test_without_the_right_that_no_request_shows_no_job_is_created(
    kube: Kube, sandbox: Sandbox, installed: Installation
) -> None:
    chart = render(installed.namespace)
    lacking = copy.deepcopy(chart)
    for body in lacking:
        body["rules"] = [rule for rule in body.get("rules", []) if rule["resources"] != ["mediatasks/finalizers"]]
    roles = [body for body in lacking if body["kind"] == "ClusterRole"]
    await apply(kube, roles)
    try:
        await sandbox.task()
        waiting = await sandbox.until(
            lambda status: any(c["reason"] == "JobForbidden" for c in status.get("conditions", []))
        )
    finally:
        await apply(kube, [body for body in chart if body["kind"] == "ClusterRole"])
    assert "cannot set blockOwnerDeletion" in str(waiting["status"]["conditions"])


def reasons(status: Object) -> set[str]:
    return {condition["reason"] for condition in status.get("conditions", [])}


async def runs_to_completion(front: Front) -> None:
    """A task over REST; its job reports, uploads and publishes with the token of its pod."""
    task_id = await front.submit()
    pod = await front.sandbox.pod(name=task_id)
    token = await front.token(pod)
    assert await front.report(token, task_id, "progress", progress=0.5, step="denoising") == {"cancel": False}
    await front.sandbox.until(lambda status: status.get("currentStep") == "denoising", task_id)
    digest = hashlib.sha256(MEDIA).hexdigest()
    file = {"name": "image.png", "content_type": "image/png", "bytes": len(MEDIA), "sha256": digest}
    grant = await front.report(token, task_id, "artifacts", **file)
    stored = await front.internal.put(grant["url"], content=MEDIA, headers=grant["headers"])
    assert stored.status_code == 201, stored.text
    result = {"artifacts": [file | {"key": grant["key"]}], "metadata": {"seed": 7}}
    published = await front.report(token, task_id, "result", result=result)
    words = TerminationMessage(result_key=published["result_key"])
    await front.sandbox.end(pod, message=words.model_dump_json(exclude_none=True))
    await front.sandbox.until(lambda status: status.get("phase") == "completed", task_id)
    answer = await front.call("GET", f"/tasks/{task_id}/status")
    assert answer["status"] == "completed"
    assert "event: completed" in (await front.public.get(f"/tasks/{task_id}/events")).text
    media = await front.public.get(answer["result"]["media_url"])
    assert media.content == MEDIA


async def is_cancelled(front: Front) -> None:
    task_id = await front.submit()
    await front.sandbox.pod(name=task_id)
    # No container runs here, so there is no log to be had; the right to ask for it is used all the same.
    assert (await front.public.get(f"/tasks/{task_id}/logs")).status_code != 403
    await front.public.delete(f"/tasks/{task_id}/cancel")
    await front.sandbox.until(lambda status: status.get("phase") == "cancelled", task_id)


async def loses_its_job(front: Front) -> None:
    """That it is gone is asked of the API server before it is believed."""
    task_id = await front.submit()
    pod = await front.sandbox.pod(name=task_id)
    await front.sandbox.until(lambda status: status.get("attempts"), task_id)
    await front.sandbox.kube.delete(JOBS, pod["metadata"]["labels"]["job-name"], front.sandbox.namespace)
    await front.sandbox.fail(2, 10, task_id)
    await front.sandbox.until(lambda status: status.get("phase") == "failed", task_id)


async def is_watched_over(front: Front) -> None:
    listed = await front.call("GET", f"/projects/{PROJECT}/tasks")
    assert listed["total"] >= 3
    await front.call("POST", "/keys", 201, json={"name": "another", "projects": [PROJECT], "role": "viewer"})
    for path in ("/workers/status", "/task-types", "/health", "/stats", "/keys"):
        await front.call("GET", path)


async def has_a_budget(front: Front) -> None:
    """Read by the operator, who makes a record of it and changes that; the API reads the record."""
    for limit in ("7", "8"):
        place = front.sandbox.installed.namespace, BUDGETS
        await put_budget(front.sandbox.kube, PROJECT, limit, place=place)

        async def limits() -> list[str]:
            answer = await front.call("GET", f"/projects/{PROJECT}/budgets")
            return [budget["limit"] for budget in answer["budgets"]]

        await eventually(limits, lambda found, limit=limit: found == [limit], 60)


async def is_taken_back(front: Front) -> None:
    """Of an atomic batch whose second task cannot be accepted, the first one is deleted again."""
    keyed = REQUEST | {"idempotency_key": "once"}
    await front.call("POST", "/tasks/batch", json={"tasks": [keyed]})
    other = {"tasks": [REQUEST, keyed | {"priority": 9}], "atomic": True}
    assert (await front.call("POST", "/tasks/batch", 422, json=other))["errors"][0]["loc"][:3] == ["body", "tasks", 1]
