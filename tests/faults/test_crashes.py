"""kill -9 of everything, one after the other, while tasks run: all end once, none that was acknowledged is lost."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from mediatask_common.kube import PODS, TASKS, Kube, Object
from mediatask_crds.names import LABEL_TASK
from mediatask_local.up import UpInfo, embedded
from support.gate import gated_mode
from support.mode import Receiver, Rest, kill, pod_processes, processes_of, until

TASKS_BEFORE, TASKS_DURING = 12, 8


async def _task(kubeconfig: Path, name: str) -> Object:
    async with await Kube.connect(kubeconfig) as kube:
        return await kube.get(TASKS, name, "default")


async def _pods_per_task(kubeconfig: Path) -> Counter[str]:
    async with await Kube.connect(kubeconfig) as kube:
        listed = await kube.list(PODS, "default", labelSelector=LABEL_TASK)
        return Counter(pod["metadata"]["labels"][LABEL_TASK] for pod in listed["items"])


@pytest.mark.timeout(400)
def test_kill_everything_in_turn(tmp_path: Path) -> None:
    with Receiver() as receiver, contextlib.ExitStack() as stack:
        info = stack.enter_context(gated_mode(tmp_path))
        receiver.secret = info.webhook_secret
        rest = Rest(info)
        tasks = [rest.submit(f"before-{n}", "crash", callback_url=receiver.url) for n in range(TASKS_BEFORE)]
        during = iter(range(TASKS_DURING))
        for name in ("operator", "api", "jobrunner", "apiserver"):
            until(lambda: _all_run(rest, tasks))
            kill(info, tmp_path, name)
            # Submitted into the gap: the caller repeats until it is acknowledged.
            for _ in range(TASKS_DURING // 4):
                tasks.append(rest.submit(f"during-{next(during)}", "crash", callback_url=receiver.url))
        until(lambda: _all_run(rest, tasks))
        kill(info, tmp_path, "up")
        info = stack.enter_context(embedded(tmp_path))
        rest = Rest(info)
        (tmp_path / "gate").touch()
        until(lambda: all(rest.has_ended(task) for task in tasks), 120, every=1)
        assert len(set(tasks)) == TASKS_BEFORE + TASKS_DURING
        assert [rest.status(task)["status"] for task in tasks] == ["completed"] * len(tasks)
        # Each lost a pod at least once, with `up` itself; its Job replaced it, and no retry was spent.
        pods = asyncio.run(_pods_per_task(info.kubeconfig))
        assert min(pods[task] for task in tasks) > 1
        assert {rest.status(task)["attempt"] for task in tasks} == {1}
        until(lambda: receiver.ids.keys() == set(tasks), 30)
        assert all(len(set(ids)) == 1 for ids in receiver.ids.values())
    results = list((tmp_path / "media" / "objects" / "projects" / "crash").glob("*/result.json"))
    assert len(results) == len(tasks)


def test_processes_that_die_come_back_and_a_killed_up_leaves_nothing(tmp_path: Path) -> None:
    with embedded(tmp_path) as info:
        for name in ("jobrunner", "api"):
            kill(info, tmp_path, name)
        task = Rest(info).submit("served again", "up")
        until(lambda: Rest(info).status(task)["status"] == "completed")
        kill(info, tmp_path, "up")
        until(lambda: processes_of(tmp_path) == {}, 10)


@pytest.fixture(scope="module")
def gated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[UpInfo]:
    with gated_mode(tmp_path_factory.mktemp("up")) as info:
        yield info


def test_cancel_ends_the_process_group(gated: UpInfo) -> None:
    rest = Rest(gated)
    task = rest.submit("to be cancelled", "crash")
    until(lambda: pod_processes(task))
    began = time.monotonic()
    rest.cancel(task)
    until(lambda: not pod_processes(task), 10)
    until(lambda: rest.status(task)["status"] == "cancelled", 10)
    assert time.monotonic() - began < 10


def test_a_killed_job_is_tried_again_and_the_attempts_say_why(gated: UpInfo) -> None:
    rest = Rest(gated)
    task = rest.submit("to be killed", "crash")
    until(lambda: rest.status(task)["status"] == "processing")
    # The oldest is the shim, which is no part of the container.
    os.kill(max(pod_processes(task)), signal.SIGKILL)
    (gated.kubeconfig.parents[1] / "gate").touch()
    until(lambda: rest.has_ended(task), 90, every=0.5)
    status = asyncio.run(_task(gated.kubeconfig, task))["status"]
    assert status["phase"] == "completed"
    first, second = status["attempts"]
    assert (first["exitCode"], first["counts"]) == (137, True)
    assert second["exitCode"] == 0


def _all_run(rest: Rest, tasks: list[str]) -> bool:
    return all(rest.status(task)["status"] == "processing" for task in tasks)
