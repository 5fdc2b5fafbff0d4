"""kill -9 of everything that the tasks need, one after the other, while 20 run and some of them are just ending."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from cluster.fixtures.installed import Receiver, Release
from cluster.fixtures.installed.held_tasks import HeldTasks
from cluster.fixtures.installed.notes import Report
from cluster.harness.node.realnode import RealNode
from support.mode import until

pytestmark = pytest.mark.slow

RUNNING, BATCH = 20, 4


@pytest.fixture(scope="module")
def batches(release: Release, gates: Receiver) -> Iterator[HeldTasks]:
    """Tasks with no end, until they are let go."""
    made = HeldTasks(release, gates, "faults", BATCH)
    yield made
    made.let_all_go()


def part_of_the_node(name: str) -> Callable[[RealNode, Release], None]:
    """Kills a process of the node's, which is started again as an init system would."""
    return lambda node, _release: node.restart(name)  # type: ignore[arg-type]


def part_of_the_release(component: str) -> Callable[[RealNode, Release], None]:
    """Kills the containers of all pods of a component, which the kubelet starts again."""

    def kill(node: RealNode, release: Release) -> None:
        before = {pod["metadata"]["name"]: pod["status"]["containerStatuses"][0] for pod in release.pods(component)}
        for container in before.values():
            node.kill_container(container["containerID"])

        def back() -> bool:
            now = {pod["metadata"]["name"]: pod["status"]["containerStatuses"][0] for pod in release.pods(component)}
            assert now.keys() == before.keys(), "killed, not replaced"
            return all(
                container["ready"] and container["restartCount"] > before[name]["restartCount"]
                for name, container in now.items()
            )

        until(back, every=0.5)

    return kill


VICTIMS = {
    "kubelet": part_of_the_node("kubelet"),
    "containerd": part_of_the_node("containerd"),
    "operator": part_of_the_release("operator"),
    "api": part_of_the_release("api"),
    "redis": part_of_the_release("redis"),
    "s3": part_of_the_release("s3"),
}


@pytest.mark.timeout(400)
@pytest.mark.parametrize("victim", VICTIMS)
def test_tasks_end_once_whatever_is_killed(
    victim: str, node: RealNode, release: Release, batches: HeldTasks, report: Report
) -> None:
    batches.hold(RUNNING)
    # A container that dies for the second time is kept down for a while: those let go then find it away.
    for _ in range(2):
        began = time.monotonic()
        batches.let_one_go()
        VICTIMS[victim](node, release)
        away = time.monotonic() - began
        batches.submit()

    batches.until("completed", batches.let_go)
    took = time.monotonic() - began
    report(f"kill -9 of {victim}: back after {away:.1f} s; what was ending meanwhile has ended after {took:.1f} s")


@pytest.mark.timeout(400)
def test_after_all_that_every_task_has_ended_well_and_once(batches: HeldTasks, report: Report) -> None:
    batches.hold(RUNNING)
    batches.let_all_go()

    batches.check_ended_once(node_was_killed=True)

    report(f"killed {', '.join(VICTIMS)}: {len(batches.let_go) * BATCH} tasks, each ended well and once")
