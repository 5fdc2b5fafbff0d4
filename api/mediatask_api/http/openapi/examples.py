"""Examples of answers in the OpenAPI document, put together from those of the models. Pure."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from ..errors import PROBLEM_JSON

Schema = dict[str, Any]

PATH_SAMPLES = {
    "task_id": "5f0c2d0e-7a43-5c0b-9d2e-0c9a6f9f5b1e",
    "project_id": "detective_series_001",
    "key_id": "cutting-room",
    "upload_id": "0123456789abcdef0123456789abcdef",
    "name": "generate_video",
}
"""What stands in paths; the same as in the examples of the models."""


def add_examples(document: Schema) -> None:
    """Give every parameter of a path, every JSON answer and every problem an example; changed in place.

    Raises:
        KeyError: a path has a parameter without a sample.
        ValueError: an answer's model has no example.
    """
    for path, operations in document["paths"].items():
        instance = path.format(**PATH_SAMPLES)
        for operation in operations.values():
            for parameter in operation.get("parameters", []):
                if parameter["in"] == "path":
                    parameter["example"] = PATH_SAMPLES[parameter["name"]]
            for answer in operation["responses"].values():
                for kind, media in answer.get("content", {}).items():
                    if kind == PROBLEM_JSON:
                        _set_instance(media, instance)
                    elif "example" not in media and "examples" not in media:
                        media["example"] = _example(document, media.get("schema", {}))


def _set_instance(media: Schema, instance: str) -> None:
    # Routes share these.
    media["examples"] = deepcopy(media["examples"])
    for example in media["examples"].values():
        example["value"]["instance"] = instance


def _example(document: Schema, schema: Schema) -> Any:
    if "$ref" in schema:
        return _example(document, document["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    if schema.get("examples"):
        return deepcopy(schema["examples"][0])
    if schema.get("type") == "array":
        return [_example(document, schema["items"])]
    raise ValueError(f"no example: {schema.get('title', schema)}")
