"""Running an operator, and giving it tasks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bench import audit
from bench.cluster import NAMESPACE, BenchCluster
from bench.contestants import Contestant
from cluster.harness.processes import Processes
from mediatask_common.kube import Kube

CLIENTS = 16
"""Tasks that are being submitted at one time."""
WARM_UP = "warm-up"
WARM_UP_SECONDS = 120
PATIENCE_SECONDS = 1200

Progress = Callable[[int], None]


@contextmanager
def running(
    contestant: Contestant, cluster: BenchCluster, folder: Path, environment: Mapping[str, str]
) -> Iterator[int]:
    """The contestant's process; its id.

    Raises:
        ClusterError: it ended by itself.
    """
    program, *arguments = contestant.command
    processes = Processes(folder)
    processes.start("operator", Path(program), arguments, {**environment, "KUBECONFIG": str(cluster.operator)})
    try:
        yield processes.pid("operator")
        processes.check()
    except TimeoutError as error:
        error.add_note((folder / "operator.log").read_text()[-2000:])
        raise
    finally:
        processes.stop()


async def warm_up(contestant: Contestant, kube: Kube, folder: Path) -> None:
    """One task to its end: everything is connected, imported and compiled before the clock starts."""
    async with asyncio.timeout(WARM_UP_SECONDS):
        contestant.created(await kube.create(contestant.tasks, contestant.task(WARM_UP), NAMESPACE), folder)
        ended = {"fieldSelector": "status.phase=completed"}
        while not (await kube.list(contestant.tasks, NAMESPACE, **ended))["items"]:  # noqa: ASYNC110  # it is but one
            await asyncio.sleep(0.2)


async def submit(
    contestant: Contestant, kube: Kube, tasks: int, folder: Path, phase: str, progress: Progress
) -> tuple[float, float]:
    """Create the tasks and wait until all are in a phase; seconds until all were created, and until all were in it."""
    began = time.monotonic()
    numbers = iter(range(tasks))

    async def client() -> None:
        for number in numbers:
            task = await kube.create(contestant.tasks, contestant.task(audit.task_name(number)), NAMESPACE)
            contestant.created(task, folder)

    async def wait() -> None:
        there: set[str] = set()
        selector = f"status.phase={phase}"
        while True:  # a busy API server ends the watches of slow readers: begin again
            listed = await kube.list(contestant.tasks, NAMESPACE, fieldSelector=selector)
            there |= {task["metadata"]["name"] for task in listed["items"]} - {WARM_UP}
            if len(there) == tasks:
                return
            version = listed["metadata"]["resourceVersion"]
            async for kind, task in kube.watch(contestant.tasks, NAMESPACE, version, fieldSelector=selector):
                if kind in ("ADDED", "MODIFIED"):
                    there.add(task["metadata"]["name"])
                    progress(len(there))
                if len(there) == tasks:
                    return

    async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as group:
        group.create_task(wait())
        await asyncio.gather(*(client() for _ in range(CLIENTS)))
        submitted = time.monotonic() - began
    return submitted, time.monotonic() - began
