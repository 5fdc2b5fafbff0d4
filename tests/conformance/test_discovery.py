"""Discovery, versions and health: what clients ask before they ask for anything."""

from __future__ import annotations

import pytest

from conformance import samples
from conformance.client import Api, eventually

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


async def test_core_versions(api: Api) -> None:
    answer = await api.get("/api")
    assert (answer.status, answer.body["kind"]) == (200, "APIVersions")
    assert "v1" in answer.body["versions"]


async def test_groups_include_batch(api: Api) -> None:
    answer = await api.get("/apis")
    assert answer.body["kind"] == "APIGroupList"
    assert "batch" in [group["name"] for group in answer.body["groups"]]


async def test_one_group(api: Api) -> None:
    answer = await api.get("/apis/batch")
    assert answer.body["kind"] == "APIGroup"
    assert answer.body["preferredVersion"]["groupVersion"] == "batch/v1"


async def test_core_resources(api: Api) -> None:
    answer = await api.get("/api/v1")
    assert answer.body["groupVersion"] == "v1"
    assert {"pods", "pods/log", "events", "namespaces", "secrets"} <= {r["name"] for r in answer.body["resources"]}


async def test_batch_resources(api: Api) -> None:
    resources = {r["name"]: r for r in (await api.get("/apis/batch/v1")).body["resources"]}
    assert resources["jobs"]["kind"] == "Job"
    assert resources["jobs"]["namespaced"] is True
    assert "jobs/status" in resources


async def test_custom_resource_is_discoverable(api: Api, path: str) -> None:
    resources = {r["name"]: r for r in (await api.get(samples.API)).body["resources"]}
    assert resources["samples"]["shortNames"] == ["samx"]
    assert resources["samples"]["categories"] == ["all"]
    assert "samples/status" in resources


async def test_aggregated_discovery(api: Api, path: str) -> None:
    answer = await api.request("GET", "/apis", accept=f"{AGGREGATED},application/json")
    assert answer.headers["content-type"] == AGGREGATED

    async def served() -> bool:
        body = (await api.request("GET", "/apis", accept=AGGREGATED)).body
        groups = {item["metadata"]["name"]: item for item in body["items"]}
        if samples.GROUP not in groups:
            return False
        resources = {r["resource"]: r for r in groups[samples.GROUP]["versions"][0]["resources"]}
        if "samples" not in resources:
            return False
        resource = resources["samples"]
        assert resource["responseKind"]["kind"] == "Sample"
        assert resource["scope"] == "Namespaced"
        assert [sub["subresource"] for sub in resource["subresources"]] == ["status"]
        return True

    await eventually(served)


async def test_aggregated_discovery_of_the_core_group(api: Api) -> None:
    answer = await api.request("GET", "/api", accept=AGGREGATED)
    resources = {r["resource"] for r in answer.body["items"][0]["versions"][0]["resources"]}
    assert {"pods", "secrets"} <= resources


async def test_version(api: Api) -> None:
    assert (await api.get("/version")).body["major"] == "1"


@pytest.mark.parametrize("endpoint", ["/healthz", "/readyz", "/livez"])
async def test_health(api: Api, endpoint: str) -> None:
    answer = await api.get(endpoint)
    assert (answer.status, answer.body) == (200, "ok")


async def test_openapi_index(api: Api) -> None:
    paths = (await api.get("/openapi/v3")).body["paths"]
    assert paths["apis/batch/v1"]["serverRelativeURL"].startswith("/openapi/v3/apis/batch/v1?hash=")


async def test_openapi_describes_the_custom_resource(api: Api, path: str) -> None:
    schemas = (await api.get(f"/openapi/v3{samples.API}")).body["components"]["schemas"]
    [schema] = [s for s in schemas.values() if {"kind": "Sample"}.items() <= _kind(s).items()]
    assert schema["properties"]["spec"]["properties"]["mode"]["description"] == "What to make."
    assert "metadata" in schema["properties"]


def _kind(schema: dict[str, object]) -> dict[str, str]:
    kinds = schema.get("x-kubernetes-group-version-kind") or [{}]
    return kinds[0]  # type: ignore[index, no-any-return]


async def test_openapi_says_that_field_validation_is_supported(api: Api, path: str) -> None:
    paths = (await api.get(f"/openapi/v3{samples.API}")).body["paths"]
    item = f"{samples.API}/namespaces/{{namespace}}/samples/{{name}}"
    assert "fieldValidation" in [p["name"] for p in paths[item]["patch"]["parameters"]]


async def test_unknown_paths_are_404(api: Api) -> None:
    for path in ("/apis/nothing.example.com", "/apis/batch/v9", "/api/v1/unicorns", "/nowhere"):
        assert (await api.get(path)).status == 404, path
