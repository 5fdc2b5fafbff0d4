"""Stopping soon when asked: SIGTERM, a cancelled task, or a newer attempt.

Nothing is interrupted in the middle; runners call `Stop.check` at every step. A step that takes too long is cut
short by leaving the process: a pod that outlives its grace period is killed without a termination message.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable

from ..failures import JobFailure, Stopped, Superseded

OVERDUE_SECONDS = 8.0
"""From the request to stop until the process leaves without waiting for the current step."""

_POLL_SECONDS = 0.1


class Stop:
    """A flag with a reason. The first reason stays."""

    def __init__(self) -> None:
        self._reason: JobFailure | Superseded | None = None

    @property
    def requested(self) -> bool:
        return self._reason is not None

    def request(self, reason: JobFailure | Superseded) -> None:
        """Ask the job to stop. From any thread."""
        self._reason = self._reason or reason

    def check(self) -> None:
        """Raise the reason if there is one."""
        if self._reason is not None:
            raise self._reason

    def wait(self, seconds: float) -> None:
        """Sleep, but not through a request to stop."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.check()
            time.sleep(min(_POLL_SECONDS, left))
        self.check()


def stop_on_sigterm(stop: Stop, leave: Callable[[JobFailure], None]) -> None:
    """Turn SIGTERM into a request to stop, and into `leave` when that is not heeded in time.

    Python runs signal handlers between two bytecodes, so one long step inside a library delays them. The wake-up
    descriptor is written by the C handler at once, which lets another thread see the signal in any case.
    """
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)

    def watch(ours: socket.socket, _theirs: socket.socket) -> None:  # both held open for the process's life
        while int.from_bytes(ours.recv(1), "big") != signal.SIGTERM:
            pass
        reason = Stopped("Preempted", "the pod was asked to stop (SIGTERM)")
        stop.request(reason)
        time.sleep(OVERDUE_SECONDS)
        leave(reason)
        os._exit(reason.exit_code)

    threading.Thread(target=watch, args=(ours, theirs), name="sigterm", daemon=True).start()
