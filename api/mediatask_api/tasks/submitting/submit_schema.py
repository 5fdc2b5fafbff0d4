"""Submits in the OpenAPI document: one schema for each task type, told apart by `task_type`.

On the wire `task_data` is any object, checked against the model of its type; generated clients want to know the models.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from mediatask_crds.tasktypes import task_types

from ...http.openapi.document import REF
from ..schemas import SubmitRequest

Schema = dict[str, Any]

_SUBMIT = SubmitRequest.__name__
_KEY = {
    "type": "string",
    "minLength": 1,
    "maxLength": 255,
    "description": "As the header `Idempotency-Key` of a submit.",
}


def with_task_types(document: Schema) -> Schema:
    """The document with typed submits, single ones and those of a batch; changed in place."""
    schemas: Schema = document["components"]["schemas"]
    plain = schemas[_SUBMIT]
    for model in task_types().values():
        own = model.model_json_schema(ref_template=REF)
        schemas.update(own.pop("$defs", {}))
        schemas[model.__name__] = own
    schemas[_SUBMIT] = _union(schemas, plain, "Submit{model}", {}) | {"examples": plain["examples"]}
    schemas["BatchItem"] = _union(schemas, plain, "Batch{model}", {"idempotency_key": _KEY})
    schemas["BatchRequest"]["properties"]["tasks"]["items"] = {"$ref": REF.format(model="BatchItem")}
    return document


def _union(schemas: Schema, plain: Schema, name: str, more: Schema) -> Schema:
    mapping = {}
    for task_type, model in sorted(task_types().items()):
        typed = deepcopy(plain)
        typed.pop("examples", None)
        typed["title"] = name.format(model=model.__name__)
        typed["properties"] |= more
        typed["properties"]["task_type"] = {"const": task_type, "type": "string"}
        typed["properties"]["task_data"] = {"$ref": REF.format(model=model.__name__)}
        schemas[typed["title"]] = typed
        mapping[task_type] = REF.format(model=typed["title"])
    return {
        "description": plain["description"],
        "oneOf": [{"$ref": reference} for reference in mapping.values()],
        "discriminator": {"propertyName": "task_type", "mapping": mapping},
    }
