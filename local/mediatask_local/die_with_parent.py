"""Tying a child process to this one: the kernel signals the child when its parent dies, however it dies.

Imported, it gives the command to start; run as a file, it arranges the signal and becomes the program. That happens
in a process of its own because code of a threaded parent has no business running between fork and exec.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

PR_SET_PDEATHSIG = 1


def die_with_parent(command: Sequence[str], how: signal.Signals = signal.SIGKILL) -> list[str]:
    """The command that runs `command`, under the same pid, until this process ends.

    Start it from a thread that lives on: to the kernel the death of the starting thread is the parent's.
    """
    # -I and -S: nothing of the environment's Python is needed, and it starts in half the time.
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), str(int(how)), *command]


def main() -> None:
    parent, how, *command = sys.argv[1:]
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, int(how), 0, 0, 0) != 0:
        sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")
    # The parent may have died before the signal was arranged.
    if os.getppid() != int(parent):
        sys.exit("the parent is gone")
    try:
        os.execvp(command[0], command)
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")


if __name__ == "__main__":
    main()
