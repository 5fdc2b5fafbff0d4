"""Callers with tokens of an identity provider, and service accounts of the cluster."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from mediatask_api.settings import JwtSettings, ServiceAccount
from mediatask_crds.names import ANNOTATION_SUBMITTED_BY
from support.issuer import Issuer, issuer

from .conftest import PROMPT, World

SERVICE_ACCOUNT = "system:serviceaccount:{namespace}:default"


@pytest.fixture
async def provider() -> AsyncIterator[Issuer]:
    async with issuer() as made:
        yield made


@pytest.fixture
async def trusting(open_world: Any, provider: Issuer) -> AsyncIterator[World]:
    """The API with that provider."""
    async with open_world(jwt=JwtSettings(**provider.settings)) as world:
        world.api.headers.pop("X-API-Key")
        yield world


async def call(world: World, token: str, method: str = "GET", path: str = "/stats", **options: Any) -> httpx.Response:
    return await world.api.request(method, path, headers={"Authorization": f"Bearer {token}"}, **options)


async def test_a_token_is_a_caller_with_its_role_and_projects(trusting: World, provider: Issuer) -> None:
    made = await call(trusting, provider.token(), "POST", "/tasks/submit", json=PROMPT)
    assert made.status_code == 202, made.text
    task_id = made.json()["task_id"]
    task = await trusting.task(task_id)
    assert task["metadata"]["annotations"][ANNOTATION_SUBMITTED_BY] == "jwt:ada"
    assert (await call(trusting, provider.token(), path=f"/tasks/{task_id}/status")).status_code == 200
    foreign = provider.token(projects=["other"])
    assert (await call(trusting, foreign, path=f"/tasks/{task_id}/status")).status_code == 404
    assert (await call(trusting, provider.token(), path="/keys")).status_code == 403, "a director"
    assert (await call(trusting, provider.token(role="Producer"), path="/keys")).status_code == 200


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"role": None, "roles": ["viewer", "of-another-service"]}, 200),
        ({"role": "viewer writer"}, 200),
        ({"projects": "film other"}, 200),
        ({"projects": None}, 200),
        ({"aud": ["other", "mediatask"]}, 200),
        ({"role": None}, 403),
        ({"role": "king"}, 403),
        ({"exp": -10}, 200),
        ({"exp": -40}, 401),
        ({"iat": 10, "nbf": 10}, 200),
        ({"role": {"viewer": True}}, 401),
        ({"projects": [["film"]]}, 401),
        ({"projects": ["p"] * 1001}, 401),
        ({"sub": "x" * 256}, 401),
        ({"sub": "a\nb"}, 401),
    ],
    ids=str,
)
async def test_claims_decide(trusting: World, provider: Issuer, changes: dict[str, Any], status: int) -> None:
    # Times are given in seconds from now.
    times = {name: int(time.time()) + changes[name] for name in ("exp", "iat", "nbf") if name in changes}
    answer = await call(trusting, provider.token(**changes | times))
    assert answer.status_code == status, answer.text


async def test_names_of_claims_are_a_setting(open_world: Any, provider: Issuer) -> None:
    settings = {"role_claims": ["realm_access.roles"], "projects_claim": "https://example.com/projects"}
    async with open_world(jwt=JwtSettings(**provider.settings, **settings)) as world:
        world.api.headers.pop("X-API-Key")
        claims = {"role": None, "projects": None, "realm_access": {"roles": ["writer"]}}
        token = provider.token(**claims, **{"https://example.com/projects": ["film"]})
        assert (await call(world, token, "POST", "/tasks/submit", json=PROMPT)).status_code == 202


async def test_a_key_takes_precedence_over_a_token(trusting: World, provider: Issuer) -> None:
    trusting.api.headers["X-API-Key"] = "mtk_wrong"
    assert (await call(trusting, provider.token())).status_code == 401


async def test_without_an_issuer_tokens_are_nothing(world: World) -> None:
    world.api.headers.pop("X-API-Key")
    async with issuer() as made:
        answer = await call(world, made.token())
    assert answer.status_code == 401
    assert "X-API-Key" in answer.json()["detail"]


@pytest.mark.parametrize(
    "changes",
    [
        {"audience": ""},
        {"jwks_url": "http://idp.example.com/jwks"},
        {"jwks_url": "file:///etc/passwd"},
        {"algorithms": ["HS256"]},
        {"algorithms": ["none"]},
        {"algorithms": []},
        {"leeway_seconds": 3600},
    ],
)
def test_settings_that_are_not_safe_keep_the_service_from_starting(changes: dict[str, Any]) -> None:
    good = {"issuer": "https://idp.example.com", "audience": "a", "jwks_url": "https://idp.example.com/jwks"}
    with pytest.raises(ValueError, match="validation error"):
        JwtSettings(**{**good, **changes})


# ---- service accounts


@pytest.fixture
async def clustered(open_world: Any, namespace: str) -> AsyncIterator[World]:
    account = ServiceAccount(namespace=namespace, name="default", role="writer", projects=["film"])
    async with open_world(service_accounts=[account]) as world:
        world.api.headers.pop("X-API-Key")
        yield world


async def test_a_listed_service_account_calls_with_a_token_for_this_service(clustered: World) -> None:
    pod = await clustered.pod("x")
    token = await clustered.token(pod, audience="mediatask-api")
    made = await call(clustered, token, "POST", "/tasks/submit", json=PROMPT)
    assert made.status_code == 202, made.text
    task = await clustered.task(made.json()["task_id"])
    account = SERVICE_ACCOUNT.format(namespace=clustered.namespace)
    assert task["metadata"]["annotations"][ANNOTATION_SUBMITTED_BY] == account


async def test_the_token_of_a_job_pod_is_no_callers(clustered: World) -> None:
    token = await clustered.token(await clustered.pod("x"), audience="mediatask")
    assert (await call(clustered, token)).status_code == 401


async def test_an_account_that_is_not_listed_is_no_caller(open_world: Any) -> None:
    account = ServiceAccount(namespace="elsewhere", name="default", role="writer", projects=["film"])
    async with open_world(service_accounts=[account]) as world:
        world.api.headers.pop("X-API-Key")
        token = await world.token(await world.pod("x"), audience="mediatask-api")
        assert (await call(world, token)).status_code == 401


async def test_the_cluster_decides_about_the_signature(clustered: World) -> None:
    head, payload, signature = (await clustered.token(await clustered.pod("x"), "mediatask-api")).split(".")
    forged = f"{head}.{payload}.{signature[:-8]}AAAAAAAA"
    assert (await call(clustered, forged)).status_code == 401
