"""Between the Job runner and one pod's process, like containerd's shim: `shim.py RUNNER_PID PROGRAM [ARG...]`.

It is the init process of the pod: it adopts orphans, kills all that is left when the main process exits, and exits with
the code that a container would have (128 + signal for a killed process). Signals to the shim:
  SIGTERM  is forwarded to the process group of the main process;
  SIGUSR1  kills every process of the pod. The kernel also sends it when the Job runner dies, whatever the cause.

Runs with `python -I -S`, so it imports nothing from this package: it has to be small and start fast.
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
        _exec(command, shim)
    # Parent and child both do this, so that the group exists whichever runs first.
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
    """The pod's main process. Its PID is not used once it has been reaped: it may be another process's."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._ended = False

    def send(self, number: int, _frame: FrameType | None) -> None:
        """Handler of the shim's own signals."""
        if not self._ended:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._pid, signal.SIGTERM if number == signal.SIGTERM else signal.SIGKILL)

    def wait(self) -> int:
        """Reap children until the main process has exited. Returns the exit code that a container would have."""
        while True:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
            assert ended is not None  # None only with WNOHANG
            self._ended = ended.si_pid == self._pid
            _, status = os.waitpid(ended.si_pid, 0)
            if self._ended:
                code = os.waitstatus_to_exitcode(status)
                return code if code >= 0 else 128 - code


def _exec(command: list[str], shim: int) -> None:
    """In the child: enter a new process group, die with the shim, exec the program."""
    os.setpgid(0, 0)
    _die_with(shim, signal.SIGKILL)
    # Python ignores these two signals; a program expects their defaults.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _handled)
    try:
        os.execv(command[0], command)
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode())
        os._exit(126 if isinstance(error, PermissionError) else 127)


def _die_with(parent: int, death_signal: signal.Signals) -> None:
    _libc.prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(137)


def _kill_rest() -> None:
    """Kill what the main process left behind, in rounds: orphans of a killed process become children of the shim."""
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
