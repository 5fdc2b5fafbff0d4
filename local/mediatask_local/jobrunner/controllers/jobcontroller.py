"""Carries out the plans of `jobs.decide` for every Job of the cluster."""

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
"""`spec.managedBy` of the Jobs that this controller manages."""


class JobController:
    """Reconciles Jobs by key; a change of a pod enqueues the key of the Job that owns it."""

    def __init__(self, kube: Kube, jobs: Informer, pods: Informer, events: Events) -> None:
        self._kube = kube
        self._jobs = jobs
        self._pods = pods
        self._events = events

    async def reconcile(self, key: Key) -> float | None:
        if not (self._jobs.synced.is_set() and self._pods.synced.is_set()):
            return 0.05
        job = self._jobs.get(key)
        # Pods are found by their owner's name, then by its UID: those of a deleted Job of that name are released.
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
            # PUT, not PATCH: it conflicts when the Job has changed since, and drops empty fields.
            path = JOBS.path(namespace, name, "status")
            written = await self._kube.request("PUT", path, {**job, "status": plan.status})
            self._jobs.observe(written)
            self._emit_finished(job, written)
        for pod in plan.release:
            await self._release(pod)
        for pod in plan.delete:
            with ignore_gone():
                self._pods.observe(
                    await self._kube.delete(PODS, pod["metadata"]["name"], namespace, uid=pod["metadata"]["uid"])
                )
        for _ in range(plan.create):
            pod = await self._kube.create(PODS, new_pod(job), namespace)
            self._pods.observe(pod)
            message = f"Created pod: {pod['metadata']['name']}"
            self._events.emit(COMPONENT, job, "Job", "SuccessfulCreate", message)
        if plan.remove:
            with ignore_gone():
                await self._kube.delete(JOBS, name, namespace, uid=metadata["uid"], propagation="Foreground")
        return plan.after

    async def _release(self, pod: Object) -> None:
        """Remove the tracking finalizer. If the pod has changed since, its watch event causes another reconcile."""
        metadata = pod["metadata"]
        finalizers = metadata.get("finalizers") or []
        if TRACKING_FINALIZER not in finalizers:
            return
        others = [each for each in finalizers if each != TRACKING_FINALIZER]
        change = {"metadata": {"resourceVersion": metadata["resourceVersion"], "finalizers": others or None}}
        namespace, name = key_of(pod)
        with ignore_gone():
            released = await self._kube.patch(PODS, name, change, namespace)
            # Removing the last finalizer of a deleted pod removes the pod; its watch event follows.
            if "deletionTimestamp" not in released["metadata"]:
                self._pods.observe(released)

    def _emit_finished(self, before: Object, after: Object) -> None:
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
def ignore_gone() -> Iterator[None]:
    """Ignores 404 and 409: what is to be deleted or released may be gone already."""
    try:
        yield
    except KubeError as error:
        # A failed UID precondition is a 409, too: another object has that name now.
        if not error.not_found and not error.conflict:
            raise
