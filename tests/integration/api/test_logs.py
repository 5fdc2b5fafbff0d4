"""Logs of the latest attempt, whole and followed. The embedded API server serves the files that a runner names."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import httpx
import pytest

from mediatask_common.kube import PODS, Object
from mediatask_common.store import log_key
from support.front import until

from .conftest import World

LOG_ANNOTATION = "embedded.tasks.ft.tc/log"

pytestmark = pytest.mark.skipif("KUBECONFIG_FOR_TESTS" in os.environ, reason="needs a kubelet there")


async def set_pod(world: World, pod: Object, phase: str, log: Path | None = None) -> None:
    """Play the kubelet."""
    name = pod["metadata"]["name"]
    if log is not None:
        await world.kube.patch(PODS, name, {"metadata": {"annotations": {LOG_ANNOTATION: str(log)}}}, world.namespace)
    await world.kube.patch(PODS, name, {"status": {"phase": phase}}, world.namespace, subresource="status")


async def test_the_log_is_that_of_the_latest_attempt(world: World, tmp_path: Path) -> None:
    task_id = await world.submit()
    for attempt in (2, 10, 9):
        log = tmp_path / f"{attempt}.log"
        log.write_text(f"attempt {attempt}\nsaid this\n")
        await set_pod(world, await world.pod(task_id, attempt, nodeName="node"), "Succeeded", log)
    answer = await world.api.get(f"/tasks/{task_id}/logs")
    assert answer.text == "attempt 10\nsaid this\n"
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize("placed", [{}, {"nodeName": "node"}], ids=["unscheduled", "starting"])
async def test_a_pod_that_has_not_started_has_no_log_yet(world: World, placed: dict[str, str]) -> None:
    task_id = await world.submit()
    await world.pod(task_id, **placed)
    answer = await world.api.get(f"/tasks/{task_id}/logs")
    assert answer.status_code == 409
    assert answer.headers["retry-after"]


async def test_an_empty_log_is_an_empty_answer(world: World, tmp_path: Path) -> None:
    task_id = await world.submit()
    (tmp_path / "empty.log").touch()
    await set_pod(world, await world.pod(task_id, nodeName="node"), "Succeeded", tmp_path / "empty.log")
    answer: Any = await world.api.get(f"/tasks/{task_id}/logs")
    assert (answer.status_code, answer.text) == (200, "")


async def test_following_goes_on_until_the_pod_ends(world: World, tmp_path: Path) -> None:
    task_id = await world.submit()
    log = tmp_path / "running.log"
    log.write_text("one\n")
    pod = await world.pod(task_id, nodeName="node")
    await set_pod(world, pod, "Running", log)
    following = asyncio.create_task(world.api.get(f"/tasks/{task_id}/logs", params={"follow": "true"}))
    with log.open("a") as out:
        out.write("two\n")
    await set_pod(world, pod, "Succeeded")
    assert (await asyncio.wait_for(following, 15)).text == "one\ntwo\n"


async def test_following_ends_after_the_longest_time(open_world: Any, tmp_path: Path) -> None:
    async with open_world(log_follow_seconds=1) as world:
        task_id = await world.submit()
        (tmp_path / "running.log").write_text("one\n")
        await set_pod(world, await world.pod(task_id, nodeName="node"), "Running", tmp_path / "running.log")
        answer = await asyncio.wait_for(world.api.get(f"/tasks/{task_id}/logs", params={"follow": "true"}), 15)
        assert answer.text == "one\n"
        assert world.services.caps.followers._held.total() == 0


async def test_a_log_cannot_steer_a_terminal(world: World, tmp_path: Path) -> None:
    task_id = await world.submit()
    (tmp_path / "odd.log").write_bytes(b"\x1b]0;owned\x07a\tb\xc2\x9b2J\xff\n\x1b[31mred\n")
    await set_pod(world, await world.pod(task_id, nodeName="node"), "Succeeded", tmp_path / "odd.log")
    answer = await world.api.get(f"/tasks/{task_id}/logs")
    assert answer.text == "?]0;owned?a\tb?2J\ufffd\n?[31mred\n"


async def test_a_followed_log_ends_with_the_right_to_it(open_world: Any, tmp_path: Path) -> None:
    async with open_world(max_log_followers_per_key=1) as world:
        film = await world.caller("film")
        task_id = await world.submit()
        log = tmp_path / "talking.log"
        log.write_text("one\n")
        await set_pod(world, await world.pod(task_id, nodeName="node"), "Running", log)

        async def follow() -> httpx.Response:
            answer: httpx.Response = await film.get(f"/tasks/{task_id}/logs", params={"follow": True})
            return answer

        following = asyncio.create_task(follow())

        async def talk() -> None:
            while True:
                with log.open("a") as out:
                    out.write("another\n")
                await asyncio.sleep(0.05)

        talking = asyncio.create_task(talk())
        second = asyncio.create_task(follow())
        done, _ = await asyncio.wait({following, second}, return_when=asyncio.FIRST_COMPLETED)
        assert [task.result().status_code for task in done] == [429], "one of them is followed, so the other may not"
        await world.keys.revoke("key-2")
        answers = await asyncio.wait_for(asyncio.gather(following, second), 15)
        assert sorted(answer.status_code for answer in answers) == [200, 429], "it ended, although the pod goes on"
        talking.cancel()


async def test_a_followed_log_that_is_silent_ends_with_the_right_to_it(world: World, tmp_path: Path) -> None:
    film = await world.caller("film")
    task_id = await world.submit()
    log = tmp_path / "silent.log"
    log.write_text("one\n")
    await set_pod(world, await world.pod(task_id, nodeName="node"), "Running", log)
    following = asyncio.create_task(film.get(f"/tasks/{task_id}/logs", params={"follow": True}))

    async def followed() -> bool:
        return world.services.caps.followers._held.total() == 1

    await until(followed)
    await world.keys.revoke("key-2")
    assert (await asyncio.wait_for(following, 15)).text == "one\n"
    assert world.services.caps.followers._held.total() == 0


# ---- logs that were kept


async def keep(world: World, task_id: str, attempt: int, content: bytes) -> None:
    uid = (await world.task(task_id))["metadata"]["uid"]
    await world.services.store.create(log_key("film", uid, attempt), content, "text/plain")


async def test_a_log_outlives_its_pod(world: World, tmp_path: Path) -> None:
    task_id = await world.submit()
    await keep(world, task_id, 1, b"first \x1b[2J\nend\n")
    await keep(world, task_id, 2, b"second\n")
    await world.set_status(task_id, phase="failed", attempt=2)
    assert (await world.api.get(f"/tasks/{task_id}/logs")).text == "second\n"
    assert (await world.api.get(f"/tasks/{task_id}/logs", params={"attempt": 1})).text == "first ?[2J\nend\n"
    followed = await world.api.get(f"/tasks/{task_id}/logs", params={"attempt": 1, "follow": True})
    assert followed.text == "first ?[2J\nend\n"
    assert (await world.api.get(f"/tasks/{task_id}/logs", params={"attempt": 3})).status_code == 404
    assert (await world.api.get(f"/tasks/{task_id}/logs", params={"attempt": 0})).status_code == 400
    (tmp_path / "3.log").write_text("third, alive\n")
    await set_pod(world, await world.pod(task_id, 3, nodeName="node"), "Running", tmp_path / "3.log")
    assert (await world.api.get(f"/tasks/{task_id}/logs")).text == "third, alive\n"
    assert (await world.api.get(f"/tasks/{task_id}/logs", params={"attempt": 2})).text == "second\n"
    other = await world.caller("other")
    assert (await other.get(f"/tasks/{task_id}/logs", params={"attempt": 1})).status_code == 404
