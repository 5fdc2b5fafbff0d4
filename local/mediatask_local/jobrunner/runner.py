"""Connects the parts: informers feed work queues, work queues run the controllers."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

from mediatask_common.kube import JOBS, PODS, Kube, KubeError, Object
from mediatask_common.logging import get_logger

from .controllers.jobcontroller import JobController, job_key
from .events import Events
from .pods.gpus import GpuSlots, real_gpus
from .pods.kubelet import Kubelet
from .pods.podstate import GPU
from .pods.podworker import Machine
from .scheduling import node as nodes
from .scheduling.scheduler import Scheduler
from .watching.informer import Informer, Key
from .watching.workqueue import Workqueue

log = get_logger(__name__)

SCHEDULE: Key = ("", "")
"""The scheduler considers all pods at once, so its queue has one key."""


class JobRunner:
    """Job controller, scheduler and kubelet of one node."""

    def __init__(self, kube: Kube, directory: Path, node: Object) -> None:
        self._kube = kube
        self._node = node
        self._events = Events(kube)
        self._jobs = Informer(kube, JOBS, lambda key: self._job_queue.add(key))
        self._pods = Informer(kube, PODS, self._pod_changed)
        gpus = GpuSlots(int(node["status"]["allocatable"][GPU]), real_gpus())
        models = directory / "models"
        models.mkdir(parents=True, exist_ok=True)
        machine = Machine(kube, self._events, gpus, models.resolve(), self._pods.observe)
        pods_directory = (directory / "pods").resolve()
        pods_directory.mkdir(exist_ok=True)
        self._kubelet = Kubelet(machine, self._pods, pods_directory)
        self._job_queue = Workqueue("jobs", JobController(kube, self._jobs, self._pods, self._events).reconcile)
        self._pod_queue = Workqueue("pods", self._kubelet.reconcile)
        self._schedule_queue = Workqueue("schedule", Scheduler(kube, self._pods, node, self._events).reconcile)
        self._owners: dict[Key, Key] = {}

    def _pod_changed(self, key: Key) -> None:
        pod = self._pods.get(key)
        # The owner is kept because its Job has to be reconciled when the pod is gone, too.
        owner = job_key(pod) if pod is not None else self._owners.pop(key, None)
        if owner is not None:
            if pod is not None:
                self._owners[key] = owner
            self._job_queue.add(owner)
        self._pod_queue.add(key)
        self._schedule_queue.add(SCHEDULE)

    async def run(self, stop: asyncio.Event, *, grace_seconds: float) -> None:
        """Run until `stop` is set, then terminate the pods within the grace period."""
        async with asyncio.TaskGroup() as group:
            following = [group.create_task(self._pods.run()), group.create_task(self._kubelet.recover())]
            # Jobs only after recovery: what an earlier runner left behind is cleaned up before anything new starts.
            await following[1]
            following += [group.create_task(self._jobs.run()), group.create_task(self._events.run())]
            await self._register()
            following.append(group.create_task(nodes.heartbeat(self._kube, self._node)))
            log.info("job runner ready", gpus=self._node["status"]["allocatable"][GPU])
            await stop.wait()
            log.info("job runner stopping")
            # First stop creating and scheduling pods, then terminate the running ones.
            await self._job_queue.close()
            await self._schedule_queue.close()
            with suppress(KubeError):
                await nodes.report(self._kube, self._node, ready=False)
            await self._kubelet.shutdown(grace_seconds)
            await self._pod_queue.close()
            for task in following:
                task.cancel()

    async def _register(self) -> None:
        while True:
            try:
                return await nodes.register(self._kube, self._node)
            except KubeError as error:
                log.warning("node not registered", error=str(error))
                await asyncio.sleep(0.2)
