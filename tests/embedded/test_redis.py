"""The Redis of the local mode: the server that is installed, or its stand-in; either may die at any moment."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest
import redis

from mediatask_common.redisview import RedisError, RedisView
from mediatask_local.services import redis_program
from mediatask_local.up import UpInfo, embedded
from support.mode import Rest, kill, until


@pytest.mark.parametrize("choice", ["installed", "stand-in"])
def test_redis_may_die_while_tasks_run(choice: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if choice == "stand-in":
        monkeypatch.setenv("PATH", str(tmp_path))
    elif redis_program() is None:
        pytest.skip("neither redis-server nor valkey-server is on PATH")
    monkeypatch.delenv("REDIS_URL", raising=False)
    with embedded(tmp_path) as info:
        command = Path(f"/proc/{info.pids['redis']}/cmdline").read_text()
        assert ("fakeredis" in command) == (choice == "stand-in")
        rest = Rest(info)
        first = rest.submit("before", "view")
        until(lambda: rest.status(first)["status"] == "completed")
        until(lambda: _in_view(info) == {first})
        kill(info, tmp_path, "redis")
        assert _listed(info) == {first}, "read from Kubernetes meanwhile"
        second = rest.submit("after", "view")
        until(lambda: rest.status(second)["status"] == "completed")
        until(lambda: _in_view(info) == {first, second})


def test_an_installed_redis_is_ours_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if redis_program() is None:
        pytest.skip("neither redis-server nor valkey-server is on PATH")
    monkeypatch.delenv("REDIS_URL", raising=False)
    with embedded(tmp_path) as info:
        account, _, address = info.redis_url.removeprefix("redis://").rpartition("@")
        assert account.removeprefix(":") not in Path(f"/proc/{info.pids['redis']}/cmdline").read_text()
        with pytest.raises(redis.AuthenticationError):
            redis.Redis.from_url(f"redis://{address}").ping()
        assert redis.Redis.from_url(info.redis_url).ping()


def _listed(info: UpInfo) -> set[str]:
    """What the API lists: its first answer."""
    answer = httpx.get(f"{info.api_url}/api/v1/projects/view/tasks", headers={"X-API-Key": info.api_key}, timeout=30)
    return {task["task_id"] for task in answer.raise_for_status().json()["tasks"]}


def _in_view(info: UpInfo) -> set[str]:
    """What Redis holds, once the operator vouches for it."""

    async def read() -> set[str]:
        view = RedisView.open(info.redis_url, "default")
        try:
            if not await view.fresh():
                return set()
            return {task["metadata"]["name"] for task in (await view.list("view"))[0]}
        except RedisError:
            return set()
        finally:
            await view.close()

    return asyncio.run(read())
