"""A namespace with a class of its own, in which a test is the user and, step by step, the job's process.

The class's image is `played/held` (`harness/stages.yaml`): its pods run until the test says how they end.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from cluster.harness.wait import wait_for
from cluster.kits.played.installed import JOB_ACCOUNT, Installed, task_class
from mediatask_common.kube import CLASSES, EVENTS, JOBS, NAMESPACES, PODS, TASKS, Kube, KubeError, Object, Resource
from mediatask_common.store import artifact_key
from mediatask_crds.names import API_VERSION, LABEL_ATTEMPT, LABEL_TASK, label_value
from mediatask_crds.podcontract import Artifact, JobError, JobResult, TerminationMessage
from support.jobs import eventually

SERVICE_ACCOUNTS = Resource("", "v1", "serviceaccounts")
MEDIA = b"a picture"
PROJECT = "film"
TERMINAL = {"completed": "Complete", "failed": "Failed", "cancelled": "Cancelled"}
SECONDS = 60.0


@dataclass
class Seen:
    """What there is to see of a task, in the words that tests compare.

    Attributes:
        phase: the status word.
        reason: of the condition that ended the task, else of `Running`, else of `JobCreated` or `Accepted`.
        attempts: of each `reason`, then ` exit N` if its container ended, then ` free` if it cost no retry; `open`
            while it lives.
        events: reasons of the Kubernetes Events about the task, oldest first.
        jobs: Jobs in the namespace.
        pods: pods in the namespace.
        true: the types of the conditions that hold; None is not compared.
        webhooks: the types of what was delivered; None is not compared.
    """

    phase: str
    reason: str
    attempts: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    jobs: int = 0
    pods: int = 0
    true: set[str] | None = None
    webhooks: list[str] | None = None


class Ground:
    """One namespace."""

    def __init__(self, kube: Kube, installed: Installed, namespace: str) -> None:
        self.kube = kube
        self.installed = installed
        self.namespace = namespace
        self.class_name = namespace
        self._classes: list[str] = []
        self._cleanups: list[Callable[[], Awaitable[Any]]] = []

    # ---- the platform team

    async def task_class(self, name: str | None = None, **spec: Any) -> str:
        """A class for pictures; the one of the namespace's name serves its tasks unless they name another."""
        name = name or self.class_name
        await self.kube.create(CLASSES, task_class(name, **spec))
        self._classes.append(name)
        return name

    async def change_class(self, name: str | None = None, **spec: Any) -> None:
        """Merge into a class's spec."""
        await self.kube.patch(CLASSES, name or self.class_name, {"spec": spec})

    async def drop_class(self, name: str | None = None) -> None:
        """Delete a class."""
        self._classes.remove(name or self.class_name)
        await self.kube.delete(CLASSES, name or self.class_name)

    def at_the_end(self, cleanup: Callable[[], Awaitable[Any]]) -> None:
        """Have something of the cluster's removed with the ground; that it is gone by then is no error."""
        self._cleanups.append(cleanup)

    async def close(self) -> None:
        """Remove everything."""
        for cleanup in self._cleanups:
            with contextlib.suppress(KubeError):
                await cleanup()
        await self.kube.delete(NAMESPACES, self.namespace)
        for name in self._classes:
            await self.kube.delete(CLASSES, name)

    # ---- the user

    async def task(self, name: str = "it", **spec: Any) -> Object:
        """A new task of the namespace's class, whose webhooks the receiver takes."""
        given = {
            "projectId": PROJECT,
            "taskType": "generate_image",
            "taskData": {"prompt": "a detective in the rain"},
            "className": self.class_name,
            "callback": {"url": self.installed.receiver.url(self.namespace)},
            **spec,
        }
        body = {"apiVersion": API_VERSION, "kind": "MediaTask", "metadata": {"name": name}, "spec": given}
        return await self.kube.create(TASKS, body, self.namespace)

    async def change(self, name: str = "it", **spec: Any) -> Object:
        """Merge into a task's spec."""
        return await self.kube.patch(TASKS, name, {"spec": spec}, self.namespace)

    async def until(self, holds: Callable[[Object], Any], name: str = "it", *, seconds: float = SECONDS) -> Object:
        """The task, once something holds for its status."""
        return await wait_for(
            self.kube,
            TASKS,
            name,
            lambda task: bool(holds(task.get("status") or {})),
            namespace=self.namespace,
            seconds=seconds,
        )

    # ---- the job's process

    async def pod(
        self, attempt: int = 1, name: str = "it", *, phase: str = "Running", instead_of: Object | None = None
    ) -> Object:
        """The living pod of an attempt, once it is in a phase on a node; `instead_of` an earlier one it replaces."""
        former = instead_of["metadata"]["uid"] if instead_of else None
        labels = f"{LABEL_TASK}={label_value(name)},{LABEL_ATTEMPT}={attempt}"

        async def look() -> list[Object]:
            listed: list[Object] = (await self.kube.list(PODS, self.namespace, labelSelector=labels))["items"]
            return [
                pod
                for pod in listed
                if pod["metadata"]["uid"] != former
                and "deletionTimestamp" not in pod["metadata"]
                and pod["status"].get("phase") == phase
                and "containerStatuses" in pod["status"]
            ]

        (found,) = await eventually(look, bool, SECONDS)
        return dict(found)

    async def end(self, pod: Object, ending: str = "exit", *, code: int = 0, message: str = "") -> None:
        """The pod ends like this, with these last words."""
        notes = {"ending": ending, "exit-code": str(code), "message": message, "run-seconds": "0"}
        annotations = {f"mediatask.test/{key}": value for key, value in notes.items()}
        await self.kube.patch(PODS, pod["metadata"]["name"], {"metadata": {"annotations": annotations}}, self.namespace)

    async def fail(self, attempt: int, code: int, name: str = "it", *, error: JobError | None = None) -> None:
        """The attempt's pod ends with an exit code, once it runs."""
        words = TerminationMessage(error=error).model_dump_json(exclude_none=True) if error else ""
        await self.end(await self.pod(attempt, name), code=code, message=words)

    async def result(self, attempt: int = 1, name: str = "it") -> JobResult:
        """Store the media; what is to be reported of it."""
        task = await self.kube.get(TASKS, name, self.namespace)
        key = artifact_key(PROJECT, task["metadata"]["uid"], attempt, "image.png")
        await self.installed.store.create(key, MEDIA, "image/png")
        digest = hashlib.sha256(MEDIA).hexdigest()
        artifact = Artifact(name="image.png", key=key, sha256=digest, bytes=len(MEDIA), content_type="image/png")
        return JobResult(artifacts=[artifact], metadata={"width": 64, "seed": 7}, timings={"infer": 1.5})

    async def succeed(self, attempt: int = 1, name: str = "it") -> None:
        """The attempt's pod stores the media and ends well, once it runs."""
        pod = await self.pod(attempt, name)
        await self.end(pod, message=last_words(await self.result(attempt, name)))

    # ---- what is left

    async def shows(self, expected: Seen, name: str = "it") -> Object:
        """Wait until all that there is to see of the task is this; fails with the difference. The task's status."""
        last: Object = {}

        async def look() -> Seen:
            last.clear()
            last.update(await self.kube.get(TASKS, name, self.namespace))
            return await self._see(last, expected)

        seen = await _settled(look, expected)
        assert seen == expected, f"\nseen     {seen}\nexpected {expected}\n{last.get('status')}"
        status: Object = last.get("status") or {}
        return status

    async def events(self, name: str = "it") -> list[str]:
        """Reasons of the Events about the task, oldest first."""
        listed = (await self.kube.list(EVENTS, self.namespace, fieldSelector="involvedObject.kind=MediaTask"))["items"]
        ours = [event for event in listed if event["involvedObject"]["name"] == name]
        return [event["reason"] for event in sorted(ours, key=_version)]

    async def count(self, resource: Resource) -> int:
        """How many objects of a kind are in the namespace."""
        return len((await self.kube.list(resource, self.namespace))["items"])

    async def gone(self, resource: Resource, name: str) -> None:
        """Wait until an object is not there any more."""

        async def absent() -> bool:
            try:
                await self.kube.get(resource, name, self.namespace)
            except KubeError as error:
                return error.not_found
            return False

        await eventually(absent, bool, SECONDS)

    async def none_left(self, resource: Resource) -> None:
        """Wait until no object of a kind is in the namespace."""
        await eventually(lambda: self.count(resource), lambda count: count == 0, SECONDS)

    async def report(self) -> str:
        """What there is to see here, for somebody who reads a failure."""
        found: list[Object] = []
        for resource in (TASKS, JOBS, PODS):
            for obj in (await self.kube.list(resource, self.namespace))["items"]:
                told = ("name", "creationTimestamp", "deletionTimestamp", "annotations")
                kept = {key: obj["metadata"].get(key) for key in told}
                found.append({resource.plural: kept, "status": obj.get("status")})
        for event in sorted((await self.kube.list(EVENTS, self.namespace))["items"], key=_version):
            found.append({"event": [event["involvedObject"]["name"], event["reason"], event["message"]]})
        return "\n".join(json.dumps(each) for each in found) + "\n" + self.installed.operator_log()

    async def _see(self, task: Object, wanted: Seen) -> Seen:
        status = task.get("status") or {}
        conditions = {each["type"]: each for each in status.get("conditions", [])}
        phase = status.get("phase", "")
        ending = TERMINAL.get(phase)
        deciding = next(
            (kind for kind in (ending, "Running", "JobCreated", "Accepted") if kind and kind in conditions), None
        )
        true = {kind for kind, each in conditions.items() if each["status"] == "True"}
        told = [each["type"] for each in self.installed.receiver.received(self.namespace)]
        return Seen(
            phase=phase,
            reason=conditions[deciding]["reason"] if deciding else "",
            attempts=[_attempt(each) for each in status.get("attempts", [])],
            events=await self.events(task["metadata"]["name"]),
            jobs=await self.count(JOBS),
            pods=await self.count(PODS),
            true=None if wanted.true is None else true,
            webhooks=None if wanted.webhooks is None else told,
        )


