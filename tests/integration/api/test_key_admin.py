"""Keys over REST: made, rotated and revoked by whoever may, and never beyond their own rights."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest

from mediatask_common.times import rfc3339, utcnow
from support.front import until

from .conftest import World

WANTED: dict[str, Any] = {"name": "app", "projects": ["film"], "role": "writer"}


async def status(world: World, key: str) -> int:
    async with httpx.AsyncClient(transport=world.public, base_url="http://api/api/v1") as client:
        return (await client.get("/stats", headers={"X-API-Key": key})).status_code


async def becomes(world: World, key: str, expected: int) -> None:
    async def so() -> bool:
        return await status(world, key) == expected

    await until(so, 5)


async def test_a_key_is_made_listed_rotated_and_revoked(world: World) -> None:
    soon = rfc3339(utcnow() + timedelta(days=1))
    made = await world.api.post("/keys", json={**WANTED, "expires_at": soon, "description": "the cutting room"})
    assert made.status_code == 201, made.text
    assert made.headers["cache-control"] == "no-store"
    first = made.json()["key"]
    assert (made.json()["id"], made.json()["expires_at"]) == ("app", soon)
    await becomes(world, first, 200)

    listed = {key["id"]: key for key in (await world.api.get("/keys")).json()["keys"]}
    assert listed["app"]["description"] == "the cutting room"
    assert listed["app"]["scopes"] == made.json()["scopes"]
    assert first not in str(listed)

    turned = await world.api.post("/keys/app/rotate", json={"overlap_seconds": 3600})
    second = turned.json()["key"]
    await becomes(world, second, 200)
    assert await status(world, first) == 200

    assert (await world.api.delete("/keys/app")).status_code == 204
    await becomes(world, second, 401)
    assert await status(world, first) == 401
    assert (await world.api.delete("/keys/app")).status_code == 404


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "a b"},
        {"name": "../x"},
        {"name": "x" * 64},
        {"projects": []},
        {"projects": ["*", "a/b"]},
        {"projects": ["p"] * 257},
        {"role": "king"},
        {"scopes": ["tasks:read"]},
        {"role": None},
        {"role": None, "scopes": []},
        {"role": None, "scopes": ["tasks:fly"]},
        {"expires_at": "2001-01-01T00:00:00Z"},
        {"expires_at": "2100-01-01T00:00:00"},
        {"expires_at": "soon"},
        {"expires_at": 1},
        {"description": "x" * 501},
        {"sha256": "0" * 64},
    ],
)
async def test_what_is_no_key_is_refused_by_name(world: World, changes: dict[str, Any]) -> None:
    answer = await world.api.post("/keys", json={**WANTED, **changes})
    assert answer.status_code == 400, answer.text
    assert answer.json()["errors"]


async def test_a_name_is_taken_once(world: World) -> None:
    assert (await world.api.post("/keys", json=WANTED)).status_code == 201
    assert (await world.api.post("/keys", json=WANTED)).status_code == 409


async def test_only_keys_admins_manage_keys(world: World) -> None:
    for role in ("viewer", "writer", "director"):
        client = await world.caller("film", role=role)
        for method, path in (
            ("GET", "/keys"),
            ("POST", "/keys"),
            ("POST", "/keys/key-1/rotate"),
            ("DELETE", "/keys/x"),
        ):
            assert (await client.request(method, path, json=WANTED)).status_code == 403


async def test_nobody_gains_rights_by_making_keys(world: World) -> None:
    producer = await world.caller("film")
    admin = await world.caller("film", scopes=["keys:admin", "tasks:read"])
    for client, changes in (
        (producer, {"projects": ["*"]}),
        (producer, {"projects": ["film", "other"]}),
        (admin, {"role": "viewer"}),
        (admin, {"role": None, "scopes": ["tasks:submit"]}),
    ):
        answer = await client.post("/keys", json={**WANTED, **changes})
        assert (answer.status_code, answer.json()["type"]) == (403, "urn:mediatask:problem:beyond-own-rights")
    allowed = await admin.post("/keys", json={**WANTED, "role": None, "scopes": ["tasks:read"]})
    assert allowed.status_code == 201


async def test_keys_of_other_projects_are_unknown_and_stronger_ones_out_of_reach(world: World) -> None:
    producer = await world.caller("film")  # key-2
    admin = await world.caller("film", scopes=["keys:admin"])  # key-3
    assert {key["id"] for key in (await producer.get("/keys")).json()["keys"]} == {"key-2", "key-3"}
    for path, method in (("/keys/key-1", "DELETE"), ("/keys/key-1/rotate", "POST")):
        assert (await producer.request(method, path, json={})).status_code == 404
    for path, method in (("/keys/key-2", "DELETE"), ("/keys/key-2/rotate", "POST")):
        assert (await admin.request(method, path, json={})).status_code == 403
    assert (await world.api.get("/stats")).status_code == 200
