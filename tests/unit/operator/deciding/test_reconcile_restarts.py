"""The reconcile rule: what an operator finds that another one, or somebody by hand, has begun or removed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from mediatask_operator.deciding.reconcile import Policy, decide
from support.taskworld import World, a_class, looks_again, run_pod


def test_a_job_created_before_a_crash_is_taken_up() -> None:
    world = World()
    world.reconcile(write_lost=True)
    assert not world.status
    assert len(world.jobs) == 1
    world.advance(5)
    world.settle()
    assert len(world.jobs) == 1
    assert world.status["timings"]["queued"] == 0.0, "its Job was there at once"
    assert world.status["attempt"] == 1
    assert world.holds("JobCreated")


def test_an_attempt_is_not_made_twice_though_its_job_went_before_the_status_spoke_of_it() -> None:
    world = World(published=False)
    world.reconcile(write_lost=True)
    pod = world.start()
    world.jobs.clear()
    world.end(pod, 143)
    world.remove_pod(pod)
    world.settle()
    assert world.jobs == []
    assert [(attempt["number"], attempt["reason"]) for attempt in world.status["attempts"]] == [(1, "Preempted")]
    world.advance(10)
    world.settle()
    assert world.status["attempt"] == 2


@pytest.mark.parametrize("later", [{}, {"animation": a_class()}])
def test_an_attempt_that_is_taken_up_is_of_the_class_that_its_job_was_made_for(later: dict[str, Any]) -> None:
    world = World()
    world.reconcile(write_lost=True)
    world.classes = later
    world.start()
    world.settle()
    assert world.phase == "processing"
    assert world.holds("Accepted")
    assert world.status["className"] == "image"


def test_an_attempt_that_is_taken_up_has_its_classs_whole_name() -> None:
    name = "x" * 100
    world = World(classes={name: a_class()})
    world.reconcile(write_lost=True)
    world.settle()
    assert world.status["className"] == name


def test_a_job_deleted_by_hand_is_recorded_and_replaced() -> None:
    world = World(published=False)
    pod = run_pod(world)
    world.delete_job(world.jobs[0]["metadata"]["name"])
    world.remove_pod(pod)
    world.collect()
    world.settle()
    assert world.status["attempts"][0]["reason"] == "PodDeleted"
    world.jobs.clear()
    world.advance(10)
    world.settle()
    assert len(world.status["attempts"]) == 2


def test_an_attempt_that_is_taken_up_while_its_class_is_gone_holds_what_its_job_says() -> None:
    world = World()
    world.reconcile(write_lost=True)
    world.classes = {}
    world.settle()
    (attempt,) = world.status["attempts"]
    assert (attempt["number"], attempt["gpus"]) == (1, 1)
    for part in world.jobs:
        part["metadata"]["annotations"].clear()
    del world.task["status"]
    world.settle()
    assert "gpus" not in world.status["attempts"][0]


def test_the_news_of_a_job_waits_as_long_as_it_is_old_where_only_the_operator_knows_of_it() -> None:
    world = World()
    world.reconcile(write_lost=True)
    (job,) = world.jobs
    seen = replace(world.observe(), jobs=(), begun=job)
    delay = timedelta(seconds=4)
    early = decide(seen, world.now + timedelta(seconds=3), Policy(delay))
    assert (early.write, looks_again(early)) == (None, [1.0])
    assert decide(seen, world.now + delay, Policy(delay)).write is not None
