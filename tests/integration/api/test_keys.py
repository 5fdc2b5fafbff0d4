"""Keys: who may call, until when, and how soon a change counts."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mediatask_api.auth.keys import PREFIX, KeyRing, dump_keys, new_key
from mediatask_common.times import utcnow

from .conftest import PROMPT, World

GUARDED = [
    ("POST", "/tasks/submit"),
    ("GET", "/tasks/x/status"),
    ("DELETE", "/tasks/x/cancel"),
    ("POST", "/tasks/x/retry"),
    ("GET", "/tasks/x/media"),
    ("GET", "/tasks/x/logs"),
    ("GET", "/projects/film/tasks"),
    ("GET", "/workers/status"),
    ("GET", "/task-types"),
    ("GET", "/task-types/generate_image"),
    ("GET", "/stats"),
    ("GET", "/health/../stats"),
]


@pytest.mark.parametrize(("method", "path"), GUARDED)
@pytest.mark.parametrize("key", [None, "", "mtk_wrong", "x" * 10_000])
async def test_nothing_without_a_valid_key(world: World, method: str, path: str, key: str | None) -> None:
    headers = {} if key is None else {"X-API-Key": key}
    world.api.headers.pop("X-API-Key", None)
    answer = await world.api.request(method, path, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"


async def test_every_route_under_the_base_is_guarded(world: World) -> None:
    document = (await world.api.get("http://api/openapi.json")).json()
    world.api.headers.pop("X-API-Key")
    for path, operations in document["paths"].items():
        for method in operations:
            answer = await world.api.request(method, f"http://api{path}")
            is_open = "health" in path
            assert (answer.status_code == 401) != is_open, path


async def test_keys_can_be_added_revoked_and_expire_while_the_service_runs(world: World) -> None:
    later = await world.caller("film", expires_at=utcnow() + timedelta(hours=1))
    assert (await later.get("/stats")).status_code == 200
    over = await world.caller("film", expires_at=utcnow() - timedelta(seconds=1))
    assert (await over.get("/stats")).status_code == 401
    world.keys_file.write_bytes(dump_keys(world.keys[:1]))
    assert (await later.get("/stats")).status_code == 401
    assert (await world.api.get("/stats")).status_code == 200
    world.keys_file.write_text("[{")
    assert (await world.api.get("/stats")).status_code == 200, "a typing mistake locks nobody out"
    world.keys_file.unlink()
    assert (await world.api.get("/stats")).status_code == 401, "a removed file takes its keys back"


async def test_counts_are_those_of_the_keys_projects(world: World) -> None:
    await world.submit()
    await world.submit(project_id="other")
    film = await world.caller("film")
    assert (await film.get("/stats")).json()["total"] == 1
    assert (await world.api.get("/stats")).json()["total"] == 2
    assert (await film.post("/tasks/submit", json={**PROMPT, "project_id": "other"})).status_code == 403


def test_new_keys_are_long_random_and_stored_as_digests(tmp_path: Path) -> None:
    made = [new_key(f"k{number}", ["film"]) for number in range(20)]
    secrets = [secret for secret, _ in made]
    assert len(set(secrets)) == 20
    assert all(secret.startswith(PREFIX) and len(secret) >= len(PREFIX) + 43 for secret in secrets)
    path = tmp_path / "keys.json"
    path.write_bytes(dump_keys([stored for _, stored in made]))
    assert not any(secret in path.read_text() for secret in secrets)
    found = KeyRing(path).find(secrets[7], utcnow())
    assert found is not None
    assert found.id == "k7"


@pytest.mark.parametrize("content", ["", "{}", '[{"id": "a"}]', '[{"id": "a", "sha256": "00", "projects": []}]'])
def test_a_file_that_holds_no_keys_keeps_the_service_from_starting(tmp_path: Path, content: Any) -> None:
    path = tmp_path / "keys.json"
    path.write_text(content)
    with pytest.raises(ValueError, match="validation error"):
        KeyRing(path)
