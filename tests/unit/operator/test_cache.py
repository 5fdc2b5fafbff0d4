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
    cache.forget_gone_pods(KEY, open_attempt=None)
    assert [kept["gone"] for kept in cache.get(KEY).pods.values()] == [True]
    cache.drop_job(job)
    cache.forget_gone_pods(KEY, open_attempt=1)
    assert cache.get(KEY).pods, "the attempt's end is not on record yet"
    cache.forget_gone_pods(KEY, open_attempt=None)
    assert not cache.get(KEY).pods
