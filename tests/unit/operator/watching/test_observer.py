"""What is put together about a task, and what the API server is asked because one watch may lag behind another."""

from __future__ import annotations

from typing import cast

import pytest

from mediatask_common.kube import JOBS, PODS, TASKS, Kube, KubeError, Object, Resource
from mediatask_operator.deciding.observation import Delivery, NotPublished, Proved, Refusal, Registration, Task
from mediatask_operator.deciding.reasons import Reason
from mediatask_operator.watching.cache import Cache
from mediatask_operator.watching.expectations import Expectations
from mediatask_operator.watching.observer import Observer
from support.taskworld import START, World, a_task

KEY = ("default", "scene-1")


class Server:
    """An API server that holds the Jobs and pods of one task, and says so or fails."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.error: KubeError | None = None
        self.asked: list[str] = []

    async def get(self, resource: Resource, name: str, namespace: str | None = None) -> Object:
        self.asked.append(resource.plural)
        if self.error is not None:
            raise self.error
        held = {JOBS: self.world.jobs, TASKS: [self.world.task]}[resource]
        found = next((obj for obj in held if obj["metadata"]["name"] == name), None)
        if found is None:
            raise KubeError(404, "NotFound", name)
        return found

    async def list(self, resource: Resource, namespace: str | None = None, **_: str) -> Object:
        self.asked.append(resource.plural)
        assert resource is PODS
        return {"items": self.world.pods}


class Scene:
    """An observer whose cache knows the task, and nothing of what else there is."""

    def __init__(self) -> None:
        self.world = World()
        self.server = Server(self.world)
        self.cache, self.expectations = Cache(), Expectations()
        self.observer = Observer(cast(Kube, self.server), self.cache, self.expectations)

    def attempt(self) -> Object:
        """The first attempt begins, on record; its pod runs."""
        self.world.settle()
        pod = self.world.start()
        for obj in (*self.world.jobs, pod):
            obj["metadata"]["namespace"] = "default"
        self.cache.put_task(self.world.task)
        return pod


async def test_a_job_that_the_watch_has_not_told_is_asked_for() -> None:
    scene = Scene()
    scene.attempt()
    seen = await scene.observer.observe(KEY)
    assert [job["metadata"]["name"] for job in seen.jobs] == [scene.world.jobs[0]["metadata"]["name"]]
    assert scene.cache.get(KEY).jobs, "it need not be asked for again"
    await scene.observer.observe(KEY)
    assert scene.server.asked == ["jobs"]


async def test_an_api_server_that_fails_does_not_say_that_the_job_is_gone() -> None:
    scene = Scene()
    scene.attempt()
    scene.server.error = KubeError(500, "InternalError", "etcd is away")
    with pytest.raises(KubeError):
        await scene.observer.observe(KEY)


async def test_a_job_that_is_gone_is_believed_with_what_is_known_of_its_pods() -> None:
    scene = Scene()
    pod = scene.attempt()
    scene.world.end(pod, 0)
    scene.world.jobs.clear()
    seen = await scene.observer.observe(KEY)
    assert (seen.jobs, len(seen.pods)) == ((), 1)


async def test_the_pods_of_the_next_attempt_are_seen_though_its_job_is_gone() -> None:
    """The Job may have come and gone before the status spoke of it."""
    scene = Scene()
    scene.world.reconcile(write_lost=True)
    pod = scene.world.start()
    pod["metadata"]["namespace"] = "default"
    scene.cache.put_task(scene.world.task)
    scene.cache.put_pod(pod)
    seen = await scene.observer.observe(KEY)
    assert (len(seen.pods), seen.latest_attempt, seen.under_way) == (1, 1, 1)


async def test_observing_changes_nothing() -> None:
    scene = Scene()
    scene.cache.put_task(scene.world.task)
    seen = await scene.observer.observe(KEY)
    assert seen.turn is None
    assert (len(scene.expectations), scene.server.asked) == (0, [])


async def test_data_comes_with_the_task_as_it_is_now() -> None:
    scene = Scene()
    scene.cache.put_task(scene.world.task)
    seen = await scene.observer.observe(KEY)
    scene.world.task = a_task(taskData={"prompt": "y"}, cancel=True)
    scene.world.task["metadata"]["resourceVersion"] = "2"
    seen = await scene.observer.with_data(seen)
    assert seen.data == {"prompt": "y"}
    assert seen.task.spec.cancel
    scene.server.error = KubeError(404, "NotFound", "gone")
    with pytest.raises(LookupError):
        await scene.observer.with_data(seen)


async def test_what_was_learned_is_seen_until_the_status_says_it() -> None:
    scene = Scene()
    scene.attempt()
    scene.cache.put_job(scene.world.jobs[0])
    task = Task.parse(scene.world.task)
    proof = NotPublished(Reason.NO_RESULT, "none")
    scene.expectations.learned(task, Proved(1, proof))
    scene.expectations.learned(task, Delivery("id", 1, ok=True))
    scene.expectations.job_refused(task, Refusal(2, 403, "quota", START))
    scene.expectations.learned(task, Registration(2, "64f1"))
    seen = await scene.observer.observe(KEY)
    assert (seen.proof, seen.delivery is not None, seen.refusal is not None) == (proof, True, True)
    assert seen.registration == Registration(2, "64f1")
    scene.world.task["status"]["registration"] = {"attempts": 1}
    scene.expectations.recorded(Task.parse(scene.world.task))
    assert (await scene.observer.observe(KEY)).registration is not None
    scene.world.task["status"]["registration"] = {"attempts": 2}
    scene.world.task["status"] |= {"phase": "failed"}
    scene.world.task["status"]["attempts"][0]["endedAt"] = "2026-11-21T10:00:00Z"
    scene.expectations.recorded(Task.parse(scene.world.task))
    assert len(scene.expectations) == 0
