"""The process of one pod, started through the shim: exit code, memory limit, and cleanup after a dead runner."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path

from . import procfs

SHIM = Path(__file__).with_name("shim.py")
POD_VARIABLE = "EMBEDDED_POD_UID"
"""Set in the environment of every process of a pod, to the UID of the pod."""
MEMORY_POLL_SECONDS = 0.25


class PodProcess:
    """A running pod. Signals go through the shim, which reaches every process of the pod."""

    def __init__(self, shim: asyncio.subprocess.Process, uid: str) -> None:
        self._shim = shim
        self._uid = uid
        self.out_of_memory = False

    @classmethod
    async def start(
        cls, command: list[str], *, uid: str, environment: dict[str, str], working_dir: Path, log: Path
    ) -> PodProcess:
        """Start a command for the pod with that UID. It gets only this environment; output is appended to the log.

        Raises:
            OSError: the shim could not be started.
        """
        with log.open("ab") as out:
            shim = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", str(SHIM), str(os.getpid()), *command),
                env={**environment, POD_VARIABLE: uid},
                cwd=working_dir,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        return cls(shim, uid)

    async def wait(self, memory_limit: int | None = None) -> int:
        """The exit code, as of a container. Above `memory_limit` bytes the pod is killed and `out_of_memory` is set."""
        watch = asyncio.create_task(self._watch_memory(memory_limit)) if memory_limit is not None else None
        try:
            code = await self._shim.wait()
        finally:
            if watch is not None:
                watch.cancel()
        if code < 0:
            # Somebody killed the shim itself. Its child died with it; grandchildren may not have.
            kill_leftovers(self._uid)
            return 128 - code
        return code

    def terminate(self) -> None:
        """Ask the pod to stop (SIGTERM to its main process's group)."""
        with contextlib.suppress(ProcessLookupError):
            self._shim.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill every process of the pod."""
        with contextlib.suppress(ProcessLookupError):
            self._shim.send_signal(signal.SIGUSR1)

    async def _watch_memory(self, limit: int) -> None:
        # Cgroups need root, so memory is polled instead; RLIMIT_AS would break CUDA and torch, which reserve far more
        # address space than they use.
        while True:
            await asyncio.sleep(MEMORY_POLL_SECONDS)
            if sum(map(procfs.unreclaimable_memory, procfs.descendants(self._shim.pid))) > limit:
                self.out_of_memory = True
                self.kill()
                return


def kill_leftovers(uid: str) -> int:
    """Kill every remaining process of the pod. Returns how many there were."""
    return procfs.kill_marked(POD_VARIABLE, uid)
