"""Slots: whoever gives one back wakes the next, and a restart forgets neither holders nor the order."""

from __future__ import annotations

from dataclasses import replace

from mediatask_operator.deciding.admission import AdmissionQueue
from mediatask_operator.deciding.budgets import Budgets
from mediatask_operator.deciding.observation import Observed, Task
from mediatask_operator.deciding.plan import Plan, Slot
from mediatask_operator.objects import Key, Object
from mediatask_operator.slots import Slots
from mediatask_operator.watching.cache import Cache
from support.taskworld import START, World, a_task


class Scene:
    """Tasks of one class with one slot."""

    def __init__(self) -> None:
        self.cache, self.queue = Cache(), AdmissionQueue()
        self.woken: list[Key] = []
        self.slots = Slots(self.queue, self.cache, self.woken.append, lambda: START, Budgets(self.cache.ledger))
        spec = {"taskTypes": ["generate_image"], "image": "python", "default": True, "maxInFlight": 1}
        self.cache.put_class({"metadata": {"name": "image", "resourceVersion": "1"}, "spec": spec})

    def seen(self, name: str, priority: int = 5, **status: object) -> Observed:
        task = self.task(name, priority, **status)
        self.cache.put_task(task)
        return replace(World(classes=self.cache.classes).observe(), task=Task.parse(task))

    def task(self, name: str, priority: int = 5, **status: object) -> Object:
        task = a_task(priority=priority)
        task["metadata"] |= {"name": name, "uid": f"uid-{name}"}
        return {**task, "status": status} if status else task


def test_the_next_one_is_woken() -> None:
    scene = Scene()
    first, second = scene.seen("a"), scene.seen("b")
    assert scene.slots.turn(first).admitted
    assert not scene.slots.turn(second).admitted
    scene.slots.settle(first, Plan(slot=Slot.HOLD))
    assert scene.woken == []
    scene.slots.settle(first, Plan())
    assert scene.woken == [("default", "b")]
    assert scene.slots.turn(second).admitted
    third = scene.seen("c")
    scene.slots.turn(third)
    scene.slots.leave(second.task.key)
    assert scene.woken[1:] == [("default", "c")]


def test_a_restart_keeps_slots_and_order() -> None:
    scene = Scene()
    attempt = {"number": 1, "jobName": "job", "round": 0}
    scene.seen("runs", phase="processing", attempt=1, attempts=[attempt], className="image")
    low, high = scene.seen("low", 9), scene.seen("high", 0)
    scene.slots.resume()
    assert scene.slots.turn(low).position == 2
    assert scene.slots.turn(high).position == 1
    scene.slots.leave(("default", "runs"))
    assert not scene.slots.turn(low).admitted
    assert scene.slots.turn(high).admitted


def test_a_task_that_cannot_be_read_keeps_its_slot() -> None:
    scene = Scene()
    attempt = {"number": 1, "jobName": "job", "round": 0}
    broken = scene.task("broken", attempt=1, attempts=[attempt], className="image", progress="half")
    scene.cache.put_task(broken)
    scene.slots.resume()
    assert not scene.slots.turn(scene.seen("a")).admitted


def test_fields_of_a_newer_version_cost_neither_slot_nor_class() -> None:
    scene = Scene()
    attempt = {"number": 1, "jobName": "job", "round": 0, "gpuSeconds": 3}
    scene.seen("newer", phase="processing", attempt=1, attempts=[attempt], className="image", cost={"eur": 1})
    spec = {"taskTypes": ["generate_image"], "image": "python", "default": True, "maxInFlight": 1, "reuse": {"max": 2}}
    scene.cache.put_class({"metadata": {"name": "image", "resourceVersion": "2"}, "spec": spec})
    scene.slots.resume()
    assert set(scene.cache.classes) == {"image"}
    assert not scene.slots.turn(scene.seen("a")).admitted


def test_a_class_that_cannot_be_read_is_told() -> None:
    cache = Cache()
    cache.put_class({"metadata": {"name": "image", "resourceVersion": "1"}, "spec": {"taskTypes": 7}})
    assert (set(cache.classes), set(cache.unusable_classes)) == (set(), {"image"})
    assert cache.drop_class({"metadata": {"name": "image", "resourceVersion": "2"}}) == "image"
    assert not cache.unusable_classes
