"""Every answer in the OpenAPI document has an example, and each is one of what it is an example of."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from mediatask_api.app import api_document
from mediatask_api.http.errors import PROBLEM_JSON

DOCUMENT = api_document()
REGISTRY = Registry().with_resource("urn:document", DRAFT202012.create_resource(DOCUMENT))
BODILESS = ("204", "302", "304")


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for item in DOCUMENT["paths"].values():
        for operation in item.values():
            yield operation["operationId"], operation


OPERATIONS = dict(operations())


def examples(content: dict[str, Any]) -> Iterator[tuple[dict[str, Any], Any]]:
    """Schemas and what stands for them."""
    for media in content.values():
        schema = media.get("schema", {})
        if "example" in media:
            yield schema, media["example"]
        for example in media.get("examples", {}).values():
            yield schema, example["value"]


def check(schema: dict[str, Any], value: Any) -> None:
    within = json.loads(json.dumps(schema).replace('"#/', '"urn:document#/'))
    Draft202012Validator(within, registry=REGISTRY).validate(value)


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_answer_has_an_example_that_is_one(name: str) -> None:
    for status, answer in OPERATIONS[name]["responses"].items():
        if status in BODILESS:
            continue
        found = list(examples(answer.get("content", {})))
        assert found, f"{name}: {status} has no example"
        for schema, value in found:
            check(schema, value)
            if PROBLEM_JSON in answer["content"]:
                assert value["status"] == int(status)
                assert "{" not in value["instance"]


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_call_with_a_caller_says_how_it_is_refused(name: str) -> None:
    operation = OPERATIONS[name]
    wanted = {"400"}
    if "security" in operation:
        wanted |= {"401", "403", "429", "503"}
    if "requestBody" in operation:
        wanted |= {"408", "413"}
    assert wanted <= operation["responses"].keys()


@pytest.mark.parametrize("name", [name for name, operation in OPERATIONS.items() if "requestBody" in operation])
def test_every_body_has_an_example_that_is_one(name: str) -> None:
    schema = OPERATIONS[name]["requestBody"]["content"]["application/json"]["schema"]
    named = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    assert named["examples"]
    for value in named["examples"]:
        check(schema, value)


def test_every_example_of_a_schema_is_one() -> None:
    for name, schema in DOCUMENT["components"]["schemas"].items():
        for value in schema.get("examples", []):
            check({"$ref": f"#/components/schemas/{name}"}, value)
