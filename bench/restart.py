"""The restart: an operator that comes back to thousands of live tasks has to find that there is nothing to do."""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx

from bench import audit, machine
from bench.cluster import NAMESPACE, OPERATOR_USER, bench_cluster
from bench.contestants import Ours
from bench.load import PATIENCE_SECONDS, Progress, running, submit
from mediatask_common.kube import JOBS, Kube

QUIET_SECONDS = 10
"""Writes are counted for so long after every task was looked at: resyncs after the start fall into it."""


async def restart(tasks: int, progress: Progress) -> dict[str, Any]:
    """Bring `tasks` tasks to life, stop the operator, start it again, and see what it does.

    Raises:
        ClusterError: a part of the cluster died.
        TimeoutError: not all tasks came to life, or the operator never looked at all of them.
    """
    contestant = Ours()
    with tempfile.TemporaryDirectory(prefix="mediatask-bench-") as temporary:
        folder = Path(temporary)
        async with (
            bench_cluster(folder, tasks, pods_end=False) as cluster,
            await Kube.connect(cluster.admin, timeout=120) as kube,
        ):
            environment = contestant.environment(folder)
            await contestant.prepare(kube, tasks)
            with running(contestant, cluster, folder, environment):
                await submit(contestant, kube, tasks, folder, "processing", progress)
            offset = cluster.audit_log.stat().st_size
            began = time.monotonic()
            with running(contestant, cluster, folder, environment) as pid:
                await _all_looked_at(tasks, int(environment["MEDIATASK_METRICS_PORT"]))
                steady_after = time.monotonic() - began
                await asyncio.sleep(QUIET_SECONDS)
                cluster.check()
                peak, cpu = machine.peak_rss_mib(pid), machine.cpu_seconds(pid)
            with cluster.audit_log.open("rb") as lines:
                lines.seek(offset)
                seen = audit.read(lines, contestant.tasks.plural, OPERATOR_USER)
            jobs = [job async for job in kube.list_all(JOBS, NAMESPACE)]
    return {
        "steady_after_s": round(steady_after, 1),
        "writes": dict(seen.writes),
        "jobs_per_task": round(len(jobs) / tasks, 3),
        "rss_peak_mib": round(peak, 1),
        "operator_cpu_s": round(cpu, 1),
        "load": round(os.getloadavg()[0], 1),
    }


async def _all_looked_at(tasks: int, metrics_port: int) -> None:
    """Wait until the operator has reconciled as many times as there are tasks: at its start it looks at each once."""
    async with asyncio.timeout(PATIENCE_SECONDS), httpx.AsyncClient() as client:
        while True:
            try:
                text = (await client.get(f"http://127.0.0.1:{metrics_port}/metrics", timeout=30)).text
            except httpx.TransportError:
                text = ""
            found = re.search(r"^mediatask_reconcile_seconds_count (\S+)", text, re.MULTILINE)
            if found and float(found[1]) >= tasks:
                return
            await asyncio.sleep(0.1)
