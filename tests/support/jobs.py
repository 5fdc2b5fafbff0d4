"""Plain Kubernetes Jobs for tests of whoever runs them: made from a Python snippet, watched to their end."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from mediatask_common.kube import JOBS, PODS, Kube, KubeError, Object

TIMEOUT = 30.0

T = TypeVar("T")


def job_object(code: str, *, name: str | None = None, spec: Object | None = None, **container: Any) -> Object:
    """A Job that runs a snippet of Python; `spec` adds to the Job's, keywords to the container's."""
    pod: Object = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 2,
        "automountServiceAccountToken": False,
        "containers": [{"name": "main", "image": "python", "command": ["python", "-c", code], **container}],
    }
    extra = dict(spec or {})
    pod |= extra.pop("pod", {})
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name or f"t-{uuid.uuid4().hex[:10]}"},
        "spec": {"backoffLimit": 0, **extra, "template": {"spec": pod}},
    }


class Jobs:
    """Jobs of one namespace."""

    def __init__(self, kube: Kube, namespace: str = "default") -> None:
        self.kube = kube
        self.namespace = namespace

    async def create(self, code: str, **wishes: Any) -> Object:
        return await self.kube.create(JOBS, job_object(code, **wishes), self.namespace)

    async def run(self, code: str, **wishes: Any) -> tuple[Object, Object]:
        """Run a snippet to its end: the Job as it ended, and its pod."""
        job = await self.create(code, **wishes)
        ended = await self.until(job, finished)
        return ended, await self.pod(ended)

    async def job(self, job: Object) -> Object:
        return await self.kube.get(JOBS, job["metadata"]["name"], self.namespace)

    async def pods(self, job: Object) -> list[Object]:
        listed = await self.kube.list(PODS, self.namespace, labelSelector=f"job-name={job['metadata']['name']}")
        items: list[Object] = listed["items"]
        return items

    async def pod(self, job: Object) -> Object:
        """The Job's one pod."""
        (pod,) = await self.pods(job)
        return pod

    async def until(self, job: Object, holds: Callable[[Object], bool], seconds: float = TIMEOUT) -> Object:
        """The Job, once something holds for it."""
        return await eventually(lambda: self.job(job), holds, seconds)

    async def pod_until(self, job: Object, holds: Callable[[Object], bool], seconds: float = TIMEOUT) -> Object:
        """The Job's pod, once something holds for it."""

        async def look() -> Object | None:
            pods = await self.pods(job)
            return pods[0] if pods else None

        found = await eventually(look, lambda pod: pod is not None and holds(pod), seconds)
        assert found is not None
        return found

    async def gone(self, resource: Any, name: str, seconds: float = TIMEOUT) -> None:
        """Wait until an object is not there any more."""

        async def look() -> bool:
            try:
                await self.kube.get(resource, name, self.namespace)
            except KubeError as error:
                return error.not_found
            return False

        await eventually(look, bool, seconds)

    async def log(self, pod: Object) -> str:
        path = PODS.path(self.namespace, pod["metadata"]["name"], "log")
        return b"".join([line async for line in self.kube.stream(path)]).decode()


async def eventually(look: Callable[[], Awaitable[T]], holds: Callable[[T], bool], seconds: float = TIMEOUT) -> T:
    """What `look` answers, once `holds` is content with it; fails with the last answer."""
    deadline = time.monotonic() + seconds
    while True:
        seen = await look()
        if holds(seen):
            return seen
        assert time.monotonic() < deadline, f"not within {seconds} s; last seen: {seen}"
        await asyncio.sleep(0.05)


def conditions(obj: Object) -> dict[str, Object]:
    """The true conditions by type."""
    listed = obj.get("status", {}).get("conditions") or []
    return {item["type"]: item for item in listed if item["status"] == "True"}


def finished(job: Object) -> bool:
    return bool({"Complete", "Failed"} & conditions(job).keys())


def running(pod: Object) -> bool:
    return bool(pod.get("status", {}).get("phase") == "Running")


def terminated(pod: Object) -> Object:
    """How the pod's container ended."""
    state: Object = pod["status"]["containerStatuses"][0]["state"]["terminated"]
    return state
