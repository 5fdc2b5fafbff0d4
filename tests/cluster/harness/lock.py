"""One builder of a folder at a time."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def one_builder(folder: Path, report: Callable[[str], None]) -> Iterator[None]:
    """Two builds at once would do all the work twice, overwrite each other's files, and one might clear away what the
    other stands on: the second waits, and says so."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "build.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report("waiting for another build to end")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