@asynccontextmanager
async def open_ground(
    kube: Kube, installed: Installed, namespace: str | None = None, **task_class: Any
) -> AsyncIterator[Ground]:
    """A new namespace with its class, gone in the end."""
    name = namespace or f"t-{secrets.token_hex(4)}"
    await kube.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    await wait_for(kube, SERVICE_ACCOUNTS, JOB_ACCOUNT, lambda _: True, namespace=name)
    ground = Ground(kube, installed, name)
    try:
        await ground.task_class(**task_class)
        yield ground
    finally:
        await ground.close()


def last_words(result: JobResult) -> str:
    """The termination message of a success."""
    return TerminationMessage(result=result).model_dump_json(exclude_none=True)


async def _settled(look: Callable[[], Any], expected: Any) -> Any:
    """What `look` answers, as soon as it is the expected, else after a while."""
    deadline = time.monotonic() + SECONDS
    while True:
        seen = await look()
        if seen == expected or time.monotonic() >= deadline:
            return seen
        await asyncio.sleep(0.2)


def _attempt(attempt: Object) -> str:
    if "endedAt" not in attempt:
        return "open"
    code = f" exit {attempt['exitCode']}" if "exitCode" in attempt else ""
    return f"{attempt['reason']}{code}{'' if attempt['counts'] else ' free'}"


def _version(obj: Object) -> int:
    return int(obj["metadata"]["resourceVersion"])
