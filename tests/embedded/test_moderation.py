"""Moderation in the whole local mode: refused, held, released, rejected, and nothing said of a refused text."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from mediatask_client import AsyncClient
from mediatask_client.errors import NotCompleted
from mediatask_common.kube import CONFIGMAPS, EVENTS, TASKS, Kube
from mediatask_local.up import embedded
from support.front import until

CANARY = "canary4711"
RULES = {
    "gore": "id: no-gore\naction: refuse\nwords: [gore]\n",
    "gun": "id: look-at-guns\naction: hold\nwords: [gun]\n",
}


@pytest.mark.timeout(300)
async def test_from_the_rules_to_the_review(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDIATASK_MODERATION_CONFIG_MAP", "default/moderation-rules")
    state = tmp_path / "state"
    with embedded(state) as info:
        async with await Kube.connect(info.kubeconfig) as kube, AsyncClient(info.api_url, info.api_key) as client:

            async def submit(text: str) -> str:
                data = {"prompt_template": f"draw {text}"}
                return (await client.submit("film", "test_prompt", data)).task_id

            async def step(task_id: str, wanted: str) -> None:
                async def reached() -> bool:
                    task = await client.get(task_id)
                    return wanted in (task.status, task.current_step)

                await until(reached, seconds=90)

            early = await submit("a cat")
            await step(early, "moderating")
            body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "moderation-rules"}, "data": RULES}
            await kube.create(CONFIGMAPS, body, "default")
            refused, released, rejected = await submit(f"g0r3 {CANARY}"), await submit("a gun"), await submit("a gün")
            await step(early, "completed")
            await step(refused, "failed")
            error = (await client.get(refused)).error
            assert error is not None
            assert (error["code"], "no-gore" in error["message"], error["retryable"]) == (
                "ModerationFailed",
                True,
                False,
            )
            for task_id in (released, rejected):
                await step(task_id, "held_for_review")
                with pytest.raises(NotCompleted):
                    await client.download(task_id, tmp_path / "media")
            held = await client.reviews("film")
            assert {task.task_id for task in held.reviews} == {released, rejected}
            assert held.reviews[0].result.media_url is not None
            async with httpx.AsyncClient() as http:
                assert b"a g" in (await http.get(held.reviews[0].result.media_url)).content
            await client.review(released, "release", "a prop")
            await client.review(rejected, "reject")
            await step(released, "completed")
            await step(rejected, "failed")

            async def nothing_is_left() -> bool:
                return (await client.reviews()).total == 0

            await until(nothing_is_left, seconds=30)
            told = [await kube.get(TASKS, refused, "default"), await kube.list(EVENTS, "default")]
            assert CANARY not in str(told[0]["status"]) + str(told[1])
    logs = [file.read_bytes() for file in state.rglob("*.log")]
    assert logs
    assert not [log for log in logs if CANARY.encode() in log]
