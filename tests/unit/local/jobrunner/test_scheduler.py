"""Placing pods on the node: room is never given twice, and who waits is told why."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mediatask_local.jobrunner.scheduling.node import node_object
from mediatask_local.jobrunner.scheduling.scheduler import Binding, Unschedulable, place

NODE = node_object(gpus=2, cpus=4, memory=8 * 1024**3)


def pod(number: int, *, gpus: int = 0, cpu: str = "0", bound: bool = False, **spec: Any) -> dict[str, Any]:
    limits = {"nvidia.com/gpu": str(gpus), "cpu": cpu} if gpus else {"cpu": cpu}
    metadata = {"name": f"p{number}", "namespace": "default", "creationTimestamp": f"2026-11-21T12:00:{number:02}Z"}
    containers = [{"name": "main", "image": "python", "resources": {"limits": limits}}]
    return {
        "metadata": metadata,
        "spec": {"containers": containers, **({"nodeName": "embedded"} if bound else {}), **spec},
    }


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5000), st.booleans(), st.sampled_from(["Running", "Failed"])))
)
def test_never_more_than_there_is(wishes: list[tuple[int, int, bool, str]]) -> None:
    pods = []
    for number, (gpus, cpu, bound, phase) in enumerate(wishes[:60]):
        # What is bound already fits, by whoever bound it.
        each = pod(number, gpus=0 if bound else gpus, cpu="0" if bound else f"{cpu}m", bound=bound)
        pods.append({**each, "status": {"phase": phase if bound else "Pending"}})
    placed = [each.pod for each in place(pods, NODE) if isinstance(each, Binding)]
    gpus_used = sum(
        int(each["spec"]["containers"][0]["resources"]["limits"].get("nvidia.com/gpu", 0)) for each in placed
    )
    cpu_used = sum(int(each["spec"]["containers"][0]["resources"]["limits"]["cpu"][:-1]) for each in placed)
    assert gpus_used <= 2
    assert cpu_used <= 4000


def test_older_pods_come_first_unless_priority_says_otherwise() -> None:
    old, new, urgent = pod(1, gpus=1), pod(2, gpus=1), pod(3, gpus=1, priority=1000)
    decisions = place([new, urgent, old], NODE)
    assert decisions == [
        Binding(urgent),
        Binding(old),
        Unschedulable(new, "0/1 nodes are available: 1 Insufficient nvidia.com/gpu."),
    ]


def test_a_big_pod_does_not_hold_back_small_ones() -> None:
    big, small = pod(1, gpus=3), pod(2, gpus=1)
    assert place([big, small], NODE)[1] == Binding(small)


def test_deleted_and_gated_pods_are_left_alone() -> None:
    deleted = pod(1)
    deleted["metadata"]["deletionTimestamp"] = "2026-11-21T12:00:00Z"
    assert place([deleted, pod(2, schedulingGates=[{"name": "wait"}])], NODE) == []


def test_ended_pods_hold_no_room() -> None:
    ended = {**pod(1, gpus=2, bound=True), "status": {"phase": "Succeeded"}}
    assert place([ended, pod(2, gpus=2)], NODE) == [Binding(pod(2, gpus=2))]
