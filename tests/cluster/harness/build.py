"""Builds the binaries of a cluster, once: a binary is built again only when what pins it has changed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from cluster.harness.errors import ClusterError
from cluster.harness.lock import one_builder
from cluster.harness.recipes import CLUSTER, Tool

Report = Callable[[str], None]

HEARTBEAT_SECONDS = 15
GO_MISSING = (
    "no Go toolchain on PATH: install Go 1.26 or newer (https://go.dev/doc/install, or your distribution's `golang`), "
    "or set KUBECONFIG to a cluster you have"
)


def binaries_dir() -> Path:
    """Where the binaries are kept: MEDIATASK_CLUSTER_BIN, else a folder in the user's cache."""
    if chosen := os.environ.get("MEDIATASK_CLUSTER_BIN"):
        return Path(chosen).resolve()
    return Path.home() / ".cache/mediatask/cluster-bin"


def can_build() -> bool:
    """Whether there is a Go toolchain."""
    return shutil.which("go") is not None


def missing(tools: Sequence[Tool] = CLUSTER, folder: Path | None = None) -> list[Tool]:
    """The tools that have no binary, or one that other pins made."""
    folder = folder or binaries_dir()
    return [tool for tool in tools if not _is_current(tool, folder)]


def build(tools: Sequence[Tool] = CLUSTER, *, folder: Path | None = None, report: Report = print) -> Path:
    """Builds what is missing and returns the folder of the binaries.

    Args:
        tools: what has to be there.
        folder: where to; `binaries_dir()` if not given.
        report: takes one line of progress at a time.

    Raises:
        ClusterError: no Go toolchain, or a build failed (the message ends with what Go said last).
    """
    folder = folder or binaries_dir()
    if not missing(tools, folder):
        return folder
    if not can_build():
        raise ClusterError(GO_MISSING)
    folder.mkdir(parents=True, exist_ok=True)
    with one_builder(folder, report):
        todo = missing(tools, folder)  # somebody else may have built them while this one waited
        for number, tool in enumerate(todo, start=1):
            usual = f", about {tool.seconds} s the first time on 2 cores" if tool.seconds else ""
            report(f"building {tool.name} ({number} of {len(todo)}{usual})")
            _build_one(tool, folder, report)
    return folder


def _is_current(tool: Tool, folder: Path) -> bool:
    try:
        return (folder / tool.name).is_file() and _stamp(tool, folder).read_text() == tool.fingerprint()
    except FileNotFoundError:
        return False


def _stamp(tool: Tool, folder: Path) -> Path:
    return folder / f"{tool.name}.stamp"


def _build_one(tool: Tool, folder: Path, report: Report) -> None:
    started = time.monotonic()
    log = folder / f"{tool.name}.build.log"
    # Beside its final place, so that it can be renamed over a binary that runs.
    with tempfile.TemporaryDirectory(dir=folder, prefix=f".{tool.name}-") as scratch:
        made = Path(scratch) / tool.name
        verb = ["install"] if tool.module is None else ["build", "-o", str(made)]
        environment = os.environ | {"CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false", "GOBIN": scratch}
        with log.open("wb") as output:
            process = subprocess.Popen(
                ["go", *verb, "-trimpath", "-ldflags", tool.ldflags, tool.package],
                # Out of a module of ours, `go install package@version` minds no go.mod around it.
                cwd=tool.module or scratch,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
            try:
                _wait(process, lambda: report(f"  {tool.name}: {time.monotonic() - started:.0f} s"))
            except BaseException:
                process.terminate()
                process.wait()
                raise
        if process.returncode != 0:
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
            raise ClusterError(f"building {tool.name} failed (all of it: {log}):\n{tail}")
        # The stamp goes first and comes last: a crash between the two leaves a binary that counts as missing.
        _stamp(tool, folder).unlink(missing_ok=True)
        made.replace(folder / tool.name)
        _stamp(tool, folder).write_text(tool.fingerprint())
    log.unlink()
    report(f"  {tool.name}: built in {time.monotonic() - started:.0f} s")


def _wait(process: subprocess.Popen[bytes], heartbeat: Callable[[], None]) -> None:
    """Waits for the end of `process` and shows a sign of life now and then: a first build takes minutes."""
    while True:
        try:
            process.wait(HEARTBEAT_SECONDS)
            return
        except subprocess.TimeoutExpired:
            heartbeat()
