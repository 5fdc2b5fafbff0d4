"""The burst: thousands of tasks at once, from their creation until the last one is complete."""

from __future__ import annotations

import os
import statistics
import tempfile
from pathlib import Path
from typing import Any

from bench import audit, machine
from bench.cluster import OPERATOR_USER, bench_cluster
from bench.contestants import Contestant
from bench.load import Progress, running, submit, warm_up
from mediatask_common.kube import Kube

CURVE_POINTS = 100
"""A curve of so many quantiles goes into the results."""
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
            with running(contestant, cluster, folder, contestant.environment(folder)) as pid:
                await warm_up(contestant, kube, folder)
                processes = {**cluster.processes, "operator": pid, "load generator": os.getpid()}
                before = {name: machine.cpu_seconds(of) for name, of in processes.items()}
                busy_before = machine.busy_seconds()
                submitted_after, complete_after = await submit(contestant, kube, tasks, folder, "completed", progress)
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
