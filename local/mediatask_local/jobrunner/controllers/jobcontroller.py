"""Carries out what `jobs.decide` says, for every Job of the cluster."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from mediatask_common.kube import JOBS, PODS, Kube, KubeError, Object
from mediatask_common.times import utcnow

from ..conditions import condition
from ..events import Events
from ..pods.podstate import TRACKING_FINALIZER, owner_uid
from ..watching.informer import Informer, Key, key_of
from .jobpods import new_pod
from .jobs import Plan, decide, is_finished

COMPONENT = "job-controller"
MANAGER = "kubernetes.io/job-controller"
"""`spec.managedBy` of Jobs that are ours."""


class JobController:
    """Reconciles one Job at a time by its key; pods mark the key of their Job."""

    def __init__(self, kube: Kube, jobs: Informer, pods: Informer, events: Events) -> None:
        self._kube = kube
        self._jobs = jobs
        self._pods = pods
        self._events = events

    async def reconcile(self, key: Key) -> float | None:
        if not (self._jobs.synced.is_set() and self._pods.synced.is_set()):
            return 0.05
        job = self._jobs.get(key)
        # Pods are found by their owner's name, judged by its UID: those of a namesake that is gone are let go.
        uid = job["metadata"]["uid"] if job is not None else None
        pods = [pod for pod in self._pods if job_key(pod) == key]
        for pod in pods:
            if owner_uid(pod) != uid:
                await self._release(pod)
        if job is None or job["spec"].get("managedBy", MANAGER) != MANAGER:
            return None
        mine = [pod for pod in pods if owner_uid(pod) == uid]
        return await self._carry_out(job, decide(job, mine, utcnow()))

    async def _carry_out(self, job: Object, plan: Plan) -> float | None:
        metadata = job["metadata"]
        namespace, name = metadata["namespace"], metadata["name"]
        if plan.status is not None:
            # A replacement, not a patch: it is refused when the Job has changed since, and empty fields go.
            path = JOBS.path(namespace, name, "status")
            written = await self._kube.request("PUT", path, {**job, "status": plan.status})
            self._jobs.observe(written)
            self._tell_end(job, written)
        for pod in plan.release:
            await self._release(pod)
        for pod in plan.delete:
            with gone_is_fine():
                self._pods.observe(
                    await self._kube.delete(PODS, pod["metadata"]["name"], namespace, uid=pod["metadata"]["uid"])
                )
        for _ in range(plan.create):
            pod = await self._kube.create(PODS, new_pod(job), namespace)
            self._pods.observe(pod)
            message = f"Created pod: {pod['metadata']['name']}"
            self._events.emit(COMPONENT, job, "Job", "SuccessfulCreate", message)
        if plan.remove:
            with gone_is_fine():
                await self._kube.delete(JOBS, name, namespace, uid=metadata["uid"], propagation="Foreground")
        return plan.after

    async def _release(self, pod: Object) -> None:
        """Take the tracking finalizer off. Of a pod that has changed since, news is on its way, and another look."""
        metadata = pod["metadata"]
        finalizers = metadata.get("finalizers") or []
        if TRACKING_FINALIZER not in finalizers:
            return
        others = [each for each in finalizers if each != TRACKING_FINALIZER]
        change = {"metadata": {"resourceVersion": metadata["resourceVersion"], "finalizers": others or None}}
        namespace, name = key_of(pod)
        with gone_is_fine():
            released = await self._kube.patch(PODS, name, change, namespace)
            # The last finalizer of a deleted pod takes the pod with it; the watch tells.
            if "deletionTimestamp" not in released["metadata"]:
                self._pods.observe(released)

    def _tell_end(self, before: Object, after: Object) -> None:
        if is_finished(before) or not is_finished(after):
            return
        failed = condition(after, "Failed")
        if failed is not None:
            self._events.emit(COMPONENT, after, "Job", failed["reason"], failed.get("message", ""), warning=True)
        else:
            self._events.emit(COMPONENT, after, "Job", "Completed", "Job completed")


def job_key(pod: Object) -> Key | None:
    """Key of the Job that owns the pod."""
    for owner in pod["metadata"].get("ownerReferences") or []:
        if owner.get("controller") and owner["kind"] == "Job":
            return pod["metadata"]["namespace"], owner["name"]
    return None


@contextlib.contextmanager
def gone_is_fine() -> Iterator[None]:
    """What should go, or be changed on its way out, may be gone already."""
    try:
        yield
    except KubeError as error:
        # A uid precondition that fails is a 409 too: the object of that name is another one.
        if not error.not_found and not error.conflict:
            raise
