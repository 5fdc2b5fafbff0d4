"""Processes that need not import their libraries first: forked from one that has done so.

The imports take the API two to four seconds of CPU and a job up to six, which is most of what either costs in a test.
A forked process runs the same module with variables, signals, output and an exit code of its own. What is not true of
it is how it started and how much memory the imports take; tests of those start a process of the usual kind.

Imported, this starts the process to fork from and asks it; run as a script, it is that process.
"""

from __future__ import annotations

import ctypes
import functools
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mediatask_local.die_with_parent import PR_SET_PDEATHSIG


class WarmProcess:
    """A forked `python -m module`, with what tests use of `subprocess.Popen`."""

    def __init__(self, module: str, env: Mapping[str, str], log: Path, setup: str = "") -> None:
        """Starts it.

        Args:
            module: to run; its `__main__` imports what the first process of this module has imported.
            env: all of its variables.
            log: takes what it prints.
            setup: code to run first.
        """
        log.touch()
        self.returncode: int | None = None
        self._connection = socket.socket(socket.AF_UNIX)
        _, address = _origin(module)
        self._connection.connect(address)
        asked = {"module": module, "env": dict(env), "log": str(log), "setup": setup}
        self._connection.sendall(json.dumps(asked).encode() + b"\n")
        self._answers = self._connection.makefile("rb", buffering=0)
        self.pid = int(self._answers.readline())

    def poll(self) -> int | None:
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            with selectors.DefaultSelector() as selector:
                selector.register(self._connection, selectors.EVENT_READ)
                if not selector.select(timeout):
                    raise subprocess.TimeoutExpired("forked process", timeout or 0)
            self.returncode = int(self._answers.readline())
            self._answers.close()
            self._connection.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


_LIBRARIES = {"mediatask_api": "mediatask_api.main", "mediatask_job": "support.job_libraries"}
"""What to import before a module is run."""
_READY = b"ready\n"


@functools.cache
def _origin(module: str) -> tuple[subprocess.Popen[bytes], bytes]:
    """The process to fork those of a module from, started by the first call, and the address to ask it at."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("")  # a name without a file, of the kernel's choice
        listener.listen()
        process = subprocess.Popen(
            [sys.executable, __file__, str(listener.fileno()), _LIBRARIES[module]],
            pass_fds=[listener.fileno()],
            stdin=subprocess.PIPE,  # closed by the end of this process, which is the end of that one
            stdout=subprocess.PIPE,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == _READY, "no process to fork from"
        return process, listener.getsockname()


def _next_request(listener: socket.socket) -> dict[str, Any]:
    """Fork for each request and tell each caller its process's end; returns in the forked processes alone."""
    with selectors.DefaultSelector() as selector, listener:
        selector.register(listener, selectors.EVENT_READ)
        selector.register(0, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fd == 0:
                    os._exit(0)  # the tests are over
                elif key.data is None:
                    connection, _ = listener.accept()
                    request: dict[str, Any] = json.loads(connection.makefile("rb").readline())
                    pid = os.fork()
                    if pid == 0:
                        connection.close()
                        return request
                    connection.sendall(b"%d\n" % pid)
                    selector.register(os.pidfd_open(pid), selectors.EVENT_READ, (pid, connection))
                else:
                    pid, connection = key.data
                    selector.unregister(key.fileobj)
                    os.close(key.fd)
                    with connection:
                        connection.sendall(b"%d\n" % os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


def _run(request: dict[str, Any]) -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for descriptor, becomes in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(descriptor, becomes)
    os.close(nothing)
    os.close(log)
    os.environ.clear()
    os.environ.update(request["env"])
    sys.argv = [request["module"]]
    exec(request["setup"], {})
    runpy.run_module(request["module"], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[1])  # as in tests, and not the folder of this file
    importlib.import_module(sys.argv[2])
    # Else the first collection in each fork copies all that was imported.
    gc.freeze()
    os.write(1, _READY)
    _run(_next_request(socket.socket(fileno=int(sys.argv[1]))))
