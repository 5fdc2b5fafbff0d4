"""A budget on a real control plane: kept under 32 submitters and through a kill -9, and given by priority."""

from __future__ import annotations

import asyncio

import httpx

from cluster.fixtures.kwok import Sandbox
from cluster.fixtures.kwok.chart import BUDGETS
from cluster.fixtures.kwok.sandbox import PROJECT
from mediatask_common.kube import TASKS
from support.budgets import put_budget
from support.jobs import eventually

SUBMITTERS, PAID = 32, 3


async def test_a_project_is_stopped_at_its_budget_and_goes_on_by_priority(sandbox: Sandbox) -> None:
    place = sandbox.installed.namespace, BUDGETS
    await sandbox.change_class(cost={"currency": "EUR", "perTask": "1"})
    await put_budget(sandbox.kube, PROJECT, str(PAID), "wait", place)
    await eventually(lambda: stands(sandbox), lambda found: found == ("0", "0"), 60)

    names = [f"task-{number}" for number in range(SUBMITTERS)]
    await asyncio.gather(*(sandbox.task(name, callback=None) for name in names))
    await eventually(lambda: waiting(sandbox), lambda found: len(found) == SUBMITTERS - PAID, 60)
    await sandbox.task("urgent", priority=0, callback=None)
    await eventually(lambda: waiting(sandbox), lambda found: "urgent" in found, 30)
    started = set(names) - await waiting(sandbox)
    for name in started:
        await sandbox.succeed(name=name)
        await sandbox.until(lambda status: status.get("phase") == "completed", name)
    await eventually(lambda: stands(sandbox), lambda found: found == ("3", "0"), 30)

    sandbox.installed.kill_operator()
    for name in started:
        await sandbox.kube.delete(TASKS, name, sandbox.namespace)
    await put_budget(sandbox.kube, PROJECT, str(PAID + 1), "wait", place)
    sandbox.installed.start_operator()
    await eventually(lambda: stands(sandbox), lambda found: found == ("3", "1"), 60)
    assert await eventually(lambda: waiting(sandbox), lambda found: "urgent" not in found, 30) == set(names) - started


async def waiting(sandbox: Sandbox) -> set[str]:
    """Tasks that say that they wait for the budget."""
    found = set()
    for task in (await sandbox.kube.list(TASKS, sandbox.namespace))["items"]:
        conditions = {each["type"]: each for each in (task.get("status") or {}).get("conditions", [])}
        if "Funded" in conditions and conditions["Funded"]["status"] == "False":
            found.add(task["metadata"]["name"])
    return found


async def stands(sandbox: Sandbox) -> tuple[str, str] | None:
    """What is spent and reserved, as REST tells it."""
    installed = sandbox.installed
    async with httpx.AsyncClient(headers={"X-API-Key": installed.api_key}, timeout=30) as http:
        answer = await http.get(f"{installed.api_url}/api/v1/projects/{PROJECT}/budgets")
    return next(((each["spent"], each["reserved"]) for each in answer.raise_for_status().json()["budgets"]), None)
