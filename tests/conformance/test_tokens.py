"""Tokens of service accounts: bound, short-lived, for one audience, and worth nothing here."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from conformance.client import Api, Connection, eventually
from conformance.samples import pod

AUDIENCE = "mediatask"
REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"


@pytest.fixture
async def bound_pod(api: Api, pods: str, name: str) -> AsyncIterator[dict[str, Any]]:
    """A pod that no kubelet runs, as a token's anchor."""
    yield (await api.create(pods, pod(name, schedulerName="nobody"))).body
    await api.delete(f"{pods}/{name}", gracePeriodSeconds="0")


async def token(api: Api, namespace: str, spec: dict[str, Any]) -> str:
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/default/token"
    answer = await api.create(path, {"spec": spec})
    assert answer.body["status"]["expirationTimestamp"].endswith("Z")
    return str(answer.body["status"]["token"])


async def review(api: Api, given: str, *audiences: str) -> dict[str, Any]:
    spec = {"token": given, **({"audiences": list(audiences)} if audiences else {})}
    return (await api.create(REVIEWS, {"spec": spec})).body["status"]  # type: ignore[no-any-return]


def binding(obj: dict[str, Any]) -> dict[str, Any]:
    metadata = obj["metadata"]
    return {"kind": "Pod", "apiVersion": "v1", "name": metadata["name"], "uid": metadata["uid"]}


async def test_a_bound_token_is_its_pods_identity(api: Api, namespace: str, bound_pod: dict[str, Any]) -> None:
    spec = {"audiences": [AUDIENCE], "expirationSeconds": 600, "boundObjectRef": binding(bound_pod)}
    status = await review(api, await token(api, namespace, spec), AUDIENCE)
    assert status["authenticated"] is True
    assert status["audiences"] == [AUDIENCE]
    user = status["user"]
    assert user["username"] == f"system:serviceaccount:{namespace}:default"
    assert set(user["groups"]) >= {"system:serviceaccounts", f"system:serviceaccounts:{namespace}"}
    assert user["uid"]
    assert user["extra"]["authentication.kubernetes.io/pod-name"] == [bound_pod["metadata"]["name"]]
    assert user["extra"]["authentication.kubernetes.io/pod-uid"] == [bound_pod["metadata"]["uid"]]


async def test_another_audience_is_refused(api: Api, namespace: str) -> None:
    given = await token(api, namespace, {"audiences": [AUDIENCE]})
    status = await review(api, given, "other")
    assert not status.get("authenticated")
    assert status["error"]
    assert not (await review(api, given)).get("authenticated")


async def test_a_token_dies_with_its_pod(api: Api, pods: str, namespace: str, bound_pod: dict[str, Any]) -> None:
    spec = {"audiences": [AUDIENCE], "boundObjectRef": binding(bound_pod)}
    given = await token(api, namespace, spec)
    name = bound_pod["metadata"]["name"]
    await api.delete(f"{pods}/{name}", gracePeriodSeconds="0")

    async def refused() -> bool:
        return not (await review(api, given, AUDIENCE)).get("authenticated")

    await eventually(refused)
    await api.create(pods, pod(name, schedulerName="nobody"))
    assert await refused()


async def test_a_forged_token_is_refused(api: Api, namespace: str) -> None:
    head, payload, signature = (await token(api, namespace, {"audiences": [AUDIENCE]})).split(".")
    forged = f"{head}.{payload}.{signature[:-4]}AAAA"
    assert not (await review(api, forged, AUDIENCE)).get("authenticated")
    assert not (await review(api, "rubbish", AUDIENCE)).get("authenticated")


async def test_binding_to_another_uid_is_refused(api: Api, namespace: str, bound_pod: dict[str, Any]) -> None:
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/default/token"
    reference = {**binding(bound_pod), "uid": "00000000-0000-0000-0000-000000000000"}
    assert (await api.post(path, {"spec": {"boundObjectRef": reference}})).status == 409
    missing = {**binding(bound_pod), "name": "no-such-pod"}
    assert (await api.post(path, {"spec": {"boundObjectRef": missing}})).status == 404


async def test_short_tokens_and_unknown_accounts_are_refused(api: Api, namespace: str) -> None:
    base = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    assert (await api.post(f"{base}/default/token", {"spec": {"expirationSeconds": 30}})).status == 422
    assert (await api.post(f"{base}/nobody/token", {"spec": {}})).status == 404


async def test_service_accounts_may_do_nothing_here(
    api: Api, connection: Connection, namespace: str, pods: str
) -> None:
    own = await token(api, namespace, {})
    foreign = await token(api, namespace, {"audiences": [AUDIENCE]})
    async with httpx.AsyncClient(**connection.options(own)) as client:
        answer = await Api(client).get(pods)
        assert (answer.status, answer.reason) == (403, "Forbidden")
        account = f"system:serviceaccount:{namespace}:default"
        assert f'User "{account}" cannot list resource "pods" in API group ""' in answer.message
    async with httpx.AsyncClient(**connection.options(foreign)) as client:
        assert (await Api(client).get(pods)).status == 401


async def test_strangers_stay_outside(connection: Connection, pods: str) -> None:
    async with httpx.AsyncClient(**connection.options("rubbish")) as client:
        assert (await Api(client).get(pods)).status == 401
    async with httpx.AsyncClient(**connection.options("")) as client:
        assert (await Api(client).get(pods)).status in (401, 403)


async def test_the_kubeconfig_vouches_for_the_server(connection: Connection) -> None:
    """The certificate is signed by the kubeconfig's CA and no other will do."""
    assert connection.url.startswith("https://")
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        async with httpx.AsyncClient(base_url=connection.url) as client:
            await client.get("/healthz")
