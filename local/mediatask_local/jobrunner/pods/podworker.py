"""One pod's life on this node, from its folder to its final status."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NoReturn, TypeVar

from mediatask_common.kube import PODS, Kube, KubeError, Object
from mediatask_common.logging import get_logger
from mediatask_common.times import utcnow
from mediatask_crds.podcontract import TERMINATION_LIMIT

from ..events import Events
from ..watching.informer import key_of
from . import podstatus, tokens
from .gpus import GpuSlots
from .images import command_line, image_refusal, spec_refusal
from .podstate import GPU, LOG_ANNOTATION, memory_limit, requests
from .podstatus import Disruption, Termination
from .process import PodProcess
from .volumes import Mounts, PodFolder, TokenFile, Unsupported, environment, make_folders, plan_mounts

log = get_logger(__name__)
T = TypeVar("T")

COMPONENT = "kubelet"
START_ERROR = 128
"""Exit code of a container whose program could not be started, as containerd reports it."""
IMAGE_BACK_OFF_SECONDS = 1.0


class Stopped(Exception):
    """The pod was asked to stop before its process was started."""


@dataclass(frozen=True)
class Machine:
    """What all pods of the node share."""

    kube: Kube
    events: Events
    gpus: GpuSlots
    models: Path
    observe: Callable[[Object], None]
    """Passes the API server's response to a write to the informer, so that others see it at once."""


