"""Tying a child process to this one: the kernel signals the child when its parent dies, however it dies."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1
# Loaded here and not in the child: between fork and exec nothing should be imported.
_libc = ctypes.CDLL(None)


def die_with_parent(how: signal.Signals) -> Callable[[], None]:
    """A `preexec_fn` for subprocesses. Start them from the main thread: the kernel means the thread that forked."""
    parent = os.getpid()

    def arrange() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, int(how), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(137)

    return arrange
