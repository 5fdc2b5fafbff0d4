"""Who runs when: GPU slots, room on the node, and the reasons given to those who wait."""

from __future__ import annotations

import asyncio

from mediatask_common.kube import JOBS, NODES, Object
from support.jobs import Jobs, conditions, finished, running

GPU = {"limits": {"nvidia.com/gpu": "1"}}
# Counts itself in and out of the shared folder, and fails when it finds more than two at work.
COUNTED = """
import os, pathlib, sys, time, uuid
room = pathlib.Path(os.environ["ROOM"], "counted")
room.mkdir(exist_ok=True)
me = room / uuid.uuid4().hex
me.touch()
present = len(list(room.iterdir()))
time.sleep(0.3)
me.unlink()
sys.exit(present > 2)
"""
SHARED = {
    "env": [{"name": "ROOM", "value": "/models"}],
    "volumeMounts": [{"name": "models", "mountPath": "/models"}],
}


def _reason(pod: Object) -> Object:
    listed = pod.get("status", {}).get("conditions") or []
    return next((item for item in listed if item["type"] == "PodScheduled"), {})


async def _remove(jobs: Jobs, job: Object) -> None:
    await jobs.kube.delete(JOBS, job["metadata"]["name"], "default", propagation="Foreground")
    await jobs.gone(JOBS, job["metadata"]["name"])


async def test_gpu_slots_are_never_oversubscribed(jobs: Jobs) -> None:
    spec = {"pod": {"volumes": [{"name": "models", "emptyDir": {}}]}}
    made = [await jobs.create(COUNTED, spec=spec, resources=GPU, **SHARED) for _ in range(10)]
    ended = await asyncio.gather(*(jobs.until(job, finished, 60) for job in made))
    assert all("Complete" in conditions(job) for job in ended)


async def test_more_gpus_than_the_node_has(jobs: Jobs) -> None:
    job = await jobs.create("pass", resources={"limits": {"nvidia.com/gpu": "3"}})
    pod = await jobs.pod_until(job, lambda pod: bool(_reason(pod)))
    assert _reason(pod)["status"] == "False"
    assert _reason(pod)["reason"] == "Unschedulable"
    assert _reason(pod)["message"] == "0/1 nodes are available: 1 Insufficient nvidia.com/gpu."
    await _remove(jobs, job)


async def test_a_waiting_pod_follows_when_a_slot_is_free(jobs: Jobs) -> None:
    two = {"limits": {"nvidia.com/gpu": "2"}}
    first = await jobs.create("import time; time.sleep(600)", resources=two)
    await jobs.pod_until(first, running)
    second = await jobs.create("pass", resources=two)
    await jobs.pod_until(second, lambda pod: _reason(pod).get("reason") == "Unschedulable")
    await _remove(jobs, first)
    assert "Complete" in conditions(await jobs.until(second, finished))


async def test_node_selector(jobs: Jobs) -> None:
    nowhere = await jobs.create("pass", spec={"pod": {"nodeSelector": {"gpu": "h200"}}})
    pod = await jobs.pod_until(nowhere, lambda pod: bool(_reason(pod)))
    assert "didn't match Pod's node affinity/selector" in _reason(pod)["message"]
    await _remove(jobs, nowhere)
    here, pod = await jobs.run("pass", spec={"pod": {"nodeSelector": {"kubernetes.io/os": "linux"}}})
    assert "Complete" in conditions(here)
    assert pod["spec"]["nodeName"] == "embedded"


async def test_the_node_says_what_it_has(jobs: Jobs) -> None:
    node = await jobs.kube.get(NODES, "embedded")
    assert node["status"]["allocatable"]["nvidia.com/gpu"] == "2"
    assert "Ready" in conditions(node)
