"""Jobs that need not import torch and diffusers first: forked from one process that has done so.

The imports take one to six seconds of CPU, which is most of what a job in a test costs. A forked job runs the same
module with variables, signals, output and an exit code of its own. What is not true of it is how it started and how
much memory the imports take; tests of those start a process of the usual kind.

Imported, this starts the process and asks it for jobs; run as a script, it is that process.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mediatask_local.die_with_parent import PR_SET_PDEATHSIG, die_with_parent

READY = b"ready\n"


class WarmJob:
    """A forked job, with what tests use of `subprocess.Popen`."""

    def __init__(self, at: Path, env: dict[str, str], log: Path, setup: str) -> None:
        log.touch()
        self.returncode: int | None = None
        self._connection = socket.socket(socket.AF_UNIX)
        self._connection.connect(str(at))
        self._connection.sendall(json.dumps({"env": env, "log": str(log), "setup": setup}).encode() + b"\n")
        self._answers = self._connection.makefile("rb", buffering=0)
        self.pid = int(self._answers.readline())

    def poll(self) -> int | None:
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float) -> int:
        if self.returncode is None:
            with selectors.DefaultSelector() as selector:
                selector.register(self._connection, selectors.EVENT_READ)
                if not selector.select(timeout):
                    raise subprocess.TimeoutExpired("job", timeout)
            self.returncode = int(self._answers.readline())
            self._answers.close()
            self._connection.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


@contextmanager
def warm_jobs(folder: Path) -> Iterator[Path]:
    """The process to fork from, once it has imported all; gives the socket to ask it at."""
    at = folder / "warm"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(at))
        listener.listen()
        process = subprocess.Popen(
            die_with_parent([sys.executable, __file__, str(listener.fileno())]),
            pass_fds=[listener.fileno()],
            stdout=subprocess.PIPE,
        )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == READY, "no process to fork from"
        yield at
    finally:
        process.kill()
        process.wait()


_RUNNERS = [
    f"mediatask_job.runners.{type}" for type in ("generate_image", "generate_video", "process_audio", "test_prompt")
]
_MODULES = ["mediatask_job.models.load", "mediatask_job.run", *_RUNNERS, "httpcore"]
_PIPELINES = ["StableDiffusionPipeline", "WanPipeline", "ZImagePipeline"]
"""Each brings modules that `import diffusers` leaves for later."""


def _import_all() -> None:
    from mediatask_job.runtime.cpus import limit_threads, usable_cpus

    limit_threads(os.environ, usable_cpus())
    for module in _MODULES:
        importlib.import_module(module)
    for name in _PIPELINES:
        getattr(sys.modules["diffusers"], name)
    # Else the first collection in each fork copies all that was imported.
    gc.freeze()


def _next_job(listener: socket.socket) -> dict[str, Any]:
    """Fork for each request and tell each caller its job's end; returns in the forked processes alone."""
    with selectors.DefaultSelector() as selector, listener:
        selector.register(listener, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.data is None:
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
    import runpy

    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    os.environ.clear()
    os.environ.update(request["env"])
    exec(request["setup"], {})
    runpy.run_module("mediatask_job", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _import_all()
    os.write(1, READY)
    _run(_next_job(socket.socket(fileno=int(sys.argv[1]))))
