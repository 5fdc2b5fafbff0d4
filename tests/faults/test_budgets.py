"""What is spent stays spent: kill -9 of the operator, and tasks that are deleted before it is back."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import httpx
import pytest

from mediatask_common.kube import TASKS, Kube
from mediatask_local.up import UpInfo, embedded
from support.budgets import priced, put_budget
from support.mode import Rest, until

PROJECT, TASKS_PAID = "crash", 4


@pytest.mark.timeout(200)
def test_neither_a_kill_nor_a_deletion_gives_money_back(tmp_path: Path) -> None:
    with embedded(tmp_path) as info:
        asyncio.run(_spend_and_kill(info, tmp_path))


async def _spend_and_kill(info: UpInfo, folder: Path) -> None:
    rest = Rest(info)
    async with priced(info.kubeconfig, {"currency": "EUR", "perTask": "1"}) as kube:
        await put_budget(kube, PROJECT, str(TASKS_PAID))
        until(lambda: _budgets(info))
        tasks = [rest.submit(f"paid-{number}", PROJECT) for number in range(TASKS_PAID)]
        until(lambda: all(rest.has_ended(task) for task in tasks))
        assert {rest.status(task)["status"] for task in tasks} == {"completed"}
        until(lambda: _spent(info) == ("4", "0", "exceeded"))
        # Deleted while no operator is there to see it, then while one is, then none is left.
        for gone in (tasks[:2], tasks[2:3], tasks[3:]):
            before = UpInfo.read(folder).pids["operator"]
            if gone != tasks[2:3]:
                os.kill(before, signal.SIGSTOP)
                await _delete(kube, gone)
                os.kill(before, signal.SIGKILL)
            else:
                await _delete(kube, gone)
                os.kill(before, signal.SIGKILL)
            until(lambda before=before: UpInfo.read(folder).pids["operator"] != before)
            # A budget that has changed is in the record once the new operator has written it.
            limit = str(TASKS_PAID + len(gone) / 10)
            await put_budget(kube, PROJECT, limit)
            until(lambda limit=limit: (_budgets(info) or [{}])[0].get("limit") == limit)
            assert _spent(info)[:2] == ("4", "0")
        assert (await kube.list(TASKS, "default"))["items"] == []
        refused = _submit(info)
        assert (refused.status_code, refused.json()["type"]) == (402, "urn:mediatask:problem:budget-exceeded")


def _submit(info: UpInfo) -> httpx.Response:
    body = {"project_id": PROJECT, "task_type": "test_prompt", "task_data": {"prompt_template": "x"}}
    return httpx.post(f"{info.api_url}/api/v1/tasks/submit", headers={"X-API-Key": info.api_key}, json=body)


async def _delete(kube: Kube, names: list[str]) -> None:
    for name in names:
        await kube.delete(TASKS, name, "default")


def _budgets(info: UpInfo) -> list[dict[str, str]]:
    url = f"{info.api_url}/api/v1/projects/{PROJECT}/budgets"
    found: list[dict[str, str]] = httpx.get(url, headers={"X-API-Key": info.api_key}, timeout=30).json()["budgets"]
    return found


def _spent(info: UpInfo) -> tuple[str, str, str]:
    (budget,) = _budgets(info)
    return budget["spent"], budget["reserved"], budget["state"]
