"""Loaded by Schemathesis: what OpenAPI 3.1 cannot say of an event stream, and a fault of CPython."""

from __future__ import annotations

from typing import Any

import schemathesis
from hypothesis.internal import lambda_sources

# Only for messages; it parses source code, which CPython 3.11 sometimes refuses to do deep in a stack (SystemError).
lambda_sources.lambda_description = lambda function: "lambda: <unknown>"

EVENT = {
    "type": "object",
    "required": ["event", "data"],
    "properties": {
        "id": {"type": "string"},
        "event": {
            "enum": [
                "queued", "started", "progress", "log", "preview", "completed", "failed", "cancelled", "closed",
            ]
        },
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
}  # fmt: skip


@schemathesis.hook
def before_load_schema(context: Any, raw_schema: dict[str, Any]) -> None:
    for operations in raw_schema["paths"].values():
        for operation in operations.values():
            for answer in operation["responses"].values():
                stream = answer.get("content", {}).get("text/event-stream")
                if stream:
                    stream.pop("schema")  # of the whole stream, which no check of single events understands
                    stream["itemSchema"] = EVENT
