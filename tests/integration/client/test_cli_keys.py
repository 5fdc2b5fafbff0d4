"""`mediatask keys` on a real API server: what it stores is what the service reads."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from mediatask_client import cli
from mediatask_client.cli.keystore import duration, moment
from mediatask_client.errors import UsageError
from mediatask_common.access.keys import ApiKey, digest
from mediatask_common.access.keysecret import KeysSecret
from mediatask_common.kube import Kube
from mediatask_common.times import utcnow
from support.apiserver import embedded_apiserver
from support.rest_service import KEY, Answer, Service


@pytest.fixture(scope="module")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with embedded_apiserver(tmp_path_factory.mktemp("kube")) as path:
        yield path


@pytest.fixture
def keys(kubeconfig: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Name of a Secret that is not there yet, in the default namespace."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    monkeypatch.setenv("MEDIATASK_API_KEYS_SECRET", tmp_path.name.replace("_", "-").lower())
    return tmp_path.name.replace("_", "-").lower()


def run(*words: str) -> Result:
    return CliRunner().invoke(cli.app, ["keys", *words])


async def stored(kubeconfig: Path, secret: str) -> dict[str, ApiKey]:
    async with await Kube.connect(kubeconfig) as kube:
        found = await KeysSecret(kube, "default", secret).read()
        assert found is not None
        return found.keys


async def test_the_whole_life_of_a_key(kubeconfig: Path, keys: str) -> None:
    made = await asyncio.to_thread(run, "create", "app", "-p", "film", "--role", "writer", "--expires", "90d")
    assert made.exit_code == 0, made.output
    secret = made.stdout.strip()
    assert "shown this once" in made.stderr
    key = (await stored(kubeconfig, keys))["app"]
    assert key.valid(digest(secret), utcnow())
    assert (key.role, key.projects) == ("writer", ["film"])
    assert key.expires_at is not None
    assert abs(key.expires_at - utcnow() - timedelta(days=90)) < timedelta(minutes=5)

    again = await asyncio.to_thread(run, "create", "app", "-p", "film", "--role", "writer")
    assert again.exit_code == 1
    assert "rotate or revoke" in again.output

    turned = await asyncio.to_thread(run, "rotate", "app", "--overlap", "1h", "-o", "json")
    assert turned.exit_code == 0, turned.output
    key = (await stored(kubeconfig, keys))["app"]
    assert key.valid(digest(json.loads(turned.stdout)["key"]), utcnow())
    assert key.valid(digest(secret), utcnow())
    assert not key.valid(digest(secret), utcnow() + timedelta(hours=2))

    listed = await asyncio.to_thread(run, "list", "-o", "json")
    assert [key["id"] for key in json.loads(listed.stdout)] == ["app"]
    table = await asyncio.to_thread(run, "list")
    assert "writer" in table.stdout
    assert secret not in listed.stdout + table.stdout

    assert (await asyncio.to_thread(run, "revoke", "app")).exit_code == 0
    assert await stored(kubeconfig, keys) == {}
    assert (await asyncio.to_thread(run, "revoke", "app")).exit_code == 1


def test_with_scopes_instead_of_a_role(keys: str) -> None:
    made = run("create", "reader", "-p", "a", "-p", "b", "--scope", "tasks:read", "--scope", "media:read", "-o", "json")
    assert made.exit_code == 0, made.output
    answer = json.loads(made.stdout)
    assert (answer["projects"], answer["scopes"], answer["role"]) == (["a", "b"], ["media:read", "tasks:read"], None)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["create", "a b", "-p", "film", "--role", "viewer"], "a b"),
        (["create", "app", "-p", "film"], "--role or --scope"),
        (["create", "app", "-p", "film", "--role", "king"], "king"),
        (["create", "app", "-p", "film", "--scope", "tasks:fly"], "tasks:fly"),
        (["create", "app", "-p", "../film", "--role", "viewer"], "projects"),
        (["create", "app", "-p", "film", "--role", "viewer", "--expires", "soon"], "soon"),
        (["rotate", "app", "--overlap", "1y"], "1y"),
        (["list", "--kubeconfig", "nowhere"], "kubeconfig"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_sent(keys: str, words: list[str], named: str) -> None:
    result = run(*words)
    assert result.exit_code == 2, result.output
    assert named in result.output


def test_a_secret_that_is_not_there_is_named(keys: str) -> None:
    result = run("rotate", "app")
    assert result.exit_code == 1
    assert f"default/{keys}" in result.output


def test_times_are_lengths_or_moments() -> None:
    assert duration("2d") == timedelta(days=2)
    assert moment("2027-01-31").isoformat() == "2027-01-31T00:00:00+00:00"
    for wrong in ("", "d", "1", "-1d", "999999d"):
        with pytest.raises(UsageError):
            duration(wrong)


def test_the_same_over_rest(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = {"id": "app", "projects": ["film"], "role": "writer", "scopes": [], "description": "", "key": "mtk_made"}
    service.on("POST", "/api/v1/keys", Answer(201, made))
    service.on("GET", "/api/v1/keys", Answer(200, {"keys": [made | {"last_used_at": "2026-01-01T00:00:00Z"}]}))
    service.on("POST", "/api/v1/keys/app/rotate", Answer(200, made | {"key": "mtk_other"}))
    service.on("DELETE", "/api/v1/keys/app", Answer(204, b""))
    there = ("--rest", "--url", service.url, "--api-key", KEY)
    words = ("create", "app", "-p", "film", "--role", "writer", "--expires", "2027-01-31", *there)
    assert run(*words).stdout == "mtk_made\n"
    assert run("rotate", "app", "--overlap", "1h", *there, "-o", "name").stdout == "app\n"
    assert run("revoke", "app", *there).exit_code == 0
    listed = run("list", *there)
    assert "2026-01-01T00:00:00Z" in listed.stdout
    assert "mtk_" not in listed.stdout
    created, rotated = (request.body for request in service.requests[:2])
    assert (created["name"], created["projects"], created["role"]) == ("app", ["film"], "writer")
    assert created["expires_at"] == "2027-01-31T00:00:00+00:00"
    assert rotated == {"overlap_seconds": 3600}
