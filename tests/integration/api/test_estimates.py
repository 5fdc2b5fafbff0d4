"""What a task will cost, told before it is made."""

from __future__ import annotations

import random
import secrets
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from mediatask_common import money
from mediatask_common.kube import CLASSES, TASKS, Kube
from mediatask_common.pricing import rate
from mediatask_common.redisview import RedisView
from mediatask_common.times import rfc3339
from mediatask_crds.names import API_VERSION
from mediatask_crds.task import Attempt
from mediatask_crds.taskclass import MediaTaskClassSpec
from mediatask_operator.deciding.charges import with_attempt, with_completion
from support.taskworld import START

from .conftest import PROMPT, World

SPEC: dict[str, Any] = {
    "taskTypes": ["test_prompt"],
    "default": True,
    "image": "python",
    "gpu": {"count": 2},
    "resources": {"requests": {"cpu": "500m"}},
    "cost": {"currency": "EUR", "perGpuHour": "1.8", "perCpuHour": "0.1", "perTask": "0.001"},
}


@pytest.fixture
async def class_name(kube: Kube) -> AsyncIterator[str]:
    name = f"a-{secrets.token_hex(4)}"
    await kube.create(
        CLASSES, {"apiVersion": API_VERSION, "kind": "MediaTaskClass", "metadata": {"name": name}, "spec": SPEC}
    )
    yield name
    await kube.delete(CLASSES, name)


async def run(world: World, class_name: str, seconds: float) -> Decimal:
    """A task that completes after so long; what it costs, as the operator reckons."""
    task_id = await world.submit()
    found = MediaTaskClassSpec.model_validate(SPEC)
    ended_at = rfc3339(START).replace("00Z", f"{seconds:06.3f}Z")
    attempt = Attempt(
        number=1, job_name="j", gpus=2, cpu_millis=500, rate=rate(found, 500),
        started_at=rfc3339(START), ended_at=ended_at, reason="Succeeded",
    )  # fmt: skip
    cost = with_completion(with_attempt(None, attempt), attempt)
    assert cost is not None
    await world.set_status(
        task_id,
        phase="completed", className=class_name, attempt=1, completedAt=attempt.ended_at, startedAt=attempt.started_at,
        attempts=[attempt.model_dump(by_alias=True, exclude_none=True)],
        cost=cost.model_dump(by_alias=True, exclude_none=True),
    )  # fmt: skip
    return Decimal(cost.amount or 0)


@pytest.mark.parametrize("source", ["redis", "kubernetes"])
async def test_estimates_of_repeated_work_are_near_what_it_costs(
    world: World, open_world: Any, redis_url: str, view: RedisView, class_name: str, source: str,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    chance = random.Random(7)
    actual = [await run(world, class_name, chance.gauss(40, 3)) for _ in range(15)]
    async for task in world.kube.list_all(TASKS, world.namespace):
        await view.put(task)
    await view.renew_freshness()
    async with open_world(redis_url=redis_url if source == "redis" else None) as asked:
        answer = await asked.api.post("/tasks/estimate", json=PROMPT)
        assert answer.status_code == 200, answer.text
        estimate = answer.json()
        assert set(estimate) == {"estimated_duration", "queue_position", "cost"}
        told = Decimal(estimate["cost"]["amount"])
        mean = sum(actual) / len(actual)
        following = [await run(world, class_name, chance.gauss(40, 3)) for _ in range(15)]
        off = [abs(told - one) / one for one in following]
        with capsys.disabled():
            print(
                f"\nestimate by {source}: {told} EUR; before {mean:.6f} on average, then {min(following)}"
                f"..{max(following)}: off {sum(off) / len(off):.1%} on average, {max(off):.1%} at most"
            )
        assert max(off) < Decimal("0.2")
        assert estimate["cost"]["currency"] == "EUR"
        submitted = (await asked.api.post("/tasks/submit", json=PROMPT)).json()
        assert submitted["estimated_cost"] == estimate["cost"]


async def test_without_measurements_the_types_own_figure_is_priced(world: World, class_name: str) -> None:
    before = [task async for task in world.kube.list_all(TASKS, world.namespace)]
    answer = (await world.api.post("/tasks/estimate", json=PROMPT)).json()
    seconds = answer["estimated_duration"]
    expected = money.charge(money.micros("3.65"), seconds * 1000) + money.micros("0.001")
    assert answer["cost"] == {"amount": money.spelled(expected), "currency": "EUR", "gpu_seconds": seconds * 2.0}
    assert [task async for task in world.kube.list_all(TASKS, world.namespace)] == before == []


async def test_prompt_tests_cost_nothing(world: World, class_name: str) -> None:
    cost = (await world.api.post("/tasks/estimate", json={**PROMPT, "project_id": "test_project"})).json()["cost"]
    assert (cost["amount"], cost["gpu_seconds"] > 0) == (None, True)


async def test_an_estimate_is_refused_where_the_submit_would_be(world: World) -> None:
    async def status(caller: Any = world.api, **changes: Any) -> int:
        return int((await caller.post("/tasks/estimate", json={**PROMPT, **changes})).status_code)

    assert await status(task_type="paint") == 400
    assert await status(task_data={}) == 400
    assert await status(priority=77) == 400
    assert await status(callback_url="http://127.0.0.1/") == 400
    upload = {"text": "x", "character_voice_profile": f"upload://{'0' * 32}"}
    assert await status(task_type="process_audio", task_data=upload) == 400
    assert await status(await world.caller("other")) == 403
    assert await status(await world.caller("film", scopes=["tasks:read"])) == 403


async def test_nothing_is_known_of_the_cost_where_no_class_is_the_default(world: World) -> None:
    answer = (await world.api.post("/tasks/estimate", json=PROMPT)).json()
    assert (answer["cost"], answer["queue_position"]) == (None, 1)
