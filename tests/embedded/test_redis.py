"""The Redis of the local mode: private where one is installed, not missed where none is."""

from __future__ import annotations

import stat
from pathlib import Path

import httpx
import pytest
import redis

from mediatask_local.redisserver import find_server
from mediatask_local.up import UpInfo, embedded
from support.mode import Rest, in_view, listed, until
from support.redisserver import redis_program, redis_server
from support.sockets import listeners


def test_an_installed_redis_is_ours_alone(embedded_mode: UpInfo) -> None:
    redis_program()
    folder = embedded_mode.kubeconfig.parents[1] / "redis"
    assert embedded_mode.redis_url == f"unix://{folder}/redis.sock"
    assert redis.Redis.from_url(embedded_mode.redis_url).ping()
    assert listeners(embedded_mode.pids["redis"]) == [], "no TCP port"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


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
        assert listed(info, "view") == {task}
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
            until(lambda: in_view(info, "view") == {task})


def test_a_path_too_long_for_a_socket_means_no_redis(tmp_path: Path) -> None:
    redis_program()
    assert find_server(tmp_path) is not None
    assert find_server(tmp_path / ("x" * 100)) is None
