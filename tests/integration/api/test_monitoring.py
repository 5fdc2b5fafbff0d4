"""Workers, health, catalogue, metrics and the OpenAPI document."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import jsonschema
import pytest
from prometheus_client import generate_latest

from mediatask_api.platform.workers import workers_status
from mediatask_api.pods.usages import UsageReport
from mediatask_common.kube import CLASSES, PODS, Object, Resource
from mediatask_common.times import parse_time
from mediatask_crds.names import LABEL_PROJECT
from mediatask_crds.podcontract import ResourceUsage
from mediatask_crds.tasktypes import task_types
from support.front import until

from .conftest import PROMPT, World


async def test_health_names_each_dependency_with_its_latency(world: World) -> None:
    world.api.headers.pop("X-API-Key")
    answer = await world.api.get("/health")
    assert answer.status_code == 200
    body = answer.json()
    assert body["status"] == "healthy"
    assert set(body["checks"]) == {"kubernetes", "redis", "store"}
    assert body["checks"]["kubernetes"]["latency_ms"] > 0
    assert body["checks"]["redis"]["status"] == "disabled"


async def test_workers_are_live_pods_and_say_nothing_about_foreign_tasks(world: World) -> None:
    task_id = await world.submit()
    await world.pod(task_id)
    mine = (await world.api.get("/workers/status")).json()
    assert (mine["total_workers"], mine["active_workers"]) == (1, 0)
    worker = mine["workers"][0]
    assert (worker["status"], worker["current_task_id"], worker["worker_type"]) == ("starting", task_id, "demo-prompt")
    other = await world.caller("other")
    seen = (await other.get("/workers/status")).text
    assert task_id not in seen


async def test_however_many_ask_for_workers_the_pods_are_read_once_and_then_followed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages: list[str] = []
    read = world.services.kube.list

    async def counted(resource: Resource, *args: Any, **params: Any) -> Object:
        pages.append(resource.plural)
        return await read(resource, *args, **params)

    async def workers() -> int:
        answer = await world.api.get("/workers/status")
        assert answer.status_code == 200
        return int(answer.json()["total_workers"])

    monkeypatch.setattr(world.services.kube, "list", counted)
    before = await asyncio.gather(*(workers() for _ in range(20)))
    assert set(before) == {0}
    pod = await world.pod(await world.submit())

    async def becomes(wanted: int) -> None:
        async def so() -> bool:
            return await workers() == wanted

        await until(so)

    await becomes(1)
    await world.kube.delete(PODS, pod["metadata"]["name"], world.namespace, grace_period_seconds=0)
    await becomes(0)
    assert sorted(page for page in pages if page in ("nodes", "pods")) == ["nodes", "pods"]


@pytest.mark.parametrize("path", ["/health", "/health/live", "/health/ready"])
async def test_health_answers_head(world: World, path: str) -> None:
    world.api.headers.pop("X-API-Key")
    answer = await world.api.head(path)
    assert answer.status_code == 200


def pod(phase: str, node: str = "", gpus: int = 0) -> dict[str, Any]:
    limits = {"nvidia.com/gpu": str(gpus), "cpu": "2"} if gpus else {}
    return {
        "metadata": {"uid": "0" * 32, "creationTimestamp": "2026-11-21T00:00:00Z", "labels": {}},
        "spec": {"nodeName": node, "containers": [{"resources": {"limits": limits}}]},
        "status": {"phase": phase},
    }


def node(name: str, gpus: int, **spec: Any) -> dict[str, Any]:
    ready = {"type": "Ready", "status": "True", "lastHeartbeatTime": "2026-11-21T01:00:00Z"}
    return {
        "metadata": {"name": name},
        "spec": spec,
        "status": {"allocatable": {"cpu": "8", "nvidia.com/gpu": str(gpus)}, "conditions": [ready]},
    }


def test_gpus_are_busy_or_free() -> None:
    pods = [pod("Running", "n1", 2), pod("Pending"), pod("Succeeded", "n1", 1), pod("Running", "n2")]
    answer = workers_status(pods, [node("n1", 4), node("n2", 0), node("n3", 8, unschedulable=True)], {}, lambda _: True)
    assert [worker.status for worker in answer.workers] == ["busy", "starting", "busy", "idle", "idle"]
    assert (answer.total_workers, answer.active_workers, answer.gpu_utilization) == (5, 2, 0.5)
    assert answer.workers[0].last_heartbeat == "2026-11-21T01:00:00Z"
    assert workers_status([], [], {}, lambda _: True).gpu_utilization == 0.0


def test_completed_tasks_of_a_node_are_counted_as_far_as_the_caller_may_see_them() -> None:
    pods = [pod("Running", "n1", 1), *[pod("Succeeded", "n1", 1) for _ in range(3)], pod("Failed", "n1")]
    for index, project in enumerate(("film", "film", "other"), 1):
        pods[index]["metadata"]["labels"] = {LABEL_PROJECT: project}
    nodes = [node("n1", 2), node("n2", 1)]
    everything = workers_status(pods, nodes, {}, lambda _: True).workers
    assert [(worker.status, worker.tasks_completed) for worker in everything] == [("busy", 3), ("idle", 3), ("idle", 0)]
    of_film = workers_status(pods, nodes, {}, lambda project: project == "film").workers
    assert [worker.tasks_completed for worker in of_film] == [2, 2, 0]


def test_what_a_pod_measured_is_shown_to_those_who_may_see_its_task() -> None:
    measured = ResourceUsage(memory_kind="gpu", memory_used=12, memory_total=80, gpu_utilization=0.85)
    report = UsageReport(at=parse_time("2026-11-21T02:00:00Z"), usage=measured)
    busy, unmeasured = pod("Running", "n1", 1), pod("Running", "n1", 1)
    busy["metadata"] |= {"uid": "a" * 32, "labels": {LABEL_PROJECT: "film"}}

    def shown(project: str) -> list[tuple[Any, ...]]:
        answer = workers_status([busy, unmeasured], [node("n1", 3)], {"a" * 32: report}, lambda each: each == project)
        assert answer.gpu_utilization == 0.6667, "assignment, whatever pods say"
        return [
            (each.memory_usage, each.memory_total, each.memory_kind, each.gpu_utilization, each.gpu_utilization_source)
            for each in answer.workers
        ]

    nothing, idle = (None, None, None, 1.0, "assigned"), (None, None, None, 0.0, "assigned")
    assert shown("film") == [(12, 80, "gpu", 0.85, "measured"), nothing, idle]
    assert shown("other") == [nothing, nothing, idle]
    beats = [worker.last_heartbeat for worker in workers_status([busy], [], {"a" * 32: report}, lambda _: True).workers]
    assert beats == ["2026-11-21T02:00:00Z"]


async def test_the_catalogue_tells_schema_defaults_and_classes(world: World) -> None:
    spec = {"taskTypes": ["test_prompt"], "image": "python", "default": True, "gpu": {"count": 0}}
    name = f"catalogue-{world.namespace}"
    body = {
        "apiVersion": "tasks.ft.tc/v1alpha1", "kind": "MediaTaskClass", "metadata": {"name": name}, "spec": spec,
    }  # fmt: skip
    await world.kube.create(CLASSES, body)
    try:
        listed = {kind["name"]: kind for kind in (await world.api.get("/task-types")).json()}
        assert set(listed) == set(task_types())
        assert name in listed["test_prompt"]["classes"]
        assert name not in listed["generate_image"]["classes"]
    finally:
        await world.kube.delete(CLASSES, name)
    image = (await world.api.get("/task-types/generate_image")).json()
    assert image["defaults"]["width"] == 1024
    assert image["schema"]["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema.Draft202012Validator.check_schema(image["schema"])
    validator = jsonschema.Draft202012Validator(image["schema"])
    assert validator.is_valid({"prompt": "x"})
    assert not validator.is_valid({"pose": "x"}), "one of the two descriptions is required"
    assert not validator.is_valid({"prompt": "x", "nope": 1})
    unknown = await world.api.get("/task-types/paint")
    assert unknown.status_code == 404
    assert "generate_image" in unknown.json()["detail"]


async def test_metrics_hold_templates_and_no_ids(world: World) -> None:
    task_id = await world.submit(metadata={"canary": "c4n4ry"})
    await world.api.get(f"/tasks/{task_id}/status")
    await world.api.get("/no/such/c4n4ry")
    assert (await world.api.get("http://api/metrics")).status_code == 404, "metrics are no business of callers"
    text = generate_latest(world.services.metrics.registry).decode()
    assert 'route="/api/v1/tasks/{task_id}/status"' in text
    assert 'mediatask_api_submitted_total{replayed="false",type="test_prompt"} 1.0' in text
    assert task_id not in text
    assert "c4n4ry" not in text


async def test_a_failure_that_nobody_expected_is_counted_as_one(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(world.services.kube, "get", broken)
    answer = await world.api.get("/tasks/x/status")
    assert (answer.status_code, answer.json()["type"]) == (500, "urn:mediatask:problem:internal")
    labels = {"listener": "public", "route": "/api/v1/tasks/{task_id}/status", "method": "GET", "status": "500"}
    assert world.services.metrics.registry.get_sample_value("mediatask_api_requests_total", labels) == 1


async def test_the_document_has_examples_problems_and_the_scheme(world: World) -> None:
    document = (await world.api.get("http://api/openapi.json")).json()
    submit = document["paths"]["/api/v1/tasks/submit"]["post"]
    assert submit["security"] == [{"APIKeyHeader": []}, {"HTTPBearer": []}]
    assert submit["requestBody"]["content"]["application/json"]["schema"]["$ref"].endswith("/SubmitRequest")
    assert set(submit["responses"]) == {"200", "202", "400", "401", "402", "403", "408", "413", "422", "429", "503"}
    assert "application/problem+json" in submit["responses"]["422"]["content"]
    assert set(submit["responses"]["202"]["headers"]) == {"Location", "Idempotency-Replayed", "Preference-Applied"}
    assert "Retry-After" in submit["responses"]["429"]["headers"]
    [key] = [parameter for parameter in submit["parameters"] if parameter["name"] == "idempotency-key"]
    assert {"minLength": 1, "maxLength": 255}.items() <= key["schema"].items()
    assert "ETag" in document["paths"]["/api/v1/tasks/{task_id}/status"]["get"]["responses"]["200"]["headers"]
    assert {"400", "429"} <= set(document["paths"]["/api/v1/tasks/{task_id}/logs"]["get"]["responses"])
    schemas = document["components"]["schemas"]
    example = schemas["SubmitRequest"]["examples"][0]
    assert (await world.api.post("/tasks/submit", json=example)).status_code == 202, "the example works as it is"
    assert not [path for path in document["paths"] if "media" in path and "tasks" not in path]
    for operations in document["paths"].values():
        for operation in operations.values():
            assert "HTTPValidationError" not in str(operation)
    for reference in _references(document):
        assert reference.removeprefix("#/components/schemas/") in schemas, reference


async def test_the_pages_of_the_api_load_nothing_from_elsewhere(world: World) -> None:
    page = await world.api.get("http://api/docs")
    assert page.status_code == 200
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(loaded) >= 2
    for path in loaded:
        assert path.startswith("/"), path
        assert (await world.api.get(f"http://api{path}")).status_code == 200, path


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/tasks/submit", 405), ("GET", "/nothing", 404)])
async def test_what_is_no_route_is_a_problem_too(world: World, method: str, path: str, status: int) -> None:
    answer = await world.api.request(method, path, json=PROMPT)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


def _references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [found for child in value.values() for found in _references(child)]
    return [found for child in value for found in _references(child)] if isinstance(value, list) else []
