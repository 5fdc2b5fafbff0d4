"""The kubelet of the node: runs a worker for each bound pod, terminates deleted pods, cleans up after removed ones.

Pods are plain processes. They lack isolation from this machine's files and network, an IP of their own, probes,
restarts in place and more than one container. They have their own process tree, session and environment, memory limit,
grace period, exit code, termination message, log, GPU slots and tokens.
"""

from __future__ import annotations

import asyncio
import shutil
from datetime import timedelta
from pathlib import Path

from mediatask_common.kube import PODS, Object
from mediatask_common.logging import get_logger
from mediatask_common.times import parse_time, utcnow

from ..controllers.jobcontroller import ignore_gone
from ..scheduling.node import NAME
from ..watching.informer import Informer, Key, key_of
from . import podstatus
from .podstate import is_deleting, is_terminal, node_of
from .podstatus import Termination
from .podworker import Machine, PodWorker
from .process import kill_leftovers
from .volumes import PodFolder

log = get_logger(__name__)

LOST_EXIT_CODE = 137


class Kubelet:
    """Reconciles pods by key."""

    def __init__(self, machine: Machine, pods: Informer, directory: Path) -> None:
        self._machine = machine
        self._pods = pods
        self._directory = directory
        self._workers: dict[str, PodWorker] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._folders: dict[Key, str] = {}
        """UID of the pod that has a folder, by the pod's key."""
        self._closing = False

    async def reconcile(self, key: Key) -> float | None:
        if not self._pods.synced.is_set():
            return 0.05
        pod = self._pods.get(key)
        known = self._folders.get(key)
        if known is not None and (pod is None or pod["metadata"]["uid"] != known):
            await self._clean_up(key, known)
        if pod is None or node_of(pod) != NAME:
            return None
        uid = pod["metadata"]["uid"]
        self._folders[key] = uid
        if not is_terminal(pod) and uid not in self._workers and not self._closing:
            self._start(pod)
        if is_deleting(pod):
            await self._end(pod)
        return None

    def _start(self, pod: Object) -> None:
        uid = pod["metadata"]["uid"]
        folder = self._folder(key_of(pod), uid)
        worker = PodWorker(self._machine, pod, folder)
        self._workers[uid] = worker
        life = self._report_lost(pod) if folder.started.exists() else worker.run()
        task = asyncio.create_task(life, name=f"pod {pod['metadata']['name']}")
        task.add_done_callback(lambda done: self._log_crash(pod, done))
        self._tasks[uid] = task

    def _log_crash(self, pod: Object, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            log.error("pod worker failed", pod=pod["metadata"]["name"], exc_info=task.exception())

    async def _end(self, pod: Object) -> None:
        """Stop a pod that is being deleted; once its final status is written, remove it from the API server."""
        uid = pod["metadata"]["uid"]
        metadata = pod["metadata"]
        task = self._tasks.get(uid)
        if task is not None and not task.done():
            # deletionTimestamp is the end of the grace period.
            left = (parse_time(metadata["deletionTimestamp"]) - utcnow()) / timedelta(seconds=1)
            self._workers[uid].stop(min(left, metadata.get("deletionGracePeriodSeconds", left)))
        elif is_terminal(pod) and metadata.get("deletionGracePeriodSeconds") != 0:
            with ignore_gone():
                await self._machine.kube.delete(
                    PODS, metadata["name"], metadata["namespace"], uid=uid, grace_period_seconds=0
                )

    async def _clean_up(self, key: Key, uid: str) -> None:
        """Kill the process and remove the folder of a pod that is gone from the API server (perhaps by force)."""
        task = self._tasks.get(uid)
        if task is not None:
            self._workers[uid].stop(0)
            await asyncio.wait({task})
        self._workers.pop(uid, None)
        self._tasks.pop(uid, None)
        self._folders.pop(key, None)
        await asyncio.to_thread(shutil.rmtree, self._folder(key, uid).root, ignore_errors=True)

    # ---- start and end of the runner

    async def recover(self) -> None:
        """At startup, kill processes that an earlier runner left behind, and remove the folders of pods that are gone.

        They are not adopted: nobody watched their memory, and their exit code went to a process that is gone.
        """
        await self._pods.synced.wait()
        present = {pod["metadata"]["uid"] for pod in self._pods}
        for root in self._directory.glob("*_*_*"):
            uid = root.name.rpartition("_")[2]
            killed = kill_leftovers(uid)
            if killed:
                log.info("killed leftovers of an earlier runner", pod=root.name, processes=killed)
            if uid not in present:
                shutil.rmtree(root, ignore_errors=True)

    async def _report_lost(self, pod: Object) -> None:
        """Report the failure of a pod whose process was lost with an earlier runner."""
        uid = pod["metadata"]["uid"]
        kill_leftovers(uid)
        message = "The container could not be located when the job runner restarted."
        termination = Termination(LOST_EXIT_CODE, "ContainerStatusUnknown", None, utcnow(), message)
        log.info("pod lost", pod=pod["metadata"]["name"])
        await self._workers[uid].write(podstatus.ended(pod, termination, podstatus.RUNNER_LOST))

    async def shutdown(self, limit: float) -> None:
        """Terminate all pods as in a graceful node shutdown: SIGTERM, then SIGKILL after at most `limit` seconds."""
        self._closing = True
        living = [(uid, task) for uid, task in self._tasks.items() if not task.done()]
        for uid, _ in living:
            self._workers[uid].stop(limit, podstatus.NODE_SHUTDOWN)
        if not living:
            return
        _, late = await asyncio.wait({task for _, task in living}, timeout=limit + 3)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    def _folder(self, key: Key, uid: str) -> PodFolder:
        return PodFolder(self._directory / f"{key[0]}_{key[1]}_{uid}")
