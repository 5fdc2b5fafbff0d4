"""The folder of a running cluster: who holds it, what lies in it, what is left of it afterwards.

    DIR/lock         held (flock) by the running harness; holds its process id
    DIR/kubeconfig   the administrator's
    DIR/logs/        one log per process, audit.log: kept for reading when the cluster is gone
    DIR/state/       certificates, tokens, etcd's data: never kept
    DIR/state/node/  what a real node writes to /run and /var/lib: images, containers, volumes

A real node has a control group besides, which the kernel does not remove with its processes; it is named after DIR.
The lock is the kernel's, so a harness that was killed holds nothing, and a process id used again misleads nobody.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import signal
import stat
import time
from pathlib import Path
from typing import IO

from cluster.harness.errors import ClusterError
from cluster.harness.node import cgroups


class RunDir:
    """The folder of one cluster."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.kubeconfig = self.path / "kubeconfig"
        self.logs = self.path / "logs"
        self.state = self.path / "state"
        self.node = self.state / "node"
        # Of its own: the clusters of other folders go on when this one's is removed.
        self.cgroup = f"mediatask-{hashlib.sha256(str(self.path).encode()).hexdigest()[:8]}"
        self._lock_file = self.path / "lock"
        self._lock: IO[str] | None = None

    def take(self) -> None:
        """Makes the folder this process's own and empties it: every start is a new cluster.

        Raises:
            ClusterError: another cluster runs in it, others can read or write it, or it is used for something else.
        """
        self._acquire()
        self._remove_cluster()
        shutil.rmtree(self.logs, ignore_errors=True)
        self.logs.mkdir()
        self.state.mkdir(mode=0o700)

    def sweep(self) -> None:
        """Removes what a killed harness left in the folder; its logs stay."""
        if self._lock_file.exists():
            self._acquire()
            self.release(keep_logs=True)

    def release(self, *, keep_logs: bool) -> None:
        """Removes what `take` and the cluster made, and the folder, if no logs stay in it.

        Does nothing when this process does not hold the folder: it may be somebody else's.
        """
        if self._lock is None:
            return
        self._remove_cluster()
        if not keep_logs:
            shutil.rmtree(self.logs, ignore_errors=True)
        # Last, so that whoever waits for the lock finds the rest gone.
        self._lock_file.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # not empty
            self.path.rmdir()
        self._lock.close()
        self._lock = None

    def stop_holder(self, seconds: float = 60) -> bool:
        """Asks the harness that holds the folder to stop, and waits; False when there is none.

        Raises:
            ClusterError: it did not stop in time.
        """
        deadline = time.monotonic() + seconds
        asked = False
        while (holder := self._holder()) is not None:
            if not asked:
                os.kill(holder, signal.SIGTERM)
                asked = True
            if time.monotonic() > deadline:
                raise ClusterError(f"process {holder} still holds {self.path} after {seconds:.0f} s")
            time.sleep(0.1)
        return asked

    def _acquire(self) -> None:
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        about = self.path.stat()
        # The default lies in a folder where anybody may have made it first.
        if about.st_uid != os.getuid() or about.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise ClusterError(f"{self.path} must be yours alone (mode 0700): it will hold keys")
        # Emptying a folder is safe only where nothing but a cluster can have been.
        ours = {self.kubeconfig, self.logs, self.state, self._lock_file}
        if others := [path.name for path in self.path.iterdir() if path not in ours]:
            raise ClusterError(
                f"{self.path} holds other things ({', '.join(sorted(others)[:3])}): choose an empty folder"
            )
        lock = self._lock_file.open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise ClusterError(
                f"a cluster runs in {self.path}: take it `down` first, or choose another --dir"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        self._lock = lock

    def _holder(self) -> int | None:
        try:
            with self._lock_file.open() as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    return int(lock.read())
        except FileNotFoundError:
            pass
        return None

    def _remove_cluster(self) -> None:
        self.kubeconfig.unlink(missing_ok=True)
        cgroups.remove(self.cgroup)
        shutil.rmtree(self.state, ignore_errors=True)
