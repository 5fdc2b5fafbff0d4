"""What became of a task's webhook, and its delivery anew."""

from __future__ import annotations

from typing import Any

import pytest

from mediatask_common.kube import TASKS, KubeError
from mediatask_common.redisview import slim

from .conftest import World

URL = "https://hooks.example.com/T000/B000/a-secret?token=another"
STATE: dict[str, Any] = {
    "id": "w-1", "event": "task.completed", "attempts": 2, "lastStatusCode": 204, "deliveredAt": "2026-11-21T10:00:05Z",
    "log": [
        {"number": 1, "at": "2026-11-21T10:00:00Z", "statusCode": 500, "error": "answered \x1b 500"},
        {"number": 2, "at": "2026-11-21T10:00:05Z", "statusCode": 204},
    ],
}  # fmt: skip


async def test_the_log_tells_each_try_and_no_secret(world: World) -> None:
    task_id = await world.submit(callback_url=URL)
    waiting = (await world.api.get(f"/tasks/{task_id}/webhook")).json()
    assert (waiting["state"], waiting["event"], waiting["tries"]) == ("waiting", None, [])
    await world.set_status(task_id, phase="completed", callback=STATE)
    answer = await world.api.get(f"/tasks/{task_id}/webhook")
    told = answer.json()
    assert (told["state"], told["attempts"], told["receiver"]) == ("delivered", 2, "https://hooks.example.com")
    assert [(entry["status_code"], entry["error"]) for entry in told["tries"]] == [(500, "answered ? 500"), (204, None)]
    assert "secret" not in answer.text
    assert "token" not in answer.text


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"nextAttemptAt": "2026-11-21T10:05:00.000000Z", "deliveredAt": None}, "retrying"),
        ({"nextAttemptAt": "2026-11-21T10:05:00.000000Z", "begunAfter": 2}, "pending"),
        ({"deliveredAt": None}, "failed"),
    ],
)
async def test_the_state_is_one_word(world: World, changes: dict[str, Any], state: str) -> None:
    task_id = await world.submit(callback_url=URL)
    callback = {key: value for key, value in {**STATE, **changes}.items() if value is not None}
    await world.set_status(task_id, phase="completed", callback=callback)
    assert (await world.api.get(f"/tasks/{task_id}/webhook")).json()["state"] == state


async def test_redelivery_is_asked_for_once_until_it_is_taken_up(world: World) -> None:
    task_id = await world.submit(callback_url=URL)
    early = await world.api.post(f"/tasks/{task_id}/webhook/redeliver")
    assert (early.status_code, early.json()["type"]) == (409, "urn:mediatask:problem:webhook-not-sent")
    await world.set_status(task_id, phase="completed", callback=STATE)
    for _ in range(2):
        answer = await world.api.post(f"/tasks/{task_id}/webhook/redeliver")
        assert (answer.status_code, answer.json()["state"]) == (202, "pending")
        assert (await world.task(task_id))["spec"]["redeliverRequest"] == 1
    await world.set_status(task_id, callback={**STATE, "redelivery": 1})
    assert (await world.api.get(f"/tasks/{task_id}/webhook")).json()["state"] == "delivered"
    await world.api.post(f"/tasks/{task_id}/webhook/redeliver")
    assert (await world.task(task_id))["spec"]["redeliverRequest"] == 2


async def test_tasks_without_a_callback_have_no_webhook(world: World) -> None:
    task_id = await world.submit()
    await world.set_status(task_id, phase="completed")
    assert (await world.api.get(f"/tasks/{task_id}/webhook")).status_code == 404
    assert (await world.api.post(f"/tasks/{task_id}/webhook/redeliver")).status_code == 404


async def test_webhooks_of_others_are_not_there(world: World) -> None:
    task_id = await world.submit(callback_url=URL)
    other = await world.caller("other")
    assert (await other.get(f"/tasks/{task_id}/webhook")).status_code == 404
    assert (await other.post(f"/tasks/{task_id}/webhook/redeliver")).status_code == 404


async def test_kubectl_raises_the_request_by_one_where_there_is_a_callback(world: World) -> None:
    task_id, plain = await world.submit(callback_url=URL), await world.submit()

    async def ask(name: str, request: int) -> None:
        await world.kube.patch(TASKS, name, {"spec": {"redeliverRequest": request}}, world.namespace)

    await ask(task_id, 1)
    for wrong in (3, 0):
        with pytest.raises(KubeError, match="redeliverRequest may only be raised, by one at a time"):
            await ask(task_id, wrong)
    with pytest.raises(KubeError, match="redeliverRequest needs a callback"):
        await ask(plain, 1)


def test_the_view_keeps_no_log() -> None:
    task = {"metadata": {}, "spec": {}, "status": {"phase": "completed", "callback": STATE}}
    assert slim(task)["status"]["callback"] == {key: value for key, value in STATE.items() if key != "log"}
    assert "log" in STATE
