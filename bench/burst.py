"""The burst: thousands of tasks at once, from their creation until the last one is complete."""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench import audit, machine
from bench.cluster import NAMESPACE, OPERATOR_USER, BenchCluster, bench_cluster
from bench.contestants import Contestant
from mediatask_common.kube import Kube

CLIENTS = 16
"""Tasks that are being submitted at one time."""
WARM_UP = "warm-up"
WARM_UP_SECONDS = 120
PATIENCE_SECONDS = 1200
CURVE_POINTS = 100
"""A curve of so many quantiles goes into the results."""
TERMINAL = "status.phase=completed"

Progress = Callable[[int], None]
Round = dict[str, Any]


async def burst(contestant: Contestant, tasks: int, progress: Progress) -> Round:
    """One round: a new cluster, the contestant, `tasks` tasks.

    Args:
        progress: told how many tasks are complete.

    Raises:
        ClusterError: a part of the cluster died.
        TimeoutError: not all tasks completed.
    """
    with tempfile.TemporaryDirectory(prefix="mediatask-bench-") as temporary:
        folder = Path(temporary)
        async with bench_cluster(folder, tasks) as cluster, await Kube.connect(cluster.admin, timeout=120) as kube:
            await contestant.prepare(kube, tasks)
            with _running(contestant, cluster, folder) as pid:
                await _warm_up(contestant, kube, folder)
                processes = {**cluster.processes, "operator": pid, "load generator": os.getpid()}
                before = {name: machine.cpu_seconds(of) for name, of in processes.items()}
                busy_before = machine.busy_seconds()
                submitted_after, complete_after = await _submit(contestant, kube, tasks, folder, progress)
                cluster.check()
                spent = {name: machine.cpu_seconds(of) - before[name] for name, of in processes.items()}
                others = machine.busy_seconds() - busy_before - sum(spent.values())
                peak = machine.peak_rss_mib(pid)
            with cluster.audit_log.open("rb") as lines:
                seen = audit.read(lines, contestant.tasks.plural, OPERATOR_USER)
    return _figures(seen, tasks) | {
        "submitted_after_s": round(submitted_after, 2),
        "all_complete_after_s": round(complete_after, 2),
        "rss_peak_mib": round(peak, 1),
        "cpu_s": {name: round(seconds, 1) for name, seconds in sorted(spent.items())},
        # What else ran on the machine meanwhile, which a reader has to know to judge the times.
        "others_cores": round(others / complete_after, 2),
    }


@contextmanager
def _running(contestant: Contestant, cluster: BenchCluster, folder: Path) -> Iterator[int]:
    with (folder / "operator.log").open("wb") as log:
        process = subprocess.Popen(
            contestant.command,
            env={**os.environ, **contestant.environment(folder), "KUBECONFIG": str(cluster.operator)},
            stdout=log,
            stderr=log,
        )
    try:
        yield process.pid
        if process.poll() is not None:
            raise RuntimeError(f"the operator ended:\n{(folder / 'operator.log').read_text()[-2000:]}")
    except TimeoutError as error:
        error.add_note((folder / "operator.log").read_text()[-2000:])
        raise
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


async def _warm_up(contestant: Contestant, kube: Kube, folder: Path) -> None:
    """One task to its end: everything is connected, imported and compiled before the clock starts."""
    async with asyncio.timeout(WARM_UP_SECONDS):
        contestant.created(await kube.create(contestant.tasks, contestant.task(WARM_UP), NAMESPACE), folder)
        while not (await kube.list(contestant.tasks, NAMESPACE, fieldSelector=TERMINAL))["items"]:  # noqa: ASYNC110  # once
            await asyncio.sleep(0.2)


async def _submit(
    contestant: Contestant, kube: Kube, tasks: int, folder: Path, progress: Progress
) -> tuple[float, float]:
    """Create the tasks and wait for their completion; seconds until all were created, and until all were complete."""
    began = time.monotonic()
    numbers = iter(range(tasks))

    async def client() -> None:
        for number in numbers:
            task = await kube.create(contestant.tasks, contestant.task(audit.task_name(number)), NAMESPACE)
            contestant.created(task, folder)

    async def wait() -> None:
        complete = {WARM_UP}
        while len(complete) <= tasks:  # a busy API server ends the watches of slow readers: begin again
            listed = await kube.list(contestant.tasks, NAMESPACE, fieldSelector=TERMINAL)
            complete |= {task["metadata"]["name"] for task in listed["items"]}
            version = listed["metadata"]["resourceVersion"]
            async for kind, task in kube.watch(contestant.tasks, NAMESPACE, version, fieldSelector=TERMINAL):
                if kind in ("ADDED", "MODIFIED"):
                    complete.add(task["metadata"]["name"])
                    progress(len(complete) - 1)
                if len(complete) > tasks:
                    return

    async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as group:
        group.create_task(wait())
        await asyncio.gather(*(client() for _ in range(CLIENTS)))
        submitted = time.monotonic() - began
    return submitted, time.monotonic() - began


def _figures(seen: audit.Burst, tasks: int) -> Round:
    """The figures of a round, from the audit log."""
    latencies = [at - seen.tasks[name] for name, at in seen.jobs.items()]
    last = max(seen.jobs.values())
    return {
        "jobs": len(seen.jobs),
        "jobs_per_s": round(len(seen.jobs) / last, 1),
        "last_task_created_s": round(max(seen.tasks.values()), 2),
        "last_job_created_s": round(last, 2),
        "create_to_job_p50_s": round(statistics.median(latencies), 2),
        "create_to_job_p99_s": round(audit.percentile(latencies, 0.99), 2),
        "writes_per_task": round(sum(seen.writes.values()) / tasks, 2),
        "writes": dict(seen.writes.most_common()),
        "refused": dict(seen.refused.most_common()),
        "events_per_task": round(seen.events / tasks, 2),
        "reads_per_task": round(seen.reads / tasks, 2),
        "create_to_job_s": [round(audit.percentile(latencies, i / CURVE_POINTS), 3) for i in range(CURVE_POINTS + 1)],
    }