class PodWorker:
    """Runs one pod. `stop` may be called at any time, and repeatedly; the shortest grace period wins."""

    def __init__(self, machine: Machine, pod: Object, folder: PodFolder) -> None:
        self._machine = machine
        self._pod = pod
        self._folder = folder
        self._stopping = asyncio.Event()
        self._kill_now = asyncio.Event()
        self._disruption: Disruption | None = None

    def stop(self, grace_seconds: float, disruption: Disruption | None = None) -> None:
        """Terminate the pod: SIGTERM now, SIGKILL after the grace period."""
        if not self._stopping.is_set():
            self._disruption = disruption
            self._stopping.set()
        if grace_seconds <= 0:
            self._kill_now.set()
        else:
            asyncio.get_running_loop().call_later(grace_seconds, self._kill_now.set)

    async def run(self) -> None:
        """Run until the pod's final status is written (or the pod is gone from the API server)."""
        waiting = "ContainerCreating"
        try:
            refusal = spec_refusal(self._pod)
            if refusal:
                self._event("Failed", refusal, warning=True)
                await self.write(podstatus.never_started(self._pod, utcnow(), "Unsupported", refusal))
                return
            if refusal := image_refusal(self._pod):
                waiting = "ImagePullBackOff"
                await self._back_off_image(refusal)
            try:
                mounts = plan_mounts(self._pod, self._folder, self._machine.models)
                variables = environment(self._pod, self._folder, mounts)
            except Unsupported as error:
                waiting = "CreateContainerConfigError"
                await self._stay_waiting(waiting, str(error))
            await self.write(await self._with_gpus(mounts, variables))
        except Stopped:
            message = "The pod was stopped before its container could start."
            await self.write(podstatus.never_started(self._pod, utcnow(), waiting, message, self._disruption))
        except Exception as error:
            # A bug of ours: a failed pod with a reason is better than one that seems to run forever.
            log.exception("pod worker failed", pod=self._pod["metadata"]["name"])
            message = f"The job runner failed: {error!r}"
            await self.write(podstatus.never_started(self._pod, utcnow(), "RunnerError", message))

    # ---- before the process

    async def _back_off_image(self, refusal: str) -> None:
        self._event("Failed", f"Failed to pull image: {refusal}", warning=True)
        await self.write(podstatus.waiting(self._pod, utcnow(), "ErrImagePull", refusal))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(IMAGE_BACK_OFF_SECONDS):
                await self._stopping.wait()
        await self._stay_waiting("ImagePullBackOff", refusal)

    async def _stay_waiting(self, reason: str, message: str) -> NoReturn:
        """Show the reason in the pod's status until the pod is stopped. Raises Stopped."""
        self._event("Failed", message, warning=True)
        await self.write(podstatus.waiting(self._pod, utcnow(), reason, message))
        await self._stopping.wait()
        raise Stopped

    async def _with_gpus(self, mounts: Mounts, variables: dict[str, str]) -> Object:
        """Run the process while holding the pod's GPU slots. Returns the final status."""
        gpus = self._machine.gpus
        slots = await self._unless_stopped(gpus.take(int(requests(self._pod).get(GPU, 0))))
        try:
            refreshing = await self._prepare(mounts)
            try:
                return await self._process({**variables, **gpus.environment(slots)}, mounts)
            finally:
                for task in refreshing:
                    task.cancel()
        finally:
            await gpus.give_back(slots)

    async def _prepare(self, mounts: Mounts) -> list[asyncio.Task[None]]:
        """Create folders, log and tokens. Returns the tasks that refresh the tokens."""
        make_folders(self._folder, mounts)
        namespace, name = key_of(self._pod)
        annotation = {"metadata": {"annotations": {LOG_ANNOTATION: str(self._folder.log)}}}
        patch = self._persist(lambda: self._machine.kube.patch(PODS, name, annotation, namespace))
        first_tokens = asyncio.gather(*(self._first_token(file) for file in mounts.tokens))
        self._pod, lives = await self._unless_stopped(asyncio.gather(patch, first_tokens))
        self._machine.observe(self._pod)
        return [
            asyncio.create_task(tokens.keep_fresh(self._machine.kube, self._pod, file, after))
            for file, after in zip(mounts.tokens, lives, strict=True)
        ]

    async def _first_token(self, file: TokenFile) -> float:
        """Fetch a token, waiting for its service account if needed. Returns the seconds until its next refresh."""
        reported = False
        while True:
            try:
                return await self._persist(lambda: tokens.write_token(self._machine.kube, self._pod, file))
            except KubeError as error:
                if not reported:
                    self._event("FailedMount", f"no service-account token: {error.message}", warning=True)
                reported = True
                await asyncio.sleep(1)

    async def _unless_stopped(self, work: Awaitable[T]) -> T:
        """The result of `work`. Raises Stopped when the pod is stopped first."""
        doing = asyncio.ensure_future(work)
        stop = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({doing, stop}, return_when=asyncio.FIRST_COMPLETED)
            if doing.done():
                return doing.result()
            raise Stopped
        finally:
            stop.cancel()
            doing.cancel()

    # ---- the process

    async def _process(self, variables: dict[str, str], mounts: Mounts) -> Object:
        """Run the container's command until it exits. Returns the final status."""
        container = self._pod["spec"]["containers"][0]
        # Only the pod's own value is translated: our folders may themselves lie under its mount paths (/tmp).
        working_dir = container.get("workingDir")
        started_at = utcnow()
        self._folder.started.touch()
        try:
            process = await PodProcess.start(
                command_line(container),
                uid=self._pod["metadata"]["uid"],
                environment=variables,
                working_dir=Path(mounts.translate(working_dir)) if working_dir else self._folder.home,
                log=self._folder.log,
            )
        except OSError as error:
            self._event("Failed", f"Error: {error}", warning=True)
            return podstatus.ended(self._pod, Termination(START_ERROR, "StartError", None, utcnow(), str(error)))
        code_task = asyncio.create_task(process.wait(memory_limit(self._pod)))
        try:
            if not await self.write(podstatus.running(self._pod, started_at)):
                self.stop(0)
            code = await self._until_end(process, code_task)
        finally:
            # Still running only when the runner itself is cancelled: the pod must not outlive it.
            if not code_task.done():
                process.kill()
        return podstatus.ended(self._pod, self._termination(process, code, started_at), self._disruption)

    async def _until_end(self, process: PodProcess, code: asyncio.Task[int]) -> int:
        await self._either(code, self._stopping)
        if not code.done():
            self._event("Killing", f"Stopping container {self._pod['spec']['containers'][0]['name']}")
            process.terminate()
            await self._either(code, self._kill_now)
        while not code.done():
            process.kill()
            # Repeated, because a signal may arrive while the shim is still starting.
            await asyncio.wait({code}, timeout=1)
        return code.result()

    async def _either(self, code: asyncio.Task[int], event: asyncio.Event) -> None:
        waiting = asyncio.create_task(event.wait())
        await asyncio.wait({code, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()

    def _termination(self, process: PodProcess, code: int, started_at: datetime) -> Termination:
        with self._folder.termination_log.open("rb") as file:
            message = file.read(TERMINATION_LIMIT).decode(errors="replace")
        reason = "OOMKilled" if process.out_of_memory else "Completed" if code == 0 else "Error"
        if process.out_of_memory:
            limit = self._pod["spec"]["containers"][0]["resources"]["limits"]["memory"]
            self._event("OOMKilled", f"The container used more memory than its limit of {limit}", warning=True)
        return Termination(code, reason, started_at, utcnow(), message)

    # ---- writing

    async def write(self, status: Object) -> bool:
        """Write a status to the API server, however long that takes. Returns False when the pod is gone from there."""
        namespace, name = key_of(self._pod)
        # The UID protects a pod of the same name that was created in the meantime.
        body = {"metadata": {"uid": self._pod["metadata"]["uid"]}, "status": status}
        try:
            self._pod = await self._persist(
                lambda: self._machine.kube.patch(PODS, name, body, namespace, subresource="status")
            )
        except KubeError as error:
            if not error.not_found and error.status != 409:
                log.error("pod status refused", pod=name, error=str(error))
            return False
        self._machine.observe(self._pod)
        return True

    async def _persist(self, request: Callable[[], Awaitable[T]]) -> T:
        """Retry a request while the API server is unavailable. Raises KubeError when it refuses the request."""
        delay = 0.1
        while True:
            try:
                return await request()
            except KubeError as error:
                if not error.unavailable:
                    raise
                await asyncio.sleep(delay)
                delay = min(delay * 2, 2)

    def _event(self, reason: str, message: str, *, warning: bool = False) -> None:
        self._machine.events.emit(COMPONENT, self._pod, "Pod", reason, message, warning=warning)
