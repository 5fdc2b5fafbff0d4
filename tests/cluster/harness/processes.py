"""The processes of a cluster: each with its log, watched together, stopped in reverse order."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from cluster.harness.errors import ClusterError
from mediatask_local.die_with_parent import die_with_parent

STOP_SECONDS = 5
LOG_TAIL_LINES = 5


class Processes:
    """Started programs, by name. None of them outlives this process, however it ends."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._commands: dict[str, tuple[Path, Sequence[str], Mapping[str, str]]] = {}
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(
        self, name: str, program: Path, arguments: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> None:
        """Starts a program with its output in `<logs>/<name>.log`. Call from a thread that lives on: the kernel
        counts the death of the starting thread as the parent's."""
        self._commands[name] = (program, arguments, environment or {})
        with (self._logs / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                die_with_parent([str(program), *arguments]),
                env={**os.environ, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C at the terminal reaches the harness alone, which stops them in order
            )

    def restart(self, name: str) -> None:
        """Starts a program again as it was started before; it has been made to end."""
        self._running[name].wait(STOP_SECONDS)
        self.start(name, *self._commands[name])

    def pid(self, name: str) -> int:
        """The process id of a started program."""
        return self._running[name].pid

    def check(self) -> None:
        """Raises ClusterError when one has ended: none does by itself."""
        for name, process in self._running.items():
            if process.poll() is not None:
                log = self._logs / f"{name}.log"
                tail = "\n".join(log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:])
                raise ClusterError(f"{name} ended with {process.returncode} (all of it: {log}):\n{tail}")

    def wait_until(self, what: str, condition: Callable[[], bool], seconds: float) -> None:
        """Waits for a condition while every process lives.

        Raises:
            ClusterError: a process ended, or the condition did not hold within `seconds`.
        """
        deadline = time.monotonic() + seconds
        while not condition():
            self.check()
            if time.monotonic() > deadline:
                raise ClusterError(f"{what}: not ready after {seconds:.0f} s, see {self._logs}/*.log")
            time.sleep(0.1)

    def stop(self) -> None:
        """Ends them all, the latest first; what does not heed SIGTERM in time is killed."""
        for process in reversed(self._running.values()):
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._running.clear()
