"""Which changes of the OpenAPI document break clients."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from mediatask_api.app import api_document
from mediatask_api.http.openapi.breaking import breaking_changes

DOCUMENT = api_document()
Change = Callable[[dict[str, Any]], object]


def changed(change: Change) -> list[str]:
    new = deepcopy(DOCUMENT)
    change(new)
    return breaking_changes(DOCUMENT, new)


def schema(document: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = document["components"]["schemas"][name]
    return found


def operation(document: dict[str, Any], name: str) -> dict[str, Any]:
    return next(
        item
        for path in document["paths"].values()
        for item in path.values()
        if isinstance(item, dict) and item.get("operationId") == name
    )


def parameter(document: dict[str, Any], name: str, query: str) -> dict[str, Any]:
    return next(each for each in operation(document, name)["parameters"] if each["name"] == query)


def require(document: dict[str, Any], name: str, field: str) -> None:
    schema(document, name).setdefault("required", []).append(field)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d["paths"].update({"/api/v1/new": {"get": {"operationId": "x", "responses": {}}}}),
        lambda d: schema(d, "TaskAnswer")["properties"].update(new={"type": "string"}),
        lambda d: schema(d, "GenerateImage")["properties"].update(new={"type": "string"}),
        lambda d: schema(d, "GenerateImage")["properties"]["width"].update(maximum=10**9),
        lambda d: operation(d, "listTasks")["parameters"].append({"in": "query", "name": "n", "schema": {}}),
        lambda d: operation(d, "cancelTask")["responses"].update({"418": {"description": "a teapot"}}),
        lambda d: schema(d, "TaskAnswer").update(description="Other words."),
    ],
)
def test_what_clients_can_live_with(change: Change) -> None:
    assert changed(change) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: d["paths"].pop("/api/v1/stats"), "GET /api/v1/stats: gone"),
        (lambda d: operation(d, "getStats").update(operationId="stats"), "operationId getStats is now stats"),
        (lambda d: operation(d, "listTasks")["parameters"].clear(), "query parameter limit: gone"),
        (lambda d: parameter(d, "listTasks", "limit").update(required=True), "parameter limit: now required"),
        (lambda d: parameter(d, "listTasks", "limit")["schema"].update(maximum=5), "limit: maximum is now 5"),
        (lambda d: schema(d, "TaskAnswer")["properties"].pop("progress"), ": answer 200.progress: gone"),
        (lambda d: schema(d, "TaskAnswer")["required"].remove("status"), "answer 200.status: may now be missing"),
        (lambda d: require(d, "GenerateImage", "seed"), "body(generate_image).task_data.seed: now required"),
        (lambda d: schema(d, "GenerateImage")["properties"].pop("pose"), ".task_data.pose: gone"),
        (
            lambda d: schema(d, "SubmitRequest")["discriminator"]["mapping"].pop("test_prompt"),
            "body: no variant test_prompt any more",
        ),
        (
            lambda d: schema(d, "SubmitGenerateImage")["properties"]["priority"].update(type="string"),
            ".priority: no longer takes integer",
        ),
        (lambda d: operation(d, "submitTask")["responses"].pop("202"), "no answer 202 any more"),
        (
            lambda d: operation(d, "submitTask")["responses"]["202"]["headers"].pop("Location"),
            "answer 202 has no header Location any more",
        ),
    ],
)
def test_what_breaks_clients(change: Change, said: str) -> None:
    assert any(said in line for line in changed(change)), changed(change)


def test_every_operation_has_a_name_of_its_own_and_every_task_type_is_a_variant() -> None:
    names = [item["operationId"] for path in DOCUMENT["paths"].values() for item in path.values()]
    assert len(set(names)) == len(names)
    submit = schema(DOCUMENT, "SubmitRequest")
    assert set(submit["discriminator"]["mapping"]) == {
        "generate_image",
        "generate_video",
        "process_audio",
        "test_prompt",
    }
    assert "idempotency_key" in schema(DOCUMENT, "BatchTestPrompt")["properties"]
    references = {part for part in json.dumps(DOCUMENT).split('"') if part.startswith("#/components/schemas/")}
    assert {reference.rpartition("/")[2] for reference in references} <= set(DOCUMENT["components"]["schemas"])


def test_the_committed_document_is_this_one() -> None:
    assert json.loads((Path(__file__).parents[3] / "api" / "openapi.json").read_text()) == DOCUMENT
