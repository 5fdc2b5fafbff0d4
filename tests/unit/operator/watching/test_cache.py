"""What the operator remembers of the cluster: the newest of everything, and nothing of what is gone."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from mediatask_crds import names
from mediatask_operator.objects import Object
from mediatask_operator.watching.cache import Cache
from support.taskworld import World, a_task

KEY = ("default", "scene-1")


def task_of(version: int, uid: str = "uid-1", **meta: Any) -> Object:
    task = a_task(taskData={"prompt": "x"})
    task["metadata"] |= {"uid": uid, "resourceVersion": str(version), **meta}
    return task


def started() -> tuple[World, Object, Object]:
    """A world whose one attempt runs, with its Job and pod."""
    world = World()
    world.settle()
    (job,), pod = world.jobs, world.start()
    job["metadata"]["namespace"] = pod["metadata"]["namespace"] = KEY[0]
    return world, job, pod


def filled() -> tuple[Cache, World, Object, Object]:
    world, job, pod = started()
    cache = Cache()
    cache.put_task(world.task)
    cache.put_job(job)
    cache.put_pod(pod)
    return cache, world, job, pod


def test_a_deleted_pod_is_remembered_as_long_as_its_job_is_there() -> None:
    """Else an ended attempt's Job, which the Job controller is slow to fail, would seem to run on."""
    cache, world, job, pod = filled()
    cache.drop_pod(pod)
    assert [kept["gone"] for kept in cache.get(KEY).pods.values()] == [True]
    cache.drop_job(job)
    assert cache.get(KEY).pods, "the attempt's end is not on record yet"
    world.task["status"]["attempts"][0]["endedAt"] = "2026-11-21T10:05:00Z"
    world.task["metadata"]["resourceVersion"] = "9"
    cache.put_task(world.task)
    assert not cache.get(KEY).pods


@pytest.mark.parametrize("order", list(itertools.permutations(("task", "job", "pod"))))
def test_nothing_is_left_whatever_goes_first(order: tuple[str, ...]) -> None:
    cache, world, job, pod = filled()
    drops = {
        "task": lambda: cache.drop_task(world.task),
        "job": lambda: cache.drop_job(job),
        "pod": lambda: cache.drop_pod(pod),
    }
    for kind in order:
        drops[kind]()
    assert cache.entries == {}


def test_an_older_namesake_does_not_come_back() -> None:
    """A page of a list that was read before the task was deleted and made anew may arrive afterwards."""
    cache = Cache()
    cache.put_task(task_of(5, "old"))
    assert cache.put_task(task_of(11, "new")) == KEY
    assert cache.put_task(task_of(5, "old")) is None
    assert cache.drop_task(task_of(10, "old")) is None
    known = cache.get(KEY).task
    assert known is not None
    assert known["metadata"]["uid"] == "new"


def test_what_was_deleted_does_not_come_back() -> None:
    cache, world, job, pod = filled()
    cache.drop_task(world.task)
    cache.drop_job(job)
    cache.drop_pod(pod)
    assert [cache.put_task(world.task), cache.put_job(job), cache.put_pod(pod)] == [None, None, None]
    assert cache.entries == {}


def test_a_deleted_class_does_not_come_back() -> None:
    cache = Cache()
    spec = {"taskTypes": ["generate_image"], "image": "python"}
    made = {"metadata": {"name": "image", "resourceVersion": "5"}, "spec": spec}
    assert cache.put_class(made) == "image"
    assert cache.drop_class({"metadata": {"name": "image", "resourceVersion": "7"}}) == "image"
    assert cache.put_class(made) is None
    assert cache.put_class({"metadata": {"name": "image", "resourceVersion": "8"}, "spec": spec}) == "image"


def test_bookkeeping_of_others_is_not_kept() -> None:
    cache = Cache()
    annotations = {
        "kubectl.kubernetes.io/last-applied-configuration": "x" * 1000,
        names.ANNOTATION_IDEMPOTENCY_ANSWER: "{}",
        names.ANNOTATION_IDEMPOTENCY_BODY: "0" * 64,
        "team": "film",
    }
    cache.put_task(task_of(1, managedFields=[{}], annotations=annotations))
    known = cache.get(KEY).task
    assert known is not None
    assert known["metadata"]["annotations"] == {"team": "film"}
    assert "managedFields" not in known["metadata"]
    assert "taskData" not in known["spec"]
