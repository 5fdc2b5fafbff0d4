"""Cost and budgets with real jobs: stopped in time, charged to the cent, estimated as it turns out."""

from __future__ import annotations

import asyncio
from collections import Counter
from decimal import Decimal

import httpx
import pytest

from mediatask_client import AsyncClient
from mediatask_common.kube import TASKS, Kube, Object
from mediatask_common.times import parse_time
from mediatask_local.up import UpInfo
from support.budgets import priced, put_budget
from support.front import until

PROJECT, SUBMITTERS, LIMIT, SAMPLES = "budgeted", 32, "8", 3
PRICES = {"currency": "EUR", "perTask": "1", "perHour": "180"}
"""A second of a job costs 5 cents."""
DATA = {"prompt_template": "a {{what}}", "test_parameters": {"what": "door"}}


def price(task: Object) -> Decimal:
    """What the class's prices make of the task's own times."""
    total = Decimal(PRICES["perTask"])
    for attempt in task["status"]["attempts"]:
        ran = parse_time(attempt["endedAt"]) - parse_time(attempt["startedAt"])
        total += Decimal(str(ran.total_seconds())) * Decimal(PRICES["perHour"]) / 3600
    return total


@pytest.mark.timeout(300)
async def test_a_project_is_stopped_at_its_budget_and_charged_what_its_jobs_took(
    embedded_mode: UpInfo, capsys: pytest.CaptureFixture[str]
) -> None:
    info = embedded_mode
    async with priced(info.kubeconfig, PRICES) as kube, AsyncClient(info.api_url, info.api_key) as client:
        unmeasured = await cost(client)
        await put_budget(kube, PROJECT, LIMIT)

        async def known() -> bool:
            return bool((await client.budgets(PROJECT)).budgets)

        await until(known, seconds=60)
        refusals: Counter[int] = Counter()

        async def submit() -> None:
            body = {"project_id": PROJECT, "task_type": "test_prompt", "task_data": DATA}
            answer = await http.post("/api/v1/tasks/submit", json=body)
            refusals[answer.status_code] += 1

        headers = {"X-API-Key": info.api_key}
        async with httpx.AsyncClient(base_url=info.api_url, headers=headers, timeout=60) as http:
            await asyncio.gather(*(submit() for _ in range(SUBMITTERS)))
            assert refusals.keys() <= {202, 402}
            tasks = await all_ended(kube, refusals[202])
            phases = Counter(task["status"]["phase"] for task in tasks)
            completed = [task for task in tasks if task["status"]["phase"] == "completed"]
            assert {task["status"]["error"]["code"] for task in tasks if task not in completed} == {"BudgetExceeded"}
            costs = [Decimal(task["status"]["cost"]["amount"]) for task in completed]
            assert abs(sum(costs) - sum(price(task) for task in completed)) < Decimal("0.01")

            async def spent() -> bool:
                (budget,) = (await client.budgets(PROJECT)).budgets
                return (budget.spent, budget.reserved) == (sum(costs), 0)

            await until(spent, seconds=30)
            # What is overrun was running already, two at a time, and each cost no more than the dearest one.
            assert sum(costs) <= Decimal(LIMIT) + 2 * (max(costs) - 1)
            records = (await client.cost_records(PROJECT)).records
            assert sum(record.amount or 0 for record in records) == sum(costs)
            await put_budget(kube, PROJECT, "0.5")
            await until(lambda: refused(http), seconds=60)

        async def measured() -> bool:
            return await cost(client) != unmeasured

        await until(measured, seconds=60)
        estimate = await cost(client)
        assert estimate is not None
        # By what has run: how long the next one takes is up to what else the machine does.
        ran = [price(task) for task in await completed_ones(kube)]
        assert min(ran) * Decimal("0.8") <= estimate <= max(ran) * Decimal("1.2")
        again = [await client.run("test_prompt", DATA, project_id="sample") for _ in range(SAMPLES)]
        mean = sum(price(each) for each in [await kube.get(TASKS, task.task_id, "default") for task in again]) / SAMPLES
    with capsys.disabled():
        print(
            f"\n{SUBMITTERS} submitters: {dict(refusals)}, then {dict(phases)}; {sum(costs)} of {LIMIT} EUR spent; "
            f"estimated {estimate}, then {mean:.6f} on average"
        )


async def cost(client: AsyncClient) -> Decimal | None:
    """What such a task is expected to cost."""
    found = (await client.estimate(PROJECT, "test_prompt", DATA)).cost
    return found.amount if found is not None else None


async def all_ended(kube: Kube, number: int) -> list[Object]:
    """The project's tasks, once all have ended."""
    tasks: list[Object] = []

    async def over() -> bool:
        tasks[:] = (await kube.list(TASKS, "default", fieldSelector=f"spec.projectId={PROJECT}"))["items"]
        return sum("completedAt" in (task.get("status") or {}) for task in tasks) == number

    await until(over, seconds=120)
    return tasks


async def completed_ones(kube: Kube) -> list[Object]:
    """All tasks of the type that have completed, whatever project they are of."""
    tasks = (await kube.list(TASKS, "default"))["items"]
    return [
        task
        for task in tasks
        if task["spec"]["taskType"] == "test_prompt" and (task.get("status") or {}).get("phase") == "completed"
    ]


async def refused(http: httpx.AsyncClient) -> bool:
    body = {"project_id": PROJECT, "task_type": "test_prompt", "task_data": DATA}
    answer = await http.post("/api/v1/tasks/submit", json=body)
    return answer.status_code == 402 and "leaves too little; it renews at" in answer.json()["detail"]
