"""What the operator remembers of deleted pods."""

from __future__ import annotations

from mediatask_operator.watching.cache import Cache
from support.taskworld import World

KEY = ("default", "scene-1")


def test_a_deleted_pod_is_remembered_as_long_as_its_job_is_there() -> None:
    """Else an ended attempt's Job, which the Job controller is slow to fail, would seem to run on."""
    world, cache = World(), Cache()
    world.settle()
    (job,), pod = world.jobs, world.start()
    job["metadata"]["namespace"] = pod["metadata"]["namespace"] = KEY[0]
    cache.put_task(world.task)
    cache.put_job(job)
    cache.put_pod(pod)
    cache.drop_pod(pod)
    assert [kept["gone"] for kept in cache.get(KEY).pods.values()] == [True]
    cache.drop_job(job)
    assert cache.get(KEY).pods, "the attempt's end is not on record yet"
    world.task["status"]["attempts"][0]["endedAt"] = "2026-11-21T10:05:00Z"
    world.task["metadata"]["resourceVersion"] = "9"
    cache.put_task(world.task)
    assert not cache.get(KEY).pods
