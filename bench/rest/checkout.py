"""Another version of this repository, to measure it beside this one."""

from __future__ import annotations

import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.rest.contestants import ROOT


@contextmanager
def checkout(commit: str) -> Iterator[Path]:
    """The files of a commit, for as long as the block lasts. Raises RuntimeError where there is no such commit."""
    with tempfile.TemporaryDirectory(prefix="mediatask-bench-") as temporary:
        archive = Path(temporary) / "files.tar"
        made = subprocess.run(
            ["git", "-C", ROOT, "archive", f"--output={archive}", commit, "--"], capture_output=True, text=True
        )
        if made.returncode:
            raise RuntimeError(f"no files of {commit}: {made.stderr.strip()}")
        files = Path(temporary) / "files"
        with tarfile.open(archive) as tar:
            tar.extractall(files, filter="data")
        yield files
