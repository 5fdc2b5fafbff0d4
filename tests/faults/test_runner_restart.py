"""The Job runner dies, or is told to stop, while pods run."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mediatask_common.kube import NODES, Kube, Object
from support.apiserver import embedded_apiserver
from support.jobrunner import is_alive, job_runner
from support.jobs import Jobs, conditions, eventually, finished, running, terminated

IGNORE_DISRUPTION = {"rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}]}
# Starts a child of its own, says both numbers, and sleeps: for ever in its first pod, not at all in the second one.
ONCE_FOR_EVER = """
import os, pathlib, subprocess, sys, time
mark = pathlib.Path(os.environ["MARK"], "again")
if mark.exists():
    sys.exit(0)
mark.touch()
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
pathlib.Path(os.environ["MARK"], "pids").write_text(f"{os.getpid()} {child.pid}")
time.sleep(600)
"""
WISHES = {
    "spec": {"podFailurePolicy": IGNORE_DISRUPTION, "pod": {"volumes": [{"name": "m", "emptyDir": {}}]}},
    "env": [{"name": "MARK", "value": "/models"}],
    "volumeMounts": [{"name": "m", "mountPath": "/models"}],
}


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Iterator[Path]:
    """An API server of the test's own."""
    with embedded_apiserver(tmp_path) as kubeconfig:
        yield kubeconfig


async def _pids(models: Path) -> list[int]:
    async def look() -> list[int]:
        file = models / "pids"
        return [int(pid) for pid in file.read_text().split()] if file.exists() else []

    pids: list[int] = await eventually(look, lambda seen: len(seen) == 2)
    return pids


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
async def test_pods_of_a_runner_that_ends_are_disrupted_not_failed(
    kubeconfig: Path, tmp_path: Path, how: signal.Signals
) -> None:
    runner = tmp_path / "runner"
    async with await Kube.connect(kubeconfig) as kube:
        jobs = Jobs(kube)
        with job_runner(kubeconfig, runner) as pid:
            job = await jobs.create(ONCE_FOR_EVER, **WISHES)
            pod = await jobs.pod_until(job, running)
            pids = await _pids(runner / "models")
            os.kill(pid, how)
            await eventually(_all_gone(pids), bool)
        with job_runner(kubeconfig, runner):
            ended = await jobs.until(job, finished)
            assert "Complete" in conditions(ended)
            assert "failed" not in ended["status"]
            (first,) = [each for each in await jobs.pods(job) if each["metadata"]["uid"] == pod["metadata"]["uid"]]
            assert conditions(first)["DisruptionTarget"]["reason"] == "TerminationByKubelet"
            expected = ("ContainerStatusUnknown", 137) if how == signal.SIGKILL else ("Error", 143)
            assert (terminated(first)["reason"], terminated(first)["exitCode"]) == expected


async def test_a_stopped_runner_leaves_a_node_that_is_not_ready(kubeconfig: Path, tmp_path: Path) -> None:
    async with await Kube.connect(kubeconfig) as kube:
        with job_runner(kubeconfig, tmp_path / "runner"):
            await eventually(
                lambda: kube.list(NODES), lambda seen: any("Ready" in conditions(n) for n in seen["items"])
            )
        node = await kube.get(NODES, "embedded")
        assert not _is_ready(node)


def _is_ready(node: Object) -> bool:
    return "Ready" in conditions(node)


def _all_gone(pids: list[int]) -> Callable[[], object]:
    async def look() -> bool:
        return not any(map(is_alive, pids))

    return look
