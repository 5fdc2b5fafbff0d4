"""The Redis of the local mode: private where one is installed, not missed where none is, free to die at any moment."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path

import httpx
import pytest
import redis

from mediatask_common.redisview import RedisError, RedisView
from mediatask_local.redisserver import find_server
from mediatask_local.up import UpInfo, embedded
from support.mode import Rest, kill, until
from support.redisserver import redis_program, redis_server
from support.sockets import listeners


def test_redis_may_die_while_tasks_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    redis_program()
    monkeypatch.delenv("REDIS_URL", raising=False)
    with embedded(tmp_path) as info:
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
    redis_program()
    monkeypatch.delenv("REDIS_URL", raising=False)
    with embedded(tmp_path) as info:
        assert info.redis_url == f"unix://{tmp_path}/redis/redis.sock"
        assert redis.Redis.from_url(info.redis_url).ping()
        assert listeners(info.pids["redis"]) == [], "no TCP port"
        assert stat.S_IMODE((tmp_path / "redis").stat().st_mode) == 0o700


def test_all_works_where_no_redis_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("REDIS_URL", "MEDIATASK_REDIS_URL"):
        monkeypatch.delenv(name, raising=False)
    with embedded(tmp_path) as info:
        assert info.redis_url is None
        assert "redis" not in info.pids
        rest = Rest(info)
        task = rest.submit("without", "view")
        until(lambda: rest.status(task)["status"] == "completed")
        assert _listed(info) == {task}
        health = httpx.get(f"{info.api_url}/api/v1/health", headers={"X-API-Key": info.api_key}, timeout=30).json()
        assert health["checks"]["redis"]["status"] == "disabled"


def test_a_redis_of_the_users_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with redis_server() as server:
        monkeypatch.setenv("REDIS_URL", server.url)
        with embedded(tmp_path) as info:
            assert info.redis_url == server.url
            assert "redis" not in info.pids
            rest = Rest(info)
            task = rest.submit("theirs", "view")
            until(lambda: rest.status(task)["status"] == "completed")
            until(lambda: _in_view(info) == {task})


def test_a_path_too_long_for_a_socket_means_no_redis(tmp_path: Path) -> None:
    redis_program()
    assert find_server(tmp_path) is not None
    assert find_server(tmp_path / ("x" * 100)) is None


def _listed(info: UpInfo) -> set[str]:
    """What the API lists: its first answer."""
    answer = httpx.get(f"{info.api_url}/api/v1/projects/view/tasks", headers={"X-API-Key": info.api_key}, timeout=30)
    return {task["task_id"] for task in answer.raise_for_status().json()["tasks"]}


def _in_view(info: UpInfo) -> set[str]:
    """What Redis holds, once the operator vouches for it."""
    url = info.redis_url
    assert url is not None

    async def read() -> set[str]:
        view = RedisView.open(url, "default")
        try:
            if not await view.fresh():
                return set()
            return {task["metadata"]["name"] for task in (await view.list("view"))[0]}
        except RedisError:
            return set()
        finally:
            await view.close()

    return asyncio.run(read())
