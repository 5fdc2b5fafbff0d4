"""Runs the tests on one mutant after the other, in a copy of the tree of its own.

Started as `python -m mutants.worker TREE`: a JSON line in, `{"path", "source", "tests", "timeout"}`, and a JSON line
out, `{"outcome", "seconds", "output"}`. Libraries are imported once; each run is a fork that imports the mutated code.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

_LIBRARIES = (
    "aiohttp.web",
    "fastapi",
    "hypothesis",
    "kubernetes.client",
    "orjson",
    "pydantic",
    "pytest",
    "yaml",
)
_SOURCES = ("crds", "common", "operator", "api", "job_images", "local", "client", "tests")
_OUTPUT_LIMIT = 4000


def main() -> None:
    """Serve until stdin ends."""
    tree = Path(sys.argv[1]).resolve()
    os.chdir(tree)
    sys.dont_write_bytecode = True
    # Before the folders that an editable installation has added.
    sys.path[:0] = [str(tree / source) for source in _SOURCES]
    for library in _LIBRARIES:
        importlib.import_module(library)
    for line in sys.stdin:
        print(json.dumps(_try(tree, json.loads(line))), flush=True)


def _try(tree: Path, job: dict[str, Any]) -> dict[str, Any]:
    path = tree / job["path"]
    original = path.read_text()
    path.write_text(job["source"])
    started = time.monotonic()
    try:
        with tempfile.TemporaryFile() as output:
            outcome = _run(job["tests"], job["timeout"], output.fileno())
            output.seek(0, os.SEEK_END)
            output.seek(max(output.tell() - _OUTPUT_LIMIT, 0))
            text = output.read().decode(errors="replace")
    finally:
        path.write_text(original)
    return {"outcome": outcome, "seconds": round(time.monotonic() - started, 2), "output": text}


def _run(tests: list[str], timeout: float, output: int) -> str:
    """`survived`, `killed`, `timeout`, or `broken` where there were no tests to run."""
    child = os.fork()
    if child == 0:
        _run_tests(tests, output)
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
            return {0: "survived", 4: "broken", 5: "broken"}.get(code, "killed")
        time.sleep(0.02)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "timeout"


def _run_tests(tests: list[str], output: int) -> None:
    code = 3
    try:
        os.setsid()  # what a test leaves behind ends with it
        os.dup2(output, 1)
        os.dup2(output, 2)
        import hypothesis
        import pytest

        # A busy machine must not look like a test that has noticed something.
        slow = [hypothesis.HealthCheck.too_slow]
        hypothesis.settings.register_profile(
            "mutants", derandomize=True, database=None, deadline=None, suppress_health_check=slow
        )
        hypothesis.settings.load_profile("mutants")
        code = int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *tests]))
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
