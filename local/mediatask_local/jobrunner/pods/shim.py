"""Between the Job runner and one pod's process, as containerd's shim is: `shim.py RUNNER_PID PROGRAM [ARG...]`.

It is the init process of the pod: it adopts orphans, kills all that is left when the main process ends, and ends with
the exit code a container would have (128 + signal for a killed process). Signals to the shim:
  SIGTERM  is passed on to the process group of the main process;
  SIGUSR1  kills every process of the pod. The kernel sends it as well when the Job runner dies, however it dies.

Runs with `python -I -S`, hence without any import of ours: it has to be small and to start at once.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from types import FrameType

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None)
_handled = {signal.SIGTERM, signal.SIGUSR1}


def main() -> int:
    runner, *command = sys.argv[1:]
    signal.pthread_sigmask(signal.SIG_BLOCK, _handled)
    _die_with(int(runner), signal.SIGUSR1)
    _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    shim = os.getpid()
    child = os.fork()
    if child == 0:
        _become(command, shim)
    # Both sides do this, so that the group exists whoever comes first.
    with contextlib.suppress(OSError):
        os.setpgid(child, child)
    main_process = MainProcess(child)
    for number in _handled:
        signal.signal(number, main_process.send)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _handled)
    code = main_process.wait()
    _kill_rest()
    return code


class MainProcess:
    """The pod's main process. Its number is not used any more once it has been reaped: it may be somebody else's."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._ended = False

    def send(self, number: int, _frame: FrameType | None) -> None:
        """Handler of the shim's own signals."""
        if not self._ended:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._pid, signal.SIGTERM if number == signal.SIGTERM else signal.SIGKILL)

    def wait(self) -> int:
        """Reap whoever ends, until the main process has; its exit code as a container's."""
        while True:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
            assert ended is not None  # only WNOHANG gives none
            self._ended = ended.si_pid == self._pid
            _, status = os.waitpid(ended.si_pid, 0)
            if self._ended:
                code = os.waitstatus_to_exitcode(status)
                return code if code >= 0 else 128 - code


def _become(command: list[str], shim: int) -> None:
    """The child: a process group of its own, dead when the shim is, and then the program itself."""
    os.setpgid(0, 0)
    _die_with(shim, signal.SIGKILL)
    # Python ignores these two for itself; a program expects them as they are by default.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _handled)
    try:
        os.execv(command[0], command)
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode())
        os._exit(126 if isinstance(error, PermissionError) else 127)


def _die_with(parent: int, how: signal.Signals) -> None:
    _libc.prctl(PR_SET_PDEATHSIG, int(how), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(137)


def _kill_rest() -> None:
    """Kill what the main process left behind. The orphans of whoever dies become the shim's own: rounds reach all."""
    while children := _children():
        for pid in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pid in children:
            os.waitpid(pid, 0)


def _children() -> list[int]:
    with open(f"/proc/self/task/{os.getpid()}/children") as listed:
        return [int(pid) for pid in listed.read().split()]


if __name__ == "__main__":
    sys.exit(main())
